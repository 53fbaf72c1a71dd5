"""The translation part of lesson 04: padding, attention, search, training. Run: pytest model-04-gru/translation"""

import json
import random
import re
import sys
from argparse import Namespace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from shared.console import LearnerError
from shared.data.pairs import Pairs
from shared.lessons import load
from shared.tests.training import PressedAt, losses

FOLDER = Path(__file__).resolve().parent
train = load(FOLDER / "train_translation.py")
script = load(FOLDER / "translate.py")
evaluate = load(FOLDER / "evaluate.py")
beam = load(FOLDER / "beam.py")
text = load(FOLDER / "text.py")
network = load(FOLDER / "encoder_decoder.py")

VOCAB = 11
KINDS = [{"attention": "additive"}, {"attention": "none"}, {"attention": "none", "summary": "initial"},
         {"attention": "none", "reverse_source": True}]  # fmt: skip


def new_model(seed=0, sharp=1.0, vocab_size=VOCAB, **changes):
    """A small float64 model in eval mode; with `sharp` > 1 weights so large that it prefers something untrained."""
    torch.manual_seed(seed)
    settings = {"embedding_dim": 5, "hidden_size": 6, "summary_size": 4, "dropout": 0.0} | changes
    model = network.EncoderDecoder(network.EncoderDecoderConfig((vocab_size, vocab_size), **settings)).double().eval()
    with torch.no_grad():
        if sharp > 1:
            for parameter in model.parameters():
                parameter.mul_(sharp)
            model.lm_head.weight.mul_(10)
            model.lm_head.bias[text.END] = 6.0  # and ends now and then
    return model


def sentences(draw, count, longest=9, vocab_size=VOCAB):
    """Rows of ids, the end last."""
    return [[draw.randrange(text.SPECIAL, vocab_size) for _ in range(draw.randint(0, longest))] + [text.END]
            for _ in range(count)]  # fmt: skip


def made_pairs(count=300, seed=0, shortest=2, longest=6):
    """Two halves change places, every word is another one in the target language."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        words = [draw.randrange(12) for _ in range(draw.randint(shortest, longest))]
        half = len(words) // 2
        rows.append((" ".join(f"s{i}" for i in words), " ".join(f"t{i}" for i in words[half:] + words[:half])))
    return Pairs("made", rows[: count - 40], rows[count - 40 : count - 30], rows[count - 30 :], "made up in a test")


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Tiny products gain nothing from more, and sums over another number of threads differ in the last digit."""
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# The network


@pytest.mark.parametrize("changes", KINDS)
@given(seed=st.integers(0, 10**6), more=st.integers(1, 5))
@settings(max_examples=6, deadline=None)
def test_padding_changes_nothing(changes, seed, more):
    draw = random.Random(seed)
    model, rows, inputs = new_model(seed, **changes), sentences(draw, 4), torch.randint(0, VOCAB, (4, 5))
    source, lengths = text.collate_source(rows)
    padded = torch.cat([source, torch.full((4, more), text.PAD)], dim=1)
    together, wider = model(source, lengths, inputs), model(padded, lengths, inputs)
    assert torch.allclose(together, wider, rtol=0, atol=1e-10)
    for row, ids in enumerate(rows):
        alone = model(torch.tensor([ids]), lengths[row : row + 1], inputs[row : row + 1])
        assert torch.allclose(together[row], alone[0], rtol=0, atol=1e-10)


def test_padding_of_the_target_changes_no_loss():
    model, draw = new_model(), random.Random(1)
    pairs = list(zip(sentences(draw, 6), sentences(draw, 6), strict=True))

    def total(pairs):
        batch = text.collate(pairs)
        logits = model(batch.source, batch.lengths, batch.inputs).flatten(0, 1)
        return cross_entropy(logits, batch.targets.flatten(), ignore_index=text.PAD, reduction="sum").item()

    assert total(pairs) == pytest.approx(sum(total([pair]) for pair in pairs), abs=1e-9)
    tokens = sum(len(target) for _, target in pairs)
    assert evaluate.loss_of(model, pairs, batch_size=4) == pytest.approx(total(pairs) / tokens, abs=1e-9)


