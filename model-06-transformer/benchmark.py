"""How fast is the lesson's Transformer, against torch.nn.TransformerEncoder of the same size, in one run? And what is
the cache of keys and values worth?

    python benchmark.py

A training step (forward, loss, backward, AdamW) at nanoGPT's configuration for a CPU: 4 layers of 128 with 4 heads, a
context of 64, batch 12, float32, no dropout, no biases, lm_head tied, Shakespeare's 65 characters. The same weights on
both sides; embeddings and lm_head alike, and what train.py does for speed, for both: AdamW in one pass over the
weights, freed memory kept for the next step, as many threads as are fastest. 30 pairs in turn, medians.

Generation, one token at a time: 1,000 tokens with the cache, and with the whole window read again for every token, at
the default preset and at context 256; 3 pairs in turn, medians.
"""

import statistics
import time
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import torch
from model import TransformerConfig, TransformerLM
from torch import Tensor, nn
from train import PRESETS, train_step

from shared.compute import choose_threads
from shared.console import run, say
from shared.data.batching import Batch
from shared.results import Result

LESSON = Path(__file__).resolve().parent
NANOGPT = TransformerConfig(65, 64, embedding_dim=128, num_layers=4, num_heads=4, tied=True, no_bias=True)
BATCH, PAIRS, WARM_UP = 12, 30, 3
TOKENS, GENERATION_PAIRS = 1000, 3


class TorchLM(nn.Module):
    """The weights of a pre-norm TransformerLM (GELU, learned positions) in PyTorch's own modules, as a copy."""

    def __init__(self, model: TransformerLM):
        super().__init__()
        c = model.config
        self.embedding = nn.Embedding(c.vocab_size, c.embedding_dim)
        self.position_embedding = nn.Embedding(c.context_length, c.embedding_dim)
        layer = nn.TransformerEncoderLayer(
            c.embedding_dim, c.num_heads, 4 * c.embedding_dim, c.dropout, "gelu", batch_first=True, norm_first=True,
            bias=not c.no_bias,
        )  # fmt: skip
        norm = nn.LayerNorm(c.embedding_dim, bias=not c.no_bias)
        self.encoder = nn.TransformerEncoder(layer, c.num_layers, norm, enable_nested_tensor=False)
        self.lm_head = nn.Linear(c.embedding_dim, c.vocab_size, bias=False)
        names = {"encoder.layers.": "blocks.", "self_attn.in_proj_": "attention.qkv.", "encoder.norm.": "norm.",
                 "self_attn.out_proj.": "attention.output.", "linear1.": "feed_forward.up.",
                 "linear2.": "feed_forward.down."}  # fmt: skip
        weights = {}
        for name in self.state_dict():
            our_name = name
            for theirs, ours in names.items():
                our_name = our_name.replace(theirs, ours)
            weights[name] = model.state_dict()[our_name]
        self.load_state_dict(weights)
        if c.tied:
            self.lm_head.weight = self.embedding.weight

    def forward(self, token_ids: Tensor) -> tuple[Tensor, None]:
        T = token_ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        x = self.embedding(token_ids) + self.position_embedding.weight[:T]
        return self.lm_head(self.encoder(x, mask, is_causal=True)), None


def measure_step(config: TransformerConfig = NANOGPT, batch_size=BATCH, pairs=PAIRS) -> list[float]:
    """Median milliseconds of a training step: PyTorch's modules, and ours."""
    torch.manual_seed(0)
    ours = TransformerLM(config)
    theirs = TorchLM(ours)
    token_ids = torch.randint(config.vocab_size, (batch_size, config.context_length + 1))
    batch = Batch(token_ids[:, :-1].contiguous(), token_ids[:, 1:].contiguous(), True)
    torch.testing.assert_close(theirs(batch.inputs)[0], ours(batch.inputs)[0], rtol=1e-4, atol=1e-4)
    steps = []
    for model in (theirs, ours):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        steps.append(partial(train_step, model, optimizer, batch, 1, 0.0, 0.0, torch.device("cpu"), "float32"))
    times = [[timed(step) for step in steps] for _ in range(WARM_UP + pairs)][WARM_UP:]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def timed(step) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - start)


@torch.inference_mode()
def write(model: TransformerLM, tokens: int, cache: bool) -> tuple[float, list[int]]:
    """Tokens per second of one text, always the likeliest token next, and the text."""
    window, state, written = torch.zeros(1, 1, dtype=torch.int64), None, []
    start = time.perf_counter()
    for _ in range(tokens):
        if cache:
            logits, state = model(window[:, -1:], state)
        else:
            if window.shape[1] > model.config.context_length:  # the rule by which the cache forgets (model.py)
                window = window[:, -(model.config.context_length // 2) - 1 :]
            logits, _ = model(window)
        token = logits[:, -1].argmax(dim=1, keepdim=True)
        window = torch.cat([window, token], dim=1)
        written.append(token.item())
    return tokens / (time.perf_counter() - start), written


def measure_generation(config: TransformerConfig, tokens=TOKENS, pairs=GENERATION_PAIRS) -> list[float]:
    """Median tokens per second at batch 1: every token from the whole window, and with the cache."""
    torch.manual_seed(0)
    model, speeds = TransformerLM(config).eval(), []
    for cache in (False, True):
        write(model, WARM_UP, cache)
    for _ in range(pairs):
        (without, _), (with_cache, _) = write(model, tokens, cache=False), write(model, tokens, cache=True)
        speeds.append((without, with_cache))
    return [statistics.median(column) for column in zip(*speeds, strict=True)]


def main() -> None:
    choose_threads()
    say(f"{torch.get_num_threads()} threads; a training step, medians of {PAIRS} pairs, in milliseconds")
    columns = ["layers", "heads", "width", "context", "batch", "torch.nn.TransformerEncoder, ms", "TransformerLM, ms"]
    result, c = Result(LESSON, "benchmark", [*columns, "ratio"], seed=0), NANOGPT
    say("  ".join(result.columns))
    theirs, ours = measure_step()
    sizes = c.num_layers, c.num_heads, c.embedding_dim, c.context_length, BATCH
    result.add(*sizes, round(theirs, 1), round(ours, 1), round(ours / theirs, 3))
    result.save(pairs=PAIRS)

    say(f"\ngeneration: batch 1, one token at a time, medians of {GENERATION_PAIRS} pairs, in tokens per second")
    columns = ["layers", "heads", "width", "context", "no cache, tokens/s", "with the cache, tokens/s", "times as fast"]
    result = Result(LESSON, "generation", columns, seed=0)
    say("  ".join(columns))
    settings = {field.name: PRESETS["default"][field.name] for field in fields(c) if field.name in PRESETS["default"]}
    default = TransformerConfig(65, **settings)
    for config in (default, replace(default, context_length=256)):
        c, (without, with_cache) = config, measure_generation(config)
        sizes = c.num_layers, c.num_heads, c.embedding_dim, c.context_length
        result.add(*sizes, round(without), round(with_cache), round(with_cache / without, 1))
    result.save(tokens=TOKENS, pairs=GENERATION_PAIRS)


if __name__ == "__main__":
    run(main)
