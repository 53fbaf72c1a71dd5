"""Attention, from one query to many heads, and what gives it a sense of order. model.py builds the Transformer of it.

    query_t = W_q x_t    key_s = W_k x_s    value_s = W_v x_s       what t asks, what s answers to, what s has to tell
    weights_ts = softmax over s of query_t . key_s / sqrt(d)        how much t looks at s
    output_t = W_o [sum_s weights_ts value_s, for each head]        (Vaswani et al. 2017, section 3.2)

Lesson 05's attention was of this kind: one head, on top of a recurrence, and what was looked at was the h_s themselves.
The numbers in comments are those of the equations in docs/math/06-transformer.md.

Shapes: B sequences, T tokens that look, S tokens that are looked at (self-attention: those in the cache and these T),
C = embedding_dim, heads = num_heads, d = C / heads.
"""

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, scale: float | None = None, dropout=None
) -> tuple[Tensor, Tensor]:
    """query (..., T, d), key and value (..., S, d) -> what each query sees (..., T, d), and its weights (..., T, S).

    mask is added to the scores: 0, or -inf where a query must not look. scale is 1/sqrt(d) unless given.
    """
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * scale) @ key.transpose(-2, -1)  # (2) how well does each query fit each key?
    if mask is not None:
        scores = scores + mask  # (4)
    weights = scores.softmax(dim=-1)  # (3)
    return (weights if dropout is None else dropout(weights)) @ value, weights  # (5) a mean of the values


