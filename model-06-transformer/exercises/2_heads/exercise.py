"""Exercise 2: many heads from one. A softmax takes one mean; who must look at two places for two reasons needs two.

    Q = X W_q^T + b_q       K = M W_k^T + b_k       V = M W_v^T + b_v        (B, T or S, C): all heads side by side
    head i has the channels i d ... (i + 1) d - 1 of Q, K and V, where d = C / heads, and attends with them
    Y = [what head 0 sees, what head 1 sees, ...] W_o^T + b_o               (Vaswani et al. 2017, section 3.2.2)

X are the tokens that look, M those that are looked at: the same in self-attention, another text's in cross-attention.
No head gets a loop of its own: `attend` takes any axes in front, so the heads become one of them. The weights are laid
out as in torch.nn.MultiheadAttention: in_weight (3C, C) has W_q, W_k and W_v one below another, in_bias (3C,) likewise.

Fill in the three functions, in order, then run:   python -m shared.exercises 06
"""

import math

from torch import Tensor


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Exercise 1: query (..., T, d), key, value (..., S, d) -> seen (..., T, d), weights (..., T, S). (Given.)"""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = (scores if mask is None else scores + mask).softmax(dim=-1)
    return weights @ value, weights


def split(x: Tensor, num_heads: int) -> Tensor:
    """(B, T, C) -> (B, heads, T, d): head i gets the i-th part of each token's channels."""
    raise NotImplementedError


def join(x: Tensor) -> Tensor:
    """The way back, (B, heads, T, d) -> (B, T, C): each token's heads side by side again."""
    raise NotImplementedError


def multi_head(
    inputs: Tensor, memory: Tensor, num_heads: int, mask: Tensor | None,
    in_weight: Tensor, in_bias: Tensor, out_weight: Tensor, out_bias: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """inputs X (B, T, C), memory M (B, S, C), mask (T, S) or None -> Y (B, T, C), the weights (B, heads, T, S)."""
    raise NotImplementedError
