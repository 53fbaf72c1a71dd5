"""Runs of a train_translation.py: its flags, its last lines, and what the experiments do with whole runs."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from torch import nn

from shared.console import LearnerError, common_flags, parse, positive_float, positive_int, say
from shared.data.pairs import NAMES, Pairs, load_pairs
from shared.data.sentence_pairs import Languages
from shared.files import relative
from shared.results import Result
from shared.runs import plain, read_metrics, write_summary
from shared.translation import mark
from shared.translation_scores import bleu, describe, exact_match, outputs_of
from shared.visualize import plot_loss

SEEDS = (1, 2, 3)
MINUTES = 30.0  # for each run of `seeds`, where nothing else is said
SEED_COLUMNS = ["model", "parameters", "steps", "minutes of training", "validation loss, nats", "exact match", "BLEU",
                "lowest", "highest"]  # fmt: skip


# While training


def training_flags(parser: argparse.ArgumentParser, presets: dict[str, dict]) -> None:
    """The flags of every train_translation.py. The parser's conflict_handler is "resolve": some replace common ones."""
    common_flags(parser, presets)
    add = parser.add_argument
    add("--dataset", "--data", choices=sorted(NAMES), help="sentence pairs (the preset's)")
    add("--tokenizer", choices=("word", "bpe", "unigram"), help="one for each side (the preset's)")
    add("--min-count", type=positive_int, help="words seen less often become <unk>")
    add("--label-smoothing", type=float, help="share of the target's probability that goes to all tokens alike")
    add("--clip", type=float, help="largest norm of the gradient; 0 leaves it as it is")
    add("--weight-decay", type=float, help="of AdamW")
    add("--warmup", type=positive_int, help="steps until the learning rate is at its highest")


def parse_pairs(parser: argparse.ArgumentParser, presets: dict[str, dict]) -> argparse.Namespace:
    """Parse the command line. Pairs that are named bring the preset of that name, unless another one is named, too."""
    if dataset := parser.parse_known_args()[0].dataset:
        parser.set_defaults(preset=dataset)
    args = parse(parser, presets)
    if not 0 <= args.label_smoothing < 1:
        raise LearnerError(f"--label-smoothing {args.label_smoothing}: must be 0 or more, and below 1")
    return args


def finish(folder: Path, home: Path, args, pairs: Pairs, languages: Languages, model: nn.Module, seconds: float,
           tokens: int, untrained: float, **more) -> None:  # fmt: skip
    """After the last step: loss.png, summary.json, the last lines. home: the translation folder; more: for the summary,
    what the network is."""
    rows = read_metrics(folder)
    best = min(rows, key=lambda row: row["val_loss"])
    plot_loss(folder / "loss.png", rows)
    write_summary(
        folder, lesson=mark(home), dataset=pairs.name, tokenizer=languages.name,
        parameters=sum(parameter.numel() for parameter in model.parameters()), steps=args.steps,
        tokens_seen=tokens, train_seconds=seconds, tokens_per_second=tokens / seconds,
        **{key: value for key, value in best.items() if key.startswith("val_")}, val_loss_last=rows[-1]["val_loss"],
        val_bits_per_char=None, train_loss=rows[-1]["train_loss"], first_loss=untrained, floor=None,
        context_policy="whole sentences", **more, seed=args.seed, device=next(model.parameters()).device.type,
        precision=args.precision, preset=args.preset, settings=plain(args),
    )  # fmt: skip
    where = "" if folder == home / "checkpoints" else f" --checkpoint {relative(folder / 'best.pt')}"
    evaluate, translate = (relative(home / name) for name in ("evaluate.py", "translate.py"))
    say(f"\nvalidation {describe(best)}")
    say(f"files      {relative(folder)}")
    say(f"next       python {evaluate}{where}   or   python {translate}{where}")


# Experiments: whole runs


class Trained(NamedTuple):
    """A finished run."""

    model: nn.Module
    languages: Languages
    summary: dict


def budget(description: str, preset: str = "grammar", **flags) -> argparse.Namespace:
    """The command line of an experiment: how long each run may take; `flags` are others, with their defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default=preset, help="of train_translation.py (%(default)s)")
    parser.add_argument("--steps", type=positive_int, help="of each run, instead of the preset's")
    parser.add_argument("--minutes", type=positive_float, help="for each run, instead of the preset's steps")
    for name, default in flags.items():
        many = {"nargs": "+"} if isinstance(default, tuple) else {}
        parser.add_argument(f"--{name}", type=int, default=default, **many, help="%(default)s")
    return parser.parse_args()


def trained(home: Path, load: Callable, name: str, args: argparse.Namespace, *flags) -> Trained:
    """The run in checkpoints/NAME of a translation folder, with these flags and this budget; another one found there is
    moved aside. load: that folder's, of translate.py."""
    folder = home / "checkpoints" / name
    flags = ["--preset", args.preset, *map(str, flags), "--out", str(folder)]
    for given in ("steps", "minutes"):
        if value := getattr(args, given):
            flags += [f"--{given}", str(value)]
    path = folder / "summary.json"
    if not path.exists() or json.loads(path.read_text(encoding="utf-8"))["argv"] != flags:
        say(f"trains     {name}")
        script = [sys.executable, str(home / "train_translation.py")]
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
    return {name: run.summary[name] for name in kept if name in run.summary}


def seed_budget(description: str) -> argparse.Namespace:
    """The command line of an experiment that is `of_seeds`: Multi30k, equal time for each run."""
    args = budget(description, preset="multi30k", seeds=SEEDS, beam=1)
    if not args.steps and not args.minutes:
        args.minutes = MINUTES
    bleu(["a word"], ["a word"])  # LearnerError where it cannot be computed: now, not after hours of training
    return args


def of_seeds(result: Result, model_name: str, one: Callable, args: argparse.Namespace) -> dict:
    """A row of SEED_COLUMNS on the test split, mean and range, from a run with each seed; returns what else the file
    keeps. one(name, args, *flags): `trained` of a translation folder."""
    runs, signature = [], None
    for seed in args.seeds:
        run = one(f"seeds-{args.preset}-{seed}", args, "--seed", seed)
        pairs, texts = on_test(run, args.beam)
        references = [target for _, target in pairs]
        score, signature = bleu(texts, references)
        runs.append(about(run) | {"model": model_name, "exact": exact_match(texts, references), "bleu": score})
        say(f"{model_name}, seed {seed}: {score:.1f} BLEU after {run.summary['train_seconds'] / 60:.1f} minutes")
    steps, scores = sorted({run["steps"] for run in runs}), [run["bleu"] for run in runs]
    minutes = mean(run["train_seconds"] for run in runs) / 60
    result.add(model_name, runs[0]["parameters"], " to ".join(f"{n:,}" for n in dict.fromkeys((steps[0], steps[-1]))),
               f"{minutes:.1f}", mean(run["val_loss"] for run in runs), mean(run["exact"] for run in runs),
               mean(scores), min(scores), max(scores))  # fmt: skip
    return {"runs": runs, "preset": args.preset, "budget": args.minutes, "seeds": list(args.seeds), "beam": args.beam,
            "signature": signature}  # fmt: skip
