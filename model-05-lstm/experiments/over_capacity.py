"""More units than the text can teach: widths up to Leviathan's 1,024 on a small text, with dropout and without.

    python experiments/over_capacity.py         about 15 minutes on one core, most of them the widest network's

One layer on the first 50,000 characters of the training split, 500 steps of 16 x 64 characters: ten passes over the
text. Each pass, both losses, without dropout and with the state carried: of the first 20,000 characters that it is
trained on, and of the first 20,000 of the validation split. One seed. Leviathan's dropout is 0.2.

The figure: the narrowest network and the widest on their way, the latter with dropout, too.
"""

from short_run import LESSON, carried_loss, new_model, parameters, shakespeare, train

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

CHARACTERS, READ, STEPS, EVERY = 50_000, 20_000, 500, 50
SIZES, DROPOUTS = (64, 256, 1024), (0.0, 0.2)
BATCH = {"batch_size": 16, "chunk_length": 64, "steps": STEPS}


def main() -> None:
    tokens = shakespeare()
    tokens = tokens._replace(train=tokens.train[:CHARACTERS])
    columns = ["hidden size", "dropout", "parameters", "loss on the training text, nats", "validation loss, nats"]
    columns += ["gap", "lowest validation loss", "at step"]
    result, lines, curves = Result(LESSON, "over_capacity", columns, 1337), {}, {}
    for size in SIZES:
        for dropout in DROPOUTS:
            model, steps, training, validation = new_model(tokens, hidden_size=size, dropout=dropout), [], [], []

            def look(step: int) -> None:
                if step % EVERY == 0:
                    steps.append(step)  # noqa: B023
                    training.append(carried_loss(model, tokens.train[:READ]))  # noqa: B023
                    validation.append(carried_loss(model, tokens.val[:READ]))  # noqa: B023

            train(model, tokens, after_step=look, **BATCH)
            lowest = min(validation)
            ends = training[-1], validation[-1], validation[-1] - training[-1]
            result.add(size, f"{dropout:g}", parameters(model), *ends, lowest, steps[validation.index(lowest)])
            name = f"{size}, dropout {dropout:g}"
            curves[name] = {"steps": steps, "training": training, "validation": validation}
            if size == SIZES[-1] or (size, dropout) == (SIZES[0], 0.0):
                lines |= {f"{name}: {split}": (steps, curves[name][split]) for split in ("training", "validation")}
    plot_lines(result.path(".png"), lines, f"Trained on {CHARACTERS:,} characters", "step", "nats per character")
    result.save(curves=curves)


if __name__ == "__main__":
    run(main)
