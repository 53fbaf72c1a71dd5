"""The two checks that every causal model of the course passes: logits, state = model(token_ids, state=None).

Low training loss cannot show that a model is used correctly at inference; these can.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def assert_chunk_invariant(model, token_ids: Tensor, cuts: Sequence[int], atol: float = 1e-5) -> None:
    """Reading (B, T) in one call, or in pieces cut at `cuts` with the state carried, gives the same logits (B, T, V).

    Also: a state is never changed in place, so going on twice from one state gives the same logits twice.
    """
    model.eval()
    whole, _ = model(token_ids)
    pieces, state = [], None
    for start, stop in zip([0, *cuts], [*cuts, token_ids.shape[1]], strict=True):
        if start < stop:
            logits, after = model(token_ids[:, start:stop], state)
            again, _ = model(token_ids[:, start:stop], state)
            _assert_close(again, logits, 0.0, "a second call from the same state gave other logits: changed in place?")
            pieces.append(logits)
            state = after
    _assert_close(torch.cat(pieces, dim=1), whole, atol, f"reading in pieces cut at {list(cuts)} gave other logits")


@torch.no_grad()
def assert_causal(model, token_ids: Tensor, place: int, other: Tensor, atol: float = 1e-6) -> None:
    """Replacing the tokens of (B, T) from `place` on by those of `other` changes no logits before `place`."""
    model.eval()
    changed = torch.cat([token_ids[:, :place], other[:, place:]], dim=1)
    _assert_close(model(changed)[0][:, :place], model(token_ids)[0][:, :place], atol, f"tokens from {place} on leaked")


def _assert_close(found: Tensor, expected: Tensor, atol: float, message: str) -> None:
    assert found.shape == expected.shape, f"{message}: shapes {tuple(found.shape)} and {tuple(expected.shape)}"
    apart = found != expected  # where both are -inf the difference is not a number, and they agree
    worst = float((found[apart] - expected[apart]).abs().max()) if bool(apart.any()) else 0.0
    assert worst <= atol, f"{message}: they differ by {worst:.2e}, allowed {atol:.0e}"
