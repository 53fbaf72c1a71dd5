"""What to do about n-grams that were never seen: five answers.

Each turns counts into two arrays for every order k:

    prob     (U_k,)      P_k(w | context) of every k-gram that was seen
    backoff  (U_{k-1},)  what a context leaves to P_{k-1}, for words not seen after it; 1 if nothing ever followed it

Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling", compare them all.
"""

from typing import NamedTuple

import torch
from torch import Tensor

SMOOTHINGS = ("none", "add-k", "interpolated", "stupid-backoff", "kneser-ney")
INTERPOLATES = ("interpolated", "stupid-backoff", "kneser-ney")  # the others look at one order only
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
STUPID = 0.4  # Brants et al. 2007, section 4


class Level(NamedTuple):
    """The distinct k-grams of a text, in the order of their keys."""

    keys: Tensor  # (U_k,) sorted
    counts: Tensor  # (U_k,)
    context: Tensor  # (U_k,) row of the first k-1 tokens among the (k-1)-grams
    suffix: Tensor  # (U_k,) row of the last k-1 tokens among the (k-1)-grams
    num_contexts: int  # U_{k-1}
    first: Tensor  # (1,) row of the k-gram with which the text begins


def smooth(levels: list[Level], smoothing: str, vocab_size: int, add_k: float, weights: Tensor | None):
    """[(prob, backoff) for k = 1 ... n], and for each order a dict of what was chosen (discounts, weights)."""
    smoothed, details = [], []
    uniform = torch.full((1,), 1 / vocab_size, dtype=torch.float64)
    norm = torch.ones(1, dtype=torch.float64)
    for k, level in enumerate(levels, start=1):
        counts = level.counts.double()
        if smoothing == "kneser-ney" and k < len(levels):
            counts = continuation_counts(level, levels[k])
        total = torch.bincount(level.context, counts, level.num_contexts)  # (U_{k-1},)
        seen, total = total > 0, total.clamp(min=1)  # a context with which the text ends has no continuation
        frequency = counts / total[level.context]
        lower = smoothed[-1][0][level.suffix] if k > 1 else uniform.expand(len(counts))
        detail = {}
        if smoothing == "none":  # maximum likelihood: nothing is left for what was not seen
            prob, backoff = frequency, torch.where(seen, 0.0, 1.0).double()
        elif smoothing == "add-k":  # Lidstone: pretend that each token was seen k times more
            total = total * seen
            prob = (counts + add_k) / (total + add_k * vocab_size)[level.context]
            backoff = add_k * vocab_size / (total + add_k * vocab_size)
        elif smoothing == "interpolated":  # Jelinek & Mercer 1980: P_k = weight * frequency + (1 - weight) * P_{k-1}
            weight = weights[k - 1][bucket(total)] * seen
            prob = weight[level.context] * frequency + (1 - weight[level.context]) * lower
            backoff = 1 - weight
            detail = {"weights": weights[k - 1].tolist()}
        elif smoothing == "stupid-backoff":  # Brants et al. 2007, eq. 5, divided by its sum so that it is a probability
            below = norm[levels[k - 2].suffix] if k > 1 else norm  # the sum for the context without its first token
            below = STUPID * below
            unseen = 1 - torch.bincount(level.context, lower, level.num_contexts)
            norm = seen + below * unseen
            prob, backoff = frequency / norm[level.context], below / norm
        else:  # modified Kneser-Ney, interpolated: Chen & Goodman 1999, eq. 26 (section 3.2)
            discounts, closed_form = discounts_from(counts)
            discount = discounts[counts.clamp(max=3).long()]
            backoff = torch.bincount(level.context, discount, level.num_contexts) / total
            prob = (counts - discount) / total[level.context] + backoff[level.context] * lower
            backoff = torch.where(seen, backoff, 1.0)
            detail = {"discounts": discounts[1:].tolist(), "closed_form": closed_form}
        smoothed.append((prob, backoff))
        details.append({"order": k, "ngrams": len(counts), **detail})
    return smoothed, details


def continuation_counts(level: Level, longer: Level) -> Tensor:
    """Kneser & Ney 1995: after how many different tokens a k-gram occurs; the start of text counts as one more."""
    counts = torch.bincount(longer.suffix, minlength=len(level.keys)).double()
    counts[level.first] += 1
    return counts


def discounts_from(counts: Tensor) -> tuple[Tensor, bool]:
    """(0, D1, D2, D3+) from how many n-grams occur once, twice, three and four times: Chen & Goodman 1999, eq. 26.

    A few dozen characters, all of them frequent, leave a count of counts at zero, and the closed form then has no value
    in 0 < D_r <= r (at 0 nothing would be left for unseen words). Such an order takes 0.5, 1 and 1.5 instead; the
    flag says whether the closed form held.
    """
    n1, n2, n3, n4 = (int((counts == r).sum()) for r in (1, 2, 3, 4))
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if all(0 < d <= r for r, d in enumerate(found, start=1)):
            return torch.tensor([0.0, *found], dtype=torch.float64), True
    return torch.tensor([0.0, *FALLBACK_DISCOUNTS], dtype=torch.float64), False


def bucket(total: Tensor) -> Tensor:
    """Contexts seen 1, 2-3, 4-7, 8-15 ... times share a weight (Chen & Goodman 1999, section 2.3, after Bahl 1983)."""
    return total.clamp(min=1).log2().long().clamp(max=23)


def fit_weights(frequency: Tensor, total: Tensor, vocab_size: int, iterations: int = 40) -> Tensor:
    """Jelinek-Mercer weights (orders, 24) that make held-out text likely, by expectation-maximisation.

    frequency, total: (orders, N) of each held-out token, from counts of other text. E step: which order produced each
    token? M step: a weight is the share of tokens, among those that came down to its order, that stopped there.
    """
    orders, num_tokens = frequency.shape
    buckets = bucket(total)
    weights = torch.full((orders, 24), 0.5, dtype=torch.float64)
    for _ in range(iterations):
        prob = [torch.full((num_tokens,), 1 / vocab_size, dtype=torch.float64)]
        weight = [torch.where(total[k] > 0, weights[k][buckets[k]], 0.0) for k in range(orders)]
        for k in range(orders):
            prob.append(weight[k] * frequency[k] + (1 - weight[k]) * prob[-1])
        arrived = torch.ones(
            num_tokens, dtype=torch.float64
        )  # probability that the token came from this order or below
        for k in reversed(range(orders)):
            stopped = arrived * weight[k] * frequency[k] / prob[k + 1]
            came = torch.bincount(buckets[k], arrived * (total[k] > 0), 24)
            weights[k] = (torch.bincount(buckets[k], stopped, 24) + 1) / (came + 2)  # + 1, + 2: never quite 0 or 1
            arrived = arrived - stopped
    return weights
