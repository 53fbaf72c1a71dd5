"""Texts larger than memory: ids on disk are those in memory, all of them or none, and never those of another text."""

import os
from argparse import Namespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.console import LearnerError
from shared.data import corpora, large, load_corpus
from shared.data.batching import ContiguousStreams, RandomWindows
from shared.data.large import TextFile, ids_on_disk
from shared.data.tokens import load_tokens
from shared.tokenizers import CharTokenizer, tokenizer_from_dict, train_tokenizer

STORY = "One day a little girl called Zoë found a box. It wasn't big, but it was red!\n\nShe said: 'Look, 1 box.'\n"
STORIES = "".join(STORY.replace("box", word) + "<|endoftext|>\n" for word in ("box", "ball", "cat", "drum")) * 12
LETTERS = "abΣé語😀1'’.,_ \n\t\r\u00a0"
KINDS = ("char", "word", "bpe", "unigram")
same_folder = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tokenizers() -> dict:
    return {kind: train_tokenizer(kind, STORIES, vocab_size=300, also=LETTERS) for kind in KINDS}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(large, "PIECE", 200)  # longer than a line


def written(folder, text: str, newline: str = "\n", name: str = "text.txt") -> TextFile:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline=newline)
    return TextFile(path, 0, path.stat().st_size)


def ids_files(folder) -> list:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".txt")


# Pieces


@same_folder
@given(st.text(LETTERS, max_size=400), st.integers(1, 80), st.sampled_from(["", "\ufeff"]))
def test_pieces_have_the_tokens_of_the_whole(tmp_path, monkeypatch, tokenizers, text, size, mark):
    monkeypatch.setattr(large, "PIECE", size)
    file = written(tmp_path, mark + text, newline="")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pieces = list(file.pieces())
    assert "".join(pieces) == text and all(pieces)
    for kind in ("char", "bpe", "unigram"):
        assert [i for piece in pieces for i in tokenizers[kind].encode(piece)] == tokenizers[kind].encode(text), kind
    if all(piece[0] == "\n" for piece in pieces[1:]):  # at a space, words need one token more
        assert [i for piece in pieces for i in tokenizers["word"].encode(piece)] == tokenizers["word"].encode(text)


def test_pieces_are_small_and_end_with_lines_where_they_can(tmp_path):
    pieces = list(written(tmp_path, STORIES).pieces())
    assert len(pieces) > 20 and max(map(len, pieces)) < 200 + len(STORY)
    assert all(piece[0] == "\n" for piece in pieces[1:])
    assert list(written(tmp_path, "no line ends here " * 20).pieces())[1].startswith(" ")


def test_what_has_no_place_to_cut_is_cut_anywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "LONGEST", 200)
    text = "acgt" * 500
    pieces = list(written(tmp_path, text).pieces())
    assert "".join(pieces) == text and 1 < len(pieces) and max(map(len, pieces)) <= 400


def test_part_of_a_file(tmp_path):
    path = written(tmp_path, "0123456789" * 30).path
    assert "".join(TextFile(path, 15, 217).pieces()) == ("0123456789" * 30)[15:217]
    assert TextFile(path, 0, 300).characters() == set("0123456789")
    assert len(TextFile(path, 0, 3).beginning(100)) == 3
    text = written(tmp_path, STORIES)
    assert STORIES.startswith(text.beginning(100)) and 100 <= len(text.beginning(100)) < 400


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3("])
def test_a_file_that_is_not_utf8_is_one_line(tmp_path, bad):
    path = tmp_path / "text.txt"
    path.write_bytes(STORIES.encode() + bad + STORIES.encode())
    with pytest.raises(LearnerError, match="is not UTF-8") as error:
        list(TextFile(path, 0, path.stat().st_size).pieces())
    assert "\n" not in str(error.value) and str(path) in str(error.value)


# Ids on disk


@pytest.mark.parametrize("kind", KINDS)
def test_ids_on_disk_are_those_in_memory(tmp_path, tokenizers, kind):
    ids = ids_on_disk(written(tmp_path, STORIES), tokenizers[kind])
    assert ids.dtype == np.uint16 and ids.tolist() == tokenizers[kind].encode(STORIES)
    [name] = ids_files(tmp_path)
    assert name.startswith(f"text.txt.{kind}-{tokenizers[kind].vocab_size}-") and name.endswith(".npy")


def test_ids_stay_on_disk(tmp_path, tokenizers):
    """The array is a map of the file, and what a loader holds is a view of it, not a copy."""
    ids = ids_on_disk(written(tmp_path, STORIES), tokenizers["bpe"])
    assert isinstance(ids, np.memmap) and not ids.flags.writeable
    whole = torch.tensor(tokenizers["bpe"].encode(STORIES))
    for loader in (RandomWindows(ids, 4, 16, seed=3), ContiguousStreams(ids, 4, 16, seed=3)):
        assert loader.tokens.base is ids and np.shares_memory(loader.tokens, ids)
        other = type(loader)(whole, 4, 16, seed=3)
        for _ in range(5):
            batch, expected = next(loader), next(other)
            assert batch.inputs.dtype == torch.int64
            assert torch.equal(batch.inputs, expected.inputs) and torch.equal(batch.targets, expected.targets)


def test_a_vocabulary_above_two_bytes(tmp_path):
    class Numbers:
        name, vocab_size = "char", 70_000

        def encode(self, text):
            return [69_999 - (c == "a") for c in text]

        def to_dict(self):
            return {}

    ids = ids_on_disk(written(tmp_path, "abcab"), Numbers())
    assert ids.dtype == np.uint32 and ids.tolist() == [69_998, 69_999, 69_999, 69_998, 69_999]


class Interrupted:
    """A tokenizer that is stopped at its third piece."""

    name, vocab_size, pieces = "char", 300, 0

    def __init__(self, tokenizer, error):
        self.tokenizer, self.error = tokenizer, error

    def to_dict(self):
        return self.tokenizer.to_dict()

    def encode(self, text):
        self.pieces += 1
        if self.pieces == 3:
            raise self.error
        return self.tokenizer.encode(text)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), MemoryError()])
