"""Checks exercise 1: known half-lives, there and back, and what is left in a cell of the lesson's LSTMLayer."""

from pathlib import Path

import torch

from shared.lessons import load

KNOWN = ((0.0, 1.0), (1.0, 2.2127), (2.0, 5.4610), (4.6, 69.3028), (-1.0, 0.5278))  # bias, steps


def number(what: str, got, expected: float) -> None:
    """Assert that a number is the expected one, to four digits."""
    assert isinstance(got, (int, float)), f"{what}: expected a number, got {got!r}"
    assert abs(got - expected) < 1e-4 * max(1.0, abs(expected)), f"{what}: expected {expected:.4f}, got {got:.4f}"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    for bias, steps in KNOWN:
        number(f"half_life({bias})", module.half_life(bias), steps)
    for bias, _ in KNOWN:
        steps = module.half_life(bias)
        number(f"bias_for({steps:.4f})", module.bias_for(steps), bias)
    torch.manual_seed(0)
    for hidden_size in (1, 5):
        given = torch.randn(2, 4 * hidden_size).double()
        bias_ih, bias_hh = given.clone()
        result = module.with_forget_bias(bias_ih, bias_hh, 1.5)
        what = f"with_forget_bias(..., 1.5), H = {hidden_size}"
        assert isinstance(result, (tuple, list)) and len(result) == 2, f"{what}: expected two tensors, got {result!r}"
        untouched = torch.equal(torch.stack([bias_ih, bias_hh]), given)
        assert untouched, f"{what}: expected the biases handed in to stay as they are, they were changed"
        for name, bias, before in zip(("bias_ih", "bias_hh"), result, given, strict=True):
            assert isinstance(bias, torch.Tensor), f"{what}: expected a tensor {name}, got {bias!r}"
            shape = tuple(before.shape)
            assert bias.shape == shape, f"{what}: expected {name} of shape {shape}, got {tuple(bias.shape)}"
            for place, gate in ((0, "input gate"), (2, "candidate"), (3, "output gate")):
                same = torch.equal(bias.chunk(4)[place], before.chunk(4)[place])
                assert same, f"{what}: expected {name} of the {gate} to stay as it is, it was changed"
        total = (result[0] + result[1]).chunk(4)[1]
        right = torch.allclose(total, torch.full_like(total, 1.5))
        assert right, f"{what}: expected the forget gate's two biases to add up to 1.5, got {total.tolist()}"
    check_in_the_layer(module)


def check_in_the_layer(module) -> None:
    """After as many steps as asked for, half of the cell is left, where nothing is read and nothing written."""
    lesson = load(Path(__file__).parents[2] / "model.py")
    for steps in (3, 10):
        layer = lesson.LSTMLayer(2, 4).double()
        for weight in (layer.weight_ih, layer.weight_hh):
            weight.zero_()
        biases = module.with_forget_bias(layer.bias_ih, layer.bias_hh, module.bias_for(steps))
        layer.bias_ih.copy_(biases[0]).chunk(4)[0].fill_(-800.0)  # the input gate is shut
        layer.bias_hh.copy_(biases[1])
        c = torch.ones(1, 4).double()
        _, (_, after) = layer(torch.zeros(1, steps, 2).double(), (torch.zeros_like(c), c))
        left = after.mean().item()
        assert abs(left - 0.5) < 1e-6, f"bias_for({steps}): expected half of c in {steps} steps, got {left:.4f}"
