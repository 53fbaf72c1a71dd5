"""A wider state fits more, and memorises more: hidden size against the gap between training and validation.

    python experiments/width.py

The first 100,000 characters of the training split, read some twenty times; loss over that text, and over the whole
validation split, both in the same way (no dropout, state carried). One seed.
"""

from short_run import LESSON, carried_loss, new_model, shakespeare, train

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

SIZES, CHARACTERS, STEPS = (32, 64, 128, 256, 512), 100_000, 1000


def main() -> None:
    tokens = shakespeare()
    tokens = tokens._replace(train=tokens.train[:CHARACTERS])
    columns = ["hidden size", "parameters", "loss on the training text, nats", "validation loss, nats", "gap"]
    result = Result(LESSON, "width", columns, 1337)
    for size in SIZES:
        changes = {"hidden_size": size, "steps": STEPS}
        model = new_model(tokens, **changes)
        train(model, tokens, **changes)
        training, validation = carried_loss(model, tokens.train), carried_loss(model, tokens.val)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        result.add(size, parameters, training, validation, validation - training)
    _, _, training, validation, _ = zip(*result.rows, strict=True)
    lines = {"validation": (SIZES, validation), "the text it was trained on": (SIZES, training)}
    plot_lines(result.path(".png"), lines, f"Trained on {CHARACTERS:,} characters", "hidden size", "nats per character",
               log_x=True)  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
