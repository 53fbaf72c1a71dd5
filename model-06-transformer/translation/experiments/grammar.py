"""Velu to English by length, beside lesson 04's GRUs with attention; and where each head of the decoder looks.

    python translation/train_translation.py         first: the default
    python translation/experiments/grammar.py       about 3 minutes on one core

Exact match on the test split, greedy, one run. The rows of lesson 04 (its preset default: as many steps of as many
pairs, three seeds) are read from its results/translation_length.json.

How decided a head is: the largest weight that it has for a target word, a mean over the words of 100 sentences. The
figure: all heads of the cross-attention over one of them, the first with 8 to 12 words that is translated without a
fault; a row for each word written, a column for each word read.
"""

import argparse
import json
from pathlib import Path

from common import FOLDER, LESSON
from translate import load

from shared.console import LearnerError, run, say
from shared.data.pairs import load_pairs
from shared.files import relative
from shared.lessons import ROOT
from shared.results import Result
from shared.translation import Translation, translate
from shared.translation_scores import by_length, outputs_of
from shared.visualize import save

OTHER = ROOT / "model-04-gru" / "results" / "translation_length.json"
READ, WORDS = 100, (8, 12)


def rows_of_lesson_04() -> dict[str, float]:
    """Exact match with attention by "low to high" words; nothing where there is no result."""
    if not OTHER.exists():
        return {}
    found = json.loads(OTHER.read_text(encoding="utf-8"))
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    return {row["source words"]: row["exact match"] for row in rows if row["decoder"] == "with attention"}


def looks(model, languages, sentences: list[str]) -> dict[tuple[int, int], list[Translation]]:
    """The sentences' translations by (layer, head), each with the weights of that head."""
    found = {}
    for layer in range(model.config.num_layers):
        for head in range(model.config.num_heads):
            model.shown = layer, head
            found[layer, head] = translate(model, languages, sentences)
    return found


def draw(path: Path, maps: dict[tuple[int, int], Translation]) -> None:
    """A row of maps for each layer; the words at the edges only."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    layers, heads = (1 + max(place) for place in zip(*maps, strict=True))
    fig, axes = plt.subplots(layers, heads, figsize=(3.1 * heads, 3.3 * layers), dpi=110, squeeze=False,
                             layout="constrained", sharex=True, sharey=True)  # fmt: skip
    for (layer, head), translation in maps.items():
        ax = axes[layer, head]
        ax.imshow(translation.weights, cmap="gray", vmin=0, vmax=1)
        ax.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=9)
        ax.set_xticks(range(len(translation.source)), translation.source, rotation=90, fontsize=8)
        ax.set_yticks(range(len(translation.target)), translation.target, fontsize=8)
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=FOLDER / "checkpoints" / "best.pt")
    args = parser.parse_args()
    model, languages, checkpoint = load(args.checkpoint)
    if checkpoint["dataset"] != "grammar":
        raise LearnerError(f"{relative(args.checkpoint)} was trained on {checkpoint['dataset']}, not on the grammar")
    pairs, before = load_pairs("grammar").test, rows_of_lesson_04()
    texts = [translation.text for translation in outputs_of(model, languages, pairs)]
    result = Result(LESSON, "translation_grammar", ["source words", "sentences", "GRU with attention", "Transformer"])
    for row in by_length(pairs, texts):
        name = f"{row['low']} to {row['high']}"
        result.add(name, row["sentences"], before.get(name), row["exact"])
    right = [text == target for text, (_, target) in zip(texts, pairs, strict=True)]
    result.add("all", len(pairs), before.get("all"), sum(right) / len(right))
    result.save()

    pairs = pairs[:READ]
    found = looks(model, languages, [source for source, _ in pairs])
    result = Result(LESSON, "translation_heads", ["layer", "head", "largest weight, mean"])
    for (layer, head), translations in found.items():
        largest = [weight for one in translations for weight in one.weights[:-1].max(dim=1).values.tolist()]
        result.add(layer + 1, head + 1, sum(largest) / len(largest))
    fitting = [i for i, (source, _) in enumerate(pairs) if right[i] and WORDS[0] <= len(source.split()) <= WORDS[1]]
    if fitting:
        draw(result.path(".png"), {place: translations[fitting[0]] for place, translations in found.items()})
    else:
        say("no sentence to draw: this model translates none of them without a fault; train it for longer")
    result.save(sentences=READ)


if __name__ == "__main__":
    run(main)
