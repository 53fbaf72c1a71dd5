"""How fast is the lesson's LSTMLayer, against torch.nn.LSTM on the same weights, in one run, and where does time go?

    python benchmark.py

Forward plus backward: batch 64, 128 time steps, one-layer modules stacked on both sides; 30 pairs in turn, medians.
Beside them both under autocast with bf16 (slow on a processor that has no bf16), and the same layer with its backward
pass left to autograd. Then the parts of ours, in the order in which they run.

Generation, one token at a time, the state carried: the whole LSTMLM against embedding, one torch.nn.LSTM with all the
layers and lm_head in a loop; 30 pairs of 200 tokens in turn, medians.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import bptt
import torch
from model import LSTMLM, LSTMConfig, LSTMLayer
from torch import Tensor, nn

from shared.console import run, say
from shared.results import Result

LESSON = Path(__file__).resolve().parent
SIZES = ((64, 128, 1), (128, 256, 2), (256, 512, 3))  # input size, hidden size, layers
BATCH, STEPS, TOKENS, PAIRS, WARM_UP = 64, 128, 200, 30, 3
PARTS = {  # the functions of bptt.py, and what they do
    "inputs_part": "inputs' products",
    "forward_loop": "forward loop",
    "factors": "factors",
    "backward_loop": "backward loop",
    "all_steps": "gradients of inputs and weights",
}


def passes(
    layers: list[nn.Module], inputs: Tensor, gradient: Tensor, bf16=False
) -> tuple[Callable[[], float], Callable]:
    """Two functions: to run stacked layers forward and backward, returning the time (ms), and to get the gradients."""
    inputs = inputs.clone().requires_grad_()  # in a model they come from an embedding, which wants its gradient too
    weights = [inputs, *(weight for layer in layers for weight in layer.parameters())]

    def forward_and_backward() -> float:
        for weight in weights:
            weight.grad = None
        start, outputs = time.perf_counter(), inputs
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            for layer in layers:
                outputs, _ = layer(outputs)
        outputs.backward(gradient.to(outputs.dtype))
        return 1000 * (time.perf_counter() - start)

    return forward_and_backward, lambda: [weight.grad for weight in weights]


def make_layers(input_size: int, hidden_size: int, num_layers: int, batch: int, steps: int):
    """PyTorch's layers, inputs and a gradient for the outputs."""
    torch.manual_seed(0)
    sizes = [input_size] + [hidden_size] * (num_layers - 1)
    torchs = [nn.LSTM(size, hidden_size, batch_first=True) for size in sizes]
    return torchs, torch.randn(batch, steps, input_size), torch.randn(batch, steps, hidden_size)


