"""What proves lesson 05 right. Run: pytest model-05-lstm"""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shared.lessons import load
from shared.tests import networks
from shared.tests.networks import INITS, any_case, parts_of

lesson = load(Path(__file__).with_name("model.py"))
LSTMConfig, LSTMLayer, LSTMLM = lesson.LSTMConfig, lesson.LSTMLayer, lesson.LSTMLM
BPTT = lesson.step_without_gradient.__globals__  # the names in bptt.py
KINDS = ({"backward": "bptt"}, {"backward": "autograd"}, {"peepholes": True})


@st.composite
def models(draw):
    """An LSTMLM of any shape and kind, in eval mode."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    forget_bias, kind = draw(st.sampled_from((0.0, 1.0))), draw(st.sampled_from(KINDS))
    return LSTMLM(LSTMConfig(forget_bias=forget_bias, **kind, **draw(networks.SETTINGS))).eval()


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
    assert [len(h_c) for h_c in state] == [2] * model.config.num_layers
    assert {tuple(part.shape) for part in parts_of(state)} == {(batch, model.config.hidden_size)}


@given(models(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_one_token_at_a_time_is_the_same_with_and_without_gradient(model, batch):
    networks.check_one_token_at_a_time(model, batch)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_a_new_value_each_time(kind, length, grad):
    networks.check_a_state_is_a_new_value_each_time(LSTMLM(LSTMConfig(5, 4, 6, **kind)), length, grad)


def test_each_sequence_has_a_state_of_its_own():
    networks.check_each_sequence_has_a_state_of_its_own(LSTMLM(LSTMConfig(5, 4, 6)).double())


def test_each_layer_has_a_state_of_its_own():
    """And h and c are not the same thing."""
    torch.manual_seed(0)
    model, given = LSTMLM(LSTMConfig(5, 6, 6, 3)).double(), [tuple(torch.randn(2, 2, 6).double()) for _ in range(3)]
    networks.check_each_layer_has_a_state_of_its_own(model, given)
    token_ids = networks.random_ids(0, 5, 2, 4)
    logits, exchanged = (model(token_ids, state)[0] for state in (given, [(c, h) for h, c in given]))
    assert not torch.allclose(exchanged, logits)


@pytest.mark.parametrize("peepholes", [False, True])
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_first_loss_is_ln_of_the_vocabulary(peepholes, init, residual, num_layers):
    torch.manual_seed(0)
    model = LSTMLM(LSTMConfig(65, 64, 64, num_layers, 0.2, peepholes, residual=residual, init=init))
    networks.check_first_loss(model, within=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_batch_can_be_learnt_by_heart(kind):
    torch.manual_seed(0)
    model = LSTMLM(LSTMConfig(8, 16, 32, 2, residual=True, **kind))
    networks.check_a_tiny_batch_can_be_learnt_by_heart(model, steps=80, lr=2e-2)


def test_weights_survive_the_round_trip_and_fit_either_backward():
    networks.check_weights_survive_the_round_trip(*(LSTMLM(LSTMConfig(7, 5, 6, 3, **kind)) for kind in KINDS[:2]))


@pytest.mark.parametrize("residual", [False, True])
def test_residual_goes_round_every_layer_but_the_first(residual):
    torch.manual_seed(0)
    model, token_ids = LSTMLM(LSTMConfig(7, 6, 6, 3, residual=residual)), networks.random_ids(0, 7, 2, 5)
    for layer in model.layers[1:]:  # without weights it puts out zero: what is left is what goes round it
        for weight in layer.parameters():
            nn.init.zeros_(weight)
    hidden = model.layers[0](model.embedding(token_ids))[0]
    torch.testing.assert_close(model(token_ids)[0], model.lm_head(residual * hidden))


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    networks.check_dropout_acts_in_training_only(LSTMLM(LSTMConfig(7, 5, 6, 2, dropout=0.5)))


@pytest.mark.parametrize(("sizes", "parameters"), [
    ((65, 384, 384, 2), 2_415_425),  # default
    ((59, 128, 120, 2), 250_851),  # ladder
    ((65, 768, 1024, 3), 24_258_369),  # leviathan
])  # fmt: skip
def test_parameters(sizes, parameters):
    with torch.device("meta"):  # counted without being made
        plain, peepholes = LSTMLM(LSTMConfig(*sizes)), LSTMLM(LSTMConfig(*sizes, peepholes=True))
    assert sum(weight.numel() for weight in plain.parameters()) == parameters
    assert sum(weight.numel() for weight in peepholes.parameters()) == parameters + 3 * sizes[2] * sizes[3]


# The gates and the cell

INPUT, FORGET, CANDIDATE, OUTPUT = (slice(6 * place, 6 * place + 6) for place in range(4))  # of the layers below, H = 6


def gated(input_bias=0.0, forget_bias=0.0, output_bias=0.0, **settings):
    """A layer whose gates are pushed open or shut by their biases."""
    torch.manual_seed(0)
    layer = LSTMLayer(4, 6, forget_bias=forget_bias, **settings).double()
    with torch.no_grad():
        layer.bias_ih[INPUT] += input_bias
        layer.bias_ih[OUTPUT] += output_bias
    return layer


@pytest.mark.parametrize("kind", KINDS)
def test_a_closed_cell_keeps_c_and_its_gradient_exactly(kind):
    """Forget gate 1, input gate 0: whatever is read, c stays, to the last digit, whatever its size."""
    layer = gated(input_bias=-800.0, forget_bias=100.0, **kind)
    inputs, h = torch.randn(2, 50, 4).double(), torch.randn(2, 6).double()
    c = (20 * torch.randn(2, 6)).double().requires_grad_()
    if "peepholes" in kind:
        nn.init.zeros_(layer.weight_cell)  # else a large c could open a gate again
    outputs, (_, after) = layer(inputs, (h, c))
    assert torch.equal(after, c)
    gradient = torch.randn(2, 6).double()
    assert torch.equal(torch.autograd.grad(after, c, gradient)[0], gradient)
    with torch.no_grad():
        assert torch.equal(layer(inputs[:, :1], (h, c))[1][1], c)


def test_the_cell_counts_and_h_does_not():
    """All gates open, each step writes about 1: c is the number of steps, h stays within -1 and 1."""
    layer = gated(input_bias=100.0, forget_bias=100.0, output_bias=100.0)
    with torch.no_grad():
        layer.bias_ih[CANDIDATE] += 100.0
    outputs, (h, c) = layer(torch.randn(2, 40, 4).double())
    torch.testing.assert_close(c, torch.full((2, 6), 40.0).double())
    assert outputs.abs().max() <= 1


def test_a_forget_gate_of_zero_drops_the_old_cell():
    layer = gated(forget_bias=-800.0)
    x, h = torch.randn(2, 4).double(), torch.randn(2, 6).double()
    one, other = (layer.cell(x, h, torch.randn(2, 6).double()) for _ in range(2))
    assert torch.equal(one[1], other[1]) and torch.equal(one[0], other[0])


def test_an_output_gate_of_zero_shows_nothing_and_loses_nothing():
    layer = gated(output_bias=-800.0)
    x, h, c = torch.randn(2, 4).double(), torch.randn(2, 6).double(), torch.randn(2, 6).double()
    hidden, after = layer.cell(x, h, c)
    assert not hidden.any() and torch.equal(after, gated().cell(x, h, c)[1])


def by_the_book(layer, x, h, c):
    """The equations one by one -> input gate, forget gate, candidate, output gate, c, h."""
    W, U, b, d = (part.chunk(4) for part in (layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh))
    p = layer.weight_cell if layer.peepholes else torch.zeros(3, layer.hidden_size)
    i = torch.sigmoid(x @ W[0].t() + h @ U[0].t() + p[0] * c + b[0] + d[0])  # Graves 2013, (7)
    f = torch.sigmoid(x @ W[1].t() + h @ U[1].t() + p[1] * c + b[1] + d[1])  # (8)
    g = torch.tanh(x @ W[2].t() + h @ U[2].t() + b[2] + d[2])
    c = f * c + i * g  # (9)
    o = torch.sigmoid(x @ W[3].t() + h @ U[3].t() + p[2] * c + b[3] + d[3])  # (10)
    return i, f, g, o, c, o * torch.tanh(c)  # (11)


@given(st.tuples(*[st.integers(1, 6)] * 4), st.booleans(), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_every_way_through_the_layer_is_what_the_equations_say(sizes, peepholes, seed):
    batch, steps, input_size, hidden_size = sizes
    torch.manual_seed(seed)
    layer = LSTMLayer(input_size, hidden_size, peepholes).double()
    inputs, (h, c) = torch.randn(batch, steps, input_size).double(), torch.randn(2, batch, hidden_size).double()
    outputs, last = layer(inputs, (h, c))
    *gates, cells, same_outputs = layer.gates(inputs, (h, c))
    torch.testing.assert_close(same_outputs, outputs, atol=1e-10, rtol=1e-10)
    for t in range(steps):
        i, f, g, o, c_t, h_t = by_the_book(layer, inputs[:, t], h, c)
        torch.testing.assert_close(layer.step(inputs[:, t], h, c), (i, f, g, o, c_t))
        torch.testing.assert_close(layer.cell(inputs[:, t], h, c), (h_t, c_t))
        torch.testing.assert_close([part[:, t] for part in (*gates, cells, outputs)], [i, f, o, c_t, h_t])
        h, c = h_t, c_t
    torch.testing.assert_close(last, (h, c))


def test_every_peephole_is_seen_through():
    """Each of the three rows, and each unit through its own number only (the weights are diagonal matrices)."""
    torch.manual_seed(0)
    layer = LSTMLayer(4, 6, peepholes=True).double()
    x, h, c = torch.randn(1, 4).double(), torch.randn(1, 6).double(), torch.randn(1, 6).double()
    before = torch.stack(layer.step(x, h, c))[:, 0]
    for row, moved in ((0, (0, 3, 4)), (1, (1, 3, 4)), (2, (3,))):  # i and f move c, and so what o sees
        with torch.no_grad():
            layer.weight_cell[row, 2] += 1
        change = (torch.stack(layer.step(x, h, c))[:, 0] - before).abs() > 1e-6
        assert change.nonzero().tolist() == [[part, 2] for part in moved]
        with torch.no_grad():
            layer.weight_cell[row, 2] -= 1


# Initialisation


def test_uniform_initialisation_is_pytorchs_but_for_the_forget_gate():
    torch.manual_seed(0)
    layer = LSTMLayer(50, 100, peepholes=True)
    for weight in (layer.weight_ih, layer.weight_hh, layer.weight_cell, layer.bias_ih[:100], layer.bias_hh[200:]):
        assert 0.08 < weight.abs().max() <= 0.1


@pytest.mark.parametrize("init", ["xavier", "orthogonal"])
def test_other_initialisations_treat_each_gate_as_a_matrix_of_its_own(init):
    torch.manual_seed(0)
    networks.check_initialisation(LSTMLayer(50, 100, peepholes=True, forget_bias=0.0, init=init).double(), init)


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, -2.5])
@pytest.mark.parametrize("init", INITS)
def test_the_forget_gates_biases_add_up_to_forget_bias(init, forget_bias):
    layer = LSTMLayer(3, 5, forget_bias=forget_bias, init=init)
    biases = (layer.bias_ih + layer.bias_hh).chunk(4)
    assert torch.equal(biases[1], torch.full((5,), forget_bias))
    assert all(bias.abs().max() < 2 / math.sqrt(5) for bias in (biases[0], *biases[2:]))
    _, forget_gate, *_ = layer.step(torch.zeros(1, 3), torch.zeros(1, 5), torch.zeros(1, 5))
    torch.testing.assert_close(forget_gate, torch.sigmoid(torch.full((1, 5), forget_bias)))


def test_forget_bias_reaches_every_layer_of_the_model():
    model = LSTMLM(LSTMConfig(7, 5, 6, 3, forget_bias=2.0))
    assert all(torch.equal(layer.bias_ih[FORGET], torch.full((6,), 2.0)) for layer in model.layers)


def test_an_unknown_initialisation_is_refused():
    with pytest.raises(KeyError):
        LSTMLayer(3, 4, init="lucky")


# Backpropagation through time (docs/math/05-lstm.md)


def test_gradcheck():
    """Every gradient of the hand-written backward pass, through h and through c, against finite differences."""
    torch.manual_seed(0)
    layer = LSTMLayer(3, 4).double()
    inputs = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    h, c = (torch.randn(2, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    weights = layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh
    assert torch.autograd.gradcheck(lesson.Recurrence.apply, (inputs, h, c, *weights))


@given(*any_case("hc"), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_by_hand_equals_autograd(sizes, initial, loss_from, seed):
    torch.manual_seed(seed)
    by_hand, autograd = (LSTMLayer(*sizes[2:], **kind).double() for kind in KINDS[:2])
    autograd.load_state_dict(by_hand.state_dict())
    networks.check_same_results(by_hand, autograd, "hc", sizes, initial, loss_from)


@given(*any_case("hc"), st.integers(0, 1000), st.sampled_from(("bptt", "autograd")))
@settings(max_examples=80, deadline=None)
def test_parity_with_pytorch(sizes, initial, loss_from, seed, backward):
    torch.manual_seed(seed)
    module = nn.LSTM(*sizes[2:], batch_first=True).double()
    networks.check_same_results(LSTMLayer.from_torch(module, backward), module, "hc", sizes, initial, loss_from)


def test_peepholes_of_zero_change_nothing():
    torch.manual_seed(0)
    plain, peepholes = LSTMLayer(3, 4).double(), LSTMLayer(3, 4, peepholes=True).double()
    peepholes.load_state_dict(plain.state_dict() | {"weight_cell": torch.zeros(3, 4)})
    inputs = torch.randn(2, 9, 3).double()
    torch.testing.assert_close(peepholes(inputs), plain(inputs))


def test_peepholes_get_their_gradients():
    """By autograd, whatever `backward` says; against finite differences."""
    torch.manual_seed(0)
    layer = LSTMLayer(3, 4, peepholes=True, backward="bptt").double()
    inputs, names = torch.randn(2, 5, 3).double(), [name for name, _ in layer.named_parameters()]
    assert "weight_cell" in names

    def run(*weights):
        outputs, state = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (inputs,))
        return outputs, *state

    assert torch.autograd.gradcheck(run, tuple(layer.parameters()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("only", ["outputs", "h", "c"])
def test_a_loss_may_use_one_of_the_three_results_only(only, kind):
    networks.check_a_loss_may_use_one_result_only(LSTMLayer(3, 4, **kind), only)


def test_results_and_gradients_have_memory_of_their_own():
    networks.check_memory_of_their_own(LSTMLayer(3, 4))


def test_a_second_backward_pass_gives_the_same_gradients():
    torch.manual_seed(0)
    networks.check_a_second_backward_pass(LSTMLayer(3, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_through_a_carried_state(kind):
    torch.manual_seed(0)
    model = LSTMLM(LSTMConfig(7, 5, 6, 2, **kind)).double()
    networks.check_gradient_through_a_carried_state(model, lesson.detach_state)


def jacobian(function, at: torch.Tensor) -> torch.Tensor:
    """d function(at) / d at for one sequence: at and the result (1, H) -> (H, H)."""
    return torch.autograd.functional.jacobian(function, at)[0, :, 0]


def test_gradient_of_one_step_to_the_next():
    """Equations (18) and (19): what (h, c) before a step does to c and h after it."""
    torch.manual_seed(0)
    layer = LSTMLayer(3, 5).double()
    x, h, c = torch.randn(1, 3).double(), torch.randn(1, 5).double(), torch.randn(1, 5).double()
    i, f, n, o, after = (part[0] for part in layer.step(x, h, c))
    U_i, U_f, U_n, U_o = layer.weight_hh.chunk(4)

    def slope(gate):
        return torch.diag(gate * (1 - gate))

    s, tanh_slope = torch.tanh(after), torch.diag(1 - n**2)
    c_h = torch.diag(c[0]) @ slope(f) @ U_f + torch.diag(n) @ slope(i) @ U_i + torch.diag(i) @ tanh_slope @ U_n
    shown = torch.diag(o * (1 - s**2))
    for function, at, expected in (
        (lambda c: layer(x[:, None], (h, c))[1][1], c, torch.diag(f)),  # (18)
        (lambda h: layer(x[:, None], (h, c))[1][1], h, c_h),
        (lambda c: layer(x[:, None], (h, c))[1][0], c, shown @ torch.diag(f)),  # (19)
        (lambda h: layer(x[:, None], (h, c))[1][0], h, shown @ c_h + torch.diag(s) @ slope(o) @ U_o),
    ):
        torch.testing.assert_close(jacobian(function, at), expected)


def test_the_direct_path_is_the_product_of_the_forget_gates():
    """Equation (20), where nothing comes back through h (U = 0): dc_T / dc_0 is that product and nothing else."""
    torch.manual_seed(0)
    layer = LSTMLayer(3, 5).double()
    nn.init.zeros_(layer.weight_hh)
    inputs, h, c = torch.randn(1, 30, 3).double(), torch.randn(1, 5).double(), torch.randn(1, 5).double()
    forget_gates = layer.gates(inputs, (h, c))[1][0]
    found = jacobian(lambda c: layer(inputs, (h, c))[1][1], c)
    torch.testing.assert_close(found, torch.diag(forget_gates.prod(dim=0)))


# Products, quick and plain


def test_without_onednn_the_same_comes_out(monkeypatch):
    """Where PyTorch has no oneDNN (or the dtype is none for it) the products are PyTorch's own."""
    torch.manual_seed(0)
    layer, inputs = LSTMLayer(16, 24), torch.randn(3, 12, 16, requires_grad=True)
    found = []
    for onednn in (BPTT["ONEDNN"], False):
        monkeypatch.setitem(BPTT, "ONEDNN", onednn)
        outputs, (h, c) = layer(inputs)
        gradients = torch.autograd.grad((outputs**2).sum() + h.sum() + c.sum(), [inputs, *layer.parameters()])
        found.append([outputs, h, c, *gradients])
    torch.testing.assert_close(*found)


