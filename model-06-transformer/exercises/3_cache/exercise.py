"""Exercise 3: the cache. What a Transformer remembers, how it is used wrongly without anybody noticing, and its rule.

Keys and values of tokens that were read never change again (nobody looks ahead), so they are kept. A new token computes
its own query, key and value, and looks at all there are:

    cache = (keys, values), (B, P, d) each, of the P tokens read so far; None at the start of a text

`read` is a whole small model: embedding, positions, one layer of attention with one head, logits. `generate` writes
with it. Nothing crashes in either. But each has one bug, and the test that finds them is the one of all lessons:
however a text is cut into pieces, the same logits must come out, and the text that is written must be the one that
comes out when everything is read again for each token.

Fill in `attend_with_cache`, mend `read` and `generate`, then fill in `first_seen`, and run:
python -m shared.exercises 06
"""

import torch
from torch import Tensor


def attend_with_cache(
    query: Tensor, key: Tensor, value: Tensor, cache: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """query, key, value (B, T, d) of the T new tokens -> what each of them sees (B, T, d), and the new cache.

    A new token looks at all P of the cache, at itself, and at those new ones that stand before it. The scores are
    q . k / sqrt(d). A caller may go on from the old cache a second time, so it stays as it is.
    """
    raise NotImplementedError


@torch.no_grad()
def read(weights: dict[str, Tensor], token_ids: Tensor, cache: tuple[Tensor, Tensor] | None):
    """token_ids (B, T) -> logits (B, T, V) for the token after each, and the new cache. (A bug.)

    weights: embedding (V, d), positions (context_length, d), qkv (3d, d), lm_head (V, d). No more than context_length
    tokens come, in all pieces together.
    """
    length = token_ids.shape[1]
    x = weights["embedding"][token_ids] + weights["positions"][:length]
    query, key, value = (x @ weights["qkv"].t()).chunk(3, dim=-1)
    seen, cache = attend_with_cache(query, key, value, cache)
    return (x + seen) @ weights["lm_head"].t(), cache


@torch.no_grad()
def generate(weights: dict[str, Tensor], prompts: Tensor, max_new_tokens: int) -> Tensor:
    """Goes on from prompts (B, T) with the likeliest tokens, (B, max_new_tokens). (A bug.)"""
    _, cache = read(weights, prompts, None)
    tokens, written = prompts[:, -1:], []
    for _ in range(max_new_tokens):
        logits, cache = read(weights, tokens, cache)
        tokens = logits[:, -1:].argmax(dim=-1)
        written.append(tokens)
    return torch.cat(written, dim=1)


def first_seen(t: int, context_length: int) -> int:
    """The lesson's rule for long texts: the number of the oldest token that token t of a text can see.

    Positions and cache end after n = context_length tokens. When n are in the window and another one comes, the oldest
    half of them (rounded up) is forgotten. With n = 4 token 3 sees the tokens 0 to 3, token 4 sees 2 to 4, token 5
    sees 2 to 5, and token 6 sees 4 to 6.
    """
    raise NotImplementedError
