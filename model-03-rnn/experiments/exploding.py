"""Gradients that explode, and what clipping does about it.

    python experiments/exploding.py

W_hh begins as an orthogonal matrix times a gain, so that (11) of docs/math/03-bptt.md grows like gain to the distance
wherever the nonlinearity lets it. ReLU units do; tanh units saturate and hold it back. The norm of the whole gradient
at every step, before clipping, with and without clipping at 1.
"""

import math
import sys
from argparse import Namespace
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import detach_state
from short_run import SETTINGS, carried_loss, new_model, shakespeare
from torch.nn.functional import cross_entropy
from train import learning_rate, make_optimizer

from shared.console import run
from shared.data.batching import ContiguousStreams
from shared.results import Result
from shared.visualize import plot_lines

STEPS = 400
CASES = [  # nonlinearity, gain, optimiser, learning rate
    ("tanh", 1.0, "sgd", 0.5),
    ("tanh", 3.0, "sgd", 0.5),
    ("relu", 1.0, "sgd", 0.5),
    ("relu", 1.4, "sgd", 0.5),
    ("relu", 1.4, "adamw", 2e-3),
]


def gradient_norms(model, tokens, clip: float, **changes) -> tuple[list[float], list[float]]:
    """The norm of the gradient before clipping, and the training loss (nats), at every step until one is no number."""
    args = Namespace(**SETTINGS | changes)
    loader, optimizer = ContiguousStreams(tokens.train, args.batch_size, args.chunk_length), make_optimizer(model, args)
    norms, losses, state = [], [], None
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args)
        batch = next(loader)
        logits, state = model(batch.inputs, state)
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf)
        losses.append(loss.item())
        norms.append(norm.item())
        if not (math.isfinite(losses[-1]) and math.isfinite(norms[-1])):
            break
        optimizer.step()
        state = detach_state(state)
    return norms, losses


def main() -> None:
    tokens = shakespeare()
    columns = ["units", "gain", "optimiser", "clipped at", "largest norm", "median norm", "first step not a number"]
    result, lines = Result(LESSON, "exploding", [*columns, "validation loss, nats"], 1337), {}
    for nonlinearity, gain, optimizer, rate in CASES:
        for clip in (0.0, 1.0):
            changes = {"optimizer": optimizer, "learning_rate": rate, "steps": STEPS, "nonlinearity": nonlinearity}
            model = new_model(tokens, init="orthogonal", **changes)
            with torch.no_grad():
                model.layers[0].weight_hh.mul_(gain)
            norms, losses = gradient_norms(model, tokens, clip, **changes)
            finite = sorted(norm for norm in norms if math.isfinite(norm))
            broke = len(norms) if len(norms) < STEPS or not math.isfinite(losses[-1]) else None
            loss = carried_loss(model, tokens.val)
            shown = loss if broke is None and math.isfinite(loss) else "none"
            about = "-" if not clip else clip
            result.add(nonlinearity, gain, optimizer, about, f"{finite[-1]:.3g}" if finite else "infinite",
                       f"{finite[len(finite) // 2]:.3g}" if finite else "infinite", broke, shown)  # fmt: skip
            if optimizer == "sgd" and gain != 1.0:
                name = f"{nonlinearity}, gain {gain}, " + ("clipped" if clip else "not clipped")
                lines[name] = (list(range(1, len(finite) + 1)), [norm for norm in norms if math.isfinite(norm)])
    lines = {name: line for name, line in lines.items() if line[0]}
    plot_lines(result.path(".png"), lines, "The gradient before clipping", "step", "norm", log_y=True)
    result.save()


if __name__ == "__main__":
    run(main)
