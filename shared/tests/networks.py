"""What every recurrent network of the course must do; its test_model.py calls these with models of its own.

A model is called as logits, state = model(token_ids, state=None) and made of .embedding, .layers and .lm_head; a layer
as outputs, state = layer(inputs, state=None). The state may be one tensor, or tensors nested in lists and tuples.
"""

import math

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shared.contract import assert_causal, assert_chunk_invariant
from shared.evaluation import first_loss

INITS = ("uniform", "xavier", "orthogonal")
SETTINGS = st.fixed_dictionaries({
    "vocab_size": st.integers(2, 7),
    "embedding_dim": st.integers(1, 9),
    "hidden_size": st.integers(1, 9),
    "num_layers": st.integers(1, 3),
    "dropout": st.sampled_from((0.0, 0.5)),
    "residual": st.booleans(),
    "init": st.sampled_from(INITS),
})  # fmt: skip


def random_ids(seed: int, vocab_size: int, batch: int, length: int) -> Tensor:
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


def parts_of(state) -> list[Tensor]:
    """All tensors of a state, in one list."""
    return [state] if isinstance(state, Tensor) else [part for inner in state for part in parts_of(inner)]


# Models: the contract


def check_chunk_invariance(model, seed: int, batch: int, length: int, cuts: list[int], atol: float = 1e-5) -> None:
    """To atol in float32, to 1e-10 in float64."""
    cuts = sorted(min(cut, length) for cut in cuts)
    token_ids = random_ids(seed, model.config.vocab_size, batch, length)
    assert_chunk_invariant(model, token_ids, cuts, atol)
    assert_chunk_invariant(model.double(), token_ids, cuts, atol=1e-10)


def check_causality(model, seed: int, length: int, place: int, atol: float = 1e-6) -> None:
    vocab_size = model.config.vocab_size
    token_ids, other = random_ids(seed, vocab_size, 2, length), random_ids(seed + 1, vocab_size, 2, length)
    assert_causal(model, token_ids, min(place, length), other, atol)


def check_shapes_and_types(model, batch: int, length: int, autocast: bool, grad: bool):
    """Logits (B, T, V), float32 as all of the state is, also under autocast; returns the state after two chunks."""
    vocab_size = model.config.vocab_size
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast), torch.set_grad_enabled(grad):
        logits, state = model(random_ids(0, vocab_size, batch, length))
        logits, state = model(random_ids(1, vocab_size, batch, length), state)
    assert logits.shape == (batch, length, vocab_size) and logits.isfinite().all()
    assert {part.dtype for part in (logits, *parts_of(state))} == {torch.float32}
    return state


def check_one_token_at_a_time(model, batch: int) -> None:
    """The same with a gradient and without, where a step takes a short cut (bptt.step_without_gradient)."""
    model, token_ids, state, quick = model.double(), random_ids(0, model.config.vocab_size, batch, 6), None, None
    for token in token_ids.split(1, dim=1):
        logits, state = model(token, state)
        with torch.no_grad():
            quick_logits, quick = model(token, quick)
        torch.testing.assert_close(quick_logits, logits, atol=1e-10, rtol=1e-10)
        torch.testing.assert_close(quick, state, atol=1e-10, rtol=1e-10)


def check_a_state_is_a_new_value_each_time(model, length: int, grad: bool) -> None:
    """The one that was given stays as it was, also in the backward pass, and no two tensors lie in one place."""
    with torch.set_grad_enabled(grad):
        _, first = model(random_ids(0, model.config.vocab_size, 2, length))
        kept = [part.detach().clone() for part in parts_of(first)]
        _, second = model(random_ids(1, model.config.vocab_size, 2, length), first)
        if grad:
            sum(part.sum() for part in parts_of(second)).backward()
    assert all(torch.equal(part, k) for part, k in zip(parts_of(first), kept, strict=True))
    places = [part.data_ptr() for part in parts_of(first) + parts_of(second)]
    assert len(set(places)) == len(places)


def check_each_sequence_has_a_state_of_its_own(model) -> None:
    token_ids = random_ids(0, model.config.vocab_size, 3, 8)
    together, state = model(token_ids)
    for row in range(3):
        alone, state_alone = model(token_ids[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])
        for part, part_alone in zip(parts_of(state), parts_of(state_alone), strict=True):
            torch.testing.assert_close(part_alone[0], part[row])


