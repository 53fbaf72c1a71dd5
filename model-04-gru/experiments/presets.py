"""What each preset gives: trains it, tabulates its summary.json, and lets it write with and without its state.

    python experiments/presets.py quick astra-alpha            in full; the rows of the others stay as they are
    python experiments/presets.py --minutes 15 astra-gamma     a budget instead of the full schedule; the table says so
    python experiments/presets.py --device cuda astra-beta astra-gamma scribe-beta scribe-gamma

The checkpoint stays in checkpoints/<preset>/. From it, for the six published sizes, results/<preset>/stateful.txt and
stateless.txt: the same weights, prompts and seeds, one reading with its state and one that drops it before every token.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from train import PRESETS

from shared.console import LearnerError, nearest, positive_float, run, say
from shared.evaluation import describe_loss
from shared.results import Result
from shared.sampling import generate

COLUMNS = ["preset", "corpus", "tokens", "parameters", "loss, nats per token", "bits per character", "floor, nats",
           "training loss", "schedule", "steps", "of", "minutes", "on"]  # fmt: skip
SAMPLINGS = {"greedy": {"greedy": True}, "temperature 0.8": {"temperature": 0.8}, "top-k 30": {"top_k": 30}}
PROMPT, LENGTH, SEED = "ROMEO:\n", 600, 1337


def write_texts(name: str, folder: Path, summary: dict) -> None:
    """results/<preset>/stateful.txt and stateless.txt, from one checkpoint."""
    model, tokenizer = load(folder / "best.pt")
    (LESSON / "results" / name).mkdir(parents=True, exist_ok=True)
    for policy, how in (("stateful", "state carried"), ("stateless", "state dropped before every token")):
        full = PRESETS[name]["steps"]
        lines = [f"{name}: validation loss {describe_loss(summary)}; {summary['steps']:,} of {full:,} steps; {how}"]
        for sampling, settings in SAMPLINGS.items():
            drawn = generate(model, tokenizer.encode(PROMPT), LENGTH, stateless=policy == "stateless",
                             generator=torch.Generator().manual_seed(SEED), **settings)  # fmt: skip
            lines += ["", f"--- {sampling}", PROMPT + tokenizer.decode(list(drawn))]
        text = "\n".join(lines).rstrip("\n") + "\n"
        (LESSON / "results" / name / f"{policy}.txt").write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+", metavar="NAME", help=", ".join(PRESETS))
    parser.add_argument("--minutes", type=positive_float, help="of training for each, instead of its full schedule")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (%(default)s)")
    args = parser.parse_args()
    for name in args.presets:
        if name not in PRESETS:
            raise LearnerError(f"no preset is called {name!r}:{nearest(name, PRESETS)}")
    result, rows = Result(LESSON, "presets", COLUMNS, SEED), {}
    if result.path().exists():
        rows = {row[0]: row for row in json.loads(result.path().read_text(encoding="utf-8"))["rows"]}
    budget = ["--minutes", str(args.minutes)] if args.minutes else []
    for name in args.presets:
        folder = LESSON / "checkpoints" / name
        command = [sys.executable, str(LESSON / "train.py"), "--preset", name, "--out", str(folder), *budget]
        subprocess.run([*command, "--device", args.device, "--seed", str(SEED)], check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        schedule = f"{args.minutes:g} minutes" if args.minutes else "in full"
        result.add(name, summary["dataset"], summary["tokenizer"], summary["parameters"], summary["val_loss"],
                   summary["val_bits_per_char"], summary["floor"], summary["train_loss"], schedule, summary["steps"],
                   PRESETS[name]["steps"], f"{summary['train_seconds'] / 60:.1f}", summary["device"])  # fmt: skip
        if "-" in name:
            write_texts(name, folder, summary)
    rows |= {row[0]: row for row in result.rows}
    result.rows = [rows[name] for name in PRESETS if name in rows]
    in_full = {row[0]: f"python train.py --preset {row[0]} --device cuda --out checkpoints/{row[0]}"
               for row in result.rows if row[8] != "in full"}  # fmt: skip
    for command in in_full.values():
        say(f"in full, on a GPU: {command}")
    result.save(in_full_on_a_gpu=in_full)


if __name__ == "__main__":
    run(main)
