"""More text, and a bigger table: loss and number of distinct n-grams against the size of the training text.

    python experiments/data_size.py

Kneser-Ney on 1/64, 1/32 ... 1/1 of Tiny Shakespeare's training split, orders 3, 5 and 7; validation always the same.
The parts are made of blocks from all over the text, each part holding the one before: the plays differ, and the last
ones, beside the validation split, would be worth more than the first. The table of a high order grows almost as fast as
the text: most long contexts are new each time.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import NGramConfig, NGramLM

from shared.console import run
from shared.data import load_corpus
from shared.results import Result
from shared.tokenizers import train_tokenizer
from shared.visualize import plot_lines

ORDERS = (3, 5, 7)
BLOCKS, SEED = 256, 1337


def main() -> None:
    corpus = load_corpus("shakespeare")
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
    columns = ["characters", *[f"loss, n = {n}" for n in ORDERS], *[f"n-grams, n = {n}" for n in ORDERS]]
    columns.append("contexts of 6 seen before")
    result = Result(LESSON, "data_size", columns, SEED)
    blocks = train_ids.chunk(BLOCKS)
    order_of_blocks = torch.randperm(len(blocks), generator=torch.Generator().manual_seed(SEED)).tolist()
    for part in (64, 32, 16, 8, 4, 2, 1):
        text = torch.cat([blocks[i] for i in sorted(order_of_blocks[: len(blocks) // part])])
        losses, tables = [], []
        for order in ORDERS:
            model = NGramLM(NGramConfig(tokenizer.vocab_size, order))
            model.fit(text)
            losses.append(-model.log_prob(val_ids).mean().item())
            tables.append(sum(model.config.sizes))
        known = (model.context_lengths(val_ids) == ORDERS[-1] - 1).double().mean().item()
        result.add(len(text), *losses, *tables, f"{known:.0%}")
    sizes = [row[0] for row in result.rows]
    lines = {f"n = {n}": (sizes, [row[1 + i] for row in result.rows]) for i, n in enumerate(ORDERS)}
    plot_lines(result.path(".png"), lines, "More text helps the long contexts most", "training characters",
               "validation loss, nats per character", log_x=True)  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
