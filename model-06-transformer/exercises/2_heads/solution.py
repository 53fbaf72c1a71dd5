"""One good answer to exercise 2."""

import math

from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Exercise 1: query (..., T, d), key, value (..., S, d) -> seen (..., T, d), weights (..., T, S). (Given.)"""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return weights @ value, weights


def split(x: Tensor, num_heads: int) -> Tensor:
    B, T, C = x.shape
    return x.view(B, T, num_heads, C // num_heads).transpose(1, 2)  # the channels are cut first, then the axes change


def join(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def multi_head(
    inputs: Tensor, memory: Tensor, num_heads: int, mask: Tensor | None,
    in_weight: Tensor, in_bias: Tensor, out_weight: Tensor, out_bias: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    sources = inputs, memory, memory
    parts = zip(sources, in_weight.chunk(3), in_bias.chunk(3), strict=True)
    query, key, value = (split(x @ weight.t() + bias, num_heads) for x, weight, bias in parts)
    seen, weights = attend(query, key, value, mask)
    return join(seen) @ out_weight.t() + out_bias, weights
