"""GPT-2's weights in our model: gpt2.py. Run: pytest model-06-transformer"""

import math
from pathlib import Path

import pytest
import torch

from shared.lessons import load
from shared.tests.networks import random_ids

lesson = load(Path(__file__).with_name("gpt2.py"))


def random_weights(vocab_size=11, context_length=8, C=12, num_layers=2) -> dict[str, torch.Tensor]:
    """With the names and shapes of Hugging Face's GPT2LMHeadModel."""
    torch.manual_seed(0)
    shapes = {"wte.weight": (vocab_size, C), "wpe.weight": (context_length, C), "ln_f.weight": (C,), "ln_f.bias": (C,)}
    for layer in range(num_layers):
        for name, shape in {"ln_1": (C,), "attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C), "ln_2": (C,),
                            "mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}.items():  # fmt: skip
            shapes[f"h.{layer}.{name}.weight"], shapes[f"h.{layer}.{name}.bias"] = shape, shape[-1:]
    weights = {f"transformer.{name}": 0.5 * torch.randn(shape).double() for name, shape in shapes.items()}
    return weights | {"lm_head.weight": weights["transformer.wte.weight"]}


def by_hand(weights, token_ids, num_heads=2, num_layers=2):
    """GPT-2 (Radford et al. 2019), one text (T,) -> logits (T, V); inputs times matrix, as its Conv1D does."""
    w = {name.removeprefix("transformer."): weight for name, weight in weights.items()}

    def norm(x, name):
        mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, correction=0, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return x @ w[name + ".weight"] + w[name + ".bias"]

    x = w["wte.weight"][token_ids] + w["wpe.weight"][: len(token_ids)]
    for layer in range(num_layers):
        queries, keys, values = linear(norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn.c_attn").chunk(3, dim=1)
        seen = torch.zeros_like(queries)
        for head in torch.arange(x.shape[1]).chunk(num_heads):
            for t in range(len(x)):
                scores = keys[: t + 1, head] @ queries[t, head] / math.sqrt(len(head))
                seen[t, head] = scores.softmax(dim=0) @ values[: t + 1, head]
        x = x + linear(seen, f"h.{layer}.attn.c_proj")
        a = linear(norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc")
        a = a / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))
        x = x + linear(a, f"h.{layer}.mlp.c_proj")
    return norm(x, "ln_f") @ w["wte.weight"].t()


@pytest.mark.parametrize("bare", [False, True])
def test_logits_are_those_of_gpt2_by_hand(bare):
    """With the names of GPT2LMHeadModel and with those of GPT2Model, which has no lm_head."""
    weights, token_ids = random_weights(), random_ids(0, 11, 1, 8)
    given = weights
    if bare:
        given = {name.removeprefix("transformer."): weight for name, weight in weights.items() if "lm_head" not in name}
        given["h.0.attn.bias"] = torch.ones(1, 1, 8, 8)  # the mask, which old files hold
    model = lesson.from_gpt2(given, num_heads=2)
    assert not model.training and model.config.tied and model.config.context_length == 8
    torch.testing.assert_close(model(token_ids)[0][0], by_hand(weights, token_ids[0]), atol=1e-10, rtol=1e-10)


def test_a_head_has_64_channels_unless_told_otherwise():
    model = lesson.from_gpt2(random_weights(C=128, num_layers=1))
    assert model.config.num_heads == 2 and model.config.num_layers == 1


def test_other_weights_are_refused():
    weights = random_weights()
    one_less = {name: weight for name, weight in weights.items() if name != "transformer.h.1.ln_2.bias"}
    for broken in ({"a": torch.zeros(2)}, one_less):
        with pytest.raises(ValueError, match="not the weights of a GPT-2"):
            lesson.from_gpt2(broken, num_heads=2)


def test_logits_are_those_of_transformers():
    """Hugging Face's own model with random weights, to 1e-4 in float32; also one token at a time, from the cache."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=97, n_positions=24, n_embd=48, n_layer=3, n_head=4,
                                     bos_token_id=0, eos_token_id=0)  # fmt: skip
    theirs = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for weight in theirs.parameters():  # its own are small, and its biases zero
            weight.add_(0.1 * torch.randn_like(weight))
        ours, token_ids = lesson.from_gpt2(theirs.state_dict(), num_heads=4), random_ids(0, 97, 2, 24)
        expected = theirs(token_ids).logits
        torch.testing.assert_close(ours(token_ids)[0], expected, atol=1e-4, rtol=0)
        state = None
        for place in range(24):
            logits, state = ours(token_ids[:, place : place + 1], state)
            torch.testing.assert_close(logits[:, 0], expected[:, place], atol=1e-4, rtol=0)
    assert expected.std() > 0.5
