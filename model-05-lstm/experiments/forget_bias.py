"""What a cell keeps before it has learnt to keep: the forget gates' bias at the start.

    python experiments/forget_bias.py           about 9 minutes on one core

0 (every cell at first loses half of itself at every step), 1 (a quarter, about; Jozefowicz et al. 2015) or 2 (an
eighth): one layer of 128 units on Tiny Shakespeare, three seeds, 1,500 steps each, nothing else changed. The mean
forget gate over 20,000 characters, how far the gradient reaches back at c (experiments/gradients.py; a mean over the
seeds), the loss on the way and at the end. Three seeds show a difference only where the ranges do not overlap. The
figure: the training loss of the first seed.
"""

import statistics

import torch
from gradients import first_below, gradient_norms
from short_run import LESSON, carried_loss, new_model, shakespeare, smooth, train

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

BIASES, SEEDS, STEPS, READ, EARLY = (0.0, 1.0, 2.0), (1337, 1338, 1339), 1500, 20_000, 200


@torch.no_grad()
def mean_forget_gate(model, token_ids) -> float:
    """Over all units of a one-layer network and the first READ tokens, read in 16 pieces."""
    pieces = token_ids[: len(token_ids[:READ]) // 16 * 16].view(16, -1)
    return model.layers[0].gates(model.embedding(pieces))[1].mean().item()


def main() -> None:
    tokens = shakespeare()
    columns = ["bias", "forget gate before", "after", "gradient at c under 1/100 at, before", "after",
               f"training loss, steps {EARLY - 100} to {EARLY}", "validation loss, nats", "lowest to highest",
               "of each seed"]  # fmt: skip
    result, lines = Result(LESSON, "forget_bias", columns, SEEDS[0]), {}
    for bias in BIASES:
        gates, norms, early, found = ([], []), ([], []), [], []
        for seed in SEEDS:
            changes = {"forget_bias": bias, "seed": seed, "steps": STEPS}
            model = new_model(tokens, **changes)
            for when in (0, 1):
                if when:
                    losses = train(model, tokens, **changes)
                gates[when].append(mean_forget_gate(model, tokens.val))
                norms[when].append(gradient_norms(model, tokens.val)["c"])
            early.append(statistics.mean(losses[EARLY - 100 : EARLY]))
            found.append(carried_loss(model, tokens.val))
            if seed == SEEDS[0]:
                lines[f"bias {bias:g}"] = smooth(losses)
        reach = [first_below([statistics.mean(column) for column in zip(*rows, strict=True)], 1e-2) for rows in norms]
        result.add(f"{bias:g}", *map(statistics.mean, gates), *reach, statistics.mean(early), statistics.mean(found),
                   f"{min(found):.4f} to {max(found):.4f}", ", ".join(f"{loss:.4f}" for loss in found))  # fmt: skip
    plot_lines(result.path(".png"), lines, "The forget gates' bias at the start", "step",
               "training loss, nats per character")  # fmt: skip
    result.save(seeds=SEEDS, steps=STEPS)


if __name__ == "__main__":
    run(main)
