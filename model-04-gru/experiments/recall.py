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
from shared.ladder import measure, tabulate

CHECKPOINT = LESSON / "checkpoints" / "ladder" / "best.pt"
BEFORE = {"model-01-ngram": ["10-gram"], "model-02-mlp": None, "model-03-rnn": None}  # None: all that it has


def main() -> None:
    if not CHECKPOINT.exists():
        command = "python train.py --preset ladder --out checkpoints/ladder"
        raise LearnerError(f"no checkpoint at {relative(CHECKPOINT)}: train it first, with {command}")
    model, tokenizer = load(CHECKPOINT)
    name = f"GRU, {model.config.num_layers} x {model.config.hidden_size}"
    tabulate(LESSON, name, measure(model, tokenizer, CHECKPOINT.parent), BEFORE, "What a gated network recalls")


if __name__ == "__main__":
    run(main)
