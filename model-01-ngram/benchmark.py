"""How fast is counting, and how does it grow? Tokens per second of fitting and of scoring, Kneser-Ney, characters.

    python benchmark.py

Fables can be drawn at any size: 1, 3 and 10 million tokens, orders 3, 5 and 7. Scored text: one million tokens of
another draw. Median of three runs. Memory: the peak of this process so far, where the system tells it.
"""

import statistics
import time
from pathlib import Path

import torch
from model import NGramConfig, NGramLM

from shared.console import run
from shared.data.fables import draw_fables
from shared.results import Result
from shared.tokenizers import train_tokenizer

LESSON = Path(__file__).resolve().parent


def peak_mebibytes() -> int | None:
    """The most memory that this process has held so far; None on Windows."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB on Linux, bytes on macOS
    return peak // (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    unseen = draw_fables(seed=99, characters=1_000_000).text
    columns = ["tokens", "order n", "distinct n-grams", "fitting, s", "tokens/s fitted", "tokens/s scored", "peak MiB"]
    result = Result(LESSON, "benchmark", columns)
    for size in (1_000_000, 3_000_000, 10_000_000):
        text = draw_fables(seed=1, characters=size).text
        tokenizer = train_tokenizer("char", text, also=unseen)
        train_ids, other_ids = torch.tensor(tokenizer.encode(text)), torch.tensor(tokenizer.encode(unseen))
        del text
        for order in (3, 5, 7):
            fitting, scoring = [], []
            for _ in range(3):
                model = NGramLM(NGramConfig(tokenizer.vocab_size, order))
                start = time.perf_counter()
                model.fit(train_ids)
                fitted = time.perf_counter()
                model.log_prob(other_ids)
                fitting.append(fitted - start)
                scoring.append(time.perf_counter() - fitted)
            fit, score = statistics.median(fitting), statistics.median(scoring)
            rates = [round(len(train_ids) / fit, -3), round(len(other_ids) / score, -3)]
            rates = [int(rate) for rate in rates]
            result.add(len(train_ids), order, sum(model.config.sizes), f"{fit:.2f}", *rates, peak_mebibytes())
    result.save()


if __name__ == "__main__":
    run(main)
