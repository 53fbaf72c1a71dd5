"""How fast is the lesson's GRULayer, against torch.nn.GRU on the same weights, in one run?

    python benchmark.py

Forward plus backward: batch 64, 128 time steps, one-layer modules stacked on both sides; 30 pairs in turn, medians.
Beside them the same layer with its backward pass left to autograd, and the layer that resets before the product.

Generation, one token at a time, the state carried: the whole GRULM against embedding, one torch.nn.GRU with all the
layers and lm_head in a loop; 30 pairs of 200 tokens in turn, medians.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from model import GRULM, GRUConfig, GRULayer
from torch import Tensor, nn

from shared.console import run, say
from shared.results import Result

LESSON = Path(__file__).resolve().parent
SIZES = ((64, 128, 1), (128, 256, 2), (256, 512, 3))  # input size, hidden size, layers
BATCH, STEPS, TOKENS, PAIRS, WARM_UP = 64, 128, 200, 30, 3


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
    """Median milliseconds of forward plus backward: PyTorch's, by hand, autograd, by hand with the reset before."""
    torch.manual_seed(0)
    sizes = [input_size] + [hidden_size] * (num_layers - 1)
    torchs = [nn.GRU(size, hidden_size, batch_first=True) for size in sizes]
    inputs, gradient = torch.randn(batch, steps, input_size), torch.randn(batch, steps, hidden_size)
    same = [
        passes(layers, inputs, gradient)
        for layers in (
            torchs,
            [GRULayer.from_torch(layer) for layer in torchs],
            [GRULayer.from_torch(layer, backward="autograd") for layer in torchs],
        )
    ]
    for forward_and_backward, gradients in same:  # the first call also shows that all three compute the same
        forward_and_backward()
        for ours, theirs in zip(gradients(), same[0][1](), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())
    (torch_pass, _), (our_pass, _), (autograd_pass, _) = same
    before_pass, _ = passes([GRULayer(size, hidden_size) for size in sizes], inputs, gradient)
    for _ in range(WARM_UP):
        torch_pass(), our_pass(), before_pass()
    times = [(torch_pass(), our_pass()) for _ in range(pairs)]
    others = [[each() for _ in range(max(1, pairs // 5))] for each in (autograd_pass, before_pass)]
    return [statistics.median(column) for column in (*zip(*times, strict=True), *others)]


class TorchLM(nn.Module):
    """The weights of a GRULM (reset_after) in PyTorch's own module, and the same contract."""

    def __init__(self, model: GRULM):
        super().__init__()
        c = model.config
        self.embedding, self.lm_head = model.embedding, model.lm_head
        self.gru = nn.GRU(c.embedding_dim, c.hidden_size, c.num_layers, batch_first=True)
        layers = enumerate(layer.state_dict() for layer in model.layers)
        self.gru.load_state_dict({f"{name}_l{i}": weight for i, layer in layers for name, weight in layer.items()})

    def forward(self, token_ids: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.gru(self.embedding(token_ids), state)
        return self.lm_head(hidden), state


@torch.no_grad()
def write(model: nn.Module, tokens: int) -> float:
    """Tokens per second of one text, always the likeliest token next, the state carried."""
    start, token, state = time.perf_counter(), torch.zeros(1, 1, dtype=torch.int64), None
    for _ in range(tokens):
        logits, state = model(token, state)
        token = logits[:, -1].argmax(dim=1, keepdim=True)
    return tokens / (time.perf_counter() - start)


def measure_generation(
    embedding_dim: int, hidden_size: int, num_layers: int, vocab_size=65, tokens=TOKENS, pairs=PAIRS
) -> list[float]:
    """Median tokens per second at batch 1: PyTorch's module in a loop, ours, ours with the reset before."""
    torch.manual_seed(0)
    config = GRUConfig(vocab_size, embedding_dim, hidden_size, num_layers, reset_after=True)
    ours, before = GRULM(config).eval(), GRULM(GRUConfig(vocab_size, embedding_dim, hidden_size, num_layers)).eval()
    theirs, token_ids = TorchLM(ours).eval(), torch.randint(vocab_size, (1, 20))
    torch.testing.assert_close(ours(token_ids)[0], theirs(token_ids)[0], rtol=1e-4, atol=1e-4)
    models = theirs, ours, before
    for model in models:
        write(model, tokens)
    speeds = [[write(model, tokens) for model in models] for _ in range(pairs)]
    return [statistics.median(column) for column in zip(*speeds, strict=True)]


def main() -> None:
    say(f"{torch.get_num_threads()} threads, batch {BATCH}, {STEPS} steps, medians of {PAIRS} pairs, in milliseconds")
    columns = ["input", "hidden", "layers", "torch.nn.GRU, ms", "by hand, ms", "ratio"]
    columns += ["autograd, ms", "reset before, by hand, ms"]
    result = Result(LESSON, "benchmark", columns, seed=0)
    say("  ".join(columns))
    for size in SIZES:
        theirs, ours, *others = measure(*size)
        result.add(*size, round(theirs, 1), round(ours, 1), round(ours / theirs, 3), *(round(ms, 1) for ms in others))
    result.save(batch=BATCH, steps=STEPS, pairs=PAIRS)

    say(f"\ngeneration: batch 1, one token at a time, medians of {PAIRS} pairs, in tokens per second")
    columns = ["embedding", "hidden", "layers", "torch.nn.GRU, tokens/s", "GRULM, tokens/s", "ratio"]
    columns += ["reset before, tokens/s"]
    result = Result(LESSON, "generation", columns, seed=0)
    say("  ".join(columns))
    for size in SIZES:
        theirs, ours, before = measure_generation(*size)
        result.add(*size, round(theirs), round(ours), round(ours / theirs, 3), round(before))
    result.save(tokens=TOKENS, pairs=PAIRS)


if __name__ == "__main__":
    run(main)
