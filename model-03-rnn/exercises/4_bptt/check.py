"""Checks exercise 4: the slope, then all five gradients against autograd through the lesson's RNNLayer."""

from pathlib import Path

import torch

from shared.lessons import load

NAMES = ("dx", "dh0", "dweight_ih", "dweight_hh", "dbias")


def same(what: str, got, expected: torch.Tensor) -> None:
    """Assert that a gradient is the expected one, to 1e-10."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    apart = (got - expected).abs().max().item()
    assert apart < 1e-10, f"{what}: expected autograd's numbers, got others (off by up to {apart:.2g})"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    with torch.no_grad():
        z, dh = torch.randn(2, 3).double(), torch.randn(2, 3).double()
        same("through_tanh", module.through_tanh(dh.clone(), torch.tanh(z)), dh / torch.cosh(z) ** 2)

    lesson = load(Path(__file__).parents[2] / "model.py")
    sizes = (1, 1, 1, 1), (2, 1, 3, 4), (1, 2, 3, 3), (2, 3, 4, 3), (3, 20, 2, 5)
    for batch, steps, input_size, hidden_size in sizes:
        layer = lesson.RNNLayer(input_size, hidden_size, backward="autograd").double()
        x = torch.randn(batch, steps, input_size, dtype=torch.float64, requires_grad=True)
        h0 = torch.randn(batch, hidden_size, dtype=torch.float64, requires_grad=True)
        grad_outputs, grad_state = torch.randn(batch, steps, hidden_size).double(), torch.randn_like(h0)
        wanted = x, h0, layer.weight_ih, layer.weight_hh, layer.bias_ih
        right = torch.autograd.grad(layer(x, h0), wanted, (grad_outputs, grad_state))
        with torch.no_grad():
            weights, bias = (layer.weight_ih.detach(), layer.weight_hh.detach()), layer.bias_ih + layer.bias_hh
            h = module.forward(x.detach(), h0.detach(), *weights, bias)
            given = x.detach().clone(), h.clone(), *weights, grad_outputs.clone(), grad_state.clone()
            got = module.backward(*given)
        what = f"B = {batch}, T = {steps}, I = {input_size}, H = {hidden_size}"
        assert isinstance(got, (tuple, list)) and len(got) == 5, f"{what}: expected five gradients, got {got!r}"
        for name, mine, theirs in zip(NAMES, got, right, strict=True):
            same(f"{name}, {what}", mine, theirs)
