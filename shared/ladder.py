"""The ladder: what the network of a lesson's `--preset ladder` recalls, beside those of the other lessons.

    python -m shared.ladder model-04-gru/checkpoints/ladder-1338        writes recall.json into that run's folder
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from shared.console import LearnerError, run, say
from shared.data import load_corpus
from shared.evaluation import token_losses
from shared.files import relative, write_json
from shared.lessons import ROOT, find_lesson, load
from shared.recall import by_distance, recall
from shared.results import Result
from shared.runs import read_metrics
from shared.visualize import plot_recall

RECALL, SEEDS = "recall.json", (1337, 1338, 1339)


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


def tabulate(lesson: Path, name: str, here: dict, before: dict[str, list[str] | None], title: str) -> None:
    """results/recall.json and .png of a lesson: the rows before it, its own (what `measure` returned), and chance."""
    models = [*rows_before(before), (name, *(here[key] for key in ("steps", "parameters", "above the floor", "bands")))]
    columns = ["model", "steps", "parameters, or counts", "nats above the floor"]
    result = Result(lesson, "recall", columns + [f"{band['low']}-{band['high']}" for band in here["bands"]], SEEDS[0])
    for *about, bands in models:
        result.add(*about, *[f"{band['accuracy']:.0%}" for band in bands])
    result.add("floor; chance", None, None, 0.0, *[f"{band['chance']:.0%}" for band in here["bands"]])
    plot_recall(result.path(".png"), {about[0]: about[-1] for about in models}, title)
    result.save(floor=here["floor"], loss=here["loss"], steps=here["steps"], bands={name: here["bands"]})


def of_seed(lesson: str, seed: int) -> dict:
    """What the ladder's network of a lesson recalls; trained and asked in processes of their own where need be."""
    folder = ROOT / lesson
    out = folder / "checkpoints" / ("ladder" if seed == SEEDS[0] else f"ladder-{seed}")
    if not (out / "summary.json").exists():  # is written when a run is complete
        say(f"trains     {lesson}, seed {seed}")
        command = [sys.executable, str(folder / "train.py"), "--preset", "ladder", "--seed", str(seed)]
        subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "shared.ladder", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return json.loads((out / RECALL).read_text(encoding="utf-8"))


def tabulate_seeds(lesson: Path, networks: dict[str, str]) -> None:
    """results/recall_seeds.json and .png: mean and range of each network, over SEEDS. networks: name -> its lesson."""
    result, curves, found = None, {}, {}
    for name, of_lesson in networks.items():
        runs = found[name] = [of_seed(of_lesson, seed) for seed in SEEDS]
        bands = list(zip(*[run["bands"] for run in runs], strict=True))
        if result is None:
            columns = ["network", "steps", "parameters", "nats above the floor", "lowest to highest"]
            result = Result(lesson, "recall_seeds", columns + [f"{b['low']}-{b['high']}" for b, *_ in bands], SEEDS[0])
        above = [run["above the floor"] for run in runs]
        spans = [sorted(band["accuracy"] for band in of_seeds) for of_seeds in bands]
        steps = sorted({run["steps"] for run in runs})
        result.add(name, " to ".join(f"{step:,}" for step in dict.fromkeys((steps[0], steps[-1]))),
                   runs[0]["parameters"], statistics.mean(above), f"{min(above):.4f} to {max(above):.4f}",
                   *[f"{statistics.mean(span):.0%} ({span[0]:.0%} to {span[-1]:.0%})" for span in spans])  # fmt: skip
        curves[name] = [of_seeds[0] | {"accuracy": (span[0] + span[-1]) / 2, "error": (span[-1] - span[0]) / 2}
                        for of_seeds, span in zip(bands, spans, strict=True)]  # fmt: skip
    chance = [f"{band['chance']:.0%}" for band in runs[0]["bands"]]
    result.add("floor; chance", None, None, 0.0, None, *chance)
    plot_recall(result.path(".png"), curves, "Recall by distance: the range of three seeds")
    result.save(seeds=SEEDS, bands={name: [run["bands"] for run in runs] for name, runs in found.items()})


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
