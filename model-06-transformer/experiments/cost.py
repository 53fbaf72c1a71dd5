"""What one more token costs, by its place in the text: with the cache, and with the whole text read again.

    python experiments/cost.py

Milliseconds per token at positions 100 to 3,000 of one text, for the default preset's blocks with a window of 4,096, so
that nothing is forgotten (untrained: time does not depend on what the weights are). Beside them a recurrent network,
which costs the same everywhere: lesson 03's own numbers for the same positions (its results/cost_per_token.json; of
another size, and perhaps of another machine: look at the slope, not at the height). The cache in megabytes, and the
multiplications of one token by equation (28): 12 L C^2 + 2 S L C with S tokens in the cache.

Medians; run it while nothing else runs.
"""

import statistics
import sys
import time
from dataclasses import fields
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import TransformerConfig, TransformerLM
from short_run import PRESETS

from shared.console import run
from shared.recall import map_state
from shared.results import Result, read_result
from shared.visualize import plot_lines

POSITIONS, CONTEXT = (100, 200, 500, 1000, 2000, 3000), 4096
AROUND, READINGS = 50, 5  # how many tokens, and readings, a median is taken of
VOCAB_SIZE = 65


def new_model(context_length: int) -> TransformerLM:
    """The default preset's network with another window."""
    torch.manual_seed(1337)
    preset = PRESETS["default"] | {"context_length": context_length}
    settings = {field.name: preset[field.name] for field in fields(TransformerConfig) if field.name in preset}
    return TransformerLM(TransformerConfig(VOCAB_SIZE, **settings)).eval()


def multiplications(config: TransformerConfig, position: int) -> int:
    """Of one token with so many in the cache; lm_head and embedding not counted."""
    return config.num_layers * (12 * config.embedding_dim**2 + 2 * position * config.embedding_dim)


def megabytes(state) -> float:
    """Of keys, values and tokens."""
    sizes: list[int] = []
    map_state(state, lambda part: sizes.append(part.nbytes))
    return sum(sizes) / 1e6


def milliseconds(work) -> float:
    """Of one call."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


@torch.no_grad()
def main() -> None:
    model = new_model(CONTEXT)
    token_ids = torch.randint(VOCAB_SIZE, (1, POSITIONS[-1] + AROUND))
    state, times, sizes = None, [], {}
    for place, token in enumerate(token_ids.split(1, dim=1), start=1):
        start = time.perf_counter()
        _, state = model(token, state)
        times.append(1000 * (time.perf_counter() - start))
        if place in POSITIONS:
            sizes[place] = megabytes(state)
    columns = ["position", "multiplications", "cache, megabytes", "with the cache, ms per token"]
    result = Result(LESSON, "cost", [*columns, "read again, ms per token", "ratio"], 1337)
    for position in POSITIONS:
        cached = statistics.median(times[position - AROUND : position + AROUND])
        again = statistics.median(milliseconds(lambda: model(token_ids[:, :position])) for _ in range(READINGS))  # noqa: B023
        result.add(position, multiplications(model.config, position), round(sizes[position], 2), cached, again,
                   f"{again / cached:,.1f}")  # fmt: skip
    _, _, _, cached, again, _ = zip(*result.rows, strict=True)
    lines = {"read again for each token": (POSITIONS, again), "with the cache": (POSITIONS, cached)}
    before = read_result("model-03-rnn", "cost_per_token")
    lines["the RNN of lesson 03, state carried"] = tuple(zip(*[row[:2] for row in before["rows"]], strict=True))
    plot_lines(result.path(".png"), lines, "What one more token costs", "position in the text",
               "milliseconds per token", log_x=True, log_y=True)  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
