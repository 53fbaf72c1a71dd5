"""What proves lesson 04 right. Run: pytest model-04-gru"""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shared.lessons import load
from shared.tests import networks
from shared.tests.networks import INITS, any_case

lesson = load(Path(__file__).with_name("model.py"))
GRUConfig, GRULayer, GRULM = lesson.GRUConfig, lesson.GRULayer, lesson.GRULM
RESETS, BACKWARDS = (False, True), ("bptt", "autograd")


@st.composite
def models(draw):
    """A GRULM of any shape and kind, in eval mode."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    reset_after, backward = draw(st.booleans()), draw(st.sampled_from(BACKWARDS))
    return GRULM(GRUConfig(reset_after=reset_after, backward=backward, **draw(networks.SETTINGS))).eval()


# The contract: logits, state = model(token_ids, state)


@given(models(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 20), st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=100, deadline=None)
def test_chunk_invariance(model, seed, batch, length, cuts):
    networks.check_chunk_invariance(model, seed, batch, length, cuts)


@given(models(), st.integers(0, 1000), st.integers(1, 20), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_causality(model, seed, length, place):
    networks.check_causality(model, seed, length, place)


@given(models(), st.integers(1, 4), st.integers(1, 6), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_shapes_and_types(model, batch, length, autocast, grad):
    state = networks.check_shapes_and_types(model, batch, length, autocast, grad)
    assert [tuple(h.shape) for h in state] == [(batch, model.config.hidden_size)] * model.config.num_layers


@given(models(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_one_token_at_a_time_is_the_same_with_and_without_gradient(model, batch):
    networks.check_one_token_at_a_time(model, batch)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("backward", BACKWARDS)
@pytest.mark.parametrize("reset_after", RESETS)
def test_a_state_is_a_new_value_each_time(reset_after, backward, length, grad):
    model = GRULM(GRUConfig(5, 4, 6, reset_after=reset_after, backward=backward))
    networks.check_a_state_is_a_new_value_each_time(model, length, grad)


def test_each_sequence_has_a_state_of_its_own():
    networks.check_each_sequence_has_a_state_of_its_own(GRULM(GRUConfig(5, 4, 6)).double())


def test_each_layer_has_a_state_of_its_own():
    torch.manual_seed(0)
    given = [torch.randn(2, 6).double() for _ in range(3)]
    networks.check_each_layer_has_a_state_of_its_own(GRULM(GRUConfig(5, 6, 6, 3)).double(), given)


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_first_loss_is_ln_of_the_vocabulary(reset_after, init, residual, num_layers):
    torch.manual_seed(0)
    model = GRULM(GRUConfig(65, 64, 64, num_layers, 0.2, reset_after, residual, init))
    networks.check_first_loss(model, within=0.05)


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_a_tiny_batch_can_be_learnt_by_heart(reset_after, backward):
    torch.manual_seed(0)
    model = GRULM(GRUConfig(8, 16, 32, 2, 0.0, reset_after, residual=True, backward=backward))
    networks.check_a_tiny_batch_can_be_learnt_by_heart(model, steps=100, lr=2e-2)


@pytest.mark.parametrize("reset_after", RESETS)
def test_weights_survive_the_round_trip_and_fit_either_backward(reset_after):
    pair = (GRULM(GRUConfig(7, 5, 6, 3, reset_after=reset_after, backward=backward)) for backward in BACKWARDS)
    networks.check_weights_survive_the_round_trip(*pair)


def test_residual_adds_the_inputs_only_where_sizes_agree():
    networks.check_residual(lambda embedding_dim: GRULM(GRUConfig(7, embedding_dim, 6, 2, residual=True)))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    networks.check_dropout_acts_in_training_only(GRULM(GRUConfig(7, 5, 6, 2, dropout=0.5)))


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
    networks.check_initialisation(GRULayer(50, 100, init=init).double(), init)


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


@given(*any_case("h"), st.integers(0, 1000), st.booleans())
@settings(max_examples=120, deadline=None)
def test_by_hand_equals_autograd(sizes, initial, loss_from, seed, reset_after):
    torch.manual_seed(seed)
    by_hand, autograd = (GRULayer(*sizes[2:], reset_after, backward=backward).double() for backward in BACKWARDS)
    autograd.load_state_dict(by_hand.state_dict())
    networks.check_same_results(by_hand, autograd, "h", sizes, initial, loss_from)


@given(*any_case("h"), st.integers(0, 1000), st.sampled_from(BACKWARDS))
@settings(max_examples=120, deadline=None)
def test_parity_with_pytorch(sizes, initial, loss_from, seed, backward):
    torch.manual_seed(seed)
    module = nn.GRU(*sizes[2:], batch_first=True).double()
    networks.check_same_results(GRULayer.from_torch(module, backward), module, "h", sizes, initial, loss_from)


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("only", ["outputs", "h"])
def test_a_loss_may_use_one_of_the_two_results_only(only, reset_after):
    networks.check_a_loss_may_use_one_result_only(GRULayer(3, 4, reset_after), only)


@pytest.mark.parametrize("reset_after", RESETS)
def test_results_and_gradients_have_memory_of_their_own(reset_after):
    networks.check_memory_of_their_own(GRULayer(3, 4, reset_after))


@pytest.mark.parametrize("reset_after", RESETS)
def test_a_second_backward_pass_gives_the_same_gradients(reset_after):
    torch.manual_seed(0)
    networks.check_a_second_backward_pass(GRULayer(3, 4, reset_after))


@pytest.mark.parametrize("reset_after", RESETS)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_gradient_through_a_carried_state(backward, reset_after):
    torch.manual_seed(0)
    model = GRULM(GRUConfig(7, 5, 6, 2, reset_after=reset_after, backward=backward)).double()
    networks.check_gradient_through_a_carried_state(model, lesson.detach_state)


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
    assert networks.check_from_torch(GRULayer, nn.GRU(3, 4, batch_first=True).to(dtype)).reset_after


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
    networks.check_autocast_touches_only_the_large_products(GRULayer(16, 24, reset_after))
