"""Checks exercise 4: each of the three functions alone, then the whole against the lesson's NGramLM."""

from pathlib import Path

import torch

from shared.lessons import load

TEXT = """the fox asked the hen to open the gate. the hen said: not today, fox, nor the day after. so the fox sat down
by the gate and waited. the rain came, and the wind came, and the hen slept warm. in the morning the fox was gone, and
at the gate lay one wet feather. whose it was, nobody asked: the hens were all there, and one crow was cold. """
UNSEEN = "the crow asked the fox: whose feather? zzz the hen"


def check_parts(module) -> None:
    """Each function alone, on numbers that one can follow by hand."""
    longer = {(1, 2): 5, (3, 2): 1, (2, 2): 1, (2, 1): 4}
    got = module.continuation_counts(dict(longer), (1,))
    assert isinstance(got, dict), f"continuation_counts should return a dict, but returned {got!r}"
    got = {ngram: int(count) for ngram, count in got.items() if count}
    expected = {(2,): 3, (1,): 2}
    assert got == expected, f"continuation_counts({longer}, first=(1,)): expected {expected}, got {got}"
    got = dict(module.continuation_counts({(1, 2): 1}, (1,)))
    expected = {(1,): 1, (2,): 1}
    assert got == expected, f"continuation_counts({{(1, 2): 1}}, first=(1,)): expected {expected}, got {got}"

    y = 6 / (6 + 2 * 3)
    for how_many, expected in (
        ((6, 3, 2, 1), (1 - 2 * y * 3 / 6, 2 - 3 * y * 2 / 3, 3 - 4 * y * 1 / 2)),
        ((6, 3, 2, 0), (1 - 2 * y * 3 / 6, 2 - 3 * y * 2 / 3, 3)),
        ((6, 3, 0, 1), (0.5, 1.0, 1.5)),
        ((0, 3, 2, 1), (0.5, 1.0, 1.5)),
        ((6, 0, 2, 1), (0.5, 1.0, 1.5)),
        ((2, 1, 9, 1), (0.5, 1.0, 1.5)),
    ):
        counts = [r for r, n in enumerate(how_many, start=1) for _ in range(n)] + [7, 8]
        got = module.discounts({(i,): count for i, count in enumerate(counts)})
        what = "discounts where n1, n2, n3, n4 are " + ", ".join(map(str, how_many))
        assert got is not None and len(got) == 3, f"{what}: expected three numbers, got {got!r}"
        got, expected = [round(float(d), 6) for d in got], [round(d, 6) for d in expected]
        assert got == expected, f"{what}: expected {expected}, got {got}"

    tables, all_discounts = [{(0,): 1, (1,): 3}, {(0, 0): 1, (0, 1): 2}], [(0.5, 1.0, 1.5), (0.5, 1.0, 1.5)]
    for context, word, expected in (
        ((), 0, (1 - 0.5 + 2 * 0.25) / 4),
        ((), 2, 2 * 0.25 / 4),
        ((1,), 0, (1 - 0.5 + 2 * 0.25) / 4),
        ((0,), 0, (1 - 0.5 + 1.5 * 0.25) / 3),
        ((0,), 3, (1.5 * 0.125) / 3),
    ):
        what = f"probability({context}, {word}, {tables}, {all_discounts}, vocab_size=4)"
        got = module.probability(context, word, tables, all_discounts, 4)
        assert got is not None, f"{what}: expected {expected:.4f}, but nothing was returned"
        assert abs(float(got) - expected) < 1e-6, f"{what}: expected {expected:.4f}, got {float(got):.4f}"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    check_parts(module)
    lesson = load(Path(__file__).parents[2] / "model.py")
    for unit, train, unseen in (("characters", TEXT, UNSEEN), ("words", TEXT.split(), UNSEEN.split())):
        vocabulary = sorted({*train, *unseen})
        train, unseen = ([vocabulary.index(token) for token in text] for text in (train, unseen))
        for order in (1, 2, 3, 5):
            model = lesson.NGramLM(lesson.NGramConfig(len(vocabulary), order, "kneser-ney"))
            model.fit(torch.tensor(train))
            fitted = module.fit(list(train), order)
            for text in (unseen, train[:60]):
                right = model.log_prob(torch.tensor(text)).tolist()
                got = [float(value) for value in module.log_probs(list(text), *fitted, len(vocabulary))]
                assert len(got) == len(right), f"order {order}: expected {len(right)} log-probabilities, got {len(got)}"
                for i, (mine, theirs) in enumerate(zip(got, right, strict=True), start=1):
                    token, before = vocabulary[text[i]], [vocabulary[t] for t in text[max(0, i - order + 1) : i]]
                    what = f"order {order} on {unit}: ln P({token!r} after {before})"
                    assert abs(mine - theirs) < 1e-6, f"{what}: expected {theirs:.6f} (NGramLM), got {mine:.6f}"
