"""One good answer to exercise 1."""

import math

import torch
from torch import Tensor


def one_query(
    query: list[float], keys: list[list[float]], values: list[list[float]]
) -> tuple[list[float], list[float]]:
    scores = [sum(q * k for q, k in zip(query, key, strict=True)) / math.sqrt(len(query)) for key in keys]
    shares = [math.exp(score - max(scores)) for score in scores]  # e^-max in every share, and in their sum
    weights = [share / sum(shares) for share in shares]
    columns = zip(*values, strict=True)
    return weights, [sum(w * v for w, v in zip(weights, column, strict=True)) for column in columns]


def causal_mask(T: int, S: int) -> Tensor:
    return torch.full((T, S), -torch.inf).triu(S - T + 1)  # query t is token S - T + t of the text


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(dim=-1)
    return weights @ value, weights
