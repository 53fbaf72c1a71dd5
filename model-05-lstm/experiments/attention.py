"""What is gained by looking back? The ladder's LSTM, and two that attend to 256 past states, of as many parameters.

    python experiments/attention.py                 trains what is missing in checkpoints/, one seed each
    python experiments/attention.py --seeds 3       seeds 1337, 1338 and 1339
    python experiments/attention.py --only plain dot            without the dear one
    python experiments/attention.py --steps 400     what is not its own goes to both training scripts

    plain       train.py --preset ladder                                      checkpoints/ladder
    dot         train_attention.py --preset ladder --attention dot            checkpoints/attention-ladder-dot
    additive    train_attention.py --preset ladder --attention additive       checkpoints/attention-ladder-additive

Fables: how far the loss is above the exact floor, and recall by distance (forced choice). The three differ in more than
the attention: with equal parameters, what it has is taken from the layers. results/attention.json has a row for each
run, the figure the mean of the seeds and, as a bar, their range (of a single run: its standard error).
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from generate import load

from shared.console import positive_int, run, say
from shared.ladder import measure
from shared.results import Result
from shared.visualize import plot_recall

SEED = 1337
NETWORKS = {  # name -> script, folder, flags
    "plain": ("train.py", "ladder", ()),
    "dot": ("train_attention.py", "attention-ladder-dot", ("--attention", "dot")),
    "additive": ("train_attention.py", "attention-ladder-additive", ("--attention", "additive")),
}


def of_seed(name: str, seed: int, checkpoints: Path, more: list[str]) -> dict:
    """What a run gives, trained now if it is not there: shared.ladder's measurements, and its summary."""
    script, folder, flags = NETWORKS[name]
    out = checkpoints / (folder if seed == SEED else f"{folder}-{seed}")
    if not (out / "summary.json").exists():  # is written when a run is complete
        say(f"trains     {name}, seed {seed}")
        command = [sys.executable, str(LESSON / script), "--preset", "ladder", "--seed", str(seed), *flags, *more]
        subprocess.run([*command, "--out", str(out)], check=True)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return measure(*load(out / "best.pt"), out) | {"run": summary}


def over_seeds(of_network: list[dict]) -> list[dict]:
    """The bands of one network's runs, as plot_recall takes them: their mean, with their range for an error."""
    if len(of_network) == 1:
        return of_network[0]["bands"]
    curve = []
    for of_band in zip(*[found["bands"] for found in of_network], strict=True):
        accuracies = [band["accuracy"] for band in of_band]
        error = (max(accuracies) - min(accuracies)) / 2
        curve.append(of_band[0] | {"accuracy": statistics.mean(accuracies), "error": error})
    return curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=positive_int, default=1, help="runs of each network (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=tuple(NETWORKS), default=list(NETWORKS), help="(all)")
    parser.add_argument("--checkpoints", type=Path, default=LESSON / "checkpoints", help="where their folders lie")
    args, more = parser.parse_known_args()
    seeds = range(SEED, SEED + args.seeds)
    runs = {name: [of_seed(name, seed, args.checkpoints, more) for seed in seeds] for name in args.only}
    first = runs[args.only[0]][0]
    bands = first["bands"]
    columns = ["attention", "seed", "steps", "parameters", "nats above the floor", "seconds per step", "threads"]
    result = Result(LESSON, "attention", columns + [f"{band['low']}-{band['high']}" for band in bands], SEED)
    for name, of_network in runs.items():
        for seed, found in zip(seeds, of_network, strict=True):
            result.add(name, str(seed), found["steps"], found["parameters"], found["above the floor"],
                       found["run"]["train_seconds"] / found["run"]["steps"], found["run"]["threads"],
                       *[f"{band['accuracy']:.0%}" for band in found["bands"]])  # fmt: skip
    result.add("floor; chance", None, None, None, 0.0, None, None, *[f"{band['chance']:.0%}" for band in bands])
    curves = {name: over_seeds(of_network) for name, of_network in runs.items()}
    plot_recall(result.path(".png"), curves, "Recall by distance, with attention and without")
    seconds = sum(found["run"]["train_seconds"] for of_network in runs.values() for found in of_network)
    found = {name: [found["bands"] for found in of_network] for name, of_network in runs.items()}
    result.save(minutes=round(seconds / 60, 2), threads=None, floor=first["floor"], bands=found)


if __name__ == "__main__":
    run(main)
