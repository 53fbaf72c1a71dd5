"""The folder of a run: checkpoints that survive a kill at any moment, metrics, the summary.

A run folder holds best.pt, last.pt, metrics.jsonl (one object per evaluation), summary.json, loss.png and samples.txt.
A checkpoint holds weights, config and tokenizer as plain data: torch.load(path, weights_only=True) reads it.
"""

import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import torch

from shared.console import LearnerError, say, warn
from shared.evaluation import describe_loss
from shared.files import finite, free_name, relative, write_atomically, write_json
from shared.progress import record
from shared.sampling import generate, start_token
from shared.text_metrics import describe
from shared.visualize import plot_loss

RUN_FILES = ("best.pt", "last.pt", "metrics.jsonl", "summary.json", "loss.png", "samples.txt", "log_probs.pt")


def start_run(folder: Path) -> Path:
    """Make the folder of a new run. Files of an earlier run found there are moved aside, and the line says where."""
    for part in (folder, *folder.parents):
        if part.exists() and not part.is_dir():
            raise LearnerError(f"{part} is a file, not a folder: choose another place with --out")
    earlier = [folder / name for name in RUN_FILES if (folder / name).exists()]
    if earlier:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(max(file.stat().st_mtime for file in earlier)))
        aside = free_name(folder.resolve().with_name(f"{folder.resolve().name}-{stamp}"))
        aside.mkdir(parents=True)
        for file in earlier:
            shutil.move(file, aside / file.name)
        say(f"earlier run moved to {relative(aside)}")
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUN_FILES:  # what a run that was killed while saving left behind
        (folder / f"{name}.tmp").unlink(missing_ok=True)
    return folder


def save_checkpoint(path: Path, lesson: str, model, config: dict, tokenizer, **rest) -> None:
    """Save weights, config and tokenizer (and what else the lesson needs to resume), atomically."""
    checkpoint = {"format": 1, "lesson": lesson, "config": config, "tokenizer": tokenizer.to_dict()}
    checkpoint |= {"weights": model.state_dict(), **rest}

    def write(temporary):
        with open(temporary, "wb") as file:  # given a path, torch hides a full disk behind a RuntimeError
            torch.save(checkpoint, file)

    write_atomically(path, write)


def load_checkpoint(path: Path, lesson: str, config_class: type | None = None) -> dict:
    """Read a checkpoint of this lesson, wherever it was made, to the CPU. Raises LearnerError if it cannot be used.

    Given a config_class, it must hold a model with just these settings: a lesson may have more than one kind.
    """
    if not path.exists():
        raise LearnerError(f"no checkpoint at {relative(path)}: train first (python train.py) or give --checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise LearnerError(
            f"{relative(path)} cannot be read as a checkpoint ({type(error).__name__}): train again, or give another"
        ) from error
    if not isinstance(checkpoint, dict) or "lesson" not in checkpoint:
        raise LearnerError(f"{relative(path)} is not a checkpoint of this course: give one that a train.py wrote")
    if checkpoint["lesson"] != lesson:
        raise LearnerError(f"{relative(path)} belongs to {checkpoint['lesson']}, not to {lesson}: open it there")
    if config_class and set(checkpoint["config"]) != {field.name for field in fields(config_class)}:
        raise LearnerError(f"{relative(path)} is another kind of model: open it with the script that trained it")
    return checkpoint


def save_training(folder: Path, name: str, run: dict, model, optimizer, loader, **rest) -> None:
    """Save all that training needs to go on bit for bit: weights, optimiser, data position, random generators, step.

    `run` holds what does not change during a run: lesson, config, tokenizer and settings (all flags, decided values).
    """
    random = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    rest |= {"optimizer": optimizer.state_dict(), "loader": loader.state_dict(), "random": random}
    save_checkpoint(
        folder / name, run["lesson"], model, run["config"], run["tokenizer"], settings=run["settings"], **rest
    )


