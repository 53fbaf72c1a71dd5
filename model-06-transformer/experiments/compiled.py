"""What does torch.compile save? A training step as it is and compiled, in turn, and how long compiling takes.

    python experiments/compiled.py          about two minutes; while nothing else runs, and with a C++ compiler

Forward, loss, backward and the optimiser's step of three presets on a batch of Shakespeare, in the precision that
train.py would choose; medians of 20 pairs. Compiling happens in the first step; after how many steps it has paid for
itself is that time over what a step saves. Nothing is taken from what was compiled before.
"""

import copy
import os
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial

from short_run import CPU, LESSON, SETTINGS, new_model, shakespeare
from train import PRESETS, make_optimizer, train_step

from shared.compute import choose_precision, choose_threads, compiled
from shared.console import run
from shared.data.batching import RandomWindows
from shared.results import Result

PAIRS = 20
NETWORKS = {  # name -> what it changes of the settings of short_run.py
    "quick": {},
    "default": PRESETS["default"],
    "modern": PRESETS["modern"],
}


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def measure(tokens, changes: dict) -> tuple[str, float, float, float]:
    """Precision, milliseconds of a step as it is and compiled, seconds until the first compiled step is done."""
    args = Namespace(**SETTINGS | changes)
    model = new_model(tokens, **changes).train()
    batch = next(RandomWindows(tokens.train, args.batch_size, args.context_length, args.seed))

    def step_of(network, trained) -> Callable[[str], float]:
        return partial(train_step, network, make_optimizer(trained, args), batch, 1, args.clip, 0.0, CPU)

    other = copy.deepcopy(model)
    plain, fast = step_of(model, model), step_of(compiled(other, CPU), other)
    precision = choose_precision("auto", CPU, plain)
    steps = [partial(plain, precision), partial(fast, precision)]
    first = milliseconds(steps[1]) / 1000
    times = [[milliseconds(step) for step in steps] for _ in range(PAIRS + 2)][2:]
    return precision, *(statistics.median(column) for column in zip(*times, strict=True)), first


def main() -> None:
    threads, tokens = choose_threads(), shakespeare()
    columns = ["network", "precision", "as it is, ms a step", "compiled, ms", "ratio", "seconds of compiling",
               "paid for after so many steps"]  # fmt: skip
    result = Result(LESSON, "compiled", columns, seed=1337)
    for name, changes in NETWORKS.items():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
            precision, eager, fast, first = measure(tokens, changes)
        after = round(1000 * first / (eager - fast)) if fast < eager else "never"
        result.add(name, precision, eager, fast, fast / eager, first, after)
    result.save(threads=threads, pairs=PAIRS)


if __name__ == "__main__":
    run(main)
