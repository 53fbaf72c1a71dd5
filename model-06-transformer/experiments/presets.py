"""What each preset gives, and what a step of it costs.

    python experiments/presets.py                          default, quick, mini, modern and ladder, one after another
    python experiments/presets.py gpt                      the large one: more than an hour on two cores
    python experiments/presets.py --minutes 10 gpt         a budget instead of the full schedule; the table says so
    python experiments/presets.py --device cuda gpt        in full, on a GPU
    python experiments/presets.py --no-training quick      only the tables, from the runs in checkpoints/

results/presets.json has the losses (consecutive windows); results/preset_cost.json, of every run that has a summary in
results/summaries/, the loss in sliding windows, the seconds per step, and what the full schedule of its preset takes at
that speed; results/samples.md what the default writes on its way.
"""

import json
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from train import PRESETS

from shared.console import duration, run
from shared.presets import tabulate, write_samples
from shared.results import Result

USUAL = ("default", "quick", "mini", "modern", "ladder")


def write_costs() -> None:
    """results/preset_cost.json, from the summaries that are kept in results/."""
    columns = ["preset", "parameters", "loss in sliding windows, nats per token", "characters per step",
               "seconds per step", "steps in full", "time in full", "device", "threads", "precision",
               "processor"]  # fmt: skip
    result, minutes = Result(LESSON, "preset_cost", columns, seed=1337), 0.0
    for name, preset in PRESETS.items():
        path = LESSON / "results" / "summaries" / f"{name}.json"
        if path.exists():
            summary = json.loads(path.read_text(encoding="utf-8"))
            seconds = summary["train_seconds"] / summary["steps"]
            result.add(name, summary["parameters"], summary["val_loss_sliding"],
                       summary["tokens_seen"] // summary["steps"], seconds, preset["steps"],
                       duration(seconds * preset["steps"]), summary["device"], summary["threads"],
                       summary["precision"], summary["processor"])  # fmt: skip
            minutes += summary["train_seconds"] / 60
    result.save(minutes=round(minutes, 2), threads=None)


def main() -> None:
    if "default" in tabulate(LESSON, PRESETS, __doc__, USUAL):
        write_samples(LESSON)
    write_costs()


if __name__ == "__main__":
    run(main)
