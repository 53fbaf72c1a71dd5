"""Exercise 2: three ways to say how well a model predicts a text.

A model gave each token of a text a probability p. All that counts is the surprise, -log p, of what really came:

    nats per token       the average of -ln p                      what train.py prints, in every lesson
    perplexity           e to that power                           "as unsure as between so many equally likely tokens"
    bits per character   all the surprise, in bits (1 bit = ln 2 nats), shared out over the characters of the text

Tokens can be characters, words or pieces of words; only bits per character compares models whose tokens differ.

Fill in the three functions, then run:   python -m shared.exercises 01
"""


def nats_per_token(log_probs: list[float]) -> float:
    """The loss: log_probs holds the natural logarithm of each token's probability (each is <= 0)."""
    raise NotImplementedError


def perplexity(log_probs: list[float]) -> float:
    """1 for a model that is always right and sure; V for one that finds all V tokens equally likely."""
    raise NotImplementedError


def bits_per_character(log_probs: list[float], num_characters: int) -> float:
    """num_characters: the length of the text in characters, which may be more than its number of tokens."""
    raise NotImplementedError
