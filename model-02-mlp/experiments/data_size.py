"""More text: the MLP beside the n-gram, on 1/64, 1/16, 1/4 and all of Tiny Shakespeare's training split.

    python experiments/data_size.py

A small model (8 characters of context, 256 tanh units, dropout 0.2), 1,500 steps of 2,048 characters, whatever the
size. On little text it learns that text by heart, so the best of ten evaluations counts; the training loss is that of
the end, with dropout.
The n-gram's numbers are those that lesson 01 measured on the same pieces (its results/data_size.json), which are made
of blocks from all over the text.
"""

import json
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import MLPConfig
from training import SEED, characters, new_model, parameters, train_short

from shared.console import LearnerError, run
from shared.evaluation import token_losses
from shared.results import Result
from shared.visualize import plot_lines

STEPS, PARTS, BLOCKS = 1500, (64, 16, 4, 1), 256
COUNTED = LESSON.parent / "model-01-ngram" / "results" / "data_size.json"


def main() -> None:
    if not COUNTED.exists():
        raise LearnerError(f"no file {COUNTED}: python model-01-ngram/experiments/data_size.py writes it")
    counted = json.loads(COUNTED.read_text(encoding="utf-8"))
    of_size = {row[0]: dict(zip(counted["columns"], row, strict=True)) for row in counted["rows"]}
    _, tokenizer, train_ids, val_ids = characters("shakespeare")
    columns = ["characters", "MLP", "its training loss", "3-gram", "7-gram", "MLP parameters", "n-grams, n = 7"]
    result = Result(LESSON, "data_size", columns, SEED)
    blocks = train_ids.chunk(BLOCKS)
    order_of_blocks = torch.randperm(len(blocks), generator=torch.Generator().manual_seed(SEED)).tolist()
    for part in PARTS:
        piece = torch.cat([blocks[i] for i in sorted(order_of_blocks[: len(blocks) // part])])
        model = new_model(MLPConfig(tokenizer.vocab_size, 8, 24, 256, dropout=0.2))
        losses = []

        def look(step: int) -> None:
            if step % (STEPS // 10) == 0:
                losses.append(token_losses(model, val_ids).mean().item())  # noqa: B023

        train = train_short(model, piece, STEPS, rate=5e-3, look=look)
        ngram, last = of_size[len(piece)], train[-STEPS // 10 :]
        result.add(len(piece), min(losses), sum(last) / len(last), ngram["loss, n = 3"], ngram["loss, n = 7"],
                   parameters(model), ngram["n-grams, n = 7"])  # fmt: skip
    sizes = [row[0] for row in result.rows]
    lines = {name: (sizes, [row[i] for row in result.rows]) for i, name in ((1, "MLP"), (3, "3-gram"), (4, "7-gram"))}
    plot_lines(result.path(".png"), lines, "Network and counts by size of the training text", "training characters",
               "validation loss, nats per character", log_x=True)  # fmt: skip
    result.save(steps=STEPS)


if __name__ == "__main__":
    run(main)
