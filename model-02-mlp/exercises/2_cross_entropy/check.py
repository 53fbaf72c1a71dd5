"""Checks exercise 2, against torch and autograd in float64."""

import torch
from torch.nn import functional


def compare(what: str, got, right: torch.Tensor, tolerance: float = 1e-9) -> None:
    """Assert that a tensor has the right shape and values."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor of shape {tuple(right.shape)}, got {got!r}"
    assert got.shape == right.shape, f"{what}: expected the shape {tuple(right.shape)}, got {tuple(got.shape)}"
    assert torch.isfinite(got).all(), f"{what}: expected finite numbers, got {got.detach().flatten()[:5].tolist()}"
    error = (got - right).abs()
    worst = int(error.argmax())
    expected, found = right.flatten()[worst].item(), got.flatten()[worst].item()
    where = f"entry {worst}, where it is worst"
    assert error.max() < tolerance, f"{what}: expected {expected:.6f}, got {found:.6f} ({where})"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    generator = torch.Generator().manual_seed(2)
    for name, scale, shift, rows, v in (
        ("small logits", 1.0, 0.0, 4, 6), ("one example", 2.0, 0.0, 1, 3), ("logits around 1000", 3.0, 1000.0, 5, 7),
        ("sure and wrong", 300.0, 0.0, 6, 4), ("rows of very different size", 2.0, -2000.0, 4, 5),
    ):  # fmt: skip
        logits = torch.randn(rows, v, generator=generator, dtype=torch.float64) * scale + shift
        if shift < 0:
            logits[0] -= 2 * shift
        targets = torch.randint(v, (rows,), generator=generator)
        leaf = logits.clone().requires_grad_()
        loss = functional.cross_entropy(leaf, targets)
        loss.backward()
        given = logits.clone()
        compare(f"cross_entropy, {name}", module.cross_entropy(given, targets.clone()), loss.detach())
        compare(f"cross_entropy_gradient, {name}", module.cross_entropy_gradient(given, targets.clone()), leaf.grad)
        assert torch.equal(given, logits), f"{name}: expected the logits to stay as they are, got changed ones"

    for n, i, h in ((3, 4, 5), (1, 2, 2), (7, 3, 6)):
        x, weight, bias, dh = (
            torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((n, i), (h, i), (h,), (n, h))
        )
        leaves = [part.clone().requires_grad_() for part in (x, weight, bias)]
        torch.tanh(leaves[0] @ leaves[1].T + leaves[2]).backward(dh)
        got = module.tanh_layer_gradients(x.clone(), weight.clone(), bias.clone(), dh.clone())
        what = f"tanh_layer_gradients, {n} examples"
        assert got is not None and len(got) == 3, f"{what}: expected three tensors, got {got!r}"
        for name, mine, leaf in zip(("dx", "dweight", "dbias"), got, leaves, strict=True):
            compare(f"{what}: {name}", mine, leaf.grad)
