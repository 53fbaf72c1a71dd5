"""Corpora: splits that lose nothing, files of every kind, and one clear line for everything that can go wrong."""

import hashlib
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.console import LearnerError
from shared.data import NAMES, download, load_corpus
from shared.data.corpora import MIN_CHARACTERS, read_text

REAL_DATA = download.default_data_dir()
needs_real_data = pytest.mark.skipif(
    not all(path.exists() for name in ("shakespeare", "names") for path in download.paths(name, REAL_DATA)),
    reason="Tiny Shakespeare and the names are not on disk",
)
same_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """Whatever would be fetched cannot be; and no corpora but those that a test makes."""

    def fail(name, data_dir=None, **options):
        raise download.DownloadError("no network in tests")

    monkeypatch.setattr(download, "fetch", fail)
    monkeypatch.setenv("LM_DATA_DIR", str(tmp_path / "empty"))


def stand_in(monkeypatch, folder, name, text):
    """Let `text` be the true content of the one file of corpus `name`, and put it into `folder`."""
    data = text.encode()
    [file] = download.FILES[name]
    true = download.File(file.path, len(data), hashlib.sha256(data).hexdigest(), file.urls)
    monkeypatch.setitem(download.FILES, name, [true])
    folder.mkdir(exist_ok=True)
    (folder / file.path).write_bytes(data)
    return folder / file.path


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


# --- known corpora ------------------------------------------------------------------------------------------------


def test_shakespeare_is_split_at_nine_tenths(monkeypatch, tmp_path):
    text = "To be, or not to be.\n" * 53
    path = stand_in(monkeypatch, tmp_path, "shakespeare", text)
    corpus = load_corpus("shakespeare", tmp_path)
    assert corpus.train + corpus.val == text
    assert len(corpus.train) == int(0.9 * len(text))
    assert corpus.test is None and corpus.floor is None and corpus.points == {} and corpus.notice is None
    assert str(path) in corpus.source


def test_data_dir_from_the_environment(monkeypatch, tmp_path):
    stand_in(monkeypatch, tmp_path, "shakespeare", "something else entirely " * 4)
    monkeypatch.setenv("LM_DATA_DIR", str(tmp_path))
    assert load_corpus("shakespeare").train.startswith("something else")


def test_names_are_shuffled_with_seed_42(monkeypatch, tmp_path):
    names = [f"name{i}" for i in range(97)]
    stand_in(monkeypatch, tmp_path, "names", "\n".join(names))  # the last line has no end, as in the real file
    random.seed(1)
    state = random.getstate()
    corpus = load_corpus("names", tmp_path)
    assert random.getstate() == state  # ours is a generator of its own
    random.seed(42)
    random.shuffle(names)  # as makemore does it
    assert corpus.train.split() == names[:77]
    assert corpus.val.split() == names[77:87]
    assert corpus.test.split() == names[87:]
    assert all(split.endswith("\n") for split in (corpus.train, corpus.val, corpus.test))


def test_wikitext_and_tinystories_are_read_by_split(tmp_path):
    for name in ("wikitext-2", "tinystories"):
        (tmp_path / name).mkdir()
        for split in download.HUB[name].splits:
            (tmp_path / name / f"{split}.txt").write_text(f"{name} {split}\n", encoding="utf-8")
    wiki = load_corpus("wikitext-2", tmp_path)
    assert (wiki.train, wiki.val, wiki.test) == ("wikitext-2 train\n", "wikitext-2 validation\n", "wikitext-2 test\n")
    stories = load_corpus("tinystories", tmp_path)
    assert (stories.train, stories.val, stories.test) == ("tinystories train\n", "tinystories validation\n", None)
    assert stories.train_file.path == tmp_path / "tinystories" / "train.txt" and wiki.train_file is None


def test_fables_have_floor_and_points():
    corpus = load_corpus("fables")
    assert corpus.name == "fables" and corpus.notice is None
    assert set(corpus.floor) == set(corpus.points) == {"train", "val", "test"}
    assert all(0 < floor < 3 for floor in corpus.floor.values())
    assert corpus.points["val"]
    assert min(map(len, (corpus.train, corpus.val, corpus.test))) > 1000
    assert load_corpus("fables") == corpus


# --- what cannot be had -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fables"])
def test_missing_and_asked_for(name):
    with pytest.raises(LearnerError) as error:
        load_corpus(name)
    assert f"python -m shared.data.download {name}" in one_line(error)


