"""Learning rate, batch size, width: a small study at equal tokens. The first must be chosen anew for the other two.

    python experiments/learning_rate.py

Tiny Shakespeare, 8 characters of context, 400,000 characters of training for each cell, AdamW, one seed. Rows:
batch size (windows of 64 characters) and width; columns: learning rate. The best of each row is in the last column.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from model import MLPConfig
from training import SEED, characters, new_model, parameters, train_short

from shared.console import run
from shared.evaluation import token_losses
from shared.results import Result
from shared.visualize import plot_lines

TOKENS, WINDOW = 400_000, 64
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
ROWS = ((8, 256), (32, 256), (128, 256), (32, 64), (32, 1024))  # batch_size, hidden_size


def main() -> None:
    _, tokenizer, train_ids, val_ids = characters("shakespeare")
    columns = ["batch size", "width", "steps", "parameters", *[f"{rate:g}" for rate in RATES], "best rate"]
    result, lines = Result(LESSON, "learning_rate", columns, SEED), {}
    for batch_size, width in ROWS:
        steps, losses = max(1, TOKENS // (batch_size * WINDOW)), []
        for rate in RATES:
            model = new_model(MLPConfig(tokenizer.vocab_size, 8, 24, width))
            train_short(model, train_ids, steps, batch_size=batch_size, window=WINDOW, rate=rate)
            losses.append(token_losses(model, val_ids).mean().item())
        best = RATES[losses.index(min(losses))]
        result.add(batch_size, width, steps, parameters(model), *losses, f"{best:g}")
        lines[f"batch {batch_size}, width {width}"] = (RATES, losses)
    plot_lines(result.path(".png"), lines, "Equal tokens: the learning rate fits the batch", "learning rate",
               "validation loss, nats per character", log_x=True)  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
