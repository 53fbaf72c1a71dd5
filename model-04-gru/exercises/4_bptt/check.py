"""Checks exercise 4: one step, then all six gradients, against autograd through the lesson's GRULayer."""

from pathlib import Path

import torch

from shared.lessons import load

NAMES = ("dx", "dh0", "dweight_ih", "dweight_hh", "dbias_ih", "dbias_hh")


def same(what: str, got, expected: torch.Tensor) -> None:
    """Assert that a gradient is the expected one, to 1e-10."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    apart = (got - expected).abs().max().item()
    assert apart < 1e-10, f"{what}: expected autograd's numbers, got others (off by up to {apart:.2g})"


def check_step(module) -> None:
    """From the sums inside the gates on, so that autograd can say what da is."""
    for batch, hidden_size in ((1, 1), (2, 3)):
        h, a_r, a_z, x_n = (torch.randn(batch, hidden_size).double().requires_grad_() for _ in range(4))
        weight_hh, dh = torch.randn(3 * hidden_size, hidden_size).double(), torch.randn(batch, hidden_size).double()
        u_r, u_z, u_n = weight_hh.chunk(3)
        r, z = torch.sigmoid(a_r + h @ u_r.t()), torch.sigmoid(a_z + h @ u_z.t())
        n = torch.tanh(x_n + (r * h) @ u_n.t())
        *right, right_h = torch.autograd.grad(z * h + (1 - z) * n, (a_r, a_z, x_n, h), dh)
        with torch.no_grad():
            got = module.step_backward(dh.clone(), h.detach().clone(), r.detach(), z.detach(), n.detach(), weight_hh)
        what = f"step_backward, B = {batch}, H = {hidden_size}"
        assert isinstance(got, (tuple, list)) and len(got) == 2, f"{what}: expected da and dh, got {got!r}"
        da, dh_before = got
        assert isinstance(da, torch.Tensor), f"{what}: expected a tensor da, got {da!r}"
        shape = batch, 3 * hidden_size
        assert da.shape == shape, f"{what}: expected da of shape {shape}, got {tuple(da.shape)}"
        for place, name in ((2, "a_n"), (1, "a_z"), (0, "a_r")):
            same(f"d({name}) of {what}", da.chunk(3, dim=1)[place], right[place])
        same(f"the gradient with respect to h of {what}", dh_before, right_h)


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_step(module)
    lesson = load(Path(__file__).parents[2] / "model.py")
    sizes = (1, 1, 1, 1), (2, 1, 3, 4), (1, 2, 3, 3), (2, 3, 4, 3), (3, 20, 2, 5)
    for batch, steps, input_size, hidden_size in sizes:
        layer = lesson.GRULayer(input_size, hidden_size, backward="autograd").double()
        x = torch.randn(batch, steps, input_size, dtype=torch.float64, requires_grad=True)
        h0 = torch.randn(batch, hidden_size, dtype=torch.float64, requires_grad=True)
        grad_outputs, grad_state = torch.randn(batch, steps, hidden_size).double(), torch.randn_like(h0)
        weights = layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh
        right = torch.autograd.grad(layer(x, h0), (x, h0, *weights), (grad_outputs, grad_state))
        with torch.no_grad():
            weights = [weight.detach() for weight in weights]
            kept = module.forward(x.detach(), h0.detach(), *weights)
            given = x.detach().clone(), *(part.clone() for part in kept), *weights[:2]
            got = module.backward(*given, grad_outputs.clone(), grad_state.clone())
        what = f"B = {batch}, T = {steps}, I = {input_size}, H = {hidden_size}"
        assert isinstance(got, (tuple, list)) and len(got) == 6, f"{what}: expected six gradients, got {got!r}"
        for name, mine, theirs in zip(NAMES, got, right, strict=True):
            same(f"{name}, {what}", mine, theirs)