def test_autocast_touches_only_the_products_over_all_steps():
    torch.manual_seed(0)
    networks.check_autocast_touches_only_the_large_products(LSTMLayer(16, 24))


@pytest.mark.parametrize("onednn", [True, False])
def test_under_autocast_the_loop_rounds_its_products_but_no_cell(monkeypatch, onednn):
    """Without inputs, what is rounded is the loop's own; a cell that keeps everything keeps all its digits."""
    monkeypatch.setitem(BPTT, "ONEDNN", onednn and BPTT["ONEDNN"])
    torch.manual_seed(0)
    layer, (h, c), results = LSTMLayer(16, 24), torch.randn(2, 3, 24), []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            results.append(layer(torch.zeros(3, 20, 16), (h, c))[0])
    assert 0 < (results[0] - results[1]).norm() < 0.01 * results[0].norm()
    with torch.no_grad():
        layer.bias_ih.copy_(torch.tensor([-200.0, 200.0, 0.0, 0.0]).repeat_interleave(24))  # write nothing, keep all
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(layer(torch.zeros(3, 20, 16), (h, c))[1][1], c)


# PyTorch's module as the peer


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_from_torch_copies_weights_and_dtype(dtype):
    networks.check_from_torch(LSTMLayer, nn.LSTM(3, 4, batch_first=True).to(dtype))