def test_weights_are_a_distribution_over_the_tokens():
    model, rows = new_model(), sentences(random.Random(2), 5)
    source, lengths = text.collate_source(rows)
    _, _, weights = model.decode(torch.randint(0, VOCAB, (5, 4)), model.encode(source, lengths))
    assert weights.shape == (5, 4, source.shape[1])
    assert torch.allclose(weights.sum(dim=2), torch.ones(5, 4).double())
    real = torch.arange(source.shape[1]) < lengths[:, None]
    assert (weights.transpose(1, 2)[~real] == 0).all() and (weights.transpose(1, 2)[real] > 0).all()


def test_attention_is_that_of_the_paper():
    """Bahdanau et al. 2015, appendix A.1.2, with tanh and one sentence at a time."""
    model, rows = new_model(), sentences(random.Random(3), 3)
    source, lengths = text.collate_source(rows)
    memory, s = model.encode(source, lengths), torch.randn(3, 6).double()
    contexts, weights = model.attention(s, memory)
    W, U, v = model.attention.query.weight, model.attention.key.weight, model.attention.energy.weight[0]
    for row, length in enumerate(lengths.tolist()):
        h = memory.values[row, :length]
        expected = torch.stack([v @ torch.tanh(W @ s[row] + U @ h_j) for h_j in h]).softmax(dim=0)
        assert torch.allclose(weights[row, :length], expected)
        assert torch.allclose(contexts[row], expected @ h)


@pytest.mark.parametrize("changes", KINDS[:3])
def test_the_model_is_its_equations(changes):
    """docs/math/04-translation.md, (2) to (11): one sentence and one token at a time, against a padded batch."""
    model, rows, inputs = new_model(**changes), sentences(random.Random(12), 4), torch.randint(0, VOCAB, (4, 5))
    together = model(*text.collate_source(rows), inputs)
    attends, every = model.config.attention == "additive", model.config.summary == "every"

    def read(layer, embedded):
        states, h = [], torch.zeros(1, layer.hidden_size).double()
        for x in embedded:
            h = layer.cell(x[None], h)
            states.append(h[0])
        return torch.stack(states)

    for row, ids in enumerate(rows):
        embedded = model.source_embedding(torch.tensor(ids))
        h = read(model.encoder, embedded)  # (2)
        if attends:
            backward = read(model.encoder_backward, embedded.flip(0)).flip(0)
            h = torch.cat([h, backward], dim=1)  # (8)
            W_a, U_a, v = (part.weight for part in (model.attention.query, model.attention.key, model.attention.energy))
            s = torch.tanh(model.first_state(backward[0]))  # (8)
        else:
            c = torch.tanh(model.summarise(h[-1]))  # (2)
            s = torch.tanh(model.first_state(c))  # (3)
        for t, token in enumerate(inputs[row]):
            e = model.embedding(token)
            if attends:
                energies = torch.stack([v[0] @ torch.tanh(W_a @ s + U_a @ h_j) for h_j in h])  # (9)
                c = energies.exp() / energies.exp().sum() @ h  # (10), (11)
            seen = [e, c] if every else [e]
            s = model.decoder.cell(torch.cat(seen)[None], s[None])[0]  # (3)
            o = model.readout(torch.cat([s, *seen]))
            m = torch.stack([max(o[i], o[i + 1]) for i in range(0, len(o), 2)])  # (4)
            logits = model.lm_head(m)  # (5)
            assert torch.allclose(together[row, t], logits, rtol=0, atol=1e-10), (row, t)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_gradients_of_attention_are_the_derived_ones(seed):
    """docs/math/04-translation.md, (12) to (16), one sentence at a time, against autograd through the padded batch."""
    model, lengths = new_model(seed), torch.tensor([1, 4, 7])
    attention = model.attention
    s, h = torch.randn(3, 6).double().requires_grad_(), torch.randn(3, 7, 6).double().requires_grad_()
    mask = torch.arange(7) < lengths[:, None]
    contexts, weights = attention(s, network.Memory(s, h, 2 * attention.key(h), mask))
    W_a, U_a, v = attention.query.weight, attention.key.weight, attention.energy.weight
    dc = torch.randn(3, 6).double()
    right = torch.autograd.grad(contexts, (s, h, W_a, U_a, v), dc)
    found = [torch.zeros_like(part) for part in right]
    with torch.no_grad():
        for row, length in enumerate(lengths.tolist()):
            values, a = h[row, :length], weights[row, :length]
            da = values @ dc[row]  # (12)
            de = a * (da - a @ da)  # (13), and its other form
            assert torch.allclose(de, a * ((values - contexts[row]) @ dc[row]), rtol=0, atol=1e-10)
            assert abs(de.sum().item()) < 1e-10
            q = torch.tanh(s[row] @ W_a.t() + values @ U_a.t())
            du = de[:, None] * v * (1 - q**2)  # (14)
            found[0][row] = du.sum(dim=0) @ W_a  # (15)
            found[1][row, :length] = a[:, None] * dc[row] + du @ U_a  # (15)
            found[2] += du.sum(dim=0)[:, None] * s[row]  # (16)
            found[3] += du.t() @ values
            found[4] += de @ q
    for name, mine, theirs in zip(("s", "h", "W_a", "U_a", "v"), found, right, strict=True):
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-10), name


