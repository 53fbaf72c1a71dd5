"""The block of a Transformer: attention, then a feed-forward network, each added to what is there.

    x = norm(x + attention(x)), x = norm(x + feed_forward(x))       post-norm (Vaswani et al. 2017)
    x = x + attention(norm(x)), x = x + feed_forward(norm(x))       pre-norm (GPT-2; Radford et al. 2019)

The numbers in comments are those of the equations in docs/math/06-transformer.md. `config` is model.py's
TransformerConfig. Shapes: B sequences, T tokens, C = embedding_dim.
"""

import torch
from attention import Dropout, MultiHeadAttention, RMSNormFunction
from extras import shift_tokens
from torch import Tensor, nn
from torch.nn.functional import gelu, relu, silu


class RMSNorm(nn.Module):
    """(16) x / sqrt(mean of x^2 + eps) * weight, over the channels of each token (Zhang & Sennrich 2019)."""

    def __init__(self, size: int, eps: float = 1e-5):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x: Tensor) -> Tensor:
        return RMSNormFunction.apply(x, self.weight, self.eps)


def new_norm(config) -> nn.Module:
    """A norm over the C channels of a token. (15) LayerNorm is PyTorch's, one operation instead of half a dozen."""
    if config.norm == "layer":
        return nn.LayerNorm(config.embedding_dim, bias=not config.no_bias)
    return RMSNorm(config.embedding_dim) if config.norm == "rms" else nn.Identity()


class SquaredReLU(torch.autograd.Function):
    """max(a, 0)^2 (So et al. 2021), and its gradient by hand: 2 max(a, 0)."""

    @staticmethod
    def forward(ctx, a: Tensor) -> Tensor:
        positive = relu(a)
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return (gradient * ctx.saved_tensors[0]).mul_(2)


class FeedForward(nn.Module):
    """(17) Two linear layers and a bend, each token by itself, (B, T, C) -> (B, T, C); 4C units wide (Vaswani 2017).

    (18) "swiglu": silu(gate) * value (Shazeer 2020), 8/3 C wide, so that its three matrices are as large as the two.
    """

    def __init__(self, embedding_dim: int, activation: str = "gelu", bias=True):
        super().__init__()
        gated, self.activation = activation == "swiglu", activation
        hidden_size = 8 * embedding_dim // 3 if gated else 4 * embedding_dim
        self.up = nn.Linear(embedding_dim, 2 * hidden_size if gated else hidden_size, bias)
        self.down = nn.Linear(hidden_size, embedding_dim, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.bend(self.up(x)))

    def bend(self, a: Tensor) -> Tensor:
        if self.activation == "swiglu":
            gate, value = a.chunk(2, dim=-1)
            return silu(gate) * value
        if self.activation == "gelu":  # (17); for one token alone PyTorch's own takes longer
            return gelu(a) if a.shape[1] > 1 else a * torch.special.ndtr(a)
        if self.activation == "gelu_tanh":
            return gelu(a, approximate="tanh")  # as in GPT-2
        return SquaredReLU.apply(a) if self.activation == "squared_relu" else relu(a)


class Block(nn.Module):
    """x, state = block(x, state=None): attention and feed-forward, each with a residual connection and a norm.

    x is (B, T, C) before and after; causal, mask and rotation are handed on to MultiHeadAttention.
    """

    def __init__(self, config):
        super().__init__()
        c, bias = config, not config.no_bias
        self.post_norm, self.token_shift = c.post_norm, c.token_shift
        self.attention = MultiHeadAttention(c.embedding_dim, c.num_heads, c.attention_dropout, bias, c.qk_norm)
        self.feed_forward = FeedForward(c.embedding_dim, c.activation, bias)
        self.norm1, self.norm2 = new_norm(c), new_norm(c)
        self.dropout = Dropout(c.dropout)

    def forward(self, x: Tensor, state: tuple | None = None, causal=True, mask=None, rotation=None):
        inputs, last = self.attention_inputs(x, state)
        seen, cache = self.attention(inputs, state and state[:2], causal=causal, mask=mask, rotation=rotation)
        if self.post_norm:  # (13)
            x = self.norm1(x + self.dropout(seen))
            inputs, more = self.shifted(x, state and state[3:])
            x = self.norm2(x + self.dropout(self.feed_forward(inputs)))
        else:  # (14)
            x = x + self.dropout(seen)
            inputs, more = self.shifted(self.norm2(x), state and state[3:])
            x = x + self.dropout(self.feed_forward(inputs))
        return x, (*cache, *last, *more)

    def attention_inputs(self, x: Tensor, state: tuple | None = None) -> tuple[Tensor, tuple]:
        """What attention reads (B, T, C), and what of it the state keeps beside keys and values."""
        return self.shifted(x if self.post_norm else self.norm1(x), state and state[2:])

    def shifted(self, inputs: Tensor, last: tuple | None) -> tuple[Tensor, tuple]:
        """With token_shift: half of the channels from the token before; and the last token's inputs, for the state."""
        if not self.token_shift:
            return inputs, ()
        return shift_tokens(inputs, last and last[0]), (inputs[:, -1],)
