"""What one more token costs: the state carried, against reading the whole text again for each token.

    python experiments/cost_per_token.py

Milliseconds per token at positions 100 to 3,000 of a text, for a network of the default preset's size (untrained: time
does not depend on what the weights are). Medians; run it while nothing else runs.
"""

import statistics
import sys
import time
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import RNNLM, RNNConfig
from train import PRESETS

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

POSITIONS = (100, 200, 500, 1000, 2000, 3000)
AROUND, READINGS = 50, 5  # how many tokens, and readings, a median is taken of
VOCAB_SIZE = 65


def milliseconds(work) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


@torch.no_grad()
def main() -> None:
    torch.manual_seed(1337)
    settings = {name: PRESETS["default"][name] for name in ("embedding_dim", "hidden_size", "residual")}
    model = RNNLM(RNNConfig(VOCAB_SIZE, **settings)).eval()
    token_ids = torch.randint(VOCAB_SIZE, (1, POSITIONS[-1] + AROUND))
    state, times = None, []
    for token in token_ids.split(1, dim=1):
        start = time.perf_counter()
        _, state = model(token, state)
        times.append(1000 * (time.perf_counter() - start))
    columns = ["position", "state carried, ms per token", "read again, ms per token", "ratio"]
    result = Result(LESSON, "cost_per_token", columns, 1337)
    for position in POSITIONS:
        carried = statistics.median(times[position - AROUND : position + AROUND])
        again = statistics.median(milliseconds(lambda: model(token_ids[:, :position])) for _ in range(READINGS))  # noqa: B023
        result.add(position, carried, again, f"{again / carried:,.0f}")
    _, carried, again, _ = zip(*result.rows, strict=True)
    lines = {"read again for each token": (POSITIONS, again), "state carried": (POSITIONS, carried)}
    plot_lines(result.path(".png"), lines, "What one more token costs", "position in the text",
               "milliseconds per token", log_x=True, log_y=True)  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
