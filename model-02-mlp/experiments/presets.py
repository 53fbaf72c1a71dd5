"""What each preset gives: trains them all into a temporary folder and tabulates their summary.json. Half an hour.

    python experiments/presets.py
    python experiments/presets.py quick names        only these; the rows of the others stay as they are
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from train import PRESETS

from shared.console import LearnerError, nearest, run
from shared.results import Result

COLUMNS = ["preset", "corpus", "tokens", "context", "parameters", "loss, nats per token", "bits per character",
           "perplexity", "floor, nats", "training loss", "minutes"]  # fmt: skip


def main() -> None:
    chosen = sys.argv[1:] or list(PRESETS)
    for name in chosen:
        if name not in PRESETS:
            raise LearnerError(f"no preset is called {name!r}:{nearest(name, PRESETS)}")
    result, rows = Result(LESSON, "presets", COLUMNS, seed=1337), {}
    if result.path().exists():
        rows = {row[0]: row for row in json.loads(result.path().read_text(encoding="utf-8"))["rows"]}
    for name in chosen:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, str(LESSON / "train.py"), "--preset", name, "--out", out]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))
        perplexity = summary.get("val_perplexity")
        result.add(name, summary["dataset"], summary["tokenizer"], summary["settings"]["context_length"],
                   summary["parameters"], summary["val_loss"], summary["val_bits_per_char"],
                   perplexity and f"{perplexity:.1f}", summary["floor"], summary["train_loss"],
                   f"{summary['train_seconds'] / 60:.1f}")  # fmt: skip
    rows |= {row[0]: row for row in result.rows}
    result.rows = [rows[name] for name in PRESETS if name in rows]
    result.save()


if __name__ == "__main__":
    run(main)
