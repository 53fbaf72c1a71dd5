"""The translation part of lesson 04: padding, attention, search, training. Run: pytest model-04-gru/translation"""

import json
import random
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.console import LearnerError
from shared.data.sentence_pairs import END, PAD, collate_source
from shared.lessons import load
from shared.tests import translators
from shared.tests.translators import VOCAB, sentences
from shared.translation_runs import Trained

FOLDER = Path(__file__).resolve().parent
train = load(FOLDER / "train_translation.py")
script = load(FOLDER / "translate.py")
evaluate = load(FOLDER / "evaluate.py")
network = load(FOLDER / "encoder_decoder.py")

pytestmark = pytest.mark.usefixtures("one_thread")
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
            model.lm_head.bias[END] = 6.0  # and ends now and then
    return model


# The network


@pytest.mark.parametrize("changes", KINDS)
@given(seed=st.integers(0, 10**6), more=st.integers(1, 5))
@settings(max_examples=6, deadline=None)
def test_padding_changes_nothing(changes, seed, more):
    translators.check_padding_changes_nothing(new_model(seed, **changes), seed, more)


def test_padding_of_the_target_changes_no_loss():
    translators.check_padding_of_the_target_changes_no_loss(new_model())


def test_weights_are_a_distribution_over_the_tokens():
    translators.check_weights_are_a_distribution_over_the_tokens(new_model())


def test_attention_is_that_of_the_paper():
    """Bahdanau et al. 2015, appendix A.1.2, with tanh and one sentence at a time."""
    model, rows = new_model(), sentences(random.Random(3), 3)
    source, lengths = collate_source(rows)
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
    together = model(*collate_source(rows), inputs)
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
    memory = model.encode(*collate_source(sentences(random.Random(4), 3)))
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
    translators.check_teacher_forcing_is_decoding_step_by_step(new_model(**changes))


def test_the_ablation_lets_the_summary_into_the_first_state_only():
    inputs, state = torch.randint(0, VOCAB, (2, 4)), torch.randn(2, 6).double()
    for summary, same in (("initial", True), ("every", False)):
        model = new_model(attention="none", summary=summary)
        one, other = (model.encode(*collate_source(sentences(random.Random(seed), 2))) for seed in (6, 7))
        assert not torch.allclose(one.state, other.state)
        outputs = [model.decode(inputs, memory, state)[0] for memory in (one, other)]
        assert torch.equal(*outputs) == same


@pytest.mark.parametrize("changes", KINDS)
def test_gradients_reach_every_weight_and_the_first_source_token(changes):
    model = new_model(**changes)
    translators.check_gradients_reach_every_weight_and_the_first_source_token(model)
    assert (model.source_embedding.weight.grad[PAD] == 0).all()


@pytest.mark.parametrize("changes", KINDS)
def test_the_first_loss_is_near_ln_v(changes):
    sizes = {"embedding_dim": 64, "hidden_size": 96, "summary_size": 96, "vocab_size": 500}
    translators.check_the_first_loss_is_near_ln_v(new_model(**sizes, **changes))


# Search


@pytest.mark.parametrize("changes", KINDS[:2])
@given(seed=st.integers(0, 10**6), width=st.integers(1, 5), alpha=st.sampled_from([0.0, 0.6, 1.0]))
@settings(max_examples=5, deadline=None)
def test_a_batch_gives_what_its_sentences_give_one_at_a_time(changes, seed, width, alpha):
    model = new_model(seed, sharp=3.0, **changes)
    translators.check_a_batch_gives_what_its_sentences_give_one_at_a_time(model, seed, width, alpha)


@pytest.mark.parametrize("changes", KINDS[:2])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=6, deadline=None)
def test_a_beam_of_one_is_greedy(changes, seed):
    translators.check_a_beam_of_one_is_greedy(new_model(seed, sharp=3.0, **changes), seed)


@pytest.mark.parametrize("changes", KINDS[:2])
def test_outputs_are_well_formed_and_their_probability_is_right(changes):
    model = new_model(2, sharp=3.0, **changes)
    translators.check_outputs_are_well_formed_and_their_probability_is_right(model)


# Training

