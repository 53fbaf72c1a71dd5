"""What the experiments share: Tiny Shakespeare as ids, one small network, short runs of train.py's training step.

The network is a small one, one layer of 128 units, as in the experiments of lessons 03 and 04. An experiment names what
it changes, and nothing else differs. No experiment by itself: it writes nothing.
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
from model import LSTMLM, LSTMConfig
from torch import Tensor
from train import PRESETS, learning_rate, make_optimizer, train_step

from shared.console import LearnerError, say
from shared.data import load_corpus
from shared.data.batching import ContiguousStreams
from shared.data.tokens import Tokens
from shared.evaluation import token_losses
from shared.files import relative
from shared.sampling import filter_logits
from shared.tokenizers import train_tokenizer

SIZE = {"embedding_dim": 128, "hidden_size": 128, "learning_rate": 1.6e-2}
SETTINGS = PRESETS["quick"] | SIZE | {"steps": 1500, "seed": 1337, "precision": "float32"}
CPU = torch.device("cpu")


def shakespeare() -> Tokens:
    """The corpus, its tokenizer, the token ids of both splits."""
    corpus = load_corpus("shakespeare")
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    return Tokens(corpus, tokenizer, *(torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val)))


def load_run(folder: Path, dataset: str) -> tuple[LSTMLM, Tokens]:
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


def new_model(tokens: Tokens, **changes) -> LSTMLM:
    """An untrained network: SETTINGS with the changes."""
    settings = SETTINGS | changes
    torch.manual_seed(settings["seed"])
    names = {field.name for field in fields(LSTMConfig)} & set(settings)
    return LSTMLM(LSTMConfig(tokens.tokenizer.vocab_size, **{name: settings[name] for name in names}))


def train(model: LSTMLM, tokens: Tokens, optimizer: torch.optim.Optimizer | None = None,
          after_step: Callable[[int], None] | None = None, **changes) -> list[float]:  # fmt: skip
    """A short run, the state carried from chunk to chunk; returns the training loss of every step (nats per token).

    optimizer: what takes the steps instead of train.py's. after_step(steps so far) is called after each, if given.
    """
    args = Namespace(**SETTINGS | changes)
    loader = ContiguousStreams(tokens.train, args.batch_size, args.chunk_length, args.seed)
    optimizer, state, losses = optimizer or make_optimizer(model, args), None, []
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        loss, state = train_step(model, optimizer, next(loader), state, args.clip, CPU, args.precision)
        losses.append(loss)
        if after_step:
            after_step(len(losses))
        if not math.isfinite(loss):
            break
    say(f"trained {len(losses)} steps, the last at {losses[-1]:.3f} nats")
    return losses


def parameters(model: torch.nn.Module) -> int:
    """How many numbers it has learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def at_the_end(losses: list[float]) -> float:
    """The training loss: a mean over the last 100 steps (nats per token)."""
    return sum(losses[-100:]) / len(losses[-100:])


def smooth(losses: list[float], size: int = 25) -> tuple[list[int], list[float]]:
    """A line for a figure: every so many steps, and the mean loss of these steps."""
    means = [sum(losses[i : i + size]) / size for i in range(0, len(losses) - size + 1, size)]
    return [size * (i + 1) for i in range(len(means))], means


def carried_loss(model: LSTMLM, token_ids: Tensor) -> float:
    """Nats per token over a whole text, the state carried through it."""
    return token_losses(model, token_ids).mean().item()


@torch.no_grad()
def write(model: LSTMLM, tokenizer, texts: int, length: int, seed: int = 1337) -> list[str]:
    """Texts of so many characters, written side by side, each after a blank line; temperature 1, nothing cut off."""
    model.eval()
    generator, drawn, state = torch.Generator().manual_seed(seed), [], None
    read = torch.tensor([tokenizer.encode("\n\n")] * texts)
    for _ in range(length):
        logits, state = model(read, state)
        read = torch.multinomial(filter_logits(logits[:, -1]).softmax(dim=-1), 1, generator=generator)
        drawn.append(read)
    return [tokenizer.decode(row) for row in torch.cat(drawn, dim=1).tolist()]
