"""Checks exercise 1: on numbers one can follow, row by row against one query, and against the lesson's attention."""

import math
from pathlib import Path

import torch

from shared.lessons import load

SIZES = (((), 1, 1, 1, 1), ((), 3, 3, 4, 2), ((2,), 2, 5, 3, 3), ((2, 3), 4, 4, 5, 2))  # ..., T, S, d, e


def row(numbers) -> str:
    """A row of numbers as a learner reads it."""
    return "[" + ", ".join(f"{number:.4g}" for number in numbers) + "]"


def check_one_query(module) -> None:
    """Scores of 0 and ln 3: weights of 1/4 and 3/4. Then random ones, and scores too large for math.exp."""
    query, values = [2.0, 0.0, 1.0, 0.0], [[1.0, 0.0], [0.0, 4.0]]
    keys = [[0.0, 5.0, 0.0, 5.0], [math.log(3), 0.0, 0.0, 7.0]]  # products of 0 and 2 ln 3, and sqrt(4) = 2
    what = "one_query of d = 4, products q . k of 0 and 2 ln 3"
    got = module.one_query(list(query), [list(key) for key in keys], [list(value) for value in values])
    assert isinstance(got, (tuple, list)) and len(got) == 2, f"{what}: expected (weights, seen), got {got!r}"
    weights, seen = got
    for name, numbers in (("weights", weights), ("seen", seen)):
        fine = isinstance(numbers, (list, tuple)) and len(numbers) == 2 and all(isinstance(n, float) for n in numbers)
        assert fine, f"{what}: expected {name} to be a list of 2 numbers, got {numbers!r}"
    hints = {3: "; was the product divided by d instead of its root?", 9: "; was the product divided by sqrt(d)?"}
    hint = "" if abs(sum(weights) - 1) < 1e-6 else f", which sum to {sum(weights):.4g}"
    for exponent, text in ((0.5, hints[3]), (2, hints[9])):
        likely = 3**exponent / (1 + 3**exponent)
        hint = text if abs(weights[1] - likely) < 1e-6 else hint
    assert abs(weights[1] - 0.75) < 1e-9, f"{what}: expected weights [0.25, 0.75], got {row(weights)}{hint}"
    fits = abs(seen[0] - 0.25) < 1e-9 and abs(seen[1] - 3) < 1e-9
    assert fits, f"{what}: expected to see 1/4 [1, 0] + 3/4 [0, 4] = [0.25, 3], got {row(seen)}"
    for scale, name in ((1.0, "of about 1"), (100.0, "of up to 10,000, up and down")):
        query, keys, values = (scale * torch.randn(size).double() for size in ((3,), (5, 3), (5, 2)))
        right = (keys @ query / math.sqrt(3)).softmax(dim=0)
        try:
            weights, seen = module.one_query(query.tolist(), keys.tolist(), values.tolist())
        except (OverflowError, ZeroDivisionError) as error:
            raise AssertionError(f"one_query, scores {name}: expected weights, got {error!r}") from None
        for part, numbers, expected in (("weights", weights, right), ("seen", seen, right @ values)):
            apart = max(abs(n - e) for n, e in zip(numbers, expected.tolist(), strict=True))
            line = f"one_query, scores {name}: expected {part} {row(expected.tolist())}, got {row(numbers)}"
            assert apart < 1e-9, line


def check_mask(module) -> None:
    """0 at and before the query's own place, -inf after it."""
    for T, S in ((3, 3), (1, 1), (2, 5), (1, 4), (5, 6)):
        got, what = module.causal_mask(T, S), f"causal_mask({T}, {S})"
        assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
        assert got.shape == (T, S), f"{what}: expected shape ({T}, {S}), got {tuple(got.shape)}"
        assert got.is_floating_point(), f"{what}: expected the numbers 0.0 and -inf, got {got.dtype}"
        for t in range(T):
            own = S - T + t
            for s in range(S):
                expected, found = (0.0 if s <= own else -math.inf), got[t, s].item()
                may = "may look at itself" if s == own else "may look there" if s < own else "must not look ahead"
                line = f"{what}, query {t}, which is token {own} of the text, and token {s}: expected {expected}"
                assert found == expected, f"{line} (it {may}), got {found}"


def check_attend(module, lesson) -> None:
    """With and without a mask, for any axes in front."""
    for front, T, S, d, e in SIZES:
        query, key, value = (torch.randn(*front, *size).double() for size in ((T, d), (S, d), (S, e)))
        given = query.clone(), key.clone(), value.clone()
        for mask in (None, module.causal_mask(T, S)):
            kind = "no mask" if mask is None else "causal"
            what = f"attend, query {tuple(query.shape)}, key {tuple(key.shape)}, {kind}"
            got = module.attend(*given, None if mask is None else mask.clone())
            two = isinstance(got, (tuple, list)) and len(got) == 2 and all(isinstance(x, torch.Tensor) for x in got)
            assert two, f"{what}: expected (seen, weights), got {got!r}"
            right = lesson.scaled_dot_product_attention(query, key, value, mask)
            for name, mine, theirs in zip(("weights", "seen"), got[::-1], right[::-1], strict=True):
                shape = tuple(theirs.shape)
                assert mine.shape == shape, f"{what}: expected {name} of shape {shape}, got {tuple(mine.shape)}"
                if name == "weights":
                    sums = mine.sum(dim=-1)
                    one = torch.allclose(sums, torch.ones_like(sums))
                    place = sums.flatten()[(sums - 1).abs().nan_to_num(9).argmax()].item()
                    assert one, f"{what}: expected each query's weights to sum to 1, some sum to {place:.4g}"
                    ahead = 0.0 if mask is None else (mine * (mask < 0)).abs().max().item()
                    assert ahead == 0, f"{what}: expected the weight 0 on what comes later, got up to {ahead:.2g}"
                apart = (mine - theirs).abs().max().item()
                assert apart < 1e-10, f"{what}: expected the {name} of the equations, got others (off by {apart:.2g})"
            same = all(torch.equal(x, kept) for x, kept in zip(given, (query, key, value), strict=True))
            assert same, f"{what}: expected what is handed in to stay as it is, it was changed"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_one_query(module)
    check_mask(module)
    check_attend(module, load(Path(__file__).parents[2] / "attention.py"))
