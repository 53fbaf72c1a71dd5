"""Dynamic evaluation: go on learning while being tested (Mikolov et al. 2010, section 3).

    python experiments/dynamic.py

The validation split is read once by ../dynamic_evaluation.py, at several learning rates. Rate 0 is the usual
evaluation. Beside the whole split, its last tenth, for which nine tenths were there to adapt to.
"""

from short_run import BITS, LESSON, shakespeare, trained  # first: it adds the lesson's folder to the search path

from dynamic_evaluation import dynamic_losses  # isort: skip

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

RATES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)


def main() -> None:
    columns = ["learning rate while reading", "validation loss, nats", "bits per character", "gain, nats"]
    columns.append("gain on the last tenth")
    result, static, lines = Result(LESSON, "dynamic", columns, 1337), None, {}
    tokens = shakespeare()
    model = trained(tokens)
    for rate in RATES:
        losses = dynamic_losses(model, tokens.val, rate)
        static = losses if static is None else static
        gain, tenth = (static - losses), len(losses) // 10
        loss = losses.mean().item()
        result.add(rate, loss, loss * BITS, gain.mean().item(), gain[-tenth:].mean().item())
        if rate:
            parts = gain[: 10 * tenth].view(10, tenth).mean(dim=1).tolist()
            lines[f"rate {rate:g}"] = ([tenth * (i + 1) for i in range(10)], parts)
    plot_lines(result.path(".png"), lines, "What learning on while reading gains", "characters read",
               "gain in this tenth, nats per character")  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
