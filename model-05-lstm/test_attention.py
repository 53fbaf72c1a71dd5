"""The LSTM that looks back at its own past: attention.py, train_attention.py. Run: pytest model-05-lstm"""

import sys
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from shared.console import LearnerError
from shared.evaluation import token_losses
from shared.lessons import load
from shared.repl import Repl, Session
from shared.tests import networks, training
from shared.tests.networks import parts_of, random_ids
from shared.tokenizers import train_tokenizer

LESSON = Path(__file__).resolve().parent
lesson = load(LESSON / "attention.py")
KINDS, Attention = lesson.KINDS, lesson.Attention
SMALL = ("--embedding-dim", "8", "--hidden-size", "8", "--attention-size", "4", "--chunk-length", "8",
         "--batch-size", "4", "--context-length", "11")  # fmt: skip


def new_model(vocab_size=7, **changes):
    """A small model in eval mode, its attention far from even."""
    config = {"embedding_dim": 5, "hidden_size": 6, "attention_size": 4, "context_length": 5} | changes
    model = lesson.LSTMAttentionLM(lesson.LSTMAttentionConfig(vocab_size, **config)).eval()
    with torch.no_grad():
        for weight in model.attention.parameters():
            weight.normal_()
        model.lm_head.weight.mul_(30)
    return model


def new_attention(kind, context_length=5, seed=0):
    """An attention of its own, float64, over hidden vectors of 6, not even at all."""
    torch.manual_seed(seed)
    attention = Attention(6, 4, context_length, kind).double()
    for weight in attention.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return attention


@st.composite
def models(draw):
    """A model of any kind, its blocks shorter or longer than its window."""
    torch.manual_seed(draw(st.integers(0, 1000)))
    lesson.BLOCK = draw(st.sampled_from((1, 3, 16)))
    return new_model(
        embedding_dim=draw(st.integers(1, 6)),
        hidden_size=draw(st.integers(1, 6)),
        num_layers=draw(st.integers(1, 2)),
        dropout=draw(st.sampled_from((0.0, 0.5))),
        residual=draw(st.booleans()),
        backward=draw(st.sampled_from(("bptt", "autograd"))),
        attention=draw(st.sampled_from(KINDS)),
        attention_size=draw(st.integers(1, 5)),
        context_length=draw(st.integers(1, 25)),
    )


@pytest.fixture(autouse=True)
def blocks_as_they_are(monkeypatch):
    monkeypatch.setattr(lesson, "BLOCK", lesson.BLOCK)  # puts back what models() changed


# The contract: logits, state = model(token_ids, state)


@given(models(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 24), st.lists(st.integers(0, 24), max_size=4))
@settings(max_examples=50, deadline=None)
def test_chunk_invariance(model, seed, batch, length, cuts):
    networks.check_chunk_invariance(model, seed, batch, length, cuts, atol=1e-4)  # weights up to 3, logits up to 100


@given(models(), st.integers(0, 1000), st.integers(1, 24), st.integers(0, 24))
@settings(max_examples=40, deadline=None)
def test_causality(model, seed, length, place):
    networks.check_causality(model.double(), seed, length, place, atol=0.0)


