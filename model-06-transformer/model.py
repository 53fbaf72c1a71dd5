"""Lesson 06: the Transformer. No summary of the text is carried along: each token looks back at all those before it.

    token_ids --> embedding + positions --> block --> block --> ... --> norm --> lm_head --> logits

A block (blocks.py) looks around (attention.py), then thinks about what was seen, and adds both to what is there.

New against lesson 05: nothing waits for its neighbour. h_t needed h_{t-1}; here all tokens of a text go through a block
at once, as matrix products. What is remembered is not one (h, c) but a key and a value for each token: it grows with
the text. And order, which a recurrence has by itself, must be told: positions. The numbers in comments are those of the
equations in docs/math/06-transformer.md.

Beyond context_length there is one rule, for all settings (27): when the window is full and another token comes, its
older half (rounded up) is forgotten, and the other half is read again as if the text began there. So a token always
sees more than half a window, no position is ever met that training did not know, and what a token sees depends on its
place in the text alone, not on how the text was cut.

Shapes: B sequences, T tokens, S tokens in the cache, V = vocab_size, C = embedding_dim, L = num_layers, heads =
num_heads, d = C / heads.
"""

import math
from dataclasses import dataclass

import torch
from attention import Dropout, angles, sinusoids
from blocks import Block, new_norm
from extras import BigramEmbedding
from torch import Tensor, nn

from shared.console import LearnerError, nearest

CHOICES = {
    "positions": ("learned", "sinusoidal", "rotary", "none"),
    "norm": ("layer", "rms", "none"),
    "activation": ("gelu", "gelu_tanh", "relu", "squared_relu", "swiglu"),
}


@dataclass
class TransformerConfig:
    vocab_size: int
    context_length: int = 128
    embedding_dim: int = 192
    num_layers: int = 4
    num_heads: int = 6
    dropout: float = 0.0  # of the embeddings and of what each sublayer adds
    attention_dropout: float = 0.0  # of the attention's weights
    positions: str = "learned"  # or "sinusoidal", "rotary", "none"
    norm: str = "layer"  # or "rms", "none"
    post_norm: bool = False  # normalise the sum (2017) instead of what goes into the sublayer
    activation: str = "gelu"  # or "gelu_tanh", "relu", "squared_relu", "swiglu"
    tied: bool = False  # lm_head's matrix is the embedding's
    no_bias: bool = False  # linear layers without their biases
    init_std: float = 0.02  # of the weights at the start (19); GPT-2's, small for few channels
    qk_norm: bool = False  # queries and keys normalised before they meet (Henry et al. 2020)
    bigrams: int = 0  # vectors for pairs of tokens, added to the embedding (extras.py); 0: none
    zero_init: bool = False  # what a sublayer adds is 0 at the start
    token_shift: bool = False  # sublayers read half of their channels from the token before (extras.py)

    def __post_init__(self):
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise LearnerError(f"--{name} {value}: no such choice:{nearest(value, choices)}")
        if self.embedding_dim % self.num_heads:
            raise LearnerError(f"--num-heads {self.num_heads} does not divide --embedding-dim {self.embedding_dim}")
        if self.positions == "rotary" and self.embedding_dim // self.num_heads % 2:
            raise LearnerError("--positions rotary needs heads of an even size: --embedding-dim / --num-heads")


