"""What a token of training costs, by how many stand in a row: one measurement for the networks of lessons 02 to 06.

A batch always has as many tokens: few long texts, or many short ones side by side. The work is nearly the same. What
differs is how much of it can be done at once: a recurrence has to go through a text step by step.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from shared.results import Result

LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
VOCAB_SIZE, TOKENS, TIMES, WARM_UP = 65, 4096, 7, 2  # Shakespeare's characters; tokens in a batch; measurements
NAME = "time_per_token"
COLUMNS = ["T, tokens in a row", "texts side by side", "microseconds per token", "tokens per second"]


def microseconds_per_token(model: nn.Module, length: int) -> float:
    """Of forward, loss and backward: the median of batches of TOKENS / length random texts, so many tokens each."""
    token_ids, times = torch.randint(VOCAB_SIZE, (TOKENS // length, length + 1)), []
    for _ in range(WARM_UP + TIMES):
        model.zero_grad(set_to_none=True)
        start = time.perf_counter()
        logits, _ = model(token_ids[:, :-1])
        cross_entropy(logits.flatten(0, 1), token_ids[:, 1:].flatten()).backward()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times[WARM_UP:]) / token_ids[:, 1:].numel()


def time_per_token(lesson: Path, new_model: Callable[[int], nn.Module]) -> None:
    """Write results/time_per_token.json of a lesson. new_model(T): its network for texts of T tokens."""
    result, parameters = Result(lesson, NAME, COLUMNS, seed=0), []
    for length in LENGTHS:
        torch.manual_seed(0)
        model = new_model(length)
        parameters.append(sum(parameter.numel() for parameter in model.parameters()))
        found = microseconds_per_token(model, length)
        result.add(length, TOKENS // length, round(found, 3), round(1e6 / found))
    result.save(parameters=parameters, tokens=TOKENS, times=TIMES)
