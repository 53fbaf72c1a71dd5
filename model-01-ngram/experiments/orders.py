"""How far does it pay to look back, and how much does smoothing matter? Loss of every smoothing at orders 1 to 10.

    python experiments/orders.py

The whole validation split of Tiny Shakespeare, characters. One thing changes at a time: the order, or the smoothing.
"""

import math
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

SMOOTHINGS = ("kneser-ney", "interpolated", "stupid-backoff", "add-k", "none")


def main() -> None:
    corpus = load_corpus("shakespeare")
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
    result = Result(LESSON, "orders", ["order n", *SMOOTHINGS, "Kneser-Ney, bits per character", "distinct n-grams"])
    losses = {name: [] for name in SMOOTHINGS}
    for order in range(1, 11):
        for name in SMOOTHINGS:
            model = NGramLM(NGramConfig(tokenizer.vocab_size, order, name))
            model.fit(train_ids)
            losses[name].append(-model.log_prob(val_ids).mean().item())
        row = [losses[name][-1] if math.isfinite(losses[name][-1]) else "infinite" for name in SMOOTHINGS]
        result.add(order, *row, losses["kneser-ney"][-1] / math.log(2), model.config.sizes[-1])
    lines = {
        name: zip(*[(n, loss) for n, loss in enumerate(losses[name], start=1) if math.isfinite(loss)], strict=True)
        for name in SMOOTHINGS[:-1]
    }
    plot_lines(result.path(".png"), {name: tuple(line) for name, line in lines.items()},
               "Tiny Shakespeare: how far it pays to look back", "order n",
               "validation loss, nats per character")  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
