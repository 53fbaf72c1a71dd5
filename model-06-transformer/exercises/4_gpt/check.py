"""Checks exercise 4 against the lesson's TransformerLM: each part, the whole, and one step of gradient descent."""

from pathlib import Path

import torch
from torch import nn

from shared.lessons import load

V, CONTEXT = 7, 8


def compare(what: str, got, right: torch.Tensor, wrong: dict[str, torch.Tensor] | None = None) -> None:
    """Assert that a tensor has the right shape, and values to six digits. wrong: what likely mistakes would give."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor of shape {tuple(right.shape)}, got {got!r}"
    assert got.shape == right.shape, f"{what}: expected the shape {tuple(right.shape)}, got {tuple(got.shape)}"
    error = (got - right).abs().nan_to_num(torch.inf)
    worst = int(error.argmax())
    expected, found = right.flatten()[worst].item(), got.flatten()[worst].item()
    line = f"{what}: expected {expected:.6f}, got {found:.6f} (entry {worst}, where it is worst)"
    for name, values in (wrong or {}).items():
        line += f"; these are the numbers {name}" if (got - values).abs().max() < 1e-6 else ""
    assert error.max() < 1e-6, line


def check_norm(module, model, weights: dict, x: torch.Tensor) -> None:
    """The last norm of the model, beside three other ones."""
    centred, w, b = x - x.mean(dim=2, keepdim=True), weights["norm.weight"], weights["norm.bias"]
    wrong = {
        "with a variance over C - 1": centred / (x.var(dim=2, keepdim=True) + 1e-5).sqrt() * w + b,
        "with eps outside of the root": centred / (centred.square().mean(dim=2, keepdim=True).sqrt() + 1e-5) * w + b,
        "without weight and bias": model.norm(x).sub(b).div(w),
        "without the mean taken off": x / (x.square().mean(dim=2, keepdim=True) + 1e-5).sqrt() * w + b,
        "over the tokens of a text": torch.layer_norm(x.transpose(1, 2), x.shape[1:2]).transpose(1, 2) * w + b,
    }
    compare("layer_norm", module.layer_norm(dict(weights), "norm.", x.clone()), model.norm(x), wrong)
    small = 1e-3 * x  # where eps matters
    compare("layer_norm of small x", module.layer_norm(dict(weights), "norm.", small.clone()), model.norm(small))


def check_block(lesson, module, model, weights: dict, x: torch.Tensor, num_heads: int) -> None:
    """The second block, and what it would be with norms and sums elsewhere."""
    block = model.blocks[1]
    got = module.feed_forward(dict(weights), "blocks.1.feed_forward.", x.clone())
    compare("feed_forward", got, block.feed_forward(x))
    post_norm = lesson.Block(lesson.TransformerConfig(**vars(model.config) | {"post_norm": True})).double()
    post_norm.load_state_dict(block.state_dict())
    seen, _ = block.attention(block.norm1(x))
    wrong = {
        "of post-norm": post_norm(x)[0],
        "without the second sublayer": x + seen,
        "without the first residual connection": seen + block.feed_forward(block.norm2(seen)),
        "without the second residual connection": block.feed_forward(block.norm2(x + seen)),
        "of a feed-forward that reads the block's input": x + seen + block.feed_forward(block.norm2(x)),
    }
    given = x.clone()
    compare("block", module.block(dict(weights), "blocks.1.", given, num_heads), block(x)[0], wrong)
    assert torch.equal(given, x), "block: expected the x that was handed in to stay as it is, it was changed"


def new_model(lesson, generator: torch.Generator, embedding_dim: int, num_layers: int, num_heads: int, tied: bool):
    """A model whose weights are large enough for every mistake to show."""
    model = lesson.TransformerLM(
        lesson.TransformerConfig(V, CONTEXT, embedding_dim, num_layers, num_heads, tied=tied)
    ).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    weights = {key: weight.detach().clone() for key, weight in model.state_dict().items()}
    if tied:
        del weights["lm_head.weight"]
    return model.eval(), weights


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    lesson = load(Path(__file__).parents[2] / "model.py")
    generator = torch.Generator().manual_seed(4)
    model, weights = new_model(lesson, generator, 6, 2, 2, tied=False)
    x = torch.randn(2, 5, 6, generator=generator).double()
    with torch.no_grad():
        check_norm(module, model, weights, x)
        check_block(lesson, module, model, weights, x, 2)
    for name, sizes, length in (
        ("two blocks", (6, 2, 2, False), 5),
        ("one block, a text as long as the context", (4, 1, 1, False), CONTEXT),
        ("three blocks, one token", (6, 3, 3, False), 1),
        ("two blocks, tied", (8, 2, 4, True), 6),
    ):
        model, weights = new_model(lesson, generator, *sizes)
        inputs, targets = (torch.randint(V, (3, length), generator=generator) for _ in range(2))
        logits, _ = model(inputs)
        with torch.no_grad():
            x = model.embedding(inputs) + model.position_embedding.weight[:length]
            bare = model.embedding(inputs)
            for block in model.blocks:
                x, bare = block(x)[0], block(bare)[0]
            wrong = {"without the last norm": model.lm_head(x), "without positions": model.lm_head(model.norm(bare))}
        got = module.forward(dict(weights), inputs.clone(), sizes[2])
        compare(f"forward, {name}", got, logits.detach(), wrong)

        nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= 0.3 * weight.grad
        given = {key: weight.clone() for key, weight in weights.items()}
        got = module.descend(given, inputs.clone(), targets.clone(), sizes[2], 0.3)
        assert isinstance(got, dict), f"descend, {name}: expected a dict of weights, got {got!r}"
        assert set(got) == set(weights), f"descend, {name}: expected {sorted(weights)}, got {sorted(got)}"
        for key, weight in weights.items():
            unchanged = torch.equal(given[key].detach(), weight) and not given[key].requires_grad
            assert unchanged, f"descend, {name}: expected the weights handed in to stay as they are, but {key} changed"
        after = model.state_dict()
        for key, weight in weights.items():
            wrong = {"of a step uphill": 2 * weight - after[key], "from before the step": weight}
            compare(f"descend, {name}: {key}", got[key].detach(), after[key], wrong)
