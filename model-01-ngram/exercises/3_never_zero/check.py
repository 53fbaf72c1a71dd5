"""Checks exercise 3."""

from pathlib import Path

import torch

from shared.lessons import load

VOCABULARY = list("abcde")
LOWER = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.06, "e": 0.04}


def distribution(what: str, got) -> dict[str, float]:
    """Assert that an answer has every word, none at zero, and sums to one."""
    assert isinstance(got, dict), f"{what}: expected a dict, got {got!r}"
    assert set(got) == set(VOCABULARY), f"{what}: expected a probability for each of {VOCABULARY}, got {sorted(got)}"
    got = {word: float(p) for word, p in got.items()}
    for word, p in got.items():
        assert p > 0, f"{what}: P({word}) is {p:g}, expected more than zero"
    total = sum(got.values())
    assert abs(total - 1) < 1e-6, f"{what}: the probabilities sum to {total:.4f}, expected 1"
    return got


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    text = "abacabadabacaeab"
    lesson = load(Path(__file__).parents[2] / "model.py")
    ids = torch.tensor([VOCABULARY.index(c) for c in text])
    for k in (1.0, 0.1):
        model = lesson.NGramLM(lesson.NGramConfig(len(VOCABULARY), order=2, smoothing="add-k", add_k=k))
        model.fit(ids)
        for first in VOCABULARY:
            counts = {}
            for i in range(len(text) - 1):
                if text[i] == first:
                    counts[text[i + 1]] = counts.get(text[i + 1], 0) + 1
            what = f"add_k({counts}, {VOCABULARY}, {k})"
            got = distribution(what, module.add_k(dict(counts), list(VOCABULARY), k))
            for word in VOCABULARY:
                pair = torch.tensor([VOCABULARY.index(first), VOCABULARY.index(word)])
                right = model.log_prob(pair).exp().item()
                error = abs(got[word] - right)
                assert error < 1e-6, f"{what}: P({word}) is {right:.4f} in NGramLM, got {got[word]:.4f}"

    everything = {"a": 1, "b": 2, "c": 9, "d": 1, "e": 4}
    for counts, discount in (({"a": 3, "b": 1}, 0.75), ({"e": 1}, 0.5), (everything, 0.9), ({}, 0.75)):
        what = f"absolute_discounting({counts}, {LOWER}, {discount})"
        got = distribution(what, module.absolute_discounting(dict(counts), dict(LOWER), discount))
        for word in VOCABULARY:
            right = LOWER[word]
            if counts:
                taken = sum(min(discount, n) for n in counts.values())
                right = (max(counts.get(word, 0) - discount, 0) + taken * LOWER[word]) / sum(counts.values())
            assert abs(got[word] - right) < 1e-6, f"{what}: P({word}) expected {right:.4f}, got {got[word]:.4f}"
