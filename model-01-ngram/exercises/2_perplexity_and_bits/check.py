"""Checks exercise 2."""

import math


def close(what: str, got, expected: float) -> None:
    """Assert that a number is right to 6 digits."""
    assert got is not None, f"{what}: expected {expected:.4f}, but nothing was returned"
    error = abs(float(got) - expected)
    assert error < 1e-6 * max(1, expected), f"{what}: expected {expected:.4f}, got {float(got):.4f}"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    half, tenth = math.log(1 / 2), math.log(1 / 10)
    for what, log_probs, nats in (
        ("a model that is always right and sure", [0.0, 0.0, 0.0], 0.0),
        ("four tokens of probability 1/2", [half] * 4, math.log(2)),
        ("one token of probability 1/2 and three of 1/10", [half, tenth, tenth, tenth], -(half + 3 * tenth) / 4),
        ("5000 tokens of probability 1/10", [tenth] * 5000, math.log(10)),
    ):
        close(f"nats_per_token, {what}", module.nats_per_token(list(log_probs)), nats)
        close(f"perplexity, {what}", module.perplexity(list(log_probs)), math.exp(nats))
        number = len(log_probs)
        bits = nats / math.log(2)
        close(f"bits_per_character, {what}, a character each", module.bits_per_character(list(log_probs), number), bits)
        got = module.bits_per_character(list(log_probs), 4 * number)
        close(f"bits_per_character, {what}, four characters each", got, bits / 4)
