"""Does the text that it writes close what it opens? Brackets and quotations, by depth and by distance.

    python experiments/presets.py ladder        first
    python experiments/closing.py               about 1 minute on one core

The network of the ladder writes a million characters of fables: 128 texts, the state carried, temperature 1. Each mark
that it opens is closed right, closed wrong (by the other bracket, or by a mark that belongs further out), or not before
the end of its line. Distance is from the opening mark to the one that closes it, or to where that was settled. Beside
it the corpus, where all are closed right: it shows the counting to be sound, and how much there was to learn from.
"""

import math
from typing import NamedTuple

from short_run import LESSON, load_run, write

from shared.console import run
from shared.results import Result
from shared.visualize import plot_bars

TEXTS, LENGTH, SEED = 128, 8_000, 1337
PAIRS = {"(": ")", "[": "]", '"': '"', "'": "'"}
KINDS = {mark: "bracket" for mark in "()[]"} | {'"': "quote", "'": "inner quote"}
EDGES = (0, 20, 40, 80, 160)  # characters; the last band has no end


class Mark(NamedTuple):
    """An opening mark, and what became of it."""

    kind: str
    depth: int  # 1: stands in no other
    distance: int  # characters until that was settled
    closed: bool


def marks(text: str) -> tuple[list[Mark], int]:
    """All opening marks of a text, as they are settled, and the number of closing brackets that close nothing.

    An apostrophe between letters is none. Every mark belongs to one line.
    """
    opened, found, strays = [], [], 0  # opened: (mark, place), the innermost last

    def settle(place: int, closed: bool) -> None:
        mark, start = opened.pop()
        found.append(Mark(KINDS[mark], len(opened) + 1, place - start, closed))

    for place, mark in enumerate(text):
        if mark == "\n":
            while opened:
                settle(place, False)
        if mark not in KINDS or (mark == "'" and text[place - 1 : place + 2].replace("'", "x").isalpha()):
            continue
        inside = [KINDS[other] for other, _ in opened]
        if mark in "([" or (mark in "\"'" and KINDS[mark] not in inside):
            opened.append((mark, place))
        elif KINDS[mark] not in inside:
            strays += 1
        else:
            while KINDS[opened[-1][0]] != KINDS[mark]:  # what stands further in stays open for ever
                settle(place, False)
            settle(place, PAIRS[opened[-1][0]] == mark)
    while opened:
        settle(len(text), False)
    return found, strays


def groups(found: list[Mark]) -> dict[str, list[Mark]]:
    """The rows of the table: by kind, brackets by depth, all by distance (in characters)."""
    rows = {kind: [mark for mark in found if mark.kind == kind] for kind in dict.fromkeys(KINDS.values())}
    brackets = rows.pop("bracket")
    rows |= {f"bracket depth {depth}": [mark for mark in brackets if mark.depth == depth] for depth in (1, 2)}
    rows["bracket depth 3+"] = [mark for mark in brackets if mark.depth > 2]
    for low, high in zip(EDGES, (*EDGES[1:], math.inf), strict=True):
        name = f"after {low}+" if high == math.inf else f"after {low}-{high}"
        rows[name] = [mark for mark in found if low <= mark.distance < high]
    return rows


def main() -> None:
    model, tokens = load_run(LESSON / "checkpoints" / "ladder", "fables")
    # a text is cut off somewhere: what is open in its last line might still have been closed
    written = [text[: text.rindex("\n") + 1] for text in write(model, tokens.tokenizer, TEXTS, LENGTH, SEED)]
    text = "\n".join(written)
    (generated, strays), (corpus, none) = marks(text), marks(tokens.corpus.train)
    assert none == 0 and all(mark.closed for mark in corpus), "the corpus closes all its marks: this counts them wrong"
    columns = ["marks", "opened, for 100,000 characters", "of the corpus", "counted", "closed right"]
    result, bars = Result(LESSON, "closing", columns, SEED), {}
    theirs = groups(corpus)
    for name, found in groups(generated).items():
        pairs = (found, text), (theirs[name], tokens.corpus.train)
        often = [f"{1e5 * len(rows) / len(whole):,.1f}" for rows, whole in pairs]
        right = sum(mark.closed for mark in found) / len(found) if found else None
        result.add(name, *often, len(found), None if right is None else f"{right:.1%}")
        if right is not None:
            bars[name.replace(" ", "\n")] = right
    plot_bars(result.path(".png"), bars, "Of the marks that it opens, the share closed right", "", "closed right")
    result.save(characters=len(text), closing_brackets_that_close_nothing=strays)


if __name__ == "__main__":
    run(main)
