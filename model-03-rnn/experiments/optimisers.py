"""What takes the step: plain gradient descent, RMSProp or AdamW, each at four learning rates.

    python experiments/optimisers.py

600 steps of the small network, one seed, clipped at 1, warmed up and let down along a cosine in the same way.
No weight decay: AdamW's is a thing apart (decoupled), the other two add it to the gradient, which is not the same.
"""

from short_run import LESSON, carried_loss, new_model, shakespeare, train

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

STEPS = 600
RATES = {"sgd": (0.3, 1.0, 3.0, 10.0), "rmsprop": (2e-3, 4e-3, 8e-3, 16e-3), "adamw": (4e-3, 8e-3, 16e-3, 32e-3)}


def main() -> None:
    tokens = shakespeare()
    columns = ["optimiser", "learning rate", "training loss, last 100 steps", "validation loss, nats"]
    result, best = Result(LESSON, "optimisers", columns, 1337), {}
    for name, rates in RATES.items():
        for rate in rates:
            model = new_model(tokens)
            losses = train(model, tokens, optimizer=name, learning_rate=rate, steps=STEPS, weight_decay=0.0)
            validation = carried_loss(model, tokens.val)
            result.add(name, rate, sum(losses[-100:]) / len(losses[-100:]), validation)
            if name not in best or validation < best[name][0]:
                best[name] = validation, rate, losses
    smooth = {f"{name}, {rate:g}": [sum(losses[i : i + 20]) / 20 for i in range(0, len(losses) - 19, 20)]
              for name, (_, rate, losses) in best.items()}  # fmt: skip
    lines = {name: (range(20, 20 * len(losses) + 1, 20), losses) for name, losses in smooth.items()}
    plot_lines(result.path(".png"), lines, "Each optimiser at its best learning rate", "step", "training loss, nats")
    result.save()


if __name__ == "__main__":
    run(main)
