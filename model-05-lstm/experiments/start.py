"""How large should lm_head's weights be at the start?

    python experiments/start.py                 about 6 minutes on one core

Small ones make the first loss ln V, as it should be, and may yet be the worse start: h_t is small in an untrained LSTM,
and what comes back to it of the loss has been multiplied with lm_head. One layer of 128 units on Tiny Shakespeare,
three seeds, 600 steps each, nothing else changed. PyTorch's own start would be 0.05 here, model.py's is 0.1. Three
seeds show a difference only where the ranges do not overlap. The figure: the training loss of the first seed.
"""

import statistics

import torch
from short_run import LESSON, at_the_end, carried_loss, new_model, shakespeare, smooth, train

from shared.console import run
from shared.evaluation import first_loss
from shared.results import Result
from shared.visualize import plot_lines

STANDARD_DEVIATIONS, SEEDS, STEPS = (0.005, 0.05, 0.1, 0.3), (1337, 1338, 1339), 600


def main() -> None:
    tokens = shakespeare()
    columns = ["standard deviation", "untrained loss, nats", "training loss, last 100 steps", "validation loss, nats",
               "lowest to highest", "of each seed"]  # fmt: skip
    result, lines = Result(LESSON, "start", columns, SEEDS[0]), {}
    for deviation in STANDARD_DEVIATIONS:
        first, last, found = [], [], []
        for seed in SEEDS:
            model = new_model(tokens, seed=seed)
            with torch.no_grad():
                model.lm_head.weight.mul_(deviation / model.lm_head.weight.std())
            first.append(first_loss(model, tokens.val))
            losses = train(model, tokens, seed=seed, steps=STEPS)
            last.append(at_the_end(losses))
            found.append(carried_loss(model, tokens.val))
            if seed == SEEDS[0]:
                lines[f"{deviation:g}"] = smooth(losses)
        result.add(f"{deviation:g}", *map(statistics.mean, (first, last, found)),
                   f"{min(found):.4f} to {max(found):.4f}", ", ".join(f"{loss:.4f}" for loss in found))  # fmt: skip
    plot_lines(result.path(".png"), lines, "lm_head's weights at the start", "step",
               "training loss, nats per character")  # fmt: skip
    result.save(seeds=SEEDS, steps=STEPS)


if __name__ == "__main__":
    run(main)
