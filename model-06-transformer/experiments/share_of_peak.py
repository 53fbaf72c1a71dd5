"""How much of what the machine can do does training use? Operations per second, beside those of one large product.

    python experiments/share_of_peak.py         about a minute; while nothing else runs

The peak: a product of two matrices of 2,048 x 2,048. Training: train.py's own step of the default preset (forward,
backward, AdamW), of the same network with wider blocks, and of two blocks as wide as GPT-2's, each on a batch of random
characters; its operations are (31) in docs/math/06-transformer.md, which counts products only. The best of ten times
each, in the precision that train.py finds the faster one for the default.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial

import torch
from cost_of_gpt2 import Size, operations
from short_run import CPU, LESSON, SETTINGS, parameters
from train import PRESETS, TransformerConfig, TransformerLM, make_optimizer, train_step

from shared.compute import choose_precision, choose_threads
from shared.console import run
from shared.data.batching import RandomWindows
from shared.results import Result

VOCAB_SIZE, SIDE, TIMES = 65, 2048, 10  # Shakespeare's characters
NETWORKS = {  # layers, width, heads
    "the default": tuple(PRESETS["default"][name] for name in ("num_layers", "embedding_dim", "num_heads")),
    "twice as wide": (4, 384, 6),
    "two blocks as wide as GPT-2's": (2, 768, 12),
}


def new_step(layers: int, width: int, heads: int) -> tuple[torch.nn.Module, Callable[[str], None], int, int]:
    """A network, step(precision), which trains it on a batch, the tokens of that, and the operations for each."""
    args = Namespace(**SETTINGS | PRESETS["default"])
    torch.manual_seed(args.seed)
    config = TransformerConfig(VOCAB_SIZE, args.context_length, width, layers, heads, positions=args.positions,
                               dropout=args.dropout, init_std=args.init_std)  # fmt: skip
    model, text = TransformerLM(config), torch.randint(VOCAB_SIZE, (10_000,))
    batch = next(RandomWindows(text, args.batch_size, args.context_length))
    step = partial(train_step, model, make_optimizer(model, args), batch, 1, args.clip, 0.0, CPU)
    size = Size(layers, width, heads, args.context_length, VOCAB_SIZE)
    return model, step, batch.targets.numel(), operations(size)


def seconds_of_best(work: Callable[[], object]) -> float:
    """The shortest of TIMES, after two that do not count."""
    times = []
    for _ in range(TIMES + 2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[2:])


def main() -> None:
    threads = choose_threads()
    precision = choose_precision("auto", CPU, new_step(*NETWORKS["the default"])[1])
    columns = ["what", "parameters", "milliseconds", "tokens per second", "million operations a token", "GFLOP/s",
               "of the peak"]  # fmt: skip
    result = Result(LESSON, "share_of_peak", columns, seed=1337)
    matrix = torch.randn(SIDE, SIDE, dtype=getattr(torch, {"bf16": "bfloat16"}.get(precision, precision)))
    seconds = seconds_of_best(lambda: matrix @ matrix)
    peak = 2 * SIDE**3 / seconds
    result.add(f"a product of {SIDE:,} x {SIDE:,}", None, 1e3 * seconds, None, None, round(peak / 1e9), "100%")
    for name, sizes in NETWORKS.items():
        model, step, tokens, each = new_step(*sizes)
        seconds = seconds_of_best(partial(step, precision))
        used = tokens * each / seconds
        result.add(name, parameters(model), 1e3 * seconds, round(tokens / seconds), each / 1e6, round(used / 1e9),
                   f"{used / peak:.0%}")  # fmt: skip
    result.save(threads=threads, precision=precision)


if __name__ == "__main__":
    run(main)
