"""Loss over a whole split, in nats per token, and the unit in which models with different tokens compare.

Deterministic, no sampled batches: total negative log-likelihood over total tokens, the first token not scored.
"""

import math

import torch
from torch import Tensor

from shared.recall import map_state


@torch.no_grad()
def token_losses(model, token_ids: Tensor, chunk_length: int = 1024, reset: bool = False, parts: int = 16) -> Tensor:
    """-log P of each token of a text (N,) but the first, in nats: (N-1,) float64 on the CPU.

    The state is carried from chunk to chunk, as in generation; with reset=True every chunk starts from no state.
    Several parts of a long text are read at once where the losses are the same: chunks that start from no state, and
    of a recurrent model what `_side_by_side` says.
    """
    training = model.training
    model.eval()
    try:
        losses, state = torch.empty(0, dtype=torch.float64), None
        if reset and len(token_ids) > chunk_length:
            chunks = token_ids.unfold(0, chunk_length + 1, chunk_length).split(max(1, 2048 // chunk_length))
            losses = torch.cat([_read(model, some, None)[0].flatten() for some in chunks])
        elif len(token_ids) > 8 * chunk_length and chunk_length >= parts:
            losses, state = _side_by_side(model, token_ids, chunk_length // parts, parts)
        rest = [losses]
        for start in range(len(losses), len(token_ids) - 1, chunk_length):
            losses, state = _read(model, token_ids[None, start : start + chunk_length + 1], None if reset else state)
            rest.append(losses[0])
        return torch.cat(rest)
    finally:
        model.train(training)


@torch.no_grad()
def sliding_losses(model, token_ids: Tensor, context_length: int, stride: int) -> Tensor:
    """-log P of each token of a text (N,) but the first, in nats: (N-1,) float64 on the CPU; from overlapping windows.

    Windows of context_length tokens, each read from no state, begin every `stride` tokens, and of each but the first
    only the losses of its last `stride` tokens count. So every token is scored once, and from the first window on with
    more than context_length - stride tokens before it. ValueError for a stride below 1 or above context_length.
    """
    if not 1 <= stride <= context_length:
        raise ValueError(f"a stride of {stride}: must be from 1 to {context_length}")
    if len(token_ids) - 1 <= context_length:
        return token_losses(model, token_ids, context_length, reset=True)
    training = model.training
    model.eval()
    try:
        windows = token_ids.unfold(0, context_length + 1, stride).split(max(1, 2048 // context_length))
        read = torch.cat([_read(model, some, None)[0] for some in windows])
        losses = [read[0], read[1:, -stride:].flatten()]
        left = len(token_ids) - 1 - len(read[0]) - len(losses[1])
        if left:  # fewer than stride: one window more, which ends with the text
            losses.append(_read(model, token_ids[None, -context_length - 1 :], None)[0][0, -left:])
        return torch.cat(losses)
    finally:
        model.train(training)


def _side_by_side(model, token_ids: Tensor, chunk_length: int, parts: int, readings: int = 4) -> tuple[Tensor, object]:
    """The beginning of a text, in much fewer steps, where the state is of vectors that fade: its losses, and the state.

    Equal parts of the text are read at the same time, at first each from no state; then once more, each from the state
    in which the part before it ended, but only until the states are again what they were at that place in the reading
    before (to 1e-5). From there on nothing would change. Where they are not yet, after some readings, only the parts
    that are as they will be count; and where the state is something else than vectors, none.
    """
    length = (len(token_ids) - 1) // parts
    texts = token_ids.unfold(0, length + 1, length)[:parts]  # each begins with the token that the one before ends with
    losses, starts, before = torch.empty(parts, length, dtype=torch.float64), None, []
    for first in range(min(readings, parts)):  # the parts before it are as they will be
        state, states = starts, []
        for number, begin in enumerate(range(0, length, chunk_length)):
            stop = min(begin + chunk_length, length)
            losses[first:, begin:stop], state = _read(model, texts[first:, begin : stop + 1], state)
            if not _has_vectors(state, parts - first):
                return losses[:0, 0], None
            if before and _close(state, _rows(before[number], slice(1, None))):
                return losses.flatten(), _rows(before[-1], slice(-1, None))
            states.append(state)
        before, starts = states, _rows(state, slice(-1))
    return losses[: first + 1].flatten(), _rows(state, slice(1))


def _read(model, token_ids: Tensor, state) -> tuple[Tensor, object]:
    """Read (B, T + 1) tokens but the last of each row: the losses of all but the first (B, T), the new state."""
    logits, state = model(token_ids[:, :-1], state)
    log_probs = torch.log_softmax(logits.double(), dim=-1)
    return -log_probs.gather(2, token_ids[:, 1:, None])[..., 0].cpu(), state


def _leaves(state) -> list[Tensor]:
    """The tensors of a state, in order."""
    leaves: list[Tensor] = []
    map_state(state, leaves.append)
    return leaves


def _rows(state, which: slice):
    """The state of some of the texts."""
    return map_state(state, lambda tensor: tensor[which])


def _has_vectors(state, count: int) -> bool:
    """Is a state made of real numbers, with a row for each of so many texts?"""
    leaves = _leaves(state)
    return bool(leaves) and all(leaf.is_floating_point() and leaf.dim() and len(leaf) == count for leaf in leaves)


def _close(state, other) -> bool:
    """Are two states the same, to 1e-5?"""
    pairs = zip(_leaves(state), _leaves(other), strict=True)
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=1e-5, atol=1e-5) for a, b in pairs)


def report(losses: Tensor, text: str, token_ids: Tensor, tokenizer) -> dict:
    """What a run says of its validation loss, from the loss of each token but the first (nats).

    A lossless tokenizer gives bits per character, which compare between tokenizers. With <unk> or lower-casing bits
    would not be comparable; perplexity and the share of unknown words stand in their place.
    """
    total, loss = float(losses.sum()), float(losses.mean())
    result = {"val_loss": loss, "val_bits_per_char": None}
    if tokenizer.lossless:
        characters = len(text) - len(tokenizer.decode([int(token_ids[0])]))  # those of the first token are not scored
        result["val_bits_per_char"] = bits_per_character(total, characters)
    else:
        result["val_perplexity"] = math.exp(min(loss, 700.0))
        unknown = tokenizer.unk_id if tokenizer.unk_id is not None else -1
        result["val_unknown_share"] = float((token_ids == unknown).double().mean())
    return result


def describe_loss(result: dict, floor: float | None = None) -> str:
    """The result of `report` as part of a line; `floor` is the best possible loss in nats per character."""
    line = f"{result['val_loss']:.4f} nats per token"
    if result["val_bits_per_char"] is not None:
        line += f", {result['val_bits_per_char']:.4f} bits per character"
        if floor:
            line += f"; no model can go below {floor / math.log(2):.4f} bits"
    else:
        line += f", perplexity {result['val_perplexity']:.1f}, {result['val_unknown_share']:.1%} unknown words"
    return line


def bits_per_character(total_nats: float, characters: int) -> float:
    """Total loss of a text in nats -> bits per character."""
    return total_nats / math.log(2) / characters


def first_loss(model, token_ids: Tensor, length: int = 4096) -> float:
    """Loss of a model before training, nats per token; within 0.3 of ln(vocab_size) where its start is sound."""
    return float(token_losses(model, token_ids[:length]).mean())
