"""The bottleneck: how good are translations of short and of long sentences, with attention and with one fixed vector?

    python experiments/length.py                                three seeds each, the full preset: six runs
    python experiments/length.py --minutes 10                   a budget for each run
    python experiments/length.py --preset multi30k --seeds 1    German to English, BLEU by length

Exact match and BLEU over the whole test split, by words of the source: the mean over the seeds, and the range. The
fixed vector has as many numbers as the decoder has units. Runs lie in checkpoints/ and are trained where missing.
"""

from statistics import mean

from common import LESSON, trained

from shared.console import run
from shared.results import Result
from shared.translation_runs import SEEDS, about, budget, on_test
from shared.translation_scores import BANDS, bleu, by_length
from shared.visualize import COLOURS, figure, save

NAMES = {"additive": "with attention", "none": "one fixed vector"}
COLUMNS = ["decoder", "source words", "sentences", "exact match", "lowest", "highest", "BLEU", "lowest", "highest"]


def spread(values: list[float | None]) -> list:
    """Mean, lowest, highest; None where BLEU is not there."""
    return [None] * 3 if None in values else [mean(values), min(values), max(values)]


def main() -> None:
    args = budget(__doc__, seeds=SEEDS, beam=1)
    short_name = "translation_length" + ("_multi30k" if args.preset == "multi30k" else "")
    result, runs, curves, all_lengths = Result(LESSON, short_name, COLUMNS), [], {}, (0, 10**6)
    for attention, name in NAMES.items():
        tables = []
        for seed in args.seeds:
            one = trained(f"{args.preset}-{attention}-{seed}", args, "--attention", attention, "--seed", seed)
            pairs, texts = on_test(one, args.beam)
            tables.append(by_length(pairs, texts, [*BANDS, all_lengths]))
            runs.append(about(one))
        for rows in zip(*tables, strict=True):  # the same band of each seed
            first, (exact, scores) = rows[0], (spread([row[measure] for row in rows]) for measure in ("exact", "bleu"))
            band = "all" if (first["low"], first["high"]) == all_lengths else f"{first['low']} to {first['high']}"
            result.add(name, band, first["sentences"], *exact, *scores)
            if band != "all":
                curves.setdefault(name, []).append((band, scores if args.preset == "multi30k" else exact))
    draw(result.path(".png"), curves, "BLEU" if args.preset == "multi30k" else "exact match")
    signature = None if scores[0] is None else bleu(texts, [target for _, target in pairs])[1]
    result.save(runs=runs, seeds=list(args.seeds), beam=args.beam, signature=signature)


def draw(path, curves: dict, measure: str) -> None:
    """A line for each decoder, its range over the seeds shaded."""
    fig, ax = figure()
    for (name, points), colour in zip(curves.items(), COLOURS, strict=False):
        points = [(band, values) for band, values in points if None not in values]
        if points:
            bands, (middle, low, high) = [band for band, _ in points], zip(*[v for _, v in points], strict=True)
            ax.plot(bands, middle, marker="o", markersize=4, color=colour, label=name)
            ax.fill_between(bands, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.set(title="What a sentence's length costs", xlabel="words of the source", ylabel=measure)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    save(fig, path)


if __name__ == "__main__":
    run(main)
