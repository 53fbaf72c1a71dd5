"""The notebooks say what their sources say, hold what they showed when they ran, and nothing of where they ran."""

import getpass
import json
import platform
import re

import pytest

from shared.lessons import ROOT, all_lessons, load

NOTEBOOKS = ROOT / "docs" / "notebooks"
build = load(NOTEBOOKS / "build.py")  # imports what is not installed with the tests only when it executes
SOURCES = build.sources()
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATHS = re.compile(r"(?<![\w.])(/(root|work|tmp|home|Users|usr|opt|var|mnt|private)\b|[A-Za-z]:\\)|file://")


def read(source) -> dict:
    return json.loads(build.notebook_of(source).read_text(encoding="utf-8"))


def each(parameter="source"):
    return pytest.mark.parametrize(parameter, SOURCES, ids=lambda path: path.stem)


def test_every_lesson_has_a_notebook():
    assert [f"model-{source.stem.replace('_', '-')}" for source in SOURCES] == [path.name for path in all_lessons()]
    assert [build.notebook_of(source) for source in SOURCES] == sorted(NOTEBOOKS.glob("*.ipynb"))


@each()
def test_a_notebook_is_its_source(source):
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in read(source)["cells"]]
    expected = build.cells_of(source.read_text(encoding="utf-8"))
    assert cells == expected, f"run: python docs/notebooks/build.py {source.name[:2]}"
    assert sum(kind == "markdown" for kind, _ in cells) >= 8 and sum(kind == "code" for kind, _ in cells) >= 8


@each()
def test_it_was_executed_in_order_and_nothing_went_wrong(source):
    cells = [cell for cell in read(source)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output["output_type"] for cell in cells for output in cell["outputs"]]
    assert set(kinds) <= {"stream", "display_data"}
    for cell in cells:
        code = "".join(cell["source"])
        if re.search(r"^\s*(print|draw|show|result_\w+)\(", code, re.MULTILINE):
            assert cell["outputs"], f"{cell['id']} shows nothing"
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])


@each()
def test_it_is_small(source):
    assert build.notebook_of(source).stat().st_size <= build.LARGEST


@each()
def test_it_does_not_tell_where_it_ran(source):
    notebook = read(source)
    texts = [text for cell in notebook["cells"] for text in ["".join(cell["source"]), *build.printed(cell)]]
    texts.append(json.dumps(notebook["metadata"]))
    names = [name for name in (platform.node(), getpass.getuser()) if re.search(r"\d|.{10}", name)]  # not a mere word
    for text in texts:
        assert not PATHS.search(text)
        assert not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for name in names)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "results"}
    assert all(cell["metadata"] == {} for cell in notebook["cells"])


@each()
def test_its_links_lead_somewhere(source):
    for kind, text in build.cells_of(source.read_text(encoding="utf-8")):
        for target in LINK.findall(text) if kind == "markdown" else ():
            assert re.match(r"https?:", target) or (NOTEBOOKS / target).exists(), target


@each()
def test_the_results_it_shows_are_there(source):
    text = source.read_text(encoding="utf-8")
    named = {f"{lesson}/results/{name}.{'png' if kind == 'figure' else 'json'}"
             for kind, lesson, name in build.RESULT.findall(text)}  # fmt: skip
    assert len(build.RESULT.findall(text)) == len(re.findall(r"^result_(?:figure|table)\(", text, re.MULTILINE))
    assert set(build.results_shown(text)) == named


def test_cells_are_read_from_the_percent_format():
    cells = build.cells_of("# %% [markdown]\n# # A title\n#\n# - an item\n#   goes on\n\n# %%\nx = 1\n\n\nprint(x)\n")
    assert cells == [("markdown", "# A title\n\n- an item\n  goes on"), ("code", "x = 1\n\n\nprint(x)")]
    with pytest.raises(build.BuildError, match="begins no cell"):
        build.cells_of("# %% [raw]\n# x\n")


def test_what_must_not_be_committed_is_found():
    notebook = build.new_notebook([("code", "print(path)")])
    assert build.problems("01", notebook, 1000) == []
    output = {"output_type": "stream", "name": "stdout", "text": ["in ", "/home/somebody/x\n"]}
    notebook["cells"][0]["outputs"] = [output]
    assert build.problems("01", notebook, 1000) == ["01: cell-01 tells of this machine: /home"]
    assert "more than" in build.problems("01", build.new_notebook([]), build.LARGEST + 1)[0]