def check_each_layer_has_a_state_of_its_own(model, given: list) -> None:
    """It starts from its own, hands on its own last one (h first); given to another layer it is another matter."""
    token_ids = random_ids(0, model.config.vocab_size, len(parts_of(given)[0]), 4)
    logits, state = model(token_ids, given)
    hidden = model.embedding(token_ids)
    for layer, before, after in zip(model.layers, given, state, strict=True):
        hidden, last = layer(hidden, before)
        torch.testing.assert_close(after, last)
        torch.testing.assert_close(parts_of(after)[0], hidden[:, -1])
    torch.testing.assert_close(logits, model.lm_head(hidden))
    assert not torch.allclose(model(token_ids, given[::-1])[0], logits)
    with pytest.raises(ValueError):
        model(token_ids, given[:1])  # one memory for all layers


def check_gradient_through_a_carried_state(model, detach_state) -> None:
    """Carried, it reaches back into the chunk before, as if both had been read in one call; detached, it does not."""
    first, second = (random_ids(seed, model.config.vocab_size, 2, 4) for seed in (0, 1))

    def gradients(logits):
        return torch.autograd.grad(logits.square().sum(), list(model.parameters()))

    whole = gradients(model(torch.cat([first, second], dim=1))[0][:, 4:])
    _, state = model(first)
    carried = gradients(model(second, state)[0])
    detached = detach_state(model(first)[1])
    truncated = gradients(model(second, detached)[0])
    for one, other in zip(whole, carried, strict=True):
        torch.testing.assert_close(one, other)
    assert not any(part.requires_grad for part in parts_of(detached))
    assert any(not torch.allclose(one, other) for one, other in zip(whole, truncated, strict=True))
    model.requires_grad_(False)
    given = [part.requires_grad_() for part in parts_of(detached)]
    logits = model(second, detached)[0]
    assert all(gradient.any() for gradient in torch.autograd.grad(logits.square().sum(), given))


# Models: weights and training


def check_first_loss(model, within: float, length: int = 500) -> None:
    """An untrained model is as unsure as one that says "any token": ln V."""
    vocab_size = model.config.vocab_size
    assert abs(first_loss(model, random_ids(0, vocab_size, 1, length)[0]) - math.log(vocab_size)) < within


