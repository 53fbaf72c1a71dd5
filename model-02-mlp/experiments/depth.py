"""Depth does not move the horizon: 1, 2 and 3 hidden layers over the same 8 characters.

    python experiments/depth.py

Tiny Shakespeare, 256 tanh units a layer, 1,000 steps of 2,048 characters, three seeds each (mean, lowest and highest).
'Reach' is found by trial: change one character of a text and see whether the prediction moves at all; the furthest
distance at which it does. More layers bend the same eight characters further; they cannot see a ninth.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import MLPConfig
from training import SEED, characters, new_model, parameters, train_short

from shared.console import run
from shared.evaluation import token_losses
from shared.results import Result
from shared.visualize import plot_lines

LAYERS, SEEDS, STEPS, CONTEXT = (1, 2, 3), (SEED, SEED + 1, SEED + 2), 1000, 8


@torch.no_grad()
def reach(model, token_ids: torch.Tensor, furthest: int = 40) -> int:
    """The largest distance (1 is the newest token) at which another token changes the prediction, by a single bit."""
    text = token_ids[None, :furthest]
    logits = model(text)[0][0, -1]
    moved = [0]
    for distance in range(1, furthest + 1):
        changed = text.clone()
        changed[0, -distance] = (changed[0, -distance] + 1) % model.config.vocab_size
        if not torch.equal(model(changed)[0][0, -1], logits):
            moved.append(distance)
    return max(moved)


def main() -> None:
    _, tokenizer, train_ids, val_ids = characters("shakespeare")
    columns = ["hidden layers", "parameters", "loss, mean of three seeds", "lowest", "highest", "reach"]
    result, lines = Result(LESSON, "depth", columns, SEED), {f"seed {seed}": (LAYERS, []) for seed in SEEDS}
    for num_layers in LAYERS:
        losses, reached = [], []
        for seed in SEEDS:
            model = new_model(MLPConfig(tokenizer.vocab_size, CONTEXT, 24, 256, num_layers=num_layers), seed)
            train_short(model, train_ids, STEPS, seed)
            losses.append(token_losses(model, val_ids).mean().item())
            reached.append(reach(model, val_ids))
            lines[f"seed {seed}"][1].append(losses[-1])
        result.add(num_layers, parameters(model), sum(losses) / len(losses), min(losses), max(losses), max(reached))
    plot_lines(result.path(".png"), lines, f"Depth over the same {CONTEXT} characters", "hidden layers",
               "validation loss, nats per character")  # fmt: skip
    result.save(steps=STEPS)


if __name__ == "__main__":
    run(main)
