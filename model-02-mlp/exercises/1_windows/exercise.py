"""Exercise 1, a warm-up: cut a text into windows, and put the vectors of each window side by side.

The MLP predicts the token after position t from the n tokens up to and including t. At the beginning of a text there
are not so many; there stands an extra id, `padding`, which has a vector of its own ("before the text"):

    text [5, 8, 2, 8], n = 3, padding 9   ->   [9, 9, 5]  [9, 5, 8]  [5, 8, 2]  [8, 2, 8]

Then each id is replaced by its row of the embedding table, and the n rows are laid end to end: one input x of n C
numbers.

Fill in the two functions, then run:   python -m shared.exercises 02
"""

from torch import Tensor


def windows(token_ids: list[int], n: int, padding: int) -> list[list[int]]:
    """One window for each position of the text, its newest token last."""
    raise NotImplementedError


def look_up(window_ids: Tensor, table: Tensor) -> Tensor:
    """window_ids (T, n) int64, table (V + 1, C) -> (T, n * C), the vector of the oldest token first."""
    raise NotImplementedError
