"""How much of a loss is luck? The default with several seeds, which draw other weights at the start and other windows.

    python experiments/seeds.py                     the default with seeds 1337, 1338, 1339: two runs of ten minutes
    python experiments/seeds.py 1338                this seed only, beside those that are there

Seed 1337 is the run of experiments/presets.py, of which results/summaries/ keeps the loss. The others lie in
checkpoints/seeds/default-SEED; one that is finished is not trained again. Loss in nats per token over the whole
validation split, in consecutive windows, and in sliding ones.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from shared.console import LearnerError, positive_int, run, say
from shared.results import Result, each_once

LESSON = Path(__file__).resolve().parents[1]
PRESET, FIRST, SEEDS = "default", 1337, (1337, 1338, 1339)


def of_seed(seed: int, train: bool) -> dict | None:
    """The summary of a run, trained now if it is not there and is to be."""
    folder = LESSON / "checkpoints" / "seeds" / f"{PRESET}-{seed}"
    path = folder / "summary.json"
    if seed == FIRST:
        path = LESSON / "results" / "summaries" / f"{PRESET}.json"
    if not path.exists() and seed == FIRST:
        raise LearnerError(f"seed {FIRST} is not there: train it first, with python experiments/presets.py {PRESET}")
    if not path.exists() and train:
        say(f"trains     {PRESET}, seed {seed}")
        command = [sys.executable, str(LESSON / "train.py"), "--preset", PRESET, "--seed", str(seed)]
        subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", nargs="*", type=positive_int, help="to be trained (1338 1339)")
    args = parser.parse_args()
    found = {seed: of_seed(seed, seed in (args.seeds or SEEDS)) for seed in {*SEEDS, *args.seeds}}
    found = {seed: summary for seed, summary in sorted(found.items()) if summary}
    columns = ["seed", "validation loss, nats", "in sliding windows", "training loss", "minutes", "threads",
               "processor"]  # fmt: skip
    result = Result(LESSON, "seeds", columns)
    for seed, summary in found.items():
        result.add(str(seed), summary["val_loss"], summary["val_loss_sliding"], summary["train_loss"],
                   f"{summary['train_seconds'] / 60:.1f}", summary["threads"], summary["processor"])  # fmt: skip
    losses = [[row[column] for row in result.rows] for column in (1, 2, 3)]
    result.add("mean", *map(statistics.mean, losses), None, None, None)
    result.add("highest less lowest", *(max(values) - min(values) for values in losses), None, None, None)
    machines = each_once(summary["processor"] for summary in found.values())
    minutes = sum(summary["train_seconds"] for summary in found.values()) / 60
    result.save(minutes=round(minutes, 2), threads=None, processor=machines)


if __name__ == "__main__":
    run(main)
