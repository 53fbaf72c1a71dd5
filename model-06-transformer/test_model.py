"""What proves lesson 06 right; attention.py has its own tests. Run: pytest model-06-transformer"""

import math
from functools import partial
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import gelu

from shared.console import LearnerError
from shared.evaluation import token_losses
from shared.lessons import load
from shared.recall import map_state
from shared.sampling import generate
from shared.tests import networks
from shared.tests.networks import parts_of, random_ids

lesson, blocks = (load(Path(__file__).with_name(name)) for name in ("model.py", "blocks.py"))
TransformerConfig, TransformerLM, CHOICES = lesson.TransformerConfig, lesson.TransformerLM, lesson.CHOICES
KINDS = (
    {},
    {"positions": "sinusoidal", "post_norm": True, "activation": "relu", "tied": True},  # Vaswani et al. 2017
    {"positions": "rotary", "norm": "rms", "activation": "swiglu", "no_bias": True, "qk_norm": True},
    {"positions": "none", "activation": "squared_relu", "bigrams": 50, "token_shift": True},
)


def new_model(vocab_size=7, context_length=8, embedding_dim=12, num_layers=2, num_heads=2, std=None, **changes):
    """A small model in eval mode; with std its weights are that large, so that no part of it is next to nothing."""
    model = TransformerLM(
        TransformerConfig(vocab_size, context_length, embedding_dim, num_layers, num_heads, **changes)
    ).eval()
    for weight in model.parameters() if std else ():
        nn.init.normal_(weight, std=std)
    return model


