"""Recall by distance: toy models that remember everything, nothing, or the last k characters."""

import math
import random
import string
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from shared import recall as recalling
from shared.console import LearnerError
from shared.recall import Recalled, by_distance, map_state, recall

HEROES = ("fox", "heron", "ox", "badger")


class Letters:
    """The characters a to z, '!' before a name, '?' before a recall, and a space."""

    name = "char"
    characters = string.ascii_lowercase + "!? "
    vocab_size = len(characters)

    def encode(self, text):
        return [self.characters.index(character) for character in text]

    def decode(self, ids):
        return "".join(self.characters[token_id] for token_id in ids)


class Toy(torch.nn.Module):
    """A model by the contract whose state is the text read so far: (B, T) token ids.

    After '?' it expects the letters of the name that stood behind the last '!' among the last `horizon` characters.
    """

    def __init__(self, horizon: int):
        super().__init__()
        self.horizon, self.tokenizer = horizon, Letters()
        self.longest_chunk, self.read = 0, 0

    def expected(self, text: str) -> str | None:
        question = text.rfind("?")
        named = text.rfind("!", max(0, question - self.horizon), max(0, question))
        if question < 0 or named < 0:
            return None
        name = text[named + 1 :].split(" ")[0] + " "
        written = text[question + 1 :]
        return name[len(written)] if name.startswith(written) and len(written) < len(name) else None

    def forward(self, token_ids, state=None):
        assert not self.training and not torch.is_grad_enabled()
        if len(token_ids) == 1:
            self.longest_chunk = max(self.longest_chunk, token_ids.shape[1])
            self.read += token_ids.shape[1]
        before = token_ids[:, :0] if state is None else state["text"]
        logits = torch.zeros(*token_ids.shape, self.tokenizer.vocab_size)
        everything = torch.cat([before, token_ids], dim=1)
        for row, ids in enumerate(everything.tolist()):
            text = self.tokenizer.decode(ids)
            for position in range(token_ids.shape[1]):
                character = self.expected(text[: before.shape[1] + position + 1])
                if character is not None:
                    logits[row, position, self.tokenizer.characters.index(character)] = 20.0
        return logits, {"text": everything, "beside": None}


def fables(distances: list[int], seed: int = 1) -> tuple[str, list[SimpleNamespace]]:
    """A text that names a hero ('!fox ') and asks for it ('?fox ') at each of the given distances, with its points."""
    chance, text, points = random.Random(seed), "once ", []
    for distance in distances:
        answer = chance.choice(HEROES)
        filler = "".join(chance.choice("abc ") for _ in range(distance - len(answer) - 2))
        text += f"!{answer} {filler}?"  # from the first letter of the name to that of the recall: distance
        point = {"kind": "hero", "start": len(text), "answer": answer, "distance": distance}
        points.append(SimpleNamespace(**point, candidates=chance.sample(HEROES, len(HEROES))))
        text += f"{answer} "
    return text, points


def accuracy(results: list[Recalled]) -> float:
    return sum(result.correct for result in results) / len(results)


@pytest.mark.parametrize("chunk_length", [1, 7, 1024])
def test_a_model_that_remembers_everything_recalls_everything(chunk_length):
    text, points = fables([20, 50, 30, 90])
    model = Toy(horizon=10_000)
    results = recall(model, Letters(), text, points[::-1], chunk_length=chunk_length)  # points in any order
    assert [result.correct for result in results] == [True] * 4
    assert sorted(result.distance for result in results) == [20, 30, 50, 90]
    assert {(result.kind, result.chance) for result in results} == {("hero", 1 / 4)}
    assert model.longest_chunk <= chunk_length
    assert model.read == points[-1].start  # the text before the last point, once, and nothing behind it


def test_a_model_that_remembers_nothing_is_at_chance():
    text, points = fables([20] * 400)

    class Uniform(torch.nn.Module):
        def forward(self, token_ids, state=None):
            return torch.zeros(*token_ids.shape, Letters.vocab_size), None

    results = recall(Uniform(), Letters(), text, points)
    assert accuracy(results) == pytest.approx(1 / 4, abs=4 * math.sqrt(3 / 16 / 400))


def test_a_horizon_shows_as_a_step():
    distances = [20, 30, 39] * 2 + [60, 100, 150] * 20
    text, points = fables(distances)
    results = recall(Toy(horizon=40), Letters(), text, points)
    assert accuracy([result for result in results if result.distance < 40]) == 1.0
    beyond = [result for result in results if result.distance > 40]
    assert accuracy(beyond) == pytest.approx(1 / 4, abs=4 * math.sqrt(3 / 16 / len(beyond)))


def test_the_whole_word_is_scored():
    """Two names that differ in their last letter only: the first letters cannot tell."""
    text = "!rat ......?".replace(".", "a")
    point = SimpleNamespace(kind="hero", start=len(text), answer="rat", candidates=("ram", "rat", "rag"), distance=11)
    (result,) = recall(Toy(horizon=100), Letters(), text, [point])
    assert result.correct and result.chance == pytest.approx(1 / 3)


