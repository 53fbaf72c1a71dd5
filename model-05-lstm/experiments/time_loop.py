"""A trap: the loop over time that indexes. `x[:, t]` costs as much as all of x, backwards, at every step.

    python experiments/time_loop.py             about 4 minutes on one core, while nothing else runs

    for t in range(T): h, c = cell(inputs[:, t], h, c)          the gradient of each inputs[:, t] is a tensor as large
                                                                as inputs, zero but for one step: T of them are added up
    for x in inputs.unbind(1): h, c = cell(x, h, c)             one gradient for all, each step in its place

Forward plus backward of two layers of 256, batch 64, autograd, as T doubles: the first grows with the square of T.
Both compute the same. Beside them the lesson's own layer, whose backward pass is written by hand (bptt.py). All in one
process, in turn, medians.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import LSTMLayer
from torch import Tensor

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

LENGTHS, LAYERS, SIZE, BATCH, TIMES = (64, 128, 256, 512), 2, 256, 64, 5


def indexed(layer: LSTMLayer, inputs: Tensor) -> Tensor:
    """The loop that indexes: (B, T, D) -> (B, T, H)."""
    (h, c), outputs = layer.start(inputs), []
    for t in range(inputs.shape[1]):
        h, c = layer.cell(inputs[:, t], h, c)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


def unbound(layer: LSTMLayer, inputs: Tensor) -> Tensor:
    """The loop that unbinds once: the same."""
    (h, c), outputs = layer.start(inputs), []
    for x in inputs.unbind(1):
        h, c = layer.cell(x, h, c)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


def by_hand(layer: LSTMLayer, inputs: Tensor) -> Tensor:
    """The lesson's own."""
    return layer(inputs)[0]


def milliseconds(loop: Callable, layers: list[LSTMLayer], inputs: Tensor) -> tuple[float, Tensor]:
    """The time of one forward and backward pass through all layers, and the gradient of the inputs."""
    inputs = inputs.clone().requires_grad_()  # in a model they come from an embedding, which wants its gradient too
    start, outputs = time.perf_counter(), inputs
    for layer in layers:
        outputs = loop(layer, outputs)
    outputs.sum().backward()
    return 1000 * (time.perf_counter() - start), inputs.grad


def main() -> None:
    torch.manual_seed(0)
    layers, loops = [LSTMLayer(SIZE, SIZE) for _ in range(LAYERS)], (indexed, unbound, by_hand)
    columns = ["T, steps", "inputs[:, t], ms", "unbind, ms", "ratio", "by hand, ms"]
    result = Result(LESSON, "time_loop", columns, 0)
    for length in LENGTHS:
        inputs = torch.randn(BATCH, length, SIZE)
        gradients = [milliseconds(loop, layers, inputs)[1] for loop in loops]  # a first call also warms up
        for gradient in gradients[1:]:
            torch.testing.assert_close(gradient, gradients[0], rtol=1e-3, atol=1e-3 * gradients[0].abs().max().item())
        times = [[milliseconds(loop, layers, inputs)[0] for loop in loops] for _ in range(TIMES)]
        first, second, third = (statistics.median(column) for column in zip(*times, strict=True))
        result.add(length, round(first, 1), round(second, 1), round(first / second, 2), round(third, 1))
    _, first, second, _, third = zip(*result.rows, strict=True)
    lines = {"inputs[:, t]": (LENGTHS, first), "unbind, once": (LENGTHS, second), "by hand": (LENGTHS, third)}
    plot_lines(result.path(".png"), lines, "Forward plus backward through time", "T, steps", "milliseconds",
               log_x=True, log_y=True)  # fmt: skip
    result.save(batch=BATCH, layers=LAYERS, size=SIZE, times=TIMES)


if __name__ == "__main__":
    run(main)
