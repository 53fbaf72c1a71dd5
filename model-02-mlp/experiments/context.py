"""The horizon is exactly the context: loss and recall by distance on fables, for contexts of 2 to 64 characters.

    python experiments/context.py

Contexts of 2 to 64 characters, everything else equal (16-dimensional embeddings, 256 tanh units, 600 steps of 2,048
characters). The last row is the exact floor of the fables, and chance. Recall is the forced choice of shared/recall.py:
the model still knows a name d characters later, or it does not.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from model import MLPConfig
from training import SEED, characters, new_model, parameters, train_short

from shared.console import run
from shared.evaluation import token_losses
from shared.recall import by_distance, recall
from shared.results import Result
from shared.visualize import plot_recall

CONTEXTS, STEPS = (2, 4, 8, 16, 32, 64), 600
WINDOW, BATCH = 256, 8  # long windows, so that few examples have a context cut off at the window's start


def main() -> None:
    corpus, tokenizer, train_ids, val_ids = characters("fables")
    floor, curves, result = corpus.floor["val"], {}, None
    for context in CONTEXTS:
        model = new_model(MLPConfig(tokenizer.vocab_size, context, embedding_dim=16, hidden_size=256))
        train_short(model, train_ids, STEPS, batch_size=BATCH, window=WINDOW)
        loss = token_losses(model, val_ids).mean().item()
        bands = curves[f"context {context}"] = by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"]))
        if result is None:
            columns = ["context", "loss", "above the floor", "parameters"]
            result = Result(LESSON, "context", columns + [f"{b['low']}-{b['high']}" for b in bands], SEED)
        result.add(context, loss, loss - floor, parameters(model), *[f"{b['accuracy']:.0%}" for b in bands])
    result.add("floor; chance", floor, 0.0, None, *[f"{band['chance']:.0%}" for band in bands])
    plot_recall(result.path(".png"), {name: curves[name] for name in list(curves)[2:]}, "The horizon is the context")
    result.save(floor=floor, bands=curves, steps=STEPS)


if __name__ == "__main__":
    run(main)