def test_the_decoder_step_is_that_of_the_layer():
    """The cell that is written out in the loop is GRULayer's, with token and context side by side."""
    model, inputs = new_model(), torch.randint(0, VOCAB, (3, 5))
    memory = model.encode(*text.collate_source(sentences(random.Random(4), 3)))
    embedded, s = model.embedding(inputs), memory.state
    states, contexts, _ = model.look_back(embedded, s, memory)
    for t in range(5):
        s = model.decoder.cell(torch.cat([embedded[:, t], contexts[:, t]], dim=1), s)
        assert torch.allclose(states[:, t], s)


def test_both_readers_see_the_sentence_in_their_own_direction():
    row = torch.tensor([[4, 5, 6, 7, 0, 0], [8, 9, 0, 0, 0, 0]])
    backwards = network.reverse(row, torch.tensor([4, 2]))
    assert backwards.tolist() == [[7, 6, 5, 4, 0, 0], [9, 8, 0, 0, 0, 0]]
    changed = row.clone()
    changed[:, 1] = 10
    model = new_model()
    old, new = (model.encode(ids, torch.tensor([4, 2])).values for ids in (row, changed))
    forward, backward = (old != new).unflatten(2, (2, -1)).any(dim=3).unbind(2)
    assert forward[0, :4].tolist() == [False, True, True, True] and forward[1, :2].tolist() == [False, True]
    assert backward[0, :4].tolist() == [True, True, False, False] and backward[1, :2].tolist() == [True, True]


def test_reversed_source_is_the_reversed_sentence():
    forward, reversed_ = new_model(attention="none"), new_model(attention="none", reverse_source=True)
    source, lengths, inputs = torch.tensor([[4, 5, 6, 0]]), torch.tensor([3]), torch.tensor([[1, 7]])
    turned = forward(torch.tensor([[6, 5, 4, 0]]), lengths, inputs)
    assert torch.equal(turned, reversed_(source, lengths, inputs))
    assert not torch.allclose(forward(source, lengths, inputs), turned)


@pytest.mark.parametrize("changes", KINDS)
def test_teacher_forcing_is_decoding_step_by_step(changes):
    model, inputs, state, logits = new_model(**changes), torch.randint(0, VOCAB, (3, 6)), None, []
    memory = model.encode(*text.collate_source(sentences(random.Random(5), 3)))
    with torch.no_grad():
        for token in inputs.unbind(1):
            step, state, _ = model.decode(token[:, None], memory, state)
            logits.append(step)
    whole, last, _ = model.decode(inputs, memory)
    assert torch.allclose(torch.cat(logits, dim=1), whole, rtol=0, atol=1e-10)
    assert torch.allclose(state, last, rtol=0, atol=1e-10)


def test_the_ablation_lets_the_summary_into_the_first_state_only():
    inputs, state = torch.randint(0, VOCAB, (2, 4)), torch.randn(2, 6).double()
    for summary, same in (("initial", True), ("every", False)):
        model = new_model(attention="none", summary=summary)
        one, other = (model.encode(*text.collate_source(sentences(random.Random(seed), 2))) for seed in (6, 7))
        assert not torch.allclose(one.state, other.state)
        outputs = [model.decode(inputs, memory, state)[0] for memory in (one, other)]
        assert torch.equal(*outputs) == same


