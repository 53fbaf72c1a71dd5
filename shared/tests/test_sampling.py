import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.console import LearnerError
from shared.sampling import Sampler, filter_logits, generate, start_token
from shared.tokenizers import train_tokenizer

settings.register_profile("unhurried", deadline=None)  # first calls import and compile
settings.load_profile("unhurried")

# few different values, so that ties and -inf are common
rows = st.lists(st.sampled_from([-math.inf, -2.0, -1.0, -0.5, 0.0, 1.0, 2.5]), min_size=1, max_size=12)
rows = rows.filter(lambda row: max(row) > -math.inf)
temperatures = st.sampled_from([0.0, 1e-320, 0.01, 0.5, 1.0, 3.0])
top_ks = st.none() | st.integers(1, 14)
top_ps = st.none() | st.floats(1e-9, 1.0) | st.sampled_from([0.1, 0.25, 0.5, 0.75])


def kept_by_definition(row, temperature, top_k, top_p):
    """Ids that may be drawn, and their probabilities, straight from the definition."""
    ids = sorted((i for i in range(len(row)) if row[i] > -math.inf), key=lambda i: (-row[i], i))
    if temperature == 0:
        return {ids[0]: 1.0}
    best = row[ids[0]]
    weights = {i: math.exp((row[i] - best) / temperature) for i in ids[:top_k]}
    kept, mass = {}, 0.0
    for i, weight in weights.items():
        if kept and top_p is not None and top_p < 1 and mass / sum(weights.values()) >= top_p - 1e-12:
            break
        kept[i] = weight
        mass += weight
    return {i: weight / mass for i, weight in kept.items()}


@given(row=rows, temperature=temperatures, top_k=top_ks, top_p=top_ps)
def test_filters_match_the_definition(row, temperature, top_k, top_p):
    filtered = filter_logits(torch.tensor(row), temperature, top_k, top_p)
    expected = kept_by_definition(row, temperature, top_k, top_p)
    assert filtered.dtype == torch.float64
    probabilities = filtered.softmax(-1)
    assert probabilities.sum().item() == pytest.approx(1)
    assert probabilities.tolist() == pytest.approx([expected.get(i, 0.0) for i in range(len(row))], abs=1e-12)
    possible = [i for i, weight in expected.items() if weight > 0]
    assert set(possible) <= set(filtered.isfinite().nonzero().flatten().tolist()) <= set(expected)


@given(row=rows, other=rows, temperature=temperatures, top_k=top_ks, top_p=top_ps)
def test_rows_are_filtered_one_by_one(row, other, temperature, top_k, top_p):
    size = min(len(row), len(other))
    both = torch.tensor([[row[:size]], [other[:size]]])  # (2, 1, V)
    filtered = filter_logits(both, temperature, top_k, top_p)
    assert torch.equal(filtered[0, 0], filter_logits(both[0, 0], temperature, top_k, top_p))
    assert torch.equal(filtered[1, 0], filter_logits(both[1, 0], temperature, top_k, top_p))


def kept(logits, **settings):
    return filter_logits(torch.tensor(logits), **settings).isfinite().nonzero().flatten().tolist()


def test_filters_by_example():
    assert kept([1.0, 3.0, 3.0, 3.0], temperature=0) == [1]
    assert kept([1.0, 3.0, 3.0, 3.0], top_k=2) == [1, 2]
    assert kept([0.0] * 10, top_p=0.8) == list(range(8))
    assert kept([0.0] * 3000, top_k=3) == [0, 1, 2]
    assert kept([0.0, -50.0, -math.inf], top_p=1.0) == [0, 1]
    # top_k first: of a, b (3 : 2) alone, a has 0.6, so 0.55 is reached by a; without top_k it has 0.5 and is not enough
    logits = torch.tensor([0.5, 1 / 3, 1 / 6]).log().tolist()
    assert kept(logits, top_k=2, top_p=0.55) == [0] and kept(logits, top_p=0.55) == [0, 1]


def test_filters_leave_their_argument_alone():
    logits = torch.tensor([1.0, 2.0, 3.0])
    filter_logits(logits, 0.5, 1, 0.5)
    assert logits.tolist() == [1.0, 2.0, 3.0]