@st.composite
def models(draw):
    """A TransformerLM of any kind and size, its window shorter or longer than the texts."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    num_heads, norm = draw(st.integers(1, 3)), draw(st.sampled_from(CHOICES["norm"]))
    return new_model(
        context_length=draw(st.integers(1, 26)),
        num_heads=num_heads,
        embedding_dim=num_heads * 2 * draw(st.integers(1, 3)),
        num_layers=draw(st.integers(1, 3)),
        std=0.1 if norm == "none" else 0.3,
        norm=norm,
        dropout=draw(st.sampled_from((0.0, 0.5))),
        attention_dropout=draw(st.sampled_from((0.0, 0.5))),
        positions=draw(st.sampled_from(CHOICES["positions"])),
        activation=draw(st.sampled_from(CHOICES["activation"])),
        bigrams=draw(st.sampled_from((0, 30))),
        **{name: draw(st.booleans()) for name in ("post_norm", "tied", "no_bias", "qk_norm", "token_shift")},
    )


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def window_start(place: int, context_length: int) -> int:
    """(27) The first token that the token at `place` can see."""
    step = context_length - context_length // 2  # so many are forgotten each time
    return 0 if place < context_length else step * ((place - context_length) // step + 1)


# The contract: logits, state = model(token_ids, state)


@given(models(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 25), st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=80, deadline=None)
def test_chunk_invariance(model, seed, batch, length, cuts):
    networks.check_chunk_invariance(model, seed, batch, length, cuts, atol=1e-4)  # logits of up to 50


@given(models(), st.integers(0, 1000), st.integers(1, 25), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_causality(model, seed, length, place):
    networks.check_causality(model.double(), seed, length, place, atol=1e-12)


@given(models(), st.integers(1, 3), st.integers(1, 6), st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_shapes_and_types(model, batch, length, autocast, grad):
    c = model.config
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast), torch.set_grad_enabled(grad):
        logits, state = model(random_ids(0, 7, batch, length))
        logits, state = model(random_ids(1, 7, batch, length), state)
    assert logits.shape == (batch, length, 7) and logits.dtype == torch.float32 and logits.isfinite().all()
    *layers, window = state
    known = 2 * length - window_start(2 * length - 1, c.context_length)
    text = torch.cat([random_ids(0, 7, batch, length), random_ids(1, 7, batch, length)], dim=1)
    assert torch.equal(window, text[:, -known:]) and known <= c.context_length and len(layers) == c.num_layers
    for keys, values, *last in layers:
        assert keys.shape == values.shape == (batch, c.num_heads, known, c.embedding_dim // c.num_heads)
        assert [part.shape for part in last] == [(batch, c.embedding_dim)] * 2 * c.token_shift
    assert autocast or {part.dtype for part in parts_of(layers)} == {torch.float32}


@given(models(), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_the_cache_gives_what_reading_the_window_anew_would(model, length):
    """The rule for texts beyond context_length, by its definition, one token at a time."""
    model, token_ids, state = model.double(), random_ids(0, 7, 2, length), None
    for place in range(length):
        logits, state = model(token_ids[:, place : place + 1], state)
        start = window_start(place, model.config.context_length)
        hidden, _ = model.read(token_ids[:, start : place + 1], [None] * len(model.blocks), token_ids[:, :0])
        assert_same(logits[:, 0], model.lm_head(hidden[:, -1]))
        assert state[-1].shape[1] == place + 1 - start > min(place, model.config.context_length // 2)


@pytest.mark.parametrize("kind", KINDS)
def test_generation_with_the_cache_is_generation_without(kind):
    """The same draws where the whole text is read again for each token; four times as far as the window."""
    torch.manual_seed(0)
    model = new_model(std=0.3, **kind).double()

    def uncached(token_ids, text):
        text = token_ids if text is None else torch.cat([text, token_ids], dim=1)
        return model(text)[0][:, -token_ids.shape[1] :], text

    one, other = (list(generate(m, [1, 2], 30, generator=torch.Generator().manual_seed(0))) for m in (model, uncached))
    assert one == other and len(set(one)) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_loss_in_windows_and_carried(kind):
    """Reset at each window, every window is a text of its own (the published way); carried, it is the rule above."""
    torch.manual_seed(0)
    model, token_ids = new_model(std=0.3, **kind).double(), random_ids(0, 7, 1, 161)[0]
    targets = token_ids[1:, None]
    windows = model(token_ids[:-1].view(-1, 8))[0].flatten(0, 1).log_softmax(dim=1)
    assert_same(token_losses(model, token_ids, 8, reset=True), -windows.gather(1, targets)[:, 0])
    carried = model(token_ids[None, :-1])[0][0].log_softmax(dim=1)
    assert_same(token_losses(model, token_ids, 13), -carried.gather(1, targets)[:, 0])


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("length", [1, 3, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_a_new_value_each_time(kind, length, grad):
    networks.check_a_state_is_a_new_value_each_time(new_model(**kind), length, grad)


@pytest.mark.parametrize("kind", KINDS)
def test_each_sequence_has_a_state_of_its_own(kind):
    torch.manual_seed(0)
    networks.check_each_sequence_has_a_state_of_its_own(new_model(std=0.3, **kind).double())


@pytest.mark.parametrize("kind", KINDS)
def test_one_state_may_be_handed_to_many(kind):
    """As shared.recall does: what was read once is repeated, and each goes on with a text of its own."""
    torch.manual_seed(0)
    model, token_ids, more = new_model(std=0.3, **kind).double(), random_ids(0, 7, 1, 5), random_ids(1, 7, 3, 6)
    repeated = map_state(model(token_ids)[1], lambda part: part.expand(3, *part.shape[1:]))
    assert_same(model(more, repeated)[0], model(torch.cat([token_ids.expand(3, 5), more], dim=1))[0][:, 5:])


def test_each_layer_has_a_state_of_its_own():
    torch.manual_seed(0)
    model, token_ids = new_model(std=0.3).double(), random_ids(0, 7, 2, 3)
    *layers, window = model(token_ids)[1]
    assert not torch.allclose(model(token_ids, [*layers[::-1], window])[0], model(token_ids, [*layers, window])[0])
    with pytest.raises(ValueError):
        model(token_ids, [layers[0], window])


# Training


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("norm", "post_norm"), product(CHOICES["norm"], [False, True]))
@pytest.mark.parametrize("positions", CHOICES["positions"])
def test_first_loss_is_ln_of_the_vocabulary(positions, norm, post_norm, tied):
    torch.manual_seed(0)
    for activation, extra in (("gelu", {}), ("swiglu", {"bigrams": 99, "token_shift": True, "qk_norm": True})):
        model = new_model(65, 128, 192, 4, 6, positions=positions, norm=norm, post_norm=post_norm,
                          tied=tied, activation=activation, **extra)  # fmt: skip
        networks.check_first_loss(model, 0.25, length=128)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("size", "init_std"), [(96, 0.08), (192, 0.08), (80, 0.1), (160, 0.02), (768, 0.5)])
def test_no_size_of_the_first_weights_makes_the_first_loss_large(size, init_std, tied):
    torch.manual_seed(0)
    model = new_model(65, 128, size, 2, 4, positions="rotary", init_std=init_std, tied=tied)
    networks.check_first_loss(model, 0.25, length=128)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_batch_can_be_learnt_by_heart(kind):
    torch.manual_seed(0)
    model = new_model(8, 12, 32, 2, 4, **kind).train()
    networks.check_a_tiny_batch_can_be_learnt_by_heart(model, steps=100, lr=1e-2)


@pytest.mark.parametrize("which", ["dropout", "attention_dropout"])
def test_dropout_acts_in_training_only(which):
    torch.manual_seed(0)
    networks.check_dropout_acts_in_training_only(new_model(std=0.3, **{which: 0.5}).train())


@pytest.mark.parametrize("kind", KINDS[:2])
def test_dropout_acts_on_the_embedding_and_on_what_each_sublayer_adds(kind):
    model, dropped = new_model(dropout=1 - 1e-9, **kind).train(), []
    for part in (model, *model.blocks):
        part.dropout.register_forward_hook(lambda module, inputs, outputs: dropped.append(outputs))
    logits, _ = model(random_ids(0, 7, 2, 5))
    assert len(dropped) == 1 + 2 * 2 and not any(outputs.any() for outputs in dropped)
    assert not logits.any()  # all of it dropped, nothing comes through


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_gets_a_gradient_laid_out_as_it_is(kind):
    """(Else autograd would copy it at every step.) In the third chunk the text is longer than the window."""
    torch.manual_seed(0)
    model, state = new_model(std=0.3, **kind), None
    for seed in range(3):
        logits, state = model(random_ids(seed, 7, 2, 5), state)
    logits.square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad.any() and weight.grad.stride() == weight.stride(), name


def test_initialisation():
    """(19): where a sublayer adds to x, 1/sqrt(2L) of the others; post-norm Xavier, each matrix by itself."""
    torch.manual_seed(0)
    for post_norm, std in product((False, True), (0.02, 0.08)):
        model = new_model(65, embedding_dim=64, num_layers=8, post_norm=post_norm, tied=True, bigrams=9, init_std=std)
        block = model.blocks[3]
        *qkv, output = (*block.attention.qkv.weight.chunk(3), block.attention.output.weight)
        up, down = block.feed_forward.up.weight, block.feed_forward.down.weight
        xavier = math.sqrt(2 / 128), math.sqrt(2 / 320)
        for weights, scaled, glorot in (((*qkv,), std, xavier[0]), ((output,), std / 4, xavier[0]),
                                        ((up,), std, xavier[1]), ((down,), std / 4, xavier[1])):  # fmt: skip
            for weight in weights:
                assert weight.std().item() == pytest.approx(glorot if post_norm else scaled, rel=0.05)
        assert model.embedding.weight.std().item() == pytest.approx(min(std, 1 / 16), rel=0.05)  # tied
        assert not any(weight.any() for name, weight in model.named_parameters() if name.endswith("bias"))
        assert not model.bigrams.weight.any()


@pytest.mark.parametrize("post_norm", [False, True])
def test_with_zero_init_no_sublayer_adds_anything_at_the_start(post_norm):
    torch.manual_seed(0)
    model = new_model(zero_init=True, post_norm=post_norm)
    block, x = model.blocks[0], torch.randn(2, 5, model.config.embedding_dim)
    alone = block.norm2(block.norm1(x)) if post_norm else x
    torch.testing.assert_close(block.eval()(x)[0], alone)
    assert block.attention.qkv.weight.any() and block.feed_forward.up.weight.any()


def test_tied_weights_are_one():
    torch.manual_seed(0)
    model, apart = new_model(tied=True), new_model()
    assert model.lm_head.weight is model.embedding.weight
    sizes = [sum(weight.numel() for weight in m.parameters()) for m in (model, apart)]
    assert sizes[1] - sizes[0] == 7 * 12
    other, token_ids = new_model(tied=True), random_ids(0, 7, 2, 5)
    other.load_state_dict(model.state_dict())
    assert other.lm_head.weight is other.embedding.weight
    torch.testing.assert_close(other(token_ids)[0], model(token_ids)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_weights_survive_the_round_trip(kind, tmp_path):
    """What is not learnt (sinusoids, rotations) is not in the checkpoint."""
    torch.manual_seed(0)
    model = new_model(std=0.3, **kind)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other, weights = new_model(**kind), torch.load(tmp_path / "weights.pt", weights_only=True)
    other.load_state_dict(weights)
    token_ids = random_ids(0, 7, 2, 11)
    assert torch.equal(other(token_ids)[0], model(token_ids)[0])
    assert set(weights) == {name for name, _ in model.named_parameters(remove_duplicate=False)}


@pytest.mark.parametrize(("sizes", "changes", "parameters"), [
    ((65, 128, 192, 4, 6), {}, 1_829_376),  # TransformerConfig's own
    ((65, 64, 128, 4, 4), {"no_bias": True, "tied": True}, 804_096),  # nanoGPT's for a CPU
    ((50257, 1024, 768, 12, 12), {"tied": True}, 124_439_808),  # GPT-2
    ((50257, 1024, 1600, 48, 25), {"tied": True}, 1_557_611_200),  # GPT-2 XL
    ((65, 128, 192, 4, 6), {"positions": "rotary", "norm": "rms", "activation": "swiglu", "no_bias": True}, 1_796_160),
])  # fmt: skip
def test_parameters(sizes, changes, parameters):
    """(30): the blocks have 12 L C^2, and what else there is is small beside it."""
    with torch.device("meta"):  # counted without being made
        model = TransformerLM(TransformerConfig(*sizes, **changes))
    assert sum(weight.numel() for weight in model.parameters()) == parameters
    blocks = sum(weight.numel() for weight in model.blocks.parameters())
    assert 1 <= blocks / (12 * sizes[3] * sizes[2] ** 2) < 1.01


@pytest.mark.parametrize(("changes", "line"), [
    ({"positions": "rotray"}, "--positions rotray: no such choice: did you mean rotary?"),
    ({"norm": "batch"}, "--norm batch: no such choice: there are layer, rms, none"),
    ({"activation": "tanh"}, "--activation tanh"),
    ({"num_heads": 5}, "--num-heads 5 does not divide --embedding-dim 12"),
    ({"num_heads": 4, "positions": "rotary"}, "--positions rotary needs heads of an even size"),
])  # fmt: skip
def test_settings_that_make_no_model_are_refused(changes, line):
    with pytest.raises(LearnerError) as error:
        new_model(**changes)
    assert str(error.value).startswith(line)


# Norms, feed-forward, blocks


def test_norms_are_what_the_equations_say():
    """(15), (16), and RMSNorm is PyTorch's."""
    torch.manual_seed(0)
    x, weight, bias = 3 + torch.randn(2, 5, 6).double(), torch.randn(6).double(), torch.randn(6).double()
    config = partial(TransformerConfig, 7, embedding_dim=6)
    layer, rms = (blocks.new_norm(config(norm=norm)).double() for norm in ("layer", "rms"))
    layer.load_state_dict({"weight": weight, "bias": bias})
    rms.load_state_dict({"weight": weight})
    mean, variance = x.mean(dim=2, keepdim=True), x.var(dim=2, correction=0, keepdim=True)
    assert_same(layer(x), (x - mean) / (variance + 1e-5).sqrt() * weight + bias)
    theirs = nn.RMSNorm(6, eps=1e-5).double()
    theirs.load_state_dict({"weight": weight})
    assert_same(rms(x), x / ((x**2).mean(dim=2, keepdim=True) + 1e-5).sqrt() * weight)
    assert_same(rms(x), theirs(x))
    assert blocks.new_norm(config(norm="none"))(x) is x
    assert blocks.new_norm(config(no_bias=True)).bias is None


