"""What an n-gram cannot do, whatever its order: recall a word that was named further back than n-1 characters.

    python experiments/recall.py

The built-in fables name a hero, an object and a place, and ask for them again 20 to 500 characters later (see
shared/data/README.md). Kneser-Ney, orders 3 to 20: loss beside the exact floor, accuracy by distance beside chance.
This is the first row of the ladder that every later lesson adds to.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import NGramConfig, NGramLM

from shared.console import run
from shared.data import load_corpus
from shared.recall import by_distance, recall
from shared.results import Result
from shared.tokenizers import train_tokenizer
from shared.visualize import plot_recall

ORDERS = (3, 5, 7, 10, 15, 20)


def main() -> None:
    corpus = load_corpus("fables")
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
    floor, curves, result = corpus.floor["val"], {}, None
    for order in ORDERS:
        model = NGramLM(NGramConfig(tokenizer.vocab_size, order))
        model.fit(train_ids)
        loss = -model.log_prob(val_ids).mean().item()
        bands = curves[f"{order}-gram"] = by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"]))
        if result is None:
            columns = ["order n", "loss", "above the floor", "distinct n-grams"]
            result = Result(LESSON, "recall", columns + [f"{b['low']}-{b['high']}" for b in bands])
        result.add(order, loss, loss - floor, sum(model.config.sizes), *[f"{b['accuracy']:.0%}" for b in bands])
    result.add("any", floor, 0.0, None, *[f"{band['chance']:.0%}" for band in bands])
    result.rows[-1][0] = "floor; chance"
    shown = {name: curves[name] for name in list(curves)[1::2]}
    plot_recall(result.path(".png"), shown, "n-grams recall what is in their window, and nothing else")
    result.save(floor=floor, bands=curves)


if __name__ == "__main__":
    run(main)
