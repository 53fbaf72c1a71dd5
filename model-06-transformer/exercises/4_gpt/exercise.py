"""Exercise 4, the core of the lesson: a GPT from its tensors alone, and one step of learning.

You get the weights of a TransformerLM as a dictionary, weights[name], and build what model.py builds of modules:

    embedding.weight            (V, C)      a row for each token
    position_embedding.weight   (n, C)      a row for each of n = context_length positions
    blocks.0.norm1.weight       (C,)        and .bias (C,); before attention.  blocks.0.norm2: before the feed-forward
    blocks.0.attention. ...                 its four tensors; attention is given
    blocks.0.feed_forward.up    (4C, C)     .weight, and .bias (4C,)
    blocks.0.feed_forward.down  (C, 4C)     .weight, and .bias (C,);   then blocks.1. ..., as many as there are
    norm.weight                 (C,)        and .bias (C,); after the last block
    lm_head.weight              (V, C)      or none, if it is tied: then the embedding's does its work

    LayerNorm(x)  = (x - mean) / sqrt(variance + eps) * weight + bias       over the C channels of each token; eps 1e-5,
                                                                            the variance a mean of C squares
    FeedForward(x) = gelu(x W_up^T + b_up) W_down^T + b_down                gelu is given
    block:   x + attention(LayerNorm(x)),    then    x + FeedForward(LayerNorm(x))         (pre-norm, as in GPT-2)

Fill in the five functions, in order, then run:   python -m shared.exercises 06
"""

import math

import torch
from torch import Tensor


def gelu(a: Tensor) -> Tensor:
    """a Phi(a), the lesson's bend. (Given.)"""
    return torch.nn.functional.gelu(a)


def attention(weights: dict[str, Tensor], name: str, x: Tensor, num_heads: int) -> Tensor:
    """Causal self-attention, exercises 1 and 2: name is "blocks.0.attention.", x and the result (B, T, C). (Given.)"""
    B, T, C = x.shape
    qkv = x @ weights[name + "qkv.weight"].t() + weights[name + "qkv.bias"]
    query, key, value = qkv.view(B, T, 3, num_heads, C // num_heads).permute(2, 0, 3, 1, 4)
    mask = torch.full((T, T), -torch.inf, dtype=x.dtype).triu(1)
    looked = (query @ key.transpose(2, 3) / math.sqrt(C // num_heads) + mask).softmax(dim=3)
    seen = (looked @ value).transpose(1, 2).flatten(2)
    return seen @ weights[name + "output.weight"].t() + weights[name + "output.bias"]


def layer_norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """name is "norm." or "blocks.0.norm1." and so on; x and the result (B, T, C). Without PyTorch's own."""
    raise NotImplementedError


def feed_forward(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """name is "blocks.0.feed_forward."; x and the result (B, T, C)."""
    raise NotImplementedError


def block(weights: dict[str, Tensor], name: str, x: Tensor, num_heads: int) -> Tensor:
    """name is "blocks.0."; x and the result (B, T, C). What is handed in stays as it is."""
    raise NotImplementedError


def forward(weights: dict[str, Tensor], token_ids: Tensor, num_heads: int) -> Tensor:
    """token_ids (B, T), T <= n, the start of a text -> logits (B, T, V), equal to TransformerLM's."""
    raise NotImplementedError


def descend(
    weights: dict[str, Tensor], inputs: Tensor, targets: Tensor, num_heads: int, rate: float
) -> dict[str, Tensor]:
    """One step of plain gradient descent on the mean cross-entropy of inputs, targets (B, T): the new weights.

    Autograd may do the derivatives (requires_grad_, torch.autograd.grad), and torch the loss. No nn.Module, no
    optimiser. The weights that were handed in stay as they are.
    """
    raise NotImplementedError
