"""Checks exercise 4 against the lesson's MLPLM."""

from pathlib import Path

import torch

from shared.lessons import load


def compare(what: str, got, right: torch.Tensor, tolerance: float = 1e-6) -> None:
    """Assert that a tensor has the right shape and values."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor of shape {tuple(right.shape)}, got {got!r}"
    assert got.shape == right.shape, f"{what}: expected the shape {tuple(right.shape)}, got {tuple(got.shape)}"
    error = (got - right).abs()
    worst = int(error.argmax())
    expected, found = right.flatten()[worst].item(), got.flatten()[worst].item()
    where = f"entry {worst}, where it is worst"
    assert error.max() < tolerance, f"{what}: expected {expected:.6f}, got {found:.6f} ({where})"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    lesson = load(Path(__file__).parents[2] / "model.py")
    v, generator = 7, torch.Generator().manual_seed(4)
    for name, n, options in (
        ("one layer", 3, {}),
        ("context of one", 1, {}),
        ("a context longer than the text", 9, {}),
        ("direct connections", 3, {"direct": True}),
        ("three layers", 4, {"num_layers": 3}),
        ("two layers and direct connections", 2, {"num_layers": 2, "direct": True}),
    ):
        config = lesson.MLPConfig(v, n, embedding_dim=4, hidden_size=5, **options)
        model = lesson.MLPLM(config).double().eval()
        for parameter in model.parameters():  # some start at zero, where a mistake would not show
            torch.nn.init.normal_(parameter, std=0.5, generator=generator)
        weights = {key: weight.detach().clone() for key, weight in model.state_dict().items()}
        inputs, targets = (torch.randint(v, (3, 6), generator=generator) for _ in range(2))

        x, _ = model.windows(inputs, None)
        compare(f"look_up, {name}", module.look_up(dict(weights), inputs.clone(), n), x.detach())
        logits, _ = model(inputs)
        compare(f"forward, {name}", module.forward(dict(weights), inputs.clone(), n), logits.detach())

        optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
        given = {key: weight.clone() for key, weight in weights.items()}
        got = module.descend(given, inputs.clone(), targets.clone(), n, 0.3)
        assert isinstance(got, dict), f"descend, {name}: expected a dict of weights, got {got!r}"
        assert set(got) == set(weights), f"descend, {name}: expected {sorted(weights)}, got {sorted(got)}"
        for key, weight in model.state_dict().items():
            compare(f"descend, {name}: {key}", got[key].detach(), weight)
        for key, weight in weights.items():
            unchanged = torch.equal(given[key].detach(), weight) and not given[key].requires_grad
            assert unchanged, f"descend, {name}: expected the weights handed in to stay as they are, but {key} changed"
