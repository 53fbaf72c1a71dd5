"""What proves lesson 04 right. Run: pytest model-04-gru"""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from shared.contract import assert_causal, assert_chunk_invariant
from shared.evaluation import first_loss
from shared.lessons import load

lesson = load(Path(__file__).with_name("model.py"))
GRUConfig, GRULayer, GRULM = lesson.GRUConfig, lesson.GRULayer, lesson.GRULM
RESETS, INITS, BACKWARDS = (False, True), ("uniform", "xavier", "orthogonal"), ("bptt", "autograd")


@st.composite
def models(draw):
    """A GRULM of any shape and kind, in eval mode."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    config = GRUConfig(
        vocab_size=draw(st.integers(2, 7)),
        embedding_dim=draw(st.integers(1, 9)),
        hidden_size=draw(st.integers(1, 9)),
        num_layers=draw(st.integers(1, 3)),
        dropout=draw(st.sampled_from((0.0, 0.5))),
        reset_after=draw(st.booleans()),
        residual=draw(st.booleans()),
        init=draw(st.sampled_from(INITS)),
        backward=draw(st.sampled_from(BACKWARDS)),
    )
    return GRULM(config).eval()


def random_ids(seed: int, vocab_size: int, batch: int, length: int) -> torch.Tensor:
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


# The contract: logits, state = model(token_ids, state)


@given(models(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 20), st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=100, deadline=None)
def test_chunk_invariance(model, seed, batch, length, cuts):
    cuts = sorted(min(cut, length) for cut in cuts)
    token_ids = random_ids(seed, model.config.vocab_size, batch, length)
    assert_chunk_invariant(model, token_ids, cuts, atol=1e-5)
    assert_chunk_invariant(model.double(), token_ids, cuts, atol=1e-10)


@given(models(), st.integers(0, 1000), st.integers(1, 20), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_causality(model, seed, length, place):
    vocab_size = model.config.vocab_size
    token_ids, other = random_ids(seed, vocab_size, 2, length), random_ids(seed + 1, vocab_size, 2, length)
    assert_causal(model, token_ids, min(place, length), other)


@given(models(), st.integers(1, 4), st.integers(1, 6), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_shapes_and_types(model, batch, length, autocast, grad):
    c = model.config
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast), torch.set_grad_enabled(grad):
        logits, state = model(random_ids(0, c.vocab_size, batch, length))
        logits, state = model(random_ids(1, c.vocab_size, batch, length), state)
    assert logits.shape == (batch, length, c.vocab_size) and logits.dtype == torch.float32
    assert [tuple(h.shape) for h in state] == [(batch, c.hidden_size)] * c.num_layers
    assert {h.dtype for h in state} == {torch.float32}


@given(models(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_one_token_at_a_time_is_the_same_with_and_without_gradient(model, batch):
    """Without, a step takes a short cut (bptt.step_without_gradient)."""
    model, token_ids, state, quick = model.double(), random_ids(0, model.config.vocab_size, batch, 6), None, None
    for token in token_ids.split(1, dim=1):
        logits, state = model(token, state)
        with torch.no_grad():
            quick_logits, quick = model(token, quick)
        torch.testing.assert_close(quick_logits, logits, atol=1e-10, rtol=1e-10)
        torch.testing.assert_close(quick, state, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("backward", BACKWARDS)
@pytest.mark.parametrize("reset_after", RESETS)
def test_a_state_is_a_new_value_each_time(reset_after, backward, length, grad):
    model = GRULM(GRUConfig(5, 4, 6, reset_after=reset_after, backward=backward))
    with torch.set_grad_enabled(grad):
        _, first = model(random_ids(0, 5, 2, length))
        kept = [h.detach().clone() for h in first]
        _, second = model(random_ids(1, 5, 2, length), first)
        if grad:
            sum(h.sum() for h in second).backward()
    assert all(torch.equal(h, k) for h, k in zip(first, kept, strict=True))
    assert {h.data_ptr() for h in first}.isdisjoint(h.data_ptr() for h in second)


def test_each_sequence_has_a_state_of_its_own():
    model = GRULM(GRUConfig(5, 4, 6)).double()
    token_ids = random_ids(0, 5, 3, 8)
    together, state = model(token_ids)
    for row in range(3):
        alone, state_alone = model(token_ids[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])
        torch.testing.assert_close(state_alone[1][0], state[1][row])


def test_each_layer_has_a_state_of_its_own():
    """It starts from its own h, hands on its own last h, and one given to another layer is another matter."""
    torch.manual_seed(0)
    model, token_ids = GRULM(GRUConfig(5, 6, 6, 3)).double(), random_ids(0, 5, 2, 4)
    given = [torch.randn(2, 6).double() for _ in range(3)]
    logits, state = model(token_ids, given)
    hidden = model.embedding(token_ids)
    for layer, h, after in zip(model.layers, given, state, strict=True):
        hidden, last = layer(hidden, h)
        torch.testing.assert_close(after, last)
        torch.testing.assert_close(after, hidden[:, -1])
    torch.testing.assert_close(logits, model.lm_head(hidden))
    assert not torch.allclose(model(token_ids, given[::-1])[0], logits)
    with pytest.raises(ValueError):
        model(token_ids, given[:1])  # one memory for all layers


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_first_loss_is_ln_of_the_vocabulary(reset_after, init, residual, num_layers):
    torch.manual_seed(0)
    model = GRULM(GRUConfig(65, 64, 64, num_layers, 0.2, reset_after, residual, init))
    assert abs(first_loss(model, random_ids(0, 65, 1, 500)[0]) - math.log(65)) < 0.05


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_a_tiny_batch_can_be_learnt_by_heart(reset_after, backward):
    torch.manual_seed(0)
    model = GRULM(GRUConfig(8, 16, 32, 2, 0.0, reset_after, residual=True, backward=backward))
    token_ids = random_ids(0, 8, 4, 13)
    token_ids[:, 0] = torch.arange(4)  # else nothing would tell the four texts apart at first
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(100):
        loss = cross_entropy(model(token_ids[:, :-1])[0].flatten(0, 1), token_ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.02


@pytest.mark.parametrize("reset_after", RESETS)
def test_weights_survive_the_round_trip_and_fit_either_backward(reset_after):
    model = GRULM(GRUConfig(7, 5, 6, 3, reset_after=reset_after))
    other = GRULM(GRUConfig(7, 5, 6, 3, reset_after=reset_after, backward="autograd"))
    other.load_state_dict(model.state_dict())
    token_ids = random_ids(0, 7, 2, 9)
    torch.testing.assert_close(other(token_ids)[0], model(token_ids)[0])


def test_residual_adds_the_inputs_only_where_sizes_agree():
    torch.manual_seed(0)
    token_ids = random_ids(0, 7, 2, 5)
    for embedding_dim, skips in ((6, 2), (5, 1)):
        model = GRULM(GRUConfig(7, embedding_dim, 6, 2, residual=True))
        for layer in model.layers:  # a layer without weights puts out zero: what is left are the connections round it
            for weight in layer.parameters():
                nn.init.zeros_(weight)
        hidden = model.embedding(token_ids) if skips == 2 else torch.zeros(2, 5, 6)
        torch.testing.assert_close(model(token_ids)[0], model.lm_head(hidden))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    model, token_ids = GRULM(GRUConfig(7, 5, 6, 2, dropout=0.5)), random_ids(0, 7, 2, 5)
    assert not torch.equal(model(token_ids)[0], model(token_ids)[0])
    model.eval()
    assert torch.equal(model(token_ids)[0], model(token_ids)[0])


@pytest.mark.parametrize(("sizes", "parameters"), [
    ((65, 64, 128, 1), 86_913),  # astra-alpha
    ((65, 128, 256, 2), 715_713),  # astra-beta
    ((65, 256, 512, 3), 4_383_041),  # astra-gamma
    ((1000, 128, 256, 2), 1_075_688),  # scribe-alpha
    ((1000, 256, 512, 3), 5_102_056),  # scribe-beta
    ((1000, 384, 768, 4), 14_439_400),  # scribe-gamma
])  # fmt: skip
def test_parameters_of_the_published_sizes(sizes, parameters):
    with torch.device("meta"):  # counted without being made
        before, after = GRULM(GRUConfig(*sizes)), GRULM(GRUConfig(*sizes, reset_after=True))
    assert sum(weight.numel() for weight in before.parameters()) == parameters
    assert sum(weight.numel() for weight in after.parameters()) == parameters + sizes[2] * sizes[3]  # a bias more


# The gates


def gated(reset_after: bool, reset_bias: float, update_bias: float, hidden_size: int = 6):
    """A layer whose gates are pushed open or shut by their biases."""
    torch.manual_seed(0)
    layer = GRULayer(4, hidden_size, reset_after).double()
    with torch.no_grad():
        layer.bias_ih[:hidden_size] += reset_bias
        layer.bias_ih[hidden_size : 2 * hidden_size] += update_bias
    return layer


@pytest.mark.parametrize("backward", BACKWARDS)
@pytest.mark.parametrize("reset_after", RESETS)
def test_an_update_gate_of_one_keeps_h_and_its_gradient_exactly(reset_after, backward):
    layer = gated(reset_after, reset_bias=0.0, update_bias=100.0)
    layer.backward = backward
    inputs, h = torch.randn(2, 50, 4).double(), torch.randn(2, 6).double().requires_grad_()
    outputs, after = layer(inputs, h)
    assert torch.equal(outputs, h[:, None].expand(2, 50, 6)) and torch.equal(after, h)
    gradient = torch.randn(2, 6).double()
    assert torch.equal(torch.autograd.grad(after, h, gradient)[0], gradient)
    with torch.no_grad():
        assert torch.equal(layer(inputs[:, :1], h)[1], h)


@pytest.mark.parametrize("reset_after", RESETS)
def test_an_update_gate_of_zero_writes_the_candidate(reset_after):
    layer = gated(reset_after, reset_bias=0.0, update_bias=-800.0)
    x, h = torch.randn(2, 4).double(), torch.randn(2, 6).double()
    assert torch.equal(layer.cell(x, h), layer.step(x, h)[2])


@pytest.mark.parametrize("reset_after", RESETS)
def test_a_reset_gate_of_zero_hides_the_old_state_from_the_candidate(reset_after):
    layer = gated(reset_after, reset_bias=-800.0, update_bias=0.0)
    x, h = torch.randn(2, 4).double(), torch.randn(2, 6).double()
    reset_gate, _, candidate = layer.step(x, h)
    assert not reset_gate.any()
    torch.testing.assert_close(candidate, torch.tanh(x @ layer.weight_ih[12:].t() + layer.bias_ih[12:]))


def test_the_two_variants_differ():
    """With the same weights: equal while every reset gate is open (and the extra bias is zero), different otherwise."""
    inputs, h = torch.randn(2, 5, 4).double(), torch.randn(2, 6).double()
    for reset_bias, equal in ((100.0, True), (0.0, False)):
        before, after = gated(False, reset_bias, 0.0), gated(True, reset_bias, 0.0)
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih"):
                getattr(after, name).copy_(getattr(before, name))
            after.bias_hh.zero_()[:12] = before.bias_hh
        assert torch.allclose(before(inputs, h)[0], after(inputs, h)[0], atol=1e-8) == equal


def test_step_is_what_the_equations_say():
    torch.manual_seed(0)
    x, h = torch.randn(3, 4), torch.randn(3, 6)
    for reset_after in RESETS:
        layer = GRULayer(4, 6, reset_after)
        (W_r, W_z, W_n), (U_r, U_z, U_n) = layer.weight_ih.chunk(3), layer.weight_hh.chunk(3)
        (b_r, b_z, b_n), (c_r, c_z) = layer.bias_ih.chunk(3), layer.bias_hh[:12].chunk(2)
        r = torch.sigmoid(x @ W_r.t() + b_r + h @ U_r.t() + c_r)
        z = torch.sigmoid(x @ W_z.t() + b_z + h @ U_z.t() + c_z)
        seen = r * (h @ U_n.t() + layer.bias_hh[12:]) if reset_after else (r * h) @ U_n.t()
        n = torch.tanh(x @ W_n.t() + b_n + seen)
        for found, expected in zip(layer.step(x, h), (r, z, n), strict=True):
            torch.testing.assert_close(found, expected)
        torch.testing.assert_close(layer.cell(x, h), z * h + (1 - z) * n)


@given(st.tuples(*[st.integers(1, 6)] * 4), st.booleans(), st.booleans(), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_gates_agree_with_outputs(sizes, reset_after, state_given, seed):
    batch, steps, input_size, hidden_size = sizes
    torch.manual_seed(seed)
    layer, inputs = GRULayer(input_size, hidden_size, reset_after).double(), torch.randn(batch, steps, input_size)
    h0 = torch.randn(batch, hidden_size).double() if state_given else None
    reset_gate, update_gate, outputs = layer.gates(inputs.double(), h0)
    torch.testing.assert_close(outputs, layer(inputs.double(), h0)[0], atol=1e-10, rtol=1e-10)
    h = torch.zeros(batch, hidden_size).double() if h0 is None else h0
    for t in range(steps):
        expected = layer.step(inputs[:, t].double(), h)[:2]
        torch.testing.assert_close((reset_gate[:, t], update_gate[:, t]), expected, atol=1e-10, rtol=1e-10)
        h = outputs[:, t]


# Initialisation


def test_uniform_initialisation_is_pytorchs():
    torch.manual_seed(0)
    layer = GRULayer(50, 100)
    for weight in layer.parameters():
        assert 0.08 < weight.abs().max() <= 0.1


@pytest.mark.parametrize("init", ["xavier", "orthogonal"])
def test_other_initialisations_treat_each_gate_as_a_matrix_of_its_own(init):
    torch.manual_seed(0)
    layer = GRULayer(50, 100, init=init).double()
    for weight_ih, weight_hh in zip(layer.weight_ih.chunk(3), layer.weight_hh.chunk(3), strict=True):
        assert weight_ih.var().item() == pytest.approx(2 / 150, rel=0.1)
        if init == "xavier":
            assert weight_hh.var().item() == pytest.approx(2 / 200, rel=0.1)
        else:
            torch.testing.assert_close(weight_hh @ weight_hh.t(), torch.eye(100).double(), atol=1e-5, rtol=0)
    assert not layer.bias_ih.any() and not layer.bias_hh.any()


def test_an_unknown_initialisation_is_refused():
    with pytest.raises(KeyError):
        GRULayer(3, 4, init="lucky")


# Backpropagation through time (docs/math/04-gru.md)


@pytest.mark.parametrize("reset_after", RESETS)
def test_gradcheck(reset_after):
    """Every gradient of the hand-written backward pass against finite differences."""
    torch.manual_seed(0)
    layer = GRULayer(3, 4, reset_after).double()
    inputs = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    weights = layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh
    recurrence = lesson.ResetAfter if reset_after else lesson.ResetBefore
    assert torch.autograd.gradcheck(recurrence.apply, (inputs, state, *weights))


any_case = (
    st.tuples(*[st.integers(1, 6)] * 4),
    st.sampled_from(("none", "given")),
    st.sampled_from(("outputs", "state", "both")),
    st.integers(0, 1000),
)


def assert_same(one, other, sizes, initial, loss_from, seed):
    """Two modules called in one way give the same outputs, final state and gradients, to 1e-10."""
    batch, steps, input_size, hidden_size = sizes
    inputs = torch.randn(batch, steps, input_size).double().requires_grad_()
    h0 = torch.randn(batch, hidden_size).double().requires_grad_()
    weight_outputs = torch.randn(batch, steps, hidden_size).double() * (loss_from != "state")
    weight_state = torch.randn(batch, hidden_size).double() * (loss_from != "outputs")
    results = []
    for module in (one, other):
        extra = isinstance(module, nn.GRU)  # there the state has an axis of layers in front
        state = None if initial == "none" else h0[None] if extra else h0
        outputs, h = module(inputs, state)
        h = h[0] if extra else h
        loss = (weight_outputs * outputs).sum() + (weight_state * h).sum()
        wanted = [inputs, *([h0] if initial == "given" else []), *module.parameters()]
        results.append([outputs, h, *torch.autograd.grad(loss, wanted)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


@given(*any_case, st.booleans())
@settings(max_examples=120, deadline=None)
def test_by_hand_equals_autograd(sizes, initial, loss_from, seed, reset_after):
    torch.manual_seed(seed)
    by_hand, autograd = (GRULayer(*sizes[2:], reset_after, backward=backward).double() for backward in BACKWARDS)
    autograd.load_state_dict(by_hand.state_dict())
    assert_same(by_hand, autograd, sizes, initial, loss_from, seed)


@given(*any_case, st.sampled_from(BACKWARDS))
@settings(max_examples=120, deadline=None)
def test_parity_with_pytorch(sizes, initial, loss_from, seed, backward):
    torch.manual_seed(seed)
    module = nn.GRU(*sizes[2:], batch_first=True).double()
    assert_same(GRULayer.from_torch(module, backward), module, sizes, initial, loss_from, seed)


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("only", ["outputs", "state"])
def test_a_loss_may_use_one_of_the_two_results_only(only, reset_after):
    layer = GRULayer(3, 4, reset_after)
    outputs, state = layer(torch.randn(2, 5, 3))
    (outputs if only == "outputs" else state).sum().backward()
    assert all(weight.grad.any() for weight in layer.parameters())


@pytest.mark.parametrize("reset_after", RESETS)
def test_results_and_gradients_have_memory_of_their_own(reset_after):
    """A state that shared it would keep all outputs alive, gradients that shared it would be clipped twice. And they
    are laid out as their weights are: else autograd copies them at every step."""
    layer = GRULayer(3, 4, reset_after)
    outputs, state = layer(torch.randn(2, 5, 3))
    assert state.untyped_storage().nbytes() == 2 * 4 * 4
    weights = list(layer.parameters())
    gradients = torch.autograd.grad(outputs.sum(), weights)
    assert len({gradient.untyped_storage().data_ptr() for gradient in gradients}) == 4
    assert [gradient.stride() for gradient in gradients] == [weight.stride() for weight in weights]


@pytest.mark.parametrize("reset_after", RESETS)
def test_a_second_backward_pass_gives_the_same_gradients(reset_after):
    torch.manual_seed(0)
    layer = GRULayer(3, 4, reset_after)
    loss = layer(torch.randn(2, 5, 3))[0].square().sum()
    first = torch.autograd.grad(loss, list(layer.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(layer.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_gradient_through_a_carried_state(backward, reset_after):
    """Carried, it reaches back into the chunk before, as if both had been read in one call; detached, it does not."""
    torch.manual_seed(0)
    model = GRULM(GRUConfig(7, 5, 6, 2, reset_after=reset_after, backward=backward)).double()
    first, second = random_ids(0, 7, 2, 4), random_ids(1, 7, 2, 4)

    def gradients(logits):
        return torch.autograd.grad(logits.square().sum(), list(model.parameters()))

    whole = gradients(model(torch.cat([first, second], dim=1))[0][:, 4:])
    _, state = model(first)
    carried = gradients(model(second, state)[0])
    detached = lesson.detach_state(model(first)[1])
    truncated = gradients(model(second, detached)[0])
    for one, other in zip(whole, carried, strict=True):
        torch.testing.assert_close(one, other)
    assert not any(h.requires_grad for h in detached)
    assert any(not torch.allclose(one, other) for one, other in zip(whole, truncated, strict=True))
    model.requires_grad_(False)
    given = [h.clone().requires_grad_() for h in state]
    assert all(h.any() for h in torch.autograd.grad(model(second, given)[0].square().sum(), given))


@pytest.mark.parametrize("reset_after", RESETS)
def test_gradient_of_one_step_to_the_next(reset_after):
    """Equations (18) and (19): dh_t / dh_{t-1}, the gate's diagonal and what the gates and the candidate add to it."""
    torch.manual_seed(0)
    layer = GRULayer(3, 5, reset_after).double()
    x, h = torch.randn(1, 3).double(), torch.randn(1, 5).double()
    (U_r, U_z, U_n), (r, z, n) = layer.weight_hh.chunk(3), (gate[0] for gate in layer.step(x, h))
    R, Z = torch.diag(r * (1 - r)) @ U_r, torch.diag(z * (1 - z)) @ U_z
    if reset_after:
        inner = torch.diag(r) @ U_n + torch.diag(U_n @ h[0] + layer.bias_hh[10:]) @ R
    else:
        inner = U_n @ (torch.diag(r) + torch.diag(h[0]) @ R)
    expected = torch.diag(z) + torch.diag(h[0] - n) @ Z + torch.diag((1 - z) * (1 - n**2)) @ inner
    jacobian = torch.autograd.functional.jacobian(lambda h: layer(x[:, None], h)[1], h)[0, :, 0]
    torch.testing.assert_close(jacobian, expected)


