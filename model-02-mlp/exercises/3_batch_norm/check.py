"""Checks exercise 3, against torch.nn.BatchNorm1d in float64."""

import torch


def compare(what: str, got, right: torch.Tensor) -> None:
    """Assert that a tensor has the right shape and values."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor of shape {tuple(right.shape)}, got {got!r}"
    assert got.shape == right.shape, f"{what}: expected the shape {tuple(right.shape)}, got {tuple(got.shape)}"
    error = (got - right).abs()
    worst = int(error.argmax())
    expected, found = right.flatten()[worst].item(), got.flatten()[worst].item()
    assert error.max() < 1e-9, f"{what}: expected {expected:.6f}, got {found:.6f} (entry {worst}, where it is worst)"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    generator = torch.Generator().manual_seed(3)
    for n, h in ((6, 4), (2, 3), (9, 1)):
        torch_norm = torch.nn.BatchNorm1d(h).double()
        gain, bias = (torch.randn(h, generator=generator, dtype=torch.float64) for _ in range(2))
        with torch.no_grad():
            torch_norm.weight.copy_(gain)
            torch_norm.bias.copy_(bias)
        mean, var = torch.zeros(h, dtype=torch.float64), torch.ones(h, dtype=torch.float64)
        for step in (1, 2, 3):
            x = 3 * torch.randn(n, h, generator=generator, dtype=torch.float64) + 5
            dy = torch.randn(n, h, generator=generator, dtype=torch.float64)
            leaf = x.clone().requires_grad_()
            y = torch_norm.train()(leaf)
            y.backward(dy)
            what = f"batch {step} of {n} examples"
            given = [part.clone() for part in (x, gain, bias, mean, var)]
            got = module.forward_train(*given)
            assert got is not None and len(got) == 3, f"forward_train: expected three tensors, got {got!r}"
            unchanged = all(torch.equal(a, b) for a, b in zip(given, (x, gain, bias, mean, var), strict=True))
            assert unchanged, "forward_train: expected new tensors, but got one of those handed in, changed"
            compare(f"forward_train, {what}: y", got[0], y.detach())
            compare(f"forward_train, {what}: running mean", got[1], torch_norm.running_mean)
            compare(f"forward_train, {what}: running variance", got[2], torch_norm.running_var)
            compare(f"backward_train, {what}", module.backward_train(x.clone(), gain.clone(), dy.clone()), leaf.grad)
            _, mean, var = (part.clone() for part in got)
            for rows in (x, x[:1]):
                right = torch_norm.eval()(rows).detach()
                got_eval = module.forward_eval(rows.clone(), gain.clone(), bias.clone(), mean.clone(), var.clone())
                compare(f"forward_eval after {step} batches, {len(rows)} examples", got_eval, right)
