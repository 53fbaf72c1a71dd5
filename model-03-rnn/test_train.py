"""Lesson 03's train.py: resuming with carried state, the run folder, the errors. Run: pytest model-03-rnn"""

from pathlib import Path

import pytest

from shared.console import LearnerError
from shared.tests.training import check_resume_is_bit_for_bit, check_run_folder

LESSON = Path(__file__).resolve().parent
SMALL = ("--embedding-dim", "8", "--hidden-size", "8", "--chunk-length", "8", "--batch-size", "4")


MORE = [("--dropout", "0.3"), ("--optimizer", "rmsprop", "--no-carry"), ("--optimizer", "sgd"),
        ("--preset", "mikolov", "--lr", "0.1")]  # fmt: skip


@pytest.mark.parametrize("more", MORE)
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)


def test_run_folder(tmp_path, monkeypatch):
    assert check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL)["val_bits_per_char"] > 0


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    flags = ("--lr", "1e30", "--nonlinearity", "relu", "--clip", "0", "--optimizer", "sgd")
    with pytest.raises(LearnerError, match="learning rate"):
        check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, *flags)
