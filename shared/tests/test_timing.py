"""Time per token: the arithmetic, on a clock that a test moves on, and networks of one size in all five lessons."""

import json
import sys

import pytest
import torch
from torch import nn

from shared import timing
from shared.lessons import ROOT, load

LESSONS = ("model-02-mlp", "model-03-rnn", "model-04-gru", "model-05-lstm", "model-06-transformer")


class Network(nn.Module):
    """Each call takes as long as the next of `takes` (seconds); it notes the sizes of what it reads."""

    def __init__(self, takes):
        super().__init__()
        self.layer, self.takes, self.now, self.read = nn.Embedding(timing.VOCAB_SIZE, timing.VOCAB_SIZE), takes, 0.0, []

    def forward(self, token_ids):
        assert self.layer.weight.grad is None  # no step adds to the gradient of the one before
        self.read.append(tuple(token_ids.shape))
        self.now += self.takes[len(self.read) - 1]
        return self.layer(token_ids), None


def test_the_median_by_token_without_the_first_calls(monkeypatch):
    monkeypatch.setattr(timing, "TIMES", 3)
    network = Network([9.0, 9.0, 0.4, 8.0, 0.2])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: network.now)
    assert timing.microseconds_per_token(network, 512) == pytest.approx(1e6 * 0.4 / 4096)
    assert network.read == [(8, 512)] * 5 and network.layer.weight.grad is not None


def test_the_result_has_a_row_for_each_length(monkeypatch, tmp_path):
    lesson = tmp_path / "model-09-any"
    lesson.mkdir()
    monkeypatch.setattr(sys, "argv", ["time_per_token.py"])
    monkeypatch.setattr(timing, "microseconds_per_token", lambda model, length: length / 2)
    timing.time_per_token(lesson, lambda length: nn.Linear(length, 1))
    found = json.loads((lesson / "results" / "time_per_token.json").read_text(encoding="utf-8"))
    assert found["columns"] == timing.COLUMNS and [row[0] for row in found["rows"]] == list(timing.LENGTHS)
    assert found["rows"][1] == [32, 128, 16.0, 62_500] and found["parameters"][0] == 17
    assert all(length * batch == timing.TOKENS for length, batch, *_ in found["rows"])


@pytest.mark.parametrize("lesson", LESSONS)
def test_networks_of_half_a_million_parameters_that_read_all_lengths(lesson):
    script = load(ROOT / lesson / "experiments" / "time_per_token.py")
    for length in (timing.LENGTHS[0], timing.LENGTHS[-1]):
        model = script.new_model(length)
        assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(500_000, rel=0.05)
        with torch.no_grad():
            logits, _ = model(torch.zeros(1, length, dtype=torch.int64))
        assert logits.shape == (1, length, timing.VOCAB_SIZE)


def test_lesson_06_draws_all_five(monkeypatch, tmp_path):
    script, asked = load(ROOT / LESSONS[-1] / "experiments" / "time_per_token.py"), []
    (tmp_path / "results").mkdir()

    def read(lesson, name):
        asked.append(lesson)
        return {"rows": [[length, 1, float(len(asked)), 1] for length in timing.LENGTHS]}

    monkeypatch.setattr(script, "LESSON", tmp_path)
    monkeypatch.setattr(script, "read_result", read)
    monkeypatch.setattr(script, "time_per_token", lambda lesson, new_model: asked.append("measured"))
    script.main()
    assert asked == [*LESSONS[:-1], "measured", tmp_path.name]  # what is missing is said before minutes are spent
    assert (tmp_path / "results" / "time_per_token.png").stat().st_size > 1000
