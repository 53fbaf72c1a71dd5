"""Depth against correctness: three layers without their state, one layer with it.

    python experiments/depth.py                  four minutes
    python experiments/depth.py --steps 100      short runs: to see what it does, not to believe it

One, two and three layers of equal parameters (within 2 % of one another), and three of the first one's width, 128, with
almost three times as many. 1,000 steps and one seed each. Which use of a network is right is worth more than its depth
if the worst number of the column "carried" is better than the best one of "dropped".
"""

import argparse

from inference import DROPPED, bigram_loss, loss_under
from short_run import LESSON, SETTINGS, at_the_end, carried_loss, new_model, parameters, reset_loss, shakespeare, train

from shared.console import positive_int, run
from shared.results import Result
from shared.visualize import plot_lines

STEPS, SIZES = 1000, ((1, 128), (2, 88), (3, 71), (3, 128))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=positive_int, default=STEPS, help="of each training (%(default)s)")
    steps = parser.parse_args().steps
    tokens, bigram = shakespeare(), bigram_loss()
    columns = ["layers", "hidden size", "parameters", "training loss", "validation loss, state carried"]
    columns += ["reset every 64", "dropped before each character"]
    result = Result(LESSON, "depth", columns, SETTINGS["seed"])
    for layers, size in SIZES:
        changes = {"num_layers": layers, "hidden_size": size, "steps": steps}
        model = new_model(tokens, **changes)
        training = at_the_end(train(model, tokens, **changes))
        result.add(layers, size, parameters(model), training, carried_loss(model, tokens.val),
                   reset_loss(model, tokens.val, 64), loss_under(DROPPED, model, tokens.val))  # fmt: skip
    layers, _, _, _, carried, reset, dropped = zip(*result.rows[:-1], strict=True)
    lines = {"dropped before each character": dropped, "reset every 64": reset, "state carried": carried}
    lines = {name: (layers, losses) for name, losses in lines.items()}
    plot_lines(result.path(".png"), lines, "Depth at equal parameters, and the state", "layers",
               "validation loss, nats per character", {"bigram of lesson 01": bigram})  # fmt: skip
    result.save(bigram=bigram, steps=steps)


if __name__ == "__main__":
    run(main)
