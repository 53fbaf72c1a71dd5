"""Checks exercise 1."""


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    for text in ("abab", "aaa", "the cat sat", "", "x"):
        expected = {}
        for i in range(len(text) - 1):
            expected[text[i : i + 2]] = expected.get(text[i : i + 2], 0) + 1
        got = module.count_pairs(text)
        assert isinstance(got, dict), f"count_pairs({text!r}) should return a dict, but returned {got!r}"
        got = {pair: number for pair, number in got.items() if number}
        assert got == expected, f"count_pairs({text!r}): expected {expected}, got {got}"

    for counts in ({"ab": 2, "ac": 6, "ba": 1}, {"aa": 1, "ab": 1, "bc": 1, "bd": 3}, {}):
        total = {first: sum(n for pair, n in counts.items() if pair[0] == first) for first in "ab"}
        before = dict(counts)
        got = module.pair_probabilities(counts)
        assert isinstance(got, dict), f"pair_probabilities({before}) should return a dict, but returned {got!r}"
        assert counts == before, "pair_probabilities should leave the counts as they are, and return a new dict"
        assert set(got) == set(counts), f"pair_probabilities({counts}): expected these pairs, got {list(got)}"
        for pair, number in counts.items():
            right = number / total[pair[0]]
            what = f"P({pair[1]} | {pair[0]}) from {counts}"
            assert abs(float(got[pair]) - right) < 1e-6, f"{what}: expected {right:.4f}, got {float(got[pair]):.4f}"