WRONG = [
    ({"temperature": -0.1}, "--temperature -0.1"),
    ({"temperature": math.nan}, "--temperature nan"),
    ({"temperature": math.inf}, "--temperature inf"),
    ({"top_k": 0}, "--top-k 0"),
    ({"top_p": 0.0}, "--top-p 0.0"),
    ({"top_p": 1.01}, "--top-p 1.01"),
    ({"top_p": math.nan}, "--top-p nan"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG)
def test_values_out_of_range(wrong, message):
    for call in (
        lambda: filter_logits(torch.zeros(3), **wrong),
        lambda: Sampler(Sum(5), **wrong),
        lambda: generate(Sum(5), [0], 3, **wrong),
    ):
        with pytest.raises(LearnerError, match=message):
            call()


class Sum(torch.nn.Module):
    """Remembers the sum of all tokens read; the likeliest next token is sum % vocab_size, others by distance."""

    def __init__(self, vocab_size, sharpness=1.0):
        super().__init__()
        self.vocab_size, self.sharpness = vocab_size, sharpness
        self.calls = []

    def forward(self, token_ids, state=None):
        assert token_ids.dtype == torch.int64 and not self.training and not torch.is_grad_enabled()
        self.calls.append((token_ids.tolist(), None if state is None else state.item()))
        sums = token_ids.cumsum(1) + (0 if state is None else state)  # (1, T)
        distance = (torch.arange(self.vocab_size) - sums.unsqueeze(-1) % self.vocab_size).abs()
        return -self.sharpness * distance.float(), sums[:, -1]


def test_reads_the_prompt_once_then_token_by_token():
    model = Sum(10)
    model.train()
    ids = list(generate(model, [1, 2], 4, greedy=True))
    assert ids == [3, 6, 2, 4]  # sums 3, 6, 12, 14
    assert model.calls == [([[1, 2]], None), ([[3]], 3), ([[6]], 6), ([[2]], 12)]
    assert model.training


def test_stateless_sees_only_the_last_token():
    model = Sum(10)
    assert list(generate(model, [1, 2], 4, greedy=True, stateless=True)) == [3, 3, 3, 3]
    assert model.calls == [([[1, 2]], None)] + [([[3]], None)] * 3


@given(prompt=st.lists(st.integers(0, 9), min_size=1), seed=st.integers(0, 2**40), cut=st.integers(0, 8))
def test_same_seed_same_text_however_the_work_is_split(prompt, seed, cut):
    def seeded():
        return torch.Generator().manual_seed(seed)

    model = Sum(10, sharpness=0.3)
    whole = list(generate(model, prompt, 8, generator=seeded()))
    assert whole == list(generate(model, prompt, 8, generator=seeded()))
    sampler = Sampler(model, generator=seeded())
    sampler.read(prompt)
    first = [sampler.next() for _ in range(cut)]
    assert sampler.distribution().sum().item() == pytest.approx(1)  # looking on changes nothing
    other = Sampler(model, generator=sampler.generator, state=sampler.state)
    if cut < 8:
        other.logits, other.pending = sampler.logits, sampler.pending
        assert first + [other.next() for _ in range(8 - cut)] == whole


def test_seeds_differ_and_frequencies_are_the_probabilities():
    model = Sum(4, sharpness=0.7)
    sampler = Sampler(model, generator=torch.Generator().manual_seed(0), top_k=3, temperature=2.0)
    sampler.read([1])
    expected = sampler.distribution()
    assert expected[3] == 0
    counts = torch.zeros(4, dtype=torch.float64)
    for _ in range(4000):
        counts[sampler.next()] += 1
        sampler.pending = []  # draw again from the same place
    assert (counts / 4000 - expected).abs().max() < 0.03


def test_survives_being_stopped_inside_the_model():
    class Stopped(Sum):
        stop_at = None

        def forward(self, token_ids, state=None):
            if len(self.calls) == self.stop_at:
                self.stop_at = None
                raise KeyboardInterrupt
            return super().forward(token_ids, state)

    model = Stopped(10)
    model.train()
    model.stop_at = 2
    sampler = Sampler(model, greedy=True)
    sampler.read([1, 2])
    drawn = [sampler.next(), sampler.next()]
    with pytest.raises(KeyboardInterrupt):
        sampler.next()
    assert model.training
    drawn += [sampler.next(), sampler.next()]
    assert drawn == [3, 6, 2, 4]
    sampler.read([5])  # a second prompt: the last token drawn is read before it
    assert model.calls[-1] == ([[4, 5]], 14) and sampler.next() == 3


def test_carries_on_from_a_given_state():
    model = Sum(10)
    assert list(generate(model, [1], 2, greedy=True, state=torch.tensor([6]))) == [7, 4]


def test_models_that_give_no_distribution():
    for value, message in ((-math.inf, "smoothing"), (math.nan, "NaN")):
        with pytest.raises(LearnerError, match=message):
            list(generate(lambda ids, state, v=value: (torch.full((1, ids.shape[1], 3), v), None), [0], 1))


def test_lengths_and_empty_prompts():
    with pytest.raises(LearnerError, match="--length 0"):
        generate(Sum(3), [1], 0)
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(Sum(3), [], 1)
    with pytest.raises(ValueError, match="read nothing"):
        Sampler(Sum(3)).next()


@pytest.mark.parametrize("name", ["char", "word", "bpe", "unigram"])
def test_start_token_is_a_newline_where_there_is_one(name):
    tokenizer = train_tokenizer(name, "to be\nor not\nto be\n", vocab_size=300)
    assert tokenizer.decode([start_token(tokenizer)]) == "\n"
    if name != "bpe":
        assert start_token(train_tokenizer(name, "to be or not to be", vocab_size=300)) == 0
