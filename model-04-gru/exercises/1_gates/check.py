"""Checks exercise 1: on numbers one can follow, against the lesson's GRULayer, and both settings of the gates."""

import math
from pathlib import Path

import torch

from shared.lessons import load


def same(what: str, got, expected: torch.Tensor, whose: str) -> None:
    """Assert that a tensor is the expected one to 10 digits."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    apart = (got - expected).abs().max().item()
    assert apart < 1e-10, f"{what}: expected {whose}, got other numbers (off by up to {apart:.2g})"


def check_by_hand(module) -> None:
    """One unit: r = 1/2, z = 3/4, candidate = tanh(2 * 1/2 * 1/2)."""
    weight_ih, weight_hh = torch.zeros(3, 1), torch.tensor([[0.0], [0.0], [2.0]])
    bias_ih, bias_hh = torch.tensor([0.0, math.log(2), 0.0]), torch.tensor([0.0, math.log(1.5)])
    got = module.one_step(torch.ones(1, 1), torch.full((1, 1), 0.5), weight_ih, weight_hh, bias_ih, bias_hh)
    what = "one_step of one unit, h = 0.5, r = 1/2, z = 3/4, U_n = 2"
    right = 0.75 * 0.5 + 0.25 * math.tanh(0.5)
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == (1, 1), f"{what}: expected shape (1, 1), got {tuple(got.shape)}"
    swapped = abs(got.item() - (0.25 * 0.5 + 0.75 * math.tanh(0.5))) < 1e-6
    hint = " (z is the share of the old h)" if swapped else ""
    expected = f"3/4 * 0.5 + 1/4 * tanh(0.5) = {right:.4f}"
    assert abs(got.item() - right) < 1e-6, f"{what}: expected {expected}, got {got.item():.4f}{hint}"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    check_by_hand(module)
    torch.manual_seed(0)
    lesson = load(Path(__file__).parents[2] / "model.py")
    for batch, input_size, hidden_size in ((1, 3, 3), (2, 3, 5), (3, 5, 2)):
        layer = lesson.GRULayer(input_size, hidden_size).double()
        weights = [weight.detach() for weight in (layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh)]
        x, h = torch.randn(batch, input_size).double(), torch.randn(batch, hidden_size).double()
        given, bias_ih = h.clone(), weights[2].clone()
        what = f"B = {batch}, I = {input_size}, H = {hidden_size}"
        same(f"one_step, {what}", module.one_step(x, h, *weights), layer.cell(x, h), "the numbers of GRULayer")
        assert torch.equal(h, given), "one_step changed the h that it was given: expected a new tensor"

        for function in (module.copies_the_state, module.forgets_the_state):
            kept = bias_ih.clone()
            bias = function(bias_ih)
            name = f"{function.__name__}, {what}"
            assert torch.equal(bias_ih, kept), f"{name}: expected the bias_ih handed in to stay as it is, it changed"
            assert isinstance(bias, torch.Tensor), f"{name}: expected a tensor, got {bias!r}"
            assert bias.shape == bias_ih.shape, f"{name}: expected shape ({3 * hidden_size},), got {tuple(bias.shape)}"
            layer.bias_ih.copy_(bias)
            after = layer.cell(3 * x, h)
            if function is module.copies_the_state:
                same(name, after, h, "the old h after a step of GRULayer")
            else:
                same(name, after, layer.cell(3 * x, -2 * h), "the same new h from two different old ones")
                moved = (after - layer.cell(-x, h)).abs().max().item()
                assert moved > 1e-3, f"{name}: expected a new h that depends on x, got the same for two different x"
