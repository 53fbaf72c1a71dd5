"""Where does it look? The attention's weights over a text, and how much of them lies on the word that it has to recall.

    python experiments/attention_map.py                                   the run in checkpoints/attention-ladder-dot
    python experiments/attention_map.py --checkpoint checkpoints/attention/best.pt

results/attention_map.png: a row for each character that has just been read, from top to bottom; along it, what is
looked at to predict the next one. On fables the text ends with a name, an object or a place that has to be recalled;
of those with the mention 60 to 100 characters before, the one that looks least at what is not shown.

A map of one text shows what one wants to see. results/attention_map.json (on fables only) is about all such words:
right before one, the weight on its mentions within reach (their characters and the one behind); the weight on its
sentences, from the mention to where the sentence ends, for a state knows all that was read before it; the same for the
other words of its category; and what would be on its sentences if all positions were looked at alike.
"""

import argparse
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from torch import Tensor

from shared.console import LearnerError, run
from shared.data import load_corpus
from shared.data.fables import RecallPoint
from shared.files import relative
from shared.recall import BANDS
from shared.results import Result
from shared.visualize import save

SHOWN, BEFORE = (60, 100), 10  # distances of the word in the figure; characters before its mention
ONE, SENTENCE = r"(?s:.)?", r"[^.!?\n]*[.!?]?\"?\s*"  # what counts beside a mention: one character; its sentence
CHUNK, KINDS = 1024, ("hero", "object", "place")


@torch.no_grad()
def looks(model, token_ids: Tensor) -> Iterator[tuple[int, Tensor]]:
    """For each place of a text: (place, the weights of all positions before it that are in reach), read from the start.

    The last weight is that of the character just before; the very first position is that before the text.
    """
    state = None
    for start in range(0, len(token_ids), CHUNK):
        chunk = token_ids[None, start : start + CHUNK]
        weights = model.look(chunk, state)[0]  # (T, P + T)
        known = weights.shape[1] - chunk.shape[1]
        for t, row in enumerate(weights):
            yield start + t, row[max(0, known + t - model.config.context_length) : known + t].clone()
        _, state = model(chunk, state)


def on_words(weights: Tensor, text: str, place: int, words: tuple[str, ...], behind: str) -> tuple[float, float]:
    """The weight on all mentions of some words before a place, and on what a pattern says is behind each; and what it
    would be if all weights were equal."""
    first, mentioned = place - len(weights), torch.zeros(len(weights))
    for match in re.finditer(rf"\b({'|'.join(words)})\b{behind}", text[max(0, first) : place]):
        mentioned[match.start() + max(0, -first) : match.end() + max(0, -first)] = 1
    return (weights * mentioned).sum().item(), mentioned.mean().item()


def measure(result: Result, found: dict[int, Tensor], text: str, points: list[RecallPoint], reach: int) -> None:
    """A row for each band of distances within reach."""
    bands = defaultdict(list)
    for point in points:
        band = next((i for i in reversed(range(len(BANDS) - 1)) if point.distance >= BANDS[i]), 0)
        place = point.start - 1  # the last character read
        others = tuple(word for word in point.candidates if word != point.answer)
        right, _ = on_words(found[place], text, place, (point.answer,), ONE)
        sentence, even = on_words(found[place], text, place, (point.answer,), SENTENCE)
        wrong, _ = on_words(found[place], text, place, others, SENTENCE)
        bands[band].append((right, sentence, wrong, even))
    for band, rows in sorted(bands.items()):
        shares = (f"{statistics.mean(column):.1%}" for column in zip(*rows, strict=True))
        result.add(f"{BANDS[band]}-{min(BANDS[band + 1], reach)}", len(rows), *shares)


def span(point: RecallPoint) -> tuple[int, int]:
    """The places of the text that is shown: from a little before the mention through the word to be recalled."""
    return point.start - point.distance - BEFORE, point.start + len(point.answer)


def inside(found: dict[int, Tensor], first: int, last: int) -> float:
    """How much of all the weight in a text's square stays within the text, rather than on what is before it."""
    return sum(found[place][first - place :].sum().item() for place in range(first + 1, last)) / (last - first)


def draw(path: Path, text: str, first: int, found: dict[int, Tensor], title: str) -> None:
    """The weights among the characters of text, whose first one is that of this place, as a square."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    square = torch.zeros(len(text), len(text))
    for t in range(1, len(text)):
        weights = found[first + t][-t:]
        square[t, t - len(weights) : t] = weights
    fig, ax = plt.subplots(figsize=(12.6, 11.2), dpi=110, layout="constrained")
    image = ax.imshow(square, cmap="OrRd", vmin=0, vmax=square.flatten().quantile(0.999).item())
    labels = ["⏎" if character == "\n" else character for character in text]
    ax.set_xticks(range(len(text)), labels, fontsize=7, family="DejaVu Sans Mono")
    ax.set_yticks(range(len(text)), labels, fontsize=7, family="DejaVu Sans Mono")
    ax.tick_params(length=0, labeltop=True, labelright=True)
    ax.set(title=title, xlabel="what is looked at", ylabel="the character just read")
    fig.colorbar(image, ax=ax, shrink=0.5, aspect=40, label="weight")
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = LESSON / "checkpoints" / "attention-ladder-dot"
    parser.add_argument("--checkpoint", type=Path, default=folder / "best.pt")
    parser.add_argument("--characters", type=int, default=50_000, help="of the validation split (%(default)s)")
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    corpora = (load_corpus(name) for name in ("fables", "shakespeare"))
    corpus = next((corpus for corpus in corpora if not tokenizer.unknown(corpus.val)), None)
    if not hasattr(model, "attention") or tokenizer.name != "char" or corpus is None:
        why = "is not of train_attention.py, trained on the characters of fables or Shakespeare"
        raise LearnerError(f"{relative(args.checkpoint)} {why}: give another --checkpoint")
    text, reach = corpus.val[: args.characters], model.config.context_length
    points = [point for point in corpus.points.get("val", ()) if point.kind in KINDS]
    points = [point for point in points if point.start < len(text) and point.distance <= reach]
    found = dict(looks(model, torch.tensor(tokenizer.encode(text))))
    columns = ["distance", "points", "on the right word", "on its sentences", "on those of others of its kind",
               "on its sentences, if even"]  # fmt: skip
    result, kind = Result(LESSON, "attention_map", columns, seed=None), model.config.attention
    candidates = [point for point in points if SHOWN[0] <= point.distance <= SHOWN[1] and point.start > reach]
    shown = max(candidates, key=lambda point: inside(found, *span(point)), default=None)
    first, last = span(shown) if shown else (reach, reach + sum(SHOWN) // 2)
    title = f"Where a character looks ({kind})" + (f"; to be recalled at the end: {shown.answer}" if shown else "")
    draw(result.path(".png"), text[first:last], first, found, title)
    if points:
        measure(result, found, text, points, reach)
        result.save(checkpoint=relative(args.checkpoint), attention=kind, shown=text[first:last])


if __name__ == "__main__":
    run(main)
