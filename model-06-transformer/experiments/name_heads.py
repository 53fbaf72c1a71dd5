"""Which head knows the name? What each head of the ladder's network looks at, and what is recalled without it.

    python experiments/presets.py ladder        first
    python experiments/name_heads.py            about 2 minutes on one core

Where a hero, an object or a place must come again, 20 to 120 characters after it was last named: how much of its weight
each head puts on the letters of that name, there where it stood last; a mean over such places, of the weights of the
character before them; and on what was written last, which says what kind of name must come. A head that looks at all of
its window alike has "even". Then the causal question: that one head's share of the block's output is set to 0, nothing
is trained again, and shared/recall.py asks as ever, over the first part of the validation split. A head that matters
for memory takes recall with it; one that only looks does not.

The figure: what the head with the largest weight looks at, before the first such place; and the mean of all heads.
"""

import argparse
import copy

import torch
from short_run import LESSON, load_run
from torch import Tensor

from shared.console import positive_int, run, say
from shared.data.fables import RecallPoint
from shared.recall import by_distance, recall
from shared.results import Result
from shared.visualize import plot_text_heatmap

SEED, KINDS, NEAREST, FURTHEST, ASKED, BATCH = 1337, ("hero", "object", "place"), 20, 120, 512, 32
LAST = 12  # characters: two or three words
SHOWN_BANDS = ((20, 40), (40, 80), (80, 160))


def places(points: list[RecallPoint], length: int) -> list[RecallPoint]:
    """Those that the question above is about, with a full window before them, evenly spread over the text."""
    found = [point for point in points
             if point.kind in KINDS and NEAREST <= point.distance <= FURTHEST and point.start >= length]  # fmt: skip
    return found[:: -(-len(found) // ASKED)] if found else []


@torch.no_grad()
def weights_before(model, token_ids: Tensor, points: list[RecallPoint]) -> Tensor:
    """(points, layers, heads, n): where the last character before each place looks in its window of n characters."""
    length, rows = model.config.context_length, []
    windows = torch.stack([token_ids[point.start - length : point.start] for point in points])
    for batch in windows.split(BATCH):
        rows.append(model.attention_maps(batch)[:, :, :, -1])
    return torch.cat(rows)


def on_the_name(weights: Tensor, points: list[RecallPoint]) -> Tensor:
    """(layers, heads): the mean weight on the letters of the name where it stood last."""
    found = []
    for row, point in zip(weights, points, strict=True):
        start = row.shape[-1] - point.distance
        found.append(row[..., start : start + len(point.answer)].sum(dim=-1))
    return torch.stack(found).mean(dim=0)


@torch.no_grad()
def without(model, layer: int, head: int):
    """A copy whose head puts nothing out."""
    other = copy.deepcopy(model)
    attention = other.blocks[layer].attention
    size = attention.output.weight.shape[1] // model.config.num_heads
    attention.output.weight[:, head * size : (head + 1) * size] = 0.0
    return other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", type=positive_int, default=60_000, help="read for recall (%(default)s)")
    args = parser.parse_args()
    model, tokens = load_run(LESSON / "checkpoints" / "ladder", "fables")
    text, points = tokens.corpus.val[: args.characters], tokens.corpus.points["val"]
    asked = places(points, model.config.context_length)
    weights = weights_before(model.eval(), tokens.val, asked)
    scores, near = on_the_name(weights, asked), weights[..., -LAST:].sum(dim=-1).mean(dim=0)
    read = [point for point in points if point.start + len(point.answer) <= len(text)]
    columns = [
        "layer",
        "head",
        "weight on the name",
        f"on the last {LAST} characters",
        *[f"without it {low}-{high}" for low, high in SHOWN_BANDS],
    ]
    result, bands_of = Result(LESSON, "name_heads", columns, SEED), {}

    def recalled(network) -> list[str]:
        bands = by_distance(recall(network, tokens.tokenizer, text, read))
        return [f"{band['accuracy']:.0%}" for band in bands if (band["low"], band["high"]) in SHOWN_BANDS]

    for layer in range(scores.shape[0]):
        for head in range(scores.shape[1]):
            row = recalled(without(model, layer, head))
            bands_of[f"{layer + 1}.{head + 1}"] = row
            say(f"without head {head + 1} of layer {layer + 1}: {', '.join(row)}")
            result.add(layer + 1, head + 1, scores[layer, head].item(), near[layer, head].item(), *row)
    even = on_the_name(torch.full_like(weights[:, :1, :1], 1 / model.config.context_length), asked).item()
    result.add("even", None, even, LAST / model.config.context_length, *[None for _ in SHOWN_BANDS])
    result.add("every head", None, None, None, *recalled(model))
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    window = text[asked[0].start - weights.shape[-1] : asked[0].start]
    plot_text_heatmap(result.path(".png"), window, {
        f"layer {layer + 1}, head {head + 1}": weights[0, layer, head].tolist(),
        "the mean of all heads": weights[0].mean(dim=(0, 1)).tolist(),
    }, f"Where it looks before it writes “{asked[0].answer}”")  # fmt: skip
    result.save(places=len(asked), characters=len(text), answer=asked[0].answer)


if __name__ == "__main__":
    run(main)
