"""From one long row of token ids to batches. The loader owns the policy; a training loop only calls next(loader).

    ContiguousStreams    for models that carry state: row i of a batch goes on where row i of the batch before ended
    RandomWindows        for models with a fixed context: every row is a window from a random place
    consecutive_windows  for evaluation of the latter: the whole split, each token scored once

B = batch_size, T = chunk_length or context_length. Which batch comes at which step follows from the seed and the step
alone, so a loader's position is two numbers, and a resumed run sees the batches that it would have seen.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from shared.console import LearnerError


class Batch(NamedTuple):
    inputs: torch.Tensor  # (B, T) int64
    targets: torch.Tensor  # (B, T) int64, targets[:, t] is the token after inputs[:, t]
    restart: bool  # True: the rows begin somewhere new, so carried state must be dropped before this batch


def _check(batch_size, length):
    if batch_size < 1:
        raise LearnerError(f"--batch-size {batch_size}: must be 1 or more")
    if length < 1:
        raise LearnerError(f"a context or chunk of {length} tokens: must be 1 or more")


def _as_row(token_ids, needed, why):
    """token_ids as a 1-D array (a memory-mapped one stays on disk); LearnerError if it has fewer than `needed`."""
    tokens = np.asarray(token_ids)
    if tokens.ndim != 1:
        raise ValueError(f"token_ids must be one row, not of shape {tokens.shape}")
    if len(tokens) < needed:
        raise LearnerError(f"the text is too short: {len(tokens)} tokens, and {why} needs {needed}")
    return tokens


def _batch(tokens, starts, length, restart):
    """The windows of length + 1 tokens at `starts`, cut into inputs and targets."""
    rows = np.stack([tokens[start : start + length + 1] for start in starts]).astype(np.int64)
    rows = torch.from_numpy(rows)
    return Batch(rows[:, :-1].contiguous(), rows[:, 1:].contiguous(), restart)


class ContiguousStreams:
    """B equally long streams through the text, read side by side, T tokens at a time, without end.

    A pass (an epoch) begins at a small random offset, so that chunks are cut elsewhere each time, and splits what
    follows into B equal rows. Every token from there on is a target once, but for the first and fewer than B at the
    end. The last chunk of a pass may be shorter than T. The first batch of a pass has restart=True.
    """

    def __init__(self, token_ids, batch_size, chunk_length, seed=0):
        """token_ids: 1-D tensor, array (memory-mapped too) or list. Raises LearnerError for fewer than B + 1 tokens."""
        _check(batch_size, chunk_length)
        why = f"--batch-size {batch_size} (take a smaller one, or a longer text)"
        self.tokens = _as_row(token_ids, batch_size + 1, why)
        self.batch_size, self.chunk_length, self.seed = batch_size, chunk_length, seed
        row_length = (len(self.tokens) - 1) // batch_size
        self.steps_per_epoch = -(-row_length // chunk_length)
        # the largest offset, below T, that leaves as many chunks in a pass as there are without an offset
        spare = len(self.tokens) - 1 - batch_size * ((self.steps_per_epoch - 1) * chunk_length + 1)
        self.max_offset = min(chunk_length - 1, spare)
        self.epoch, self.step = 0, 0  # of the next batch

    def __iter__(self):
        return self

    def __next__(self):
        offset = random.Random(f"{self.seed} {self.epoch}").randint(0, self.max_offset)
        row_length = (len(self.tokens) - 1 - offset) // self.batch_size
        done = self.step * self.chunk_length
        starts = [offset + row * row_length + done for row in range(self.batch_size)]
        batch = _batch(self.tokens, starts, min(self.chunk_length, row_length - done), restart=self.step == 0)
        self.step += 1
        if self.step == self.steps_per_epoch:
            self.epoch, self.step = self.epoch + 1, 0
        return batch

    def _made_of(self):
        return {
            "tokens": len(self.tokens),
            "batch_size": self.batch_size,
            "chunk_length": self.chunk_length,
            "seed": self.seed,
        }

    def state_dict(self):
        return {**self._made_of(), "epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state):
        """Go on from there. Raises LearnerError if that loader had another text, batch size, chunk length or seed."""
        _same_loader(self._made_of(), state)
        self.epoch, self.step = state["epoch"], state["step"]


class RandomWindows:
    """B windows of T tokens (and the one after) from uniformly random places of the text, without end."""

    def __init__(self, token_ids, batch_size, context_length, seed=0):
        """token_ids: 1-D tensor, array (memory-mapped too) or list. Raises LearnerError for fewer than T + 1 tokens."""
        _check(batch_size, context_length)
        why = f"a context of {context_length} (take a smaller --context-length, or a longer text)"
        self.tokens = _as_row(token_ids, context_length + 1, why)
        self.batch_size, self.context_length, self.seed = batch_size, context_length, seed
        self.steps_per_epoch = -(-len(self.tokens) // (batch_size * context_length))
        self.step = 0  # of the next batch

    def __iter__(self):
        return self

    def __next__(self):
        draw = random.Random(f"{self.seed} {self.step}")
        starts = [draw.randrange(len(self.tokens) - self.context_length) for _ in range(self.batch_size)]
        self.step += 1
        return _batch(self.tokens, starts, self.context_length, restart=True)

    def _made_of(self):
        return {
            "tokens": len(self.tokens),
            "batch_size": self.batch_size,
            "context_length": self.context_length,
            "seed": self.seed,
        }

    def state_dict(self):
        return {**self._made_of(), "step": self.step}

    def load_state_dict(self, state):
        """Go on from there. Raises LearnerError if that loader had another text, batch size, context or seed."""
        _same_loader(self._made_of(), state)
        self.step = state["step"]


def _same_loader(mine, saved):
    for key, value in mine.items():
        if saved.get(key) != value:
            raise LearnerError(
                f"cannot go on in the data where the saved run stopped: its {key} was {saved.get(key)}, now it is "
                f"{value}; use the same, or start anew without --resume"
            )


def consecutive_windows(token_ids, context_length, batch_size) -> Iterator[Batch]:
    """Windows of T tokens side by side over the whole text: every token but the first is a target exactly once.

    Up to B windows a batch; a shorter rest at the end comes alone, as (1, rest). Raises LearnerError for fewer than 2
    tokens.
    """
    _check(batch_size, context_length)
    tokens = _as_row(token_ids, 2, "evaluation (take a longer text)")
    return _consecutive(tokens, context_length, batch_size)


def _consecutive(tokens, context_length, batch_size):
    targets = len(tokens) - 1
    full = range(0, targets - targets % context_length, context_length)
    for first in range(0, len(full), batch_size):
        yield _batch(tokens, full[first : first + batch_size], context_length, restart=True)
    if targets % context_length:
        rest = targets % context_length
        yield _batch(tokens, [targets - rest], rest, restart=True)
