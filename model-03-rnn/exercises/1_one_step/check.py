"""Checks exercise 1 against the lesson's RNNLayer."""

from pathlib import Path

import torch

from shared.lessons import load


def same(what: str, got, expected: torch.Tensor) -> None:
    """Assert that a tensor is the expected one to 10 digits."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    apart = (got - expected).abs().max().item() if got.numel() else 0.0
    assert apart < 1e-10, f"{what}: expected the numbers of RNNLayer, got others (off by up to {apart:.2g})"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    one = torch.tensor([[1.0]])
    got = module.one_step(0.5 * one, 0.25 * one, 2 * one, -1 * one, torch.tensor([0.1]))
    what = "one_step for x = 0.5, h = 0.25, W_ih = 2, W_hh = -1, b = 0.1"
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    right = torch.tanh(torch.tensor(0.85)).item()
    assert abs(got.item() - right) < 1e-6, f"{what}: expected tanh(0.85) = {right:.4f}, got {got.item():.4f}"

    layers = load(Path(__file__).parents[2] / "model.py")
    for batch, steps, inputs_size, hidden_size in ((1, 1, 3, 3), (2, 4, 3, 5), (3, 7, 5, 2)):
        layer = layers.RNNLayer(inputs_size, hidden_size).double()
        weights = layer.weight_ih.detach(), layer.weight_hh.detach(), (layer.bias_ih + layer.bias_hh).detach()
        inputs, h = torch.randn(batch, steps, inputs_size).double(), torch.randn(batch, hidden_size).double()
        given = h.clone()
        outputs, state = layer(inputs, h)
        what = f"B = {batch}, T = {steps}, I = {inputs_size}, H = {hidden_size}"
        same(f"one_step, {what}", module.one_step(inputs[:, 0], h, *weights), outputs[:, 0])
        got = module.read(inputs, h, *weights)
        assert isinstance(got, tuple) and len(got) == 2, f"read, {what}: expected outputs and state, got {got!r}"
        same(f"outputs of read, {what}", got[0], outputs)
        same(f"state of read, {what}", got[1], state)
        assert torch.equal(h, given), "read changed the h that it was given: expected a new tensor"
        nothing = module.read(inputs[:, :0], h, *weights)
        same(f"outputs of read after no steps, {what}", nothing[0], outputs[:, :0])
        same(f"state of read after no steps, {what}", nothing[1], h)
