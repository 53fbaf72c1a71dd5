"""What the experiments share: Tiny Shakespeare as ids, one small network, short runs of train.py's training step.

The network is that of `--preset quick`: one layer of 128 gated units. An experiment names what it changes, and nothing
else differs. No experiment by itself: it writes nothing.
"""

import math
import sys
from argparse import Namespace
from dataclasses import fields
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import GRULM, GRUConfig
from torch import Tensor
from train import PRESETS, learning_rate, make_optimizer, train_step

from shared.console import say
from shared.data import load_corpus
from shared.data.batching import ContiguousStreams, consecutive_windows
from shared.data.tokens import Tokens
from shared.evaluation import token_losses
from shared.tokenizers import train_tokenizer

SETTINGS = PRESETS["quick"] | {"steps": 1500, "seed": 1337}
CPU = torch.device("cpu")


def shakespeare(tokenizer: str = "char") -> Tokens:
    """The corpus, its tokenizer (subwords have 1,000 pieces), the token ids of both splits."""
    corpus = load_corpus("shakespeare")
    tokenizer = train_tokenizer(tokenizer, corpus.train, also=corpus.val, vocab_size=1000)
    return Tokens(corpus, tokenizer, *(torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val)))


def new_model(tokens: Tokens, kind: type[GRULM] = GRULM, **changes) -> GRULM:
    """An untrained network: SETTINGS with the changes."""
    settings = SETTINGS | changes
    torch.manual_seed(settings["seed"])
    names = {field.name for field in fields(GRUConfig)} & set(settings)
    return kind(GRUConfig(tokens.tokenizer.vocab_size, **{name: settings[name] for name in names}))


def train(model: GRULM, tokens: Tokens, **changes) -> list[float]:
    """A short run, the state carried from chunk to chunk; returns the training loss of every step (nats per token)."""
    args = Namespace(**SETTINGS | changes)
    loader = ContiguousStreams(tokens.train, args.batch_size, args.chunk_length, args.seed)
    optimizer, state, losses = make_optimizer(model, args), None, []
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        loss, state = train_step(model, optimizer, next(loader), state, args.clip, CPU, "float32")
        losses.append(loss)
        if not math.isfinite(loss):
            break
    say(f"trained {len(losses)} steps, the last at {losses[-1]:.3f} nats")
    return losses


def trained(tokens: Tokens, **changes) -> GRULM:
    """The small network after a short run, in eval mode."""
    model = new_model(tokens, **changes)
    train(model, tokens, **changes)
    return model.eval()


def parameters(model: GRULM) -> int:
    """How many numbers it has learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def at_the_end(losses: list[float]) -> float:
    """The training loss: a mean over the last 100 steps (nats per token)."""
    return sum(losses[-100:]) / len(losses[-100:])


def carried_loss(model: GRULM, token_ids: Tensor) -> float:
    """Nats per token over a whole text, the state carried through it."""
    return token_losses(model, token_ids).mean().item()


@torch.no_grad()
def reset_loss(model: GRULM, token_ids: Tensor, every: int) -> float:
    """Nats per token over a whole text, the state dropped before every so many tokens. Each token is scored once."""
    model.eval()
    total = 0.0
    for batch in consecutive_windows(token_ids, every, batch_size=8192 // every):
        log_probs = torch.log_softmax(model(batch.inputs)[0].double(), dim=-1)
        total -= log_probs.gather(2, batch.targets[:, :, None]).sum().item()
    return total / (len(token_ids) - 1)