def restore(checkpoint: dict, model, optimizer, loader) -> None:
    """Put back what save_training saved."""
    model.load_state_dict(checkpoint["weights"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    loader.load_state_dict(checkpoint["loader"])
    torch.set_rng_state(checkpoint["random"]["cpu"])
    if "cuda" in checkpoint["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(checkpoint["random"]["cuda"])


def plain(args) -> dict:
    """Parsed flags as plain data, for a checkpoint or a summary: paths become text."""
    return {key: str(value) if isinstance(value, Path) else value for key, value in vars(args).items()}


def trim_metrics(folder: Path, step: int) -> None:
    """On resuming: forget the evaluations that came after the checkpoint's step."""
    rows = [row for row in read_metrics(folder) if row["step"] <= step]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = folder / "metrics.jsonl"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def log_metrics(folder: Path, **values) -> None:
    """Append one object to metrics.jsonl, on a line of its own even where a kill cut the last line off."""
    path = folder / "metrics.jsonl"
    cut_off = path.exists() and not path.read_bytes().endswith(b"\n")
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write("\n" * cut_off + json.dumps(finite(values)) + "\n")


def read_metrics(folder: Path) -> list[dict]:
    """The objects of metrics.jsonl, in order; a line cut off by a kill is left out."""
    rows, path = [], folder / "metrics.jsonl"
    for line in (path.read_text(encoding="utf-8") if path.exists() else "").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def write_summary(folder: Path, **values) -> dict:
    """Write summary.json: the given values and what describes the machine, the versions and the command."""
    summary = {**values, **machine(), "git_commit": git_commit(), "argv": sys.argv[1:]}
    write_json(folder / "summary.json", summary)
    return summary


def check_finite(loss: float, step: int, folder: Path) -> None:
    """Raise LearnerError where the loss is no number any more; the last checkpoint was saved before that."""
    if not math.isfinite(loss):
        raise LearnerError(
            f"the loss at step {step:,} is {loss}: the learning rate is too high, or gradients explode. Try half of "
            f"--lr; the last good checkpoint is {relative(folder / 'last.pt')}"
        )


def write_sample(folder: Path, model, tokenizer, step: int, loss: float, seed: int, length: int = 300) -> str:
    """Let the model write a text, add it to samples.txt under the step and the validation loss (nats), return it."""
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    drawn = generate(model, [start_token(tokenizer)], length, generator=generator, device=device)
    sample = tokenizer.decode(list(drawn)).strip("\n")
    with open(folder / "samples.txt", "a", encoding="utf-8", newline="\n") as file:
        file.write(f"--- step {step:,}, validation loss {loss:.4f}\n{sample}\n\n")
    return sample


def out_flag(folder: Path, lesson: Path) -> str:
    """' --out ...' for a run that does not lie in its lesson's checkpoints folder, else nothing."""
    return "" if folder.resolve() == lesson / "checkpoints" else f" --out {relative(folder)}"


def conclude(folder: Path, lesson: Path, summary: dict, args, preset: dict) -> None:
    """The last lines of a train.py: the result beside what can be expected, the files, what to type next.

    A preset's "expected" is the range of its loss (nats per token) on its own corpus, shown where nothing was changed.
    A loss that is not above it is evidence for the checklist: the event "expected".
    """
    floor = summary["floor"]
    expected = preset.get("expected")
    as_it_is = args.as_preset and summary["dataset"] == preset.get("dataset", "shakespeare")
    say(f"\nvalidation loss {describe_loss(summary, floor)}")
    if expected and as_it_is:
        say(f"expected        {expected[0]:.2f} to {expected[1]:.2f} for this preset")
        if summary["val_loss"] <= expected[1]:
            record(f"{lesson.name[6:8]} expected")
    if floor and summary["val_loss"] < floor - 0.01:
        warn("this is below the floor, which no honest model can reach: something leaks")
    copied = summary["sample"]["verbatim_share"]
    say(f"of the sample   {copied:.0%} stands verbatim in the training text, in spans of 30 or more")
    say(f"files           {relative(folder)}")
    where = "" if folder == lesson / "checkpoints" else f" --checkpoint {relative(folder / 'best.pt')}"
    prompt = ' --prompt "ROMEO:"' if summary["dataset"] == "shakespeare" else ""
    generate, interactive = (relative(lesson / name) for name in ("generate.py", "interactive.py"))
    say(f"next            python {generate}{where}{prompt}   or   python {interactive}{where}")


def finish(folder: Path, lesson: Path, args, presets: dict, corpus, tokenizer, model, seconds: float,
           tokens_per_step: int, first_loss: float, context_policy: str = "carried state", **more) -> None:  # fmt: skip
    """After the last step of a train.py: loss.png, summary.json from all that was logged, and the last lines.

    context_policy: what a token of the validation split sees of those before it. more: other entries of the summary.
    """
    rows, samples = read_metrics(folder), (folder / "samples.txt").read_text(encoding="utf-8")
    floor = corpus.floor["val"] if corpus.floor and tokenizer.lossless else None  # nats per character
    plot_loss(folder / "loss.png", rows, {"floor": floor} if floor and tokenizer.name == "char" else None)
    best = min(rows, key=lambda row: row["val_loss"])
    tokens_seen = args.steps * tokens_per_step
    summary = write_summary(
        folder, lesson=lesson.name, dataset=corpus.name, tokenizer=tokenizer.name,
        parameters=sum(parameter.numel() for parameter in model.parameters()), steps=args.steps,
        tokens_seen=tokens_seen, train_seconds=seconds, tokens_per_second=tokens_seen / seconds,
        **{key: value for key, value in best.items() if key.startswith("val_")}, val_loss_last=rows[-1]["val_loss"],
        train_loss=rows[-1]["train_loss"], first_loss=first_loss, floor=floor,
        context_policy=context_policy, sample=describe(samples.split("--- step ")[-1].split("\n", 1)[1], corpus.train),
        seed=args.seed, device=next(model.parameters()).device.type, precision=args.precision, preset=args.preset,
        settings=plain(args), **more,
    )  # fmt: skip
    conclude(folder, lesson, summary, args, presets[args.preset])
    record(f"{lesson.name[6:8]} run")


def machine() -> dict:
    """Processor, threads and versions: every timing is printed beside them."""
    return {
        "threads": torch.get_num_threads(),
        "processor": processor(),
        "python_version": platform.python_version(),
        "torch_version": torch.__version__,
    }


def processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    except OSError:
        pass  # not Linux
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def git_commit() -> str | None:
    """The commit of the checkout, with '+' if files that git tracks were changed; None outside of git."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=here, capture_output=True, text=True)
    except OSError:
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "") if commit.returncode == 0 else None
