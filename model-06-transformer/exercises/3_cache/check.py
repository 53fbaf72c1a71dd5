"""Checks exercise 3: pieces against the whole text, writing against reading all again, the rule by playing it."""

import math

import torch

VOCAB_SIZE, LENGTH, CUTS = 7, 12, ((), (5,), (1, 2, 3), tuple(range(1, 12)), (4, 11))


def tensors(what: str, got, count: int, expected: str) -> tuple:
    """Assert that an answer is so many tensors."""
    fine = isinstance(got, (tuple, list)) and len(got) == count and all(isinstance(x, torch.Tensor) for x in got)
    assert fine, f"{what}: expected {expected}, got {got!r}"
    return tuple(got)


def check_attend(module) -> None:
    """One call on a whole text by the equations; then pieces of it, and twice from one cache."""
    for batch, d in ((1, 1), (2, 4)):
        query, key, value = torch.randn(3, batch, LENGTH, d).double()
        right = torch.zeros(batch, LENGTH, d).double()
        for b in range(batch):
            for t in range(LENGTH):
                scores = key[b, : t + 1] @ query[b, t] / math.sqrt(d)
                right[b, t] = scores.softmax(dim=0) @ value[b, : t + 1]
        for cuts in CUTS:
            edges, cache = [0, *cuts, LENGTH], None
            for start, stop in zip(edges, edges[1:], strict=False):
                what = f"attend_with_cache, B = {batch}, d = {d}, {stop - start} new token(s) behind {start}"
                new = [x[:, start:stop].clone() for x in (query, key, value)]
                old, kept = cache, None if cache is None else [x.clone() for x in cache]
                got = module.attend_with_cache(*new, cache)
                fine = isinstance(got, (tuple, list)) and len(got) == 2 and isinstance(got[0], torch.Tensor)
                assert fine, f"{what}: expected (seen, cache), got {got!r}"
                seen, cache = got[0], tensors(f"{what}, cache", got[1], 2, "(keys, values)")
                for name, part, whole in zip(("keys", "values"), cache, (key, value), strict=True):
                    shape = batch, stop, d
                    assert part.shape == shape, f"{what}: expected {name} of shape {shape}, got {tuple(part.shape)}"
                    line = f"{what}: expected the {name} of all {stop} tokens in order, got others"
                    assert torch.equal(part, whole[:, :stop]), line
                shape = batch, stop - start, d
                assert seen.shape == shape, f"{what}: expected an answer of shape {shape}, got {tuple(seen.shape)}"
                wrong = (seen - right[:, start:stop]).abs().amax(dim=(0, 2)).nan_to_num(9)
                line = f"{what}: expected what the equations say, got others, the first for token number"
                hint = "; what does it look at that comes later, or leave out that is there?"
                first = start + int((wrong > 1e-10).int().argmax())
                assert wrong.max() < 1e-10, f"{line} {first} of the text (from 0){hint}"
                untouched = old is None or all(torch.equal(x, k) for x, k in zip(old, kept, strict=True))
                assert untouched, f"{what}: expected the old cache to stay as it was, it was changed in place"
            again = module.attend_with_cache(*new, old)[0]
            assert torch.equal(again, seen), f"{what}: expected the same a second time from one cache, got others"


def models():
    """Small models whose next token depends on all before it and on where they stand, with three texts each."""
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        sizes = {"embedding": (VOCAB_SIZE, 6), "positions": (2 * LENGTH, 6), "qkv": (18, 6), "lm_head": (VOCAB_SIZE, 6)}
        weights = {name: torch.randn(size, generator=generator).double() for name, size in sizes.items()}
        yield weights, torch.randint(VOCAB_SIZE, (3, LENGTH), generator=generator)


def whole_text(weights: dict, token_ids: torch.Tensor) -> torch.Tensor:
    """The logits (B, T, V), without a cache."""
    T = token_ids.shape[1]
    x = weights["embedding"][token_ids] + weights["positions"][:T]
    query, key, value = (x @ weights["qkv"].t()).chunk(3, dim=-1)
    mask = torch.full((T, T), -torch.inf).double().triu(1)
    scores = query @ key.transpose(1, 2) / math.sqrt(6) + mask
    return (x + scores.softmax(dim=2) @ value) @ weights["lm_head"].t()


def check_read(module) -> None:
    """Chunk invariance."""
    for weights, token_ids in models():
        right = whole_text(weights, token_ids)
        for cuts in CUTS:
            edges, cache = [0, *cuts, LENGTH], None
            for start, stop in zip(edges, edges[1:], strict=False):
                given = {name: weight.clone() for name, weight in weights.items()}
                logits, cache = module.read(given, token_ids[:, start:stop].clone(), cache)
                what = f"read, tokens {start} to {stop - 1} of a text, {'no cache' if start == 0 else 'after the rest'}"
                shape = tuple(right[:, start:stop].shape)
                assert isinstance(logits, torch.Tensor), f"{what}: expected a tensor of logits, got {logits!r}"
                assert logits.shape == shape, f"{what}: expected logits of shape {shape}, got {tuple(logits.shape)}"
                apart = (logits - right[:, start:stop]).abs().max().item()
                line = f"{what}: expected the logits of the whole text in one call, got others (off by {apart:.2g})"
                hint = "" if start == 0 else "; what does it take these tokens for?"
                assert apart < 1e-9, line + hint


def check_generate(module) -> None:
    """The likeliest token after the whole text so far, again and again."""
    for weights, token_ids in models():
        for length in (1, 4, LENGTH):
            text, kept = token_ids[:, :length], token_ids[:, :length].clone()
            got, what = module.generate(weights, text, 9), f"generate, prompts of {length}, 9 new tokens"
            assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
            assert got.shape == (3, 9), f"{what}: expected shape (3, 9), got {tuple(got.shape)}"
            assert torch.equal(text, kept), f"{what}: expected the prompts to stay as they are, they were changed"
            for _ in range(9):
                text = torch.cat([text, whole_text(weights, text)[:, -1:].argmax(dim=-1)], dim=1)
            mine, right = got[0].tolist(), text[0, length:].tolist()
            line = f"{what}: expected what comes out when all is read again for each token, {right}, got {mine}"
            assert torch.equal(got, text[:, length:]), line


def check_first_seen(module) -> None:
    """By playing the rule, token after token."""
    for n in (4, 1, 2, 5, 8, 9):
        window = []
        for t in range(5 * n + 3):
            if len(window) == n:
                window = window[n - n // 2 :]
            window.append(t)
            got = module.first_seen(t, n)
            assert got == window[0], f"first_seen({t}, {n}): expected {window[0]}, got {got!r}"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_attend(module)
    check_read(module)
    check_generate(module)
    check_first_seen(module)
