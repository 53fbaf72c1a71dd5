"""Sentence pairs for translation models: German to English, and a language of our own to English."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

from shared.console import LearnerError, nearest

from . import synchronous

NAMES = ["multi30k", "grammar"]
LINES = {"train": 29_000, "val": 1_014, "test_2016_flickr": 1_000}  # of Multi30k, task 1


@dataclass(frozen=True)
class Pairs:
    """Lists of (source sentence, target sentence); `source` is one line that says where they came from."""

    name: str
    train: list[tuple[str, str]]
    val: list[tuple[str, str]]
    test: list[tuple[str, str]]
    source: str


def load_pairs(name: str = "multi30k", data_dir: str | Path | None = None) -> Pairs:
    """One of NAMES: multi30k, German to English, 29,000 / 1,014 / 1,000 pairs; or grammar, built in, Velu to English,
    100,000 / 2,000 / 4,000 (synchronous.py).

    data_dir: the folder of downloaded corpora (default LM_DATA_DIR, else shared/data/corpora). What is not there is
    fetched. Raises LearnerError for an unknown name and for pairs that cannot be had or are damaged.
    """
    from . import download

    if name not in NAMES:
        raise LearnerError(f"there are no sentence pairs called {name!r}.{nearest(name, NAMES)}")
    if name == "grammar":
        return Pairs(name, **synchronous.splits(), source="Velu to English, drawn from the built-in grammar")
    get_it = f"python -m shared.data.download {name}"
    for path in download.damaged(name, data_dir):
        raise LearnerError(f"{path} is damaged (wrong SHA-256). Delete it and type: {get_it}")
    try:
        folder = download.fetch(name, data_dir, timeout=5.0)[0].parent
    except download.DownloadError as error:
        raise LearnerError(f"{name} is not here: {error}. Get it with: {get_it}") from error
    splits = [read_pairs(folder / f"{split}.de.gz", folder / f"{split}.en.gz", n) for split, n in LINES.items()]
    return Pairs(name, *splits, source=f"Multi30k, German to English, {folder}")


def read_pairs(source: Path, target: Path, lines: int) -> list[tuple[str, str]]:
    """Two gzipped UTF-8 files of `lines` lines each, side by side, without white space at the ends."""
    sides = []
    for path in (source, target):
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                sides.append([line.strip() for line in file])
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise LearnerError(f"{path} cannot be read ({error}); delete it and download it again") from error
        if len(sides[-1]) != lines:
            raise LearnerError(f"{path} has {len(sides[-1]):,} lines, not {lines:,}; delete it and download it again")
    return list(zip(*sides, strict=True))