# PyTorch's module as the peer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_from_torch_copies_weights_and_dtype(dtype):
    module = nn.GRU(3, 4, batch_first=True).to(dtype)
    layer = GRULayer.from_torch(module)
    torch.testing.assert_close(layer.weight_hh, module.weight_hh_l0)
    with torch.no_grad():
        module.weight_hh_l0.zero_()
    assert layer.weight_hh.dtype == dtype and layer.weight_hh.any() and layer.reset_after


@pytest.mark.parametrize(("module", "words"), [
    (nn.GRU(3, 4, num_layers=2, batch_first=True), "num_layers=1"),
    (nn.GRU(3, 4, bidirectional=True, batch_first=True), "bidirectional=False"),
    (nn.GRU(3, 4), "batch_first=True"),
    (nn.GRU(3, 4, bias=False, batch_first=True), "bias=True"),
    (nn.LSTM(3, 4, batch_first=True), "got LSTM"),
    (nn.Linear(3, 4), "got Linear"),
])  # fmt: skip
def test_from_torch_refuses_what_the_layer_is_not(module, words):
    with pytest.raises(ValueError, match=words):
        GRULayer.from_torch(module)


def test_benchmark_compares_layers_that_compute_the_same():
    benchmark = load(Path(__file__).with_name("benchmark.py"))
    times = benchmark.measure(3, 4, 2, batch=2, steps=5, pairs=2)
    assert len(times) == 4 and all(time > 0 for time in times)
    speeds = benchmark.measure_generation(3, 4, 2, vocab_size=5, tokens=3, pairs=2)
    assert len(speeds) == 3 and all(speed > 0 for speed in speeds)


@pytest.mark.parametrize("reset_after", [False, True])
def test_autocast_touches_only_the_products_over_all_steps(reset_after):
    torch.manual_seed(0)
    layer, inputs = GRULayer(16, 24, reset_after), torch.randn(3, 40, 16, requires_grad=True)
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            outputs, h = layer(inputs)
        gradients = torch.autograd.grad((outputs**2).sum() + h.sum(), [inputs, *layer.parameters()])
        found.append([outputs, h, *gradients])
    for exact, rounded in zip(*found, strict=True):
        assert rounded.dtype == torch.float32
        assert 0 < (rounded - exact).norm() < 0.01 * exact.norm()
