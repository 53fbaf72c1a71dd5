"""Checks exercise 3: both steps against the lesson's GRULayer, the loop against PyTorch's module, and the sign."""

from pathlib import Path

import torch
from torch import nn

from shared.lessons import load

SIZES = ((1, 3, 3), (2, 3, 5), (3, 5, 2))  # B, I, H


def same(what: str, got, expected: torch.Tensor, whose: str) -> None:
    """Assert that a tensor is the expected one to 10 digits."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    apart = (got - expected).abs().max().item()
    assert apart < 1e-10, f"{what}: expected the numbers of {whose}, got others (off by up to {apart:.2g})"


def check_steps(module, lesson) -> None:
    """Each form against the layer of that form, with weights large enough that the two differ."""
    for reset_after, step in ((False, module.step_before), (True, module.step_after)):
        for batch, input_size, hidden_size in SIZES:
            layer = lesson.GRULayer(input_size, hidden_size, reset_after=reset_after).double()
            weights = [layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh]
            weights = [weight.mul_(3).detach() for weight in weights]
            x, h = torch.randn(batch, input_size).double(), torch.randn(batch, hidden_size).double()
            given = h.clone()
            what = f"{step.__name__}, B = {batch}, I = {input_size}, H = {hidden_size}"
            same(what, step(x, h, *weights), layer.cell(x, h), f"GRULayer(reset_after={reset_after})")
            assert torch.equal(h, given), f"{what}: expected the h handed in to stay as it is, it was changed"


def check_torch(module) -> None:
    """Against PyTorch's module, which must not be called meanwhile."""
    for batch, input_size, hidden_size in SIZES:
        theirs = nn.GRU(input_size, hidden_size, batch_first=True).double()
        inputs, h = torch.randn(batch, 6, input_size).double(), torch.randn(batch, hidden_size).double()
        right = theirs(inputs, h[None])[0]
        theirs.register_forward_pre_hook(called)
        what = f"read_like_torch, B = {batch}, T = 6, I = {input_size}, H = {hidden_size}"
        same(what, module.read_like_torch(theirs, inputs, h), right, "torch.nn.GRU")


def called(*_) -> None:
    """Stands before PyTorch's module while the answer runs."""
    raise AssertionError("read_like_torch: expected a loop over step_after, got a call of the module itself")


def check_chung(module) -> None:
    """A step of Chung's network against the answer's own step in the weights that it gives."""
    for number, step in ((2, module.step_before), (3, module.step_after)):
        for batch, input_size, hidden_size in SIZES:
            shapes = (3 * hidden_size, input_size), (3 * hidden_size, hidden_size), (3 * hidden_size,)
            weights = [torch.randn(shape).double() for shape in (*shapes, (number * hidden_size,))]
            kept = [weight.clone() for weight in weights]
            x, h = torch.randn(batch, input_size).double(), torch.randn(batch, hidden_size).double()
            opened = [weight.clone() for weight in weights]
            opened[2][hidden_size : 2 * hidden_size] = -1e4  # z = 0: this step returns the candidate itself
            rows = slice(hidden_size, 2 * hidden_size)
            inside = x @ weights[0][rows].t() + weights[2][rows] + h @ weights[1][rows].t() + weights[3][rows]
            z, candidate = torch.sigmoid(inside), step(x, h, *opened)
            right = (1 - z) * h + z * candidate
            what = f"from_chung, bias_hh of {number} x H, B = {batch}, I = {input_size}, H = {hidden_size}"
            got = module.from_chung(*weights)
            assert isinstance(got, (tuple, list)) and len(got) == 4, f"{what}: expected four tensors, got {got!r}"
            untouched = all(torch.equal(weight, k) for weight, k in zip(weights, kept, strict=True))
            assert untouched, f"{what}: expected the tensors handed in to stay as they are, they were changed"
            same(f"{step.__name__} with the weights of {what}", step(x, h, *got), right, "(1 - z) * h + z * n")


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_steps(module, load(Path(__file__).parents[2] / "model.py"))
    check_torch(module)
    check_chung(module)
