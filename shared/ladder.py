"""The ladder: what the network of a lesson's `--preset ladder` recalls, beside those of the other lessons.

    python -m shared.ladder model-04-gru/checkpoints/ladder-1338        writes recall.json into that run's folder
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch

from shared.console import LearnerError, run, say
from shared.data import load_corpus
from shared.evaluation import token_losses
from shared.files import relative, write_json
from shared.lessons import ROOT, find_lesson, load
from shared.recall import by_distance, recall
from shared.runs import read_metrics

RECALL = "recall.json"


def measure(model, tokenizer, folder: Path) -> dict:
    """A network trained on fables, from the folder of its run: steps, parameters, validation loss and the floor under
    it (nats per character), and the bands of distances. LearnerError where it was trained on another text."""
    corpus = load_corpus("fables")
    if tokenizer.unknown(corpus.val):
        raise LearnerError(f"{relative(folder)} was not trained on fables: train the preset ladder again")
    loss, floor = float(token_losses(model, torch.tensor(tokenizer.encode(corpus.val))).mean()), corpus.floor["val"]
    rows = read_metrics(folder)
    return {
        "steps": min(rows, key=lambda row: row["val_loss"])["step"] if rows else None,  # those of the best checkpoint
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "loss": loss,
        "floor": floor,
        "above the floor": loss - floor,
        "bands": by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"])),
    }


def rows_before(lessons: dict[str, list[str] | None]) -> Iterator[tuple]:
    """(name, steps, parameters, nats above the floor, bands of distances) of earlier models, where there are results.

    lessons: model-01-ngram ... -> the names wanted of those in its results/recall.json, None for all. A line says what
    is not there.
    """
    for lesson, wanted in lessons.items():
        path = ROOT / lesson / "results" / RECALL
        if not path.exists():
            say(f"no row of {lesson}: {relative(path)} is not there")
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = {str(row[0]): dict(zip(found["columns"], row, strict=True)) for row in found["rows"]}
        for name in wanted or found["bands"]:
            row = rows.get(name.removesuffix("-gram"), {})
            size = next((row[column] for column in row if column.startswith(("parameters", "distinct"))), None)
            above = next((row[column] for column in row if column.endswith("above the floor")), None)
            yield name, found.get("steps"), size, above, found["bands"][name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a run on fables, with best.pt")
    folder = parser.parse_args().folder
    if not (folder / "best.pt").exists():
        raise LearnerError(f"no checkpoint in {relative(folder)}: train it first, with --preset ladder")
    lesson = torch.load(folder / "best.pt", map_location="cpu", weights_only=True)["lesson"]
    found = measure(*load(find_lesson(lesson) / "generate.py").load(folder / "best.pt"), folder)
    write_json(folder / RECALL, found)
    say(f"{found['above the floor']:.4f} nats above the floor")
    for band in found["bands"]:
        say(f"{band['low']:>4} to {band['high']:>3} characters: {band['accuracy']:.0%}, chance {band['chance']:.0%}")


if __name__ == "__main__":
    run(main)
