"""What proves attention.py right. Run: pytest model-06-transformer"""

import math
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shared.lessons import load

lesson = load(Path(__file__).with_name("attention.py"))
MultiHeadAttention, attend = lesson.MultiHeadAttention, lesson.scaled_dot_product_attention
sizes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4))


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def rotation(length: int, head_dim: int, first: int = 0) -> torch.Tensor:
    turned = lesson.angles(first + length, head_dim)[first:]
    return torch.polar(torch.ones_like(turned), turned)


# One query at a time


@given(st.tuples(*[st.integers(1, 6)] * 4), st.booleans(), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_it_is_what_the_equations_say(shape, causal, seed):
    """One query and one key after the other, in float64."""
    torch.manual_seed(seed)
    T, earlier, d, value_size = shape
    S = T + earlier
    query, key, value = torch.randn(T, d).double(), torch.randn(S, d).double(), torch.randn(S, value_size).double()
    allowed = [[not causal or s <= earlier + t for s in range(S)] for t in range(T)]
    mask = torch.tensor([[0.0 if yes else -math.inf for yes in row] for row in allowed]).double()
    seen, weights = attend(query, key, value, mask)
    for t in range(T):
        scores = [sum(query[t, i] * key[s, i] for i in range(d)) / math.sqrt(d) for s in range(S)]  # (2)
        total = sum(math.exp(score) for s, score in enumerate(scores) if allowed[t][s])
        row = [math.exp(score) / total if allowed[t][s] else 0.0 for s, score in enumerate(scores)]  # (3), (4)
        assert_same(weights[t], torch.tensor(row, dtype=torch.float64))
        assert_same(seen[t], sum(row[s] * value[s] for s in range(S)))  # (5)


def test_the_scale_keeps_the_scores_variance_at_one():
    """(7): and without it the softmax of a wide head is close to one token alone."""
    torch.manual_seed(0)
    for d in (4, 64, 1024):
        query, key = torch.randn(1000, d), torch.randn(1000, d)
        assert (query @ key.t() / math.sqrt(d)).var().item() == pytest.approx(1.0, rel=0.1)
        _, scaled = attend(query, key, key)
        _, unscaled = attend(query, key, key, scale=1.0)
        assert scaled.amax(dim=1).mean() < 0.25
    assert unscaled.amax(dim=1).mean() > 0.9


def test_a_query_that_fits_one_key_alone_sees_its_value():
    key, value = 100 * torch.eye(4), torch.randn(4, 3)
    torch.testing.assert_close(attend(key[2:3], key, value)[0], value[2:3])
    torch.testing.assert_close(attend(torch.zeros(1, 4), key, value)[0], value.mean(dim=0, keepdim=True))


# Many heads


@given(sizes, st.sampled_from(("self", "causal", "cross")), st.booleans(), st.booleans(), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_parity_with_pytorch(sizes, kind, bias, padded, seed):
    """Outputs, weights and all gradients, to 1e-10."""
    torch.manual_seed(seed)
    batch, T, S, heads, head_dim = sizes
    S = S if kind == "cross" else T
    theirs = nn.MultiheadAttention(heads * head_dim, heads, bias=bias, batch_first=True).double()
    for weight in theirs.parameters():
        nn.init.normal_(weight)
    ours = MultiHeadAttention.from_torch(theirs)
    inputs = torch.randn(batch, T, heads * head_dim).double().requires_grad_()
    memory = torch.randn(batch, S, heads * head_dim).double().requires_grad_() if kind == "cross" else None
    tokens = torch.arange(S) < torch.randint(1, S + 1, (batch, 1)) if padded else None
    future = torch.ones(T, T, dtype=torch.bool).triu(1) if kind == "causal" else None
    given = {"memory": memory, "causal": kind != "self", "mask": tokens}  # a memory has no future
    outputs, (keys, values) = ours(inputs, **given)
    source = inputs if memory is None else memory
    padding = None if tokens is None else ~tokens
    expected, weights = theirs(inputs, source, source, key_padding_mask=padding, attn_mask=future,
                               average_attn_weights=False)  # fmt: skip
    assert_same(outputs, expected)
    assert_same(ours.look(inputs, **given), weights)
    assert keys.shape == values.shape == (batch, heads, S, head_dim)
    share, start = torch.randn_like(outputs), [inputs] if memory is None else [inputs, memory]
    names = [name.replace("qkv.", "in_proj_").replace("output", "out_proj") for name, _ in ours.named_parameters()]
    found = torch.autograd.grad((share * outputs).sum(), [*start, *ours.parameters()])
    theirs = torch.autograd.grad((share * expected).sum(), [*start, *map(dict(theirs.named_parameters()).get, names)])
    for gradient, other in zip(found, theirs, strict=True):
        assert_same(gradient, other)


@pytest.mark.parametrize("module", [
    nn.Linear(4, 4),
    nn.MultiheadAttention(4, 2),
    nn.MultiheadAttention(4, 2, batch_first=True, kdim=3),
    nn.MultiheadAttention(4, 2, batch_first=True, add_bias_kv=True),
    nn.MultiheadAttention(4, 2, batch_first=True, add_zero_attn=True),
])  # fmt: skip
def test_from_torch_refuses_what_it_is_not(module):
    with pytest.raises(ValueError, match="expected"):
        MultiHeadAttention.from_torch(module)


def test_from_torch_copies():
    theirs = nn.MultiheadAttention(6, 2, dropout=0.3, batch_first=True).double()
    ours = MultiHeadAttention.from_torch(theirs)
    assert ours.dropout.p == 0.3 and {weight.dtype for weight in ours.parameters()} == {torch.float64}
    before = ours.qkv.weight.clone()
    nn.init.zeros_(theirs.in_proj_weight)
    assert torch.equal(ours.qkv.weight, before) and before.any()


@pytest.mark.parametrize("kind", ["causal", "both", "cross"])
def test_gradcheck(kind):
    """Every gradient, weights included, against finite differences."""
    torch.manual_seed(0)
    attention = MultiHeadAttention(4, 2, qk_norm=kind == "causal").double()
    names = [name for name, _ in attention.named_parameters()]
    inputs, memory = (torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    turned = rotation(3, 2) if kind == "causal" else None

    def outputs(inputs, memory, *weights):
        given = {"memory": memory if kind == "cross" else None, "causal": kind == "causal", "rotation": turned}
        return torch.func.functional_call(attention, dict(zip(names, weights, strict=True)), (inputs,), given)[0]

    assert torch.autograd.gradcheck(outputs, (inputs, memory, *attention.parameters()))


def test_the_gradient_of_the_softmax_is_the_one_derived():
    """(22) to (25), written out, against autograd."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(5, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    mask = torch.full((5, 5), -math.inf).double().triu(1)
    seen, weights = attend(query, key, value, mask)
    share = torch.randn(5, 4).double()
    expected = torch.autograd.grad((share * seen).sum(), (query, key, value))
    d_weights = share @ value.t()
    d_scores = weights * (d_weights - (weights * d_weights).sum(dim=1, keepdim=True)) / math.sqrt(4)
    for found, gradient in zip((d_scores @ key, d_scores.t() @ query, weights.t() @ share), expected, strict=True):
        assert_same(found, gradient)


@given(st.sets(st.integers(1, 8), max_size=3), st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_cache_is_the_same_as_reading_all_at_once(cuts, rotary, qk_norm):
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(8, 2, qk_norm=qk_norm).double(), torch.randn(2, 9, 8).double()
    turned, pieces, state = rotation(9, 4), [], None
    whole, all_of_it = attention(inputs, rotation=turned if rotary else None)
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 9], strict=True):
        outputs, state = attention(inputs[:, start:stop], state, rotation=turned[start:stop] if rotary else None)
        pieces.append(outputs)
    assert_same(torch.cat(pieces, dim=1), whole)
    assert_same(state, all_of_it)


def test_a_memory_is_read_only_once():
    """Its keys and values come back as the state, and with them it need not be looked at again."""
    torch.manual_seed(0)
    attention, inputs, memory = MultiHeadAttention(8, 2, qk_norm=True), torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    outputs, state = attention(inputs, memory=memory)
    again, same = attention(inputs, state, memory=torch.full_like(memory, math.nan))
    assert torch.equal(again, outputs) and all(a is b for a, b in zip(same, state, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(attention.read(memory), state, strict=True))
    torch.testing.assert_close(state[0].norm(dim=3), torch.full((2, 2, 5), 2.0), atol=1e-3, rtol=0)  # qk_norm
    assert attention.look(inputs, memory=memory).shape == (2, 2, 3, 5)


@pytest.mark.parametrize("causal", [True, False])
def test_only_causal_attention_is_blind_to_what_comes(causal):
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(8, 2), torch.randn(2, 6, 8)
    changed = inputs.clone()
    changed[:, 4:] += 1
    before, after = (attention(x, causal=causal)[0][:, :4] for x in (inputs, changed))
    assert torch.equal(before, after) == causal


@pytest.mark.parametrize("causal", [True, False])
def test_padding_is_as_if_it_were_not_there(causal):
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(8, 2).double(), torch.randn(1, 6, 8).double()
    tokens = torch.tensor([[True] * 4 + [False] * 2])
    outputs, _ = attention(inputs, causal=causal, mask=tokens)
    assert_same(outputs[:, :4], attention(inputs[:, :4], causal=causal)[0])


def test_qk_norm_makes_the_scores_cosines():
    """However long queries and keys were before: |score| <= sqrt(d)."""
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(8, 2, qk_norm=True).double(), 100 * torch.randn(2, 6, 8).double()
    query, key, _ = attention.project(inputs, None, None, None)
    torch.testing.assert_close(query.square().mean(dim=3), torch.ones(2, 2, 6).double(), atol=1e-6, rtol=0)
    assert (query @ key.transpose(2, 3) * attention.scale).abs().max() <= 2 + 1e-9
    assert not torch.allclose(attention(inputs)[0], MultiHeadAttention(8, 2).double()(inputs)[0])


def test_dropout_acts_on_the_weights_in_training_only():
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(8, 2, dropout=0.5), torch.randn(2, 6, 8)
    assert not torch.equal(attention(inputs)[0], attention(inputs)[0])
    torch.testing.assert_close(attention.look(inputs).sum(dim=3), torch.ones(2, 2, 6))  # looked at before they drop out
    attention.eval()
    assert torch.equal(attention(inputs)[0], attention(inputs)[0])


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.999, 1 - 1e-9, 1.0])
def test_dropout_leaves_out_a_share_and_makes_up_for_it(p):
    """The same after the same seed; the gradient is the mask's."""
    dropout, x = lesson.Dropout(p), torch.ones(333, 3, 101, dtype=torch.float64, requires_grad=True)
    outputs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        outputs.append(dropout(x))
    y, again, other = outputs
    assert torch.equal(y, again) and torch.equal(y, other) == (round(p, 6) in (0, 1))
    dropped = y == 0
    assert dropped.double().mean().item() == pytest.approx(p, abs=0.006)
    torch.testing.assert_close(y[~dropped], torch.full_like(y[~dropped], 1 / (1 - p) if p < 1 else 0).float().double())
    for lag in (1, 2, 3, 4):  # neighbours know nothing of one another
        both = (dropped.flatten()[lag:] & dropped.flatten()[:-lag]).double().mean().item()
        assert both == pytest.approx(p * p, abs=0.006)
    y.sum().backward()
    assert torch.equal(x.grad, y)
    assert dropout.eval()(x) is x


def test_dropout_is_compiled_without_a_warning_and_draws_anew_in_each_call():
    dropout, x = torch.compile(lesson.Dropout(0.25), backend="eager"), torch.ones(50, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs = [dropout(x) for _ in range(3)]
    assert not torch.equal(outputs[1], outputs[2])
    for y in outputs:
        assert y[y > 0].unique().tolist() == pytest.approx([4 / 3])
        assert 0.15 < (y == 0).float().mean() < 0.35


@given(st.integers(0, 1000), st.integers(1, 9), st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_root_mean_square_is_pytorchs_and_its_gradient_is_right(seed, size, scale):
    torch.manual_seed(seed)
    x = (scale * torch.randn(2, 3, size).double()).requires_grad_()
    for weight in (None, torch.randn(size).double().requires_grad_()):
        function = lesson.RMSNormFunction.apply
        assert_same(function(x, weight), torch.nn.functional.rms_norm(x, (size,), weight, eps=1e-5))
        assert torch.autograd.gradcheck(function, (x, weight), eps=1e-6 * min(scale, 1), atol=1e-6, rtol=1e-4)


# Positions


def test_sinusoids_are_those_of_the_paper():
    """Vaswani et al. 2017, section 3.5: sin(pos / 10000^(2i / d)) at 2i, the cosine at 2i + 1."""
    for size in (6, 7):
        table = lesson.sinusoids(50, size)
        for position in (0, 1, 17, 49):
            for channel in range(size):
                angle = position / 10000 ** (2 * (channel // 2) / size)
                expected = math.cos(angle) if channel % 2 else math.sin(angle)
                assert table[position, channel].item() == pytest.approx(expected, abs=1e-12)


def test_a_shift_of_sinusoids_is_a_rotation():
    """(10): from position t to t + 5 by one matrix, the same for all t."""
    table, turned = lesson.sinusoids(40, 8), lesson.angles(6, 8)[5]
    turns = torch.stack([turned.cos(), turned.sin(), -turned.sin(), turned.cos()], dim=1).view(4, 2, 2)
    shift = torch.block_diag(*turns)
    assert_same(table[:-5] @ shift.t(), table[5:])


def test_rotary_scores_depend_on_the_distance_alone():
    """(12), and a rotation changes no vector's length."""
    torch.manual_seed(0)
    query, key = torch.randn(6).double(), torch.randn(6).double()
    queries, keys = (lesson.rotate(x.expand(30, 6), rotation(30, 6)) for x in (query, key))
    scores = queries @ keys.t()
    for distance in (-20, -1, 0, 3, 11):
        diagonal = scores.diagonal(distance)
        assert_same(diagonal, diagonal[:1].expand_as(diagonal))
    assert_same(queries.norm(dim=1), query.norm().expand(30))
    assert (scores[0] - scores[0, 0]).abs()[1:].min() > 1e-6


def test_rotary_turns_the_pairs_by_their_angles():
    """Each pair of neighbours by (11)'s matrix."""
    torch.manual_seed(0)
    x = torch.randn(2, 9, 6).double()
    cos, sin = lesson.angles(9, 6).cos(), lesson.angles(9, 6).sin()
    first, second = x[..., 0::2], x[..., 1::2]
    turned = lesson.rotate(x, rotation(9, 6))
    assert_same(turned[..., 0::2], first * cos - second * sin)
    assert_same(turned[..., 1::2], first * sin + second * cos)


def test_rotation_is_compiled_in_one_piece():
    x, turned = torch.randn(2, 9, 6).double(), rotation(9, 6)
    assert_same(torch.compile(lesson.rotate, backend="eager", fullgraph=True)(x, turned), lesson.rotate(x, turned))


def test_with_rotary_positions_a_text_may_begin_anywhere():
    torch.manual_seed(0)
    attention, inputs = MultiHeadAttention(8, 2).double(), torch.randn(2, 7, 8).double()
    first, later, without = (attention(inputs, rotation=r)[0] for r in (rotation(7, 4), rotation(7, 4, 100), None))
    assert_same(later, first)
    assert not torch.allclose(without, first)
