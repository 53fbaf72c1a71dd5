"""What every model that translates must do; lessons 04 and 06 call these with models of their own.

A model is asked as shared/beam.py says. `new_model(seed, sharp)` makes a small one for VOCAB tokens, float64, in eval
mode; with sharp > 1 one that prefers something untrained, and ends now and then.
"""

import json
import random
import re
import sys

import pytest
import torch
from torch.nn.functional import cross_entropy

from shared import beam
from shared.data.pairs import Pairs
from shared.data.sentence_pairs import BEGIN, END, PAD, SPECIAL, Languages, collate, collate_source
from shared.tests.training import PressedAt, losses
from shared.translation import translate
from shared.translation_scores import exact_match, loss_of

VOCAB = 11


def sentences(draw: random.Random, count: int, longest=9, vocab_size=VOCAB) -> list[list[int]]:
    """Rows of ids, the end last."""
    return [[draw.randrange(SPECIAL, vocab_size) for _ in range(draw.randint(0, longest))] + [END]
            for _ in range(count)]  # fmt: skip


def made_pairs(count=300, seed=0, shortest=2, longest=6) -> Pairs:
    """Two halves change places, every word is another one in the target language."""
    draw, rows = random.Random(seed), []
    for _ in range(count):
        words = [draw.randrange(12) for _ in range(draw.randint(shortest, longest))]
        half = len(words) // 2
        rows.append((" ".join(f"s{i}" for i in words), " ".join(f"t{i}" for i in words[half:] + words[:half])))
    return Pairs("made", rows[: count - 40], rows[count - 40 : count - 30], rows[count - 30 :], "made up in a test")


# The network


def check_padding_changes_nothing(model, seed: int, more: int) -> None:
    rows, inputs = sentences(random.Random(seed), 4), torch.randint(0, VOCAB, (4, 5))
    source, lengths = collate_source(rows)
    padded = torch.cat([source, torch.full((4, more), PAD)], dim=1)
    together, wider = model(source, lengths, inputs), model(padded, lengths, inputs)
    assert torch.allclose(together, wider, rtol=0, atol=1e-10)
    for row, ids in enumerate(rows):
        alone = model(torch.tensor([ids]), lengths[row : row + 1], inputs[row : row + 1])
        assert torch.allclose(together[row], alone[0], rtol=0, atol=1e-10)


def check_padding_of_the_target_changes_no_loss(model) -> None:
    draw = random.Random(1)
    pairs = list(zip(sentences(draw, 6), sentences(draw, 6), strict=True))

    def total(pairs):
        batch = collate(pairs)
        logits = model(batch.source, batch.lengths, batch.inputs).flatten(0, 1)
        return cross_entropy(logits, batch.targets.flatten(), ignore_index=PAD, reduction="sum").item()

    assert total(pairs) == pytest.approx(sum(total([pair]) for pair in pairs), abs=1e-9)
    tokens = sum(len(target) for _, target in pairs)
    assert loss_of(model, pairs, batch_size=4) == pytest.approx(total(pairs) / tokens, abs=1e-9)


def check_weights_are_a_distribution_over_the_tokens(model) -> None:
    rows = sentences(random.Random(2), 5)
    source, lengths = collate_source(rows)
    _, _, weights = model.decode(torch.randint(0, VOCAB, (5, 4)), model.encode(source, lengths))
    assert weights.shape == (5, 4, source.shape[1])
    assert torch.allclose(weights.sum(dim=2), torch.ones(5, 4).double())
    real = torch.arange(source.shape[1]) < lengths[:, None]
    assert (weights.transpose(1, 2)[~real] == 0).all() and (weights.transpose(1, 2)[real] > 0).all()


def check_teacher_forcing_is_decoding_step_by_step(model) -> None:
    inputs, state, logits = torch.randint(0, VOCAB, (3, 6)), None, []
    memory = model.encode(*collate_source(sentences(random.Random(5), 3)))
    with torch.no_grad():
        for token in inputs.unbind(1):
            step, state, _ = model.decode(token[:, None], memory, state)
            logits.append(step)
    whole, last, _ = model.decode(inputs, memory)
    assert torch.allclose(torch.cat(logits, dim=1), whole, rtol=0, atol=1e-10)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-10)


def check_gradients_reach_every_weight_and_the_first_source_token(model) -> None:
    batch = collate([([7, 4, 5, END], [4, 5, END]), ([9, 10, END], [5, END])])
    logits = model(batch.source, batch.lengths, batch.inputs)
    cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=PAD).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert (model.source_embedding.weight.grad[[7, 9]].abs().sum(dim=1) > 0).all()


def check_the_first_loss_is_near_ln_v(model) -> None:
    """A model for 500 tokens."""
    draw = random.Random(9)
    pairs = list(zip(sentences(draw, 40, 30, 500), sentences(draw, 40, 30, 500), strict=True))
    assert abs(loss_of(model, pairs) - torch.tensor(500.0).log().item()) < 0.3


# Search