def test_missing_and_not_asked_for():
    corpus = load_corpus("shakespeare", fallback=True)
    assert corpus.name == "fables"
    assert "no network in tests" in corpus.notice and "fables" in corpus.notice and "\n" not in corpus.notice
    assert "python -m shared.data.download shakespeare" in corpus.notice


def test_missing_is_fetched_with_little_patience(monkeypatch, tmp_path):
    def fetch(name, data_dir, *, timeout):
        assert timeout <= 3
        stand_in(monkeypatch, tmp_path, name, "fetched at last, and long enough")

    monkeypatch.setattr(download, "fetch", fetch)
    assert load_corpus("shakespeare", tmp_path, fallback=True).train.startswith("fetched")


def test_tinystories_is_never_fetched_unasked(monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda *args, **options: pytest.fail("a gigabyte by surprise"))
    with pytest.raises(LearnerError):
        load_corpus("tinystories")


@pytest.mark.parametrize("fallback", [False, True])
def test_a_damaged_file_is_named(monkeypatch, tmp_path, fallback):
    path = stand_in(monkeypatch, tmp_path, "shakespeare", "the true text, to be trusted")
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(LearnerError) as error:
        load_corpus("shakespeare", tmp_path, fallback=fallback)
    assert str(path) in one_line(error) and "download shakespeare" in one_line(error)


@pytest.mark.parametrize("wrong, meant", [("shakespear", "shakespeare"), ("Names", "names"), ("wiki-2", "wikitext-2")])
def test_unknown_names_are_answered_with_the_nearest(wrong, meant):
    with pytest.raises(LearnerError) as error:
        load_corpus(wrong)
    assert f"did you mean {meant}?" in one_line(error)


def test_sentence_pairs_are_no_corpus():
    with pytest.raises(LearnerError, match="sentence pairs"):
        load_corpus("multi30k")


# --- your own text ------------------------------------------------------------------------------------------------


@same_folder
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=MIN_CHARACTERS), st.sampled_from(["", "\ufeff"]))
def test_any_text_is_split_without_loss(tmp_path, text, mark):
    path = tmp_path / "own text.txt"
    path.write_bytes((mark + text).encode())
    ends = (mark + text).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(ends) < MIN_CHARACTERS:
        return
    corpus = load_corpus(path)
    assert corpus.train + corpus.val == ends
    assert len(corpus.train) == int(0.9 * len(ends))
    assert corpus.name == "own text" and corpus.test is None and str(path) in corpus.source


def test_a_path_relative_to_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "mine").write_text("my own words " * 10, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_corpus("mine").name == "mine"


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(LearnerError) as error:
        load_corpus(tmp_path / "gone.txt")
    assert str(tmp_path / "gone.txt") in one_line(error)


def test_a_folder(tmp_path):
    with pytest.raises(LearnerError) as error:
        load_corpus(tmp_path)
    assert "is a folder" in one_line(error)


@pytest.mark.parametrize("text", ["", "\ufeff", "a", "\r\n" * 15])
def test_empty_or_too_short(tmp_path, text):
    path = tmp_path / "short.txt"
    path.write_bytes(text.encode())
    with pytest.raises(LearnerError) as error:
        load_corpus(path)
    assert str(path) in one_line(error)
    assert ("is empty" if len(text) == 0 or text == "\ufeff" else "characters") in one_line(error)


@same_folder
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from([b"\xff", b"\x80", b"\xc3("]), st.text())
def test_not_utf8_says_at_which_byte(tmp_path, before, bad, after):
    path = tmp_path / "latin1.txt"
    good = ("x" + before).encode()
    path.write_bytes(good + bad + after.encode(errors="ignore"))
    with pytest.raises(LearnerError) as error:
        read_text(path)
    assert f"offset {len(good):,}" in one_line(error) and str(path) in one_line(error)


def test_utf16_is_recognised(tmp_path):
    path = tmp_path / "notepad.txt"
    path.write_bytes("A text from Windows".encode("utf-16"))
    with pytest.raises(LearnerError, match="UTF-16"):
        read_text(path)


# --- the real files, where they are -------------------------------------------------------------------------------


@needs_real_data
def test_the_real_shakespeare():
    corpus = load_corpus("shakespeare", REAL_DATA)
    assert (len(corpus.train), len(corpus.val)) == (1_003_854, 111_540)
    assert len(set(corpus.train + corpus.val)) == 65


@needs_real_data
def test_the_real_names():
    corpus = load_corpus("names", REAL_DATA)
    counts = [split.count("\n") for split in (corpus.train, corpus.val, corpus.test)]
    assert counts == [25_626, 3_203, 3_204]
