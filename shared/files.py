"""Writing files so that nothing is ever lost: under a new name, or all at once. (Without torch, which loads slowly.)"""

import json
import math
import os
import time
from pathlib import Path


def free_name(path: Path) -> Path:
    """The path itself, or with -2, -3 ... behind it: one that does not exist yet."""
    candidate, number = path, 2
    while candidate.exists():
        candidate, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return candidate


def new_file(path: Path, text: str) -> Path:
    """Write a text to a new file, under another name where that one is taken; returns the name."""
    path = free_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_atomically(path: Path, write) -> None:
    """Call write(temporary path), then rename: whatever happens, `path` holds the old content or the new, whole."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:  # on disk before it gets its name
            os.fsync(file.fileno())
    except BaseException:  # a full disk should not be kept full by half a file
        temporary.unlink(missing_ok=True)
        raise
    for attempt in range(5):
        try:
            os.replace(temporary, path)
            return
        except PermissionError:  # Windows, while a virus scanner or another process still reads the old file
            if attempt == 4:
                raise
            time.sleep(0.1)


def finite(value):
    """The value as strict JSON has it: infinities and NaN become null, inside lists and dicts too."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value) -> None:
    """Write an object as readable JSON, atomically."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def relative(path: Path) -> str:
    """The path as one would type it from here, where that is shorter."""
    try:
        return os.path.relpath(path) if len(os.path.relpath(path)) < len(str(path)) else str(path)
    except ValueError:  # another drive on Windows
        return str(path)
