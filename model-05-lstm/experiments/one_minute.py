"""What a minute is worth: the default preset and the small one, each with as many steps as fit into it.

    python experiments/one_minute.py            about 3 minutes, while nothing else runs

The minute is that of the training steps; evaluations, samples and the start come on top. What has been trained before
(checkpoints/minute-PRESET) is not trained again.
"""

import json
import subprocess
import sys
from pathlib import Path

from shared.console import run, say
from shared.results import Result

LESSON = Path(__file__).resolve().parents[1]
NAMES = "quick", "default"


def main() -> None:
    columns = ["preset", "parameters", "steps", "training loss", "validation loss, nats", "bits per character",
               "seconds of steps"]  # fmt: skip
    result, seconds = Result(LESSON, "one_minute", columns, 1337), 0.0
    for name in NAMES:
        folder = LESSON / "checkpoints" / f"minute-{name}"
        if not (folder / "summary.json").exists():  # is written when a run is complete
            say(f"trains     {name}")
            command = [sys.executable, str(LESSON / "train.py"), "--preset", name, "--minutes", "1", "--out", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        result.add(name, summary["parameters"], summary["steps"], summary["train_loss"], summary["val_loss"],
                   summary["val_bits_per_char"], f"{summary['train_seconds']:.0f}")  # fmt: skip
        seconds += summary["train_seconds"]
    result.save(minutes=round(seconds / 60, 2), threads=summary["threads"])


if __name__ == "__main__":
    run(main)
