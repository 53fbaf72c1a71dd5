"""Loss over a whole split, on toy models whose loss one can work out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import evaluation

VOCAB_SIZE = 7


class Uniform(torch.nn.Module):
    """Every token as likely as any other."""

    def forward(self, token_ids, state=None):
        return torch.zeros(*token_ids.shape, VOCAB_SIZE), None


class Counting(torch.nn.Module):
    """Its logits follow the sum of all tokens read so far, which is its state: (B, 1)."""

    def __init__(self):
        super().__init__()
        table = torch.randn(VOCAB_SIZE, VOCAB_SIZE, generator=torch.Generator().manual_seed(3))
        self.table = torch.nn.Parameter(table)
        self.calls = []

    def forward(self, token_ids, state=None):
        self.calls.append((token_ids.shape, self.training, torch.is_grad_enabled()))
        before = torch.zeros(len(token_ids), 1, dtype=torch.int64) if state is None else state
        sums = token_ids.cumsum(dim=1) + before
        return self.table[sums % VOCAB_SIZE], sums[:, -1:]


class Certain(torch.nn.Module):
    """Sure that the next token is this one plus one: loss 0 where it is, a fixed loss where not."""

    def forward(self, token_ids, state=None):
        logits = torch.zeros(*token_ids.shape, VOCAB_SIZE)
        return logits.scatter(2, ((token_ids + 1) % VOCAB_SIZE)[..., None], 100.0), None


texts = st.lists(st.integers(0, VOCAB_SIZE - 1), min_size=2, max_size=60).map(torch.tensor)


def by_hand(model, token_ids) -> torch.Tensor:
    """Token by token, by the definition."""
    losses = []
    for end in range(1, len(token_ids)):
        logits = model(token_ids[None, :end])[0][0, -1].detach()
        losses.append(math.log(sum(math.exp(x) for x in logits.tolist())) - float(logits[token_ids[end]]))
    return torch.tensor(losses, dtype=torch.float64)


@settings(deadline=None)
@given(token_ids=texts)
def test_a_uniform_model_pays_ln_v_for_every_token_but_the_first(token_ids):
    losses = evaluation.token_losses(Uniform(), token_ids, chunk_length=8)
    assert losses.shape == (len(token_ids) - 1,)
    assert losses.dtype == torch.float64 and losses.device.type == "cpu"
    assert losses.tolist() == pytest.approx([math.log(VOCAB_SIZE)] * len(losses), abs=1e-6)


@settings(deadline=None)
@given(token_ids=texts, chunk_length=st.integers(1, 70))
def test_the_cut_into_chunks_does_not_matter(token_ids, chunk_length):
    model = Counting()
    losses = evaluation.token_losses(model, token_ids, chunk_length=chunk_length)
    torch.testing.assert_close(losses, by_hand(model, token_ids), rtol=0, atol=1e-5)


def test_reset_forgets_at_every_chunk():
    model = Counting()
    token_ids = torch.randint(1, VOCAB_SIZE, (44,), generator=torch.Generator().manual_seed(5))
    reset = evaluation.token_losses(model, token_ids, chunk_length=10, reset=True)
    chunks = [by_hand(model, token_ids[start : start + 11]) for start in range(0, 43, 10)]
    torch.testing.assert_close(reset, torch.cat(chunks), rtol=0, atol=1e-5)
    carried = evaluation.token_losses(model, token_ids, chunk_length=10)
    assert torch.equal(carried[:10], reset[:10]) and not torch.allclose(carried[10:], reset[10:])


@settings(deadline=None)
@given(token_ids=texts, data=st.data())
def test_sliding_windows_score_every_token_once_from_the_first_window_that_has_it(token_ids, data):
    """By the definition: windows from no state at 0, stride, 2 stride ... and one that ends with the text."""
    context_length = data.draw(st.integers(1, 70))
    stride, model, targets = data.draw(st.integers(1, context_length)), Counting(), len(token_ids) - 1
    losses = evaluation.sliding_losses(model, token_ids, context_length, stride)
    starts = [*range(0, max(1, targets - context_length), stride), max(0, targets - context_length)]
    right: list[float] = []
    for start in starts:
        window = by_hand(model, token_ids[start : start + context_length + 1]).tolist()
        right += window[len(right) - start :]
        assert start == 0 or len(right) - start == context_length
    assert losses.shape == (targets,) and losses.dtype == torch.float64 and losses.device.type == "cpu"
    torch.testing.assert_close(losses, torch.tensor(right, dtype=torch.float64), rtol=0, atol=1e-5)


def test_sliding_windows_that_do_not_overlap_are_consecutive_windows():
    token_ids = torch.randint(VOCAB_SIZE, (81,), generator=torch.Generator().manual_seed(5))
    consecutive = evaluation.token_losses(Counting(), token_ids, chunk_length=10, reset=True)
    assert torch.equal(evaluation.sliding_losses(Counting(), token_ids, 10, stride=10), consecutive)


@pytest.mark.parametrize("stride", [0, 9, -1])
def test_a_stride_that_would_leave_tokens_out(stride):
    with pytest.raises(ValueError, match="from 1 to 8"):
        evaluation.sliding_losses(Counting(), torch.arange(7), 8, stride)


@pytest.mark.parametrize("training", [True, False])
def test_sliding_is_measured_in_eval_mode_without_gradients_and_the_mode_comes_back(training):
    model = Counting().train(training)
    losses = evaluation.sliding_losses(model, torch.arange(14) % VOCAB_SIZE, 4, 2)
    assert all(call[1:] == (False, False) for call in model.calls) and not losses.requires_grad
    assert model.training is training


class Fading(torch.nn.Module):
    """A random recurrence that forgets by a factor of `keep` at each step: 1.0 never does. Counts what it is asked."""

    def __init__(self, keep: float, size: int = 4):
        super().__init__()
        draw = torch.Generator().manual_seed(2)
        self.keep, self.asked = keep, 0
        self.embedding, self.out = (torch.randn(VOCAB_SIZE, size, generator=draw) for _ in range(2))

    def forward(self, token_ids, state=None):
        h, logits = torch.zeros(len(token_ids), self.out.shape[1]) if state is None else state["h"], []
        for tokens in token_ids.unbind(1):
            h = self.keep * h + self.embedding[tokens]
            logits.append(h @ self.out.t())
        self.asked += token_ids.shape[1]
        return torch.stack(logits, dim=1), {"h": h}


@pytest.mark.parametrize(("keep", "steps"), [(0.0, (50, 70)), (0.5, (60, 90)), (0.97, (300, 800)), (1.0, (390, 410))])
@pytest.mark.parametrize("length", [401, 407, 400])
def test_parts_side_by_side_are_the_text_in_one_go(keep, steps, length):
    """Whatever the model forgets, and however fast; what fades soon takes little more than one reading of a part."""
    token_ids = torch.randint(VOCAB_SIZE, (length,), generator=torch.Generator().manual_seed(1))
    one, many = Fading(keep), Fading(keep)
    right = evaluation.token_losses(one, token_ids, chunk_length=length)
    losses = evaluation.token_losses(many, token_ids, chunk_length=16, parts=8)
    torch.testing.assert_close(losses, right, rtol=1e-4, atol=1e-4)
    assert one.asked == length - 1 and steps[0] <= many.asked <= steps[1]


def test_a_state_that_is_no_vector_is_read_in_one_go():
    """Token ids (as those of lessons 01 and 02), counters, or nothing."""
    model, token_ids = Counting(), torch.randint(1, VOCAB_SIZE, (200,), generator=torch.Generator().manual_seed(5))
    right = evaluation.token_losses(model, token_ids, chunk_length=200)
    torch.testing.assert_close(evaluation.token_losses(model, token_ids, chunk_length=16, parts=8), right)
    torch.testing.assert_close(evaluation.token_losses(Certain(), token_ids, chunk_length=16, parts=8),
                               evaluation.token_losses(Certain(), token_ids, chunk_length=200))  # fmt: skip


def test_targets_are_the_next_tokens():
    losses = evaluation.token_losses(Certain(), torch.tensor([4, 5, 6, 0, 0, 1]), chunk_length=2)
    assert losses.tolist() == pytest.approx([0, 0, 0, 100, 0], abs=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_it_is_measured_in_eval_mode_without_gradients_and_the_mode_comes_back(training):
    model = Counting().train(training)
    losses = evaluation.token_losses(model, torch.arange(10) % VOCAB_SIZE, chunk_length=4)
    assert [call[1:] for call in model.calls] == [(False, False)] * 3
    assert all(shape[0] == 1 and shape[1] <= 4 for shape, *_ in model.calls)  # batch first, never a longer chunk
    assert not losses.requires_grad
    assert model.training is training


def test_bits_per_character_by_hand():
    assert evaluation.bits_per_character(total_nats=8 * math.log(2), characters=4) == pytest.approx(2.0)
    token_ids = torch.zeros(101, dtype=torch.int64)
    total = float(evaluation.token_losses(Uniform(), token_ids).sum())
    assert evaluation.bits_per_character(total, 100) == pytest.approx(math.log2(VOCAB_SIZE))
    assert evaluation.bits_per_character(total, 200) == pytest.approx(math.log2(VOCAB_SIZE) / 2)  # two-letter tokens


class Syllables:
    """Tokens of different lengths; the last one is the unknown word of a tokenizer that has one."""

    pieces = ["he", "r", "on", "<unk>"]

    def __init__(self, lossless: bool, unk_id: int | None = None):
        self.lossless, self.unk_id = lossless, unk_id

    def decode(self, ids):
        return "".join(self.pieces[token_id] for token_id in ids)


def test_a_lossless_tokenizer_gets_bits_per_character_without_those_of_the_first_token():
    losses = torch.tensor([3 * math.log(2), 3 * math.log(2)], dtype=torch.float64)
    result = evaluation.report(losses, "heron", torch.tensor([0, 1, 2]), Syllables(lossless=True))
    assert result == {"val_loss": pytest.approx(3 * math.log(2)), "val_bits_per_char": pytest.approx(6 / 3)}
    line = evaluation.describe_loss(result, floor=math.log(2) / 2)
    assert "2.0794 nats per token" in line and "2.0000 bits per character" in line and "below 0.5000" in line
    assert "below" not in evaluation.describe_loss(result)


def test_a_tokenizer_that_loses_something_gets_perplexity_and_unknown_words_but_no_bits():
    losses = torch.full((3,), math.log(50), dtype=torch.float64)
    token_ids = torch.tensor([0, 3, 2, 1])
    result = evaluation.report(losses, "he? on r", token_ids, Syllables(lossless=False, unk_id=3))
    assert result["val_perplexity"] == pytest.approx(50) and result["val_unknown_share"] == 0.25
    line = evaluation.describe_loss(result, floor=1.0)
    assert result["val_bits_per_char"] is None and "bits" not in line
    assert "perplexity 50.0" in line and "25.0% unknown" in line
    assert evaluation.report(losses, "he", token_ids, Syllables(lossless=False))["val_unknown_share"] == 0
    infinite = evaluation.report(losses * math.inf, "he", token_ids, Syllables(lossless=False))
    assert infinite["val_loss"] == math.inf and infinite["val_perplexity"] > 1e300


def test_first_loss_reads_a_stretch_of_the_text_only():
    model = Counting()
    token_ids = torch.randint(0, VOCAB_SIZE, (5000,), generator=torch.Generator().manual_seed(5))
    expected = float(evaluation.token_losses(model, token_ids[:300]).mean())
    assert evaluation.first_loss(model, token_ids, length=300) == pytest.approx(expected)
    assert evaluation.first_loss(Uniform(), token_ids) == pytest.approx(math.log(VOCAB_SIZE), abs=1e-6)
