"""Each token told from those before it: losses and hits by definition, and the scripts of lessons 01 and 05."""

import json

import pytest
import torch

from shared.data.corpora import Corpus
from shared.evaluation import token_losses
from shared.from_the_left import COLUMNS, from_the_left, places_in, row_of
from shared.lessons import ROOT, load
from shared.tests.networks import random_ids
from shared.tests.training import TEXT
from shared.tokenizers import train_tokenizer


@pytest.fixture(scope="module")
def network():
    """An untrained LSTM, far from even."""
    lesson = load(ROOT / "model-05-lstm" / "model.py")
    torch.manual_seed(0)
    model = lesson.LSTMLM(lesson.LSTMConfig(7, 6, 5, num_layers=1))
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
    return model


@pytest.mark.parametrize("chunk_length", [1, 7, 1000])
@torch.no_grad()
def test_losses_and_hits_are_those_of_one_reading(network, chunk_length):
    token_ids = random_ids(0, 7, 1, 100)[0]
    losses, right = from_the_left(network.train(), token_ids, chunk_length)
    assert network.training
    logits = network.eval()(token_ids[None, :-1])[0][0]
    torch.testing.assert_close(losses, token_losses(network, token_ids), rtol=0, atol=1e-6)
    assert torch.equal(right, logits.argmax(dim=1) == token_ids[1:]) and 0 < right.sum() < 99


def test_places_are_evenly_spread_and_never_the_first():
    assert places_in(5).tolist() == [1, 2, 3, 4] and places_in(101, 12).tolist() == list(range(1, 101, 9))
    places = places_in(111_540)
    assert len(set(places.tolist())) == 10_000 and places[0] == 1 and places[-1] == 111_539
    assert (places.diff() - 11.15).abs().max() < 1


def test_a_row_is_of_the_whole_and_of_the_places():
    losses = torch.arange(20_000, dtype=torch.float64)
    right = losses >= 10_000
    at = places_in(20_001) - 1
    whole, share, loss, share_there = row_of(losses, right)
    assert (whole, share) == (9999.5, "50.00%")
    assert loss == pytest.approx(float(losses[at].mean())) and share_there == f"{right[at].double().mean():.2%}"


def test_the_scripts_of_lessons_01_and_05(tmp_path, monkeypatch, network):
    """On a tiny text, with the network of a tiny run: one row, of the validation split."""
    corpus = Corpus("shakespeare", TEXT, TEXT[:500], None, "a test")
    tokenizer = train_tokenizer("char", TEXT)
    val_ids = torch.tensor(tokenizer.encode(corpus.val))
    counted = load(ROOT / "model-01-ngram" / "experiments" / "from_the_left.py")
    recurrent = load(ROOT / "model-05-lstm" / "experiments" / "from_the_left.py")
    lesson = load(ROOT / "model-05-lstm" / "model.py")
    lstm = lesson.LSTMLM(lesson.LSTMConfig(tokenizer.vocab_size, 6, 5, num_layers=1))
    monkeypatch.setattr(counted, "load_corpus", lambda name: corpus)
    tokens = type("Tokens", (), {"val": val_ids})
    monkeypatch.setattr(recurrent, "load_run", lambda folder, name: (lstm, tokens))
    tmp_path, found = tmp_path / "model-00-tiny", []
    tmp_path.mkdir()
    for module, name in ((counted, "7-gram"), (recurrent, "LSTM")):
        monkeypatch.setattr(module, "LESSON", tmp_path)
        module.main()
        result = json.loads((tmp_path / "results" / "from_the_left.json").read_text(encoding="utf-8"))
        assert result["columns"] == COLUMNS and result["rows"][0][0] == name and result["characters"] == 500
        found.append(result["rows"][0][1:])
    losses, right = from_the_left(lstm, val_ids)
    whole = [round(losses.mean().item(), 4), f"{right.double().mean():.2%}"]
    assert found[1] == [*whole, *whole]
    model = counted.NGramLM(counted.NGramConfig(tokenizer.vocab_size, 7))
    model.fit(torch.tensor(tokenizer.encode(TEXT)))
    assert found[0][0] == pytest.approx(-model.log_prob(val_ids).mean().item(), abs=1e-3)
    assert float(found[0][1].rstrip("%")) > 90  # the text is in what was counted
