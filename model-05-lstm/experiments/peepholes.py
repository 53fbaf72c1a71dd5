"""Do the gates need to see the cell? Peepholes (Gers & Schmidhuber 2000; Graves 2013), on and off.

    python experiments/peepholes.py             about 5 minutes on one core

The small network, three seeds, 1,000 steps each; peepholes add three numbers for each unit. Three seeds show a
difference only where the ranges do not overlap. The time of one training step: medians of 30, the kinds in turn, so run
it while nothing else runs. Peepholes are left to autograd, so autograd without them stands beside both. The figure: the
training loss of the first seed.
"""

import statistics
import time
from argparse import Namespace

from short_run import CPU, LESSON, SETTINGS, carried_loss, new_model, parameters, shakespeare, smooth, train
from train import make_optimizer, train_step

from shared.console import run
from shared.data.batching import ContiguousStreams
from shared.results import Result
from shared.visualize import plot_lines

STEPS, SEEDS, TIMES = 1000, (1337, 1338, 1339), 30
KINDS = {
    "without, by hand": {},
    "without, autograd": {"backward": "autograd"},
    "with, autograd": {"peepholes": True},
}


def milliseconds(tokens) -> dict[str, float]:
    """Of one training step of each kind, medians."""
    args, times = Namespace(**SETTINGS), {name: [] for name in KINDS}
    models = {name: new_model(tokens, **changes) for name, changes in KINDS.items()}
    optimizers = {name: make_optimizer(model, args) for name, model in models.items()}
    loader = ContiguousStreams(tokens.train, args.batch_size, args.chunk_length)
    for _ in range(TIMES + 3):
        batch = next(loader)
        for name, model in models.items():
            start = time.perf_counter()
            train_step(model, optimizers[name], batch, None, args.clip, CPU, "float32")
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(found[3:]) for name, found in times.items()}  # the first ones warm up


def main() -> None:
    tokens = shakespeare()
    columns = ["peepholes", "parameters", "validation loss, nats", "lowest to highest", "of each seed", "ms per step"]
    result, lines, times = Result(LESSON, "peepholes", columns, SEEDS[0]), {}, milliseconds(tokens)
    for name, kind in KINDS.items():
        if name == "without, autograd":  # the same numbers as by hand, in another time
            result.add(name, None, None, None, None, times[name])
            continue
        found = []
        for seed in SEEDS:
            changes = kind | {"seed": seed, "steps": STEPS}
            model = new_model(tokens, **changes)
            losses = train(model, tokens, **changes)
            found.append(carried_loss(model, tokens.val))
            if seed == SEEDS[0]:
                lines[f"{name.split(',')[0]} peepholes"] = smooth(losses)
        result.add(name, parameters(model), statistics.mean(found), f"{min(found):.4f} to {max(found):.4f}",
                   ", ".join(f"{loss:.4f}" for loss in found), times[name])  # fmt: skip
    plot_lines(result.path(".png"), lines, "Peepholes", "step", "training loss, nats per character")
    result.save(seeds=SEEDS, steps=STEPS)


if __name__ == "__main__":
    run(main)
