"""The Transformer as it began: an encoder reads a sentence, a decoder writes it in another language.

    source --> embedding + positions --> block --> ... --> block --> memory          each token looks both ways
                                                                       |
    target --> embedding + positions --> decoder block --> ... --> lm_head --> logits     back at itself, and at memory

(Vaswani et al. 2017, section 3.) The encoder's blocks are those of blocks.py without the causal mask. A decoder block
has one sublayer more, between the two: cross-attention, whose queries are the target's and whose keys and values are
the memory's.

    x = x + attention(norm(x))                    the target so far, causal
    x = x + cross_attention(norm(x), memory)      the whole source
    x = x + feed_forward(norm(x))                 post-norm, as in 2017: x = norm(x + ...) three times

New against lesson 04's pair of GRUs: nothing waits. The source is read at once, and in training so is the target; each
h_j knows both sides of its word without a second reader; every layer and head of the decoder has a look back of its
own; and what was written so far is looked at in the same way, where the GRU had one vector s.

At use the target comes one token at a time, and two things are kept. Keys and values of the target so far grow, as in
model.py: that is the decoder's state. Keys and values of the memory never change: they are computed once.

Positions beyond context_length are all read as the last one; sentences so long are nothing that training has met.

Shapes: B sentences, S source and T target tokens, V = target vocabulary, C = embedding_dim, L = num_layers, heads =
num_heads, d = C / heads.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from attention import Dropout, MultiHeadAttention, sinusoids
from blocks import Block, new_norm
from model import TransformerConfig

from shared.console import LearnerError
from shared.recall import map_state


@dataclass
class EncoderDecoderConfig:
    vocab_sizes: tuple[int, int]  # source, target
    context_length: int = 256  # positions that are told apart
    embedding_dim: int = 128
    num_layers: int = 2  # of the encoder, and as many of the decoder
    num_heads: int = 4
    dropout: float = 0.1  # of the embeddings and of what each sublayer adds
    attention_dropout: float = 0.0  # of the attention's weights
    positions: str = "sinusoidal"  # or "learned"
    activation: str = "relu"  # or another one of blocks.py
    post_norm: bool = False  # normalise the sum (2017) instead of what goes into the sublayer
    joint: bool = False  # one vocabulary for both languages, and one embedding

    def __post_init__(self):
        if self.positions not in ("sinusoidal", "learned"):
            raise LearnerError(f"--positions {self.positions}: take sinusoidal or learned")

    def of_blocks(self) -> TransformerConfig:
        """What Block needs to know. LearnerError where the sizes do not fit."""
        return TransformerConfig(
            self.vocab_sizes[1], self.context_length, self.embedding_dim, self.num_layers, self.num_heads, self.dropout,
            self.attention_dropout, self.positions, post_norm=self.post_norm, activation=self.activation,
        )  # fmt: skip


class Memory(NamedTuple):
    """What the decoder has of a batch of source sentences."""

    hidden: Tensor  # (B, S, C) the encoder's result
    caches: list[tuple[Tensor, Tensor]]  # for each decoder block its keys and values (B, heads, S, d)
    mask: Tensor  # (B, S) True on tokens, False on padding

    def rows(self, index: Tensor) -> "Memory":
        """The memory of some of the sentences, in this order; one may come several times."""
        return map_state(self, lambda part: part[index])


class DecoderBlock(Block):
    """x, state, weights = block(x, state, memory, cache): x is (B, T, C) before and after, weights (B, heads, T, S).

    The state is attention's keys and values of the target so far; the cache is cross_attention's, of the memory.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__(config)
        c = config
        self.cross_attention = MultiHeadAttention(c.embedding_dim, c.num_heads, c.attention_dropout)
        self.norm3 = new_norm(c)

    def forward(self, x: Tensor, state: tuple | None, memory: Memory, cache: tuple[Tensor, Tensor]):
        seen, state = self.attention(self.before(self.norm1, x), state)
        x = self.after(self.norm1, x + self.dropout(seen))
        queries = self.before(self.norm2, x)
        seen, _, weights = self.cross_attention.attend(queries, cache, memory.hidden, False, memory.mask, None)
        x = self.after(self.norm2, x + self.dropout(seen))
        x = self.after(self.norm3, x + self.dropout(self.feed_forward(self.before(self.norm3, x))))
        return x, state, weights

    def before(self, norm: nn.Module, x: Tensor) -> Tensor:
        """What a sublayer reads: (14) pre-norm."""
        return x if self.post_norm else norm(x)

    def after(self, norm: nn.Module, x: Tensor) -> Tensor:
        """What becomes of the sum: (13) post-norm."""
        return norm(x) if self.post_norm else x