def test_feed_forward_is_what_the_equations_say():
    """(17), (18)."""
    torch.manual_seed(0)
    x = torch.randn(2, 5, 6).double()
    bends = {"relu": lambda a: a.clamp(min=0), "squared_relu": lambda a: a.clamp(min=0) ** 2,
             "gelu": lambda a: a * torch.special.ndtr(a),
             "gelu_tanh": lambda a: a / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))),
             "swiglu": lambda a: a[..., :16] * torch.sigmoid(a[..., :16]) * a[..., 16:]}  # fmt: skip
    assert set(bends) == set(CHOICES["activation"])
    for name, bend in bends.items():
        layer = blocks.FeedForward(6, name).double()
        (W, b), (V, c) = ((part.weight, part.bias) for part in (layer.up, layer.down))
        assert_same(layer(x), bend(x @ W.t() + b) @ V.t() + c)
        assert_same(layer(x[:, :1]), layer(x)[:, :1])  # one token alone
        assert layer.down.in_features == (16 if name == "swiglu" else 24)


def test_the_gradient_of_the_squared_relu():
    a = torch.tensor([-2.0, -1e-3, 1e-3, 0.5, 3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blocks.SquaredReLU.apply, (a,))
    (gradient,) = torch.autograd.grad(blocks.SquaredReLU.apply(a).sum(), a)
    assert torch.equal(gradient, 2 * a.detach().clamp(min=0))


@given(
    st.integers(0, 1000), st.booleans(), st.sampled_from(("relu", "gelu", "gelu_tanh")), st.booleans(), st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_blocks_are_those_of_pytorch(seed, post_norm, activation, causal, bias):
    """nn.TransformerEncoderLayer with the same weights: outputs and gradients to 1e-10, also with padding."""
    torch.manual_seed(seed)
    bend = partial(gelu, approximate="tanh") if activation == "gelu_tanh" else activation
    theirs = nn.TransformerEncoderLayer(12, 3, 48, 0.0, bend, batch_first=True, norm_first=not post_norm, bias=bias)
    theirs.double()
    for weight in theirs.parameters():
        nn.init.normal_(weight, std=0.5)
    config = TransformerConfig(7, embedding_dim=12, num_heads=3, post_norm=post_norm, activation=activation,
                               no_bias=not bias)  # fmt: skip
    block = blocks.Block(config).double()
    names = {"self_attn.in_proj_": "attention.qkv.", "self_attn.out_proj.": "attention.output.",
             "linear1.": "feed_forward.up.", "linear2.": "feed_forward.down."}  # fmt: skip
    weights = dict(theirs.named_parameters())
    for their_name, our_name in names.items():
        weights = {name.replace(their_name, our_name): weight for name, weight in weights.items()}
    block.load_state_dict(weights)
    x = torch.randn(2, 6, 12).double().requires_grad_()
    tokens = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    future = torch.ones(6, 6, dtype=torch.bool).triu(1) if causal else None
    outputs, expected = block(x, causal=causal, mask=tokens)[0], theirs(x, future, ~tokens)
    assert_same(outputs, expected)
    share, wanted = torch.randn_like(x), [name for name, _ in block.named_parameters()]
    found = torch.autograd.grad((share * outputs).sum(), [x, *block.parameters()])
    expected = torch.autograd.grad((share * expected).sum(), [x, *(weights[name] for name in wanted)])
    for gradient, other in zip(found, expected, strict=True):
        assert_same(gradient, other)


def test_the_gradient_of_layer_norm_is_the_one_derived():
    """The diagram below (16), and (21): without what would only shift the input and what would only stretch it."""
    torch.manual_seed(0)
    layer = blocks.new_norm(TransformerConfig(7, embedding_dim=6)).double()
    nn.init.normal_(layer.weight)
    x, dy = (3 + 2 * torch.randn(2, 5, 6)).double().requires_grad_(), torch.randn(2, 5, 6).double()
    (gradient,) = torch.autograd.grad((dy * layer(x)).sum(), x)
    sigma = (x.var(dim=2, correction=0, keepdim=True) + 1e-5).sqrt()
    x_hat, dx_hat = (x - x.mean(dim=2, keepdim=True)) / sigma, layer.weight * dy
    shift, stretch = dx_hat.mean(dim=2, keepdim=True), (dx_hat * x_hat).mean(dim=2, keepdim=True)
    assert_same(gradient, (dx_hat - shift - x_hat * stretch) / sigma)
    outer = x_hat[..., :, None] * x_hat[..., None, :]
    jacobian = (torch.eye(6).double() - (1 + outer) / 6) / sigma[..., None]  # (21), of each token its own
    assert_same(gradient, (jacobian @ dx_hat[..., None])[..., 0])


def test_the_gradient_passes_a_pre_norm_block_and_is_scaled_by_a_post_norm_block():
    """(20), (21): with sublayers that add nothing, the one's Jacobian is 1 whatever the size of x; the other's norm
    divides by it at each block."""
    x = (10 * torch.randn(1, 3, 12)).double().requires_grad_()
    for post_norm in (False, True):
        model = new_model(num_layers=4, post_norm=post_norm).double()
        for block in model.blocks:
            for weight in (block.attention.output.weight, block.feed_forward.down.weight):
                nn.init.zeros_(weight)
        outputs = x
        for block in model.blocks:
            outputs, _ = block(outputs)
        share = torch.randn_like(x)
        (gradient,) = torch.autograd.grad((share * outputs).sum(), x)
        if post_norm:
            assert gradient.norm() < 0.3 * share.norm()
        else:
            assert torch.equal(gradient, share)


# The model


@pytest.mark.parametrize("kind", KINDS[:3])
def test_the_model_is_embedding_positions_blocks_norm_and_head(kind):
    """One after the other: (8) or (9) and section 3.4 of the paper; a last norm for pre-norm blocks only."""
    torch.manual_seed(0)
    model, token_ids, rotation = new_model(std=0.3, **kind), random_ids(0, 7, 2, 6), None
    x = model.embedding(token_ids)
    if kind.get("positions") == "sinusoidal":
        x = x * math.sqrt(12) + lesson.sinusoids(6, 12).float()
    elif kind.get("positions") == "rotary":
        turned = lesson.angles(6, 6)
        rotation = torch.complex(turned.cos().float(), turned.sin().float())
    else:
        x = x + model.position_embedding(torch.arange(6))
    for block in model.blocks:
        x, _ = block(x, rotation=rotation)
    x = x if kind.get("post_norm") else model.norm(x)
    torch.testing.assert_close(model(token_ids)[0], x @ model.lm_head.weight.t())


@pytest.mark.parametrize("positions", CHOICES["positions"])
def test_positions_tell_the_order(positions):
    """Of the same tokens in another order the last token sees another mean, unless it is told no positions."""
    torch.manual_seed(0)
    model = new_model(num_layers=1, std=0.5, positions=positions).double()
    one, other = (model(torch.tensor([text]))[0][0, -1] for text in ([1, 2, 3, 4], [3, 1, 2, 4]))
    assert torch.allclose(one, other) == (positions == "none")


def test_each_pair_has_a_vector_of_its_own_where_there_is_room():
    bigrams = lesson.BigramEmbedding(4, 25, 3)
    with torch.no_grad():
        bigrams.weight.copy_(torch.arange(25.0)[:, None].expand(25, 3))
    token_ids = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    rows = bigrams(token_ids, token_ids[:, :0])[..., 0]  # (16, 2): nothing and the first, the first and the second
    assert len(set(rows[:, 1].tolist())) == 16 and len(set(rows.flatten().tolist())) == 20
    assert torch.equal(bigrams(token_ids[:, 1:], token_ids[:, :1])[..., 0], rows[:, 1:])
    small = lesson.BigramEmbedding(64, 32, 3)  # 2^5 rows for 2^6 tokens: the token before still matters
    nine = torch.full((2, 1), 9)
    assert not torch.equal(*small(nine, torch.tensor([[5], [6]])))


def test_token_shift_moves_half_of_the_channels_on_by_one():
    x, last = torch.randn(2, 4, 6), torch.randn(2, 6)
    for first in (None, last):
        shifted = blocks.shift_tokens(x, first)
        assert torch.equal(shifted[..., 3:], x[..., 3:]) and torch.equal(shifted[:, 1:, :3], x[:, :-1, :3])
        assert torch.equal(shifted[:, 0, :3], torch.zeros(2, 3) if first is None else last[:, :3])


@given(models(), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_attention_maps_are_distributions_over_the_past(model, length):
    c, token_ids = model.config, random_ids(0, 7, 2, length)
    if length > c.context_length:
        with pytest.raises(ValueError, match="more than context_length"):
            model.attention_maps(token_ids)
        return
    maps = model.attention_maps(token_ids)
    assert maps.shape == (2, c.num_layers, c.num_heads, length, length)
    torch.testing.assert_close(maps.sum(dim=4), torch.ones(maps.shape[:4]))
    assert not maps.triu(1).any() and (maps >= 0).all()


def test_attention_maps_are_what_the_model_uses():
    """Put together with the values in the cache they give what each layer's attention put out."""
    torch.manual_seed(0)
    model, token_ids = new_model(num_layers=2, num_heads=1, std=0.5, **KINDS[2]).double(), random_ids(0, 7, 1, 6)
    maps, seen = model.attention_maps(token_ids)[0], []
    for block in model.blocks:
        block.attention.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs))
    model(token_ids)
    for block, weights, (outputs, (_, values)) in zip(model.blocks, maps, seen, strict=True):
        assert_same(outputs[0], block.attention.output(weights[0] @ values[0, 0]))
