"""The horizon is exactly the context: loss and recall by distance, for contexts of 4 to 128 characters.

    python experiments/context.py                          13 minutes
    python experiments/context.py 4 16 --steps 300         these contexts, a quarter of the steps

Everything else equal (16-dimensional embeddings, 256 tanh units, 1,200 steps of 2,048 characters). The first
loss is on Tiny Shakespeare, where a window can also be too long; all else on fables. The last row is the exact floor of
the fables, and chance. Recall is the forced choice of shared/recall.py: is a name known d characters later?
"""

import argparse
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from model import MLPConfig
from training import SEED, characters, new_model, parameters, train_short

from shared.console import positive_int, run
from shared.evaluation import token_losses
from shared.recall import by_distance, recall
from shared.results import Result
from shared.visualize import plot_recall

CONTEXTS, STEPS = (4, 8, 16, 32, 64, 128), 1200
WINDOW, BATCH = 256, 8  # long windows, so that few examples have a context cut off at the window's start


def trained(context: int, steps: int, tokenizer, train_ids, val_ids):
    """A model with this context, and its loss over the whole validation split, nats per character."""
    model = new_model(MLPConfig(tokenizer.vocab_size, context, embedding_dim=16, hidden_size=256))
    train_short(model, train_ids, steps, batch_size=BATCH, window=WINDOW)
    return model, token_losses(model, val_ids).mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contexts", nargs="*", type=positive_int, default=CONTEXTS, help="in characters (4 to 128)")
    parser.add_argument("--steps", type=positive_int, default=STEPS, help="of each training (%(default)s)")
    args = parser.parse_args()
    _, *shakespeare = characters("shakespeare")
    corpus, *fables = characters("fables")
    columns = ["context", "parameters", "Shakespeare, nats", "fables, nats", "above the floor"]
    result, floor, curves = Result(LESSON, "context", columns, SEED), corpus.floor["val"], {}
    for context in args.contexts:
        _, plays = trained(context, args.steps, *shakespeare)
        model, loss = trained(context, args.steps, *fables)
        bands = curves[f"context {context}"] = by_distance(recall(model, fables[0], corpus.val, corpus.points["val"]))
        accuracies = [f"{b['accuracy']:.0%}" for b in bands]
        result.add(context, parameters(model), plays, loss, loss - floor, *accuracies)
    columns += [f"{band['low']}-{band['high']}" for band in bands]
    result.add("floor; chance", None, None, floor, 0.0, *[f"{band['chance']:.0%}" for band in bands])
    shown = {name: bands for name, bands in curves.items() if name != f"context {CONTEXTS[0]}"}  # which recalls nothing
    plot_recall(result.path(".png"), shown or curves, "The horizon is the context")
    result.save(floor=floor, bands=curves, steps=args.steps)


if __name__ == "__main__":
    run(main)
