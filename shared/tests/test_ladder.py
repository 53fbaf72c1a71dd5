"""The ladder: what is read from the lessons before, and what is measured of a run."""

import json
import math

import pytest
import torch
from torch import nn

from shared import ladder, results
from shared.console import LearnerError
from shared.data.corpora import Corpus
from shared.data.fables import draw_fables
from shared.tokenizers import CharTokenizer

BANDS = [{"low": 5, "high": 20, "accuracy": 0.5, "error": 0.1, "points": 9, "chance": 0.1}]
FIRST = {  # as lesson 01 writes it: several orders, named in the bands
    "columns": ["order n", "loss", "above the floor", "distinct n-grams", "5-20"],
    "rows": [[3, 0.9, 0.8, 100, "40%"], [10, 0.3, 0.2, 900, "50%"], ["floor; chance", 0.1, 0.0, None, "8%"]],
    "bands": {"3-gram": BANDS, "10-gram": BANDS},
}
LATER = {  # as later lessons do: the rows of the lessons before, and its own bands
    "columns": ["model", "steps", "parameters, or counts", "nats above the floor", "5-20"],
    "rows": [["10-gram", None, 900, 0.2, "50%"], ["GRU", 4000, 250, 0.04, "99%"]],
    "bands": {"GRU": BANDS},
    "steps": 4000,
}


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    for name, found in (("first", FIRST), ("later", LATER)):
        (tmp_path / name / "results").mkdir(parents=True)
        (tmp_path / name / "results" / "recall.json").write_text(json.dumps(found), encoding="utf-8")
    monkeypatch.setattr(ladder, "ROOT", tmp_path)
    monkeypatch.setattr(results, "ROOT", tmp_path)


def test_rows_of_the_lessons_before(lessons, capsys):
    rows = list(ladder.rows_before({"first": ["10-gram"], "missing": None, "later": None}))
    assert rows == [("10-gram", None, 900, 0.2, BANDS), ("GRU", 4000, 250, 0.04, BANDS)]
    assert "no row of missing" in capsys.readouterr().out


def test_a_result_of_another_lesson(lessons):
    assert results.read_result("later", "recall") == LATER
    with pytest.raises(LearnerError, match="run its experiment first"):
        results.read_result("later", "units")


class Uniform(nn.Module):
    """Every character is as likely as any other."""

    def __init__(self, vocab_size: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, token_ids, state=None):
        return self.bias.expand(*token_ids.shape, -1), torch.zeros(len(token_ids), 1)


def test_measure(tmp_path, monkeypatch):
    fables = draw_fables(seed=9, characters=3000)
    corpus = Corpus("fables", fables.text, fables.text, None, "", {"val": fables.floor}, {"val": fables.points})
    monkeypatch.setattr(ladder, "load_corpus", lambda name: corpus)
    rows = [{"step": 10, "val_loss": 2.0}, {"step": 20, "val_loss": 1.0}, {"step": 30, "val_loss": 1.5}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tokenizer = CharTokenizer.train(fables.text)
    found = ladder.measure(Uniform(tokenizer.vocab_size), tokenizer, tmp_path)
    assert found["steps"] == 20 and found["parameters"] == tokenizer.vocab_size
    assert found["loss"] == pytest.approx(math.log(tokenizer.vocab_size))
    assert found["above the floor"] == pytest.approx(found["loss"] - fables.floor)
    assert found["bands"] and all(0 <= band["accuracy"] <= 1 for band in found["bands"])
    with pytest.raises(LearnerError, match="not trained on fables"):
        ladder.measure(Uniform(3), CharTokenizer.train("abc"), tmp_path)