class TransformerLM(nn.Module):
    """logits, state = model(token_ids, state=None): the state is a list of (keys, values), (B, heads, S, d), one for
    each layer, and behind them the tokens of the window, (B, S), S <= context_length. (With token_shift there are two
    more beside keys and values: what attention and the feed-forward network read last, (B, C) each.)
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = c = config
        self.embedding = nn.Embedding(c.vocab_size, c.embedding_dim)
        if c.positions == "learned":
            self.position_embedding = nn.Embedding(c.context_length, c.embedding_dim)  # (8)
        elif c.positions == "sinusoidal":
            self.register_buffer("sinusoids", sinusoids(c.context_length, c.embedding_dim).float(), persistent=False)
        elif c.positions == "rotary":
            turned = angles(c.context_length, c.embedding_dim // c.num_heads)
            self.register_buffer("rotation", torch.stack([turned.cos(), turned.sin()], dim=2).float(), persistent=False)
        self.bigrams = BigramEmbedding(c.vocab_size, c.bigrams, c.embedding_dim) if c.bigrams else None
        self.dropout = Dropout(c.dropout)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.num_layers))
        self.norm = nn.Identity() if c.post_norm else new_norm(c)
        self.lm_head = nn.Linear(c.embedding_dim, c.vocab_size, bias=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """(19) All N(0, init_std^2) and biases 0, as in GPT-2. In the blocks, pre-norm: what adds to x is smaller by
        sqrt(2L) so that the sum of all is not large; post-norm: Xavier, as in the code of the 2017 paper."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=self.config.init_std)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            output, down = block.attention.output.weight, block.feed_forward.down.weight
            if self.config.post_norm and self.config.norm != "none":
                for weight in (*block.attention.qkv.weight.chunk(3), output, block.feed_forward.up.weight, down):
                    nn.init.xavier_uniform_(weight)
            else:
                for weight in (output, down):
                    weight.div_(math.sqrt(2 * len(self.blocks)))
            if self.config.zero_init:
                nn.init.zeros_(output)
                nn.init.zeros_(down)
        if self.bigrams is not None:
            nn.init.zeros_(self.bigrams.weight)
        largest = 0.5 / math.sqrt(self.config.embedding_dim)  # logits of about 1/2: the first loss is ln V + 1/8
        nn.init.normal_(self.lm_head.weight, std=min(self.config.init_std, largest))
        if self.config.tied:
            self.embedding.weight = self.lm_head.weight

    def forward(self, token_ids: Tensor, state: list | None = None) -> tuple[Tensor, list]:
        """token_ids (B, T) -> logits (B, T, V) for the token after each, and the state after the last."""
        length, logits = self.config.context_length, []
        *layers, window = state or self.start(token_ids)
        while token_ids.shape[1]:
            again = 0
            if window.shape[1] == length:  # full: the later half is read again, from no state, with what comes (27)
                again = length // 2
                token_ids = torch.cat([window[:, length - again :], token_ids], dim=1)
                *layers, window = self.start(token_ids)
            room = length - window.shape[1]
            piece, token_ids = token_ids[:, :room], token_ids[:, room:]
            hidden, layers = self.read(piece, layers, window)
            logits.append(self.lm_head(hidden[:, again:]))
            window = torch.cat([window, piece], dim=1)
        logits = logits[0] if len(logits) == 1 else torch.cat(logits, dim=1)
        return logits.to(self.lm_head.weight.dtype), [*layers, window]  # float32 also where autocast computes in less

    def start(self, token_ids: Tensor) -> list:
        """The state before a text: nothing in any layer, no tokens in the window."""
        return [None] * len(self.blocks) + [token_ids[:, :0]]

    def read(self, token_ids: Tensor, layers: list, window: Tensor) -> tuple[Tensor, list]:
        """Tokens (B, T) that still fit behind those in the window -> hidden vectors (B, T, C), the new caches."""
        (x, rotation), caches = self.embed(token_ids, window), []
        for block, cache in zip(self.blocks, layers, strict=True):
            x, cache = block(x, cache, rotation=rotation)
            caches.append(cache)
        return self.norm(x), caches

    def embed(self, token_ids: Tensor, window: Tensor) -> tuple[Tensor, Tensor | None]:
        """What goes into the first block (B, T, C), and the rotation for these positions."""
        c, places = self.config, slice(window.shape[1], window.shape[1] + token_ids.shape[1])
        x = self.embedding(token_ids)
        if c.positions == "learned":
            x = x + self.position_embedding.weight[places]
        elif c.positions == "sinusoidal":
            x = x * math.sqrt(c.embedding_dim) + self.sinusoids[places]  # Vaswani 2017, section 3.4
        if self.bigrams is not None:
            x = x + self.bigrams(token_ids, window)
        return self.dropout(x), torch.view_as_complex(self.rotation[places]) if c.positions == "rotary" else None

    def attention_maps(self, token_ids: Tensor) -> Tensor:
        """To look inside: who looks at whom in a text of at most context_length tokens (B, T), (B, L, heads, T, T)."""
        if token_ids.shape[1] > self.config.context_length:
            raise ValueError(f"{token_ids.shape[1]} tokens, more than context_length, {self.config.context_length}")
        (x, rotation), maps = self.embed(token_ids, token_ids[:, :0]), []
        for block in self.blocks:
            maps.append(block.attention.look(block.attention_inputs(x)[0], rotation=rotation))
            x, _ = block(x, rotation=rotation)
        return torch.stack(maps, dim=1)
