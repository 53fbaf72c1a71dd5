import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.console import LearnerError
from shared.data.batching import ContiguousStreams, RandomWindows, consecutive_windows

settings.register_profile("unhurried", deadline=None)  # first calls import and compile
settings.load_profile("unhurried")

sizes = {"batch_size": st.integers(1, 7), "length": st.integers(1, 9), "seed": st.integers(-3, 10**6)}
counts = st.integers(17, 300)


def one_pass(loader):
    return [next(loader) for _ in range(loader.steps_per_epoch)]


@given(count=counts, **sizes)
def test_streams_go_on_where_they_stopped(count, batch_size, length, seed):
    loader = ContiguousStreams(torch.arange(count), batch_size, length, seed)
    for _ in range(3):
        batches = one_pass(loader)
        assert [b.restart for b in batches] == [True] + [False] * (len(batches) - 1)
        assert all(b.inputs.shape[1] == length for b in batches[:-1]) and 1 <= batches[-1].inputs.shape[1] <= length
        inputs, targets = (torch.cat([getattr(b, part) for b in batches], dim=1) for part in ("inputs", "targets"))
        assert torch.equal(targets, inputs + 1)  # the text counts up
        assert torch.equal(inputs, inputs[0, 0] + torch.arange(inputs.numel()).view(batch_size, -1))
        offset, rest = inputs[0, 0].item(), count - 1 - targets[-1, -1].item()
        assert 0 <= offset < length and 0 <= rest < batch_size


def test_streams_begin_elsewhere_each_pass():
    loader = ContiguousStreams(torch.arange(1000), 4, 16, seed=1)
    assert len({one_pass(loader)[0].inputs[0, 0].item() for _ in range(20)}) > 5


@given(count=counts, **sizes)
def test_windows_lie_in_the_text(count, batch_size, length, seed):
    loader = RandomWindows(list(range(count)), batch_size, length, seed)
    assert loader.steps_per_epoch == np.ceil(count / (batch_size * length))
    for _ in range(5):
        inputs, targets, restart = next(loader)
        assert restart and inputs.shape == targets.shape == (batch_size, length)
        assert torch.equal(inputs, inputs[:, :1] + torch.arange(length)) and torch.equal(targets, inputs + 1)
        assert inputs.min() >= 0 and targets.max() < count


def test_windows_begin_everywhere():
    loader = RandomWindows(torch.arange(12), batch_size=50, context_length=4, seed=0)
    starts = torch.cat([next(loader).inputs[:, 0] for _ in range(20)])
    assert starts.bincount(minlength=12).tolist()[8:] == [0] * 4  # 4 + 1 tokens no longer fit
    assert starts.bincount()[:8].min() > 80  # of 125 expected


@pytest.mark.parametrize("kind", [ContiguousStreams, RandomWindows])
@given(count=counts, before=st.integers(0, 40), **sizes)
def test_saved_and_restored_gives_the_same_batches(kind, count, before, batch_size, length, seed):
    loader, again = (kind(torch.arange(count), batch_size, length, seed) for _ in range(2))
    for _ in range(before):
        next(loader)
    file = io.BytesIO()
    torch.save(loader.state_dict(), file)
    file.seek(0)
    again.load_state_dict(torch.load(file, weights_only=True))
    for _ in range(20):
        one, other = next(loader), next(again)
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.targets, other.targets)
        assert one.restart == other.restart


@pytest.mark.parametrize("kind", [ContiguousStreams, RandomWindows])
def test_seed_decides(kind):
    def drawn(seed):
        loader = kind(torch.arange(500), 4, 10, seed)
        return torch.cat([next(loader).inputs.flatten() for _ in range(50)])

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


@pytest.mark.parametrize("kind", [ContiguousStreams, RandomWindows])
def test_state_of_another_loader_is_refused(kind):
    saved = kind(torch.arange(500), 4, 10, seed=0).state_dict()
    for other in (kind(range(400), 4, 10), kind(range(500), 5, 10), kind(range(500), 4, 9), kind(range(500), 4, 10, 1)):
        with pytest.raises(LearnerError, match="--resume"):
            other.load_state_dict(saved)


@given(count=st.integers(2, 200), batch_size=st.integers(1, 7), length=st.integers(1, 30))
def test_consecutive_windows_score_each_token_once(count, batch_size, length):
    batches = list(consecutive_windows(torch.arange(count), length, batch_size))
    assert all(b.restart and len(b.inputs) <= batch_size and b.inputs.shape[1] <= length for b in batches)
    assert torch.equal(torch.cat([b.targets.flatten() for b in batches]), torch.arange(1, count))
    assert torch.equal(torch.cat([b.inputs.flatten() for b in batches]), torch.arange(count - 1))


def test_memory_mapped_tokens(tmp_path):
    np.arange(60_000, 60_400, dtype=np.uint16).tofile(tmp_path / "tokens.bin")
    tokens = np.memmap(tmp_path / "tokens.bin", dtype=np.uint16, mode="r")
    for batch in (next(ContiguousStreams(tokens, 4, 10)), next(RandomWindows(tokens, 4, 10))):
        assert batch.inputs.dtype == batch.targets.dtype == torch.int64
        assert batch.inputs.min() >= 60_000 and torch.equal(batch.targets, batch.inputs + 1)


def test_too_short_and_out_of_range():
    with pytest.raises(LearnerError, match=r"8 tokens, and --batch-size 8 .* needs 9"):
        ContiguousStreams(torch.arange(8), 8, 4)
    with pytest.raises(LearnerError, match=r"8 tokens, and a context of 8 .* needs 9"):
        RandomWindows(torch.arange(8), 4, 8)
    with pytest.raises(LearnerError, match="1 tokens"):
        consecutive_windows(torch.arange(1), 4, 4)
    with pytest.raises(LearnerError, match="--batch-size 0"):
        ContiguousStreams(torch.arange(8), 0, 4)
    next(ContiguousStreams(torch.arange(9), 8, 4))
    next(RandomWindows(torch.arange(9), 4, 8))
