"""How well is each token told from those before it? (Lesson 06's encoder also sees what follows.)

Lessons 01 and 05 write results/from_the_left.json with it; lesson 06 sets these numbers beside its own.
"""

from pathlib import Path

import torch
from torch import Tensor

from shared.results import Result

NAME, PLACES = "from_the_left", 10_000
COLUMNS = ["model", "nats per character", "right", "nats, at the places", "right, at the places"]


def places_in(length: int, count: int = PLACES) -> Tensor:
    """The places of a text of so many tokens at which models are compared: `count` of them, (count,) int64, evenly
    spread, the same for all models; every one but the first where there are fewer."""
    return torch.linspace(1, length - 1, min(count, length - 1), dtype=torch.float64).long()


@torch.no_grad()
def from_the_left(model, token_ids: Tensor, chunk_length: int = 1024) -> tuple[Tensor, Tensor]:
    """Of each token of a text (N,) but the first, with the state carried through it: its loss, -log P in nats, and
    whether it was the likeliest of all. (N-1,) float64 and (N-1,) bool."""
    training, state, losses, right = model.training, None, [], []
    model.eval()
    for start in range(0, len(token_ids) - 1, chunk_length):
        chunk = token_ids[None, start : start + chunk_length + 1]
        logits, state = model(chunk[:, :-1], state)
        loss, hit = scores(logits[0], chunk[0, 1:])
        losses.append(loss)
        right.append(hit)
    model.train(training)
    return torch.cat(losses), torch.cat(right)


def scores(logits: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, V) for tokens (N,): their losses in nats (N,), float64, and whether each was the likeliest (N,)."""
    losses = -logits.double().log_softmax(dim=-1).gather(1, token_ids[:, None])[:, 0]
    return losses, logits.argmax(dim=-1) == token_ids


def summed_up(losses: Tensor, right: Tensor) -> tuple[float, str]:
    """Two cells of a table: the mean loss in nats, the share that was right."""
    return float(losses.mean()), f"{right.double().mean():.2%}"


def row_of(losses: Tensor, right: Tensor) -> tuple:
    """Four cells from what from_the_left returns: of the whole text, and of its places_in."""
    at = places_in(len(losses) + 1) - 1  # the first token has no loss
    return *summed_up(losses, right), *summed_up(losses[at], right[at])


def tabulate(lesson: Path, name: str, model, token_ids: Tensor) -> None:
    """Write a lesson's results/from_the_left.json: one model, the characters of a validation split (N,)."""
    result = Result(lesson, NAME, COLUMNS)
    result.add(name, *row_of(*from_the_left(model, token_ids)))
    result.save(characters=len(token_ids), places=len(places_in(len(token_ids))))
