"""Muon against its definition, by the singular value decomposition. Run: pytest model-06-transformer"""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from shared.lessons import load

LESSON = Path(__file__).resolve().parent
muon = load(LESSON / "muon.py")
lesson = load(LESSON / "model.py")


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 1000), st.sampled_from((1e-4, 1.0, 1e4)))
@settings(max_examples=100, deadline=None)
def test_orthogonalised_has_the_singular_vectors_of_the_matrix_and_values_near_one(rows, columns, seed, size):
    """However large the matrix is. Its singular values are between 1 and 10 times `size`."""
    torch.manual_seed(seed)
    k = min(rows, columns)
    u, v = (torch.linalg.qr(torch.randn(n, k, dtype=torch.float64))[0] for n in (rows, columns))
    values = 1 + 9 * torch.rand(k, dtype=torch.float64)
    found = u.t() @ muon.orthogonalised(size * u * values @ v.t()) @ v
    torch.testing.assert_close(found, torch.diag(found.diagonal()), rtol=0, atol=1e-3)
    assert 0.65 < found.diagonal().min() and found.diagonal().max() < 1.25


def test_more_of_the_matrix_is_left_where_it_is_nearly_of_low_rank():
    """What the method is for: 100 directions, of which one is a thousand times as large as the others."""
    torch.manual_seed(0)
    u, v = (torch.linalg.qr(torch.randn(100, 100, dtype=torch.float64))[0] for _ in range(2))
    values = torch.tensor([1000.0] + [30.0] * 99, dtype=torch.float64)
    found = torch.linalg.svdvals(muon.orthogonalised(u * values @ v.t()))
    assert 0.65 < found.min() and found.max() < 1.25


@pytest.mark.parametrize("parts", [1, 2, 3])
@pytest.mark.parametrize("shape", [(12, 5), (6, 6), (6, 9)])
def test_two_steps_by_the_definition(parts, shape):
    """Nesterov's momentum, each part for itself, the size by the shape of a part, weight decay beside it."""
    torch.manual_seed(1)
    weight, gradients = nn.Parameter(torch.randn(shape)), [torch.randn(shape) for _ in range(2)]
    expected, momentum = weight.detach().clone(), torch.zeros(shape)
    optimizer = muon.Muon([{"params": [weight], "parts": parts}], lr=0.1, momentum=0.9, weight_decay=0.2)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
        momentum = 0.9 * momentum + gradient
        pieces = (gradient + 0.9 * momentum).chunk(parts)
        size = max(1, shape[0] / parts / shape[1]) ** 0.5
        expected = expected * (1 - 0.1 * 0.2) - 0.1 * size * torch.cat([muon.orthogonalised(p) for p in pieces])
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-5, atol=1e-5)
        assert torch.equal(weight.grad, gradient)


@pytest.mark.parametrize("parts", [1, 3])
def test_normuon_by_the_definition(parts):
    """Li et al. 2025: rows by their running mean of squares, with the usual correction of its start; as large as Muon's
    step. A gradient of zeros moves nothing."""
    torch.manual_seed(1)
    weight, shape, means = nn.Parameter(torch.randn(12, 4, dtype=torch.float64)), (parts, 12 // parts, 4), 0
    expected = weight.detach().clone()
    optimizer = muon.Muon([{"params": [weight], "parts": parts}], lr=0.1, momentum=0.0, row_decay=0.8)
    for step, gradient in enumerate((0 * weight.detach(), *torch.randn(3, 12, 4, dtype=torch.float64)), start=1):
        weight.grad = gradient.clone()
        optimizer.step()
        plain = muon.orthogonalised(gradient.view(shape))
        means = 0.8 * means + 0.2 * plain.square().mean(dim=2, keepdim=True)
        even = plain / (means / (1 - 0.8**step)).sqrt().clamp_min(1e-9)
        even *= (plain.square().sum((1, 2)) / even.square().sum((1, 2)).clamp_min(1e-9)).sqrt()[:, None, None]
        expected -= 0.1 * max(1, shape[1] / 4) ** 0.5 * even.view(12, 4)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-6, atol=1e-6)


def test_normuon_makes_the_rows_even():
    """After the same gradient again and again all rows move equally far, and with Muon they do not."""
    torch.manual_seed(0)
    gradient, moved = torch.randn(20, 5), []
    for row_decay in (0.0, 0.95):
        weight = nn.Parameter(torch.zeros(20, 5))
        optimizer, weight.grad = muon.Muon([weight], row_decay=row_decay), gradient
        for _ in range(3):
            optimizer.step()
        moved.append(weight.norm(dim=1))
    assert moved[0].max() > 1.5 * moved[0].min() and moved[1].max() < 1.001 * moved[1].min()
    torch.testing.assert_close(moved[0].norm(), moved[1].norm(), rtol=0.02, atol=0)