@pytest.mark.parametrize("changes", KINDS)
def test_gradients_reach_every_weight_and_the_first_source_token(changes):
    model = new_model(**changes)
    batch = text.collate([([7, 4, 5, text.END], [4, 5, text.END]), ([9, 10, text.END], [5, text.END])])
    logits = model(batch.source, batch.lengths, batch.inputs)
    cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=text.PAD).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert (model.source_embedding.weight.grad[[7, 9]].abs().sum(dim=1) > 0).all()
    assert (model.source_embedding.weight.grad[text.PAD] == 0).all()


@pytest.mark.parametrize("changes", KINDS)
def test_the_first_loss_is_near_ln_v(changes):
    sizes = {"embedding_dim": 64, "hidden_size": 96, "summary_size": 96, "vocab_size": 500}
    model, draw = new_model(**sizes, **changes), random.Random(9)
    pairs = list(zip(sentences(draw, 40, 30, 500), sentences(draw, 40, 30, 500), strict=True))
    assert abs(evaluate.loss_of(model, pairs) - torch.tensor(500.0).log().item()) < 0.3


# Search


@pytest.mark.parametrize("changes", KINDS[:2])
@given(seed=st.integers(0, 10**6), width=st.integers(1, 5), alpha=st.sampled_from([0.0, 0.6, 1.0]))
@settings(max_examples=5, deadline=None)
def test_a_batch_gives_what_its_sentences_give_one_at_a_time(changes, seed, width, alpha):
    model, rows = new_model(seed, sharp=3.0, **changes), sentences(random.Random(seed), 3, longest=5)
    searches = [lambda *x: beam.beam_search(model, *x, width, alpha), lambda *x: beam.greedy(model, *x)]
    for search in searches:
        together = search(*text.collate_source(rows))
        for row, output in zip(rows, together, strict=True):
            alone = search(*text.collate_source([row]))[0]
            assert output.token_ids == alone.token_ids
            assert output.log_prob == pytest.approx(alone.log_prob, abs=1e-10)
            if output.weights is not None:
                assert torch.allclose(output.weights, alone.weights, rtol=0, atol=1e-10)


@pytest.mark.parametrize("changes", KINDS[:2])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_a_beam_of_one_is_greedy(changes, seed):
    model, rows = new_model(seed, sharp=3.0, **changes), sentences(random.Random(seed), 6, longest=5)
    batch = text.collate_source(rows)
    for one, other in zip(beam.beam_search(model, *batch, 1), beam.greedy(model, *batch), strict=True):
        assert one.token_ids == other.token_ids
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-10)
        assert one.weights is None or torch.allclose(one.weights, other.weights)


@pytest.mark.parametrize("changes", KINDS[:2])
def test_outputs_are_well_formed_and_their_probability_is_right(changes):
    model, rows = new_model(2, sharp=3.0, **changes), sentences(random.Random(10), 8)
    source, lengths = text.collate_source(rows)
    outputs = beam.beam_search(model, source, lengths, 4)
    assert len({len(output.token_ids) for output in outputs}) > 1
    for row, output in zip(rows, outputs, strict=True):
        limit = 2 * len(row) + 10
        assert 1 <= len(output.token_ids) <= limit and not {text.PAD, text.BEGIN} & set(output.token_ids)
        assert text.END not in output.token_ids[:-1]
        assert output.token_ids[-1] == text.END or len(output.token_ids) == limit
        inputs = torch.tensor([[text.BEGIN, *output.token_ids[:-1]]])
        log_probs = model(torch.tensor([row]), torch.tensor([len(row)]), inputs)[0].log_softmax(dim=1)
        total = sum(log_probs[t, i].item() for t, i in enumerate(output.token_ids))
        assert output.log_prob == pytest.approx(total, abs=1e-9)
        assert output.weights is None or output.weights.shape == (len(output.token_ids), len(row))


class Table:
    """Stands in for a model: P(next) depends on the token before it alone."""

    def __init__(self, rows):
        self.log_probs = torch.zeros(6, 6).double()
        for before, chances in rows.items():
            self.log_probs[before] = -torch.inf
            for token, chance in chances.items():
                self.log_probs[before, token] = torch.tensor(chance).log()

    def encode(self, source, lengths):
        return network.Memory(torch.zeros(len(source), 1).double(), source[:, None], None, None)

    def decode(self, inputs, memory, state=None):
        return self.log_probs[inputs], memory.state, None


