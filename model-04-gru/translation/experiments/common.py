"""What the experiments share: runs of train_translation.py, each in a folder of its own, trained where it is not there.

No experiment by itself: it writes nothing but checkpoints/NAME. Imported first, it puts the translation folder on the
path, which puts the lesson's there.
"""

import argparse
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(FOLDER))

from evaluate import outputs_of
from text import Languages
from torch import nn
from translate import load

from shared.console import positive_float, positive_int, say
from shared.data.pairs import load_pairs

LESSON = FOLDER.parent
SEEDS = (1, 2, 3)


class Trained(NamedTuple):
    """A finished run."""

    model: nn.Module
    languages: Languages
    summary: dict


def budget(description: str, **flags) -> argparse.Namespace:
    """The command line of an experiment: how long each run may take; `flags` are others, with their defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="grammar", help="of train_translation.py (%(default)s)")
    parser.add_argument("--steps", type=positive_int, help="of each run, instead of the preset's")
    parser.add_argument("--minutes", type=positive_float, help="for each run, instead of the preset's steps")
    for name, default in flags.items():
        many = {"nargs": "+"} if isinstance(default, tuple) else {}
        parser.add_argument(f"--{name}", type=int, default=default, **many, help="%(default)s")
    return parser.parse_args()


def trained(name: str, args: argparse.Namespace, *flags) -> Trained:
    """The run in checkpoints/NAME, with these flags and this budget; another one found there is moved aside."""
    folder = FOLDER / "checkpoints" / name
    flags = ["--preset", args.preset, *map(str, flags), "--out", str(folder)]
    for given in ("steps", "minutes"):
        if value := getattr(args, given):
            flags += [f"--{given}", str(value)]
    path = folder / "summary.json"
    if not path.exists() or json.loads(path.read_text(encoding="utf-8"))["argv"] != flags:
        say(f"trains     {name}")
        script = [sys.executable, str(FOLDER / "train_translation.py")]
        subprocess.run([*script, *flags], check=True, stdout=subprocess.DEVNULL)
    model, languages, _ = load(folder / "best.pt")
    return Trained(model, languages, json.loads(path.read_text(encoding="utf-8")))


@cache
def test_pairs(dataset: str) -> list[tuple[str, str]]:
    """The test split."""
    return load_pairs(dataset).test


def on_test(run: Trained, beam: int) -> tuple[list[tuple[str, str]], list[str]]:
    """The pairs of the test split, and what the run makes of their sources."""
    pairs = test_pairs(run.summary["dataset"])
    return pairs, [translation.text for translation in outputs_of(run.model, run.languages, pairs, beam)]


def about(run: Trained) -> dict:
    """What a result file keeps of a run."""
    kept = "seed", "attention", "parameters", "steps", "train_seconds", "val_loss", "precision", "threads"
    return {name: run.summary[name] for name in kept}
