"""What can be had in 20 seconds, 75, 6 minutes, 11 minutes? The whole process by the clock, from start to last line.

    python experiments/budgets.py                       all four with one seed each, a quarter of an hour
    python experiments/budgets.py "75 s" "6 min"        only these; the rows of the others stay as they are
    python experiments/budgets.py --seeds 3             seeds 1337, 1338 and 1339

All are train.py --preset modern on Tiny Shakespeare, with the flags below: the shorter the time, the smaller the
network. There are as many steps as fit on two cores like those of the table, imports, evaluations and samples included;
for 11 minutes fewer, since in a trial more gained nothing. (--minutes would find out how many fit; but cores are now
faster, now slower, and the same losses would not come again.)
To compare with: nanoGPT's README has 1.88 for its recipe for a laptop's CPU, in some three minutes, and 1.4697 for that
for an A100 (both estimated on samples of the validation split). Loss is nats per character over the whole validation
split, in consecutive windows; beside it, that in sliding ones.

Run it while nothing else runs: a time on a busy machine says nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shared.console import LearnerError, nearest, positive_int, run, say
from shared.results import Result, each_once

LESSON = Path(__file__).resolve().parents[1]
SHORT = ["--evaluations", "1", "--dropout", "0", "--embedding-dim", "96", "--muon-momentum", "0.9", "--lr", "5e-3"]
BUDGETS = {  # what comes after train.py --preset modern
    "20 s": [*SHORT, "--precision", "float32", "--steps", "220", "--num-layers", "3", "--context-length", "256",
             "--grow-from", "64", "--batch-size", "4", "--warmup", "20"],  # "auto" takes a second
    "75 s": [*SHORT, "--steps", "780", "--context-length", "256", "--grow-from", "64", "--batch-size", "8",
             "--warmup", "40"],
    "6 min": ["--steps", "2500", "--evaluations", "3"],
    "11 min": ["--steps", "3200", "--evaluations", "4"],
}  # fmt: skip
SEED = 1337


def train(budget: str, seed: int) -> dict:
    """The summary of one run, and under "wall" the seconds of the whole process."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(LESSON / "train.py"), "--preset", "modern", "--dataset", "shakespeare"]
        start = time.perf_counter()
        subprocess.run([*command, *BUDGETS[budget], f"--seed={seed}", "--out", out], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        wall = time.perf_counter() - start
        summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8")) | {"wall": wall}
    say(f"{budget}, seed {seed}: {summary['val_loss']:.4f} in {wall:.0f} s")
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("budgets", nargs="*", help=f"of {', '.join(BUDGETS)} (all)")
    parser.add_argument("--seeds", type=positive_int, default=1, help="runs of each (%(default)s)")
    args = parser.parse_args()
    for budget in args.budgets:
        if budget not in BUDGETS:
            raise LearnerError(f"no budget {budget!r}:{nearest(budget, BUDGETS)}")
    columns = ["budget", "seconds by the clock, at most", "parameters", "steps", "ms per step",
               "validation loss, nats", "lowest to highest", "of each seed", "in sliding windows", "threads",
               "precision", "processor"]  # fmt: skip
    result = Result(LESSON, "budgets", columns, SEED)
    for budget in args.budgets or BUDGETS:
        runs = [train(budget, SEED + i) for i in range(args.seeds)]
        losses = [summary["val_loss"] for summary in runs]
        result.add(budget, max(summary["wall"] for summary in runs), runs[0]["parameters"], runs[0]["steps"],
                   1000 * runs[0]["train_seconds"] / runs[0]["steps"], statistics.mean(losses),
                   f"{min(losses):.4f} to {max(losses):.4f}", ", ".join(f"{loss:.4f}" for loss in losses),
                   statistics.mean(summary["val_loss_sliding"] for summary in runs), runs[0]["threads"],
                   runs[0]["precision"], runs[0]["processor"])  # fmt: skip
    result.add_earlier(BUDGETS)
    minutes = sum(row[1] * (1 + row[7].count(",")) for row in result.rows) / 60  # of all rows, whenever they were made
    machines = each_once(row[-1] for row in result.rows)
    result.save(minutes=round(minutes, 2), threads=None, processor=machines, flags=BUDGETS)


if __name__ == "__main__":
    run(main)