def test_a_beam_finds_what_greedy_misses():
    """Greedy takes 3 (0.6), after which all is unlikely; 4 (0.4) goes on for certain."""
    model = Table({1: {3: 0.6, 4: 0.4}, 3: {2: 0.33, 4: 0.33, 5: 0.34}, 4: {2: 1.0}, 5: {2: 1.0}})
    source = torch.tensor([[3, 2]]), torch.tensor([2])
    assert beam.greedy(model, *source)[0].token_ids[0] == 3
    for alpha in (0.0, 1.0):
        output = beam.beam_search(model, *source, 3, alpha)[0]
        assert output.token_ids == [4, 2] and output.log_prob == pytest.approx(torch.tensor(0.4).log().item())


def test_alpha_weighs_length():
    """One token at 0.5, or four tokens at 0.4 together: by log P the short one wins, by its mean the long one."""
    model = Table({1: {2: 0.5, 3: 0.5}, 3: {4: 1.0}, 4: {5: 1.0}, 5: {2: 0.8, 3: 0.2}})
    source = torch.tensor([[3, 2]]), torch.tensor([2])
    assert beam.beam_search(model, *source, 4, alpha=0.0)[0].token_ids == [2]
    assert beam.beam_search(model, *source, 4, alpha=1.0)[0].token_ids == [3, 4, 5, 2]


def test_a_sentence_without_an_end_is_cut_at_its_limit():
    model = Table({1: {3: 1.0}, 3: {3: 1.0}})
    source = torch.tensor([[3, 2, 0], [3, 3, 2]]), torch.tensor([2, 3])
    for outputs in (beam.greedy(model, *source), beam.beam_search(model, *source, 3)):
        assert [output.token_ids for output in outputs] == [[3] * 14, [3] * 16]


# Text


@pytest.mark.parametrize("name", ["word", "bpe", "unigram"])
def test_languages_come_back_from_a_checkpoint(name):
    pairs = [("Ein Hund, der bellt.", "A dog that barks."), ("Ein Hund bellt.", "A dog barks.")] * 3
    languages = text.Languages.train(name, pairs, vocab_size=300, min_count=1)
    again = text.Languages.from_dict(languages.to_dict())
    for source, target in pairs:
        ids = again.source.encode(f"  {source.replace(' ', '  ')} ")
        assert ids == languages.source.encode(source) and ids[-1] == text.END
        assert again.source.decode(ids) == source and again.target.decode(again.target.encode(target)) == target
        assert len(again.source.pieces(source)) == len(ids) and again.source.pieces(source)[-1] == "<end>"
        assert min(ids[:-1]) >= text.SPECIAL and max(ids) < again.source.vocab_size


def test_rare_words_become_unk_and_pieces_keep_them():
    languages = text.Languages.train("word", [("a a b", "x x y"), ("a c", "x z")], vocab_size=9, min_count=2)
    source = languages.source
    assert [i == source.unk_id for i in source.encode("a b q.")] == [False, True, True, True, False]
    assert source.pieces("a b q.") == ["a", "b", "q", ".", "<end>"]


def test_an_unknown_word_is_copied_from_where_the_model_looked():
    languages = text.Languages.train("word", [("der die", "the a")], vocab_size=9, min_count=1)
    target = languages.target
    the, a = target.encode("the a")[:2]
    weights = torch.tensor([[1, 0, 0, 0], [0, 0.1, 0.2, 0.7], [0, 1.0, 0, 0], [0, 0, 0, 1.0]])
    output = beam.Output([the, target.unk_id, a, text.END], -1.0, weights)
    found = script.finished(output, languages, "der die Quitte")
    assert found.text == "the Quitte a" and found.copied == ["Quitte"]  # not the end, which has the largest weight
    assert found.target == ["the", "Quitte", "a", "<end>"] and found.source == ["der", "die", "Quitte", "<end>"]
    without = script.finished(output._replace(weights=None), languages, "der die Quitte")
    assert without.text == "the <unk> a" and without.copied == []


