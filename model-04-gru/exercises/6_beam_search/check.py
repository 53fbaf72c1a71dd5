"""Checks exercise 6: models one can follow on paper, every sentence there is, and the course's own beam.py."""

import math
import random
from functools import cache

import torch

from shared.beam import beam_search, limits_of

END = 0


class Model:
    """next_log_probs of a model, which counts how often it is asked and refuses to go on behind a sentence's end."""

    def __init__(self, log_probs, limit: int):
        self.log_probs, self.limit, self.asked = log_probs, limit, 0

    def __call__(self, tokens) -> list[float]:
        self.asked += 1
        assert isinstance(tokens, list), f"next_log_probs: expected a list of tokens, got {tokens!r}"
        assert END not in tokens, f"next_log_probs: expected tokens of an open sentence, got {tokens} (END is {END})"
        room = len(tokens) < self.limit
        assert room, f"next_log_probs: expected fewer than {self.limit} tokens, the limit, got {len(tokens)}"
        return list(self.log_probs(tuple(tokens)))


def table(chances: dict, size: int):
    """A model whose next token depends on the last one alone: {last (None at the beginning): {next: P}}."""

    def log_probs(tokens):
        row = chances[tokens[-1] if tokens else None]
        return [math.log(row[token]) if token in row else -math.inf for token in range(size)]

    return log_probs


def drawn(seed: int, size: int = 4):
    """A model whose next token depends on all tokens so far, at random."""

    @cache
    def log_probs(tokens):
        draw = random.Random(f"{seed} {tokens}")
        logits = [draw.gauss(0, 1.5) for _ in range(size)]
        total = math.log(sum(map(math.exp, logits)))
        return tuple(logit - total for logit in logits)

    return log_probs


def every_sentence(log_probs, limit: int, tokens=(), log_prob=0.0):
    """All sentences that there are, and their ln P."""
    if tokens[-1:] == (END,) or len(tokens) == limit:
        yield list(tokens), log_prob
        return
    for token, more in enumerate(log_probs(tokens)):
        yield from every_sentence(log_probs, limit, (*tokens, token), log_prob + more)


def shown(tokens: list[int], log_prob: float) -> str:
    """A sentence as the messages write it."""
    return f"{tokens} with ln P = {log_prob:.4f}"


def same(what: str, result, tokens: list[int], log_prob: float) -> None:
    """Assert that the answer returned this sentence and its ln P."""
    pair = isinstance(result, tuple) and len(result) == 2
    assert pair, f"{what}: expected a sentence and its ln P, got {result!r}"
    number = isinstance(result[1], (int, float))
    fits = result[0] == tokens and number and math.isclose(result[1], log_prob, abs_tol=1e-9)
    got = shown(*result) if number else repr(result)
    assert fits, f"{what}: expected {shown(tokens, log_prob)}, got {got}"


# Greedy takes 1 (0.6), after which all is unlikely; 2 (0.4) goes on for certain.
MISLEADING = {None: {1: 0.6, 2: 0.4}, 1: {0: 0.32, 2: 0.33, 3: 0.35}, 2: {0: 1.0}, 3: {0: 1.0}}
# One token at 0.5, or four tokens at 0.4 together.
TWO_LENGTHS = {None: {0: 0.5, 1: 0.5}, 1: {2: 1.0}, 2: {3: 1.0}, 3: {0: 0.8, 3: 0.2}}
# An end at once for all but certain, or hundreds of tokens of which each is likely.
AT_ONCE = {None: {0: 0.99, 1: 0.01}, 1: {0: 0.1, 1: 0.9}}
# The sentence [0], P = 0.3, loses its place to two open beginnings, which come to less in the end.
CROWDED = {None: {0: 0.3, 1: 0.7}, 1: {2: 0.51, 3: 0.49}, 2: {0: 0.8, 2: 0.2}, 3: {0: 0.7, 3: 0.3}}


def check_greedy(module) -> None:
    """A misleading model, one that never ends, and random ones step by step."""
    same("greedy where P(1) = 0.6", module.greedy(Model(table(MISLEADING, 4), 9), 9), [1, 3, 0], math.log(0.6 * 0.35))
    forever = table({None: {1: 1.0}, 1: {1: 1.0}}, 2)
    same("greedy, limit 5, where END never comes", module.greedy(Model(forever, 5), 5), [1] * 5, 0.0)
    for seed in range(20):
        log_probs, tokens, total = drawn(seed), (), 0.0
        while END not in tokens and len(tokens) < 8:
            best = max(range(4), key=log_probs(tokens).__getitem__)
            total, tokens = total + log_probs(tokens)[best], (*tokens, best)
        same(f"greedy, random model {seed}, limit 8", module.greedy(Model(log_probs, 8), 8), list(tokens), total)


