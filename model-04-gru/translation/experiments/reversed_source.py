"""Without attention: does it help to read the source from its end?

    python experiments/reversed_source.py               three seeds each, the full preset: six runs, three of length.py
    python experiments/reversed_source.py --minutes 5

Sutskever et al. (2014, section 3.3) found that it does, a lot: the first words of source and target come close to one
another. Whether it does here depends on the order of words in the two languages. Test split, mean and range.
"""

from statistics import mean

from common import LESSON, trained

from shared.console import run
from shared.results import Result
from shared.translation_runs import SEEDS, about, budget, on_test
from shared.translation_scores import by_length, exact_match

ORDERS = {"from its beginning": ("{}-none-{}", ()), "from its end": ("{}-reversed-{}", ("--reverse-source",))}
BANDS = ((1, 10), (11, 20), (21, 1000))
COLUMNS = ["source read", "validation loss, nats", "lowest", "highest", "exact match, test", "lowest", "highest",
           "up to 10 words", "11 to 20", "above 20"]  # fmt: skip


def main() -> None:
    args = budget(__doc__, seeds=SEEDS, beam=1)
    result, runs = Result(LESSON, "translation_reversed", COLUMNS), []
    for order, (name, more) in ORDERS.items():
        losses, totals, tables = [], [], []
        for seed in args.seeds:
            folder = name.format(args.preset, seed)
            one = trained(folder, args, "--attention", "none", "--seed", seed, *more)
            pairs, texts = on_test(one, args.beam)
            losses.append(one.summary["val_loss"])
            totals.append(exact_match(texts, [target for _, target in pairs]))
            tables.append([row["exact"] for row in by_length(pairs, texts, BANDS)])
            runs.append(about(one) | {"source": order})
        result.add(order, mean(losses), min(losses), max(losses), mean(totals), min(totals), max(totals),
                   *map(mean, zip(*tables, strict=True)))  # fmt: skip
    result.save(runs=runs, seeds=list(args.seeds), beam=args.beam)


if __name__ == "__main__":
    run(main)
