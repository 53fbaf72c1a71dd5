"""Lesson 02: the MLP language model. It remembers the last context_length tokens, as vectors that it learns.

    x = [C(w_{t-n+1}); ...; C(w_t)]          the vectors of the last n tokens, side by side
    h = tanh(H x + d)                        one hidden layer (or more)
    logits = U h + b  (+ W x)                W: the direct connections, an option   (Bengio et al. 2003, eq. 1)

New against lesson 01: a token is no longer a key of a table but a vector, C(w), and similar tokens may come to have
similar vectors. What is learnt of one context then serves all contexts like it. The horizon is as hard as before.

Shapes: B sequences, T tokens, V = vocab_size, C = embedding_dim, H = hidden_size, n = context_length.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class MLPConfig:
    vocab_size: int
    context_length: int = 16  # n
    embedding_dim: int = 32  # C
    hidden_size: int = 512  # H
    num_layers: int = 1
    dropout: float = 0.0
    batch_norm: bool = False  # Ioffe & Szegedy 2015, before each tanh
    direct: bool = False  # connections from the embeddings straight to the output
    init: str = "scaled"  # or "naive": normal numbers of size 1 everywhere, which an experiment shows to be a bad start


def drop(dropout: nn.Dropout, x: Tensor) -> Tensor:
    """Dropout with one mask (B, 1, C) for all positions of a sequence: T times fewer random numbers."""
    return x * dropout(torch.ones_like(x[:, :1]))


class HiddenLayer(nn.Module):
    """tanh(linear), with BatchNorm between the two if asked for; (B, T, in) -> (B, T, out)."""

    def __init__(self, inputs: int, outputs: int, config: MLPConfig):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=not config.batch_norm)  # BatchNorm brings a bias of its own
        self.norm = nn.BatchNorm1d(outputs) if config.batch_norm else None
        self.dropout = nn.Dropout(config.dropout)
        self.residual = inputs == outputs  # a second layer of the same width adds to what came in

    def forward(self, x: Tensor) -> Tensor:
        z = self.linear(x)
        if self.norm is not None:
            z = self.norm(z.flatten(0, 1)).view_as(z)  # statistics over all B * T positions
        h = drop(self.dropout, torch.tanh(z))
        return x + h if self.residual else h


class MLPLM(nn.Module):
    """logits, state = model(token_ids, state): the state is the last context_length token ids, (B, <= n)."""

    def __init__(self, config: MLPConfig):
        super().__init__()
        self.config = config
        wide = config.context_length * config.embedding_dim
        sizes = [wide] + [config.hidden_size] * config.num_layers
        self.embedding = nn.Embedding(config.vocab_size + 1, config.embedding_dim)  # the last row: before the text
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(HiddenLayer(i, o, config) for i, o in zip(sizes, sizes[1:], strict=False))
        self.lm_head = nn.Linear(sizes[-1], config.vocab_size)
        self.direct = nn.Linear(wide, config.vocab_size, bias=False) if config.direct else None
        self._initialise()

    def _initialise(self) -> None:
        """A start at which the tanh units are neither dead nor idle, and the first guess is nearly uniform."""
        naive = self.config.init == "naive"
        nn.init.normal_(self.embedding.weight)
        for layer in self.layers:  # Glorot & Bengio 2010, eq. 16, with the gain of tanh
            nn.init.normal_(layer.linear.weight) if naive else nn.init.xavier_normal_(layer.linear.weight, gain=5 / 3)
        nn.init.normal_(self.lm_head.weight, std=1.0 if naive else 0.1 / self.config.hidden_size**0.5)
        nn.init.zeros_(self.lm_head.bias)
        if self.direct is not None:
            nn.init.zeros_(self.direct.weight)

    def windows(self, token_ids: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The vectors of the last n tokens at every position, (B, T, n * C), and the ids of state and tokens."""
        n, batch = self.config.context_length, len(token_ids)
        text = token_ids if state is None else torch.cat([state, token_ids], dim=1)
        missing = token_ids.shape[1] + n - 1 - text.shape[1]  # before the start of the text stands the extra row
        padding = token_ids.new_full((batch, max(0, missing)), self.config.vocab_size)
        padded = torch.cat([padding, text], dim=1)[:, -(token_ids.shape[1] + n - 1) :]
        vectors = drop(self.dropout, self.embedding(padded))  # (B, T + n - 1, C): each looked up once, used n times
        return vectors.unfold(1, n, 1).transpose(2, 3).flatten(2), text

    def forward(self, token_ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """token_ids (B, T) -> logits (B, T, V), position t predicting token t+1, and the state."""
        x, text = self.windows(token_ids, state)
        h = x
        for layer in self.layers:
            h = layer(h)
        logits = self.lm_head(h)
        if self.direct is not None:
            logits = logits + self.direct(x)
        return logits.float(), text[:, -self.config.context_length :]
