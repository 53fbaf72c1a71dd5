"""What does a gated network still know, d characters later? Fables, beside the lessons before.

    python train.py --preset ladder --out checkpoints/ladder       first
    python experiments/recall.py

The next row of the ladder that all lessons share: how far the loss is above the exact floor, and the forced choice
among all heroes (objects, places) by distance, beside chance. The rows of lessons 01 to 03 are read from their
results/recall.json; the column "steps" says whether two networks were trained for equally long.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from generate import load

from shared.console import LearnerError, run
from shared.files import relative
from shared.ladder import measure, rows_before
from shared.results import Result
from shared.visualize import plot_recall

CHECKPOINT = LESSON / "checkpoints" / "ladder" / "best.pt"
BEFORE = {"model-01-ngram": ["10-gram"], "model-02-mlp": None, "model-03-rnn": None}  # None: all that it has


def main() -> None:
    if not CHECKPOINT.exists():
        command = "python train.py --preset ladder --out checkpoints/ladder"
        raise LearnerError(f"no checkpoint at {relative(CHECKPOINT)}: train it first, with {command}")
    model, tokenizer = load(CHECKPOINT)
    here = measure(model, tokenizer, CHECKPOINT.parent)
    name, bands = f"GRU, {model.config.num_layers} x {model.config.hidden_size}", here["bands"]
    row = (name, here["steps"], here["parameters"], here["above the floor"], bands)
    columns = ["model", "steps", "parameters, or counts", "nats above the floor"]
    result = Result(LESSON, "recall", columns + [f"{band['low']}-{band['high']}" for band in bands], 1337)
    models = [*rows_before(BEFORE), row]
    for *about, found in models:
        result.add(*about, *[f"{band['accuracy']:.0%}" for band in found])
    result.add("floor; chance", None, None, 0.0, *[f"{band['chance']:.0%}" for band in bands])
    curves = {about[0]: about[-1] for about in models}
    plot_recall(result.path(".png"), curves, "What a gated network recalls")
    result.save(floor=here["floor"], loss=here["loss"], steps=here["steps"], bands={name: bands})


if __name__ == "__main__":
    run(main)
