"""What does it cost to compute the products in bf16, which has 8 bits for the digits of a number instead of 24?

    python experiments/precision.py             about 4 minutes on one core

One layer of 128 units on Tiny Shakespeare, three seeds, 600 steps each, in float32 and under autocast with bf16: there
all products are bf16, those in the loop over time, too; gates, cells, sums and the weights themselves stay float32. The
validation split is read in float32. Three seeds show a difference only where the ranges do not overlap. (What bf16 is
worth in time: benchmark.py.)
"""

import statistics

from short_run import LESSON, at_the_end, carried_loss, new_model, shakespeare, train

from shared.console import run
from shared.results import Result

SEEDS, STEPS = (1337, 1338, 1339), 600


def main() -> None:
    tokens = shakespeare()
    columns = ["products in", "training loss, last 100 steps", "validation loss, nats", "lowest to highest",
               "of each seed"]  # fmt: skip
    result = Result(LESSON, "precision", columns, SEEDS[0])
    for precision in ("float32", "bf16"):
        last, found = [], []
        for seed in SEEDS:
            model = new_model(tokens, seed=seed)
            last.append(at_the_end(train(model, tokens, seed=seed, steps=STEPS, precision=precision)))
            found.append(carried_loss(model, tokens.val))
        result.add(precision, statistics.mean(last), statistics.mean(found), f"{min(found):.4f} to {max(found):.4f}",
                   ", ".join(f"{loss:.4f}" for loss in found))  # fmt: skip
    result.save(seeds=SEEDS, steps=STEPS)


if __name__ == "__main__":
    run(main)
