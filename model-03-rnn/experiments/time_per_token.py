"""What does a token of training cost, the more of them stand in a row?

    python experiments/time_per_token.py            about a minute; while nothing else runs

Two layers of RNN, forward, loss and backward, in batches of 4,096 tokens: 256 texts of 16 tokens, 128 of 32, ... 4 of
1,024; medians. The measurement, shared/timing.py, is the same in lessons 02 to 06, and so is the size of the networks,
half a million parameters; lesson 06's script draws all five. Here each token waits for the one before it.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from model import RNNLM, RNNConfig

from shared.console import run
from shared.timing import VOCAB_SIZE, time_per_token


def new_model(length: int) -> RNNLM:
    """The network, the same for every length."""
    return RNNLM(RNNConfig(VOCAB_SIZE, embedding_dim=336, hidden_size=336))


def main() -> None:
    time_per_token(LESSON, new_model)


if __name__ == "__main__":
    run(main)
