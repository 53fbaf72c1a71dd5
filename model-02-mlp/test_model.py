"""What proves lesson 02 right. Run: pytest model-02-mlp"""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from shared.contract import assert_causal, assert_chunk_invariant
from shared.evaluation import first_loss
from shared.lessons import load

lesson = load(Path(__file__).with_name("model.py"))


def random_ids(seed: int, vocab_size: int, batch: int, length: int) -> torch.Tensor:
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


@st.composite
def models(draw):
    """An MLP of random size with every option, in eval mode as it would be after some training."""
    torch.manual_seed(draw(st.integers(0, 100)))
    config = lesson.MLPConfig(
        vocab_size=draw(st.integers(2, 9)), context_length=draw(st.integers(1, 9)),
        embedding_dim=draw(st.integers(1, 6)), hidden_size=draw(st.integers(1, 8)),
        num_layers=draw(st.integers(1, 3)), dropout=draw(st.sampled_from([0, 0.3])),
        batch_norm=draw(st.booleans()), direct=draw(st.booleans()),
    )  # fmt: skip
    model = lesson.MLPLM(config)
    for parameter in model.parameters():  # some start at zero, where mistakes would not show
        torch.nn.init.normal_(parameter)
    model(random_ids(0, config.vocab_size, 3, 20))  # moves BatchNorm's running statistics
    return model.eval()


@given(models(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 25), st.lists(st.integers(0, 25), max_size=4))
@settings(max_examples=60, deadline=None)
def test_chunk_invariance(model, seed, batch, length, cuts):
    cuts = sorted(min(cut, length) for cut in cuts)
    token_ids = random_ids(seed, model.config.vocab_size, batch, length)
    assert_chunk_invariant(model.float(), token_ids, cuts, atol=1e-4)  # logits of size 10 and more
    assert_chunk_invariant(model.double(), token_ids, cuts, atol=1e-10)


@given(models(), st.integers(0, 1000), st.integers(1, 25), st.integers(0, 25))
@settings(max_examples=40, deadline=None)
def test_causality(model, seed, length, place):
    v = model.config.vocab_size
    token_ids, other = random_ids(seed, v, 2, length), random_ids(seed + 1, v, 2, length)
    assert_causal(model.double(), token_ids, min(place, length), other)


def test_what_lies_beyond_the_window_changes_nothing_and_what_lies_in_it_does():
    torch.manual_seed(0)
    model = lesson.MLPLM(lesson.MLPConfig(20, context_length=5)).eval()
    text = random_ids(1, 20, 1, 12)
    for distance in range(1, 12):
        changed = text.clone()
        changed[0, -distance] = (changed[0, -distance] + 1) % 20
        same = torch.equal(model(changed)[0][:, -1], model(text)[0][:, -1])
        assert same == (distance > 5), distance


def test_the_state_is_the_last_context_length_tokens():
    model = lesson.MLPLM(lesson.MLPConfig(20, context_length=5)).eval()
    text = random_ids(1, 20, 2, 12)
    assert torch.equal(model(text)[1], text[:, -5:])
    assert torch.equal(model(text[:, :3])[1], text[:, :3])


@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"batch_norm": True}, {"direct": True}])
def test_first_loss_is_near_ln_of_the_vocabulary(options):
    torch.manual_seed(0)
    model = lesson.MLPLM(lesson.MLPConfig(65, **options))
    assert abs(first_loss(model, random_ids(0, 65, 1, 500)[0]) - math.log(65)) < 0.3


def test_a_naive_start_is_worse():
    torch.manual_seed(0)
    model = lesson.MLPLM(lesson.MLPConfig(65, init="naive"))
    assert first_loss(model, random_ids(0, 65, 1, 500)[0]) > 2 * math.log(65)


def test_equals_the_formula_of_the_paper():
    """Bengio et al. 2003, eq. 1, written out for one position: y = b + W x + U tanh(d + H x)."""
    torch.manual_seed(0)
    model = lesson.MLPLM(lesson.MLPConfig(7, context_length=3, embedding_dim=4, hidden_size=6, direct=True)).double()
    torch.nn.init.normal_(model.direct.weight)
    x = torch.cat([model.embedding.weight[token] for token in (2, 5, 1)])
    hidden = torch.tanh(model.layers[0].linear.bias + model.layers[0].linear.weight @ x)
    expected = model.lm_head.bias + model.direct.weight @ x + model.lm_head.weight @ hidden
    assert torch.allclose(model.eval()(torch.tensor([[6, 2, 5, 1]]))[0][0, -1], expected.float())


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "direct": True}, {"batch_norm": True}])
def test_overfits_a_tiny_batch_to_near_zero(options):
    torch.manual_seed(0)
    model = lesson.MLPLM(lesson.MLPConfig(12, context_length=8, hidden_size=64, **options))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    text = random_ids(0, 12, 2, 13)
    for _ in range(200):
        loss = cross_entropy(model(text[:, :-1])[0].flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
