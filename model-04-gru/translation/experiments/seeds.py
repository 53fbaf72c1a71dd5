"""German to English with the GRU and its attention, three seeds in equal time: what lesson 06 is measured against.

    python experiments/seeds.py --minutes 30        three runs, half an hour each
    python experiments/seeds.py --preset grammar

BLEU and exact match on the test split, greedy; the mean over the seeds, and BLEU's range. Runs lie in checkpoints/ and
are trained where missing. The same of the Transformer, beside these: experiments/against_gru.py in lesson 06's
translation folder.
"""

from common import LESSON, trained

from shared.console import run
from shared.results import Result
from shared.translation_runs import SEED_COLUMNS, of_seeds, seed_budget


def main() -> None:
    args = seed_budget(__doc__)
    short_name = "translation_seeds" + ("" if args.preset == "multi30k" else f"_{args.preset}")
    result = Result(LESSON, short_name, SEED_COLUMNS)
    result.save(**of_seeds(result, "GRU with attention", trained, args))


if __name__ == "__main__":
    run(main)
