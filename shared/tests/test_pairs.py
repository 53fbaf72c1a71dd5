"""Sentence pairs: side by side, whole, and one clear line where they are not."""

import gzip
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.console import LearnerError
from shared.data import download, load_pairs
from shared.data.pairs import LINES, read_pairs

sentences = st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])), max_size=20)


def write(path, lines):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sentences, st.randoms())
def test_lines_stand_side_by_side(tmp_path, german, generator):
    english = generator.sample(german, len(german))
    write(tmp_path / "a.de.gz", german)
    write(tmp_path / "a.en.gz", english)
    pairs = read_pairs(tmp_path / "a.de.gz", tmp_path / "a.en.gz", len(german))
    assert pairs == [(de.strip(), en.strip()) for de, en in zip(german, english, strict=True)]


@pytest.mark.parametrize("german, english", [(["eins"], ["one", "two"]), (["eins", "zwei"], ["one"]), ([], [])])
def test_a_wrong_number_of_lines(tmp_path, german, english):
    write(tmp_path / "a.de.gz", german)
    write(tmp_path / "a.en.gz", english)
    with pytest.raises(LearnerError, match="lines, not 2"):
        read_pairs(tmp_path / "a.de.gz", tmp_path / "a.en.gz", 2)


@pytest.mark.parametrize("damage", ["cut short", "no gzip", "a wrong byte"])
def test_a_broken_gzip(tmp_path, damage):
    write(tmp_path / "a.de.gz", ["eins", "zwei"])
    write(tmp_path / "a.en.gz", ["one", "two"])
    path = tmp_path / "a.en.gz"
    data = path.read_bytes()
    wrong_byte = data[:12] + bytes([data[12] ^ 0xFF]) + data[13:]
    path.write_bytes({"cut short": data[:-9], "no gzip": b"one\ntwo\n", "a wrong byte": wrong_byte}[damage])
    with pytest.raises(LearnerError, match="a.en.gz cannot be read"):
        read_pairs(tmp_path / "a.de.gz", path, 2)


@pytest.fixture
def small_multi30k(monkeypatch, tmp_path):
    """Multi30k in miniature, with its true hashes, in tmp_path."""
    files = []
    for n, split in enumerate(LINES, start=2):
        monkeypatch.setitem(LINES, split, n)
        for language in ("de", "en"):
            path = tmp_path / "multi30k" / f"{split}.{language}.gz"
            write(path, [f"{split} {language} {i} " for i in range(n)])
            data = path.read_bytes()
            files.append(
                download.File(f"multi30k/{path.name}", len(data), hashlib.sha256(data).hexdigest(), ())
            )
    monkeypatch.setitem(download.FILES, "multi30k", files)
    return tmp_path


def test_splits(small_multi30k):
    pairs = load_pairs(data_dir=small_multi30k)
    assert pairs.name == "multi30k" and str(small_multi30k) in pairs.source
    assert pairs.train == [("train de 0", "train en 0"), ("train de 1", "train en 1")]
    assert [len(split) for split in (pairs.train, pairs.val, pairs.test)] == [2, 3, 4]
    assert pairs.test[-1] == ("test_2016_flickr de 3", "test_2016_flickr en 3")


def test_a_damaged_file(small_multi30k):
    write(small_multi30k / "multi30k" / "val.en.gz", ["not", "what", "it was"])
    with pytest.raises(LearnerError, match="val.en.gz is damaged"):
        load_pairs(data_dir=small_multi30k)


def test_a_file_that_cannot_be_had(small_multi30k):
    (small_multi30k / "multi30k" / "val.en.gz").unlink()  # the miniature has no addresses to fetch it from
    with pytest.raises(LearnerError, match="python -m shared.data.download multi30k"):
        load_pairs(data_dir=small_multi30k)


def test_an_unknown_name():
    with pytest.raises(LearnerError, match="did you mean multi30k"):
        load_pairs("multi30")


def test_the_real_pairs():
    if not all(path.exists() for path in download.paths("multi30k")):
        pytest.skip("Multi30k is not on disk")
    pairs = load_pairs()
    assert [len(split) for split in (pairs.train, pairs.val, pairs.test)] == [29_000, 1_014, 1_000]
    assert pairs.train[0][1] == "Two young, White males are outside near many bushes."
    assert all(de and en for de, en in pairs.train)
