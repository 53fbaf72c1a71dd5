"""Checks exercise 4: one step, then all seven gradients, against autograd through the lesson's LSTMLayer."""

from pathlib import Path

import torch

from shared.lessons import load

NAMES = ("dx", "dh0", "dc0", "dweight_ih", "dweight_hh", "dbias_ih", "dbias_hh")


def same(what: str, got, expected: torch.Tensor) -> None:
    """Assert that a gradient is the expected one, to 1e-10."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    apart = (got - expected).abs().max().item()
    assert apart < 1e-10, f"{what}: expected autograd's numbers, got others (off by up to {apart:.2g})"


def check_step(module) -> None:
    """From the sums inside the gates on, so that autograd can say what da is."""
    for batch, hidden_size in ((1, 1), (2, 3)):
        h, c, *inside = (torch.randn(batch, hidden_size).double().requires_grad_() for _ in range(6))
        weight_hh = torch.randn(4 * hidden_size, hidden_size).double()
        dh, dc = torch.randn(2, batch, hidden_size).double()
        sums = (part + h @ u.t() for part, u in zip(inside, weight_hh.chunk(4), strict=True))
        i, f, g, o = (function(a) for function, a in zip(
            (torch.sigmoid, torch.sigmoid, torch.tanh, torch.sigmoid), sums, strict=True))  # fmt: skip
        after = f * c + i * g
        *right, right_h, right_c = torch.autograd.grad((o * torch.tanh(after), after), (*inside, h, c), (dh, dc))
        with torch.no_grad():
            kept = (part.detach().clone() for part in (c, after, i, f, g, o))
            got = module.step_backward(dh.clone(), dc.clone(), *kept, weight_hh)
        what = f"step_backward, B = {batch}, H = {hidden_size}"
        assert isinstance(got, (tuple, list)) and len(got) == 3, f"{what}: expected da, dh and dc, got {got!r}"
        da, dh_before, dc_before = got
        assert isinstance(da, torch.Tensor), f"{what}: expected a tensor da, got {da!r}"
        shape = batch, 4 * hidden_size
        assert da.shape == shape, f"{what}: expected da of shape {shape}, got {tuple(da.shape)}"
        for place, name in ((3, "a_o"), (2, "a_g"), (0, "a_i"), (1, "a_f")):
            same(f"d({name}) of {what}", da.chunk(4, dim=1)[place], right[place])
        same(f"the gradient with respect to c of {what}", dc_before, right_c)
        same(f"the gradient with respect to h of {what}", dh_before, right_h)


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_step(module)
    lesson = load(Path(__file__).parents[2] / "model.py")
    sizes = (1, 1, 1, 1), (2, 1, 3, 4), (1, 2, 3, 3), (2, 3, 4, 3), (3, 20, 2, 5)
    for batch, steps, input_size, hidden_size in sizes:
        layer = lesson.LSTMLayer(input_size, hidden_size, backward="autograd").double()
        x = torch.randn(batch, steps, input_size, dtype=torch.float64, requires_grad=True)
        h0, c0 = (torch.randn(batch, hidden_size, dtype=torch.float64, requires_grad=True) for _ in range(2))
        grads = torch.randn(batch, steps, hidden_size).double(), *torch.randn(2, batch, hidden_size).double()
        weights = layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh
        outputs, (h, c) = layer(x, (h0, c0))
        right = torch.autograd.grad((outputs, h, c), (x, h0, c0, *weights), grads)
        with torch.no_grad():
            weights = [weight.detach() for weight in weights]
            kept = module.forward(x.detach(), h0.detach(), c0.detach(), *weights)
            given = x.detach().clone(), *(part.clone() for part in kept), *weights[:2]
            got = module.backward(*given, *(grad.clone() for grad in grads))
        what = f"B = {batch}, T = {steps}, D = {input_size}, H = {hidden_size}"
        assert isinstance(got, (tuple, list)) and len(got) == 7, f"{what}: expected seven gradients, got {got!r}"
        for name, mine, theirs in zip(NAMES, got, right, strict=True):
            same(f"{name}, {what}", mine, theirs)