def test_batches_hold_every_pair_once_a_pass_with_little_padding():
    draw = random.Random(11)
    rows = [[i % 300 + 3] * draw.randint(1, 30) + [text.END] for i in range(700)]
    loader = text.PairBatches([(row, row) for row in rows], 16, seed=5)
    passes = [[next(loader) for _ in range(loader.steps_per_epoch)] for _ in range(2)]
    for batches in passes:
        assert sorted(i.tolist() for b in batches for i in b.targets[:, 0]) == sorted(row[0] for row in rows)
        places, tokens = sum(b.targets.numel() for b in batches), sum(b.tokens for b in batches)
        assert tokens == sum(map(len, rows)) and places < 1.1 * tokens
    assert passes[0][0].source.tolist() != passes[1][0].source.tolist()
    widths = [b.targets.shape[1] for b in passes[0]]
    assert any(a > b for a, b in pairwise(widths)) and any(a < b for a, b in pairwise(widths))


def test_batches_go_on_where_they_stopped():
    pairs = [([i, text.END], [i, text.END]) for i in range(3, 103)]
    loader, again = (text.PairBatches(pairs, 8, seed=2) for _ in range(2))
    for _ in range(20):  # into the second pass
        next(loader)
    again.load_state_dict(loader.state_dict())
    for _ in range(15):
        assert all(torch.equal(a, b) for a, b in zip(next(loader), next(again), strict=True))
    with pytest.raises(LearnerError, match="batch_size"):
        text.PairBatches(pairs, 4, seed=2).load_state_dict(loader.state_dict())


def test_the_decoder_reads_one_token_behind_what_it_says():
    batch = text.collate([([7, text.END], [4, 5, text.END]), ([8, 9, text.END], [6, text.END])])
    assert batch.inputs.tolist() == [[text.BEGIN, 4, 5], [text.BEGIN, 6, text.PAD]]
    assert batch.targets.tolist() == [[4, 5, text.END], [6, text.END, text.PAD]]
    assert batch.lengths.tolist() == [2, 3] and batch.tokens == 5


# Training

SMALL = ("--embedding-dim", "16", "--hidden-size", "24", "--summary-size", "24", "--batch-size", "16", "--dropout",
         "0.2", "--precision", "float32")  # fmt: skip


def run(monkeypatch, *flags, press_after=10**9):
    """train_translation.py's main in this process, on a few made pairs."""
    monkeypatch.setattr(train, "load_pairs", lambda *_: made_pairs())
    monkeypatch.setattr(train, "CtrlC", PressedAt)
    monkeypatch.setattr(sys, "argv", ["train_translation.py", *map(str, flags)])
    PressedAt.after = press_after
    train.main()


@pytest.mark.parametrize("more", [(), ("--attention", "none", "--label-smoothing", "0.1", "--tokenizer", "bpe",
                                       "--vocab-size", "280")])  # fmt: skip
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    monkeypatch.setattr(train, "settle", lambda *_: 0.1)  # nothing to decide: steps and precision are given
    flags = ("--steps", "20", *SMALL, *more)
    run(monkeypatch, *flags, "--out", tmp_path / "whole")
    run(monkeypatch, *flags, "--out", tmp_path / "parts", press_after=13)
    assert 0 < torch.load(tmp_path / "parts" / "last.pt", weights_only=True)["step"] < 20
    run(monkeypatch, "--resume", "--out", tmp_path / "parts")
    whole, parts = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 20 and whole["tokens"] == parts["tokens"]
    for name, weight in whole["weights"].items():
        assert torch.equal(weight, parts["weights"][name]), f"{name} differs after resuming"
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


def test_a_run_leaves_its_folder_and_can_be_used(tmp_path, monkeypatch, capsys):
    run(monkeypatch, "--steps", "12", *SMALL, "--precision", "auto", "--out", tmp_path)
    for name in ("best.pt", "last.pt", "metrics.jsonl", "summary.json", "loss.png", "samples.txt"):
        assert (tmp_path / name).stat().st_size > 0, name
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    keys = """dataset tokenizer parameters steps tokens_seen train_seconds tokens_per_second val_loss val_loss_last
        val_exact val_bits_per_char floor context_policy seed device precision threads processor torch_version
        git_commit preset argv""".split()
    assert not set(keys) - set(summary)
    assert abs(summary["first_loss"] - torch.tensor(17.0).log().item()) < 0.6
    monkeypatch.setattr(sys, "argv", ["translate.py", "s1 s2 quince", "--checkpoint", str(tmp_path / "best.pt")])
    script.main()
    shown = capsys.readouterr()
    assert "quince: read as <unk>" in shown.err and re.search(r"^ +\S+ +[░▒▓█#*+.]", shown.out, re.MULTILINE)
    monkeypatch.setattr(evaluate, "load_pairs", lambda *_: made_pairs())
    monkeypatch.setattr(evaluate, "bleu", lambda *_: (12.3, "signature"))
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--beam", "2", "--checkpoint", str(tmp_path / "best.pt")])
    evaluate.main()
    shown = capsys.readouterr().out
    assert "30 sentences, beam 2" in shown and "12.3   (signature)" in shown


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        run(monkeypatch, "--steps", "12", *SMALL, "--lr", "1e30", "--clip", "0", "--out", tmp_path)


