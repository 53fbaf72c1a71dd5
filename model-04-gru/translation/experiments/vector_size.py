"""Without attention: how many numbers must the vector have, and where should it enter?

    python experiments/vector_size.py --steps 2000      five runs, one seed each

Encoder and decoder keep their size; only c, which stands between them, gets wider. The last row has the c of 128 enter
the decoder's first state and nothing else (--summary initial). Test split, greedy. One seed: small differences mean
nothing.
"""

from common import LESSON, trained

from shared.console import run
from shared.results import Result
from shared.translation_runs import about, budget, on_test
from shared.translation_scores import by_length, exact_match
from shared.visualize import plot_lines

SIZES, BANDS = (8, 32, 128, 512), ((1, 10), (11, 20), (21, 1000))
NAMES = ("up to 10 words", "11 to 20", "above 20")
COLUMNS = ["numbers in c", "enters", "parameters", "validation loss, nats", "exact match, test", *NAMES]


def main() -> None:
    args = budget(__doc__, seed=1, beam=1)
    result, runs, curves = Result(LESSON, "translation_vector_size", COLUMNS, args.seed), [], []
    for size, summary in [*((size, "every") for size in SIZES), (128, "initial")]:
        flags = "--attention", "none", "--summary-size", size, "--summary", summary, "--seed", args.seed
        one = trained(f"{args.preset}-vector-{size}-{summary}", args, *flags)
        pairs, texts = on_test(one, args.beam)
        shares = [row["exact"] for row in by_length(pairs, texts, BANDS)]
        total = exact_match(texts, [target for _, target in pairs])
        enters = "every step" if summary == "every" else "the first state"
        result.add(size, enters, one.summary["parameters"], one.summary["val_loss"], total, *shares)
        runs.append(about(one))
        if summary == "every":
            curves.append(shares)
    lines = {name: (SIZES, shares) for name, shares in zip(NAMES, zip(*curves, strict=True), strict=True)}
    plot_lines(result.path(".png"), lines, "The size of the vector", "numbers in c", "exact match", log_x=True)
    result.save(runs=runs, beam=args.beam)


if __name__ == "__main__":
    run(main)
