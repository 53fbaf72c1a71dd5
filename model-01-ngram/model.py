"""Lesson 01: the n-gram model. It remembers the last n-1 tokens and counts what came after them.

    P(w | all that was read) is taken to be P(w | the last n-1 tokens)                  (Shannon 1948, section 3)

Counts are kept as a trie packed into sorted arrays, one array for each length k:

    key of a k-gram  =  (row of its first k-1 tokens in the array for k-1) * V  +  its last token

so a look-up is k binary searches, and the continuations of a context lie side by side. Beside each k-gram stands its
smoothed probability, and beside each context the weight that it hands down to the next shorter one (smoothing.py):

    P_k(w | context) = prob[context w]                                   if that k-gram was seen
                     = backoff[context] * P_{k-1}(w | shorter context)   otherwise

Shapes: B sequences, T tokens, V = vocab_size, U_k = number of distinct k-grams in the training text.
"""

from dataclasses import dataclass

import numpy as np
import torch
from smoothing import INTERPOLATES, Level, fit_weights, smooth
from torch import Tensor, nn


@dataclass
class NGramConfig:
    vocab_size: int
    order: int = 6  # n: the model looks at n-1 tokens to predict the next
    smoothing: str = "kneser-ney"  # or "none", "add-k", "interpolated", "stupid-backoff"
    add_k: float = 0.01
    sizes: tuple[int, ...] = ()  # U_1 ... U_n, known once the text has been counted


