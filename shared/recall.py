"""Recall by distance: does the model still know, d characters later, which hero, object or place was named?

One protocol for all lessons. At each recall point of the built-in fables the model has read everything before it, its
state carried through the whole split; it then scores every member of the category (all heroes, all objects ...) by the
log-likelihood of the whole word, and has recalled if the right one scores highest (forced choice).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from shared.console import LearnerError

BANDS = (5, 20, 40, 80, 160, 320, 640)  # edges, in characters; what lies outside counts to the first or last band


class Recalled(NamedTuple):
    """One recall point, answered."""

    kind: str
    distance: int  # characters
    correct: bool
    chance: float


def map_state(state, function):
    """Apply a function to every tensor of a state: a tensor, or lists, tuples and dicts of them; others stay."""
    if isinstance(state, torch.Tensor):
        return function(state)
    if isinstance(state, dict):
        return {key: map_state(value, function) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        mapped = [map_state(value, function) for value in state]
        return type(state)(*mapped) if hasattr(state, "_fields") else type(state)(mapped)
    return state


@torch.no_grad()
def recall(model, tokenizer, text: str, points: Sequence, chunk_length: int = 1024) -> list[Recalled]:
    """Answer every recall point of a text. The model reads characters, batch first, one state row per sequence."""
    if tokenizer.name != "char":
        raise LearnerError(f"recall is measured on characters, not on {tokenizer.name} tokens: --tokenizer char")
    training = model.training
    model.eval()
    device = next((p.device for p in [*model.parameters(), *model.buffers()]), "cpu")
    token_ids = torch.tensor(tokenizer.encode(text), device=device)
    results, state, position, logits = [], None, 0, None
    for point in sorted(points, key=lambda point: point.start):
        while position < point.start:
            stop = min(position + chunk_length, point.start)
            logits, state = model(token_ids[None, position:stop], state)
            position = stop
        words = [torch.tensor(tokenizer.encode(word), device=device) for word in point.candidates]
        padded = torch.nn.utils.rnn.pad_sequence(words, batch_first=True)  # (number of words, longest)
        repeated = map_state(state, lambda tensor: tensor.expand(len(words), *tensor.shape[1:]))  # noqa: B023
        predicted = logits[:, -1:].expand(len(words), 1, -1)  # of the first character; then those of the others
        if padded.shape[1] > 1:
            predicted = torch.cat([predicted, model(padded[:, :-1], repeated)[0]], dim=1)
        log_probs = torch.log_softmax(predicted.float(), dim=-1)
        scores = log_probs.gather(2, padded[:, :, None])[:, :, 0]
        inside = torch.arange(padded.shape[1], device=device) < torch.tensor([[len(w)] for w in words], device=device)
        best = int(torch.where(inside, scores, 0.0).sum(dim=1).argmax())
        correct = point.candidates[best] == point.answer
        results.append(Recalled(point.kind, point.distance, correct, 1 / len(point.candidates)))
    model.train(training)
    return results


def by_distance(results: Sequence[Recalled], kinds: Sequence[str] = ("hero", "object", "place")) -> list[dict]:
    """Accuracy for each band of distances over the given kinds, with its standard error, points and chance."""
    rows = []
    for low, high in zip(BANDS, BANDS[1:], strict=False):
        lowest, highest = low == BANDS[0], high == BANDS[-1]
        band = [r for r in results if (lowest or r.distance >= low) and (highest or r.distance < high)]
        here = [r for r in band if r.kind in kinds]
        if here:
            accuracy = sum(r.correct for r in here) / len(here)
            error = math.sqrt(accuracy * (1 - accuracy) / len(here))
            chance = sum(r.chance for r in here) / len(here)
            row = {"low": low, "high": high, "accuracy": accuracy, "error": error}
            rows.append({**row, "points": len(here), "chance": chance})
    return rows
