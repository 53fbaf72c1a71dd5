"""Fetch the corpora of the course, each file checked by its SHA-256.

    python shared/data/download.py                     everything but TinyStories
    python shared/data/download.py names multi30k      these two
    python shared/data/download.py tinystories --data-dir D:/corpora

A file is received under NAME.part and gets its name only when it is whole and its hash is right, so what lies under a
known name can be trusted. A broken download goes on where it stopped if the server can do that, and starts again if
not.
"""

import argparse
import difflib
import hashlib
import http.client
import os
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 64 * 1024  # bytes


@dataclass(frozen=True)
class File:
    """One file of a corpus: its path in the data folder, size in bytes, SHA-256, and where it can be had."""

    path: str
    size: int
    sha256: str
    urls: tuple[str, ...]


def _github(repository: str, path: str) -> tuple[str, str]:
    """A file on GitHub, and the same file on a public mirror of GitHub."""
    return (
        f"https://raw.githubusercontent.com/{repository}/master/{path}",
        f"https://cdn.jsdelivr.net/gh/{repository}@master/{path}",
    )


def _multi30k(name: str, size: int, sha256: str) -> File:
    return File(f"multi30k/{name}", size, sha256, _github("multi30k/dataset", f"data/task1/raw/{name}"))


FILES = {
    "shakespeare": [
        File(
            "tinyshakespeare.txt",
            1_115_394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            (
                *_github("karpathy/char-rnn", "data/tinyshakespeare/input.txt"),
                "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
            ),
        )
    ],
    "names": [
        File(
            "names.txt",
            228_145,
            "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
            _github("karpathy/makemore", "names.txt"),
        )
    ],
    "multi30k": [
        _multi30k("train.de.gz", 637_044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
        _multi30k("train.en.gz", 568_929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
        _multi30k("val.de.gz", 24_681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
        _multi30k("val.en.gz", 21_650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
        _multi30k("test_2016_flickr.de.gz", 22_890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
        _multi30k("test_2016_flickr.en.gz", 21_077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
    ],
}


@dataclass(frozen=True)
class HubCorpus:
    """A corpus kept as parquet files on the Hugging Face hub; here it becomes one plain text file for each split.

    A row is written as `row or blank`, followed by `end`.
    """

    repository: str
    revision: str  # pinned, so that everyone has the same text
    config: str | None  # the hub's name for one of several variants
    folder: str  # of its parquet files inside the repository
    splits: tuple[str, ...]
    blank: str
    end: str


HUB = {
    # A row is one line with its newline; the hub has emptied the blank lines (" \n"), and we put them back.
    "wikitext-2": HubCorpus(
        "Salesforce/wikitext",
        "b08601e04326c79dfdd32d625aee71d232d685c3",
        "wikitext-2-raw-v1",
        "wikitext-2-raw-v1",
        ("train", "validation", "test"),
        blank=" \n",
        end="",
    ),
    # A row is one story. The mark is the one of the authors' own text files.
    "tinystories": HubCorpus(
        "roneneldan/TinyStories",
        "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64",
        None,
        "data",
        ("train", "validation"),
        blank="",
        end="\n<|endoftext|>\n",
    ),
}

NAMES = [*FILES, *HUB]
BY_DEFAULT = [name for name in NAMES if name != "tinystories"]


class DownloadError(Exception):
    """A corpus could not be had; the message says why, in one line."""


class SourceFailed(Exception):
    """One address did not deliver; another may."""


class Unreachable(SourceFailed):
    """The server did not even answer."""


# --- where things are ---------------------------------------------------------------------------------------------


def default_data_dir() -> Path:
    """The folder of downloaded corpora: LM_DATA_DIR where it is set, else shared/data/corpora."""
    folder = os.environ.get("LM_DATA_DIR")
    return Path(folder).expanduser() if folder else Path(__file__).resolve().parent / "corpora"


def paths(name: str, data_dir: str | Path | None = None) -> list[Path]:
    """The files of corpus `name`, whether they exist or not."""
    folder = Path(data_dir).expanduser() if data_dir else default_data_dir()
    if name in FILES:
        return [folder / file.path for file in FILES[name]]
    return [folder / name / f"{split}.txt" for split in HUB[name].splits]


def damaged(name: str, data_dir: str | Path | None = None) -> list[Path]:
    """Those files of corpus `name` that are on disk but are not what they should be (wrong SHA-256)."""
    if name not in FILES:
        return []  # what comes from the hub has no known hash
    both = zip(paths(name, data_dir), FILES[name], strict=True)
    return [path for path, file in both if path.exists() and _sha256(path) != file.sha256]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- one file over HTTP -------------------------------------------------------------------------------------------


def _progress(label: str, done: int, total: int | None = None) -> None:
    """One live line on a terminal; elsewhere only the lines of the final report are printed."""
    if sys.stderr.isatty():
        of = f" of {total / 1e6:.1f}" if total else ""
        print(f"\r{label}: {done / 1e6:.1f}{of} MB ", end="", file=sys.stderr, flush=True)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print("\r" + " " * 70 + "\r", end="", file=sys.stderr, flush=True)


def _open(request: urllib.request.Request, timeout: float) -> http.client.HTTPResponse:
    """`urlopen` that answers or fails within `timeout` seconds in all. 416 (no such range) counts as an answer.

    The time-out of a socket does not cover looking up the name, which can hang for half a minute; a thread that we
    stop waiting for does.
    """
    outcome = []

    def connect():
        try:
            outcome.append(urllib.request.urlopen(request, timeout=timeout))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise Unreachable(f"no answer within {timeout:g} seconds")
    if isinstance(outcome[0], urllib.error.HTTPError):
        if outcome[0].status == 416:
            return outcome[0]
        raise SourceFailed(f"answered {outcome[0].status} {outcome[0].reason}") from outcome[0]
    if isinstance(outcome[0], Exception):
        reason = getattr(outcome[0], "reason", outcome[0])
        text = getattr(reason, "strerror", None) or reason
        hint = ""
        if isinstance(reason, ssl.SSLCertVerificationError) and sys.platform == "darwin":
            hint = " (run 'Install Certificates.command' in the folder of your Python)"
        raise Unreachable(f"cannot connect: {text}{hint}") from outcome[0]
    return outcome[0]


def _receive(url: str, part: Path, size: int, timeout: float, label: str) -> None:
    """Read `url` into `part`, going on behind what `part` holds if the server can do that.

    Raises SourceFailed when it breaks off; what came stays in `part` for the next try. OSError if `part` cannot be
    written.
    """
    have = _size(part)
    if have == size:
        return
    if have > size:
        part.unlink()
        have = 0
    _progress(label, have, size)
    headers = {"User-Agent": "language-models-from-scratch"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _open(urllib.request.Request(url, headers=headers), timeout) as response:
        goes_on = response.status == 206
        as_asked = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status == 416 or (goes_on and not as_asked):
            part.unlink(missing_ok=True)
            raise SourceFailed("does not send the rest of the file")
        have = have if goes_on else 0
        length = response.headers.get("Content-Length")
        owed = int(length) if length else None  # bytes that this answer still has to bring
        with open(part, "ab" if goes_on else "wb") as file:
            while owed != 0 and have <= size:  # what sends more than the file is not the file
                try:
                    chunk = response.read1(CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise SourceFailed(f"fell silent after {have:,} of {size:,} bytes ({error})") from error
                if not chunk:
                    break
                file.write(chunk)
                have += len(chunk)
                owed = owed - len(chunk) if owed else None
                _progress(label, have, size)
    if have < size and owed != 0:
        raise SourceFailed(f"broke off after {have:,} of {size:,} bytes")


def _fetch_file(file: File, path: Path, timeout: float, unreachable: set[str]) -> None:
    """Get one file from the first of its addresses that delivers. `unreachable`: hosts that did not answer before."""
    part = path.with_name(path.name + ".part")
    urls = [url for url in file.urls if urlsplit(url).netloc not in unreachable]
    why: dict[str, str] = {}  # host -> what went wrong there last
    for _ in range(2):  # once more: the rest from those that broke off, and from the start after a wrong hash
        for url in list(urls):
            host, before = urlsplit(url).netloc, _size(part)
            try:
                _receive(url, part, file.size, timeout, file.path)
            except SourceFailed as error:
                why[host] = str(error)
                if isinstance(error, Unreachable):
                    unreachable.add(host)
                if _size(part) == before:  # it brought nothing
                    urls.remove(url)
                continue
            if _sha256(part) == file.sha256:
                os.replace(part, path)
                return
            part.unlink()
            why[host] = "sent something else (wrong SHA-256)"
    raise DownloadError(_report(why) if why else "its servers do not answer")


def _report(why: dict[str, str]) -> str:
    """Hosts with the same trouble stand together."""
    reasons = dict.fromkeys(why.values())
    return "; ".join(f"{', '.join(host for host in why if why[host] == reason)}: {reason}" for reason in reasons)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# --- one corpus from the hub --------------------------------------------------------------------------------------


def _rows(corpus: HubCorpus, split: str, source: str | Path | None) -> Iterator[list[str]]:
    """The rows of one split, in lists of up to 1,000. `source`: a folder laid out like the repository, or None."""
    try:
        from datasets import load_dataset  # takes seconds to import

        if source is None:
            rows = load_dataset(
                corpus.repository, corpus.config, split=split, revision=corpus.revision, streaming=True
            )
        else:
            files = sorted(str(file) for file in (Path(source) / corpus.folder).glob(f"{split}-*.parquet"))
            if not files:
                raise FileNotFoundError(f"no {split}-*.parquet in {Path(source) / corpus.folder}")
            rows = load_dataset("parquet", data_files={split: files}, split=split, streaming=True)
        for batch in rows.iter(batch_size=1000):
            yield batch["text"]
    except Exception as error:  # `datasets` has many kinds
        raise DownloadError(f"{split}: {str(error).splitlines()[0] if str(error) else repr(error)}") from error


def _fetch_split(corpus: HubCorpus, split: str, path: Path, source: str | Path | None) -> None:
    """Write one split as plain text."""
    part = path.with_name(path.name + ".part")
    written = 0
    with open(part, "w", encoding="utf-8", newline="\n") as file:
        for rows in _rows(corpus, split, source):
            written += file.write("".join((row or corpus.blank) + corpus.end for row in rows))
            _progress(f"{path.parent.name}/{path.name}", written)
    if written == 0:
        raise DownloadError(f"{split}: it came without a single row")
    os.replace(part, path)


# --- a whole corpus -----------------------------------------------------------------------------------------------


def fetch(
    name: str,
    data_dir: str | Path | None = None,
    *,
    timeout: float = 20.0,
    source: str | Path | None = None,
    unreachable: set[str] | None = None,
) -> list[Path]:
    """Make sure that corpus `name` is on disk, whole and right, and return its files.

    name: one of NAMES. data_dir: default LM_DATA_DIR, else shared/data/corpora. timeout: seconds in which a server
    must answer, and seconds of silence after which it is given up. source: a local folder of parquet files laid out
    like the hub's repository, for the corpora that come from there. unreachable: hosts that did not answer; they are
    not asked again, and new ones are added (for several calls in a row).

    A file that is already there and right is not fetched again; one with a wrong SHA-256 is replaced. Raises
    DownloadError.
    """
    unreachable = set() if unreachable is None else unreachable
    found = paths(name, data_dir)
    bad = damaged(name, data_dir)
    wanted = [path for path in found if not path.exists() or path in bad]
    if not wanted:
        return found
    try:
        for path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(path.parent, os.W_OK):
                raise DownloadError(f"the folder {path.parent} is read-only")
        if name in FILES:
            for file, path in zip(FILES[name], found, strict=True):
                if path in wanted:
                    _fetch_file(file, path, timeout, unreachable)
        else:
            if source is None:
                _ask_hub(timeout)
            for path in wanted:
                _fetch_split(HUB[name], path.stem, path, source)
    except OSError as error:
        raise DownloadError(f"cannot write into {wanted[0].parent}: {error.strerror or error}") from error
    finally:
        _clear_progress()
    return found


def _ask_hub(timeout: float) -> None:
    """Fail soon where the hub cannot be reached; `datasets` alone tries for half a minute."""
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        _open(urllib.request.Request(hub, method="HEAD"), timeout).close()
    except SourceFailed as error:
        raise DownloadError(f"{urlsplit(hub).netloc}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Returns 0 if everything asked for is there, 1 if something is missing, 2 for wrong arguments, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(description="Download the corpora of the course.")
    parser.add_argument("names", nargs="*", help=f"{', '.join(NAMES)}; none: all but tinystories (about 2 GB)")
    parser.add_argument("--data-dir", help="where they go (default: LM_DATA_DIR, else shared/data/corpora)")
    parser.add_argument("--source", help="for wikitext-2 and tinystories: a folder of parquet files, not the hub")
    args = parser.parse_args(argv)
    for name in args.names:
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, n=1)
            hint = f" did you mean {close[0]}?" if close else ""
            print(f"error: nothing here is called {name!r}.{hint} (there are: {', '.join(NAMES)})", file=sys.stderr)
            return 2

    unreachable: set[str] = set()
    missing = []
    for name in dict.fromkeys(args.names or BY_DEFAULT):
        had = all(path.exists() for path in paths(name, args.data_dir)) and not damaged(name, args.data_dir)
        try:
            files = fetch(name, args.data_dir, source=args.source, unreachable=unreachable)
        except DownloadError as error:
            missing.append(name)
            print(f"{name:<12} MISSING     {error}")
            continue
        except KeyboardInterrupt:
            print(f"\n{name}: stopped. The same command goes on from here.", file=sys.stderr)
            return 130
        size = sum(path.stat().st_size for path in files) / 1e6
        where = files[0] if len(files) == 1 else files[0].parent
        print(f"{name:<12} {'was there' if had else 'downloaded'}  {size:.1f} MB in {where}")
    if missing:
        print(f"\nmissing: {', '.join(missing)}. To try again: python -m shared.data.download {' '.join(missing)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