def check_a_batch_gives_what_its_sentences_give_one_at_a_time(model, seed: int, width: int, alpha: float) -> None:
    rows = sentences(random.Random(seed), 3, longest=5)
    for search in (lambda *x: beam.beam_search(model, *x, width, alpha), lambda *x: beam.greedy(model, *x)):
        together = search(*collate_source(rows))
        for row, output in zip(rows, together, strict=True):
            alone = search(*collate_source([row]))[0]
            assert output.token_ids == alone.token_ids
            assert output.log_prob == pytest.approx(alone.log_prob, abs=1e-10)
            if output.weights is not None:
                assert torch.allclose(output.weights, alone.weights, rtol=0, atol=1e-10)


def check_a_beam_of_one_is_greedy(model, seed: int) -> None:
    batch = collate_source(sentences(random.Random(seed), 6, longest=5))
    for one, other in zip(beam.beam_search(model, *batch, 1), beam.greedy(model, *batch), strict=True):
        assert one.token_ids == other.token_ids
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-10)
        assert one.weights is None or torch.allclose(one.weights, other.weights)


def check_outputs_are_well_formed_and_their_probability_is_right(model) -> None:
    rows = sentences(random.Random(10), 8)
    source, lengths = collate_source(rows)
    outputs = beam.beam_search(model, source, lengths, 4)
    assert len({len(output.token_ids) for output in outputs}) > 1
    for row, output in zip(rows, outputs, strict=True):
        limit = 2 * len(row) + 10
        assert 1 <= len(output.token_ids) <= limit and not {PAD, BEGIN} & set(output.token_ids)
        assert END not in output.token_ids[:-1]
        assert output.token_ids[-1] == END or len(output.token_ids) == limit
        inputs = torch.tensor([[BEGIN, *output.token_ids[:-1]]])
        log_probs = model(torch.tensor([row]), torch.tensor([len(row)]), inputs)[0].log_softmax(dim=1)
        total = sum(log_probs[t, i].item() for t, i in enumerate(output.token_ids))
        assert output.log_prob == pytest.approx(total, abs=1e-9)
        assert output.weights is None or output.weights.shape == (len(output.token_ids), len(row))


# Training: `train`, `translate` and `evaluate` are the modules of a translation folder


def run(train, monkeypatch, *flags, press_after=10**9) -> None:
    """train_translation.py's main in this process, on a few made pairs."""
    monkeypatch.setattr(train, "load_pairs", lambda *_: made_pairs())
    monkeypatch.setattr(train, "CtrlC", PressedAt)
    monkeypatch.setattr(sys, "argv", ["train_translation.py", *map(str, flags)])
    PressedAt.after = press_after
    train.main()


def check_resume_is_bit_for_bit(train, tmp_path, monkeypatch, *flags) -> None:
    monkeypatch.setattr(train, "settle", lambda *_: 0.1)  # nothing to decide: steps and precision are given
    flags = ("--steps", "20", *flags)
    run(train, monkeypatch, *flags, "--out", tmp_path / "whole")
    run(train, monkeypatch, *flags, "--out", tmp_path / "parts", press_after=13)
    assert 0 < torch.load(tmp_path / "parts" / "last.pt", weights_only=True)["step"] < 20
    run(train, monkeypatch, "--resume", "--out", tmp_path / "parts")
    whole, parts = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 20 and whole["tokens"] == parts["tokens"]
    for name, weight in whole["weights"].items():
        assert torch.equal(weight, parts["weights"][name]), f"{name} differs after resuming"
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


def check_a_run_leaves_its_folder_and_can_be_used(train, script, evaluate, tmp_path, monkeypatch, capsys, *flags):
    run(train, monkeypatch, "--steps", "12", *flags, "--precision", "auto", "--out", tmp_path)
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
    monkeypatch.setattr("shared.translation_scores.load_pairs", lambda *_: made_pairs())
    monkeypatch.setattr("shared.translation_scores.bleu", lambda *_: (12.3, "signature"))
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--beam", "2", "--checkpoint", str(tmp_path / "best.pt")])
    evaluate.main()
    shown = capsys.readouterr().out
    assert "30 sentences, beam 2" in shown and "12.3   (signature)" in shown


def check_a_few_pairs_are_learnt_by_heart(new_model, train, args, steps: int) -> None:
    """new_model(vocab_sizes) is float32 here; args: what train_step and make_optimizer of `train` need."""
    pairs = made_pairs(56, longest=4).train
    languages = Languages.train("word", pairs, 0, 1)
    torch.manual_seed(0)
    model = new_model((languages.source.vocab_size, languages.target.vocab_size))
    optimizer, batch = train.make_optimizer(model, args), collate(languages.encode(pairs))
    for _ in range(steps):
        loss = train.train_step(model, optimizer, batch, args, torch.device("cpu"), "float32")
    assert loss < 0.1
    outputs = translate(model, languages, [source for source, _ in pairs], beam=1)
    assert exact_match([output.text for output in outputs], [target for _, target in pairs]) == 1.0
