"""The two checks of the contract must pass a sound model and catch each way of being unsound."""

import math

import pytest
import torch
from torch import nn

from shared.contract import assert_causal, assert_chunk_invariant

VOCAB_SIZE = 5
TOKEN_IDS = torch.randint(VOCAB_SIZE, (2, 9), generator=torch.Generator().manual_seed(1))
OTHER = (TOKEN_IDS + 1) % VOCAB_SIZE


class Running(nn.Module):
    """A sound model: logits depend on how often each token was read so far; the state is those counts, (B, V)."""

    def counts(self, token_ids, state):
        counts = nn.functional.one_hot(token_ids, VOCAB_SIZE).float().cumsum(dim=1)
        return counts if state is None else counts + state[:, None]

    def forward(self, token_ids, state=None):
        counts = self.counts(token_ids, state)
        return (counts + 1).log(), counts[:, -1]


class Impossible(Running):
    """Sound as well: what was never read has no probability at all, log 0."""

    def forward(self, token_ids, state=None):
        counts = self.counts(token_ids, state)
        return counts.log(), counts[:, -1]


class Forgetful(Running):
    """Returns a state, and does not look at the one that it is given."""

    def forward(self, token_ids, state=None):
        return super().forward(token_ids, None)


class Peeking(Running):
    """Position t sees the token that it has to predict."""

    def forward(self, token_ids, state=None):
        logits, state = super().forward(token_ids, state)
        return torch.cat([logits[:, 1:], logits[:, -1:]], dim=1), state


class Sees(Running):
    """Only the last position of a call tells something about what is behind it: a leak of one number."""

    def forward(self, token_ids, state=None):
        logits, state = super().forward(token_ids, state)
        return logits + 0.01 * token_ids[:, -1:, None], state


class InPlace(Running):
    """Counts into the state that it was given."""

    def forward(self, token_ids, state=None):
        logits, after = super().forward(token_ids, state)
        return logits, after if state is None else state.copy_(after)


class WrongShape(Running):
    """Gives logits for the last position only, as many a sampler would like it."""

    def forward(self, token_ids, state=None):
        logits, state = super().forward(token_ids, state)
        return logits[:, -1:], state


class NotANumber(Running):
    """Logits that compare with nothing: the checks may not take them for equal."""

    def forward(self, token_ids, state=None):
        logits, state = super().forward(token_ids, state)
        return logits * math.nan, state


@pytest.mark.parametrize("model", [Running(), Impossible()])
@pytest.mark.parametrize("cuts", [[], [4], [1, 2, 3], [0, 3, 3, 9]])
def test_a_sound_model_passes_chunk_invariance(model, cuts):
    assert_chunk_invariant(model, TOKEN_IDS, cuts)


@pytest.mark.parametrize("model", [Running(), Impossible(), Forgetful()])
@pytest.mark.parametrize("place", [0, 1, 5, 9])
def test_a_sound_model_passes_causality(model, place):
    assert_causal(model, TOKEN_IDS, place, OTHER)


@pytest.mark.parametrize("model", [Forgetful(), Sees(), Peeking(), NotANumber()])
def test_a_model_that_reads_pieces_otherwise_is_caught(model):
    with pytest.raises(AssertionError, match=r"cut at \[4\]|from the same state"):
        assert_chunk_invariant(model, TOKEN_IDS, [4])


def test_a_state_changed_in_place_is_caught_and_named():
    with pytest.raises(AssertionError, match="changed in place"):
        assert_chunk_invariant(InPlace(), TOKEN_IDS, [4])


@pytest.mark.parametrize("model", [Peeking(), Sees(), NotANumber()])
def test_a_model_that_sees_what_comes_is_caught(model):
    with pytest.raises(AssertionError, match="tokens from 5 on leaked"):
        assert_causal(model, TOKEN_IDS, 5, OTHER)


def test_a_wrong_shape_is_caught_and_shown():
    with pytest.raises(AssertionError, match=r"shapes \(2, 2, 5\) and \(2, 1, 5\)"):
        assert_chunk_invariant(WrongShape(), TOKEN_IDS, [4])


def test_a_possible_and_an_impossible_token_are_not_equal():
    class FirstCall(Impossible):
        """Says log 0 from the start of a text, and log 1 later."""

        def forward(self, token_ids, state=None):
            logits, after = super().forward(token_ids, state)
            return logits if state is None else logits.clamp(min=0.0), after

    with pytest.raises(AssertionError, match="inf"):
        assert_chunk_invariant(FirstCall(), TOKEN_IDS, [4])


def test_the_tolerance_is_kept():
    class Rough(Running):
        """Reading on differs by 1e-3."""

        def forward(self, token_ids, state=None):
            logits, after = super().forward(token_ids, state)
            return logits + (0.0 if state is None else 1e-3), after

    assert_chunk_invariant(Rough(), TOKEN_IDS, [4], atol=2e-3)
    with pytest.raises(AssertionError, match="allowed 5e-04"):
        assert_chunk_invariant(Rough(), TOKEN_IDS, [4], atol=5e-4)


def test_the_checks_switch_dropout_off():
    class Dropping(Running):
        """Sound in eval mode only."""

        def forward(self, token_ids, state=None):
            logits, after = super().forward(token_ids, state)
            return nn.functional.dropout(logits, 0.5, self.training), after

    assert_chunk_invariant(Dropping().train(), TOKEN_IDS, [4])
    assert_causal(Dropping().train(), TOKEN_IDS, 5, OTHER)
