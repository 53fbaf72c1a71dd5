"""Checks exercise 2: on numbers one can follow, against the lesson's LSTMLayer, and both settings of the gates."""

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


def pair(what: str, got) -> tuple:
    """Assert that the answer is (h, c)."""
    assert isinstance(got, (tuple, list)) and len(got) == 2, f"{what}: expected (h, c), got {got!r}"
    return tuple(got)


def check_by_hand(module) -> None:
    """One unit: i = 1/2, f = 3/4, g = tanh(1/2), o = 1/4, c = 2."""
    weight_ih, weight_hh = torch.zeros(4, 1), torch.tensor([[0.0], [0.0], [0.5], [0.0]])
    bias_ih = torch.tensor([0.0, math.log(2), 0.0, -math.log(2)])
    bias_hh = torch.tensor([0.0, math.log(1.5), 0.0, -math.log(1.5)])
    ones = torch.ones(1, 1)
    what = "one_step of one unit, h = 1, c = 2, i = 1/2, f = 3/4, o = 1/4, U_g = 1/2"
    h, c = pair(what, module.one_step(ones, ones, 2 * ones, weight_ih, weight_hh, bias_ih, bias_hh))
    right_c = 0.75 * 2 + 0.5 * math.tanh(0.5)
    right_h = 0.25 * math.tanh(right_c)
    for name, got in (("c", c), ("h", h)):
        assert isinstance(got, torch.Tensor), f"{what}: expected a tensor {name}, got {got!r}"
        assert got.shape == (1, 1), f"{what}: expected {name} of shape (1, 1), got {tuple(got.shape)}"
    turned = abs(h.item() - right_c) < 1e-6 and abs(c.item() - right_h) < 1e-6
    assert not turned, f"{what}: expected (h, c), got (c, h)"
    line = f"{what}: expected c = 3/4 * 2 + 1/2 * tanh(1/2) = {right_c:.4f}, got {c.item():.4f}"
    assert abs(c.item() - right_c) < 1e-6, line
    old = abs(h.item() - 0.25 * math.tanh(2)) < 1e-6
    line = f"{what}: expected h = 1/4 * tanh({right_c:.4f}) = {right_h:.4f}, got {h.item():.4f}"
    assert abs(h.item() - right_h) < 1e-6, line + (" (that is of the old c)" if old else "")


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    check_by_hand(module)
    torch.manual_seed(0)
    lesson = load(Path(__file__).parents[2] / "model.py")
    for batch, input_size, hidden_size in ((1, 3, 3), (2, 3, 5), (3, 5, 2)):
        layer = lesson.LSTMLayer(input_size, hidden_size).double()
        weights = [weight.detach().clone() for weight in layer.parameters()]
        x, h, c = (torch.randn(batch, size).double() for size in (input_size, hidden_size, hidden_size))
        given = h.clone(), c.clone()
        what = f"one_step, B = {batch}, D = {input_size}, H = {hidden_size}"
        after = pair(what, module.one_step(x, h, c, *weights))
        for name, got, right in zip("hc", after, layer.cell(x, h, c), strict=True):
            same(f"{name} of {what}", got, right, "the numbers of LSTMLayer")
        untouched = torch.equal(h, given[0]) and torch.equal(c, given[1])
        assert untouched, f"{what}: expected the h and c handed in to stay as they are, they were changed"

        for function, step in ((module.keeps_the_cell, 0), (module.counts_the_steps, 1)):
            name = f"{function.__name__}, H = {hidden_size}"
            bias_ih = weights[2].clone()
            bias = function(bias_ih)
            assert torch.equal(bias_ih, weights[2]), f"{name}: expected the bias_ih handed in to stay, it changed"
            assert isinstance(bias, torch.Tensor), f"{name}: expected a tensor, got {bias!r}"
            assert bias.shape == bias_ih.shape, f"{name}: expected shape ({4 * hidden_size},), got {tuple(bias.shape)}"
            layer.bias_ih.copy_(bias)
            start, shown = c, []
            for count in range(1, 4):
                hidden, start = layer.cell(count * x, count * h, start)
                same(f"c of {name}, after {count} step(s)", start, c + step * count, "old c" + " plus 1 a step" * step)
                shown.append(hidden)
            moved = (shown[1] - shown[0]).abs().max().item()
            if function is module.keeps_the_cell:
                assert moved > 1e-4, f"{name}: expected an h that still depends on x, got the same for two different x"
