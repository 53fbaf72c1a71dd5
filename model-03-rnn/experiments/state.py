"""The price of forgetting: the state carried from chunk to chunk, against a state that is reset.

    python experiments/state.py                            four minutes
    python experiments/state.py --seeds 1 --steps 300      one seed, a fifth of the steps

In training: chunks of 64 characters that go on from the state of the chunk before, or start from nothing (train.py's
--no-carry). At inference: one pass over the whole validation split with the state carried, reset every 256 or 64
characters, or dropped before every one, in bits per character. Three seeds each. The figure: the loss of the character
that comes p characters after a reset.
"""

import argparse
import statistics

import torch
from short_run import BITS, LESSON, SETTINGS, carried_loss, new_model, reset_loss, shakespeare, train
from torch import Tensor

from shared.console import positive_int, run
from shared.results import Result
from shared.visualize import plot_lines

SEED = 1337
WINDOW, STRIDE = 512, 64


@torch.no_grad()
def by_position(model, token_ids: Tensor) -> tuple[list[int], list[float]]:
    """Bits per character of the p-th character after a reset, p in bands of doubling width; windows that overlap."""
    windows = token_ids.unfold(0, WINDOW + 1, STRIDE)
    losses = []
    for rows in windows.split(128):
        log_probs = torch.log_softmax(model(rows[:, :-1])[0], dim=-1)
        losses.append(-log_probs.gather(2, rows[:, 1:, None])[:, :, 0])
    mean = torch.cat(losses).mean(dim=0) * BITS
    edges = [2**k for k in range(WINDOW.bit_length())]
    return edges[:-1], [mean[a - 1 : b - 1].mean().item() for a, b in zip(edges, edges[1:], strict=False)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=positive_int, default=3, help="runs of each (%(default)s)")
    parser.add_argument("--steps", type=positive_int, default=SETTINGS["steps"], help="of each run (%(default)s)")
    args = parser.parse_args()
    seeds, tokens = range(SEED, SEED + args.seeds), shakespeare()
    columns = ["in training", "carried", "reset every 256", "reset every 64", "dropped before each"]
    result = Result(LESSON, "state", [*columns, "carried, lowest to highest"], SEED)
    lines = {}
    for name, carry in (("carried", True), ("reset every 64", False)):
        bits = []
        for seed in seeds:
            model = new_model(tokens, seed=seed)
            train(model, tokens, carry=carry, seed=seed, steps=args.steps)
            found = [reset_loss(model, tokens.val, every) for every in (256, 64, 1)]
            bits.append([loss * BITS for loss in (carried_loss(model, tokens.val), *found)])
        means = [statistics.mean(column) for column in zip(*bits, strict=True)]
        carried = sorted(row[0] for row in bits)
        result.add(name, *means, f"{carried[0]:.4f} to {carried[-1]:.4f}")
        lines[f"{name} in training"] = by_position(model, tokens.val)
    plot_lines(result.path(".png"), lines, "What the past is worth", "characters read since the state was reset",
               "bits per character", log_x=True)  # fmt: skip
    result.save(seeds=list(seeds), steps=args.steps, unit="bits per character, means of the seeds", curves=lines)


if __name__ == "__main__":
    run(main)
