"""What proves lesson 03 right. Run: pytest model-03-rnn"""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from shared.contract import assert_causal, assert_chunk_invariant
from shared.evaluation import first_loss, token_losses
from shared.lessons import load

lesson = load(Path(__file__).with_name("model.py"))
RNNConfig, RNNLayer, RNNLM = lesson.RNNConfig, lesson.RNNLayer, lesson.RNNLM
NONLINEARITIES, INITS, BACKWARDS = ("tanh", "relu"), ("uniform", "xavier", "orthogonal"), ("bptt", "autograd")


@st.composite
def models(draw):
    """An RNNLM of any shape and kind, in eval mode."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    config = RNNConfig(
        vocab_size=draw(st.integers(2, 7)),
        embedding_dim=draw(st.integers(1, 9)),
        hidden_size=draw(st.integers(1, 9)),
        num_layers=draw(st.integers(1, 3)),
        dropout=draw(st.sampled_from((0.0, 0.5))),
        nonlinearity=draw(st.sampled_from(NONLINEARITIES)),
        init=draw(st.sampled_from(INITS)),
        residual=draw(st.booleans()),
        backward=draw(st.sampled_from(BACKWARDS)),
    )
    return RNNLM(config).eval()


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
    model = RNNLM(RNNConfig(5, 4, 6, backward=backward))
    _, first = model(random_ids(0, 5, 2, 3))
    kept = [h.detach().clone() for h in first]
    _, second = model(random_ids(1, 5, 2, 3), first)
    sum(h.sum() for h in second).backward()
    assert all(torch.equal(h, k) for h, k in zip(first, kept, strict=True))
    assert {h.data_ptr() for h in first}.isdisjoint(h.data_ptr() for h in second)


def test_each_sequence_has_a_state_of_its_own():
    model = RNNLM(RNNConfig(5, 4, 6)).double()
    token_ids = random_ids(0, 5, 3, 8)
    together, state = model(token_ids)
    for row in range(3):
        alone, state_alone = model(token_ids[row : row + 1])
        torch.testing.assert_close(alone[0], together[row])
        torch.testing.assert_close(state_alone[1][0], state[1][row])


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_first_loss_is_ln_of_the_vocabulary(nonlinearity, init, residual, num_layers):
    torch.manual_seed(0)
    model = RNNLM(RNNConfig(65, 64, 64, num_layers, 0.2, nonlinearity, init, residual))
    assert abs(first_loss(model, random_ids(0, 65, 1, 500)[0]) - math.log(65)) < 0.3


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("backward", BACKWARDS)
def test_a_tiny_batch_can_be_learnt_by_heart(nonlinearity, backward):
    torch.manual_seed(0)
    model = RNNLM(RNNConfig(8, 16, 32, 2, 0.0, nonlinearity, residual=True, backward=backward))
    token_ids = random_ids(0, 8, 4, 13)
    token_ids[:, 0] = torch.arange(4)  # else nothing would tell the four texts apart at first
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        loss = cross_entropy(model(token_ids[:, :-1])[0].flatten(0, 1), token_ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.02


def test_weights_survive_the_round_trip_and_fit_either_backward():
    model = RNNLM(RNNConfig(7, 5, 6, 3))
    other = RNNLM(RNNConfig(7, 5, 6, 3, backward="autograd"))
    other.load_state_dict(model.state_dict())
    token_ids = random_ids(0, 7, 2, 9)
    torch.testing.assert_close(other(token_ids)[0], model(token_ids)[0])


def test_residual_adds_the_inputs_only_where_sizes_agree():
    torch.manual_seed(0)
    token_ids = random_ids(0, 7, 2, 5)
    for embedding_dim, skips in ((6, 2), (5, 1)):
        model = RNNLM(RNNConfig(7, embedding_dim, 6, 2, residual=True))
        for layer in model.layers:  # a layer without weights puts out zero: what is left are the connections round it
            for weight in layer.parameters():
                nn.init.zeros_(weight)
        hidden = model.embedding(token_ids) if skips == 2 else torch.zeros(2, 5, 6)
        torch.testing.assert_close(model(token_ids)[0], model.lm_head(hidden))


# Initialisation


def test_uniform_initialisation_is_pytorchs():
    torch.manual_seed(0)
    layer = RNNLayer(50, 100)
    for weight in layer.parameters():
        assert 0.08 < weight.abs().max() <= 0.1


def test_xavier_initialisation():
    torch.manual_seed(0)
    layer = RNNLayer(50, 100, init="xavier")
    assert layer.weight_ih.var().item() == pytest.approx(2 / 150, rel=0.1)
    assert layer.weight_hh.var().item() == pytest.approx(2 / 200, rel=0.1)
    assert not layer.bias_ih.any() and not layer.bias_hh.any()


def test_orthogonal_initialisation():
    layer = RNNLayer(50, 100, init="orthogonal").double()
    torch.testing.assert_close(layer.weight_hh @ layer.weight_hh.t(), torch.eye(100).double(), atol=1e-5, rtol=0)
    assert not layer.bias_ih.any() and not layer.bias_hh.any()


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


@given(
    st.tuples(*[st.integers(1, 6)] * 4),
    st.sampled_from(NONLINEARITIES),
    st.sampled_from(BACKWARDS),
    st.sampled_from(("none", "given")),
    st.sampled_from(("outputs", "state", "both")),
    st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_parity_with_pytorch(sizes, nonlinearity, backward, initial, loss_from, seed):
    """Outputs, final state and all gradients equal those of torch.nn.RNN, and so those of the two ways each other."""
    batch, steps, input_size, hidden_size = sizes
    torch.manual_seed(seed)
    module = nn.RNN(input_size, hidden_size, nonlinearity=nonlinearity, batch_first=True).double()
    layer = RNNLayer.from_torch(module, backward)
    inputs = torch.randn(batch, steps, input_size).double().requires_grad_()
    h0 = torch.randn(batch, hidden_size).double().requires_grad_()
    weight_outputs = torch.randn(batch, steps, hidden_size).double() * (loss_from != "state")
    weight_state = torch.randn(batch, hidden_size).double() * (loss_from != "outputs")

    theirs, their_state = module(inputs, h0[None] if initial == "given" else None)
    ours, our_state = layer(inputs, h0 if initial == "given" else None)
    results = [(ours, theirs), (our_state, their_state[0])]
    gradients = []
    for outputs, state, side in ((ours, our_state, layer), (theirs, their_state[0], module)):
        loss = (weight_outputs * outputs).sum() + (weight_state * state).sum()
        wanted = [inputs, *([h0] if initial == "given" else []), *side.parameters()]
        gradients.append(torch.autograd.grad(loss, wanted))
    for found, expected in results + list(zip(*gradients, strict=True)):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("only", ["outputs", "state"])
def test_a_loss_may_use_one_of_the_two_results_only(only):
    layer = RNNLayer(3, 4)
    outputs, state = layer(torch.randn(2, 5, 3))
    (outputs if only == "outputs" else state).sum().backward()
    assert all(weight.grad.any() for weight in layer.parameters())


@pytest.mark.parametrize("backward", BACKWARDS)
def test_gradient_through_a_carried_state(backward):
    """Carried, it reaches back into the chunk before, as if both had been read in one call; detached, it does not."""
    torch.manual_seed(0)
    model = RNNLM(RNNConfig(7, 5, 6, 2, backward=backward)).double()
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
    module = nn.RNN(3, 4, batch_first=True).to(dtype)
    layer = RNNLayer.from_torch(module)
    torch.testing.assert_close(layer.weight_hh, module.weight_hh_l0)
    with torch.no_grad():
        module.weight_hh_l0.zero_()
    assert layer.weight_hh.dtype == dtype and layer.weight_hh.any()


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
