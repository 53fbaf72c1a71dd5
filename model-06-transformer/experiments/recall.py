"""What does a network that looks back still know, d characters later? Fables, beside the lessons before.

    python experiments/presets.py ladder        first
    python experiments/recall.py
    python experiments/recall.py --seeds        RNN, GRU, LSTM and Transformer with three seeds each

The last row of the ladder that all lessons share: how far the loss is above the exact floor, and the forced choice
among all heroes (objects, places) by distance, beside chance. The rows of lessons 01 to 05 are read from their
results/recall.json; the column "steps" says whether two networks were trained for equally long. The cache is carried
as the others' states are: a token sees between half a window of 256 characters and a whole one.

--seeds trains what is missing: --preset ladder of each of the four lessons, with that lesson's own train.py, into its
checkpoints/ladder-SEED (the first seed's lies in checkpoints/ladder), and writes results/recall_seeds.json and .png.
"""

import argparse
import json
import statistics
import subprocess
import sys

from short_run import LESSON, load_run

from shared.console import run, say
from shared.ladder import RECALL, measure, rows_before
from shared.results import Result
from shared.visualize import plot_recall

NETWORKS = {"RNN": "model-03-rnn", "GRU": "model-04-gru", "LSTM": "model-05-lstm", "Transformer": LESSON.name}
BEFORE = {"model-01-ngram": ["10-gram"], "model-02-mlp": None, "model-03-rnn": None, "model-04-gru": None,
          "model-05-lstm": None}  # fmt: skip
SEEDS = 1337, 1338, 1339


def six_rows() -> None:
    """results/recall.json: the ladder."""
    model, tokens = load_run(LESSON / "checkpoints" / "ladder", "fables")
    here = measure(model, tokens.tokenizer, LESSON / "checkpoints" / "ladder")
    name = f"Transformer, {model.config.num_layers} x {model.config.embedding_dim}"
    row = (name, here["steps"], here["parameters"], here["above the floor"], here["bands"])
    columns = ["model", "steps", "parameters, or counts", "nats above the floor"]
    columns += [f"{band['low']}-{band['high']}" for band in here["bands"]]
    result, models = Result(LESSON, "recall", columns, SEEDS[0]), [*rows_before(BEFORE), row]
    for *about, bands in models:
        result.add(*about, *[f"{band['accuracy']:.0%}" for band in bands])
    result.add("floor; chance", None, None, 0.0, *[f"{band['chance']:.0%}" for band in here["bands"]])
    plot_recall(result.path(".png"), {about[0]: about[-1] for about in models}, "What looking back recalls")
    result.save(floor=here["floor"], loss=here["loss"], steps=here["steps"], bands={name: here["bands"]})


def of_seed(lesson: str, seed: int) -> dict:
    """What the ladder's network of a lesson recalls; trained and asked in processes of their own where need be."""
    folder = LESSON.parent / lesson
    out = folder / "checkpoints" / ("ladder" if seed == SEEDS[0] else f"ladder-{seed}")
    if not (out / "summary.json").exists():  # is written when a run is complete
        say(f"trains     {lesson}, seed {seed}")
        command = [sys.executable, str(folder / "train.py"), "--preset", "ladder", "--seed", str(seed)]
        subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "shared.ladder", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=LESSON.parent)
    return json.loads((out / RECALL).read_text(encoding="utf-8"))


def three_seeds() -> None:
    """results/recall_seeds.json: mean and range of each network."""
    result, curves, found = None, {}, {}
    for name, lesson in NETWORKS.items():
        runs = found[name] = [of_seed(lesson, seed) for seed in SEEDS]
        bands = list(zip(*[run["bands"] for run in runs], strict=True))
        if result is None:
            columns = ["network", "steps", "parameters", "nats above the floor", "lowest to highest"]
            result = Result(LESSON, "recall_seeds", columns + [f"{b['low']}-{b['high']}" for b, *_ in bands], SEEDS[0])
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
    parser.add_argument("--seeds", action="store_true", help="four networks, three seeds each")
    three_seeds() if parser.parse_args().seeds else six_rows()


if __name__ == "__main__":
    run(main)