@pytest.mark.parametrize(("module", "words"), [
    (nn.LSTM(3, 4, num_layers=2, batch_first=True), "num_layers=1"),
    (nn.LSTM(3, 4, bidirectional=True, batch_first=True), "bidirectional=False"),
    (nn.LSTM(3, 4), "batch_first=True"),
    (nn.LSTM(3, 4, bias=False, batch_first=True), "bias=True"),
    (nn.LSTM(3, 4, proj_size=2, batch_first=True), "proj_size=0"),
    (nn.GRU(3, 4, batch_first=True), "got GRU"),
    (nn.Linear(3, 4), "got Linear"),
])  # fmt: skip
def test_from_torch_refuses_what_the_layer_is_not(module, words):
    with pytest.raises(ValueError, match=words):
        LSTMLayer.from_torch(module)


def test_benchmark_compares_layers_that_compute_the_same():
    benchmark = load(Path(__file__).with_name("benchmark.py"))
    times = benchmark.measure(3, 4, 2, batch=2, steps=5, pairs=2)
    assert len(times) == 5 and all(time > 0 for time in times)
    parts = benchmark.measure_parts(3, 4, 2, batch=2, steps=5, times=2)
    assert len(parts) == len(benchmark.PARTS) + 1 and all(time > 0 for time in parts)
    speeds = benchmark.measure_generation(3, 4, 2, vocab_size=5, tokens=3, pairs=2)
    assert len(speeds) == 2 and all(speed > 0 for speed in speeds)
