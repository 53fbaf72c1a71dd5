"""What looking back brings in a minute: on Tiny Shakespeare, of as many parameters and in as many steps, three seeds.

    python experiments/attention_quick.py       nine runs of --preset quick, about 12 minutes on one core

plain: train.py. dot and additive: train_attention.py, one head over the last 128 states. What attention has of the
parameters is taken from the layer, and in equal time the plain network makes more steps: the last column says how many
more. experiments/attention.py asks the same on fables, and by distance.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from shared.console import run, say
from shared.results import Result

LESSON = Path(__file__).resolve().parents[1]
NETWORKS = {
    "plain": ("train.py",),
    "dot": ("train_attention.py", "--attention=dot"),
    "additive": ("train_attention.py", "--attention=additive"),
}
SEEDS = (1337, 1338, 1339)


def train(name: str, seed: int) -> dict:
    """The summary of one run."""
    script, *flags = NETWORKS[name]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(LESSON / script), "--preset=quick", "--dataset=shakespeare", f"--seed={seed}"]
        subprocess.run([*command, *flags, "--out", out], check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))
    say(f"{name}, seed {seed}: {summary['val_loss']:.4f}")
    return summary


def main() -> None:
    columns = ["attention", "parameters", "steps", "validation loss, nats", "lowest to highest", "of each seed",
               "ms per step", "of the plain network's"]  # fmt: skip
    result, plain = Result(LESSON, "attention_quick", columns, SEEDS[0]), None
    for name in NETWORKS:
        runs = [train(name, seed) for seed in SEEDS]
        losses = [summary["val_loss"] for summary in runs]
        each = statistics.median(1000 * summary["train_seconds"] / summary["steps"] for summary in runs)
        plain = plain or each
        result.add(name, runs[0]["parameters"], runs[0]["steps"], statistics.mean(losses),
                   f"{min(losses):.4f} to {max(losses):.4f}", ", ".join(f"{loss:.4f}" for loss in losses), each,
                   f"{each / plain:.2f}")  # fmt: skip
    result.save(seeds=SEEDS, threads=runs[0]["threads"])


if __name__ == "__main__":
    run(main)
