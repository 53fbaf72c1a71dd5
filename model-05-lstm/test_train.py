"""Lesson 05's train.py: resuming with carried state, the run folder, the presets. Run: pytest model-05-lstm"""

from dataclasses import fields
from pathlib import Path

import pytest
import torch

from shared.console import LearnerError
from shared.lessons import load
from shared.tests.training import check_resume_is_bit_for_bit, check_run_folder

LESSON = Path(__file__).resolve().parent
SMALL = ("--embedding-dim", "8", "--hidden-size", "8", "--chunk-length", "8", "--batch-size", "4")
MORE = [("--dropout", "0.3", "--residual"), ("--peepholes", "--forget-bias", "-1", "--init", "orthogonal")]


@pytest.mark.parametrize("more", MORE)
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)


def test_run_folder(tmp_path, monkeypatch):
    """last.pt has h and c of every layer to go on from; best.pt has the weights and what the model is built from."""
    summary = check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--num-layers", "3", "--peepholes")
    assert summary["val_bits_per_char"] > 0
    last = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert [[tuple(part.shape) for part in h_c] for h_c in last["state"]] == [[(4, 8)] * 2] * 3
    model, tokenizer = load(LESSON / "generate.py").load(tmp_path / "run" / "best.pt")
    assert model.config.peepholes and model.layers[2].weight_cell.any()
    assert model(torch.tensor([tokenizer.encode("the dog")]))[0].shape == (1, 7, tokenizer.vocab_size)


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--lr", "1e30", "--clip", "0")


# The presets


def arguments(monkeypatch, *flags: str):
    """train.py, and the settings it takes from a command line."""
    train = load(LESSON / "train.py")
    monkeypatch.setattr("sys.argv", ["train.py", *flags])
    return train, train.arguments()


def parameters(train, args, vocab_size: int) -> int:
    """Of the model that the command line builds."""
    settings = {field.name: getattr(args, field.name) for field in fields(train.LSTMConfig)[1:]}
    with torch.device("meta"):  # shapes without numbers
        model = train.LSTMLM(train.LSTMConfig(vocab_size, **settings))
    return sum(parameter.numel() for parameter in model.parameters())


def test_leviathan(monkeypatch):
    """Sizes and schedule as published: 6 epochs of 200 steps."""
    train, args = arguments(monkeypatch, "--preset", "leviathan")
    assert (args.tokenizer, args.embedding_dim, args.hidden_size, args.num_layers) == ("char", 768, 1024, 3)
    assert (args.steps, args.batch_size, args.chunk_length) == (1200, 64, 128)
    assert (args.learning_rate, args.dropout, args.weight_decay) == (1e-3, 0.2, 0.01)
    assert not args.peepholes and not args.residual
    assert parameters(train, args, 65) == 24_258_369
    rates = [train.learning_rate(step, args) for step in (0, args.steps // 2, args.steps)]
    assert rates == pytest.approx([1e-3, 0.5e-3, 0.0])


def test_graves_has_peepholes_and_chunks_of_100(monkeypatch):
    train, args = arguments(monkeypatch, "--preset", "graves")
    assert args.peepholes and args.num_layers == 1 and args.chunk_length == 100
    assert parameters(train, args, 65) == 1_222_785


def test_ladder_compares_with_the_other_lessons(monkeypatch):
    """As many tokens as they get, within 10 % of the 253,115 parameters of lesson 03 (fables have 59 characters)."""
    train, args = arguments(monkeypatch, "--preset", "ladder")
    assert args.dataset == "fables" and args.steps * args.batch_size * args.chunk_length == 32_768_000
    assert args.chunk_length >= 256
    assert parameters(train, args, 59) == pytest.approx(253_115, rel=0.1)


def test_the_flags_of_this_lesson(monkeypatch):
    _, args = arguments(monkeypatch)
    assert not args.peepholes and args.forget_bias == 1.0 and args.preset == "default"
    _, args = arguments(monkeypatch, "--peepholes", "--forget-bias", "-0.5", "--preset", "quick")
    assert args.peepholes and args.forget_bias == -0.5
