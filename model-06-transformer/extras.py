"""Two things that are no part of the Transformer, as options: --bigrams and --token-shift (model.py).

Both tell a token directly what stood before it, which else the first layers have to learn to look up: BigramEmbedding
adds a vector for the pair, shift_tokens gives half of what a sublayer reads from one place earlier.
"""

import torch
from torch import Tensor, nn


class BigramEmbedding(nn.Embedding):
    """vectors = bigrams(token_ids, window): for each of (B, T) a learned vector (B, T, C) for it and the token before.

    There are `size` vectors. Pairs are numbered, and the number's remainder is the vector's row: with (V + 1) (V + 2)
    rows or more, each pair has one of its own; with fewer, some share.
    """

    def __init__(self, vocab_size: int, size: int, embedding_dim: int):
        super().__init__(size, embedding_dim)
        self.vocab_size = vocab_size

    def forward(self, token_ids: Tensor, window: Tensor) -> Tensor:
        """window (B, S): the tokens before these. Where it is empty, the first has none before it."""
        nothing = token_ids.new_full((len(token_ids), 1), self.vocab_size)
        before = torch.cat([nothing, window, token_ids], dim=1)[:, -token_ids.shape[1] - 1 : -1]
        pairs = before * (self.vocab_size | 1) + token_ids  # odd: or 2^n rows could know nothing of `before`
        return super().forward(pairs % self.num_embeddings)


def shift_tokens(x: Tensor, last: Tensor | None) -> Tensor:
    """x (B, T, C), half of its channels from the token before (after Peng et al. 2023, RWKV, where each channel has a
    share of both); last (B, C): the x before these, None for 0."""
    moved, stays = x.tensor_split((x.shape[2] // 2,), dim=2)
    first = torch.zeros_like(moved[:, :1]) if last is None else last[:, None, : moved.shape[2]]
    return torch.cat([torch.cat([first, moved[:, :-1]], dim=1), stays], dim=2)
