"""How often is the likeliest character the right one? And at what loss? The whole validation split of Shakespeare.

    python experiments/from_the_left.py         seconds

The default model, fitted anew. Lesson 06 sets it beside a model that fills in a character from both sides.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import NGramConfig, NGramLM
from train import PRESETS

from shared.console import run
from shared.data import load_corpus
from shared.from_the_left import tabulate
from shared.tokenizers import train_tokenizer


def main() -> None:
    corpus, order = load_corpus("shakespeare"), PRESETS["default"]["order"]
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    model = NGramLM(NGramConfig(tokenizer.vocab_size, order))
    model.fit(torch.tensor(tokenizer.encode(corpus.train)))
    tabulate(LESSON, f"{order}-gram", model, torch.tensor(tokenizer.encode(corpus.val)))


if __name__ == "__main__":
    run(main)
