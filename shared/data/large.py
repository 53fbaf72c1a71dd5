"""Texts too large for memory: read in pieces, cut into tokens once, and kept as ids in a file beside the text."""

import codecs
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from shared.console import LearnerError, say
from shared.files import relative, write_atomically

PIECE = 1_000_000  # bytes that are read at once
LONGEST = 10 * PIECE  # characters without a place to cut: then anywhere


class TextFile(NamedTuple):
    """Part of a UTF-8 file: its bytes from start to stop."""

    path: Path
    start: int
    stop: int

    def pieces(self) -> Iterator[str]:
        r"""The text, about PIECE characters at a time; line ends as "\n", no byte order mark.

        Cut only where every tokenizer of the course would cut in any case (see `border`), so that the ids of the pieces
        are those of the whole. Raises LearnerError where it is not UTF-8.
        """
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)
        rest = ""
        with open(self.path, "rb") as file:
            file.seek(self.start)
            while (left := self.stop - file.tell()) > 0:
                try:
                    rest += decoder.decode(file.read(min(PIECE, left)), final=left <= PIECE)
                except UnicodeDecodeError:
                    about = f"somewhere before byte {file.tell():,}"
                    raise LearnerError(f"{self.path} is not UTF-8 text ({about}); save it as UTF-8 first") from None
                cut = border(rest) or (len(rest) if len(rest) > LONGEST else 0)
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
        if rest:
            yield rest

    def beginning(self, characters: int) -> str:
        """Its first pieces, until there are so many characters."""
        text = ""
        for piece in self.pieces():
            text += piece
            if len(text) >= characters:
                break
        return text

    def characters(self) -> set[str]:
        """All different characters."""
        found: set[str] = set()
        for piece in self.pieces():
            found.update(piece)
        return found


def border(text: str) -> int:
    """Where a text may be cut so that its tokens stay: before the last line end (else space) behind anything but white
    space. 0 where there is none. (At a space the word tokenizer needs a token more, to say that there is one.)"""
    for mark in "\n ":
        end = len(text)
        while (end := text.rfind(mark, 1, end)) > 0:
            if not text[end - 1].isspace():
                return end
    return 0


def ids_on_disk(text: TextFile, tokenizer) -> np.memmap:
    """The token ids of a text, (N,) uint16 or uint32, mapped from a file beside it, which is written if need be.

    The file's name has tokenizer, vocabulary size and a digest of both the text and the tokenizer, so a file of another
    text or tokenizer is never read; and it gets this name when it is complete, not before. Raises LearnerError for a
    character that the tokenizer does not know, and where the folder is read-only.
    """
    name = f"{text.path.name}.{tokenizer.name}-{tokenizer.vocab_size}-{digest(text, tokenizer)}.npy"
    path = text.path.with_name(name)
    if not path.exists():
        say(f"writes     the token ids of {relative(text.path)}, once, to {path.name}")
        try:
            write_atomically(path, lambda temporary: write_ids(temporary, text, tokenizer))
        except PermissionError:
            line = f"{text.path.parent} is read-only, and the token ids of a large text are kept beside it"
            line += ": copy the text to a folder of your own (--data-dir for a corpus of the course)"
            raise LearnerError(line) from None
    return np.load(path, mmap_mode="r")


def digest(text: TextFile, tokenizer) -> str:
    """Sixteen hexadecimal digits that follow from the bytes of the text and from the tokenizer."""
    found = hashlib.sha256(json.dumps(tokenizer.to_dict(), sort_keys=True).encode())
    with open(text.path, "rb") as file:
        file.seek(text.start)
        while (left := text.stop - file.tell()) > 0:
            found.update(file.read(min(PIECE, left)))
    return found.hexdigest()[:16]


def write_ids(path: Path, text: TextFile, tokenizer) -> None:
    """Write the token ids of a text as a .npy file, piece by piece, and say how far it is."""
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (0,)}
    count, read, said, size = 0, 0, 0, text.stop - text.start
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in text.pieces():
            ids = np.array(tokenizer.encode(piece), dtype=dtype)
            file.write(ids.tobytes())
            count, read = count + len(ids), read + len(piece.encode())
            if 10 * read // size > said:
                said = 10 * read // size
                say(f"           {said}0 %")
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, header | {"shape": (count,)})  # padded, so of the same length