SMALL = ("--embedding-dim", "16", "--hidden-size", "24", "--summary-size", "24", "--batch-size", "16", "--dropout",
         "0.2", "--precision", "float32")  # fmt: skip


@pytest.mark.parametrize("more", [(), ("--attention", "none", "--label-smoothing", "0.1", "--tokenizer", "bpe",
                                       "--vocab-size", "280")])  # fmt: skip
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    translators.check_resume_is_bit_for_bit(train, tmp_path, monkeypatch, *SMALL, *more)


def test_a_run_leaves_its_folder_and_can_be_used(tmp_path, monkeypatch, capsys):
    translators.check_a_run_leaves_its_folder_and_can_be_used(
        train, script, evaluate, tmp_path, monkeypatch, capsys, *SMALL
    )


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        translators.run(train, monkeypatch, "--steps", "12", *SMALL, "--lr", "1e30", "--clip", "0", "--out", tmp_path)


@pytest.mark.parametrize("flags, line", [(["--summary", "initial"], "attention has no summary"),
                                         (["--label-smoothing", "1"], "below 1")])  # fmt: skip
def test_flags_that_make_no_sense(monkeypatch, flags, line):
    with pytest.raises(LearnerError, match=line):
        translators.run(train, monkeypatch, *flags)


@pytest.mark.parametrize("flags, preset, dataset", [
    ("", "default", "grammar"), ("--data multi30k", "multi30k", "multi30k"), ("--data grammar", "grammar", "grammar"),
    ("--preset multi30k", "multi30k", "multi30k"), ("--preset quick --dataset multi30k", "quick", "multi30k"),
])  # fmt: skip
def test_pairs_bring_their_preset(monkeypatch, flags, preset, dataset):
    monkeypatch.setattr(sys, "argv", ["train_translation.py", *flags.split()])
    args = train.arguments()
    assert (args.preset, args.dataset) == (preset, dataset)
    assert args.hidden_size == train.PRESETS[preset]["hidden_size"]


def test_the_experiment_with_seeds_writes_what_lesson_06_reads(tmp_path, monkeypatch):
    experiment, lesson = load(FOLDER / "experiments" / "seeds.py"), tmp_path / "model-00-tiny"
    lesson.mkdir()
    summary = {"seed": 1, "parameters": 8, "steps": 5, "train_seconds": 120.0, "val_loss": 2.0, "precision": "float32",
               "threads": 1, "dataset": "multi30k"}  # fmt: skip
    monkeypatch.setattr(experiment, "trained", lambda *_: Trained(None, None, summary))
    monkeypatch.setattr(experiment, "LESSON", lesson)
    monkeypatch.setattr("shared.translation_runs.on_test", lambda *_: ([("a", "x"), ("b", "y")], ["x", "z"]))
    monkeypatch.setattr("shared.translation_runs.bleu", lambda *_: (20.0, "signature"))
    for flags, budget, name in (((), 30.0, "translation_seeds"), (("--steps", "9", "--preset", "grammar"), None,
                                                                  "translation_seeds_grammar")):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["experiments/seeds.py", *flags])
        experiment.main()
        found = json.loads((lesson / "results" / f"{name}.json").read_text(encoding="utf-8"))
        assert found["rows"] == [["GRU with attention", 8, "5", "2.0", 2.0, 0.5, 20.0, 20.0, 20.0]]
        assert found["budget"] == budget and found["signature"] == "signature" and len(found["runs"]) == 3


def test_without_a_checkpoint_one_line_says_what_to_type(tmp_path):
    with pytest.raises(LearnerError, match="train_translation.py"):
        script.load(tmp_path / "best.pt")


@pytest.mark.parametrize("attention", ["additive", "none"])
def test_a_few_pairs_are_learnt_by_heart(attention):
    args = Namespace(learning_rate=1e-2, weight_decay=0.0, label_smoothing=0.0, clip=1.0)

    def model(sizes):
        config = network.EncoderDecoderConfig(sizes, 24, 40, attention, "every", 40, dropout=0.0)
        return network.EncoderDecoder(config)

    translators.check_a_few_pairs_are_learnt_by_heart(model, train, args, steps=80)