class EncoderDecoder(nn.Module):
    """logits = model(source, lengths, inputs): logits[:, t] is for the target token after inputs[:, t] (B, T, V)."""

    shown: tuple[int, int | None] = -1, None  # whose weights `decode` returns: a layer, and a head or their mean

    def __init__(self, config: EncoderDecoderConfig):
        super().__init__()
        self.config = c = config
        blocks, (source_size, target_size) = c.of_blocks(), c.vocab_sizes
        self.embedding = nn.Embedding(target_size, c.embedding_dim)
        self.source_embedding = self.embedding if c.joint else nn.Embedding(source_size, c.embedding_dim)
        if c.positions == "learned":
            self.position_embedding = nn.Embedding(c.context_length, c.embedding_dim)
        else:
            self.register_buffer("sinusoids", sinusoids(c.context_length, c.embedding_dim).float(), persistent=False)
        self.dropout = Dropout(c.dropout)
        self.encoder = nn.ModuleList(Block(blocks) for _ in range(c.num_layers))
        self.decoder = nn.ModuleList(DecoderBlock(blocks) for _ in range(c.num_layers))
        self.encoder_norm, self.decoder_norm = (nn.Identity() if c.post_norm else new_norm(blocks) for _ in range(2))
        self.lm_head = nn.Linear(c.embedding_dim, target_size, bias=False)
        self.lm_head.weight = self.embedding.weight
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """Matrices of the blocks are Xavier's, as in the code of the paper; W_q, W_k and W_v each by itself.

        A source token's vector is longer than its position's: what a word is counts for more than where it stands. The
        target's are short: they are lm_head's, too, and longer ones would have the model say the same word again.
        """
        one = self.config.embedding_dim**-0.5
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            elif "embedding" in name:
                nn.init.normal_(weight, std=2 * one if name.startswith("source") else one / 2)
            elif weight.dim() == 2:
                for part in weight.chunk(3 if "qkv" in name else 1):
                    nn.init.xavier_uniform_(part)

    def encode(self, source: Tensor, lengths: Tensor) -> Memory:
        """source (B, S) token ids, padded behind each row's length (B,) -> what the decoder can know of them."""
        mask = torch.arange(source.shape[1], device=source.device) < lengths[:, None]
        x = self.embed(self.source_embedding, source)
        for block in self.encoder:
            x, _ = block(x, causal=False, mask=mask)
        hidden = self.encoder_norm(x)
        return Memory(hidden, [block.cross_attention.read(hidden) for block in self.decoder], mask)

    def decode(self, inputs: Tensor, memory: Memory, state: list | None = None):
        """inputs (B, T), target tokens behind those in the state -> logits (B, T, V), the new state, weights (B, T, S).

        The state is a list over the layers: keys and values (B, heads, tokens so far, d).
        """
        logits, state, weights = self.read(inputs, memory, state)
        layer, head = self.shown
        return logits, state, weights[layer].mean(dim=1) if head is None else weights[layer][:, head]

    def read(self, inputs: Tensor, memory: Memory, state: list | None = None):
        """As decode, but with the cross-attention's weights of all layers, (B, heads, T, S) each."""
        x = self.embed(self.embedding, inputs, start=state[0][0].shape[2] if state else 0)
        states, all_weights = [], []
        for block, cache, before in zip(self.decoder, memory.caches, state or [None] * len(self.decoder), strict=True):
            x, after, weights = block(x, before, memory, cache)
            states.append(after)
            all_weights.append(weights)
        logits = self.lm_head(self.decoder_norm(x))
        return logits.to(self.lm_head.weight.dtype), states, all_weights  # float32 also where autocast computes in less

    def embed(self, embedding: nn.Embedding, token_ids: Tensor, start: int = 0) -> Tensor:
        """What goes into the first block (B, T, C), for tokens (B, T) from position `start` on."""
        places = torch.arange(start, start + token_ids.shape[1], device=token_ids.device)
        places, x = places.clamp(max=self.config.context_length - 1), embedding(token_ids)
        if self.config.positions == "learned":
            x = x + self.position_embedding(places)
        else:
            x = x * math.sqrt(self.config.embedding_dim) + self.sinusoids[places]  # Vaswani 2017, sections 3.4 and 3.5
        return self.dropout(x)

    def forward(self, source: Tensor, lengths: Tensor, inputs: Tensor) -> Tensor:
        return self.read(inputs, self.encode(source, lengths))[0]
