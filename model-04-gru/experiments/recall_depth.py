"""Do more layers remember longer? Recall by distance for one, two and three layers on fables.

    python experiments/recall_depth.py                  equal parameters; about 20 minutes on one core
    python experiments/recall_depth.py --published      at the sizes of astra-alpha, beta and gamma: for a GPU
    python experiments/recall_depth.py --steps 4000     the full schedule of the preset ladder

Everything but the layers and the start of lm_head, which is train.py's usual one here, is that of `--preset ladder`:
fables, chunks of 256, batch 32. One seed. Two layers of 140 are as large as the preset's; the others have that number
of parameters within 1 %. Less than the full 4,000 steps may end before the network has learnt to remember at all: the
column "steps" says how many there were.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from generate import load
from short_run import parameters
from train import PRESETS

from shared.console import positive_int, run
from shared.data import load_corpus
from shared.recall import by_distance, recall
from shared.results import Result
from shared.visualize import plot_recall

STEPS, SEED = 1500, 1337
EQUAL = ((1, 128, 217), (2, 128, 140), (3, 128, 112))  # layers, embedding, hidden size
PUBLISHED = [tuple(PRESETS[f"astra-{name}"][key] for key in ("num_layers", "embedding_dim", "hidden_size"))
             for name in ("alpha", "beta", "gamma")]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--published", action="store_true", help="the published sizes instead of equal parameters")
    parser.add_argument("--steps", type=positive_int, default=STEPS, help="of training for each (%(default)s)")
    args = parser.parse_args()
    corpus, curves = load_corpus("fables"), {}
    columns = ["layers", "hidden size", "parameters", "steps", "training loss", "nats above the floor"]
    result = Result(LESSON, "recall_depth_published" if args.published else "recall_depth", columns, SEED)
    for layers, embedding, size in PUBLISHED if args.published else EQUAL:
        with tempfile.TemporaryDirectory() as out:
            flags = {"preset": "ladder", "num-layers": layers, "embedding-dim": embedding, "hidden-size": size}
            flags |= {"lm-head-std": 0, "steps": args.steps, "seed": SEED, "out": out}
            command = [sys.executable, str(LESSON / "train.py"), *[f"--{key}={value}" for key, value in flags.items()]]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            model, tokenizer = load(Path(out) / "best.pt")
            summary = json.loads((Path(out) / "summary.json").read_text(encoding="utf-8"))
        bands = curves[f"{layers} x {size}"] = by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"]))
        result.columns = columns + [f"{band['low']}-{band['high']}" for band in bands]
        accuracies = [f"{band['accuracy']:.0%}" for band in bands]
        above = summary["val_loss"] - corpus.floor["val"]
        result.add(layers, size, parameters(model), args.steps, summary["train_loss"], above, *accuracies)
    result.add("chance", *[None] * 5, *[f"{band['chance']:.0%}" for band in bands])
    plot_recall(result.path(".png"), curves, f"Layers and recall, {args.steps:,} steps")
    result.save(bands=curves)


if __name__ == "__main__":
    run(main)