def check_a_tiny_batch_can_be_learnt_by_heart(model, steps: int, lr: float) -> None:
    token_ids = random_ids(0, model.config.vocab_size, 4, 13)
    token_ids[:, 0] = torch.arange(4)  # else nothing would tell the four texts apart at first
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        loss = cross_entropy(model(token_ids[:, :-1])[0].flatten(0, 1), token_ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.02


def check_weights_survive_the_round_trip(model, other) -> None:
    """With the weights of the one, the other (of another `backward`) is the same model."""
    other.load_state_dict(model.state_dict())
    token_ids = random_ids(0, model.config.vocab_size, 2, 9)
    torch.testing.assert_close(other(token_ids)[0], model(token_ids)[0])


def check_residual(new_model) -> None:
    """new_model(embedding_dim), of 2 layers of 6, adds a layer's inputs to its outputs only where sizes agree."""
    torch.manual_seed(0)
    for embedding_dim, skips in ((6, 2), (5, 1)):
        model = new_model(embedding_dim)
        token_ids = random_ids(0, model.config.vocab_size, 2, 5)
        for layer in model.layers:  # a layer without weights puts out zero: what is left are the connections round it
            for weight in layer.parameters():
                nn.init.zeros_(weight)
        hidden = model.embedding(token_ids) if skips == 2 else torch.zeros(2, 5, 6)
        torch.testing.assert_close(model(token_ids)[0], model.lm_head(hidden))


def check_dropout_acts_in_training_only(model) -> None:
    token_ids = random_ids(0, model.config.vocab_size, 2, 5)
    assert not torch.equal(model(token_ids)[0], model(token_ids)[0])
    model.eval()
    assert torch.equal(model(token_ids)[0], model(token_ids)[0])


# Layers


def check_initialisation(layer, init: str) -> None:
    """A float64 layer of 50 inputs and 100 units: the matrices of each gate as if it were alone, all else zero."""
    for weight_ih, weight_hh in zip(layer.weight_ih.split(100), layer.weight_hh.split(100), strict=True):
        assert weight_ih.var().item() == pytest.approx(2 / 150, rel=0.1)
        if init == "xavier":
            assert weight_hh.var().item() == pytest.approx(2 / 200, rel=0.1)
        else:
            torch.testing.assert_close(weight_hh @ weight_hh.t(), torch.eye(100).double(), atol=1e-5, rtol=0)
    assert not any(weight.any() for name, weight in layer.named_parameters() if name not in ("weight_ih", "weight_hh"))


def any_case(parts: str) -> tuple:
    """Strategies: (B, T, input size, H), whether a state is given, what the loss is made of; parts: "h" or "hc"."""
    return (
        st.tuples(*[st.integers(1, 6)] * 4),
        st.sampled_from(("none", "given")),
        st.lists(st.sampled_from(("outputs", *parts)), min_size=1, max_size=1 + len(parts), unique=True),
    )


def check_same_results(one, other, parts: str, sizes: tuple, initial: str, loss_from: list[str]) -> None:
    """Two layers called in one way give the same outputs, final state and gradients, to 1e-10."""
    batch, steps, input_size, hidden_size = sizes
    inputs = torch.randn(batch, steps, input_size).double().requires_grad_()
    start = [torch.randn(batch, hidden_size).double().requires_grad_() for _ in parts]
    shares = {"outputs": torch.randn(batch, steps, hidden_size).double()}
    shares |= {part: torch.randn(batch, hidden_size).double() for part in parts}
    results = []
    for layer in (one, other):
        extra = isinstance(layer, nn.RNNBase)  # PyTorch's: there each part has an axis of layers in front
        state = [part[None] if extra else part for part in start]
        state = state[0] if parts == "h" else tuple(state)
        outputs, state = layer(inputs, state if initial == "given" else None)
        after = [part[0] if extra else part for part in parts_of(state)]
        found = {"outputs": outputs} | dict(zip(parts, after, strict=True))
        loss = sum((shares[name] * found[name]).sum() for name in loss_from)
        wanted = [inputs, *(start if initial == "given" else []), *layer.parameters()]
        gradients = torch.autograd.grad(loss, wanted, allow_unused=loss_from == ["c"])  # W_o is not, at the last step
        results.append([*found.values(), *gradients])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def check_a_loss_may_use_one_result_only(layer, only: str) -> None:
    """Of "outputs", "h" and, where there is one, "c"."""
    outputs, state = layer(torch.randn(2, 5, 3))
    results = dict(zip(("outputs", "h", "c"), (outputs, *parts_of(state)), strict=False))
    results[only].sum().backward()
    assert all(weight.grad.any() for weight in layer.parameters())


def check_memory_of_their_own(layer) -> None:
    """A state that shared it would keep all outputs alive, gradients that shared it would be clipped twice. And they
    are laid out as their weights are: else autograd copies them at every step. (A layer of 4 units.)"""
    outputs, state = layer(torch.randn(2, 5, 3))
    assert {part.untyped_storage().nbytes() for part in parts_of(state)} == {2 * 4 * 4}
    weights = list(layer.parameters())
    gradients = torch.autograd.grad(outputs.sum(), weights)
    assert len({gradient.untyped_storage().data_ptr() for gradient in gradients}) == 4
    assert [gradient.stride() for gradient in gradients] == [weight.stride() for weight in weights]


def check_a_second_backward_pass(layer) -> None:
    """It finds what the first one needed as it was."""
    outputs, state = layer(torch.randn(2, 5, 3))
    loss = sum(part.square().sum() for part in (outputs, *parts_of(state)))
    first = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(layer.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def check_autocast_touches_only_the_large_products(layer) -> None:
    """A layer of 16 inputs: rounding shows everywhere, nowhere by more than 1 %, and no result is less than float32."""
    inputs, found = torch.randn(3, 40, 16, requires_grad=True), []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            outputs, state = layer(inputs)
        loss = (outputs**2).sum() + sum(part.sum() for part in parts_of(state))
        gradients = torch.autograd.grad(loss, [inputs, *layer.parameters()])
        found.append([outputs, *parts_of(state), *gradients])
    for exact, rounded in zip(*found, strict=True):
        assert rounded.dtype == torch.float32
        assert 0 < (rounded - exact).norm() < 0.01 * exact.norm()


def check_from_torch(layer_class, module):
    """The layer has the weights and the dtype of PyTorch's module, as a copy; returns it."""
    layer = layer_class.from_torch(module)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        ours, theirs = getattr(layer, name), getattr(module, f"{name}_l0")
        assert ours.dtype == theirs.dtype and torch.equal(ours, theirs)
        nn.init.zeros_(theirs)
        assert ours.any()
    return layer
