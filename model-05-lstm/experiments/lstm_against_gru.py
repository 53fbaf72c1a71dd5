"""LSTM or GRU? At equal parameters: in equal time, then in equal steps. On Tiny Shakespeare, three seeds each.

    python experiments/lstm_against_gru.py                  about half an hour on one core
    python experiments/lstm_against_gru.py --steps 2000     longer trainings

Two layers each, no residual connections, no dropout, float32, orthogonal recurrence, lm_head's weights drawn alike at
the start, everything else that of the default preset: 256 gated units against 224 of the LSTM, within 2 % of one
another in parameters. What a step takes is measured first, both in turn, so do not let anything else run in that first
minute. The slower of the two then makes --steps steps, the other as many as it makes in that time. Each looks for its
learning rate with the first seed, in equal time, and keeps it. The runs are those of each lesson's own train.py. Which
is better is said by three seeds only where their ranges do not overlap.

The figure: the loss by learning rate, one seed.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.console import positive_int, run, say
from shared.results import Result
from shared.visualize import plot_lines

LESSON = Path(__file__).resolve().parents[1]
NETWORKS = {"GRU": ("model-04-gru", 256), "LSTM": ("model-05-lstm", 224)}
START = {"GRU": {"lm-head-std": 0.1}, "LSTM": {}}  # which the LSTM has anyway
RATES, SEEDS = (2e-3, 4e-3, 8e-3, 16e-3), (1337, 1338, 1339)
TIMED, TURNS = 40, 3  # steps by which the time of one is measured, and how often


def train(name: str, rate: float, seed: int, steps: int) -> dict:
    """The summary of one run; its loss is infinite where the run stopped because its loss was no number any more."""
    lesson, size = NETWORKS[name]
    flags = {"preset": "default", "dataset": "shakespeare", "precision": "float32", "device": "cpu", "dropout": 0,
             "embedding-dim": size, "hidden-size": size, "init": "orthogonal", "lr": rate, "seed": seed,
             "steps": steps} | START[name]  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(LESSON.parent / lesson / "train.py"), "--out", out]
        command += ["--no-residual", *[f"--{flag}={value}" for flag, value in flags.items()]]
        stopped = subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 2  # and has said why
        if stopped:
            return {"val_loss": math.inf, "steps": 0}
        return json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))


def seconds_per_step() -> dict[str, float]:
    """Of each network, the median of some short runs in turn."""
    found = {name: [] for name in NETWORKS}
    for _ in range(TURNS):
        for name in NETWORKS:
            found[name].append(train(name, RATES[0], SEEDS[0], TIMED)["train_seconds"] / TIMED)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=positive_int, default=600, help="of the slower network (%(default)s)")
    fewest, each = parser.parse_args().steps, seconds_per_step()
    steps = {name: round(fewest * max(each.values()) / each[name]) for name in NETWORKS}
    for name in NETWORKS:
        say(f"{name}: {1000 * each[name]:.1f} ms a step, {steps[name]:,} steps")
    columns = ["equal", "network", "hidden size", "parameters", "ms per step", "learning rate", "steps"]
    columns += ["validation loss, nats", "lowest to highest", "of each seed"]
    result, best, runs = Result(LESSON, "lstm_against_gru", columns, SEEDS[0]), {}, {}

    def add(equal: str, name: str) -> None:
        found = [summary["val_loss"] for summary in runs[name]]
        result.add(equal, name, NETWORKS[name][1], runs[name][0]["parameters"], 1000 * each[name], f"{best[name]:g}",
                   runs[name][0]["steps"], statistics.mean(found), f"{min(found):.4f} to {max(found):.4f}",
                   ", ".join(f"{loss:.4f}" for loss in found))  # fmt: skip

    search = {name: [train(name, rate, SEEDS[0], steps[name]) for rate in RATES] for name in NETWORKS}
    for name, found in search.items():
        first = min(found, key=lambda summary: summary["val_loss"])
        best[name] = RATES[found.index(first)]
        runs[name] = [first, *[train(name, best[name], seed, steps[name]) for seed in SEEDS[1:]]]
        add("time", name)
    for name in NETWORKS:
        if steps[name] > fewest:
            runs[name] = [train(name, best[name], seed, fewest) for seed in SEEDS]
        add("steps", name)
    losses = {name: [summary["val_loss"] for summary in found] for name, found in search.items()}
    plot_lines(result.path(".png"), {name: (RATES, found) for name, found in losses.items()},
               "Each with its own learning rate, in equal time", "learning rate",
               "validation loss, nats per character", log_x=True)  # fmt: skip
    result.save(seeds=SEEDS, rates=RATES, search=losses)


if __name__ == "__main__":
    run(main)
