"""What proves lesson 03 right. Run: pytest model-03-rnn"""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shared.evaluation import token_losses
from shared.lessons import load
from shared.tests import networks
from shared.tests.networks import INITS, any_case, random_ids

lesson = load(Path(__file__).with_name("model.py"))
RNNConfig, RNNLayer, RNNLM = lesson.RNNConfig, lesson.RNNLayer, lesson.RNNLM
NONLINEARITIES, BACKWARDS = ("tanh", "relu"), ("bptt", "autograd")


@st.composite
def models(draw):
    """An RNNLM of any shape and kind, in eval mode."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    nonlinearity, backward = draw(st.sampled_from(NONLINEARITIES)), draw(st.sampled_from(BACKWARDS))
    return RNNLM(RNNConfig(nonlinearity=nonlinearity, backward=backward, **draw(networks.SETTINGS))).eval()


# The contract: logits, state = model(token_ids, state)


@given(models(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 20), st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=100, deadline=None)
def test_chunk_invariance(model, seed, batch, length, cuts):
    networks.check_chunk_invariance(model, seed, batch, length, cuts)


@given(models(), st.integers(0, 1000), st.integers(1, 20), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_causality(model, seed, length, place):
    networks.check_causality(model, seed, length, place)


@given(models(), st.integers(1, 4), st.integers(1, 6), st.booleans())
@settings(max_examples=50, deadline=None)
def test_shapes_and_types(model, batch, length, autocast):
    c = model.config
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        logits, state = model(random_ids(0, c.vocab_size, batch, length))
    assert logits.shape == (batch, length, c.vocab_size) and logits.dtype == torch.float32
    assert [tuple(h.shape) for h in state] == [(batch, c.hidden_size)] * c.num_layers


@pytest.mark.parametrize("backward", BACKWARDS)
def test_a_state_is_a_new_value_each_time(backward):
    networks.check_a_state_is_a_new_value_each_time(RNNLM(RNNConfig(5, 4, 6, backward=backward)), length=3, grad=True)


def test_each_sequence_has_a_state_of_its_own():
    networks.check_each_sequence_has_a_state_of_its_own(RNNLM(RNNConfig(5, 4, 6)).double())


def test_each_layer_has_a_state_of_its_own():
    torch.manual_seed(0)
    given = [torch.randn(2, 6).double() for _ in range(3)]
    networks.check_each_layer_has_a_state_of_its_own(RNNLM(RNNConfig(5, 6, 6, 3)).double(), given)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_first_loss_is_ln_of_the_vocabulary(nonlinearity, init, residual, num_layers):
    torch.manual_seed(0)
    model = RNNLM(RNNConfig(65, 64, 64, num_layers, 0.2, nonlinearity, init, residual))
    networks.check_first_loss(model, within=0.3)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_a_tiny_batch_can_be_learnt_by_heart(nonlinearity, backward):
    torch.manual_seed(0)
    model = RNNLM(RNNConfig(8, 16, 32, 2, 0.0, nonlinearity, residual=True, backward=backward))
    networks.check_a_tiny_batch_can_be_learnt_by_heart(model, steps=150, lr=1e-2)


def test_weights_survive_the_round_trip_and_fit_either_backward():
    networks.check_weights_survive_the_round_trip(*(RNNLM(RNNConfig(7, 5, 6, 3, backward=b)) for b in BACKWARDS))


def test_residual_adds_the_inputs_only_where_sizes_agree():
    networks.check_residual(lambda embedding_dim: RNNLM(RNNConfig(7, embedding_dim, 6, 2, residual=True)))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    networks.check_dropout_acts_in_training_only(RNNLM(RNNConfig(7, 5, 6, 2, dropout=0.5)))


# Initialisation


def test_uniform_initialisation_is_pytorchs():
    torch.manual_seed(0)
    layer = RNNLayer(50, 100)
    for weight in layer.parameters():
        assert 0.08 < weight.abs().max() <= 0.1


def test_xavier_initialisation():
    torch.manual_seed(0)
    networks.check_initialisation(RNNLayer(50, 100, init="xavier").double(), "xavier")


def test_orthogonal_initialisation():
    torch.manual_seed(0)
    networks.check_initialisation(RNNLayer(50, 100, init="orthogonal").double(), "orthogonal")


def test_spectral_radius_of_each_initialisation():
    """The table of docs/math/03-bptt.md: how fast the gradient of a linear recurrence would fall."""
    torch.manual_seed(0)
    for init, radius in (("uniform", 1 / math.sqrt(3)), ("xavier", 1.0), ("orthogonal", 1.0)):
        weight = RNNLayer(10, 400, init=init).weight_hh.detach()
        assert torch.linalg.eigvals(weight).abs().max().item() == pytest.approx(radius, rel=0.1)


def test_an_unknown_initialisation_is_refused():
    with pytest.raises(KeyError):
        RNNLayer(3, 4, init="lucky")


# Backpropagation through time (docs/math/03-bptt.md)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_gradcheck(nonlinearity):
    """Every gradient of the hand-written backward pass against finite differences."""
    torch.manual_seed(0)
    layer = RNNLayer(3, 4, nonlinearity).double()
    inputs = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    weights = layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh
    assert torch.autograd.gradcheck(lesson.Recurrence.apply, (inputs, state, *weights, nonlinearity))


@given(*any_case("h"), st.integers(0, 1000), st.sampled_from(NONLINEARITIES), st.sampled_from(BACKWARDS))
@settings(max_examples=150, deadline=None)
def test_parity_with_pytorch(sizes, initial, loss_from, seed, nonlinearity, backward):
    """Outputs, final state and all gradients equal those of torch.nn.RNN, and so those of the two ways each other."""
    torch.manual_seed(seed)
    module = nn.RNN(*sizes[2:], nonlinearity=nonlinearity, batch_first=True).double()
    networks.check_same_results(RNNLayer.from_torch(module, backward), module, "h", sizes, initial, loss_from)


@pytest.mark.parametrize("only", ["outputs", "h"])
def test_a_loss_may_use_one_of_the_two_results_only(only):
    networks.check_a_loss_may_use_one_result_only(RNNLayer(3, 4), only)


@pytest.mark.parametrize("backward", BACKWARDS)
def test_gradient_through_a_carried_state(backward):
    torch.manual_seed(0)
    model = RNNLM(RNNConfig(7, 5, 6, 2, backward=backward)).double()
    networks.check_gradient_through_a_carried_state(model, lesson.detach_state)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_gradient_through_time_is_a_product_of_jacobians(nonlinearity):
    """Equations (11) and (12): dh_T / dh_0, and its bound by the largest singular value of W_hh."""
    torch.manual_seed(0)
    layer = RNNLayer(3, 5, nonlinearity).double()
    inputs, h0 = torch.randn(1, 8, 3).double(), torch.randn(1, 5).double()
    outputs, _ = layer(inputs, h0)
    slopes = 1 - outputs[0] ** 2 if nonlinearity == "tanh" else (outputs[0] > 0).double()
    product = torch.eye(5).double()
    for slope in slopes:
        product = slope[:, None] * layer.weight_hh @ product
    jacobian = torch.autograd.functional.jacobian(lambda h: layer(inputs, h)[1], h0)[0, :, 0]
    torch.testing.assert_close(jacobian, product)
    largest = torch.linalg.matrix_norm(layer.weight_hh, 2)
    assert 0 < torch.linalg.matrix_norm(jacobian, 2) <= largest**8


# PyTorch's module as the peer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_from_torch_copies_weights_and_dtype(dtype):
    networks.check_from_torch(RNNLayer, nn.RNN(3, 4, batch_first=True).to(dtype))


@pytest.mark.parametrize(("module", "words"), [
    (nn.RNN(3, 4, num_layers=2, batch_first=True), "num_layers=1"),
    (nn.RNN(3, 4, bidirectional=True, batch_first=True), "bidirectional=False"),
    (nn.RNN(3, 4), "batch_first=True"),
    (nn.RNN(3, 4, bias=False, batch_first=True), "bias=True"),
    (nn.GRU(3, 4, batch_first=True), "got GRU"),
    (nn.Linear(3, 4), "got Linear"),
])  # fmt: skip
def test_from_torch_refuses_what_the_layer_is_not(module, words):
    with pytest.raises(ValueError, match=words):
        RNNLayer.from_torch(module)


def test_benchmark_compares_four_layers_that_compute_the_same():
    benchmark = load(Path(__file__).with_name("benchmark.py"))
    times = benchmark.measure(3, 4, 2, batch=2, steps=5, pairs=2)
    assert len(times) == 4 and all(time > 0 for time in times)


# dynamic evaluation


def test_dynamic_evaluation_scores_before_it_learns_and_leaves_the_model_alone():
    dynamic_losses = load(Path(__file__).with_name("dynamic_evaluation.py")).dynamic_losses
    torch.manual_seed(0)
    model, ids = RNNLM(RNNConfig(5, 4, 6)), torch.arange(1000) % 5
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    usual, dynamic = dynamic_losses(model, ids, 0.0), dynamic_losses(model, ids, 0.5)
    torch.testing.assert_close(usual, token_losses(model, ids), check_dtype=False)
    torch.testing.assert_close(dynamic[:64], usual[:64])  # nothing was learnt before the first chunk was scored
    assert dynamic[-64:].mean() < usual[-64:].mean() - 0.5
    changed = torch.cat([ids[:640], torch.zeros(360, dtype=torch.int64)])
    torch.testing.assert_close(dynamic_losses(model, changed, 0.5)[:639], dynamic[:639])  # no look ahead
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])
