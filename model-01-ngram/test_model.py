"""What proves lesson 01 right. Run: pytest model-01-ngram"""

import math
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.contract import assert_causal, assert_chunk_invariant
from shared.evaluation import first_loss, token_losses
from shared.lessons import load

lesson = load(Path(__file__).with_name("model.py"))
smoothing = load(Path(__file__).with_name("smoothing.py"))
SMOOTHINGS = smoothing.SMOOTHINGS


@st.composite
def fitted(draw, smoothings=SMOOTHINGS):
    """A model of any order fitted on a short random text, and the vocabulary size."""
    vocab_size = draw(st.integers(1, 6))
    text = draw(st.lists(st.integers(0, vocab_size - 1), min_size=2, max_size=60))
    config = lesson.NGramConfig(vocab_size + 1, draw(st.integers(1, 10)), draw(st.sampled_from(smoothings)))
    model = lesson.NGramLM(config)  # + 1: a token that the training text never has
    model.fit(torch.tensor(text))
    return model, vocab_size + 1


def random_ids(seed: int, vocab_size: int, batch: int, length: int) -> torch.Tensor:
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


@given(fitted(), st.integers(0, 1000), st.integers(1, 3), st.integers(1, 20), st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=100, deadline=None)
def test_chunk_invariance(model_and_size, seed, batch, length, cuts):
    model, vocab_size = model_and_size
    cuts = sorted(min(cut, length) for cut in cuts)
    assert_chunk_invariant(model, random_ids(seed, vocab_size, batch, length), cuts)


@given(fitted(), st.integers(0, 1000), st.integers(1, 20), st.integers(0, 20))
@settings(max_examples=50, deadline=None)
def test_causality(model_and_size, seed, length, place):
    model, vocab_size = model_and_size
    token_ids, other = random_ids(seed, vocab_size, 2, length), random_ids(seed + 1, vocab_size, 2, length)
    assert_causal(model, token_ids, min(place, length), other)


@given(fitted(), st.integers(0, 1000), st.integers(1, 20))
@settings(max_examples=150, deadline=None)
def test_probabilities_sum_to_one_after_any_context(model_and_size, seed, length):
    model, vocab_size = model_and_size
    log_probs, _ = model(random_ids(seed, vocab_size, 2, length))
    assert log_probs.shape == (2, length, vocab_size) and log_probs.dtype == torch.float32
    assert torch.allclose(log_probs.double().exp().sum(-1), torch.ones(2, length).double(), atol=1e-5)
    if model.config.smoothing != "none":
        assert torch.isfinite(log_probs).all(), "a probability of zero makes the loss infinite"


@given(fitted(), st.integers(0, 1000), st.integers(2, 40))
@settings(max_examples=100, deadline=None)
def test_fast_scoring_equals_the_logits(model_and_size, seed, length):
    model, vocab_size = model_and_size
    token_ids = random_ids(seed, vocab_size, 1, length)[0]
    logits, _ = model(token_ids[None])
    expected = logits[0, :-1].gather(1, token_ids[1:, None])[:, 0]
    assert torch.allclose(model.log_prob(token_ids).float(), expected, atol=1e-5)


def test_without_smoothing_an_unseen_continuation_is_impossible():
    model = lesson.NGramLM(lesson.NGramConfig(3, order=2, smoothing="none"))
    model.fit(torch.tensor([0, 1, 0, 1, 0]))
    logits, _ = model(torch.tensor([[0]]))
    assert logits[0, 0].exp().tolist() == [0.0, 1.0, 0.0]
    assert model.log_prob(torch.tensor([0, 2])).item() == -math.inf


def test_untrained_loss_is_ln_of_the_vocabulary():
    model = lesson.NGramLM(lesson.NGramConfig(65))
    assert abs(first_loss(model, random_ids(0, 65, 1, 500)[0]) - math.log(65)) < 1e-6


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_evaluation_in_chunks_with_carried_state_equals_fast_scoring(name):
    token_ids = random_ids(3, 5, 1, 600)[0]
    model = lesson.NGramLM(lesson.NGramConfig(5, order=4, smoothing=name))
    model.fit(token_ids[:400])
    losses = token_losses(model, token_ids[400:], chunk_length=7)
    assert torch.allclose(losses, -model.log_prob(token_ids[400:]), atol=1e-5)


