"""What each preset of a lesson gives: train them, keep their run folders, put their summaries into one table.

Each lesson's experiments/presets.py is a few lines around `tabulate`. The default's run goes to checkpoints/, where
generate.py looks for it; the others to checkpoints/NAME. Of each summary a copy without what is the machine's own, such
as paths, stays in results/summaries/NAME.json: the scoreboard reads it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from shared.console import LearnerError, nearest, positive_float, positive_int, say
from shared.files import write_json
from shared.results import Result, each_once

COLUMNS = ["preset", "corpus", "tokens", "parameters", "loss, nats per token", "bits per character", "perplexity",
           "floor, nats", "training loss", "steps", "minutes", "threads"]  # fmt: skip
NOT_KEPT = ("sample", "smoothing_details", "argv", "git_commit", "out", "data_dir", "resume")


def folder_of(lesson: Path, preset: str) -> Path:
    """Where the run of a preset lies."""
    return lesson / "checkpoints" if preset == "default" else lesson / "checkpoints" / preset


def tabulate(lesson: Path, presets: dict[str, dict], description: str, usual: Iterable[str] = ()) -> list[str]:
    """Train the presets named on the command line, write results/presets.json; returns the names done.

    usual: what is trained where none is named (default: all). The rows of presets not trained stay as they are. Raises
    LearnerError for a preset that is not there.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="PRESET", help=f"some of {', '.join(presets)}")
    parser.add_argument("--minutes", type=positive_float, help="a budget for each, instead of its full schedule")
    parser.add_argument("--batch-size", type=positive_int, help="for each, instead of its own; the table says so")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (%(default)s)")
    parser.add_argument("--no-training", action="store_true", help="only tabulate the runs in checkpoints/")
    args = parser.parse_args()
    for name in args.names:
        if name not in presets:
            raise LearnerError(f"no preset is called {name!r}:{nearest(name, presets)}")
    result = Result(lesson, "presets", COLUMNS, seed=1337)
    names = args.names or list(usual) or list(presets)
    for name in names:
        folder = folder_of(lesson, name)
        command = [sys.executable, str(lesson / "train.py"), "--preset", name, "--out", str(folder)]
        command += ["--device", args.device]
        if args.minutes:
            command += ["--minutes", str(args.minutes)]
        if args.batch_size:
            command += ["--batch-size", str(args.batch_size)]
        if not args.no_training:
            say(f"trains     {name}")
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if not (folder / "summary.json").exists():
            raise LearnerError(f"no run in {folder}: python train.py --preset {name} --out {folder} makes it")
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        result.add(*row_of(name, presets[name], summary))
        keep_summary(lesson, name, summary)
    result.add_earlier(presets)  # now, not before the training: another one may have ended meanwhile
    minutes = sum(float(row[COLUMNS.index("minutes")]) for row in result.rows)
    kept = [lesson / "results" / "summaries" / f"{row[0]}.json" for row in result.rows]
    kept = [json.loads(path.read_text(encoding="utf-8")) for path in kept if path.exists()]
    machines = each_once(summary["processor"] for summary in kept)
    # of all rows, whenever they were made; each has its threads
    result.save(minutes=round(minutes, 2), threads=None, processor=machines)
    return names


def row_of(name: str, preset: dict, summary: dict) -> list:
    """One row of the table, from a run's summary.json; where schedule or batch were cut short, the steps say so."""
    full, batch, perplexity = preset["steps"], summary["settings"]["batch_size"], summary.get("val_perplexity")
    steps = f"{summary['steps']:,}" + (f" of {full:,}" if summary["steps"] != full else "")
    steps += f", batch {batch}" if batch != preset["batch_size"] else ""
    return [name, summary["dataset"], summary["tokenizer"], summary["parameters"], summary["val_loss"],
            summary["val_bits_per_char"], perplexity and f"{perplexity:.1f}", summary["floor"], summary["train_loss"],
            steps, f"{summary['train_seconds'] / 60:.1f}", summary["threads"]]  # fmt: skip


def keep_summary(lesson: Path, preset: str, summary: dict) -> None:
    """Copy a run's summary to results/summaries/PRESET.json, without NOT_KEPT, there and among its settings."""
    kept = {key: value for key, value in summary.items() if key not in NOT_KEPT}
    if "settings" in kept:
        kept["settings"] = {key: value for key, value in kept["settings"].items() if key not in NOT_KEPT}
    (lesson / "results" / "summaries").mkdir(parents=True, exist_ok=True)
    write_json(lesson / "results" / "summaries" / f"{preset}.json", kept)


def write_samples(lesson: Path) -> None:
    """results/samples.md: the samples that the default preset wrote on its way, each under its step and loss."""
    samples = (folder_of(lesson, "default") / "samples.txt").read_text(encoding="utf-8")
    about = "Written by `experiments/presets.py`: the default preset on its way, one seed."
    lines = ["# Samples by loss", "", about, ""]
    for sample in samples.split("--- step ")[1:]:
        heading, text = sample.split("\n", 1)
        lines += [f"## Step {heading}", "", "```text", text.strip("\n"), "```", ""]
    text = "\n".join(lines[:-1]) + "\n"
    (lesson / "results" / "samples.md").write_text(text, encoding="utf-8", newline="\n")
