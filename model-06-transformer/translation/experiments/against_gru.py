"""German to English in equal time: this encoder-decoder beside lesson 04's GRU with attention, three seeds each.

    python experiments/against_gru.py --minutes 30      three runs, half an hour each
    python experiments/against_gru.py --preset grammar

BLEU and exact match on the test split, greedy; the mean over the seeds, and BLEU's range. The GRU's row is read from
lesson 04's results: run translation/experiments/seeds.py there first, with the same flags, on the same machine. Runs
lie in checkpoints/ and are trained where missing.
"""

import json

from common import LESSON, trained

from shared.console import run, warn
from shared.files import relative
from shared.lessons import ROOT
from shared.results import Result
from shared.runs import machine
from shared.translation_runs import SEED_COLUMNS, of_seeds, seed_budget

GRU = ROOT / "model-04-gru" / "results" / "translation_seeds.json"
EQUAL = "preset", "budget", "seeds", "beam", "signature", "processor", "threads"  # what both must have in common


def main() -> None:
    args = seed_budget(__doc__)
    suffix = "" if args.preset == "multi30k" else f"_{args.preset}"
    result, gru = Result(LESSON, f"translation_against_gru{suffix}", SEED_COLUMNS), GRU.with_stem(GRU.stem + suffix)
    if not gru.exists():
        warn(f"no row of lesson 04: {relative(gru)} is not there, its translation/experiments/seeds.py writes it")
    other = json.loads(gru.read_text(encoding="utf-8")) if gru.exists() else {"rows": [], "runs": []}
    for row in other["rows"]:
        result.add(*row)
    found = of_seeds(result, "Transformer", trained, args)
    here = found | machine()
    for name in EQUAL:
        if other["rows"] and other[name] != here[name]:
            warn(f"the rows are not comparable: {name} is {other[name]} there and {here[name]} here")
    result.save(**found | {"runs": other["runs"] + found["runs"]})


if __name__ == "__main__":
    run(main)