def test_a_state_of_n_minus_1_tokens_is_all_that_is_remembered():
    model = lesson.NGramLM(lesson.NGramConfig(4, order=3))
    model.fit(random_ids(1, 4, 1, 200)[0])
    short, state = model(torch.tensor([[2, 3]]))
    long, _ = model(torch.tensor([[0, 1, 1, 0, 2, 3]]))
    assert state.tolist() == [[2, 3]]
    assert torch.equal(short[:, -1], long[:, -1])


def kneser_ney_by_the_definition(train: list[int], text: list[int], order: int, vocab_size: int) -> list[float]:
    """Interpolated modified Kneser-Ney from Chen & Goodman 1999, with dictionaries, one probability at a time."""
    ngrams = {k: Counter(tuple(train[i : i + k]) for i in range(len(train) - k + 1)) for k in range(1, order + 1)}
    counts = {order: ngrams[order]}
    for k in range(1, order):
        left = defaultdict(set)
        for i in range(len(train) - k + 1):
            left[tuple(train[i : i + k])].add(train[i - 1] if i else "start of text")
        counts[k] = {ngram: len(neighbours) for ngram, neighbours in left.items()}
    discounts = {k: smoothing.discounts_from(torch.tensor(list(counts[k].values())))[0].tolist() for k in counts}

    def probability(context, word):
        k = len(context) + 1
        following = {ngram: c for ngram, c in counts[k].items() if ngram[:-1] == context}
        lower = probability(context[1:], word) if k > 1 else 1 / vocab_size
        if not following:
            return lower
        total = sum(following.values())
        left_over = sum(discounts[k][min(c, 3)] for c in following.values()) / total
        c = following.get((*context, word), 0)
        return (c - discounts[k][min(c, 3)]) / total + left_over * lower

    places = range(1, len(text))
    return [math.log(probability(tuple(text[max(0, i - order + 1) : i]), text[i])) for i in places]


@given(st.integers(1, 6), st.integers(2, 12), st.integers(10, 200), st.integers(0, 1000))
@example(5, 2, 81, 440)  # where a closed-form discount is exactly 0
@settings(max_examples=40, deadline=None)
def test_kneser_ney_equals_the_definition(order, vocab_size, length, seed):
    generator = torch.Generator().manual_seed(seed)
    skewed = torch.rand(vocab_size, generator=generator) ** 3 + 1e-3
    train = torch.multinomial(skewed, length, replacement=True, generator=generator)
    text = torch.randint(vocab_size, (30,), generator=generator)
    model = lesson.NGramLM(lesson.NGramConfig(vocab_size, order))
    model.fit(train)
    expected = kneser_ney_by_the_definition(train.tolist(), text.tolist(), order, vocab_size)
    assert torch.allclose(model.log_prob(text), torch.tensor(expected, dtype=torch.float64), atol=1e-10)


def test_discounts_by_hand():
    # n1 = 4, n2 = 2, n3 = 1, n4 = 1: Y = 4 / (4 + 4) = 1/2
    counts = torch.tensor([1, 1, 1, 1, 2, 2, 3, 4, 9]).double()
    discounts, closed_form = smoothing.discounts_from(counts)
    assert closed_form and discounts.tolist() == [0, 1 - 0.5, 2 - 3 * 0.5 / 2, 3 - 4 * 0.5]


@pytest.mark.parametrize("counts", [[5, 6, 7, 900], [1, 1, 5], [1, 2, 3, 4, 4, 4], [1, 1, 1, 1, 2, 3]])
def test_discounts_fall_back_where_the_closed_form_has_no_value(counts):
    discounts, closed_form = smoothing.discounts_from(torch.tensor(counts).double())
    assert not closed_form and discounts.tolist() == [0, *smoothing.FALLBACK_DISCOUNTS]


def stupid_backoff_score(train: list[int], context: tuple, word: int, vocab_size: int) -> float:
    """Brants et al. 2007, eq. 5, with 1/V below the unigram."""
    ngram, k = (*context, word), len(context) + 1
    count = sum(tuple(train[i : i + k]) == ngram for i in range(len(train) - k + 1))
    if count:
        following = sum(tuple(train[i : i + k - 1]) == context for i in range(len(train) - k + 1))
        return count / following
    return 0.4 * (stupid_backoff_score(train, context[1:], word, vocab_size) if context else 1 / vocab_size)


def test_stupid_backoff_is_the_published_score_divided_by_its_sum():
    train, vocab_size = random_ids(5, 4, 1, 60)[0], 5
    model = lesson.NGramLM(lesson.NGramConfig(vocab_size, order=3, smoothing="stupid-backoff"))
    model.fit(train)
    for context in [(0, 1), (3, 3), (4, 2), (2, 4)]:
        scores = torch.tensor([stupid_backoff_score(train.tolist(), context, w, vocab_size) for w in range(vocab_size)])
        found, _ = model(torch.tensor([context]))
        assert torch.allclose(found[0, -1].exp(), scores / scores.sum(), atol=1e-6)


