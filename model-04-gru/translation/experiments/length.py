"""The bottleneck: how good are translations of short and of long sentences, with attention and with one fixed vector?

    python experiments/length.py                                three seeds each, the full preset: six runs
    python experiments/length.py --minutes 10                   a budget for each run
    python experiments/length.py --preset multi30k --seeds 1    German to English, BLEU by length

Exact match and BLEU over the whole test split, by words of the source: the mean over the seeds, and the range. The
fixed vector has as many numbers as the decoder has units. Runs lie in checkpoints/ and are trained where missing.
"""

from statistics import mean

from evaluate import by_length, exact_match, outputs_of
from trained import LESSON, SEEDS, about, budget, trained

from shared.console import run
from shared.data.pairs import load_pairs
from shared.results import Result
from shared.visualize import COLOURS, figure, save

NAMES = {"additive": "with attention", "none": "one fixed vector"}
COLUMNS = ["decoder", "source words", "sentences", "exact match", "lowest", "highest", "BLEU", "lowest", "highest"]


def spread(values: list[float | None]) -> list:
    """Mean, lowest, highest; None where BLEU is not there."""
    return [None] * 3 if None in values else [mean(values), min(values), max(values)]


def main() -> None:
    args = budget(__doc__, seeds=SEEDS, beam=1)
    short_name = "translation_length" + ("_multi30k" if args.preset == "multi30k" else "")
    result, runs, curves = Result(LESSON, short_name, COLUMNS), [], {}
    for attention, name in NAMES.items():
        tables, totals = [], []
        for seed in args.seeds:
            one = trained(f"{args.preset}-{attention}-{seed}", args, "--attention", attention, "--seed", seed)
            pairs = load_pairs(one.summary["dataset"]).test
            texts = [output.text for output in outputs_of(one.model, one.languages, pairs, args.beam)]
            tables.append(by_length(pairs, texts))
            totals.append(exact_match(texts, [target for _, target in pairs]))
            runs.append(about(one) | {"exact": totals[-1]})
        for rows in zip(*tables, strict=True):  # the same band of each seed
            exact, bleu = (spread([row[measure] for row in rows]) for measure in ("exact", "bleu"))
            band = f"{rows[0]['low']} to {rows[0]['high']}"
            result.add(name, band, rows[0]["sentences"], *exact, *bleu)
            curves.setdefault(name, []).append((band, bleu if args.preset == "multi30k" else exact))
        result.add(name, "all", len(pairs), *spread(totals), None, None, None)
    draw(result.path(".png"), curves, "BLEU" if args.preset == "multi30k" else "exact match")
    result.save(runs=runs, seeds=list(args.seeds), beam=args.beam)


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
