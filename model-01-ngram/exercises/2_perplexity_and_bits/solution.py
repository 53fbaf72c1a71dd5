"""One good answer to exercise 2."""

import math


def nats_per_token(log_probs: list[float]) -> float:
    return -sum(log_probs) / len(log_probs)


def perplexity(log_probs: list[float]) -> float:
    return math.exp(nats_per_token(log_probs))


def bits_per_character(log_probs: list[float], num_characters: int) -> float:
    return -sum(log_probs) / math.log(2) / num_characters
