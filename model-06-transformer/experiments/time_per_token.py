"""What does a token of training cost, the more of them stand in a row? Five networks of the same size.

    python experiments/time_per_token.py                    first, in lessons 02 to 05: about a minute each
    python experiments/time_per_token.py                    then here; while nothing else runs

Four blocks, forward, loss and backward, in batches of 4,096 tokens: 256 texts of 16 tokens, 128 of 32, ... 4 of 1,024;
medians. The measurement, shared/timing.py, is the same in lessons 02 to 06, and so is the size of the networks, half a
million parameters (positions are sinusoidal, which need none). All read equally many tokens; but an RNN, a GRU or an
LSTM takes T steps one after another, each of 4,096 / T rows; attention takes one, with 2 T C multiplications a token.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from model import TransformerConfig, TransformerLM

from shared.console import run
from shared.results import read_result
from shared.timing import LENGTHS, NAME, VOCAB_SIZE, time_per_token
from shared.visualize import plot_lines

BEFORE = {"MLP": "model-02-mlp", "RNN": "model-03-rnn", "GRU": "model-04-gru", "LSTM": "model-05-lstm"}


def new_model(length: int) -> TransformerLM:
    """The network; its window is as long as the texts."""
    config = TransformerConfig(VOCAB_SIZE, length, embedding_dim=100, num_heads=5, positions="sinusoidal")
    return TransformerLM(config)


def main() -> None:
    found = {name: read_result(lesson, NAME) for name, lesson in BEFORE.items()}
    time_per_token(LESSON, new_model)
    found["Transformer"] = read_result(LESSON.name, NAME)
    lines = {name: (LENGTHS, [row[2] for row in result["rows"]]) for name, result in found.items()}
    plot_lines(LESSON / "results" / f"{NAME}.png", lines, "Training, by the length of the texts", "T, tokens in a row",
               "microseconds per token", log_x=True, log_y=True)  # fmt: skip


if __name__ == "__main__":
    run(main)
