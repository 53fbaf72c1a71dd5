import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text_metrics import describe, real_word_share, repetition, verbatim_share, words

few_letters = st.text("ab ", max_size=40)


@given(text=few_letters, training=few_letters, span=st.integers(1, 6))
def test_verbatim_share_matches_the_definition(text, training, span):
    copied = set()
    for start in range(len(text)):
        for end in range(start + span, len(text) + 1):
            if text[start:end] in training:
                copied.update(range(start, end))
    expected = len(copied) / len(text) if text else 0.0
    assert verbatim_share(text, training, span) == pytest.approx(expected)


def test_verbatim_share_by_example():
    training = "it was the best of times, it was the worst of times"
    assert verbatim_share(training, training) == 1.0
    assert verbatim_share("XXXXX" + training[3:43] + "YYYYY", training) == 40 / 50
    assert verbatim_share(training[:29] + "#", training) == 0.0
    assert verbatim_share(training[:29], training) == 0.0  # shorter than a span


@given(text=st.lists(st.sampled_from("abc"), max_size=20).map(" ".join), n=st.integers(1, 5))
def test_repetition_matches_the_definition(text, n):
    found = text.split()
    sequences = [found[i : i + n] for i in range(len(found) - n + 1)]
    seen_before = sum(sequence in sequences[:i] for i, sequence in enumerate(sequences))
    assert repetition(text, n) == pytest.approx(seen_before / len(sequences) if sequences else 0.0)


def test_repetition_by_example():
    assert repetition("one two three four five six") == 0.0
    assert repetition("knock Knock, knock knock\nknock") == 0.5
    assert repetition("knock knock knock") == repetition("") == 0.0


def test_words_and_real_words():
    assert words("O'er the hill -- 42 times, 'tis said; _so_!") == ["o'er", "the", "hill", "times", "tis", "said", "so"]
    assert real_word_share("The kin kind THE", "the king is kind") == 0.75
    assert real_word_share("... 42", "the king") == real_word_share("", "") == 0.0


def test_describe():
    training = "the cat sat on the mat and looked at the moon"
    measured = describe(training + " zzz", training)
    assert measured == {
        "characters": 49,
        "verbatim_share": pytest.approx(45 / 49),
        "repetition": 0.0,
        "real_word_share": pytest.approx(11 / 12),
    }
    assert describe("", training) == {
        "characters": 0, "verbatim_share": 0.0, "repetition": 0.0, "real_word_share": 0.0,
    }  # fmt: skip
