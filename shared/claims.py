"""The claims of the course as tables: docs/claims.toml says them, and names the numbers, which results/*.json give.

    [[lesson-04]]
    claim = "A lost state ruins a network that trained well."
    measured = "{carried | validation loss} nats, dropped {dropped before every token | validation loss}"
    result = "04/stateless"                 # model-04-gru/results/stateless.json, which names its script
    section = "The state must be carried"   # of the lesson's README, or of another `document` of the lesson
    figure = "stateless.png"                # beside the result file; where it is not called as that

A number in braces: the first cells of its row with & between them (of the others, later ones may be left out), then |
and its column; of several columns of one name `dropped #2` is the second. Without | it is a key of the file, with dots
between a key and one inside. `{01/orders: 2 | kneser-ney}` is of another result file, `{prices.8 as .2f}` in a format
of its own; else a number stands as in its table.
"""

import json
import os
import re
import tomllib
from pathlib import Path

from shared.console import LearnerError
from shared.files import relative
from shared.lessons import find_lesson
from shared.results import text

NUMBER = re.compile(r"\{(?:(\d\d/\w+): )?([^{}]+?)(?: as ([^{}]+))?\}")


def claims_table(path: Path, section: str) -> str:
    """A section of a list of claims as a Markdown table, with links from the folder of that list.

    LearnerError where a number or a section is not there.
    """
    lists = tomllib.loads(path.read_text(encoding="utf-8"))
    if section not in lists:
        raise LearnerError(f"{relative(path)} has no claims called {section!r}")
    lines = ["| claim | measured | told in | script | figure |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*lines, *(row(claim, path.parent) for claim in lists[section]), ""])


def row(claim: dict, home: Path) -> str:
    """A claim as a row of the table."""
    result = result_file(claim["result"])
    lesson, script = result.parents[1], json.loads(result.read_text(encoding="utf-8"))["script"]
    told = lesson / claim.get("document", "README.md")
    figure = result.parent / claim.get("figure", f"{result.stem}.png")

    def link(name: str, target: Path, anchor: str = "") -> str:
        return f"[{name}]({Path(os.path.relpath(target, home)).as_posix()}{anchor})"

    def measured(found: re.Match) -> str:
        value = number(result_file(found[1]) if found[1] else result, found[2])
        return format(value, found[3]) if found[3] else text(value)

    cells = [claim["claim"], NUMBER.sub(measured, claim["measured"])]
    cells += [link(claim["section"], told, "#" + slug(claim["section"])), link(f"`{script}`", lesson / script)]
    return "| " + " | ".join([*cells, link("figure", figure) if "figure" in claim or figure.exists() else "-"]) + " |"


def result_file(name: str) -> Path:
    """04/stateless -> model-04-gru/results/stateless.json. LearnerError where it is not there."""
    lesson, name = name.split("/")
    path = find_lesson(lesson) / "results" / f"{name}.json"
    if not path.exists():
        raise LearnerError(f"a claim rests on {relative(path)}, which is not there: run its experiment first")
    return path


def number(path: Path, address: str):
    """The value at an address (see above) of a result file. LearnerError where there is none, or more than one."""
    result = json.loads(path.read_text(encoding="utf-8"))
    try:
        if " | " not in address:
            for key in address.split("."):
                result = result[int(key) if isinstance(result, list) else key]
            return result
        cells, _, column = address.partition(" | ")
        name, _, which = column.partition(" #")
        rows, wanted = result["rows"], cells.split(" & ")
        found = [row for row in rows if [text(cell) for cell in row[: len(wanted)]] == wanted]
        found = found or [row for row in rows if has(row, wanted)]
        places = [place for place, column in enumerate(result["columns"]) if column == name]
        if len(found) == 1 and (which or len(places) == 1):
            return found[0][places[int(which or 1) - 1]]
    except (KeyError, IndexError):
        pass
    raise LearnerError(f"{relative(path)} has no number, or several, at {address!r}")


def has(row: list, cells: list[str]) -> bool:
    """Whether a row begins with the first of these cells, and has the others in this order."""
    shown = iter(map(text, row))
    return text(row[0]) == cells[0] and all(cell in shown for cell in cells)


def slug(heading: str) -> str:
    """What GitHub makes of a heading, for links to it: 'Speed, and the trap' -> speed-and-the-trap."""
    shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