def test_add_k_by_hand():
    model = lesson.NGramLM(lesson.NGramConfig(4, order=2, smoothing="add-k", add_k=0.5))
    model.fit(torch.tensor([0, 1, 0, 2, 0, 1]))
    logits, _ = model(torch.tensor([[0, 3]]))
    assert torch.allclose(logits[0, 0].exp(), torch.tensor([0.5, 2.5, 1.5, 0.5]) / 5)
    assert torch.allclose(logits[0, 1].exp(), torch.full((4,), 0.25)), "an unseen context has no opinion"


def test_interpolation_learns_weights_that_are_better_than_one_half(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    transitions = torch.rand(8, 8, generator=generator) ** 4
    text = [0]
    for _ in range(3000):
        text.append(int(torch.multinomial(transitions[text[-1]], 1, generator=generator)))
    train, held_out = torch.tensor(text[:2500]), torch.tensor(text[2500:])
    config = lesson.NGramConfig(8, order=5, smoothing="interpolated")
    learnt, fixed = lesson.NGramLM(config), lesson.NGramLM(config)
    learnt.fit(train)
    monkeypatch.setattr(lesson, "fit_weights", lambda frequency, *_: torch.full((5, 24), 0.5).double())
    fixed.fit(train)
    assert learnt.log_prob(held_out).mean() > fixed.log_prob(held_out).mean() + 0.01


def test_interpolation_weight_by_hand():
    # Order 1 only: of 4 held-out tokens 3 are explained by the counts alone, one not at all. The likelihood
    # (w * 1/2 + (1 - w)/4)^3 * (1 - w)/4, times w (1 - w) for the one pseudo-token on either side, is greatest where
    # 3/(1 + w) + 1/w = 2/(1 - w), at w = 1/2.
    frequency, total = torch.tensor([[0.5, 0.5, 0.5, 0.0]]).double(), torch.full((1, 4), 2.0).double()
    weights = smoothing.fit_weights(frequency, total, vocab_size=4, iterations=200)
    assert abs(weights[0, 1].item() - 0.5) < 1e-6


def test_continuations_are_the_counts_of_the_text():
    text = torch.tensor([0, 1, 2, 0, 1, 3, 0, 1, 2])
    model = lesson.NGramLM(lesson.NGramConfig(5, order=3))
    model.fit(text)
    assert model.continuations([0, 1])[0] == ([0, 1], [(2, 2), (3, 1)])
    assert [suffix for suffix, _ in model.continuations([4, 1])] == [[1], []]


def test_context_lengths():
    model = lesson.NGramLM(lesson.NGramConfig(5, order=3))
    model.fit(torch.tensor([0, 1, 2, 0, 1, 3]))
    assert model.context_lengths(torch.tensor([0, 1, 4, 2, 0])).tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize("name", SMOOTHINGS)
def test_a_checkpoint_gives_back_the_same_model(name, tmp_path):
    model = lesson.NGramLM(lesson.NGramConfig(6, order=4, smoothing=name))
    text = random_ids(2, 6, 1, 300)[0]
    model.fit(text)
    torch.save({"config": vars(model.config), "weights": model.state_dict()}, tmp_path / "model.pt")
    saved = torch.load(tmp_path / "model.pt", weights_only=True)
    again = lesson.NGramLM(lesson.NGramConfig(**saved["config"]))
    again.load_state_dict(saved["weights"])
    assert torch.equal(again.log_prob(text), model.log_prob(text))


def test_a_text_shorter_than_the_order_still_trains():
    model = lesson.NGramLM(lesson.NGramConfig(3, order=8))
    model.fit(torch.tensor([0, 1, 2]))
    assert torch.isfinite(model.log_prob(torch.tensor([0, 1, 2, 0]))).all()


def test_the_worked_example_of_the_readme():
    letters = "abcdr"
    model = lesson.NGramLM(lesson.NGramConfig(5, order=2))
    model.fit(torch.tensor([letters.index(letter) for letter in "abracadabra"]))
    probabilities = model(torch.tensor([[letters.index("a")]]))[0][0, 0].exp()
    expected = {"a": 0.2, "b": 0.325, "c": 0.2, "d": 0.2, "r": 0.075}
    assert torch.allclose(probabilities, torch.tensor([expected[letter] for letter in letters]))
