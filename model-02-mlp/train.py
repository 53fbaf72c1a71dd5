"""Train lesson 02: an MLP language model on random windows of a text.

    python train.py                             the default, in 5 to 10 minutes on two cores
    python train.py --preset quick              half a minute
    python train.py --preset names              makemore's setting
    python train.py --context-length 32 --minutes 3
"""

import argparse
import math
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch
from model import MLPConfig, MLPLM
from torch.nn.functional import cross_entropy

from shared.compute import autocast, choose_device, choose_precision, choose_threads, seconds_of, show_choice, steps_in
from shared.console import CtrlC, LearnerError, Progress, common_flags, duration, parse, positive_int, run, say
from shared.data import load_tokens
from shared.data.batching import RandomWindows
from shared.evaluation import first_loss, report, token_losses
from shared.runs import conclude, describe_run, load_checkpoint, log_metrics, restore, save_checkpoint, start_run

LESSON = Path(__file__).resolve().parent
BASE = {"window": 64, "batch_size": 64, "learning_rate": 1e-3, "weight_decay": 0.1, "warmup": 100}
PRESETS = {
    "default": BASE | {"steps": 9000, "context_length": 24, "embedding_dim": 48, "hidden_size": 1024, "dropout": 0.2},
    "quick": BASE | {"steps": 800, "context_length": 8, "embedding_dim": 24, "hidden_size": 256},
    "names": BASE | {"steps": 20_000, "dataset": "names", "context_length": 8, "embedding_dim": 24, "window": 16},
    "bengio": BASE | {"steps": 4000, "tokenizer": "word", "context_length": 5, "embedding_dim": 60, "hidden_size": 100,
                      "direct": True},
    "ladder": BASE | {"steps": 4000, "dataset": "fables", "context_length": 32, "window": 256, "batch_size": 16},
}  # fmt: skip
EXPECTED = {}  # nats per character on shakespeare


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in fields(MLPConfig)[1:]:
        kind = {int: positive_int, bool: None}.get(field.type, field.type)
        flag, about = f"--{field.name.replace('_', '-')}", {"default": field.default, "help": "%(default)s"}
        parser.add_argument(flag, action="store_true") if kind is None else parser.add_argument(flag, type=kind, **about)
    parser.add_argument("--window", type=positive_int, help="tokens in a training window, each one an example")
    parser.add_argument("--weight-decay", type=float, help="of AdamW")
    parser.add_argument("--warmup", type=positive_int, help="steps until the learning rate is at its highest")
    common_flags(parser, PRESETS)
    return parse(parser, PRESETS)


def learning_rate(step: int, args) -> float:
    """Up in a straight line, then down along a cosine to a twentieth (Loshchilov & Hutter 2017)."""
    warm = min(1.0, (step + 1) / args.warmup)
    return args.learning_rate * warm * (0.525 + 0.475 * math.cos(math.pi * step / args.steps))


def train_step(model, optimizer, batch, device, precision) -> float:
    """One step of gradient descent; returns the training loss in nats per token."""
    with autocast(precision, device):
        logits, _ = model(batch.inputs.to(device))
    loss = cross_entropy(logits.flatten(0, 1), batch.targets.to(device).flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def main() -> None:
    args = arguments()
    folder = args.out or LESSON / "checkpoints"
    saved = load_checkpoint(folder / "last.pt", LESSON.name) if args.resume else None
    if saved:  # the flags of that run, whatever was given now
        args = argparse.Namespace(**saved["settings"])
    tokens = load_tokens(args, saved and tokenizer_from_dict(saved["tokenizer"]))
    corpus, tokenizer, train_ids, val_ids = tokens
    device, threads = choose_device(args.device), choose_threads()

    torch.manual_seed(args.seed)
    names = [field.name for field in fields(MLPConfig)[1:]]
    config = MLPConfig(tokenizer.vocab_size, **{name: getattr(args, name) for name in names})
    model = MLPLM(config).to(device)
    decay = [p for p in model.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": decay, "weight_decay": args.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.99))
    loader = RandomWindows(train_ids, args.batch_size, args.window, args.seed)
