"""The short training that several experiments share: the step and the schedule of train.py, without its run folder."""

from argparse import Namespace
from collections.abc import Callable

import torch
from model import MLPLM, MLPConfig
from train import BASE, learning_rate, make_optimizer, train_step

from shared.data import load_corpus
from shared.data.batching import RandomWindows
from shared.tokenizers import train_tokenizer

SEED = 1337
CPU = torch.device("cpu")


def characters(name: str):
    """A corpus, its tokenizer, and the ids of its training and validation split."""
    corpus = load_corpus(name)
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
    return corpus, tokenizer, train_ids, val_ids


def new_model(config: MLPConfig, seed: int = SEED) -> MLPLM:
    """An untrained model whose start follows from the seed."""
    torch.manual_seed(seed)
    return MLPLM(config)


def train_short(model: MLPLM, train_ids, steps: int, seed: int = SEED, batch_size: int = 32, window: int = 64,
                rate: float = 2e-3, look: Callable[[int], None] | None = None) -> list[float]:  # fmt: skip
    """Train a model in place on random windows; the training loss of each step, in nats per token.

    look(step) is called after each step, counted from 1.
    """
    settings = BASE | {"steps": steps, "learning_rate": rate, "warmup": max(1, min(100, steps // 10))}
    args = Namespace(**settings)
    optimizer, loader = make_optimizer(model, args), RandomWindows(train_ids, batch_size, window, seed)
    torch.manual_seed(seed)  # for dropout
    losses = []
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        losses.append(train_step(model, optimizer, next(loader), CPU, "float32"))
        if look:
            look(step + 1)
    model.eval()
    return losses


def parameters(model: MLPLM) -> int:
    """How many numbers the model has learnt."""
    return sum(parameter.numel() for parameter in model.parameters())
