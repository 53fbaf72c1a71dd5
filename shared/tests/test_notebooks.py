"""The notebooks say what their sources say, hold what they showed when they ran, and nothing of where they ran."""

import json
import re

import pytest

from shared.lessons import ROOT, all_lessons, load

NOTEBOOKS = ROOT / "docs" / "notebooks"
build = load(NOTEBOOKS / "build.py")  # imports what is not installed with the tests only when it executes
SOURCES = build.sources()
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def read(source) -> dict:
    return json.loads(build.notebook_of(source).read_text(encoding="utf-8"))


def each(parameter="source"):
    return pytest.mark.parametrize(parameter, SOURCES, ids=lambda path: path.stem)


def test_every_lesson_has_a_notebook():
    assert [f"model-{source.stem.replace('_', '-')}" for source in SOURCES] == [path.name for path in all_lessons()]
    assert [build.notebook_of(source) for source in SOURCES] == sorted(NOTEBOOKS.glob("*.ipynb"))


@each()
def test_a_notebook_is_its_source(source):
    build.check(source)
    kinds = [cell["cell_type"] for cell in read(source)["cells"]]
    assert kinds.count("markdown") >= 8 and kinds.count("code") >= 8


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
def test_it_is_small_and_does_not_tell_where_it_ran(source):
    notebook = read(source)
    assert build.problems(source.name, notebook, build.notebook_of(source).stat().st_size) == []
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
    named = build.RESULT.findall(text)
    assert len(named) == len(re.findall(r"^result_(?:figure|table)\(", text, re.MULTILINE))
    assert len(build.results_shown(text)) == len(set(named))  # which leaves out what is not there


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
    notebook = build.new_notebook([]) | {"metadata": {"made": "file://somewhere"}}
    assert build.problems("01", notebook, 1000) == ["01: metadata tells of this machine: file://"]
