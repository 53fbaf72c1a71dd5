"""What does the MLP still know, d characters later? Fables, at the settings of `--preset ladder`.

    python train.py --preset ladder --out checkpoints/ladder      (or python experiments/presets.py ladder)
    python experiments/recall.py

The MLP on the ladder that all lessons share: the loss over the exact floor, and the forced choice among
all heroes (objects, places) by distance, beside chance.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from training import parameters

from shared.console import LearnerError, run
from shared.data import load_corpus
from shared.evaluation import token_losses
from shared.recall import by_distance, recall
from shared.results import Result
from shared.visualize import plot_recall

CHECKPOINT = LESSON / "checkpoints" / "ladder" / "best.pt"


def main() -> None:
    corpus = load_corpus("fables")
    columns = ["model", "loss, nats", "above the floor", "parameters"]
    result = Result(LESSON, "recall", columns)
    if not CHECKPOINT.exists():
        raise LearnerError(f"no file {CHECKPOINT}: python train.py --preset ladder --out checkpoints/ladder writes it")
    model, tokenizer = load(CHECKPOINT)
    loss = token_losses(model, torch.tensor(tokenizer.encode(corpus.val))).mean().item()
    bands = by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"]))
    columns += [f"{band['low']}-{band['high']}" for band in bands]
    floor = corpus.floor["val"]
    name = f"MLP, {model.config.context_length} characters"
    result.add(name, loss, loss - floor, parameters(model), *[f"{band['accuracy']:.0%}" for band in bands])
    result.add("floor; chance", floor, 0.0, None, *[f"{band['chance']:.0%}" for band in bands])
    plot_recall(result.path(".png"), {name: bands}, "What the MLP recalls")
    result.save(floor=floor, bands={name: bands})


if __name__ == "__main__":
    run(main)
