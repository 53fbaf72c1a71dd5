"""Exercise 6, for the second part of the lesson: search. The likeliest word, again and again, is not the likeliest
sentence.

A model gives P(next token | tokens so far). Here it is a function, next_log_probs(tokens) -> a list with ln P of every
token that could come next, where tokens is a list, [] at the beginning. A sentence is over when its last token is END,
or when it has `limit` tokens; the model must not be asked how such a one goes on.

Greedy search takes the likeliest token at each step. Beam search keeps the `beam` likeliest beginnings instead:

    1. each beginning that is open is continued with every token; each that is over stays as it is
    2. of all these, the `beam` with the highest ln P are kept
    3. back to 1, unless none is open, or no open one can win any more

    the winner   of those kept that are over, the one with the highest score, ln P / length^alpha (END counts)

ln P falls with every token. So alpha = 0, ln P as it is, is kind to short sentences; alpha = 1 compares means. And so
one can stop early: an open beginning can become longer, up to `limit`, but never likelier. What is the best score that
it could still get? Where that is no more than the best score of those that are over, the search is done.

shared/beam.py does the same with tensors, all beginnings of all sentences in one batch. It must also hand on the state
of each beginning to those that continue it: the same indices for tokens and states, as in exercise 2.

Fill in the three functions, in order, then run:   python -m shared.exercises 04 6
"""

from collections.abc import Callable

END = 0  # the others are 1, 2, ...


def greedy(next_log_probs: Callable[[list[int]], list[float]], limit: int) -> tuple[list[int], float]:
    """The likeliest token at each step -> the sentence (END is part of it) and its ln P."""
    raise NotImplementedError


def score(log_prob: float, length: int, alpha: float) -> float:
    """What sentences are compared by: ln P / length^alpha."""
    raise NotImplementedError


def beam_search(
    next_log_probs: Callable[[list[int]], list[float]], limit: int, beam: int, alpha: float
) -> tuple[list[int], float]:
    """The winner and its ln P (not its score). limit and beam are 1 or more, alpha is 0 or more."""
    raise NotImplementedError
