"""How often is the likeliest character the right one? And at what loss? The whole validation split of Shakespeare.

    python experiments/presets.py default       first
    python experiments/from_the_left.py         about a minute on one core

The network of the default preset. Lesson 06 sets it beside a model that fills in a character from both sides.
"""

from short_run import LESSON, load_run

from shared.console import run
from shared.from_the_left import tabulate


def main() -> None:
    model, tokens = load_run(LESSON / "checkpoints", "shakespeare")
    tabulate(LESSON, "LSTM", model, tokens.val)


if __name__ == "__main__":
    run(main)
