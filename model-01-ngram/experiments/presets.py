"""What each preset gives: trains them all into a temporary folder and tabulates their summary.json.

    python experiments/presets.py
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
from shared.presets import keep_summary
from shared.results import Result


def main() -> None:
    columns = ["preset", "corpus", "tokens", "order n", "loss, nats per token", "bits per character", "perplexity"]
    result = Result(LESSON, "presets", [*columns, "floor, nats", "distinct n-grams", "seconds"], seed=1337)
    for name in PRESETS:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, str(LESSON / "train.py"), "--preset", name, "--out", out]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))
            keep_summary(LESSON, name, summary)
        perplexity = summary.get("val_perplexity")
        result.add(name, summary["dataset"], summary["tokenizer"], summary["order"], summary["val_loss"],
                   summary["val_bits_per_char"], perplexity and f"{perplexity:.1f}", summary["floor"],
                   summary["parameters"], f"{summary['train_seconds']:.2f}")  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
