"""What the state is worth once a network is trained: carried through the text, or dropped again and again.

    python experiments/presets.py default       first
    python experiments/carried.py               about 2 minutes on one core

The same weights in every row (those of the default preset), the whole validation split, each character scored once.
They differ only in how often the network starts again from no state. Dropped before every character it sees one
character, as lesson 01's bigram does.
"""

import math

from short_run import LESSON, carried_loss, load_run

from shared.console import run
from shared.evaluation import token_losses
from shared.results import Result, read_result

EVERY = (256, 64, 1)


def bigram_loss() -> float:
    """Nats per character of lesson 01's bigram."""
    orders = read_result("model-01-ngram", "orders")
    return next(row for row in orders["rows"] if row[0] == 2)[orders["columns"].index("kneser-ney")]


def main() -> None:
    model, tokens = load_run(LESSON / "checkpoints", "shakespeare")
    carried, bigram = carried_loss(model, tokens.val), bigram_loss()
    columns = ["state", "validation loss, nats per character", "bits per character", "price, nats"]
    result = Result(LESSON, "carried", columns, 1337)

    def add(name: str, loss: float) -> None:
        result.add(name, loss, loss / math.log(2), loss - carried)

    add("carried through the text", carried)
    for every in EVERY:
        name = f"dropped every {every} characters" if every > 1 else "dropped before every character"
        add(name, token_losses(model, tokens.val, chunk_length=every, reset=True).mean().item())
    add("bigram of lesson 01", bigram)
    result.save()


if __name__ == "__main__":
    run(main)
