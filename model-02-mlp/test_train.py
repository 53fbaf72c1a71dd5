"""Lesson 02's train.py: resuming, the run folder, the errors. Run: pytest model-02-mlp"""

from pathlib import Path

import pytest

from shared.console import LearnerError
from shared.tests.training import check_resume_is_bit_for_bit, check_run_folder, train

LESSON = Path(__file__).resolve().parent
SMALL = ("--context-length", "4", "--embedding-dim", "6", "--hidden-size", "16", "--window", "8", "--batch-size", "4")


@pytest.mark.parametrize("more", [("--dropout", "0.3"), ("--batch-norm", "--num-layers", "2", "--direct")])
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)


def test_run_folder(tmp_path, monkeypatch):
    summary = check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--tokenizer", "word")
    assert summary["val_bits_per_char"] is None and summary["val_perplexity"] > 1


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--lr", "1e30")


def test_a_text_shorter_than_a_window_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "short.txt").write_text("once upon a time there was", encoding="utf-8")
    with pytest.raises(LearnerError, match="too short"):
        train(LESSON, monkeypatch, "--dataset", tmp_path / "short.txt", "--out", tmp_path / "run")
