"""What does a gated network still know, d characters later? Fables, beside the lessons before.

    python train.py --preset ladder --out checkpoints/ladder       first
    python experiments/recall.py

The next row of the ladder that all lessons share: how far the loss is above the exact floor, and the forced choice
among all heroes (objects, places) by distance, beside chance. The rows of lessons 01 to 03 are read from their
results/recall.json; the column "steps" says whether two networks were trained for equally long.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from inference import training_row
from short_run import carried_loss, parameters

from shared.console import LearnerError, run, say
from shared.data import load_corpus
from shared.files import relative
from shared.recall import by_distance, recall
from shared.results import Result
from shared.visualize import plot_recall

CHECKPOINT = LESSON / "checkpoints" / "ladder" / "best.pt"
BEFORE = {"model-01-ngram": ["10-gram"], "model-02-mlp": None, "model-03-rnn": None}  # None: all that it has


def lessons_before() -> Iterator[tuple]:
    """(name, steps, parameters, nats above the floor, bands of distances) of each model whose results are there."""
    for lesson, wanted in BEFORE.items():
        path = LESSON.parent / lesson / "results" / "recall.json"
        if not path.exists():
            say(f"no row of {lesson}: {relative(path)} is not there")
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = {str(row[0]): dict(zip(found["columns"], row, strict=True)) for row in found["rows"]}
        for name in wanted or found["bands"]:
            row = rows.get(name.removesuffix("-gram"), {})
            size = row.get("parameters", row.get("distinct n-grams"))
            yield name, found.get("steps"), size, row.get("above the floor"), found["bands"][name]


def main() -> None:
    if not CHECKPOINT.exists():
        command = "python train.py --preset ladder --out checkpoints/ladder"
        raise LearnerError(f"no checkpoint at {relative(CHECKPOINT)}: train it first, with {command}")
    corpus, (model, tokenizer) = load_corpus("fables"), load(CHECKPOINT)
    if tokenizer.unknown(corpus.val):
        raise LearnerError(f"{relative(CHECKPOINT)} was not trained on fables: train the preset ladder again")
    floor = corpus.floor["val"]
    loss = carried_loss(model, torch.tensor(tokenizer.encode(corpus.val)))
    bands = by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"]))
    name = f"GRU, {model.config.num_layers} x {model.config.hidden_size}"
    here = (name, training_row(CHECKPOINT, loss)["step"], parameters(model), loss - floor, bands)
    columns = ["model", "steps", "parameters, or counts", "nats above the floor"]
    result = Result(LESSON, "recall", columns + [f"{band['low']}-{band['high']}" for band in bands], 1337)
    models = [*lessons_before(), here]
    for *about, found in models:
        result.add(*about, *[f"{band['accuracy']:.0%}" for band in found])
    result.add("floor; chance", None, None, 0.0, *[f"{band['chance']:.0%}" for band in bands])
    curves = {about[0]: about[-1] for about in models}
    plot_recall(result.path(".png"), curves, "What a gated network recalls")
    result.save(floor=floor, loss=loss, steps=here[1], bands={name: bands})


if __name__ == "__main__":
    run(main)
