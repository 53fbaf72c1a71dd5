"""LSTM or GRU? At equal parameters: in equal time, then in equal steps. On Tiny Shakespeare, three seeds each.

    python experiments/lstm_against_gru.py                  about half an hour: 18 runs of a minute each
    python experiments/lstm_against_gru.py --minutes 3      over an hour

Two layers each, no residual connections, no dropout, float32, orthogonal recurrence, lm_head's weights drawn alike at
the start, everything else that of the default preset: 256 gated units against 224 of the LSTM, within 2 % of one
another in parameters. Each first looks for its learning rate, with the first seed, in equal time. Steps are then as
many as the slower one had made in that time, and each keeps its learning rate. The runs are those of each lesson's own
train.py; each counts the steps that fit into the minutes at its start, so run it while nothing else runs. Which is
better is said by three seeds only where their ranges do not overlap.

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

from shared.console import positive_float, run, say
from shared.results import Result
from shared.visualize import plot_lines

LESSON = Path(__file__).resolve().parents[1]
NETWORKS = {"GRU": ("model-04-gru", 256), "LSTM": ("model-05-lstm", 224)}
START = {"GRU": {"lm-head-std": 0.1}, "LSTM": {}}  # which the LSTM has anyway
RATES, SEEDS = (2e-3, 4e-3, 8e-3, 16e-3), (1337, 1338, 1339)


def train(name: str, rate: float, seed: int, **budget) -> dict:
    """The summary of one run; its loss is infinite where the run stopped because its loss was no number any more."""
    lesson, size = NETWORKS[name]
    flags = {"preset": "default", "dataset": "shakespeare", "precision": "float32", "device": "cpu", "dropout": 0,
             "embedding-dim": size, "hidden-size": size, "init": "orthogonal", "lr": rate, "seed": seed}  # fmt: skip
    flags |= START[name] | budget
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(LESSON.parent / lesson / "train.py"), "--out", out]
        command += ["--no-residual", *[f"--{flag}={value}" for flag, value in flags.items()]]
        stopped = subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 2  # and has said why
        if stopped:
            return {"val_loss": math.inf, "steps": 0}
        summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))
    say(f"{name}, learning rate {rate:g}, seed {seed}: {summary['val_loss']:.4f} after {summary['steps']:,} steps")
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=positive_float, default=1.0, help="for each run (%(default)s)")
    minutes = parser.parse_args().minutes
    columns = ["equal", "network", "hidden size", "parameters", "learning rate", "steps", "ms per step"]
    columns += ["validation loss, nats", "lowest to highest", "of each seed"]
    result, best, runs = Result(LESSON, "lstm_against_gru", columns, SEEDS[0]), {}, {}
    search = {name: {rate: train(name, rate, SEEDS[0], minutes=minutes) for rate in RATES} for name in NETWORKS}

    def add(equal: str, name: str) -> None:
        found = [summary["val_loss"] for summary in runs[name]]
        steps = [summary["steps"] for summary in runs[name]]
        each = statistics.mean(1000 * summary["train_seconds"] / summary["steps"] for summary in runs[name])
        result.add(equal, name, NETWORKS[name][1], runs[name][0]["parameters"], f"{best[name]:g}",
                   round(statistics.mean(steps)), round(each, 1), statistics.mean(found),
                   f"{min(found):.4f} to {max(found):.4f}", ", ".join(f"{loss:.4f}" for loss in found))  # fmt: skip

    for name, found in search.items():
        best[name] = min(found, key=lambda rate: found[rate]["val_loss"])
        others = [train(name, best[name], seed, minutes=minutes) for seed in SEEDS[1:]]
        runs[name] = [found[best[name]], *others]
        add("time", name)
    steps = min(summary["steps"] for summaries in runs.values() for summary in summaries)
    for name in NETWORKS:
        runs[name] = [train(name, best[name], seed, steps=steps) for seed in SEEDS]
        add("steps", name)
    losses = {name: [found[rate]["val_loss"] for rate in RATES] for name, found in search.items()}
    plot_lines(result.path(".png"), {name: (RATES, found) for name, found in losses.items()},
               f"Each with its own learning rate, after {minutes:g} minutes", "learning rate",
               "validation loss, nats per character", log_x=True)  # fmt: skip
    result.save(seeds=SEEDS, minutes_of_each_run=minutes, rates=RATES, search=losses)


if __name__ == "__main__":
    run(main)
