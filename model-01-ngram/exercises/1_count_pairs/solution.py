"""One good answer to exercise 1."""

from collections import Counter
from itertools import pairwise


def count_pairs(text: str) -> dict[str, int]:
    return Counter(first + second for first, second in pairwise(text))


def pair_probabilities(counts: dict[str, int]) -> dict[str, float]:
    total = Counter()  # not how often a character occurs: the last one of a text is followed by nothing
    for pair, number in counts.items():
        total[pair[0]] += number
    return {pair: number / total[pair[0]] for pair, number in counts.items()}