def test_scores_are_log_likelihoods_by_hand():
    """A unigram model: the word with the highest product of letter probabilities wins, whatever its padding."""
    log_probs = torch.full((Letters.vocab_size,), -10.0)
    for character, value in {"a": -5.0, "b": -0.5, "c": -0.9}.items():  # 'a' is token 0, which also pads
        log_probs[Letters.characters.index(character)] = value

    class Unigram(torch.nn.Module):
        def forward(self, token_ids, state=None):
            return log_probs.expand(*token_ids.shape, -1), None

    def chosen(*words):
        point = {"kind": "hero", "start": 3, "candidates": words, "distance": 20}
        points = [SimpleNamespace(**point, answer=word) for word in words]
        results = recall(Unigram(), Letters(), "xyz", points)
        return [word for word, result in zip(words, results, strict=True) if result.correct]

    assert chosen("bb", "ccc", "a") == ["bb"]
    assert chosen("bbbbbb", "cc") == ["cc"]
    assert chosen("a", "cccccccc") == ["a"]


def test_the_state_is_carried_and_never_changed():
    """A recurrent toy with a nested state: its answer depends on everything read, in any cut."""

    class Pair(NamedTuple):
        h: torch.Tensor
        steps: int

    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Parameter(torch.randn(Letters.vocab_size, Letters.vocab_size))

        def forward(self, token_ids, state=None):
            pair = state[0] if state else Pair(torch.zeros(len(token_ids), Letters.vocab_size), 0)
            assert pair.h.shape == (len(token_ids), Letters.vocab_size)
            outputs, h = [], pair.h
            for t in range(token_ids.shape[1]):
                h = torch.tanh(0.9 * h + self.table[token_ids[:, t]])
                outputs.append(h)
            return 5 * torch.stack(outputs, dim=1), [Pair(h, pair.steps + token_ids.shape[1]), None]

    torch.manual_seed(2)
    text, points = fables([20, 25, 30] * 8)
    model = Recurrent()

    @torch.no_grad()
    def by_hand(point):
        """Each word behind the whole text before it, read from the start."""
        scores = []
        for word in point.candidates:
            token_ids = torch.tensor([Letters().encode(text[: point.start] + word)])
            log_probs = torch.log_softmax(model(token_ids)[0][0], dim=-1)
            positions = range(point.start, point.start + len(word))
            scores.append(sum(float(log_probs[t - 1, token_ids[0, t]]) for t in positions))
        return point.candidates[scores.index(max(scores))] == point.answer

    expected = [by_hand(point) for point in points]
    assert 0 < sum(expected) < len(expected)
    for chunk_length in (1, 13, 5000):
        assert [r.correct for r in recall(model, Letters(), text, points, chunk_length)] == expected


@pytest.mark.parametrize("training", [True, False])
def test_the_training_mode_comes_back(training):
    text, points = fables([20])
    model = Toy(horizon=100).train(training)
    recall(model, Letters(), text, points)
    assert model.training is training


def test_other_tokens_than_characters_are_refused():
    tokenizer = SimpleNamespace(name="bpe")
    with pytest.raises(LearnerError, match="bpe.*--tokenizer char"):
        recall(Toy(horizon=1), tokenizer, "text", [])


def test_bands_hold_every_point_once():
    distances = [1, 19, 20, 39, 40, 79, 80, 320, 639, 640, 5000]
    results = [Recalled("hero", distance, True, 0.1) for distance in distances]
    rows = by_distance(results)
    assert [(row["low"], row["high"], row["points"]) for row in rows] == [
        (5, 20, 2),
        (20, 40, 2),
        (40, 80, 2),
        (80, 160, 1),
        (320, 640, 4),
    ]
    assert sum(row["points"] for row in rows) == len(distances)
    assert (rows[0]["low"], rows[-1]["high"]) == (recalling.BANDS[0], recalling.BANDS[-1])


def test_a_band_says_accuracy_error_and_chance():
    results = [Recalled("hero", 50, True, 0.25)] * 3 + [Recalled("object", 60, False, 0.05)]
    (row,) = by_distance(results)
    assert row["accuracy"] == 0.75 and row["points"] == 4
    assert row["error"] == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    assert row["chance"] == pytest.approx(0.2)
    (row,) = by_distance(results, kinds=["object"])
    assert (row["accuracy"], row["points"]) == (0.0, 1)
    assert by_distance([Recalled("pronoun", 50, True, 0.5)]) == []


def test_map_state_reaches_every_tensor_and_leaves_the_rest():
    class Cache(NamedTuple):
        keys: torch.Tensor
        length: int

    one = torch.ones(1, 2)
    state = [(one, None), {"cache": Cache(one, 5), "name": "layer"}, [], 3]
    mapped = map_state(state, lambda tensor: tensor * 2)
    (pair, nothing), layer, empty, number = mapped
    assert torch.equal(pair, one * 2) and nothing is None
    assert type(layer["cache"]) is Cache and torch.equal(layer["cache"].keys, one * 2) and layer["cache"].length == 5
    assert (layer["name"], empty, number) == ("layer", [], 3)
    assert type(mapped) is list and type(mapped[0]) is tuple
    assert torch.equal(one, torch.ones(1, 2)) and torch.equal(state[0][0], one)  # the old state is as it was
    assert map_state(None, lambda tensor: tensor * 2) is None
