"""The bridge to lesson 06: an LSTM that looks back at its own past, at one state after the other, not at one summary.

h_t, what the plain model hands to lm_head, now asks a question. The h_s before it, as far back as context_length, are
what is asked, and a mean of them is the answer:

    energy_ts  = query_t . key_s                          "dot", Luong et al. 2015, section 3.1: their W_a is W_q^T W_k
               = v . tanh(query_t + key_s)                "additive", Bahdanau et al. 2015, appendix A.1.2
                 where query_t = W_q h_t, key_s = W_k h_s
    weights_t  = softmax(energy_t)                        over t - context_length <= s < t
    context_t  = sum_s weights_ts h_s
    output_t   = tanh(W [h_t, context_t] + b)             Luong et al. 2015, equation 5; it goes into lm_head

(A language model of this kind: Daniluk et al. 2017, Frustratingly short attention spans.)

The past of t ends before t: h_t stands beside the context in the last line anyway, so to look at itself would tell it
nothing. The first token has a past, too: the state before the text, h_0 = 0, is position 0 like any other.

New against model.py: the class Attention, and in the model's state, behind the (h, c) of the layers, the keys and
values of the last context_length positions. No context goes back into the LSTM (Luong's input feeding): nobody waits
for it, and all tokens of a chunk look back at once (docs/math/05-lstm.md).

Shapes: as in model.py; A = attention_size, P = positions in the cache, at most context_length.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from model import LSTMLM, LSTMConfig, drop
from torch import Tensor, nn

from shared.console import LearnerError

KINDS = ("dot", "additive")
BLOCK = 16  # tokens that look back together: few of the energies computed for them lie outside of their windows


@dataclass
class LSTMAttentionConfig(LSTMConfig):
    attention: str = "dot"  # or "additive"
    attention_size: int = 64  # numbers in a query and in a key
    context_length: int = 128  # so many positions back one can look


class Attention(nn.Module):
    """outputs, cache = attention(hidden, cache=None): both (B, T, H), the cache is keys (B, P, A) and values (B, P, H).

    The values are the h_s themselves.
    """

    def __init__(self, hidden_size: int, attention_size: int, context_length: int, kind: str = "dot"):
        super().__init__()
        if kind not in KINDS:
            raise LearnerError(f"--attention {kind}: there are {' and '.join(KINDS)}")
        self.context_length, self.kind = context_length, kind
        self.query = nn.Linear(hidden_size, attention_size, bias=False)  # W_q
        self.key = nn.Linear(hidden_size, attention_size, bias=False)  # W_k
        if kind == "additive":
            self.energy = nn.Linear(attention_size, 1, bias=False)  # v
        else:
            nn.init.normal_(self.query.weight, std=0.1 / math.sqrt(hidden_size))  # at first all places look about alike
        self.combine = nn.Linear(2 * hidden_size, hidden_size)  # W

    def forward(
        self, hidden: Tensor, cache: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        keys, values = self.positions(hidden, cache)
        contexts = [weights @ values[:, window] for window, weights in self.weights(hidden, keys)]
        outputs = torch.tanh(self.combine(torch.cat([hidden, torch.cat(contexts, dim=1)], dim=2)))
        return outputs, (keys[:, -self.context_length :], values[:, -self.context_length :])

    def positions(self, hidden: Tensor, cache: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """The cache, and behind it what this chunk adds: keys (B, P + T, A), values (B, P + T, H)."""
        keys = self.key(hidden).to(hidden.dtype)  # autocast computes the products in less
        if cache is None:  # the start of a text: h_0
            cache = tuple(x.new_zeros(len(x), 1, x.shape[2]) for x in (keys, hidden))
        return torch.cat([cache[0], keys], dim=1), torch.cat([cache[1], hidden], dim=1)

    def weights(self, hidden: Tensor, keys: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Block after block of tokens: the positions that any of them can look at, as a slice, and the weights
        (B, tokens, positions), 0 where a token cannot look: too far back, or not yet past."""
        queries = self.query(hidden)
        tokens, places = queries.shape[1], torch.arange(keys.shape[1], device=keys.device)
        before = keys.shape[1] - tokens  # P: token t of the chunk is position P + t
        for start in range(0, tokens, BLOCK):
            stop = min(start + BLOCK, tokens)
            window = slice(max(0, before + start - self.context_length), before + stop - 1)
            energies = self.energies(queries[:, start:stop], keys[:, window]).to(hidden.dtype)
            back = places[before + start : before + stop, None] - places[window]  # how far: (tokens, positions)
            outside = (back < 1) | (back > self.context_length)
            yield window, energies.masked_fill(outside, -torch.inf).softmax(dim=2)

    def energies(self, queries: Tensor, keys: Tensor) -> Tensor:
        """queries (B, Q, A), keys (B, S, A) -> how well each fits each (B, Q, S)."""
        if self.kind == "dot":
            return queries @ keys.transpose(1, 2)
        # tanh(a) = 2 sigmoid(2a) - 1, several times faster on a CPU; the softmax does not see what -1 adds to all
        seen = ((2 * queries).unsqueeze(2) + (2 * keys.to(queries.dtype)).unsqueeze(1)).sigmoid_()  # (B, Q, S, A)
        return 2 * self.energy(seen).squeeze(3)

    def look(self, hidden: Tensor, cache: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """To look inside: the weights over all positions there are (B, T, P + T)."""
        keys, _ = self.positions(hidden, cache)
        rows = []
        for window, weights in self.weights(hidden, keys):
            rows.append(weights.new_zeros(*weights.shape[:2], keys.shape[1]))
            rows[-1][:, :, window] = weights
        return torch.cat(rows, dim=1)


class LSTMAttentionLM(LSTMLM):
    """logits, state = model(token_ids, state=None): the state is L x (h, c), as in LSTMLM, and then (keys, values)."""

    def __init__(self, config: LSTMAttentionConfig):
        super().__init__(config)
        self.attention = Attention(config.hidden_size, config.attention_size, config.context_length, config.attention)

    def forward(self, token_ids: Tensor, state: list[tuple] | None = None) -> tuple[Tensor, list[tuple]]:
        """token_ids (B, T) -> logits (B, T, V) for the token after each, and the state after the last."""
        hidden, new_state, cache = self.read(token_ids, state)
        outputs, cache = self.attention(hidden, cache)
        logits = self.lm_head(outputs)
        return logits.to(self.lm_head.weight.dtype), [*new_state, cache]

    def read(self, token_ids: Tensor, state: list[tuple] | None) -> tuple[Tensor, list[tuple], tuple | None]:
        """What LSTMLM does: token_ids (B, T) -> h_t (B, T, H), the layers' new (h, c); and the cache, as it was."""
        *state, cache = state or [None] * (len(self.layers) + 1)
        hidden, new_state = self.embedding(token_ids), []
        for layer, h_c in zip(self.layers, state, strict=True):
            outputs, h_c = layer(hidden, h_c)
            outputs = drop(outputs, self.config.dropout) if self.training else outputs
            hidden = hidden + outputs if self.config.residual and new_state else outputs
            new_state.append(h_c)
        return hidden, new_state, cache

    def look(self, token_ids: Tensor, state: list[tuple] | None = None) -> Tensor:
        """To look inside: how much each token looks at each position, (B, T, P + T); column P + t is token t.

        From the start of a text P is 1: column 0 is the state before it.
        """
        hidden, _, cache = self.read(token_ids, state)
        return self.attention.look(hidden, cache)
