"""Train lesson 01: count the n-grams of a text, smooth the counts, score the validation split, write some text.

    python train.py                                          modified Kneser-Ney on Tiny Shakespeare
    python train.py --order 3 --smoothing add-k              another model
    python train.py --sweep                                  every order up to --order, every smoothing, one figure
    python train.py --dataset my.txt --tokenizer word        your own text, in words
"""

import argparse
import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from model import NGramConfig, NGramLM
from smoothing import SMOOTHINGS

from shared.console import LearnerError, common_flags, nearest, parse, positive_float, positive_int, run, say, warn
from shared.data.tokens import load_tokens
from shared.evaluation import first_loss, report
from shared.progress import record
from shared.runs import conclude, log_metrics, read_metrics, save_checkpoint, start_run, write_summary
from shared.sampling import generate, start_token
from shared.text_metrics import describe
from shared.visualize import plot_bars, plot_lines

LESSON = Path(__file__).resolve().parent
PRESETS = {  # "expected": nats per character, around what results/ have
    "default": {"order": 7, "expected": (1.51, 1.53)},
    "quick": {"order": 4, "expected": (1.71, 1.73)},
    "words": {"order": 3, "tokenizer": "word"},
    "subwords": {"order": 4, "tokenizer": "bpe"},
    "ladder": {"order": 10, "dataset": "fables"},
}
UNUSED = ("epochs", "steps", "minutes", "learning_rate", "batch_size", "device", "precision")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--order", type=positive_int, help="n: predict from the last n-1 tokens (default: 7)")
    parser.add_argument("--smoothing", default="kneser-ney", metavar="NAME", help=f"{', '.join(SMOOTHINGS)}")
    parser.add_argument("--add-k", type=positive_float, default=0.01, help="k of add-k (%(default)s)")
    parser.add_argument("--sweep", action="store_true", help="also try every smaller order and every smoothing")
    parser.add_argument("--save-log-probs", action="store_true", help="write log P of each validation token (nats)")
    common_flags(parser, PRESETS)
    args = parse(parser, PRESETS)
    if args.smoothing not in SMOOTHINGS:
        raise LearnerError(f"no smoothing is called {args.smoothing!r}:{nearest(args.smoothing, SMOOTHINGS)}")
    if args.resume:
        raise LearnerError("counting takes seconds and is never left half done: run again without --resume")
    given = [name for name in UNUSED if getattr(args, name) not in (None, "auto")]
    if given:
        warn(f"counting reads the text once, on the CPU, without steps: {', '.join(given)} changes nothing here")
    return args


def fit_and_score(config: NGramConfig, train_ids: torch.Tensor, val_ids: torch.Tensor):
    """A fitted model, the log-probability of each validation token but the first (nats), and what fitting chose."""
    model = NGramLM(config)
    details = model.fit(train_ids)
    return model, model.log_prob(val_ids), details


def main() -> None:
    args = arguments()
    corpus, tokenizer, train_ids, val_ids = load_tokens(args, on_disk=False)  # counting needs it in memory
    config = NGramConfig(tokenizer.vocab_size, args.order, args.smoothing, args.add_k)

    say(f"model      {args.order}-gram, {args.smoothing}: it sees the last {args.order - 1} tokens")
    untrained = first_loss(NGramLM(config), val_ids)
    say(f"untrained  {untrained:.3f} nats per token; ln({tokenizer.vocab_size}) = {math.log(tokenizer.vocab_size):.3f}")

    start = time.perf_counter()
    model, log_probs, details = fit_and_score(config, train_ids, val_ids)
    seconds = time.perf_counter() - start
    result = report(-log_probs, corpus.val, val_ids, tokenizer)
    parameters = sum(config.sizes)
    say(f"counted    {parameters:,} distinct n-grams of length 1 to {args.order}; with scoring, {seconds:.2f} s\n")

    folder = start_run(args.out or LESSON / "checkpoints")
    for name in ("best.pt", "last.pt"):  # counting has no steps, so the last model is the best
        save_checkpoint(folder / name, LESSON.name, model, asdict(config), tokenizer)
    if args.save_log_probs:  # lesson 02 mixes these with its own
        about = {"dataset": corpus.name, "tokenizer": tokenizer.name, "order": args.order, "smoothing": args.smoothing}
        torch.save({"log_probs": log_probs, **about}, folder / "log_probs.pt")
    log_metrics(folder, step=1, order=args.order, smoothing=args.smoothing, **result)
    if args.sweep:
        sweep(args, folder, train_ids, val_ids, corpus.val, tokenizer)
    else:
        plot_by_context(folder / "loss.png", model, val_ids, log_probs)

    generator = torch.Generator().manual_seed(args.seed)
    sample = tokenizer.decode(list(generate(model, [start_token(tokenizer)], 500, generator=generator))).strip("\n")
    (folder / "samples.txt").write_text(sample + "\n", encoding="utf-8")
    summary = write_summary(
        folder, lesson=LESSON.name, dataset=corpus.name, tokenizer=tokenizer.name, parameters=parameters, steps=1,
        tokens_seen=len(train_ids), train_seconds=seconds, tokens_per_second=len(train_ids) / seconds, **result,
        val_loss_last=result["val_loss"], first_loss=untrained, floor=(corpus.floor or {}).get("val"),
        context_policy="carried state", order=args.order, smoothing=args.smoothing, smoothing_details=details,
        sample=describe(sample, corpus.train), seed=args.seed, device="cpu", precision="float64", preset=args.preset,
    )  # fmt: skip
    say(sample)
    conclude(folder, LESSON, summary, args, PRESETS[args.preset])
    record("01 run")


def sweep(args, folder: Path, train_ids, val_ids, val_text: str, tokenizer) -> None:
    """Loss of every smoothing at every order up to args.order: lines on the screen, rows of metrics, one figure."""
    say("order  smoothing       nats per token")
    for smoothing in SMOOTHINGS:
        for order in range(1, args.order + 1):
            if (order, smoothing) == (args.order, args.smoothing):
                continue  # that one is there already
            config = NGramConfig(tokenizer.vocab_size, order, smoothing, args.add_k)
            result = report(-fit_and_score(config, train_ids, val_ids)[1], val_text, val_ids, tokenizer)
            log_metrics(folder, step=1, order=order, smoothing=smoothing, **result)
            say(f"{order:5}  {smoothing:<15} {result['val_loss']:.4f}")
    lines = {}
    for row in sorted(read_metrics(folder), key=lambda row: (row["smoothing"], row["order"])):
        if row["val_loss"] is not None:  # JSON has no infinity
            orders, losses = lines.setdefault(row["smoothing"], ([], []))
            orders.append(row["order"])
            losses.append(row["val_loss"])
    plot_lines(folder / "loss.png", lines, "Order and smoothing", "order n", "validation loss, nats per token")
    say()


def plot_by_context(path: Path, model: NGramLM, val_ids: torch.Tensor, log_probs: torch.Tensor) -> None:
    """Mean loss of the validation tokens, grouped by how much of their past the training text had seen."""
    seen = model.context_lengths(val_ids)
    bars = {}
    for length in range(model.config.order):
        here = seen == length
        if here.any() and torch.isfinite(log_probs[here]).all():  # without smoothing a bar may be infinitely high
            bars[f"{length}\n{here.float().mean():.0%}"] = float(-log_probs[here].mean())
    plot_bars(path, bars, "The more of the past was seen in training, the cheaper the next token",
              "tokens of context seen before (and share of the validation split)", "nats per token")  # fmt: skip


if __name__ == "__main__":
    run(main)
