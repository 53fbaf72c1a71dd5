"""What the experiments share: Tiny Shakespeare as ids, one small network, short runs of train.py's training step.

The network is that of `--preset quick`: three blocks of 96 channels with 4 heads, windows of 64 characters. An
experiment names what it changes, and nothing else differs. No experiment by itself: it writes nothing.
"""

import math
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from model import TransformerConfig, TransformerLM
from torch import Tensor
from train import PRESETS, in_pieces, make_optimizer, share_of_rate, train_step

from shared.console import LearnerError, say
from shared.data import load_corpus
from shared.data.batching import RandomWindows
from shared.data.tokens import Tokens
from shared.evaluation import token_losses
from shared.files import relative
from shared.tokenizers import train_tokenizer

SETTINGS = {"optimizer": "adamw", "muon_lr": 0.02, "muon_momentum": 0.95, "decay": "cosine", "grow_from": 0,
            "label_smoothing": 0.0, "seed": 1337}  # fmt: skip
SETTINGS |= PRESETS["quick"]
CPU = torch.device("cpu")


def shakespeare() -> Tokens:
    """The corpus, its tokenizer, the token ids of both splits."""
    return in_characters("shakespeare")


def in_characters(name: str) -> Tokens:
    """The same of any corpus."""
    corpus = load_corpus(name)
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    return Tokens(corpus, tokenizer, *(torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val)))


def load_run(folder: Path, dataset: str) -> tuple[TransformerLM, Tokens]:
    """A network of this lesson from the folder of a preset's run, and the corpus that it was trained on, in its tokens.

    LearnerError where there is none, or where it was trained on another text.
    """
    preset = "default" if folder == LESSON / "checkpoints" else folder.name
    command = f"python {relative(LESSON / 'experiments' / 'presets.py')} {preset}"
    if not (folder / "best.pt").exists():
        raise LearnerError(f"no checkpoint in {relative(folder)}: train it first, with {command}")
    (model, tokenizer), corpus = load(folder / "best.pt"), load_corpus(dataset)
    if tokenizer.unknown(corpus.val):
        raise LearnerError(f"{relative(folder / 'best.pt')} was not trained on {dataset}: train it with {command}")
    return model, Tokens(corpus, tokenizer, *(torch.tensor(tokenizer.encode(t)) for t in (corpus.train, corpus.val)))


def new_model(tokens: Tokens, **changes) -> TransformerLM:
    """An untrained network: SETTINGS with the changes."""
    settings = SETTINGS | changes
    torch.manual_seed(settings["seed"])
    names = {field.name for field in fields(TransformerConfig)} & set(settings)
    return TransformerLM(TransformerConfig(tokens.tokenizer.vocab_size, **{name: settings[name] for name in names}))


def train(model: TransformerLM, tokens: Tokens, after_step: Callable[[int], None] | None = None,
          **changes) -> list[float]:  # fmt: skip
    """A short run on random windows; returns the training loss of every step (nats per token).

    after_step(steps so far) is called after each, if given.
    """
    args = Namespace(**SETTINGS | changes)
    loader = RandomWindows(tokens.train, args.batch_size, args.context_length, args.seed)
    optimizer, losses = make_optimizer(model, args), []
    model.train()
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * share_of_rate(step, args)
        batch = in_pieces(next(loader), step / args.steps, args)
        losses.append(train_step(model, optimizer, batch, 1, args.clip, args.label_smoothing, CPU, "float32"))
        if after_step:
            after_step(len(losses))
        if not math.isfinite(losses[-1]):
            break
    say(f"trained {len(losses)} steps, the last at {losses[-1]:.3f} nats")
    return losses


def parameters(model: torch.nn.Module) -> int:
    """How many numbers it has learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def windows_loss(model: TransformerLM, token_ids: Tensor) -> float:
    """Nats per token over a whole text, in consecutive windows of context_length."""
    return token_losses(model, token_ids, model.config.context_length, reset=True).mean().item()


def smooth(losses: list[float], size: int = 25) -> tuple[list[int], list[float]]:
    """A line for a figure: every so many steps, and the mean loss of these steps."""
    means = [sum(losses[i : i + size]) / size for i in range(0, len(losses) - size + 1, size)]
    return [size * (i + 1) for i in range(len(means))], means
