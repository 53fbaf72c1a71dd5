"""The translation part of lesson 06: parity, masks, caches, search, training. Run: pytest model-06-transformer"""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shared.console import LearnerError
from shared.lessons import load
from shared.runs import machine
from shared.tests import translators
from shared.tests.networks import random_ids
from shared.tests.translators import VOCAB
from shared.translation import Translation, translate
from shared.translation_runs import Trained

FOLDER = Path(__file__).resolve().parent
train = load(FOLDER / "train_translation.py")
script = load(FOLDER / "translate.py")
evaluate = load(FOLDER / "evaluate.py")
network = load(FOLDER / "encoder_decoder.py")
attention = load(FOLDER.parent / "attention.py")

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = [{}, {"post_norm": True}, {"positions": "learned", "activation": "swiglu"}, {"joint": True}]


def new_model(seed=0, sharp=1.0, vocab_sizes=(VOCAB, VOCAB), **changes):
    """A small float64 model in eval mode; with `sharp` > 1 weights so large that it prefers something untrained."""
    torch.manual_seed(seed)
    given = {"context_length": 32, "embedding_dim": 12, "num_layers": 2, "num_heads": 3, "dropout": 0.0} | changes
    model = network.EncoderDecoder(network.EncoderDecoderConfig(vocab_sizes, **given)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters() if sharp > 1 else ():
            if parameter.dim() == 2:
                parameter.mul_(sharp)
    return model


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


# The network


@pytest.mark.parametrize("changes", KINDS)
@given(seed=st.integers(0, 10**6), more=st.integers(1, 5))
@settings(max_examples=6, deadline=None)
def test_padding_changes_nothing(changes, seed, more):
    translators.check_padding_changes_nothing(new_model(seed, sharp=2.0, **changes), seed, more)


def test_padding_of_the_target_changes_no_loss():
    translators.check_padding_of_the_target_changes_no_loss(new_model(sharp=2.0))


@pytest.mark.parametrize("shown", [(-1, None), (0, None), (1, 2)])
def test_weights_are_a_distribution_over_the_tokens(shown):
    model = new_model()
    model.shown = shown
    translators.check_weights_are_a_distribution_over_the_tokens(model)


def test_shown_weights_are_those_of_a_layer_and_head():
    model, inputs = new_model(sharp=2.0), random_ids(0, VOCAB, 2, 5)
    memory = model.encode(random_ids(1, VOCAB, 2, 6), torch.tensor([6, 4]))
    maps = torch.stack(model.read(inputs, memory)[2])
    assert maps.shape == (2, 2, 3, 5, 6) and len(maps.flatten(0, 2).unique(dim=0)) > 3
    for shown, expected in (((-1, None), maps[1].mean(dim=1)), ((0, 2), maps[0][:, 2])):
        model.shown = shown
        assert_same(model.decode(inputs, memory)[2], expected)


@pytest.mark.parametrize("changes", KINDS)
@given(seed=st.integers(0, 10**6), place=st.integers(0, 6))
@settings(max_examples=8, deadline=None)
def test_the_decoder_sees_no_later_target_and_all_of_the_source(changes, seed, place):
    model, inputs, other = new_model(seed, sharp=2.0, **changes), *(random_ids(seed + i, VOCAB, 2, 7) for i in range(2))
    source, lengths = random_ids(seed, VOCAB, 2, 6), torch.tensor([6, 6])
    changed = torch.cat([inputs[:, :place], other[:, place:]], dim=1)
    logits, after = (model(source, lengths, ids) for ids in (inputs, changed))
    assert_same(after[:, :place], logits[:, :place])
    for end in (0, 5):  # the first target token already sees both ends of the source
        elsewhere = source.clone()
        elsewhere[:, end] = (source[:, end] + 1) % VOCAB
        assert (model(elsewhere, lengths, inputs) - logits)[:, 0].abs().amax(dim=1).min() > 1e-9


@pytest.mark.parametrize("changes", KINDS)
def test_teacher_forcing_is_decoding_step_by_step(changes):
    translators.check_teacher_forcing_is_decoding_step_by_step(new_model(sharp=2.0, **changes))


@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(0, 9), max_size=4))
@settings(max_examples=15, deadline=None)
def test_the_cache_gives_what_reading_all_again_would(seed, cuts):
    """In any pieces; beyond context_length, too, where all positions are the last one."""
    model, inputs = new_model(seed, sharp=2.0, context_length=6), random_ids(seed, VOCAB, 2, 9)
    memory = model.encode(random_ids(seed, VOCAB, 2, 8), torch.tensor([8, 3]))
    whole, state, logits, cuts = model.decode(inputs, memory)[0], None, [], [0, *sorted(cuts), 9]
    for start, end in zip(cuts, cuts[1:], strict=False):
        if start < end:
            old = state
            step, state, _ = model.decode(inputs[:, start:end], memory, state)
            logits.append(step)
            assert state[0][0].shape[2] == end and (old is None or old[0][0].shape[2] == start)  # not in place
    assert_same(torch.cat(logits, dim=1), whole)


