"""Where the reset gate acts: on h before the hidden product (Cho et al. 2014), or on the product (PyTorch, cuDNN).

    python experiments/reset_variants.py

    before   candidate = tanh(W x + b + U (r * h))
    after    candidate = tanh(W x + b + r * (U h + b'))

The same small network and budget, three seeds; the second form has 128 biases more. Three seeds show a difference only
where the ranges do not overlap. The figure: the training loss of the first seed.
"""

import statistics

from short_run import LESSON, carried_loss, new_model, parameters, shakespeare, train

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

STEPS, SEEDS, SMOOTH = 1000, (1337, 1338, 1339), 25


def main() -> None:
    tokens = shakespeare()
    columns = ["reset gate acts", "parameters", "validation loss, nats", "lowest to highest", "of each seed"]
    result, lines = Result(LESSON, "reset_variants", columns, SEEDS[0]), {}
    for name, reset_after in (("before the product", False), ("after the product", True)):
        found = []
        for seed in SEEDS:
            changes = {"reset_after": reset_after, "seed": seed, "steps": STEPS}
            model = new_model(tokens, **changes)
            losses = train(model, tokens, **changes)
            found.append(carried_loss(model, tokens.val))
            if seed == SEEDS[0]:
                means = [sum(losses[i : i + SMOOTH]) / SMOOTH for i in range(0, len(losses) - SMOOTH + 1, SMOOTH)]
                lines[name] = ([SMOOTH * (i + 1) for i in range(len(means))], means)
        result.add(name, parameters(model), statistics.mean(found), f"{min(found):.4f} to {max(found):.4f}",
                   ", ".join(f"{loss:.4f}" for loss in found))  # fmt: skip
    plot_lines(result.path(".png"), lines, "Where the reset gate acts", "step", "training loss, nats per character")
    result.save(seeds=SEEDS, steps=STEPS)


if __name__ == "__main__":
    run(main)
