"""Exercise 1, a warm-up: attention, at first for one query by hand, then for all of them as products of matrices.

    score_s   = q . k_s / sqrt(d)           how well the query fits key s; d is the number of entries of both
    weight_s  = e^score_s / sum_r e^score_r     what share of value s it takes
    seen      = sum_s weight_s v_s              a mean of the values
                                                (Vaswani et al. 2017, section 3.2.1)

For T queries, S keys and S values, as the rows of three matrices, all of it at once is

    softmax(Q K^T / sqrt(d) + M) V              the softmax along each row: one row for each query

M is the causal mask: 0 where a query may look, -inf where it must not, because the token there comes later.

Fill in the three functions, in order, then run:   python -m shared.exercises 06
"""

from torch import Tensor


def one_query(
    query: list[float], keys: list[list[float]], values: list[list[float]]
) -> tuple[list[float], list[float]]:
    """One query of d numbers, S keys of d and S values of e -> its S weights, and the e numbers that it sees.

    In plain Python, without torch. Scores may be as large as 10,000, and math.exp(10_000) is an OverflowError: how can
    one make all scores of a softmax smaller without changing it?
    """
    raise NotImplementedError


def causal_mask(T: int, S: int) -> Tensor:
    """M (T, S), of 0.0 and -inf, for a text of S tokens of which the last T ask.

    A token sees itself and all before it: with T = S the first one sees itself alone, the last one everything.
    """
    raise NotImplementedError


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """query (..., T, d), key (..., S, d), value (..., S, e), mask (T, S) -> seen (..., T, e), weights (..., T, S).

    The dots stand for any number of axes, for example of texts and heads. No loops. What is handed in stays as it is.
    """
    raise NotImplementedError
