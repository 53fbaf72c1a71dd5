"""Lesson 04's train.py: resuming with carried state, the run folder, the published presets. Run: pytest model-04-gru"""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from shared.console import LearnerError
from shared.lessons import load
from shared.tests.training import check_resume_is_bit_for_bit, check_run_folder

LESSON = Path(__file__).resolve().parent
SMALL = ("--embedding-dim", "8", "--hidden-size", "8", "--chunk-length", "8", "--batch-size", "4")
MORE = [("--dropout", "0.3"), ("--reset-after", "--no-carry"), ("--residual", "--backward", "autograd"),
        ("--preset", "astra-alpha", "--lr", "0.01")]  # fmt: skip


@pytest.mark.parametrize("more", MORE)
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)


def test_run_folder(tmp_path, monkeypatch):
    summary = check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL)
    assert summary["val_bits_per_char"] > 0


def test_scribe_reads_subwords(tmp_path, monkeypatch):
    flags = ("--preset", "scribe-alpha", "--vocab-size", "60", "--num-layers", "1")
    summary = check_run_folder(LESSON, tmp_path, monkeypatch, *flags, *SMALL)
    assert summary["tokenizer"] == "unigram" and summary["val_bits_per_char"] > 0


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--lr", "1e30", "--clip", "0")


# The published presets

PUBLISHED = {  # vocabulary, embedding, hidden, layers, epochs, steps in an epoch, learning rate, dropout, parameters
    "astra-alpha": (65, 64, 128, 1, 10, 200, 3e-3, 0.1, 86_913),
    "astra-beta": (65, 128, 256, 2, 15, 200, 2e-3, 0.1, 715_713),
    "astra-gamma": (65, 256, 512, 3, 20, 400, 1e-3, 0.1, 4_383_041),
    "scribe-alpha": (1000, 128, 256, 2, 10, 200, 2e-3, 0.1, 1_075_688),
    "scribe-beta": (1000, 256, 512, 3, 15, 200, 1.5e-3, 0.1, 5_102_056),
    "scribe-gamma": (1000, 384, 768, 4, 20, 400, 1e-3, 0.15, 14_439_400),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_presets(name, monkeypatch):
    """Sizes, schedule and the exact number of parameters, as the command line would build the model."""
    vocab_size, embedding_dim, hidden_size, num_layers, epochs, epoch, rate, dropout, parameters = PUBLISHED[name]
    train = load(LESSON / "train.py")
    monkeypatch.setattr("sys.argv", ["train.py", "--preset", name])
    args = train.arguments()
    assert (args.embedding_dim, args.hidden_size, args.num_layers) == (embedding_dim, hidden_size, num_layers)
    assert (args.steps, args.batch_size, args.chunk_length) == (epochs * epoch, 64, 128)
    assert (args.learning_rate, args.dropout, args.weight_decay) == (rate, dropout, 0.01)
    tokenizer = ("char", None) if vocab_size == 65 else ("unigram", vocab_size)
    assert (args.tokenizer, args.vocab_size if tokenizer[1] else None) == tokenizer
    assert not args.reset_after and not args.residual
    with torch.device("meta"):  # shapes without numbers
        settings = {field.name: getattr(args, field.name) for field in fields(train.GRUConfig)[1:]}
        model = train.GRULM(train.GRUConfig(vocab_size, **settings))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_no_published_preset_is_missing():
    train = load(LESSON / "train.py")
    assert {name for name in train.PRESETS if "-" in name} == set(PUBLISHED)
    assert {"default", "quick", "ladder"} <= set(train.PRESETS)


def test_the_learning_rate_follows_a_cosine(monkeypatch):
    train = load(LESSON / "train.py")
    monkeypatch.setattr("sys.argv", ["train.py", "--preset", "astra-alpha"])
    args = train.arguments()
    rates = [train.learning_rate(step, args) for step in (0, args.steps // 2, args.steps)]
    assert rates == pytest.approx([3e-3, 0.525 * 3e-3, 0.05 * 3e-3])
