"""What each preset gives: trains them all into a temporary folder and tabulates their summary.json.

    python experiments/presets.py               about as long as all the presets together

The samples that the default preset writes on its way, from the first evaluation to the last, go to results/samples.md.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from train import PRESETS

from shared.console import run
from shared.results import Result


def write_samples(samples: str) -> None:
    """The samples.txt of a run as Markdown: each under its step and loss."""
    about = "Written by `experiments/presets.py`: the default preset on its way, one seed."
    lines = ["# Samples by loss", "", about, ""]
    for sample in samples.split("--- ")[1:]:
        heading, text = sample.split("\n", 1)
        lines += [f"## {heading.capitalize()}", "", "```text", text.strip("\n"), "```", ""]
    (LESSON / "results" / "samples.md").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    columns = ["preset", "corpus", "tokens", "parameters", "loss, nats per token", "bits per character", "perplexity"]
    result = Result(LESSON, "presets", [*columns, "floor, nats", "training loss", "steps", "minutes"], seed=1337)
    for name in PRESETS:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, str(LESSON / "train.py"), "--preset", name, "--out", out]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))
            if name == "default":
                write_samples((Path(out) / "samples.txt").read_text(encoding="utf-8"))
        perplexity = summary.get("val_perplexity")
        result.add(name, summary["dataset"], summary["tokenizer"], summary["parameters"], summary["val_loss"],
                   summary["val_bits_per_char"], perplexity and f"{perplexity:.1f}", summary["floor"],
                   summary["train_loss"], summary["steps"], f"{summary['train_seconds'] / 60:.1f}")  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
