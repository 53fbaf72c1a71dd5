"""A network that translates: one GRU reads the source sentence, another writes the target, one token after the other.

attention="none" (Cho et al. 2014, appendix A.1): all that the decoder gets of the source is one vector,

    c   = tanh(V h_S)                    h_S: the encoder's state after the last source token
    s_0 = tanh(V' c)
    s_t = GRU([e(y_{t-1}), c], s_{t-1})  c enters every step
    P(y_t) = softmax(W maxout(O [s_t, e(y_{t-1}), c]))

summary="initial" is the ablation: c makes s_0 and enters nowhere else. attention="additive" (Bahdanau et al. 2015,
appendix A) has no c. The encoder reads in both directions, h_j = [forward_j, backward_j], and before each step the
decoder looks back at all h_j and takes a mean of them, another one each time:

    energy_tj  = v tanh(W_a s_{t-1} + U_a h_j)
    weights_t  = softmax(energy_t)       over the source tokens j, 0 on padding
    context_t  = sum_j weights_tj h_j    takes the place of c; s_0 = tanh(V' backward_1)

Not as in the papers: in Cho's decoder the reset gate also acts on c's part of the candidate, here on that of s_{t-1}
alone, as in Bahdanau's and in GRULayer. The output sees s_t, as Cho's does; Bahdanau's sees s_{t-1}. Bahdanau's two
readers have H units each; here they have H / 2, so that the model with attention is not the larger one.

Shapes: B sentences, S source and T target tokens, V = target vocabulary, C = embedding_dim, H = hidden_size, N =
summary_size, K = what the decoder reads of the source at each step: H with attention, N without.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from model import GRULayer


@dataclass
class EncoderDecoderConfig:
    vocab_sizes: tuple[int, int]  # source, target
    embedding_dim: int = 128
    hidden_size: int = 256
    attention: str = "additive"  # or "none"
    summary: str = "every"  # without attention: c enters every step, or the "initial" state only
    summary_size: int = 256  # without attention: numbers in c
    reverse_source: bool = False  # without attention: read the source from its end (Sutskever et al. 2014)
    dropout: float = 0.1


class Memory(NamedTuple):
    """What the decoder has of a batch of source sentences."""

    state: Tensor  # (B, H) s_0
    values: Tensor  # (B, S, K) every h_j; without attention (B, 1, K): c
    keys: Tensor | None  # (B, S, H) 2 U_a h_j, the same for all steps
    mask: Tensor | None  # (B, S) True on tokens, False on padding

    def rows(self, index: Tensor) -> "Memory":
        """The memory of some of the sentences, in this order; one may come several times."""
        return Memory(*(part if part is None else part[index] for part in self))


def reverse(rows: Tensor, lengths: Tensor) -> Tensor:
    """Each row (B, S) or (B, S, ...) backwards within its own length; the padding stays behind it."""
    places = torch.arange(rows.shape[1], device=rows.device)
    mirrored = lengths[:, None] - 1 - places
    mirrored = torch.where(mirrored < 0, places, mirrored)
    return rows[torch.arange(len(rows), device=rows.device)[:, None], mirrored]


class AdditiveAttention(nn.Module):
    """context, weights = attention(s, memory): s (B, H) -> a mean of the values (B, K), its weights (B, S)."""

    def __init__(self, hidden_size: int, value_size: int):
        super().__init__()
        self.query = nn.Linear(hidden_size, hidden_size, bias=False)  # W_a
        self.key = nn.Linear(value_size, hidden_size, bias=False)  # U_a
        self.energy = nn.Linear(hidden_size, 1, bias=False)  # v

    def forward(self, s: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        # tanh(a) = 2 sigmoid(2a) - 1, several times faster on a CPU; the softmax does not see what -1 adds to all
        seen = torch.sigmoid(memory.keys + 2 * self.query(s)[:, None])
        energy = 2 * self.energy(seen).squeeze(2)
        weights = energy.masked_fill(~memory.mask, -torch.inf).softmax(dim=1)
        return (weights[:, None] @ memory.values).squeeze(1), weights


class EncoderDecoder(nn.Module):
    """logits = model(source, lengths, inputs): logits[:, t] is for the target token after inputs[:, t] (B, T, V)."""

    def __init__(self, config: EncoderDecoderConfig):
        super().__init__()
        self.config = c = config
        C, H, attends = c.embedding_dim, c.hidden_size, c.attention == "additive"
        self.source_embedding, self.embedding = (nn.Embedding(size, C) for size in c.vocab_sizes)
        self.dropout = nn.Dropout(c.dropout)
        reader = H // 2 if attends else H
        self.encoder = GRULayer(C, reader, init="orthogonal")
        if attends:
            self.encoder_backward = GRULayer(C, reader, init="orthogonal")
            self.attention = AdditiveAttention(H, 2 * reader)
        else:
            self.summarise = nn.Linear(reader, c.summary_size)  # V
        self.first_state = nn.Linear(reader if attends else c.summary_size, H)  # V'
        read = 2 * reader if attends else c.summary_size if c.summary == "every" else 0
        self.decoder = GRULayer(C + read, H, init="orthogonal")
        self.readout = nn.Linear(H + C + read, 2 * C)  # O
        self.lm_head = nn.Linear(C, c.vocab_sizes[1])  # W
        with torch.no_grad():
            self.lm_head.weight.mul_(0.1)  # the first loss is close to ln V

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """source (B, S) token ids, padded behind each row's length (B,) -> what the decoder can know of them."""
        if self.config.reverse_source:
            source = reverse(source, lengths)
        embedded = self.dropout(self.source_embedding(source))
        states, _ = self.encoder(embedded)  # what comes behind the last token does not change the states before it
        if self.config.attention == "none":
            last = states[torch.arange(len(states), device=states.device), lengths - 1]
            c = torch.tanh(self.summarise(last))
            return Memory(torch.tanh(self.first_state(c)).to(last.dtype), c[:, None].to(last.dtype), None, None)
        backward, _ = self.encoder_backward(reverse(embedded, lengths))
        backward = reverse(backward, lengths)
        values = torch.cat([states, backward], dim=2)
        state, keys = torch.tanh(self.first_state(backward[:, 0])), 2 * self.attention.key(values)
        mask = torch.arange(source.shape[1], device=source.device) < lengths[:, None]
        return Memory(state.to(values.dtype), values, keys.to(values.dtype), mask)

    def decode(self, inputs: Tensor, memory: Memory, state: Tensor | None = None):
        """inputs (B, T), the target tokens so far -> logits (B, T, V), the state s_T, weights (B, T, S) or None."""
        embedded, s = self.dropout(self.embedding(inputs)), memory.state if state is None else state
        if self.config.attention == "additive":
            states, contexts, weights = self.look_back(embedded, s, memory)
            state, read = states[:, -1], [embedded, contexts]
        else:
            read, weights = [embedded], None
            if self.config.summary == "every":
                read.append(memory.values.expand(-1, inputs.shape[1], -1))
            states, state = self.decoder(torch.cat(read, dim=2), s)
        pairs = self.readout(torch.cat([states, *read], dim=2)).unflatten(2, (-1, 2))
        logits = self.lm_head(self.dropout(pairs.amax(dim=3)))  # maxout (Goodfellow et al. 2013)
        return logits.to(states.dtype), state, weights

    def look_back(self, embedded: Tensor, s: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """The decoder's steps: embedded (B, T, C) -> states (B, T, H), contexts (B, T, K), weights (B, T, S).

        Each step's context depends on the state before it, so this loop is not GRULayer's: its cell is written out.
        What depends on the tokens alone leaves the loop, and so does the whole output layer.
        """
        layer, (C, H) = self.decoder, (embedded.shape[2], s.shape[1])
        weight_tokens, weight_context = layer.weight_ih.tensor_split([C], dim=1)
        weight_gates, weight_candidate = layer.weight_hh.split([2 * H, H])
        token_gates, steps = linear(embedded, weight_tokens, layer.bias_ih).to(s.dtype), []
        with torch.autocast(s.device.type, enabled=False):  # bf16, if at all, is for the large products outside
            for x in token_gates.unbind(1):
                context, weights = self.attention(s, memory)
                x_gates, x_candidate = torch.addmm(x, context, weight_context.t()).split([2 * H, H], dim=1)
                reset, update = torch.sigmoid(x_gates + linear(s, weight_gates, layer.bias_hh)).chunk(2, dim=1)
                candidate = torch.tanh(x_candidate + linear(reset * s, weight_candidate))
                s = torch.lerp(candidate, s, update)
                steps.append((s, context, weights))
        return tuple(torch.stack(parts, dim=1) for parts in zip(*steps, strict=True))

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        return self.decode(inputs, self.encode(source, lengths))[0]
