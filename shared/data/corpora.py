"""The corpora: `load_corpus(name_or_path)` gives the text of each split, and says where it came from."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from shared.console import LearnerError, nearest

from . import fables
from .large import TextFile

NAMES = ["fables", "shakespeare", "names", "wikitext-2", "tinystories"]

MIN_CHARACTERS = 20  # of a text of your own: less cannot be split; whether it fills a window is for the lesson to say
LARGE = 50_000_000  # bytes: from there on the training text stays on disk, as TinyStories' two billion always do
BEGINNING = 20_000_000  # characters: as much of such a text is read into memory, for the tokenizer to learn from
LARGEST_VALIDATION = 10_000_000  # bytes
PATIENCE = 2.5  # seconds in which a server must answer when a corpus is fetched on the way to training


@dataclass(frozen=True)
class Corpus:
    """A text in splits.

    source: one line that says where it came from. floor: for fables only, split -> the exact entropy of the drawn
    text in nats per character, below which no model can honestly come. points: for fables only, split -> list of
    RecallPoint. notice: one line for the learner where this is not the corpus that was meant, else None. train_file:
    where the training text is too large for memory, all of it; `train` is then its beginning.
    """

    name: str
    train: str
    val: str
    test: str | None
    source: str
    floor: dict[str, float] | None = None
    points: dict[str, list] = field(default_factory=dict)
    notice: str | None = None
    train_file: TextFile | None = None


def load_corpus(name_or_path: str | Path, data_dir: str | Path | None = None, fallback: bool = False) -> Corpus:
    """One of NAMES, or any UTF-8 text file (first 90 % train, the rest validation; of a large one at most 10 MB).

    data_dir: the folder of downloaded corpora (default LM_DATA_DIR, else shared/data/corpora). What is not there is
    fetched, with little patience. fallback: where it cannot be had, return fables instead, with a notice (for a corpus
    that was not asked for by name). Raises LearnerError for an unknown name, a file that cannot be used, a damaged
    download, and, without fallback, a corpus that cannot be had.
    """
    name = str(name_or_path)
    if name == "fables":
        return _fables()
    if name not in NAMES:
        return _own_text(name)
    why_not = _make_sure(name, data_dir)
    if why_not is None:
        return _read(name, data_dir)
    get_it = f"python -m shared.data.download {name}"
    if fallback:
        return _fables(notice=f"{name} is not here ({why_not}); going on with the built-in fables. To get it: {get_it}")
    raise LearnerError(f"{name} is not here: {why_not}. Get it with: {get_it} (or train on --dataset fables)")


def _make_sure(name: str, data_dir: str | Path | None) -> str | None:
    """Corpus on disk, fetched if need be: None, or the reason why it cannot be had."""
    from . import download  # here, so that `python -m shared.data.download` does not find itself imported already

    for path in download.damaged(name, data_dir):
        get_it = f"python -m shared.data.download {name}"
        raise LearnerError(f"{path} is damaged or was edited (wrong SHA-256). Delete it and type: {get_it}")
    if all(path.exists() for path in download.paths(name, data_dir)):
        return None
    if name == "tinystories":
        return "it is 1 GB to download and fetched only when asked for"
    try:
        download.fetch(name, data_dir, timeout=PATIENCE)
    except download.DownloadError as error:
        return str(error)
    return None


def _read(name: str, data_dir: str | Path | None) -> Corpus:
    from . import download

    files = download.paths(name, data_dir)
    if name == "shakespeare":
        text = read_text(files[0])
        n = int(0.9 * len(text))
        return Corpus(name, text[:n], text[n:], None, f"Tiny Shakespeare, {files[0]}")
    if name == "names":
        names = read_text(files[0]).splitlines()
        random.Random(42).shuffle(names)
        n1, n2 = int(0.8 * len(names)), int(0.9 * len(names))
        train, val, test = ("".join(f"{one}\n" for one in part) for part in (names[:n1], names[n1:n2], names[n2:]))
        return Corpus(name, train, val, test, f"makemore's names, shuffled with seed 42, {files[0]}")
    if name == "wikitext-2":
        train, val, test = map(read_text, files)
        return Corpus(name, train, val, test, f"WikiText-2 (raw), {files[0].parent}")
    return _from_disk(name, TextFile(files[0], 0, files[0].stat().st_size), read_text(files[1]),
                      f"TinyStories, {files[0].parent}")  # fmt: skip


def _fables(notice: str | None = None) -> Corpus:
    splits = fables.splits()
    return Corpus(
        "fables",
        splits["train"].text,
        splits["val"].text,
        splits["test"].text,
        "fables, drawn from the built-in grammar",
        floor={name: split.floor for name, split in splits.items()},
        points={name: split.points for name, split in splits.items()},
        notice=notice,
    )


def _own_text(name: str) -> Corpus:
    path = Path(name).expanduser()
    if name == "multi30k":
        raise LearnerError(f"multi30k is sentence pairs, for translation; take one of: {', '.join(NAMES)}")
    if not path.exists():
        if path.suffix or path.parent != Path("."):
            raise LearnerError(f"there is no file {path.absolute()}; give another path, or one of: {', '.join(NAMES)}")
        raise LearnerError(f"there is no corpus and no file called {name!r}.{nearest(name, NAMES)}")
    if path.is_file() and path.stat().st_size >= LARGE:
        return _large_text(path)
    text = read_text(path)
    if len(text) < MIN_CHARACTERS:
        what = f"holds only {len(text)} characters" if text else "is empty"
        raise LearnerError(f"{path} {what}; give a text of at least some thousand characters")
    n = int(0.9 * len(text))
    return Corpus(path.stem, text[:n], text[n:], None, f"your own text, {path.absolute()}")


def _large_text(path: Path) -> Corpus:
    """A text of your own that stays on disk; the last tenth is for validation, or LARGEST_VALIDATION of it."""
    size = path.stat().st_size
    cut = size - min(size // 10, LARGEST_VALIDATION)
    with open(path, "rb") as file:  # neither inside a character nor between the two halves of a line end
        file.seek(cut)
        some = file.read(8)
    cut += next((i for i, byte in enumerate(some) if byte != 0x0A and not 0x80 <= byte < 0xC0), len(some))
    val = "".join(TextFile(path, cut, size).pieces())
    return _from_disk(path.stem, TextFile(path, 0, cut), val, f"your own text, {path.absolute()}")


def _from_disk(name: str, train: TextFile, val: str, source: str) -> Corpus:
    source += " (large: its token ids stay on disk)"
    return Corpus(name, train.beginning(BEGINNING), val, None, source, train_file=train)


def read_text(path: Path) -> str:
    r"""A UTF-8 file as text: no byte order mark, line ends as "\n". Raises LearnerError where it cannot be read."""
    try:
        with open(path, encoding="utf-8-sig") as file:  # text mode reads every kind of line end as "\n"
            return file.read()
    except UnicodeDecodeError:
        raise LearnerError(f"{path} is not UTF-8 text ({_first_bad_byte(path)}); save it as UTF-8 first") from None
    except OSError as error:
        what = "is a folder, not a text file" if path.is_dir() else f"cannot be read ({error.strerror or error})"
        raise LearnerError(f"{path} {what}; give the path of a UTF-8 text file") from None


def _first_bad_byte(path: Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it begins like UTF-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte 0x{data[error.start]:02x} at offset {error.start:,}"
    return "it cannot be decoded"