def count(token_ids: Tensor, order: int, vocab_size: int) -> list[Level]:
    """Every distinct k-gram of a text (N,), for k = 1 ... order, with how often it occurs."""
    levels, nodes = [], torch.zeros(len(token_ids) + 1, dtype=torch.int64)  # the empty n-gram, at every position
    num_contexts = 1
    for k in range(1, order + 1):
        keys = nodes[:-1] * vocab_size + token_ids[k - 1 :]
        ordered = torch.from_numpy(np.sort(keys.numpy()))
        distinct, counts = torch.unique_consecutive(ordered, return_counts=True)
        rows = torch.searchsorted(distinct, keys)  # the k-gram that starts at each position
        suffix = torch.empty_like(distinct)
        suffix[rows] = nodes[1:]  # the same k-gram without its first token
        levels.append(Level(distinct, counts, distinct // vocab_size, suffix, num_contexts, first=rows[:1]))
        nodes, num_contexts = rows, len(distinct)
    return levels


def pick(values: Tensor, rows: Tensor, otherwise: float) -> Tensor:
    """values[rows], and `otherwise` where the row is -1."""
    if len(values) == 0:
        return torch.full_like(rows, otherwise, dtype=values.dtype)
    return torch.where(rows >= 0, values[rows.clamp(min=0)], otherwise)


class NGramLM(nn.Module):
    """logits, state = model(token_ids, state): the logits are log-probabilities, the state is the last n-1 tokens.

    Untrained it knows nothing, and says so: every token has probability 1/V.
    """

    def __init__(self, config: NGramConfig):
        super().__init__()
        self.config = config
        sizes = [1, *(config.sizes or (0,) * config.order)]
        for k in range(1, config.order + 1):
            self.register_buffer(f"keys_{k}", torch.zeros(sizes[k], dtype=torch.int64))
            self.register_buffer(f"counts_{k}", torch.zeros(sizes[k], dtype=torch.int32))
            self.register_buffer(f"prob_{k}", torch.zeros(sizes[k], dtype=torch.float64))
            self.register_buffer(f"backoff_{k}", torch.ones(sizes[k - 1], dtype=torch.float64))

    def fit(self, token_ids: Tensor) -> list[dict]:
        """Learn from a text (N,): one pass to count, one to smooth. Returns what smoothing chose for each order."""
        c = self.config
        levels = count(token_ids, c.order, c.vocab_size)
        weights = None
        if c.smoothing == "interpolated":  # how far to trust each order is learnt on text that was not counted
            cut = int(0.9 * len(token_ids))
            held_in = NGramLM(NGramConfig(c.vocab_size, c.order, "none"))
            held_in.fit(token_ids[:cut])
            weights = fit_weights(*held_in._relative_frequencies(token_ids[cut:]), c.vocab_size)
        smoothed, details = smooth(levels, c.smoothing, c.vocab_size, c.add_k, weights)
        for k, (level, (prob, backoff)) in enumerate(zip(levels, smoothed, strict=True), start=1):
            values = {"keys": level.keys, "counts": level.counts.int(), "prob": prob, "backoff": backoff}
            for name, value in values.items():
                self.register_buffer(f"{name}_{k}", value)
        c.sizes = tuple(len(level.keys) for level in levels)
        return details

    def _table(self, name: str, k: int) -> Tensor:
        return getattr(self, f"{name}_{k}")

    def _find(self, k: int, context: Tensor, token: Tensor) -> Tensor:
        """Row of each k-gram (context row, token) in the arrays for k; -1 where it was never seen."""
        keys = self._table("keys", k)
        wanted = context * self.config.vocab_size + token
        row = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        return torch.where((context >= 0) & (pick(keys, row, -1) == wanted), row, -1)

    def _rows(self, token_ids: Tensor, length: int) -> list[Tensor]:
        """For k = 0 ... length: row of the k-gram that *ends* at each place of (B, S); -1 if unseen or too short."""
        batch, num_tokens = token_ids.shape
        ending = [torch.zeros_like(token_ids)]  # k = 0, the empty n-gram, has been seen everywhere
        for k in range(1, length + 1):
            row = token_ids.new_full((batch, num_tokens), -1)
            if num_tokens >= k:
                before = ending[-1][:, k - 2 : num_tokens - 1] if k > 1 else ending[-1]
                row[:, k - 1 :] = self._find(k, before, token_ids[:, k - 1 :])
            ending.append(row)
        return ending

    def forward(self, token_ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """token_ids (B, T) -> log-probabilities (B, T, V) of the token after each, and the state (B, <= n-1)."""
        c = self.config
        text = token_ids if state is None else torch.cat([state, token_ids], dim=1)
        start = text.shape[1] - token_ids.shape[1]
        contexts = self._rows(text, c.order - 1)
        place = torch.arange(start, text.shape[1], device=text.device).expand_as(token_ids).reshape(-1)
        prob = torch.full((token_ids.numel(), c.vocab_size), 1 / c.vocab_size, dtype=torch.float64, device=text.device)
        for k in range(1, c.order + 1):  # from the shortest context to the longest, each refining the one before
            keys = self._table("keys", k)
            context = contexts[k - 1][:, start:].reshape(-1)
            if c.smoothing not in INTERPOLATES:  # these two know one order only: forget what the shorter ones said
                prob[place >= k - 2] = 1 / c.vocab_size
            prob *= pick(self._table("backoff", k), context, 1.0)[:, None]
            low = torch.searchsorted(keys, context * c.vocab_size)  # the continuations of a context are neighbours
            high = torch.searchsorted(keys, (context + 1) * c.vocab_size)
            number = torch.where(context >= 0, high - low, 0)
            row = torch.repeat_interleave(torch.arange(len(number), device=text.device), number)
            ngram = torch.arange(len(row), device=text.device) + (low - (number.cumsum(0) - number))[row]
            prob[row, keys[ngram] % c.vocab_size] = self._table("prob", k)[ngram]
        logits = prob.log().float().view(*token_ids.shape, c.vocab_size)
        return logits, text[:, max(0, text.shape[1] - (c.order - 1)) :]

    def log_prob(self, token_ids: Tensor) -> Tensor:
        """Log-probability (nats) of each token of (N,) but the first, (N-1,) float64: forward without the other V-1."""
        c = self.config
        ending = [row[0] for row in self._rows(token_ids[None], c.order)]
        prob = torch.full((len(token_ids) - 1,), 1 / c.vocab_size, dtype=torch.float64, device=token_ids.device)
        for k in range(1, c.order + 1):
            context, ngram = ending[k - 1][:-1], ending[k][1:]
            if c.smoothing not in INTERPOLATES:
                prob[max(0, k - 2) :] = 1 / c.vocab_size
            handed_down = prob * pick(self._table("backoff", k), context, 1.0)
            prob = torch.where(ngram >= 0, pick(self._table("prob", k), ngram, 0.0), handed_down)
        return prob.log()

    def context_lengths(self, token_ids: Tensor) -> Tensor:
        """How many of the tokens before each of (N,) but the first, at most n-1, had been seen together: (N-1,)."""
        ending = self._rows(token_ids[None], self.config.order - 1)
        return sum((row[0, :-1] >= 0).long() for row in ending[1:]) + torch.zeros(len(token_ids) - 1, dtype=torch.int64)

    def _relative_frequencies(self, token_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Of each token but the first: count(context w) / count(context) and count(context), (orders, N-1)."""
        ending = [row[0] for row in self._rows(token_ids[None], self.config.order)]
        frequency, total = [], []
        for k in range(1, self.config.order + 1):
            context, ngram = ending[k - 1][:-1], ending[k][1:]
            counts, parents = self._table("counts", k).double(), self._table("keys", k) // self.config.vocab_size
            totals = torch.bincount(parents, counts, len(self._table("backoff", k)))
            total.append(pick(totals, context, 0.0))
            frequency.append(pick(counts, ngram, 0.0) / total[-1].clamp(min=1))
        return torch.stack(frequency), torch.stack(total)

    def continuations(self, context_ids: list[int]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """For each suffix of the context that was seen, longest first: its (token, count) pairs, by falling count."""
        found = []
        for length in range(min(len(context_ids), self.config.order - 1), -1, -1):
            suffix = context_ids[len(context_ids) - length :]
            context = torch.zeros(1, dtype=torch.int64)
            for k, token in enumerate(suffix, start=1):
                context = self._find(k, context, torch.tensor([token]))
            keys, counts = self._table("keys", length + 1), self._table("counts", length + 1)
            here = (keys // self.config.vocab_size) == context
            pairs = zip((keys[here] % self.config.vocab_size).tolist(), counts[here].tolist(), strict=True)
            pairs = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
            if pairs:
                found.append((suffix, pairs))
        return found
