"""Exercise 1, a warm-up: count the pairs of neighbouring characters in a text, and turn the counts into probabilities.

This is a whole bigram model. "Training" is counting, and P(next character | this character) is one division:

    P(b | a) = count(a b) / (how often a is followed by anything)

Fill in the two functions, then run:   python -m shared.exercises 01
"""


def count_pairs(text: str) -> dict[str, int]:
    """How often each pair of neighbours occurs: "abab" -> {"ab": 2, "ba": 1}. Pairs overlap; spaces count as well."""
    raise NotImplementedError


def pair_probabilities(counts: dict[str, int]) -> dict[str, float]:
    """P(second | first) of each pair: {"ab": 2, "ac": 6, "ba": 1} -> {"ab": 0.25, "ac": 0.75, "ba": 1.0}."""
    raise NotImplementedError