class MultiHeadAttention(nn.Module):
    """outputs, state = attention(inputs, state=None, memory=None, causal=True): inputs (B, T, C) -> outputs (B, T, C).

    Self-attention, causal or in both directions; with a memory (B, S, C), cross-attention: keys and values are the
    memory's. The state is the cache, keys and values (B, heads, S, d) of all tokens so far, or of the memory, which is
    then read only once. mask (B, S): True on tokens, False on padding. rotation: `rotate`'s, for these T positions.
    """

    def __init__(self, embedding_dim: int, num_heads: int, dropout=0.0, bias=True, qk_norm=False):
        super().__init__()
        self.num_heads, self.head_dim, self.qk_norm = num_heads, embedding_dim // num_heads, qk_norm
        self.scale = 1 / math.sqrt(self.head_dim)
        self.qkv = nn.Linear(embedding_dim, 3 * embedding_dim, bias)  # W_q, W_k and W_v, one under another
        self.output = nn.Linear(embedding_dim, embedding_dim, bias)  # W_o
        self.dropout = Dropout(dropout)

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None, memory: Tensor | None = None, causal=True,
        mask: Tensor | None = None, rotation: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
        outputs, state, _ = self.attend(inputs, state, memory, causal, mask, rotation)
        return outputs, state

    def look(self, inputs: Tensor, state=None, memory=None, causal=True, mask=None, rotation=None) -> Tensor:
        """To look inside: the weights (B, heads, T, S), each row a distribution."""
        return self.attend(inputs, state, memory, causal, mask, rotation)[2]

    def attend(self, inputs, state, memory, causal, mask, rotation):
        query, key, value = self.project(inputs, state, memory, rotation)
        mask = self.score_mask(query, key, causal and memory is None, mask)
        seen, weights = scaled_dot_product_attention(query, key, value, mask, self.scale, self.dropout)
        outputs = self.output(seen.transpose(1, 2).flatten(2))  # (6) the heads side by side again: (B, T, C)
        return outputs, (key, value), weights

    def project(self, inputs, state, memory, rotation) -> tuple[Tensor, Tensor, Tensor]:
        """(1) Queries (B, heads, T, d), keys and values (B, heads, S, d)."""
        if memory is not None:
            C, bias = inputs.shape[2], self.qkv.bias
            (query,) = self.split(linear(inputs, self.qkv.weight[:C], None if bias is None else bias[:C]))
            return self.normalised(query), *(state or self.read(memory))
        qkv = self.split(self.qkv(inputs))  # one product for all three
        if rotation is None and not self.qk_norm:
            query, key, value = qkv.unbind()
        else:
            both, value = qkv.split([2, 1])
            both = self.normalised(both)
            (query, key), value = (both if rotation is None else rotate(both, rotation)).unbind(), value.squeeze(0)
        if state is not None:  # the cache comes first; it is not changed: a longer one takes its place
            key, value = torch.cat([state[0], key], dim=2), torch.cat([state[1], value], dim=2)
        return query, key, value

    def read(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(1) Keys and values of a memory (B, S, C), each (B, heads, S, d): the state with which it is looked at."""
        C, bias = memory.shape[2], self.qkv.bias
        key, value = self.split(linear(memory, self.qkv.weight[C:], None if bias is None else bias[C:]))
        return self.normalised(key), value

    def split(self, x: Tensor) -> Tensor:
        """(B, T, n * C) -> (n, B, heads, T, d)."""
        return x.view(*x.shape[:2], -1, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)

    def normalised(self, x: Tensor) -> Tensor:
        """With qk_norm, queries and keys all have the same length, sqrt(d) (after Henry et al. 2020)."""
        return RMSNormFunction.apply(x) if self.qk_norm else x

    @staticmethod
    def score_mask(query: Tensor, key: Tensor, causal: bool, tokens: Tensor | None) -> Tensor | None:
        """(4) What is added to the scores, (T, S) or (B, 1, T or 1, S): -inf on the future and on padding; or None."""
        T, S, mask = query.shape[2], key.shape[2], None
        if causal and T > 1:  # the queries are the last T of the S tokens
            mask = torch.full((T, S), -torch.inf, dtype=query.dtype, device=query.device).triu(S - T + 1)
        if tokens is not None:
            padding = torch.zeros_like(tokens, dtype=query.dtype).masked_fill(~tokens, -torch.inf)[:, None, None]
            mask = padding if mask is None else mask + padding
        return mask

    @classmethod
    def from_torch(cls, module: nn.Module) -> "MultiHeadAttention":
        """This layer with the weights and dtype of PyTorch's; ValueError if it is not one plain layer."""
        if not isinstance(module, nn.MultiheadAttention):
            raise ValueError(f"expected PyTorch's MultiheadAttention module, got {type(module).__name__}")
        if not module.batch_first or module.in_proj_weight is None:
            raise ValueError("expected batch_first=True, kdim and vdim equal to embed_dim")
        if module.bias_k is not None or module.add_zero_attn:
            raise ValueError("expected add_bias_kv=False, add_zero_attn=False")
        layer = cls(module.embed_dim, module.num_heads, module.dropout, module.in_proj_bias is not None)
        names = {name: name.replace("in_proj_", "qkv.").replace("out_proj", "output") for name in module.state_dict()}
        layer.to(module.in_proj_weight)
        layer.load_state_dict({names[name]: weight for name, weight in module.state_dict().items()})
        return layer


class RMSNormFunction(torch.autograd.Function):
    """(16) y = x / sqrt(mean of x^2 + eps), over the last dimension, and y * weight if one is given (Zhang & Sennrich
    2019).

    The gradient of y by hand: (dy - y * mean of dy * y) / sqrt(...). Autograd would go back through each operation
    alone.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor | None = None, eps: float = 1e-5) -> Tensor:
        scale = torch.rsqrt(torch.linalg.vecdot(x, x)[..., None] / x.shape[-1] + eps)
        y = x * scale
        ctx.save_for_backward(y, scale, weight)
        return y if weight is None else y * weight

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple[Tensor, Tensor | None, None]:
        y, scale, weight = ctx.saved_tensors
        d_weight = None
        if weight is not None:
            d_weight, dy = (dy * y).flatten(0, -2).sum(0), dy * weight
        mean = torch.linalg.vecdot(dy, y)[..., None] / y.shape[-1]
        return torch.addcmul(dy, y, mean, value=-1).mul_(scale), d_weight, None  # dy - y * mean, times scale


@cache
def dropout_masks(p: float, size: int) -> Tensor:
    """A long row of numbers (size,), always the same: 0 at a random share p of the places, else 1 / (1 - p)."""
    kept = torch.rand(size, generator=torch.Generator().manual_seed(0)) >= p
    return kept / (1 - p)


@torch.compiler.disable  # it would compile the row itself into every step, and throw it away after
def dropout_mask(p: float, size: int) -> Tensor:
    """So many numbers of such a row (size,), from a random place on."""
    masks = dropout_masks(p, max(2**22, 2 ** (1 + size.bit_length())))
    place = torch.randint(len(masks) - size + 1, ()).item()
    return masks[place : place + size]


class Dropout(nn.Dropout):
    """A random share p of x is zero in training, the rest larger by as much (Srivastava et al. 2014).

    On a CPU, to draw fewer random numbers, a mask is cut out of one long row, at a random place.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        if self.p == 1 or x.device.type != "cpu":
            return super().forward(x)
        return x * dropout_mask(self.p, x.numel()).view(x.shape).to(x.dtype)


def angles(length: int, size: int) -> Tensor:
    """(9) Position times frequency (length, ceil(size / 2)), float64: the first turns fastest, the last hardly."""
    frequencies = 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    return torch.arange(length, dtype=torch.float64)[:, None] * frequencies


def sinusoids(length: int, size: int) -> Tensor:
    """(9) Vectors of the positions (length, size), float64: sine and cosine in turn (Vaswani et al. 2017, 3.5)."""
    turned = angles(length, size)
    return torch.stack([turned.sin(), turned.cos()], dim=2).flatten(1)[:, :size]


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """(11) Turn each pair of neighbours in x (..., T, d): as a complex number, times e^(i angle). Those are rotation
    (T, d/2), complex. Rotary positions (Su et al. 2021, section 3.2).
    """
    pairs = x.to(rotation.real.dtype).unflatten(-1, (-1, 2))  # float32 also where autocast computes in less
    return torch.view_as_real(torch.view_as_complex(pairs) * rotation).flatten(-2).to(x.dtype)