def test_the_memory_s_keys_and_values_are_computed_once(monkeypatch):
    model, read = new_model(), []
    kind = type(model.decoder[0].cross_attention)
    before = kind.read
    monkeypatch.setattr(kind, "read", lambda self, memory: read.append(memory.shape) or before(self, memory))
    memory, state = model.encode(random_ids(0, VOCAB, 2, 6), torch.tensor([6, 4])), None
    for token in random_ids(1, VOCAB, 2, 5).split(1, dim=1):
        _, state, _ = model.decode(token, memory, state)
    assert read == [(2, 6, 12)] * 2  # once for each layer
    twice = memory.rows(torch.tensor([1, 1, 0]))
    assert torch.equal(twice.mask[0], twice.mask[1]) and torch.equal(twice.mask[2], memory.mask[0])
    assert torch.equal(twice.caches[1][0][2], memory.caches[1][0][0]) and twice.hidden.shape == (3, 6, 12)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("post_norm", [True, False])
@given(seed=st.integers(0, 1000), heads=st.integers(1, 3), num_layers=st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_parity_with_pytorch(post_norm, seed, heads, num_layers):
    """nn.Transformer with the same weights: hidden vectors of the encoder, logits, and the gradients of both."""
    torch.manual_seed(seed)
    C, lengths = 4 * heads, torch.tensor([7, 3, 1])
    theirs = nn.Transformer(C, heads, num_layers, num_layers, 4 * C, 0.0, "relu", batch_first=True,
                            norm_first=not post_norm).double()  # fmt: skip
    if post_norm:  # PyTorch has one more norm at the end of each stack, the paper has none
        theirs.encoder.norm = theirs.decoder.norm = None
    model = new_model(embedding_dim=C, num_heads=heads, num_layers=num_layers, post_norm=post_norm).train()
    pairs = []  # (ours, theirs), module by module
    for block, layer in zip(model.encoder, theirs.encoder.layers, strict=True):
        pairs += [(block.norm1, layer.norm1), (block.norm2, layer.norm2)]
    for block, layer in zip(model.decoder, theirs.decoder.layers, strict=True):
        pairs += [(block.norm1, layer.norm1), (block.norm2, layer.norm2), (block.norm3, layer.norm3)]
        block.cross_attention = attention.MultiHeadAttention.from_torch(layer.multihead_attn)
    for block, layer in zip([*model.encoder, *model.decoder], [*theirs.encoder.layers, *theirs.decoder.layers],
                            strict=True):  # fmt: skip
        pairs += [(block.feed_forward.up, layer.linear1), (block.feed_forward.down, layer.linear2)]
        block.attention = attention.MultiHeadAttention.from_torch(layer.self_attn)
    if not post_norm:
        pairs += [(model.encoder_norm, theirs.encoder.norm), (model.decoder_norm, theirs.decoder.norm)]
    for ours, other in pairs:
        nn.init.normal_(other.weight)
        nn.init.normal_(other.bias)
        ours.load_state_dict(other.state_dict())
    source, inputs = random_ids(seed, VOCAB, 3, 7), random_ids(seed + 1, VOCAB, 3, 5)
    padding = torch.arange(7) >= lengths[:, None]
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    x, y = model.embed(model.source_embedding, source), model.embed(model.embedding, inputs)
    hidden = theirs.encoder(x, src_key_padding_mask=padding)
    assert_same(model.encode(source, lengths).hidden[~padding], hidden[~padding])
    expected = theirs(x, y, tgt_mask=future, src_key_padding_mask=padding, memory_key_padding_mask=padding)
    expected, found = expected @ model.lm_head.weight.t(), model(source, lengths, inputs)
    assert_same(found, expected)
    weights = [model.embedding.weight, model.source_embedding.weight, *[ours.weight for ours, _ in pairs]]
    share = torch.randn_like(found)
    ours = torch.autograd.grad((share * found).sum(), weights)
    others = weights[:2] + [other.weight for _, other in pairs]
    for one, other in zip(ours, torch.autograd.grad((share * expected).sum(), others), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_embeddings_are_shared_as_far_as_vocabularies_are():
    apart, joint = new_model(vocab_sizes=(9, 13)), new_model(joint=True)
    assert apart.lm_head.weight is apart.embedding.weight and len(apart.source_embedding.weight) == 9
    assert joint.lm_head.weight is joint.embedding.weight is joint.source_embedding.weight
    other = new_model(1, joint=True)
    other.load_state_dict(joint.state_dict())
    assert other.lm_head.weight is other.source_embedding.weight
    batch = random_ids(0, VOCAB, 2, 4), torch.tensor([4, 2]), random_ids(1, VOCAB, 2, 3)
    assert torch.equal(other(*batch), joint(*batch))


def test_positions_tell_the_order():
    for changes in KINDS:
        model, lengths = new_model(sharp=2.0, **changes), torch.tensor([3])
        inputs, rows = torch.tensor([[1, 4, 5]]), ([[4, 5, 6]], [[5, 4, 6]])
        one, other = (model(torch.tensor(row), lengths, inputs) for row in rows)
        assert not torch.allclose(one, other)
    swapped = model.embed(model.embedding, inputs, start=2) - model.embed(model.embedding, inputs)
    assert_same(swapped[0], (model.sinusoids[2:5] - model.sinusoids[:3]).double())


@pytest.mark.parametrize("changes", KINDS)
def test_gradients_reach_every_weight_and_the_first_source_token(changes):
    translators.check_gradients_reach_every_weight_and_the_first_source_token(new_model(**changes))


@pytest.mark.parametrize("changes", KINDS)
def test_the_first_loss_is_near_ln_v(changes):
    for embedding_dim in (64, 256):
        model = new_model(vocab_sizes=(500, 500), embedding_dim=embedding_dim, num_heads=4, **changes)
        translators.check_the_first_loss_is_near_ln_v(model.float())


def test_dropout_acts_in_training_only():
    model = new_model(dropout=0.5)
    batch = random_ids(0, VOCAB, 2, 4), torch.tensor([4, 2]), random_ids(1, VOCAB, 2, 3)
    assert torch.equal(model(*batch), model(*batch))
    model.train()
    assert not torch.allclose(model(*batch), model(*batch))


# Search


@pytest.mark.parametrize("changes", KINDS)
@given(seed=st.integers(0, 10**6), width=st.integers(1, 5), alpha=st.sampled_from([0.0, 0.6, 1.0]))
@settings(max_examples=4, deadline=None)
def test_a_batch_gives_what_its_sentences_give_one_at_a_time(changes, seed, width, alpha):
    model = new_model(seed, sharp=3.0, **changes)
    translators.check_a_batch_gives_what_its_sentences_give_one_at_a_time(model, seed, width, alpha)


@pytest.mark.parametrize("changes", KINDS[:2])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=5, deadline=None)
def test_a_beam_of_one_is_greedy(changes, seed):
    translators.check_a_beam_of_one_is_greedy(new_model(seed, sharp=3.0, **changes), seed)


@pytest.mark.parametrize("changes", KINDS[:2])
def test_outputs_are_well_formed_and_their_probability_is_right(changes):
    model = new_model(2, sharp=3.0, **changes)
    translators.check_outputs_are_well_formed_and_their_probability_is_right(model)


# Training

SMALL = ("--embedding-dim", "16", "--num-layers", "1", "--num-heads", "2", "--batch-size", "16", "--dropout", "0.2",
         "--warmup", "5", "--precision", "float32")  # fmt: skip


OTHER = ("--positions", "learned", "--post-norm", "--joint", "--label-smoothing", "0.1", "--decay", "inverse_sqrt",
         "--tokenizer", "bpe", "--vocab-size", "280")  # fmt: skip


@pytest.mark.parametrize("more", [(), OTHER])
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    translators.check_resume_is_bit_for_bit(train, tmp_path, monkeypatch, *SMALL, *more)


def test_a_run_leaves_its_folder_and_can_be_used(tmp_path, monkeypatch, capsys):
    translators.check_a_run_leaves_its_folder_and_can_be_used(
        train, script, evaluate, tmp_path, monkeypatch, capsys, *SMALL
    )
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["settings"]["warmup"] == 2  # 5 were asked for; a tenth of 12 steps
    monkeypatch.setattr(sys, "argv", ["translate.py", "s1", "--checkpoint", str(tmp_path / "best.pt"), "--head", "3"])
    with pytest.raises(LearnerError, match="--head 3: this model has 2"):
        script.main()
    (tmp_path / "lines.txt").write_text("s1 s2\n\ns3\n", encoding="utf-8")
    flags = ["--file", tmp_path / "lines.txt", "--checkpoint", tmp_path / "best.pt", "--layer", 1, "--head", 2]
    monkeypatch.setattr(sys, "argv", ["translate.py", *map(str, flags)])
    capsys.readouterr()
    script.main()
    assert [bool(line) for line in capsys.readouterr().out.splitlines()][1] is False


def test_the_shell_goes_on_after_what_cannot_be_translated(tmp_path, monkeypatch, capsys, typed):
    translators.run(train, monkeypatch, "--steps", "2", *SMALL, "--out", tmp_path)
    monkeypatch.setattr(sys, "argv", ["translate.py", "--checkpoint", str(tmp_path / "best.pt")])
    capsys.readouterr()
    typed("s1 s2", "", "quince")
    script.main()
    shown = capsys.readouterr()
    assert shown.out.startswith("Type a sentence") and "s1" not in shown.err and "quince: read as <unk>" in shown.err


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        translators.run(train, monkeypatch, "--steps", "12", *SMALL, "--lr", "1e30", "--clip", "0", "--out", tmp_path)


@pytest.mark.parametrize("flags, line", [
    (["--label-smoothing", "1"], "below 1"),
    (["--positions", "rotary"], "--positions rotary: take sinusoidal or learned"),
    (["--num-heads", "3"], "--num-heads 3 does not divide --embedding-dim 128"),
    (["--activation", "tanh"], "--activation tanh: no such choice"),
])  # fmt: skip
def test_flags_that_make_no_sense(monkeypatch, tmp_path, flags, line):
    with pytest.raises(LearnerError, match=line):
        translators.run(train, monkeypatch, *flags, "--out", tmp_path)


@pytest.mark.parametrize("flags, preset, dataset", [
    ("", "default", "grammar"), ("--data multi30k", "multi30k", "multi30k"),
    ("--preset quick --dataset multi30k", "quick", "multi30k"),
])  # fmt: skip
def test_pairs_bring_their_preset(monkeypatch, flags, preset, dataset):
    monkeypatch.setattr(sys, "argv", ["train_translation.py", *flags.split()])
    args = train.arguments()
    assert (args.preset, args.dataset) == (preset, dataset)
    assert args.embedding_dim == train.PRESETS[preset]["embedding_dim"]


def test_without_a_checkpoint_one_line_says_what_to_type(tmp_path):
    with pytest.raises(LearnerError, match="train_translation.py"):
        script.load(tmp_path / "best.pt")


@pytest.mark.parametrize("changes", [{}, {"positions": "learned", "post_norm": True}])
def test_a_few_pairs_are_learnt_by_heart(changes):
    args = Namespace(optimizer="adamw", learning_rate=5e-3, weight_decay=0.0, label_smoothing=0.0, clip=1.0)

    def model(sizes):
        return new_model(vocab_sizes=sizes, embedding_dim=32, num_layers=1, num_heads=4, **changes).float().train()

    translators.check_a_few_pairs_are_learnt_by_heart(model, train, args, steps=100)


# experiments/


def test_the_transformer_stands_beside_the_gru(tmp_path, monkeypatch, capsys):
    experiment = load(FOLDER / "experiments" / "against_gru.py")
    run = tmp_path / "run"
    translators.run(train, monkeypatch, "--steps", "3", *SMALL, "--seed", "7", "--out", run)
    model, languages, _ = script.load(run / "best.pt")
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8")) | {"dataset": "multi30k"}
    asked = []

    def trained(name, args, *flags):
        asked.append((name, args.minutes, flags))
        return Trained(model, languages, summary)

    monkeypatch.setattr(experiment, "trained", trained)
    lesson = tmp_path / "model-00-tiny"
    lesson.mkdir()
    monkeypatch.setattr(experiment, "LESSON", lesson)
    monkeypatch.setattr("shared.translation_runs.test_pairs", lambda name: translators.made_pairs().test)
    monkeypatch.setattr("shared.translation_runs.bleu", lambda *_: (20.0 + len(asked), "signature"))
    monkeypatch.setattr(sys, "argv", ["experiments/against_gru.py", "--minutes", "2", "--seeds", "4", "5"])
    monkeypatch.setattr(experiment, "GRU", tmp_path / "none.json")
    experiment.main()
    assert "seeds.py" in capsys.readouterr().err  # what to run for the other row
    gru = {"rows": [["GRU", 1, "5", "1.9", 2.0, 0.0, 30.0, 29.0, 31.0]], "runs": [], "preset": "multi30k",
           "seeds": [4, 5], "beam": 1, "signature": "signature", **machine()}  # fmt: skip
    for budget, warned in ((2.0, False), (9.0, True)):
        experiment.GRU.write_text(json.dumps(gru | {"budget": budget}), encoding="utf-8")
        asked.clear()
        experiment.main()
        assert ("budget" in capsys.readouterr().err) == warned
        assert asked == [(f"seeds-multi30k-{seed}", 2.0, ("--seed", seed)) for seed in (4, 5)]
        found = json.loads((lesson / "results" / "translation_against_gru.json").read_text(encoding="utf-8"))
        assert found["rows"][0] == gru["rows"][0] and found["rows"][1][0] == "Transformer"
        assert found["rows"][1][-3:] == [21.5, 21.0, 22.0] and [run["bleu"] for run in found["runs"]] == [21.0, 22.0]
        assert found["signature"] == "signature" and found["budget"] == 2.0


def test_each_head_is_looked_at_alone_and_lesson_04_stands_beside(tmp_path, monkeypatch, capsys):
    experiment, run = load(FOLDER / "experiments" / "grammar.py"), tmp_path / "run"
    translators.run(train, monkeypatch, "--steps", "3", *SMALL, "--out", run)
    model, languages, checkpoint = script.load(run / "best.pt")
    found = experiment.looks(model, languages, ["s1 s2 s3"])
    assert sorted(found) == [(0, 0), (0, 1)]
    first, second = (found[0, head][0].weights for head in (0, 1))
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.sum(dim=1), torch.ones(len(first)))
    model.shown = 0, None
    assert torch.allclose((first + second) / 2, translate(model, languages, ["s1 s2 s3"])[0].weights, atol=1e-6)

    lesson, before = tmp_path / "model-00-tiny", tmp_path / "length.json"
    lesson.mkdir()
    columns = ["decoder", "source words", "sentences", "exact match"]
    rows = [["with attention", "1 to 5", 9, 0.75], ["with attention", "all", 9, 0.5],
            ["one fixed vector", "all", 9, 0.1]]  # fmt: skip
    before.write_text(json.dumps({"columns": columns, "rows": rows}), encoding="utf-8")
    for name, value in {"LESSON": lesson, "OTHER": before, "load_pairs": lambda _: translators.made_pairs(),
                        "load": lambda _: (model, languages, checkpoint | {"dataset": "grammar"}),
                        "translate": right_at_once}.items():  # fmt: skip
        monkeypatch.setattr(experiment, name, value)
    monkeypatch.setattr(experiment, "outputs_of", lambda model, languages, pairs: right_at_once(
        model, languages, [source for source, _ in pairs]))  # fmt: skip
    monkeypatch.setattr(experiment, "WORDS", (2, 6))
    monkeypatch.setattr(sys, "argv", ["experiments/grammar.py"])
    experiment.main()
    table, heads = (json.loads((lesson / "results" / f"translation_{name}.json").read_text(encoding="utf-8"))
                    for name in ("grammar", "heads"))  # fmt: skip
    assert [row[2:] for row in table["rows"]] == [[0.75, 1.0], [None, 1.0], [0.5, 1.0]]
    assert heads["rows"] == [[1, 1, 0.5], [1, 2, 0.5]] and (lesson / "results" / "translation_heads.png").exists()


def right_at_once(model, languages, sentences: list[str]) -> list[Translation]:
    """What made_pairs() asks for, all of it seen from two places alike."""
    answers, found = dict(translators.made_pairs().test), []
    for sentence in sentences:
        words = sentence.split()
        weights = torch.zeros(len(words) + 1, len(words) + 1)
        weights[:, :2] = 0.5
        target = [*answers[sentence].split(), "<end>"]
        found.append(Translation(answers[sentence], [*words, "<end>"], target, weights, []))
    return found
