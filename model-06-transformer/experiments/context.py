"""How much context does recall need? The ladder's network with windows of 32 to 512 characters of fables.

    python experiments/context.py                   trains what is missing in checkpoints/, one seed each
    python experiments/context.py 64 256            these context lengths only
    python experiments/context.py --steps 400       what is not its own goes to train.py

All but the window is that of `--preset ladder`, and a step has as many characters in each case: a window half as long
comes twice as often. Loss above the exact floor and recall by distance (forced choice), the cache carried, so that a
token sees between half a window and a whole one (the rule in docs/math/06-transformer.md, (27)). Where the distance is
longer than the window the word is not there to be looked at. Where it is shorter, the network still has to have learnt
to look.

The window of 256 is the ladder's own run, in checkpoints/ladder; the others lie in checkpoints/context-LENGTH.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from short_run import LESSON, PRESETS, load

from shared.console import positive_int, run, say
from shared.ladder import measure
from shared.results import Result
from shared.visualize import plot_recall

LENGTHS, SEED, LADDER = (32, 64, 128, 256, 512), 1337, PRESETS["ladder"]
CHARACTERS = LADDER["batch_size"] * LADDER["context_length"]  # of a step


def of_length(length: int, checkpoints: Path, more: list[str]) -> dict:
    """What a run gives, trained now if it is not there: shared.ladder's measurements, and its summary."""
    out = checkpoints / ("ladder" if length == LADDER["context_length"] else f"context-{length}")
    if not (out / "summary.json").exists():  # is written when a run is complete
        say(f"trains     a context of {length}")
        flags = ["--context-length", str(length), "--batch-size", str(max(1, CHARACTERS // length))]
        command = [sys.executable, str(LESSON / "train.py"), "--preset", "ladder", "--seed", str(SEED), *flags, *more]
        subprocess.run([*command, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return measure(*load(out / "best.pt"), out) | {"run": summary}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lengths", nargs="*", type=positive_int, default=LENGTHS, help="context lengths, in characters")
    parser.add_argument("--checkpoints", type=Path, default=LESSON / "checkpoints", help="where their folders lie")
    args, more = parser.parse_known_args()
    runs = {length: of_length(length, args.checkpoints, more) for length in args.lengths}
    first = next(iter(runs.values()))
    columns = ["context", "steps", "parameters", "nats above the floor"]
    result = Result(LESSON, "context", columns + [f"{band['low']}-{band['high']}" for band in first["bands"]], SEED)
    for length, found in runs.items():
        about = length, found["steps"], found["parameters"], found["above the floor"]
        result.add(*about, *[f"{band['accuracy']:.0%}" for band in found["bands"]])
    result.add("floor; chance", None, None, 0.0, *[f"{band['chance']:.0%}" for band in first["bands"]])
    curves = {f"context {length}": found["bands"] for length, found in runs.items()}
    plot_recall(result.path(".png"), curves, "Recall by distance, with windows of so many characters")
    minutes = sum(found["run"]["train_seconds"] for found in runs.values()) / 60
    bands = {str(length): found["bands"] for length, found in runs.items()}
    result.save(minutes=round(minutes, 2), threads=None, floor=first["floor"], bands=bands)


if __name__ == "__main__":
    run(main)
