"""Search on tables that one can follow on paper; with networks it is tested in lessons 04 and 06."""

import random

import pytest
import torch

from shared import beam
from shared.data.sentence_pairs import BEGIN, END


class Table:
    """Stands in for a model and its memory: P(next) depends on the token before it alone."""

    def __init__(self, rows):
        self.log_probs = torch.zeros(6, 6).double()
        for before, chances in rows.items():
            self.log_probs[before] = -torch.inf
            for token, chance in chances.items():
                self.log_probs[before, token] = torch.tensor(chance).log()

    def encode(self, source, lengths):
        return self

    def rows(self, index):
        return self

    def decode(self, inputs, memory, state=None):
        return self.log_probs[inputs], inputs, None


def test_a_beam_finds_what_greedy_misses():
    """Greedy takes 3 (0.6), after which all is unlikely; 4 (0.4) goes on for certain."""
    model = Table({1: {3: 0.6, 4: 0.4}, 3: {2: 0.33, 4: 0.33, 5: 0.34}, 4: {2: 1.0}, 5: {2: 1.0}})
    source = torch.tensor([[3, 2]]), torch.tensor([2])
    assert beam.greedy(model, *source)[0].token_ids[0] == 3
    for alpha in (0.0, 1.0):
        output = beam.beam_search(model, *source, 3, alpha)[0]
        assert output.token_ids == [4, 2] and output.log_prob == pytest.approx(torch.tensor(0.4).log().item())


def test_alpha_weighs_length():
    """One token at 0.5, or four tokens at 0.4 together: by log P the short one wins, by its mean the long one."""
    model = Table({1: {2: 0.5, 3: 0.5}, 3: {4: 1.0}, 4: {5: 1.0}, 5: {2: 0.8, 3: 0.2}})
    source = torch.tensor([[3, 2]]), torch.tensor([2])
    assert beam.beam_search(model, *source, 4, alpha=0.0)[0].token_ids == [2]
    assert beam.beam_search(model, *source, 4, alpha=1.0)[0].token_ids == [3, 4, 5, 2]


def test_a_sentence_without_an_end_is_cut_at_its_limit():
    model = Table({1: {3: 1.0}, 3: {3: 1.0}})
    source = torch.tensor([[3, 2, 0], [3, 3, 2]]), torch.tensor([2, 3])
    for outputs in (beam.greedy(model, *source), beam.beam_search(model, *source, 3)):
        assert [output.token_ids for output in outputs] == [[3] * 14, [3] * 16]


class Remembering(Table):
    """P(next) depends on all tokens so far, which are the state: in a list of a tuple, as a cache is."""

    def after(self, written: list[int]) -> torch.Tensor:
        draw = random.Random(str(written))
        logits = [draw.gauss(0, 2) - 3 * (token == END) for token in range(6)]
        return torch.tensor(logits).double().log_softmax(dim=0)

    def decode(self, inputs, memory, state=None):
        written = inputs if state is None else torch.cat([state[0][0], inputs], dim=1)
        return torch.stack([self.after(row) for row in written.tolist()])[:, None], [(written,)], None


@pytest.mark.parametrize("width", [1, 2, 4])
def test_each_beginning_goes_on_from_its_own_state(width):
    model = Remembering({})
    source = torch.tensor([[3, 2, 0, 0], [3, 3, 3, 2]]), torch.tensor([2, 4])
    for output in beam.beam_search(model, *source, width, alpha=0.5):
        ids = [BEGIN, *output.token_ids]
        total = sum(model.after(ids[:t])[ids[t]].item() for t in range(1, len(ids)))
        assert len(ids) > 5 and output.log_prob == pytest.approx(total)
