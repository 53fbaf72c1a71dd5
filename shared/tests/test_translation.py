"""What becomes of an output, and how it is measured. The networks behind it are tested in lessons 04 and 06."""

import sys

import pytest
import torch

from shared import beam, translation
from shared import translation_scores as scores
from shared.console import LearnerError
from shared.data.sentence_pairs import END, Languages


def test_an_unknown_word_is_copied_from_where_the_model_looked():
    languages = Languages.train("word", [("der die", "the a")], vocab_size=9, min_count=1)
    target = languages.target
    the, a = target.encode("the a")[:2]
    weights = torch.tensor([[1, 0, 0, 0], [0, 0.1, 0.2, 0.7], [0, 1.0, 0, 0], [0, 0, 0, 1.0]])
    output = beam.Output([the, target.unk_id, a, END], -1.0, weights)
    found = translation.finished(output, languages, "der die Quitte")
    assert found.text == "the Quitte a" and found.copied == ["Quitte"]  # not the end, which has the largest weight
    assert found.target == ["the", "Quitte", "a", "<end>"] and found.source == ["der", "die", "Quitte", "<end>"]
    without = translation.finished(output._replace(weights=None), languages, "der die Quitte")
    assert without.text == "the <unk> a" and without.copied == []


# Measures


def test_exact_match_and_length_bands():
    pairs = [("a b", "x y"), ("a b c d e f", "x"), ("a", "z")]
    assert scores.exact_match(["x  y ", "q", "z"], [target for _, target in pairs]) == pytest.approx(2 / 3)
    rows = scores.by_length(pairs, ["x y", "q", "z"])
    assert [(row["low"], row["sentences"], row["exact"]) for row in rows] == [(1, 2, 1.0), (6, 1, 0.0)]


def test_bleu_is_sacrebleu_s(monkeypatch):
    pytest.importorskip("sacrebleu")
    outputs = ["The cat sat on the mat today.", "A dog barks very loudly."]
    assert scores.bleu(outputs, outputs)[0] == pytest.approx(100.0)
    score, signature = scores.bleu([line.lower() for line in outputs], outputs)
    assert 0 < score < 100 and "case:mixed" in signature and "tok:13a" in signature


def test_without_sacrebleu_one_line_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(LearnerError, match="pip install sacrebleu"):
        scores.bleu(["a"], ["a"])
    assert scores.bleu_or_none(["a"], ["a"]) is None