@given(models(), st.integers(1, 3), st.integers(1, 6), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_shapes_and_types(model, batch, length, autocast, grad):
    c, state = model.config, networks.check_shapes_and_types(model, batch, length, autocast, grad)
    known = min(1 + 2 * length, c.context_length)
    keys, values = state.pop()
    assert keys.shape == (batch, known, c.attention_size) and values.shape == (batch, known, c.hidden_size)
    assert {tuple(part.shape) for part in parts_of(state)} == {(batch, c.hidden_size)} and len(state) == c.num_layers


@pytest.mark.parametrize("kind", KINDS)
def test_one_token_at_a_time_is_the_whole_text(kind):
    """As in generation, from the cache, without a gradient; several times as far as one can look."""
    model, token_ids, state, logits = new_model(attention=kind).double(), random_ids(0, 7, 2, 40), None, []
    with torch.no_grad():
        for token in token_ids.split(1, dim=1):
            one, state = model(token, state)
            logits.append(one)
    torch.testing.assert_close(torch.cat(logits, dim=1), model(token_ids)[0], rtol=1e-10, atol=1e-10)


def test_the_loss_of_a_long_text_is_that_of_one_reading():
    """shared.evaluation reads it in parts and compares states, whose caches have not all the same length: here the
    layers forget in a few tokens what the attention still sees."""
    torch.manual_seed(0)
    model, token_ids = new_model(forget_bias=-3.0, context_length=20).double(), random_ids(0, 7, 1, 600)[0]
    logits = model(token_ids[None, :-1])[0][0]
    whole = cross_entropy(logits, token_ids[1:], reduction="none")
    losses = token_losses(model, token_ids, chunk_length=64, parts=8)
    torch.testing.assert_close(losses, whole.detach(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("residual", [False, True])
def test_first_loss_is_ln_of_the_vocabulary_and_no_place_stands_out(kind, residual):
    torch.manual_seed(0)
    config = lesson.LSTMAttentionConfig(65, 64, 64, residual=residual, attention=kind, context_length=50)
    model, token_ids = lesson.LSTMAttentionLM(config), random_ids(0, 65, 1, 200)
    networks.check_first_loss(model, within=0.05, length=200)
    assert model.look(token_ids)[0, 60:].max() < 0.15  # even would be 0.02


# The attention


def written_out(attention, hidden: torch.Tensor) -> tuple[torch.Tensor, list[list[float]]]:
    """One text (T, H), as the equations have it: outputs (T, H), and for each t the weights of positions 0 ... t-1."""
    W_q, W_k, W, b = (attention.query.weight, attention.key.weight, attention.combine.weight, attention.combine.bias)
    h, outputs, rows = [torch.zeros(6).double(), *hidden], [], []  # h_0, h_1 ... h_T
    for t in range(1, len(h)):
        energies = {}
        for s in range(max(0, t - attention.context_length), t):
            query, key = W_q @ h[t], W_k @ h[s]  # (21)
            if attention.kind == "dot":
                energies[s] = query @ key  # (22)
            else:
                energies[s] = attention.energy.weight[0] @ torch.tanh(query + key)  # (23)
        total = sum(torch.exp(energy) for energy in energies.values())
        weights = [torch.exp(energies[s]) / total if s in energies else torch.tensor(0.0) for s in range(t)]  # (24)
        context = sum(weight * h_s for weight, h_s in zip(weights, h, strict=False))  # (25)
        outputs.append(torch.tanh(W @ torch.cat([h[t], context]) + b))  # (26)
        rows.append([weight.item() for weight in weights])
    return torch.stack(outputs), rows


@pytest.mark.parametrize("block", [1, 4, 16])
@pytest.mark.parametrize("context_length", [1, 5, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_the_attention_is_its_equations(monkeypatch, kind, context_length, block):
    """docs/math/05-lstm.md, (21) to (26), one token at a time, for a batch in two chunks."""
    monkeypatch.setattr(lesson, "BLOCK", block)
    attention, hidden = new_attention(kind, context_length), torch.randn(2, 23, 6).double()
    first, cache = attention(hidden[:, :9])
    second, _ = attention(hidden[:, 9:], cache)
    looks = attention.look(hidden)
    for row in range(2):
        outputs, weights = written_out(attention, hidden[row])
        torch.testing.assert_close(torch.cat([first[row], second[row]]), outputs, rtol=1e-10, atol=1e-10)
        for t, expected in enumerate(weights):  # the first token is position 1
            padded = torch.tensor(expected + [0.0] * (23 - t), dtype=torch.float64)
            torch.testing.assert_close(looks[row, t], padded, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_the_lessons_layers_and_then_the_attention(kind):
    """Token after token through the layers' cells, then the equations, then lm_head."""
    model, token_ids = new_model(attention=kind, residual=True, embedding_dim=6).double(), random_ids(0, 7, 1, 14)
    states = [[torch.zeros(1, 6).double()] * 2 for _ in model.layers]
    tops = []
    for token in token_ids[0]:
        hidden = model.embedding(token[None])
        for number, layer in enumerate(model.layers):
            states[number] = layer.cell(hidden, *states[number])
            hidden = states[number][0] + (hidden if number else 0)
        tops.append(hidden[0])
    outputs, weights = written_out(model.attention, torch.stack(tops))
    torch.testing.assert_close(model(token_ids)[0][0], model.lm_head(outputs), rtol=1e-10, atol=1e-10)
    last = model.look(token_ids)[0, -1]
    torch.testing.assert_close(last[:-1], torch.tensor(weights[-1], dtype=torch.float64))


@given(st.sampled_from(KINDS), st.integers(1, 12), st.integers(1, 20), st.integers(0, 12), st.sampled_from((1, 3, 16)))
@settings(max_examples=60, deadline=None)
def test_weights_are_a_distribution_over_the_window(kind, context_length, length, before, block):
    lesson.BLOCK = block
    attention, hidden = new_attention(kind, context_length), torch.randn(2, before + length, 6).double()
    cache = attention(hidden[:, :before])[1] if before else None
    looks = attention.look(hidden[:, before:], cache)
    known = min(1 + before, context_length) if before else 1
    assert looks.shape == (2, length, known + length)
    torch.testing.assert_close(looks.sum(dim=2), torch.ones(2, length).double())
    back = torch.arange(known, known + length)[:, None] - torch.arange(known + length)
    inside = ((back >= 1) & (back <= context_length)).expand_as(looks)
    assert (looks[inside] > 0).all() and (looks[~inside] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_window_ends_at_context_length(kind):
    """Another h at position s reaches the outputs of s (through itself) to s + context_length, and no other."""
    attention, hidden = new_attention(kind, context_length=5), torch.randn(1, 20, 6).double()
    changed = hidden.clone()
    changed[:, 7] += 1.0
    differ = (attention(changed)[0] != attention(hidden)[0]).any(dim=2)[0]
    assert differ.nonzero().flatten().tolist() == list(range(7, 7 + 5 + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_token_sees_the_state_before_the_text(kind):
    attention, hidden = new_attention(kind), torch.randn(2, 1, 6).double()
    outputs, (keys, values) = attention(hidden)
    alone = torch.cat([hidden, torch.zeros_like(hidden)], dim=2)
    torch.testing.assert_close(outputs, torch.tanh(attention.combine(alone)))
    assert attention.look(hidden).tolist() == [[[1.0, 0.0]]] * 2
    assert not keys[:, 0].any() and not values[:, 0].any() and torch.equal(values[:, 1:], hidden)


def test_an_attention_that_is_not_there():
    with pytest.raises(LearnerError, match="--attention luong: there are dot and additive"):
        Attention(6, 4, 5, "luong")


# Gradients


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(monkeypatch, kind):
    monkeypatch.setattr(lesson, "BLOCK", 3)
    attention, hidden = new_attention(kind, context_length=3), torch.randn(2, 7, 6).double().requires_grad_()
    cache = tuple(torch.randn(2, 3, size).double().requires_grad_() for size in (4, 6))
    assert torch.autograd.gradcheck(lambda *x: attention(x[0], x[1:])[0], (hidden, *cache))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_goes_through_the_window_in_one_step(kind):
    """From the last output to the h_s of its window and to itself, and to no other."""
    attention, hidden = new_attention(kind, context_length=5), torch.randn(1, 12, 6).double().requires_grad_()
    attention(hidden)[0][:, -1].sum().backward()
    assert hidden.grad.abs().sum(dim=2)[0].nonzero().flatten().tolist() == list(range(6, 12))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_ends_at_the_start_of_the_chunk(kind):
    """The tokens of the chunk before are looked at; their embeddings get a gradient unless the state is detached."""
    model, detach_state = new_model(8, attention=kind, context_length=20), load(LESSON / "model.py").detach_state
    before, chunk = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[4, 5, 6]])
    for detached, reached in ((False, range(7)), (True, range(4, 7))):
        model.zero_grad()
        _, state = model(before)
        state = detach_state(state) if detached else state
        logits, after = model(chunk, state)
        logits[:, -1].sum().backward()
        assert model.embedding.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist() == list(reached)
        assert [part.requires_grad for part in parts_of(detach_state(after))] == [False] * 6
    assert torch.equal(parts_of(state)[-1], parts_of(after)[-1][:, :5])  # the cache is carried all the same


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_batch_can_be_learnt_by_heart(kind):
    torch.manual_seed(0)
    model = lesson.LSTMAttentionLM(lesson.LSTMAttentionConfig(8, 16, 32, 1, attention=kind, context_length=6))
    networks.check_a_tiny_batch_can_be_learnt_by_heart(model, steps=50, lr=2e-2)


# train_attention.py


@pytest.fixture
def train(monkeypatch):
    """What shared.tests.training does with train.py, with train_attention.py instead, and with short samples."""

    def run(_, monkeypatch, *flags, press_after=10**9):
        module = load(LESSON / "train_attention.py")
        monkeypatch.setattr(module.train, "CtrlC", training.PressedAt)
        monkeypatch.setattr(module.train, "write_sample", partial(module.train.write_sample, length=20))
        training.run_main(module, monkeypatch, *flags, press_after=press_after)

    monkeypatch.setattr(training, "train", run)


def test_resume_is_bit_for_bit(tmp_path, monkeypatch, capsys, train):
    more = "--attention", "additive", "--dropout", "0.3"
    training.check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)
    assert "go on with: python train_attention.py --resume --out" in capsys.readouterr().out


def test_run_folder_and_what_reads_it(tmp_path, monkeypatch, capsys, train):
    """The carried cache is in last.pt; generate.py and interactive.py read best.pt as any other, train.py does not."""
    summary = training.check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL)
    assert summary["settings"]["attention"] == "dot" and summary["val_bits_per_char"] > 0
    last = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    shapes = [[tuple(part.shape) for part in pair] for pair in last["state"]]
    assert shapes == [[(4, 8)] * 2] * 2 + [[(4, 11, 4), (4, 11, 8)]]

    def main(script: str, *flags: str) -> str:
        monkeypatch.setattr(sys, "argv", [script, *flags])
        capsys.readouterr()
        load(LESSON / script).main()
        return capsys.readouterr().out

    checkpoint = "--checkpoint", str(tmp_path / "run" / "best.pt"), "--length", "20"
    written = main("generate.py", *checkpoint, "--prompt", "the dog")
    assert written.startswith("the dog") and len(written) == len("the dog") + 20 + 1
    lines = iter(["the dog", "/state", "/quit"])
    monkeypatch.setattr("builtins.input", lambda prompt="": next(lines))
    shown = main("interactive.py", *checkpoint)
    assert shown.startswith("LSTM with dot attention, 2 layer(s) of 8") and "where the newest token looks" in shown
    with pytest.raises(LearnerError, match="another kind of model"):
        main("train.py", "--resume", "--out", str(tmp_path / "run"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["default", "quick", "ladder"])
def test_presets_have_as_many_parameters_as_without_attention(monkeypatch, preset, kind):
    module, sizes = load(LESSON / "train_attention.py"), []
    vocab_size = 59 if preset == "ladder" else 65
    for model_class, config_class, presets, flags in (
        (module.train.LSTMLM, module.train.LSTMConfig, module.train.PRESETS, ()),
        (module.LSTMAttentionLM, module.LSTMAttentionConfig, module.PRESETS, ("--attention", kind)),
    ):
        monkeypatch.setattr(sys, "argv", ["train.py", "--preset", preset, *flags])
        args = module.train.arguments(config_class, presets)
        config = {field.name: getattr(args, field.name) for field in fields(config_class)[1:]}
        with torch.device("meta"):  # shapes without numbers
            model = model_class(config_class(vocab_size, **config))
        sizes.append(sum(parameter.numel() for parameter in model.parameters()))
        assert preset != "ladder" or args.dataset == "fables" and args.chunk_length >= 256
    assert 0.98 < sizes[1] / sizes[0] <= 1.0
    assert preset != "ladder" or args.context_length == 256


# interactive.py


@torch.no_grad()
@pytest.mark.parametrize("stateless", ["off", "on"])
def test_state_shows_where_the_newest_token_looks(monkeypatch, type_lines, stateless):
    tokenizer = train_tokenizer("char", "the quick brown fox jumps over the lazy dog\n")
    model = new_model(tokenizer.vocab_size, context_length=30)
    session, rows, shell = Session(model, tokenizer, length=100), {}, load(LESSON / "interactive.py")
    monkeypatch.setattr(shell, "paint_range", lambda name, pieces, values: rows.update({name: (pieces, values)}))
    type_lines(Repl(session, shell.show_state), f"/stateless {stateless}", "the dog", "/state")
    name, (pieces, weights) = list(rows.items())[-1]
    assert len(pieces) == len(weights) and pieces[-1] == tokenizer.token_text(session.token_ids[-1])
    if stateless == "on":
        assert name.startswith("where the newest token looks, 0% of it") and not weights.any()
    else:
        expected = model.look(torch.tensor([session.token_ids]))[0, -1]
        torch.testing.assert_close(weights, expected[-len(weights) :], rtol=1e-4, atol=1e-6)
        assert name.startswith("where the newest token looks, 100% of it") and weights[-1] == 0