def test_an_interrupted_writing_leaves_nothing(tmp_path, tokenizers, error):
    text, tokenizer = written(tmp_path, STORIES), tokenizers["char"]
    with pytest.raises(type(error)):
        ids_on_disk(text, Interrupted(tokenizer, error))
    assert ids_files(tmp_path) == []
    assert ids_on_disk(text, tokenizer).tolist() == tokenizer.encode(STORIES)


def test_what_a_killed_process_left_is_not_read(tmp_path, tokenizers):
    text, tokenizer = written(tmp_path, STORIES), tokenizers["char"]
    ids_on_disk(text, tokenizer)
    [name] = ids_files(tmp_path)
    os.rename(tmp_path / name, tmp_path / f"{name}.tmp")
    (tmp_path / f"{name}.tmp").write_bytes((tmp_path / f"{name}.tmp").read_bytes()[:-100])
    assert ids_on_disk(text, tokenizer).tolist() == tokenizer.encode(STORIES)
    assert ids_files(tmp_path) == [name]


def test_written_once_and_anew_for_another_text_or_tokenizer(tmp_path, tokenizers, capsys):
    text, tokenizer = written(tmp_path, STORIES), tokenizers["char"]
    ids_on_disk(text, tokenizer)
    assert "once, to text.txt.char" in capsys.readouterr().out
    ids_on_disk(text, tokenizer_from_dict(tokenizer.to_dict()))
    assert capsys.readouterr().out == "" and len(ids_files(tmp_path)) == 1
    about = text.path.stat()
    other = STORIES.replace("girl", "lady")  # of the same length, at the same time
    written(tmp_path, other)
    os.utime(text.path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert text.path.stat().st_size == about.st_size
    assert ids_on_disk(text, tokenizer).tolist() == tokenizer.encode(other)
    same_size = CharTokenizer(tokenizer.characters[::-1])
    assert ids_on_disk(text, same_size).tolist() == same_size.encode(other)
    assert len(ids_files(tmp_path)) == 3


def test_a_read_only_folder_is_one_line(tmp_path, tokenizers, monkeypatch):
    def refuse(path, write):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(large, "write_atomically", refuse)
    with pytest.raises(LearnerError, match="read-only") as error:
        ids_on_disk(written(tmp_path, STORIES), tokenizers["char"])
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


# Corpora


def flags(**more) -> Namespace:
    settings = {"data_dir": None, "tokenizer": "bpe", "vocab_size": 280, "dataset_given": True}
    return Namespace(**settings | more)


@pytest.fixture
def tinystories(tmp_path):
    (tmp_path / "tinystories").mkdir()
    written(tmp_path / "tinystories", STORIES + "Ω is rare.\n", name="train.txt")
    written(tmp_path / "tinystories", STORY + "<|endoftext|>\n", name="validation.txt")
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_tinystories_by_flags_alone(tinystories, monkeypatch, kind):
    monkeypatch.setattr(corpora, "BEGINNING", 300)
    tokens = load_tokens(flags(dataset="tinystories", data_dir=tinystories, tokenizer=kind))
    assert isinstance(tokens.train, np.memmap)
    assert tokens.train.tolist() == tokens.tokenizer.encode(STORIES + "Ω is rare.\n")
    assert tokens.val.tolist() == tokens.tokenizer.encode(tokens.corpus.val)
    assert 300 <= len(tokens.corpus.train) < 600 and STORIES.startswith(tokens.corpus.train)
    again = load_tokens(flags(dataset="tinystories", data_dir=tinystories), tokens.tokenizer)  # as --resume does it
    assert again.train.filename == tokens.train.filename


def test_lesson_01_has_the_beginning_in_memory(tinystories, monkeypatch):
    monkeypatch.setattr(corpora, "BEGINNING", 300)
    tokens = load_tokens(flags(dataset="tinystories", data_dir=tinystories), on_disk=False)
    assert torch.equal(tokens.train, torch.tensor(tokens.tokenizer.encode(tokens.corpus.train)))
    assert ids_files(tinystories / "tinystories") == []


@same_folder
@given(st.text(LETTERS, min_size=30, max_size=300), st.integers(1, 200))
def test_a_large_text_of_your_own_is_split_without_loss(tmp_path, monkeypatch, text, largest):
    monkeypatch.setattr(corpora, "LARGE", 20)
    monkeypatch.setattr(corpora, "LARGEST_VALIDATION", largest)
    path = written(tmp_path, text, newline="").path
    corpus, size = load_corpus(path), path.stat().st_size
    train = "".join(corpus.train_file.pieces())
    assert train + corpus.val == text.replace("\r\n", "\n").replace("\r", "\n") and train.startswith(corpus.train)
    wanted = min(size // 10, largest)
    assert wanted - 8 <= size - corpus.train_file.stop <= wanted
    assert corpus.name == "text" and str(path) in corpus.source


def test_a_small_text_of_your_own_stays_in_memory(tmp_path):
    path = written(tmp_path, STORIES).path
    tokens = load_tokens(flags(dataset=path, tokenizer="char"))
    assert tokens.corpus.train_file is None and isinstance(tokens.train, torch.Tensor)
    assert ids_files(tmp_path) == []
