"""How fast is the lesson's RNNLayer? Forward plus backward, against torch.nn.RNN on the same weights, in one run.

    python benchmark.py

Batch 64, 128 time steps, one-layer modules stacked on both sides; 30 pairs in turn, medians. Beside them two loops that
leave the backward pass to autograd: the lesson's own (backward="autograd"), and the naive one, which indexes x[:, t].
The gradient of each such index is a tensor as large as all of x: its time grows with the square of the steps.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from model import RNNLayer
from torch import Tensor, nn

from shared.console import run, say
from shared.results import Result

LESSON = Path(__file__).resolve().parent
SIZES = ((64, 128, 1), (128, 256, 2), (256, 512, 3))  # input size, hidden size, layers
BATCH, STEPS, PAIRS, WARM_UP = 64, 128, 30, 3


class NaiveLayer(RNNLayer):
    """The loop as one writes it at first."""

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h, outputs = inputs.new_zeros(len(inputs), len(self.weight_hh)), []
        for t in range(inputs.shape[1]):
            h = self.cell(inputs[:, t], h)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h


def passes(layers: list[nn.Module], inputs: Tensor, gradient: Tensor) -> tuple[Callable[[], float], Callable]:
    """Two functions: to run stacked layers forward and backward, returning the time (ms), and to get the gradients."""
    inputs = inputs.clone().requires_grad_()  # in a model they come from an embedding, which wants its gradient too
    weights = [inputs, *(weight for layer in layers for weight in layer.parameters())]

    def forward_and_backward() -> float:
        for weight in weights:
            weight.grad = None
        start, outputs = time.perf_counter(), inputs
        for layer in layers:
            outputs, _ = layer(outputs)
        outputs.backward(gradient)
        return 1000 * (time.perf_counter() - start)

    return forward_and_backward, lambda: [weight.grad for weight in weights]


def measure(input_size: int, hidden_size: int, num_layers: int, batch=BATCH, steps=STEPS, pairs=PAIRS) -> list[float]:
    """Median milliseconds of forward plus backward: PyTorch's, by hand, autograd, naive."""
    torch.manual_seed(0)
    sizes = [input_size] + [hidden_size] * (num_layers - 1)
    torchs = [nn.RNN(size, hidden_size, batch_first=True) for size in sizes]
    inputs, gradient = torch.randn(batch, steps, input_size), torch.randn(batch, steps, hidden_size)
    sides = [
        passes(layers, inputs, gradient)
        for layers in (
            torchs,
            [RNNLayer.from_torch(layer) for layer in torchs],
            [RNNLayer.from_torch(layer, backward="autograd") for layer in torchs],
            [NaiveLayer.from_torch(layer) for layer in torchs],
        )
    ]
    for forward_and_backward, gradients in sides:  # the first call also shows that all four compute the same
        forward_and_backward()
        for ours, theirs in zip(gradients(), sides[0][1](), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())
    (torch_pass, _), (our_pass, _), *slow = sides
    for _ in range(WARM_UP):
        torch_pass(), our_pass()
    times = [(torch_pass(), our_pass()) for _ in range(pairs)]
    slow_times = [[forward_and_backward() for _ in range(max(1, pairs // 10))] for forward_and_backward, _ in slow]
    return [statistics.median(column) for column in (*zip(*times, strict=True), *slow_times)]


def main() -> None:
    say(f"{torch.get_num_threads()} threads, batch {BATCH}, {STEPS} steps, medians of {PAIRS} pairs, in milliseconds")
    columns = ["input", "hidden", "layers", "torch.nn.RNN, ms", "by hand, ms", "ratio", "autograd, ms", "naive, ms"]
    result = Result(LESSON, "benchmark", columns, seed=0)
    say("  ".join(columns))
    for size in SIZES:
        theirs, ours, *slow = measure(*size)
        result.add(*size, round(theirs, 1), round(ours, 1), round(ours / theirs, 3), *(round(ms, 1) for ms in slow))
    result.save(batch=BATCH, steps=STEPS, pairs=PAIRS)


if __name__ == "__main__":
    run(main)
