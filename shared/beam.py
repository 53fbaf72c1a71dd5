"""From a source sentence to a target sentence: greedy search and beam search, for many sentences at once.

Beam search keeps the k likeliest beginnings. At each step every one of them is continued with every token, and the k
likeliest results are kept; one that has ended keeps its place until others are likelier. At the end the winner is

    argmax  log P(y) / |y|^alpha         |y| tokens, the end counted

plain division by a power of the length (Wu et al. 2016, section 7, have ((5 + |y|) / 6)^alpha there, and a term for the
source words not covered). alpha = 0 compares log P(y) as it is, which favours short sentences; 1 compares means.

A sentence stops early when no open beginning can win any more: its log P only falls, and it gets no longer than its
limit. Rows never look at one another, so a batch gives what its sentences give one at a time. B sentences, k beams.

What is asked of a model (lessons 04 and 06):

    memory = model.encode(source, lengths)                        (B, S) ids, (B,): all that the decoder has of them
    memory.rows(index)                                            that of some of the sentences; one may come twice
    logits, state, weights = model.decode(inputs, memory, state)  (B, T) ids; state None: nothing is written yet

with logits (B, T, V), a state of tensors whose rows are sentences, and the attention's weights (B, T, S) or None.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from shared.data.sentence_pairs import BEGIN, END, PAD
from shared.recall import map_state


class Output(NamedTuple):
    """A target sentence: token ids, END last unless it was cut at its limit."""

    token_ids: list[int]
    log_prob: float  # of the whole sentence, nats
    weights: Tensor | None  # (tokens, S) of the attention, if there is any


def limits_of(lengths: Tensor) -> Tensor:
    """How many tokens an output may have: the source's length (B,), twice, and ten."""
    return 2 * lengths + 10


def next_log_probs(model, tokens: Tensor, memory, state):
    """One step: tokens (rows,) -> log P of the next token (rows, V), the new state, the weights (rows, S) or None."""
    logits, state, weights = model.decode(tokens[:, None], memory, state)
    log_probs = logits[:, 0].log_softmax(dim=1)
    log_probs[:, [PAD, BEGIN]] = -torch.inf  # no words
    return log_probs, state, weights if weights is None else weights[:, 0]


@torch.no_grad()
def greedy(model, source: Tensor, lengths: Tensor) -> list[Output]:
    """The likeliest token at each step: source (B, S), lengths (B,) -> B outputs. The model is in eval mode."""
    memory, limits, state = model.encode(source, lengths), limits_of(lengths), None
    tokens, log_prob = torch.full_like(lengths, BEGIN), torch.zeros(len(source), device=source.device)
    ended, columns, all_weights = torch.zeros_like(lengths, dtype=torch.bool), [], []
    while not ended.all():
        log_probs, state, weights = next_log_probs(model, tokens, memory, state)
        best, tokens = log_probs.max(dim=1)
        log_prob = torch.where(ended, log_prob, log_prob + best)
        tokens = tokens.masked_fill(ended, PAD)
        columns.append(tokens)
        all_weights.append(weights)
        ended = ended | (tokens == END) | (len(columns) >= limits)
    all_weights = None if weights is None else torch.stack(all_weights, dim=1)
    return outputs(torch.stack(columns, dim=1), log_prob, all_weights, lengths)


@torch.no_grad()
def beam_search(model, source: Tensor, lengths: Tensor, beam: int, alpha: float = 1.0) -> list[Output]:
    """As greedy, but with `beam` beginnings for each sentence; beam = 1 is greedy."""
    batch, device = len(source), source.device
    first_slots = torch.arange(batch, device=device)[:, None] * beam  # slot b * beam + i: the i-th beginning of row b
    memory = model.encode(source, lengths)
    memory, limits = memory.rows(torch.arange(batch, device=device).repeat_interleave(beam)), limits_of(lengths)
    log_prob = torch.full((batch, beam), -torch.inf, device=device)
    log_prob[:, 0] = 0.0  # at first there is one beginning, the empty one
    ended = torch.zeros(batch, beam, dtype=torch.bool, device=device)
    sizes = torch.zeros(batch, beam, dtype=torch.int64, device=device)
    tokens = torch.full((batch * beam, 1), BEGIN, device=device)  # (slots, so far)
    state, all_weights = None, None
    while not ended.all():
        log_probs, state, weights = next_log_probs(model, tokens[:, -1], memory, state)
        stay = torch.full_like(log_probs[0], -torch.inf)
        stay[PAD] = 0.0  # what has ended can only stay as it is
        log_probs = torch.where(ended.view(-1, 1), stay, log_probs)
        vocab_size = log_probs.shape[1]
        candidates = log_prob[:, :, None] + log_probs.view(batch, beam, vocab_size)
        log_prob, chosen = candidates.flatten(1).topk(beam, dim=1)
        slots = (first_slots + chosen // vocab_size).flatten()  # whose continuation each one is
        chosen = (chosen % vocab_size).view(-1, 1)
        tokens = torch.cat([tokens[slots], chosen], dim=1)
        state = map_state(state, lambda part, slots=slots: part[slots])
        if weights is not None:
            before = weights.new_empty(len(weights), 0, weights.shape[1]) if all_weights is None else all_weights
            all_weights = torch.cat([before, weights[:, None]], dim=1)[slots]
        ended, sizes = ended.flatten()[slots].view(batch, beam), sizes.flatten()[slots].view(batch, beam)
        sizes = sizes + ~ended
        ended = ended | (chosen == END).view(batch, beam) | (sizes >= limits[:, None])
        scores = (log_prob / sizes**alpha).masked_fill(~ended, -torch.inf)
        hopes = (log_prob / limits[:, None] ** alpha).masked_fill(ended, -torch.inf)
        ended = ended | (scores.amax(dim=1) >= hopes.amax(dim=1))[:, None]
        log_prob = torch.where(scores.isinf() & ended, -torch.inf, log_prob)  # given up
    winners = first_slots[:, 0] + (log_prob / sizes**alpha).argmax(dim=1)
    all_weights = None if weights is None else all_weights[winners]
    return outputs(tokens[winners, 1:], log_prob.flatten()[winners], all_weights, lengths)


def outputs(tokens: Tensor, log_prob: Tensor, weights: Tensor | None, lengths: Tensor) -> list[Output]:
    """Rows of tokens (B, T), PAD behind each one's end, and what goes with them -> one Output for each."""
    found = []
    for row, (ids, total) in enumerate(zip(tokens.tolist(), log_prob.tolist(), strict=True)):
        ids = [i for i in ids if i != PAD]
        found.append(Output(ids, total, None if weights is None else weights[row, : len(ids), : lengths[row]].cpu()))
    return found
