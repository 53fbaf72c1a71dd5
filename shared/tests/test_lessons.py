"""Lessons are found by any of their names, and their files never meet in sys.modules."""

import sys

import pytest

from shared import lessons
from shared.console import LearnerError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project of two lessons, each with a model.py and a file that imports it."""
    root = tmp_path.resolve()
    monkeypatch.setattr(lessons, "ROOT", root)
    for name in ("model-01-ngram", "model-04-gru"):
        (root / name / "experiments").mkdir(parents=True)
        (root / name / "model.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")
        (root / name / "train.py").write_text("import model\nfrom model import NAME\n", encoding="utf-8")
        text = "from train import NAME\nimport helper\n"
        (root / name / "experiments" / "study.py").write_text(text, encoding="utf-8")
        (root / name / "experiments" / "helper.py").write_text("import model\n", encoding="utf-8")
    (root / "model-07-later").mkdir()  # not one of the six
    (root / "model-02-mlp").write_text("a file, not a folder", encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def clean_modules():
    """What a test imports under a unique name is gone after it."""
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def surroundings() -> tuple[list[str], dict]:
    return list(sys.path), dict(sys.modules)


def test_all_lessons_in_order(root):
    assert [path.name for path in lessons.all_lessons()] == ["model-01-ngram", "model-04-gru"]


@pytest.mark.parametrize("name", ["01", "ngram", "model-01-ngram"])
def test_a_lesson_has_three_names(root, name):
    assert lessons.find_lesson(name) == root / "model-01-ngram"


def test_a_name_completed_by_the_shell(root):
    assert lessons.find_lesson("model-01-ngram/") == lessons.find_lesson("./model-01-ngram") == root / "model-01-ngram"


def test_without_a_name_it_is_the_lesson_one_stands_in(root, monkeypatch):
    for place in ("model-04-gru", "model-04-gru/experiments"):
        monkeypatch.chdir(root / place)
        assert lessons.find_lesson() == root / "model-04-gru"


def test_no_lesson_here_and_no_such_lesson(root, monkeypatch):
    monkeypatch.chdir(root)
    with pytest.raises(LearnerError, match="which lesson.*01"):
        lessons.find_lesson()
    with pytest.raises(LearnerError, match="'model-01-ngrams': did you mean model-01-ngram\\?"):
        lessons.find_lesson("model-01-ngrams")
    with pytest.raises(LearnerError, match="'02'"):
        lessons.find_lesson("02")
    with pytest.raises(LearnerError, match="''"):
        lessons.find_lesson("")


def test_two_models_stay_apart(root):
    first = lessons.load(root / "model-01-ngram" / "model.py")
    second = lessons.load(str(root / "model-04-gru" / "model.py"))
    assert (first.NAME, second.NAME) == ("model-01-ngram", "model-04-gru")
    assert first.__name__ != second.__name__
    assert sys.modules[first.__name__] is first and sys.modules[second.__name__] is second


def test_a_file_finds_its_own_lessons_siblings(root):
    for name in ("model-01-ngram", "model-04-gru", "model-01-ngram"):
        assert lessons.load(root / name / "train.py").NAME == name
        assert lessons.load(root / name / "experiments" / "study.py").NAME == name  # from a folder below, too


def test_the_same_file_loaded_twice_gives_fresh_modules(root):
    path = root / "model-01-ngram" / "train.py"
    first, second = lessons.load(path), lessons.load(path)
    assert first is not second and first.model is not second.model


def test_path_and_modules_are_as_before(root, monkeypatch):
    mine = type(sys)("model")
    monkeypatch.setitem(sys.modules, "model", mine)
    search, modules = surroundings()
    module = lessons.load(root / "model-01-ngram" / "train.py")
    assert module.model is not mine and sys.modules["model"] is mine
    assert sys.path == search
    assert dict(sys.modules) == modules | {module.__name__: module}


@pytest.mark.parametrize("text", ["import model\n1 / 0\n", "import model\nraise SystemExit(2)\n", "def broken(:\n"])
def test_path_and_modules_are_as_before_when_the_file_raises(root, text):
    path = root / "model-01-ngram" / "broken.py"
    path.write_text(text, encoding="utf-8")
    search, modules = surroundings()
    with pytest.raises((ZeroDivisionError, SystemExit, SyntaxError)):
        lessons.load(path)
    assert (sys.path, dict(sys.modules)) == (search, modules)


def test_a_file_that_is_not_there(root):
    search, modules = surroundings()
    with pytest.raises(FileNotFoundError):
        lessons.load(root / "model-01-ngram" / "missing.py")
    assert (sys.path, dict(sys.modules)) == (search, modules)


def test_a_script_that_lengthens_the_search_path_leaves_no_trace(root):
    path = root / "model-01-ngram" / "script.py"
    path.write_text("import sys\nsys.path.insert(0, 'somewhere')\nfrom model import NAME\n", encoding="utf-8")
    search, _ = surroundings()
    assert lessons.load(path).NAME == "model-01-ngram"
    assert sys.path == search


def test_a_file_outside_of_any_lesson(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "ROOT", tmp_path.resolve() / "project")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")
        (tmp_path / name / "script.py").write_text("from helper import NAME\n", encoding="utf-8")
    assert [lessons.load(tmp_path / name / "script.py").NAME for name in ("one", "two")] == ["one", "two"]


def test_the_projects_own_lessons_have_the_agreed_names():
    assert lessons.find_lesson("01").name == "model-01-ngram"
    assert all(path.parent == lessons.ROOT for path in lessons.all_lessons())
