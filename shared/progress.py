"""progress.json, the learner's own: what was done (events), what was ticked, how many hints were read. Git ignores it.

LM_PROGRESS names another file. Nothing in it is ever lost, also when two programs write at once or one is killed.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import lessons
from shared.console import warn
from shared.files import free_name, write_json


def progress_file() -> Path:
    """Where the learner's ticks and events are kept."""
    return Path(os.environ.get("LM_PROGRESS") or lessons.ROOT / "progress.json")


def read_progress() -> dict[str, dict]:
    """{"events": {event: time}, "ticks": {id: time}, "hints": {exercise: shown}}; a damaged file is moved aside."""
    path, empty = progress_file(), {"events": {}, "ticks": {}, "hints": {}}
    if not path.exists():
        return empty
    try:
        progress = empty | json.loads(path.read_text(encoding="utf-8-sig"))
        if not all(isinstance(progress[name], dict) for name in empty):
            raise ValueError("not a file of progress")
        return progress
    except (ValueError, TypeError):
        aside = free_name(path.with_name("progress-damaged.json"))
        path.rename(aside)
        warn(f"{path} is damaged: it is now {aside.name}, and a new one begins")
        return empty


def change_progress(change: Callable[[dict], None]) -> None:
    """Read progress.json, change it, write it; nobody else writes meanwhile."""
    path = progress_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name("progress.json.lock")):
        progress = read_progress()
        change(progress)
        write_json(path, progress)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    for _ in range(200):  # after some 4 seconds the lock is that of a process which was killed
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            time.sleep(0.02)
        except PermissionError:  # Windows says this of a file just being deleted
            if os.name != "nt":
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def now() -> str:
    """The local time, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def record(event: str) -> None:
    """Note that the learner did something, for example "01 generate" (lesson, then what). Never stops a script."""
    try:
        if event not in read_progress()["events"]:
            change_progress(lambda progress: progress["events"].setdefault(event, now()))
    except OSError:
        pass  # a folder that cannot be written to: no evidence, and no harm
