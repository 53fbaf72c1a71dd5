"""Exercise 3: a word that was never seen must not have probability zero.

One unseen word with probability 0 makes the loss of a whole book infinite. Smoothing takes a little probability from
what was seen and gives it to what was not. Both ways here work on the counts of the words that followed *one* context:

    add-k                  P(w) = (c(w) + k) / (c(all) + k V)
                           pretend that each of the V words was seen k times more

    absolute discounting   P(w) = max(c(w) - D, 0) / c(all)  +  (D * number of distinct words seen / c(all)) * lower(w)
                           take D from each count; what was taken is shared out as a shorter context would do it

The second is the heart of Kneser-Ney (exercise 4), and smoothing.py of this lesson does both for all contexts at once.

Fill in the two functions, then run:   python -m shared.exercises 01
"""


def add_k(counts: dict[str, int], vocabulary: list[str], k: float) -> dict[str, float]:
    """The probability of every word of the vocabulary. Words that are not in counts were not seen here."""
    raise NotImplementedError


def absolute_discounting(counts: dict[str, int], lower: dict[str, float], discount: float) -> dict[str, float]:
    """The probability of every word of `lower`, which is the distribution after the shorter context (it sums to 1).

    Where counts is empty (the context was never seen) all that is known is `lower`.
    """
    raise NotImplementedError