def test_a_matrix_without_gradient_stays():
    weight = nn.Parameter(torch.ones(3, 2))
    muon.Muon([weight], weight_decay=0.5).step()
    assert torch.equal(weight, torch.ones(3, 2))


def new_model(**changes):
    torch.manual_seed(0)
    return lesson.TransformerLM(lesson.TransformerConfig(9, 8, 12, 2, 2, **changes))


def together(model, rate=0.02, row_decay=0.0):
    groups, rest = muon.matrices_of(model)
    return muon.Together(torch.optim.AdamW(rest, lr=1e-2), muon.Muon(groups, rate, row_decay=row_decay))


@pytest.mark.parametrize("changes", [{}, {"activation": "swiglu"}, {"tied": True, "no_bias": True, "bigrams": 20}])
def test_matrices_of_takes_each_parameter_once_and_only_the_blocks_matrices(changes):
    model = new_model(**changes)
    groups, rest = muon.matrices_of(model)
    names = {id(weight): name for name, weight in model.named_parameters()}
    taken = [names[id(weight)] for group in groups for weight in group["params"]]
    assert sorted(taken + [names[id(weight)] for weight in rest]) == sorted(names.values())
    assert set(taken) == {name for name, w in model.named_parameters() if name.startswith("blocks.") and w.dim() == 2}
    parts = {names[id(weight)].split(".", 2)[2]: group["parts"] for group in groups for weight in group["params"]}
    gated = changes.get("activation") == "swiglu"
    assert parts == {"attention.qkv.weight": 3, "attention.output.weight": 1, "feed_forward.down.weight": 1,
                     "feed_forward.up.weight": 2 if gated else 1}  # fmt: skip


def steps(model, optimizer, count: int) -> list[float]:
    """Losses on a text where what follows a 0 depends on what stood before it."""
    token_ids, losses = torch.tensor([[0, 1, 0, 2, 0, 3, 0, 1, 0], [0, 2, 0, 3, 0, 1, 0, 2, 0]]), []
    for _ in range(count):
        loss = cross_entropy(model(token_ids[:, :-1])[0].flatten(0, 1), token_ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_it_lowers_a_loss():
    """By far more than AdamW does with what is not in the blocks; ln(2) / 8 cannot be learnt."""
    model, other = new_model(), new_model()
    losses, without = steps(model, together(model), 60), steps(other, together(other, rate=0.0), 60)
    assert losses[0] == without[0] > 2
    assert losses[-1] < 0.2 and losses[-1] < without[-1] / 2


@pytest.mark.parametrize("row_decay", [0.0, 0.95])
def test_going_on_from_a_saved_state_is_going_on(tmp_path, row_decay):
    """Of both optimisers, through a file; the rates of the groups, too."""
    whole, parts = new_model(), new_model()
    one, other = together(whole, row_decay=row_decay), together(parts, row_decay=row_decay)
    steps(whole, one, 6)
    steps(parts, other, 3)
    torch.save({"weights": parts.state_dict(), "optimizer": other.state_dict()}, tmp_path / "saved.pt")
    saved = torch.load(tmp_path / "saved.pt", weights_only=True)
    resumed = new_model()
    resumed.load_state_dict(saved["weights"])
    optimizer = together(resumed, rate=9.0)
    optimizer.load_state_dict(saved["optimizer"])
    steps(resumed, optimizer, 3)
    for weight, expected in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(weight, expected)


@pytest.mark.parametrize("row_decay", [0.0, 0.95])
def test_under_autocast_the_iterations_are_rounded_and_no_weight_is(row_decay):
    """What rounds are directions in which the gradient hardly is: the step is nearly the same."""
    model = new_model()
    token_ids = torch.arange(8)[None]
    model(token_ids)[0].square().mean().backward()
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer = together(model, row_decay=row_decay)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        optimizer.step()
    exact = new_model()
    for weight, value, other in zip(exact.parameters(), before, model.parameters(), strict=True):
        assert torch.equal(weight, value) and other.dtype == torch.float32
        weight.grad = other.grad
    together(exact, row_decay=row_decay).step()
    for weight, value, rounded in zip(exact.parameters(), before, model.parameters(), strict=True):
        assert (weight - rounded).norm() <= 0.4 * (weight - value).norm()
