"""One good answer to exercise 6."""

from collections.abc import Callable

END = 0  # the others are 1, 2, ...


def greedy(next_log_probs: Callable[[list[int]], list[float]], limit: int) -> tuple[list[int], float]:
    tokens, log_prob = [], 0.0
    while not over(tokens, limit):
        log_probs = next_log_probs(tokens)
        best = max(range(len(log_probs)), key=log_probs.__getitem__)
        tokens, log_prob = tokens + [best], log_prob + log_probs[best]
    return tokens, log_prob


def over(tokens: list[int], limit: int) -> bool:
    return tokens[-1:] == [END] or len(tokens) == limit


def score(log_prob: float, length: int, alpha: float) -> float:
    return log_prob / length**alpha


def beam_search(
    next_log_probs: Callable[[list[int]], list[float]], limit: int, beam: int, alpha: float
) -> tuple[list[int], float]:
    kept = [([], 0.0)]
    while True:
        candidates = []
        for tokens, log_prob in kept:
            if over(tokens, limit):
                candidates.append((tokens, log_prob))
            else:
                log_probs = next_log_probs(tokens)
                candidates += [(tokens + [token], log_prob + more) for token, more in enumerate(log_probs)]
        kept = sorted(candidates, key=lambda candidate: candidate[1], reverse=True)[:beam]
        done = [candidate for candidate in kept if over(candidate[0], limit)]
        hopes = [score(log_prob, limit, alpha) for tokens, log_prob in kept if not over(tokens, limit)]
        best = max(done, key=lambda one: score(one[1], len(one[0]), alpha), default=None)
        if not hopes or best and score(best[1], len(best[0]), alpha) >= max(hopes):
            return best
