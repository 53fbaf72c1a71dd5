"""Checks exercise 3: the step against the lesson's LSTMLayer, and the unit that counts in a layer with its weights."""

from pathlib import Path

import torch

from shared.lessons import load


def pair(what: str, got, names: str) -> tuple:
    """Assert that the answer is two tensors."""
    two = isinstance(got, (tuple, list)) and len(got) == 2 and all(isinstance(part, torch.Tensor) for part in got)
    assert two, f"{what}: expected {names}, got {got!r}"
    return tuple(got)


def check_step(module, lesson) -> None:
    """With weights large enough that it matters which c a gate looks at."""
    for batch, input_size, hidden_size in ((1, 3, 3), (2, 3, 5), (3, 5, 2)):
        layer = lesson.LSTMLayer(input_size, hidden_size, peepholes=True).double()
        weights = [weight.mul_(3).detach() for weight in layer.parameters()]
        x, h, c = (torch.randn(batch, size).double() for size in (input_size, hidden_size, hidden_size))
        given = h.clone(), c.clone()
        what = f"step_with_peepholes, B = {batch}, D = {input_size}, H = {hidden_size}"
        got = pair(what, module.step_with_peepholes(x, h, c, *weights), "(h, c)")
        for name, mine, right in zip("ch", got[::-1], layer.cell(x, h, c)[::-1], strict=True):
            shape = tuple(right.shape)
            assert mine.shape == shape, f"{what}: expected {name} of shape {shape}, got {tuple(mine.shape)}"
            apart = (mine - right).abs().max().item()
            line = f"{name} of {what}: expected the numbers of LSTMLayer, got others (off by up to {apart:.2g})"
            hint = "; c is right: which c does the output gate look at?" if name == "h" else ""
            assert apart < 1e-10, line + hint
        untouched = torch.equal(h, given[0]) and torch.equal(c, given[1])
        assert untouched, f"{what}: expected the h and c handed in to stay as they are, they were changed"


def check_counter(module, lesson) -> None:
    """In a layer that reads noise with weights of zero."""
    for limit in (1, 2, 7, 50):
        what = f"counts_up_to({limit})"
        bias_ih, weight_cell = pair(what, module.counts_up_to(limit), "bias_ih and weight_cell")
        for name, got, shape in (("bias_ih", bias_ih, (4,)), ("weight_cell", weight_cell, (3, 1))):
            assert got.shape == shape, f"{what}: expected {name} of shape {shape}, got {tuple(got.shape)}"
        layer = lesson.LSTMLayer(3, 1, peepholes=True).double()
        for weight in layer.parameters():
            weight.zero_()
        layer.bias_ih.copy_(bias_ih)
        layer.weight_cell.copy_(weight_cell)
        *_, cells, outputs = layer.gates(torch.randn(1, 100, 3).double())
        for step, c in enumerate(cells[0, :, 0].tolist(), start=1):
            right = min(step, limit)
            assert abs(c - right) < 0.01, f"{what}: expected c = {right} after step {step}, got {c:.4f}"
        shown = outputs.abs().max().item()
        assert shown < 0.01, f"{what}: expected an output gate that is shut, got an h of {shown:.4f}"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    lesson = load(Path(__file__).parents[2] / "model.py")
    check_step(module, lesson)
    check_counter(module, lesson)
