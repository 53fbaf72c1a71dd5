"""Loss over a whole split, in nats per token, and the unit in which models with different tokens compare.

Deterministic, no sampled batches: total negative log-likelihood over total tokens, the first token not scored.
"""

import math

import torch
from torch import Tensor


@torch.no_grad()
def token_losses(model, token_ids: Tensor, chunk_length: int = 1024, reset: bool = False) -> Tensor:
    """-log P of each token of a text (N,) but the first, in nats: (N-1,) float64 on the CPU.

    The state is carried from chunk to chunk, as in generation; with reset=True every chunk starts from no state.
    """
    training = model.training
    model.eval()
    losses, state = [], None
    for start in range(0, len(token_ids) - 1, chunk_length):
        inputs = token_ids[start : start + chunk_length][None]
        targets = token_ids[start + 1 : start + 1 + chunk_length]
        logits, state = model(inputs[:, : len(targets)], None if reset else state)
        log_probs = torch.log_softmax(logits[0].double(), dim=-1)
        losses.append(-log_probs.gather(1, targets[:, None])[:, 0].cpu())
    model.train(training)
    return torch.cat(losses)


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
            line += f"; no model can go below {floor / math.log(2):.4f}"
    else:
        line += f", perplexity {result['val_perplexity']:.1f}, {result['val_unknown_share']:.1%} unknown words"
    return line


def bits_per_character(total_nats: float, characters: int) -> float:
    """Total loss of a text in nats -> bits per character."""
    return total_nats / math.log(2) / characters


def first_loss(model, token_ids: Tensor, length: int = 4096) -> float:
    """Loss of a model before training, nats per token; within 0.3 of ln(vocab_size) where its start is sound."""
    return float(token_losses(model, token_ids[:length]).mean())