@pytest.mark.parametrize("flags, line", [(["--summary", "initial"], "attention has no summary"),
                                         (["--label-smoothing", "1"], "below 1")])  # fmt: skip
def test_flags_that_make_no_sense(monkeypatch, flags, line):
    with pytest.raises(LearnerError, match=line):
        run(monkeypatch, *flags)


@pytest.mark.parametrize("flags, preset, dataset", [
    ("", "default", "grammar"), ("--data multi30k", "multi30k", "multi30k"), ("--data grammar", "grammar", "grammar"),
    ("--preset multi30k", "multi30k", "multi30k"), ("--preset quick --dataset multi30k", "quick", "multi30k"),
])  # fmt: skip
def test_pairs_bring_their_preset(monkeypatch, flags, preset, dataset):
    monkeypatch.setattr(sys, "argv", ["train_translation.py", *flags.split()])
    args = train.arguments()
    assert (args.preset, args.dataset) == (preset, dataset)
    assert args.hidden_size == train.PRESETS[preset]["hidden_size"]


def test_without_a_checkpoint_one_line_says_what_to_type(tmp_path):
    with pytest.raises(LearnerError, match="train_translation.py"):
        script.load(tmp_path / "best.pt")


@pytest.mark.parametrize("attention", ["additive", "none"])
def test_a_few_pairs_are_learnt_by_heart(attention):
    pairs = made_pairs(56, longest=4).train
    languages = text.Languages.train("word", pairs, 0, 1)
    sizes = languages.source.vocab_size, languages.target.vocab_size
    torch.manual_seed(0)
    config = network.EncoderDecoderConfig(sizes, 24, 40, attention, "every", 40, dropout=0.0)
    model = network.EncoderDecoder(config)
    args = Namespace(learning_rate=1e-2, weight_decay=0.0, label_smoothing=0.0, clip=1.0)
    optimizer, batch = train.make_optimizer(model, args), text.collate(languages.encode(pairs))
    for _ in range(80):
        loss = train.train_step(model, optimizer, batch, args, torch.device("cpu"), "float32")
    assert loss < 0.1
    outputs = script.translate(model, languages, [source for source, _ in pairs], beam=1)
    assert evaluate.exact_match([output.text for output in outputs], [target for _, target in pairs]) == 1.0


# Measures


def test_exact_match_and_length_bands():
    pairs = [("a b", "x y"), ("a b c d e f", "x"), ("a", "z")]
    assert evaluate.exact_match(["x  y ", "q", "z"], [target for _, target in pairs]) == pytest.approx(2 / 3)
    rows = evaluate.by_length(pairs, ["x y", "q", "z"])
    assert [(row["low"], row["sentences"], row["exact"]) for row in rows] == [(1, 2, 1.0), (6, 1, 0.0)]


def test_bleu_is_sacrebleu_s(monkeypatch):
    pytest.importorskip("sacrebleu")
    outputs = ["The cat sat on the mat today.", "A dog barks very loudly."]
    assert evaluate.bleu(outputs, outputs)[0] == pytest.approx(100.0)
    score, signature = evaluate.bleu([line.lower() for line in outputs], outputs)
    assert 0 < score < 100 and "case:mixed" in signature and "tok:13a" in signature


def test_without_sacrebleu_one_line_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(LearnerError, match="pip install sacrebleu"):
        evaluate.bleu(["a"], ["a"])
    assert evaluate.bleu_or_none(["a"], ["a"]) is None