def check_score(module) -> None:
    """-6 over 4 tokens, three ways."""
    for alpha, right in ((0.0, -6.0), (0.5, -3.0), (1.0, -1.5)):
        got = module.score(-6.0, 4, alpha)
        fits = isinstance(got, float) and math.isclose(got, right)
        assert fits, f"score(-6.0, 4, alpha={alpha}): expected {right}, got {got!r}"


def check_beam(module) -> None:
    """What a beam is for, what alpha does, who keeps a place, and when to stop; beam 1 is greedy."""
    for seed in range(20):
        right = module.greedy(Model(drawn(seed), 8), 8)
        for alpha in (0.0, 1.0):
            got = module.beam_search(Model(drawn(seed), 8), 8, 1, alpha)
            same(f"beam_search, random model {seed}, beam 1, alpha {alpha:g}: the same as greedy", got, *right)
    for alpha in (0.0, 1.0):
        got = module.beam_search(Model(table(MISLEADING, 4), 9), 9, 2, alpha)
        what = f"beam_search, beam 2, alpha {alpha:g}, where greedy finds P = 0.21 and 2, 0 has P = 0.4"
        same(what, got, [2, 0], math.log(0.4))
    for alpha, tokens, chance in ((0.0, [0], 0.5), (1.0, [1, 2, 3, 0], 0.4)):
        got = module.beam_search(Model(table(TWO_LENGTHS, 4), 9), 9, 3, alpha)
        what = f"beam_search, beam 3, alpha {alpha:g}, one token at P = 0.5 or four at 0.4"
        same(what, got, tokens, math.log(chance))
    for alpha in (0.0, 1.0):
        model = Model(table(AT_ONCE, 2), 400)
        same(f"beam_search, beam 2, alpha {alpha:g}, END at 0.99", module.beam_search(model, 400, 2, alpha), [0],
             math.log(0.99))  # fmt: skip
        what = f"beam_search, beam 2, alpha {alpha:g}, limit 400, END at once at 0.99 and nothing open that could win"
        assert model.asked == 1, f"{what}: expected 1 question to the model, got {model.asked}"
    what = "beam_search, beam 2, alpha 0, where [0] at P = 0.3 is over and two open ones, 0.357 and 0.343, push it out"
    same(what, module.beam_search(Model(table(CROWDED, 4), 9), 9, 2, 0.0), [1, 2, 0], math.log(0.7 * 0.51 * 0.8))


def check_all_sentences(module) -> None:
    """A beam with room for every sentence finds the best one."""
    for seed in range(6):
        sentences = list(every_sentence(drawn(seed), 4))
        for alpha in (0.0, 0.6, 1.0):
            right = max(sentences, key=lambda sentence: sentence[1] / len(sentence[0]) ** alpha)
            got = module.beam_search(Model(drawn(seed), 4), 4, len(sentences), alpha)
            what = f"beam_search, random model {seed}, alpha {alpha:g}, room for all {len(sentences)} sentences"
            same(what, got, *right)


class Stand:
    """A table as beam.py wants a model and its memory: padding and beginning are 0 and 1, END is 2, i is i + 2."""

    def __init__(self, chances: torch.Tensor):
        """chances: P(next) at the beginning in row 0, after token i in row i."""
        self.logits, rows = torch.zeros(6, 6).double(), [1, 3, 4, 5]
        self.logits[rows, :2], self.logits[rows, 2:] = -torch.inf, chances.log()

    def encode(self, source, lengths):
        return self

    def rows(self, index):
        return self

    def decode(self, inputs, memory, state):
        return self.logits[inputs], inputs, None


def check_lesson(module) -> None:
    """Random tables, in which an ended sentence keeps its place or loses it: the same winner as beam.py's."""
    for seed in range(12):
        chances = (1.5 * torch.randn(4, 4).double()).softmax(dim=1)
        chosen = {None if i == 0 else i: dict(enumerate(row)) for i, row in enumerate(chances.tolist())}
        for beam, alpha in ((2, 0.0), (2, 1.0), (3, 0.6)):
            source = torch.tensor([[2]]), torch.tensor([1])
            (right,) = beam_search(Stand(chances), *source, beam, alpha)
            limit = int(limits_of(source[1]))
            got = module.beam_search(Model(table(chosen, 4), limit), limit, beam, alpha)
            what = f"beam_search, random table {seed}, limit {limit}, beam {beam}, alpha {alpha:g}: what beam.py finds"
            same(what, got, [i - 2 for i in right.token_ids], right.log_prob)


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_greedy(module)
    check_score(module)
    check_beam(module)
    check_all_sentences(module)
    check_lesson(module)
