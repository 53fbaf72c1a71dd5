"""What the experiments share: Tiny Shakespeare as ids, one small network, short runs of train.py's training step.

The network is that of `--preset quick`: one layer of 128 tanh units. An experiment names what it changes, and nothing
else differs. No experiment by itself: it writes nothing.
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
from model import RNNLM, RNNConfig
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
BITS = 1 / math.log(2)  # of one nat


def shakespeare() -> Tokens:
    """The corpus, its tokenizer, the token ids of both splits."""
    corpus = load_corpus("shakespeare")
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    return Tokens(corpus, tokenizer, *(torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val)))


def new_model(tokens: Tokens, **changes) -> RNNLM:
    """An untrained network: SETTINGS with the changes."""
    settings = SETTINGS | changes
    torch.manual_seed(settings["seed"])
    names = {field.name for field in fields(RNNConfig)} & set(settings)
    return RNNLM(RNNConfig(tokens.tokenizer.vocab_size, **{name: settings[name] for name in names}))


def train(model: RNNLM, tokens: Tokens, loader=None, carry: bool = True, after_step: Callable | None = None,
          **changes) -> list[float]:  # fmt: skip
    """A short run; returns the training loss of every step (nats). after_step(loss) is called after each, if given.

    loader: what to read instead of contiguous streams. carry=False: every chunk starts from no state.
    """
    args = Namespace(**SETTINGS | changes)
    loader = loader or ContiguousStreams(tokens.train, args.batch_size, args.chunk_length, args.seed)
    optimizer, state, losses = make_optimizer(model, args), None, []
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        state = state if carry else None
        loss, state = train_step(model, optimizer, next(loader), state, args.clip, CPU, "float32")
        losses.append(loss)
        if after_step:
            after_step(loss)
        if not math.isfinite(loss):
            break
    say(f"trained {len(losses)} steps, the last at {losses[-1]:.3f} nats")
    return losses


def trained(tokens: Tokens, **changes) -> RNNLM:
    """The small network after a short run, in eval mode."""
    model = new_model(tokens, **changes)
    train(model, tokens, **changes)
    return model.eval()


def carried_loss(model: RNNLM, token_ids: Tensor) -> float:
    """Nats per token over a whole text, the state carried through it."""
    return token_losses(model, token_ids).mean().item()


@torch.no_grad()
def reset_loss(model: RNNLM, token_ids: Tensor, every: int) -> float:
    """Nats per token over a whole text, the state dropped before every so many tokens. Each token is scored once."""
    model.eval()
    total = 0.0
    for batch in consecutive_windows(token_ids, every, batch_size=65536 // every):
        log_probs = torch.log_softmax(model(batch.inputs)[0].double(), dim=-1)
        total -= log_probs.gather(2, batch.targets[:, :, None]).sum().item()
    return total / (len(token_ids) - 1)