def measure(input_size: int, hidden_size: int, num_layers: int, batch=BATCH, steps=STEPS, pairs=PAIRS) -> list[float]:
    """Median milliseconds of forward plus backward: PyTorch's and by hand, the same two in bf16, autograd."""
    torchs, *data = make_layers(input_size, hidden_size, num_layers, batch, steps)
    by_hand = [LSTMLayer.from_torch(layer) for layer in torchs]
    autograd = [LSTMLayer.from_torch(layer, backward="autograd") for layer in torchs]
    same = [passes(layers, *data) for layers in (torchs, by_hand, autograd)]
    for forward_and_backward, gradients in same:  # the first call also shows that all three compute the same
        forward_and_backward()
        for ours, theirs in zip(gradients(), same[0][1](), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.abs().max().item())
    (torch_pass, _), (our_pass, _), (autograd_pass, _) = same
    (torch_bf16, _), (our_bf16, _) = (passes(layers, *data, bf16=True) for layers in (torchs, by_hand))
    medians = []
    for one, other, count in ((torch_pass, our_pass, pairs), (torch_bf16, our_bf16, max(1, pairs // 3))):
        for _ in range(WARM_UP):
            one(), other()
        times = [(one(), other()) for _ in range(count)]
        medians += [statistics.median(column) for column in zip(*times, strict=True)]
    return [*medians, statistics.median(autograd_pass() for _ in range(max(1, pairs // 5)))]


def measure_parts(
    input_size: int, hidden_size: int, num_layers: int, batch=BATCH, steps=STEPS, times=PAIRS
) -> list[float]:
    """Mean milliseconds of forward plus backward by hand: each of PARTS, and all the rest."""
    torchs, *data = make_layers(input_size, hidden_size, num_layers, batch, steps)
    forward_and_backward, _ = passes([LSTMLayer.from_torch(layer) for layer in torchs], *data)
    for _ in range(WARM_UP):
        forward_and_backward()
    spent, originals = dict.fromkeys(PARTS, 0.0), {name: getattr(bptt, name) for name in PARTS}

    def timed(name: str) -> Callable:
        def call(*args):
            start = time.perf_counter()
            result = originals[name](*args)
            spent[name] += 1000 * (time.perf_counter() - start)
            return result

        return call

    try:
        for name in PARTS:
            setattr(bptt, name, timed(name))
        total = sum(forward_and_backward() for _ in range(times))
    finally:
        for name, function in originals.items():
            setattr(bptt, name, function)
    return [part / times for part in (*spent.values(), total - sum(spent.values()))]


class TorchLM(nn.Module):
    """The weights of an LSTMLM in PyTorch's own module, and the same contract."""

    def __init__(self, model: LSTMLM):
        super().__init__()
        c = model.config
        self.embedding, self.lm_head = model.embedding, model.lm_head
        self.lstm = nn.LSTM(c.embedding_dim, c.hidden_size, c.num_layers, batch_first=True)
        layers = enumerate(layer.state_dict() for layer in model.layers)
        self.lstm.load_state_dict({f"{name}_l{i}": weight for i, layer in layers for name, weight in layer.items()})

    def forward(self, token_ids: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        hidden, state = self.lstm(self.embedding(token_ids), state)
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
    """Median tokens per second at batch 1: PyTorch's module in a loop, and ours."""
    torch.manual_seed(0)
    ours = LSTMLM(LSTMConfig(vocab_size, embedding_dim, hidden_size, num_layers)).eval()
    theirs, token_ids = TorchLM(ours).eval(), torch.randint(vocab_size, (1, 20))
    torch.testing.assert_close(ours(token_ids)[0], theirs(token_ids)[0], rtol=1e-4, atol=1e-4)
    models = theirs, ours
    for model in models:
        write(model, tokens)
    speeds = [[write(model, tokens) for model in models] for _ in range(pairs)]
    return [statistics.median(column) for column in zip(*speeds, strict=True)]


def main() -> None:
    say(f"{torch.get_num_threads()} threads, batch {BATCH}, {STEPS} steps, medians of {PAIRS} pairs, in milliseconds")
    columns = ["input", "hidden", "layers", "torch.nn.LSTM, ms", "by hand, ms", "ratio"]
    columns += ["torch.nn.LSTM, bf16, ms", "by hand, bf16, ms", "ratio, bf16", "autograd, ms"]
    result = Result(LESSON, "benchmark", columns, seed=0)
    say("  ".join(columns))
    for size in SIZES:
        theirs, ours, theirs_bf16, ours_bf16, autograd = (round(ms, 1) for ms in measure(*size))
        ratios = round(ours / theirs, 3), round(ours_bf16 / theirs_bf16, 3)
        result.add(*size, theirs, ours, ratios[0], theirs_bf16, ours_bf16, ratios[1], autograd)
    result.save(batch=BATCH, steps=STEPS, pairs=PAIRS)

    say("\nwhere ours spends its time, in milliseconds")
    columns = ["input", "hidden", "layers", *PARTS.values(), "the rest"]
    result = Result(LESSON, "parts", columns, seed=0)
    say("  ".join(columns))
    for size in SIZES:
        result.add(*size, *(round(ms, 1) for ms in measure_parts(*size)))
    result.save(batch=BATCH, steps=STEPS, times=PAIRS)

    say(f"\ngeneration: batch 1, one token at a time, medians of {PAIRS} pairs, in tokens per second")
    columns = ["embedding", "hidden", "layers", "torch.nn.LSTM, tokens/s", "LSTMLM, tokens/s", "ratio"]
    result = Result(LESSON, "generation", columns, seed=0)
    say("  ".join(columns))
    for size in SIZES:
        theirs, ours = measure_generation(*size)
        result.add(*size, round(theirs), round(ours), round(ours / theirs, 3))
    result.save(tokens=TOKENS, pairs=PAIRS)


if __name__ == "__main__":
    run(main)
