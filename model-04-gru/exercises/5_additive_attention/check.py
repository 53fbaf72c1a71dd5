"""Checks exercise 5: on numbers one can follow, against a literal loop, alone and padded, and against autograd."""

import math

import torch

SIZES = ((1, 1, 2, 3, 4), (2, 3, 3, 3, 3), (4, 6, 5, 3, 4))  # B, S, H, K, A


def same(what: str, got, expected: torch.Tensor, whose: str) -> None:
    """Assert that a tensor is the expected one to 10 digits."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == expected.shape, f"{what}: expected shape {tuple(expected.shape)}, got {tuple(got.shape)}"
    assert not got.isnan().any(), f"{what}: expected {whose}, got nan"
    apart = (got - expected).abs().max().item()
    assert apart < 1e-10, f"{what}: expected {whose}, got other numbers (off by up to {apart:.2g})"


def row(numbers: torch.Tensor) -> str:
    """A row of numbers as a learner reads it."""
    return "[" + ", ".join(f"{number:.4g}" for number in numbers.tolist()) + "]"


def check_masked_softmax(module) -> None:
    """e^0 : e^ln 3 is 1 : 3, whatever stands behind them; then random rows, some with large energies."""
    energies = torch.tensor([[0.0, math.log(3), 5.0], [1.0, 1.0, 1.0]]).double()
    weights = module.masked_softmax(energies.clone(), torch.tensor([2, 3]))
    right = torch.tensor([[0.25, 0.75, 0.0], [1 / 3, 1 / 3, 1 / 3]]).double()
    assert isinstance(weights, torch.Tensor), f"masked_softmax: expected a tensor, got {weights!r}"
    assert weights.shape == (2, 3), f"masked_softmax: expected shape (2, 3), got {tuple(weights.shape)}"
    for i, what in enumerate(("energies [0, ln 3, 5] of length 2", "energies [1, 1, 1] of length 3")):
        total, fits = weights[i].sum().item(), torch.allclose(weights[i], right[i])
        hint = "" if abs(total - 1) < 1e-6 else f", which sums to {total:.4g}"
        assert fits, f"masked_softmax, {what}: expected {row(right[i])}, got {row(weights[i])}{hint}"
    for scale in (1, 1000):
        energies, lengths = scale * torch.randn(5, 7).double(), torch.tensor([1, 3, 7, 6, 2])
        given, right = energies.clone(), torch.zeros(5, 7).double()
        for i, length in enumerate(lengths.tolist()):
            right[i, :length] = energies[i, :length].softmax(dim=0)
        got, what = module.masked_softmax(energies, lengths), f"masked_softmax, energies of size {scale:,}"
        same(what, got, right, "each row's softmax over its own tokens")
        padding = got[torch.arange(7) >= lengths[:, None]].abs().max().item()
        assert padding == 0, f"{what}: expected exactly 0 on the padding, got up to {padding:.2g}"
        assert torch.equal(energies, given), f"{what}: expected the energies to stay as they are, they were changed"


def literal(s, h, lengths, W, U, v):
    """The equations, token by token, number by number."""
    contexts, weights = torch.zeros(len(h), h.shape[2]).double(), torch.zeros(h.shape[:2]).double()
    for b, length in enumerate(lengths.tolist()):
        energies = [sum(v[i] * torch.tanh(W[i] @ s[b] + U[i] @ h[b, j]) for i in range(len(v))) for j in range(length)]
        total = sum(math.exp(energy) for energy in energies)
        for j in range(length):
            weights[b, j] = math.exp(energies[j]) / total
            contexts[b] += weights[b, j] * h[b, j]
    return contexts, weights


def check_attend(module) -> None:
    """The literal loop; then what stands on the padding, how much of it there is, and who else is in the batch."""
    for B, S, H, K, A in SIZES:
        shapes = (B, H), (B, S, K), (A, H), (A, K), (A,)
        s, h, W, U, v = (torch.randn(shape).double() for shape in shapes)
        lengths = torch.randint(1, S + 1, (B,))
        given, what = (s.clone(), h.clone()), f"attend, B = {B}, S = {S}, H = {H}, K = {K}, A = {A}"
        result = module.attend(s, h, lengths, W, U, v)
        assert isinstance(result, tuple) and len(result) == 2, f"{what}: expected contexts and weights, got {result!r}"
        contexts, weights = literal(s, h, lengths, W, U, v)
        same(f"{what}, weights", result[1], weights, "the numbers of a loop over the tokens")
        same(f"{what}, contexts", result[0], contexts, "the numbers of a loop over the tokens")
        untouched = torch.equal(s, given[0]) and torch.equal(h, given[1])
        assert untouched, f"{what}: expected s and h to stay as they are, they were changed"

        wider = torch.cat([h, 100 * torch.randn(B, 3, K).double()], dim=1)
        padded = module.attend(s, wider, lengths, W, U, v)
        same(f"{what}, 3 more places of padding: contexts", padded[0], contexts, "the same as without")
        same(f"{what}, 3 more places of padding: weights", padded[1][:, :S], weights, "the same as without")
        for b, length in enumerate(lengths.tolist()):
            alone = module.attend(s[b : b + 1], h[b : b + 1, :length], lengths[b : b + 1], W, U, v)
            same(f"{what}, sentence {b} alone: context", alone[0], contexts[b : b + 1], "the same as in the batch")


def check_energy_gradient(module) -> None:
    """Two tokens on paper, then autograd through PyTorch's softmax."""
    got = module.energy_gradient(torch.tensor([[0.25, 0.75]]).double(), torch.tensor([[1.0, 0.0]]).double())
    what = "energy_gradient, weights [1/4, 3/4], dL/dweights [1, 0]"
    right = torch.tensor([[3 / 16, -3 / 16]]).double()
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == (1, 2), f"{what}: expected shape (1, 2), got {tuple(got.shape)}"
    hint = "" if abs(got.sum().item()) < 1e-6 else ": what one wins the others lose, so they sum to 0"
    assert torch.allclose(got, right), f"{what}: expected {row(right[0])}, got {row(got[0])}{hint}"
    lengths = torch.tensor([1, 3, 5, 4])
    padding = torch.arange(5) >= lengths[:, None]
    with torch.enable_grad():
        energies = (2 * torch.randn(4, 5).double()).requires_grad_()
        weights = energies.masked_fill(padding, -torch.inf).softmax(dim=1)
        grad_weights = torch.randn(4, 5).double()
        (right,) = torch.autograd.grad(weights, energies, grad_weights)
    kept = weights.detach().clone(), grad_weights.clone()
    same("energy_gradient, B = 4, S = 5, padded", module.energy_gradient(*kept), right, "autograd's numbers")
    untouched = torch.equal(kept[0], weights) and torch.equal(kept[1], grad_weights)
    assert untouched, "energy_gradient: expected what is handed in to stay as it is, it was changed"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_masked_softmax(module)
    check_attend(module)
    check_energy_gradient(module)
