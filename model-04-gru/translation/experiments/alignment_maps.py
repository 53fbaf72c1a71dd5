"""Where the decoder looked: the attention's weights drawn as Bahdanau et al. (2015, figure 3) draw them.

    python experiments/alignment_maps.py                                      the run in checkpoints/
    python experiments/alignment_maps.py --checkpoint checkpoints/multi30k/best.pt

A row for each target word, a column for each source word, white is 1. Of the first sentences of the test split that are
translated without a fault, those whose weights cross most: the words of the two languages stand in another order there.
"""

import argparse
from pathlib import Path

from common import FOLDER, LESSON
from translate import load

from shared.console import LearnerError, run
from shared.data.pairs import load_pairs
from shared.results import Result
from shared.translation import Translation, translate
from shared.visualize import save

READ, SHOWN, LENGTHS = 1000, 4, (7, 14)  # words of the source


def crossings(translation: Translation) -> float:
    """The share of pairs of target tokens whose places in the source (where each looks most) are in the other order."""
    looked = translation.weights[:-1].argmax(dim=1).tolist()  # without the end
    pairs = [(a, b) for i, a in enumerate(looked) for b in looked[i + 1 :]]
    return sum(a > b for a, b in pairs) / max(1, len(pairs))


def draw(path: Path, translations: list[Translation]) -> None:
    """Maps side by side, two in a row."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(translations) // 2)
    fig, axes = plt.subplots(rows, 2, figsize=(11, 5.5 * rows), dpi=110, squeeze=False, layout="constrained")
    for ax in axes.flat[len(translations) :]:
        ax.set_axis_off()
    for ax, translation in zip(axes.flat, translations, strict=False):
        ax.imshow(translation.weights, cmap="gray", vmin=0, vmax=1)
        ax.set_xticks(range(len(translation.source)), translation.source, rotation=90)
        ax.set_yticks(range(len(translation.target)), translation.target)
        ax.xaxis.tick_top()
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=FOLDER / "checkpoints" / "best.pt")
    args = parser.parse_args()
    model, languages, checkpoint = load(args.checkpoint)
    if model.config.attention == "none":
        raise LearnerError("this model has no attention to draw: train one with  python train_translation.py")
    pairs = load_pairs(checkpoint["dataset"]).test[:READ]
    pairs = [pair for pair in pairs if LENGTHS[0] <= len(pair[0].split()) <= LENGTHS[1]]
    found = zip(pairs, translate(model, languages, [source for source, _ in pairs]), strict=True)
    right = [translation for (_, target), translation in found if translation.text == target]
    if not right:
        raise LearnerError("this model translates none of the sentences without a fault: train it for longer")
    chosen = sorted(right, key=crossings, reverse=True)[:SHOWN]
    name = "translation_alignment" + ("" if checkpoint["dataset"] == "grammar" else f"_{checkpoint['dataset']}")
    result = Result(LESSON, name, ["source", "translation", "share of pairs that cross"])
    for translation in chosen:
        result.add(" ".join(translation.source[:-1]), translation.text, crossings(translation))
    draw(result.path(".png"), chosen)
    result.save()


if __name__ == "__main__":
    run(main)
