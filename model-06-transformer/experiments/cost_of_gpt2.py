"""What would the same code need for GPT-2? Formulas only; docs/scaling.md explains them and shows the tables.

    python experiments/cost_of_gpt2.py          at once: nothing is trained

Writes results/gpt2_task.json (parameters, operations, steps, and the loss that published laws give), gpt2_memory.json,
gpt2_time.json, gpt2_network.json and gpt2_sharding.json. The equations (30) and (31) are those of
docs/math/06-transformer.md. All sizes in bytes are decimal: 1 GB is 10^9.
"""

import sys
from pathlib import Path
from typing import NamedTuple

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from shared.console import duration, run
from shared.results import Result


class Size(NamedTuple):
    """A decoder-only Transformer as in GPT-2: learned positions, biases, lm_head tied to the embedding."""

    layers: int
    width: int
    heads: int
    context: int = 1024
    vocab_size: int = 50_257


GPT2 = Size(12, 768, 12)
LARGER = {"GPT-2 XL": Size(48, 1600, 25), "GPT-3 6.7B": Size(32, 4096, 32, 2048), "GPT-3": Size(96, 12288, 96, 2048)}
TOKENS, BATCH = 10**10, 2**19  # of the whole training, and of a step, as in GPT-3's smallest (Brown et al. 2020)
CARD = 80e9  # bytes of memory of an A100 or H100 of the larger kind
MACHINES = {  # peak of bf16 products in operations per second (data sheets; the cores: measured), share that is used
    "2 CPU cores with bf16": (0.9e12, 0.4, 1),
    "1 A100": (312e12, 0.4, 1),
    "8 A100": (312e12, 0.4, 8),
    "8 A100, used as by llm.c": (312e12, 0.6, 8),
    "1 H100": (989e12, 0.4, 1),
    "8 H100": (989e12, 0.4, 8),
    "64 H100": (989e12, 0.4, 64),
}
LINKS = {"NVLink of the A100": 300e9, "InfiniBand, 200 Gbit/s a card": 25e9, "Ethernet, 10 Gbit/s": 1.25e9}  # bytes/s


def parameters(s: Size) -> int:
    """(30)"""
    return s.layers * (12 * s.width**2 + 13 * s.width) + (s.vocab_size + s.context + 2) * s.width


def in_blocks(s: Size) -> int:
    """Weights of the blocks' matrices, 12 L C^2: what Kaplan et al. count."""
    return 12 * s.layers * s.width**2


def operations(s: Size) -> int:
    """(31) For each token of training: 6 for each weight of a matrix, and attention over a whole window."""
    return 6 * (in_blocks(s) + s.vocab_size * s.width) + attention_operations(s)


def attention_operations(s: Size) -> int:
    """The second term of (31), with masked places reckoned in, as a plain matrix product does them."""
    return 12 * s.layers * s.width * s.context


def kept(s: Size, precision: str, weights_kept: bool = True) -> int:
    """Bytes that a token of training leaves for the backward pass, without dropout (the count is in docs/scaling.md).

    weights_kept=False: attention computes its weights again, so the h S of them in each layer need not be there.
    """
    seen = s.heads * s.context if weights_kept else 0
    if precision == "float32":
        return 4 * (s.layers * (16 * s.width + seen) + 2 * s.width + s.vocab_size)
    return s.layers * (36 * s.width + 2 * seen) + 6 * s.width + 4 * s.vocab_size


def logits_too(s: Size) -> int:
    """Bytes a token when the loss is computed: beside the log-softmax, which is kept, the logits and their gradient."""
    return 8 * s.vocab_size


def seconds(s: Size, tokens: float, peak: float, used: float, cards: int) -> float:
    """Of training, all cards busy all the time."""
    return tokens * operations(s) / (peak * used * cards)


def hoffmann(n: float, d: float, e=1.69, a=406.4, b=410.7, alpha=0.34, beta=0.28) -> float:
    """Hoffmann et al. 2022, equation 10: nats per token of MassiveText."""
    return e + a / n**alpha + b / d**beta


def besiroglu(n: float, d: float) -> float:
    """The same law, fitted again to the same runs (Besiroglu et al. 2024)."""
    return hoffmann(n, d, 1.8172, 482.01, 2085.43, 0.3478, 0.3658)


def kaplan(n: float, d: float) -> float:
    """Kaplan et al. 2020, equation 1.5 with table 2: nats per token of WebText2, n without embeddings."""
    return ((6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d) ** 0.103


def gigabytes(size: float) -> str:
    return f"{size / 1e9:,.2f} GB" if size < 10e9 else f"{size / 1e9:,.0f} GB"


def days(seconds: float) -> str:
    return duration(seconds) if seconds < 86_400 else f"{seconds / 86_400:,.1f} days"


def paper(name: str, columns: list[str], rows: list[tuple]) -> None:
    """A result that was reckoned, not measured."""
    result = Result(LESSON, name, columns)
    for row in rows:
        result.add(*row)
    result.save(minutes=0, threads=None, processor="paper")


def main() -> None:
    s, n = GPT2, parameters(GPT2)
    total = TOKENS * operations(s)
    paper("gpt2_task", ["what", "formula", "GPT-2, 10 billion tokens"], [
        ("parameters N", "L (12 C^2 + 13 C) + (V + n + 2) C", n),
        ("operations a token: products with weights", "6 (12 L C^2 + V C)", operations(s) - attention_operations(s)),
        ("operations a token: attention", "12 L C n", attention_operations(s)),
        ("operations in all", "tokens x both", f"{total:.2e}"),
        ("tokens a step", "2^19", BATCH),
        ("steps", "tokens / tokens a step", -(-TOKENS // BATCH)),
        ("tokens after which more parameters would pay (Hoffmann)", "20 N", f"{20 * n / 1e9:.1f} billion"),
        ("batch above which steps are wasted, at a loss of 3.3 (Kaplan)", "2e8 / loss^(1 / 0.21)",
         f"{2e8 / 3.3 ** (1 / 0.21) / 1e6:.2f} million tokens"),
        ("loss by Kaplan et al. 2020", "((6.4e13 / (12 L C^2))^0.738 + 1.8e13 / D)^0.103",
         f"{kaplan(in_blocks(s), TOKENS):.2f}"),
        ("loss by Hoffmann et al. 2022", "1.69 + 406.4 / N^0.34 + 410.7 / D^0.28", f"{hoffmann(n, TOKENS):.2f}"),
        ("the same, fitted again (2024)", "1.82 + 482 / N^0.348 + 2085 / D^0.366", f"{besiroglu(n, TOKENS):.2f}"),
    ])  # fmt: skip

    per_window = [s.context * (kept(s, *how) + logits_too(s)) for how in (("float32",), ("bf16",), ("bf16", False))]
    paper("gpt2_memory", ["what", "bytes", "GPT-2"], [
        ("weights", "4 N", gigabytes(4 * n)),
        ("gradients", "4 N", gigabytes(4 * n)),
        ("AdamW's two means", "8 N", gigabytes(8 * n)),
        ("together, whatever the batch", "16 N", gigabytes(16 * n)),
        ("a window of n tokens, float32", "n [L (64 C + 4 h n) + 8 C + 12 V]", gigabytes(per_window[0])),
        ("a window, bf16", "n [L (36 C + 2 h n) + 6 C + 12 V]", gigabytes(per_window[1])),
        ("a window, bf16, attention's weights computed again", "n [36 L C + 6 C + 12 V]", gigabytes(per_window[2])),
        ("windows at once on a card of 80 GB, float32", "", int((CARD - 16 * n) // per_window[0])),
        ("windows at once, bf16 (and its copy of the weights, 2 N)", "", int((CARD - 18 * n) // per_window[1])),
        ("the same, attention's weights computed again", "", int((CARD - 18 * n) // per_window[2])),
    ])  # fmt: skip

    paper("gpt2_time", ["machine", "peak, TFLOP/s", "used", "tokens per second", "10 billion tokens take"], [
        (name, f"{peak * cards / 1e12:,.1f}", f"{used:.0%}", round(1 / seconds(s, 1, peak, used, cards)),
         days(seconds(s, TOKENS, peak, used, cards)))
        for name, (peak, used, cards) in MACHINES.items()
    ])  # fmt: skip

    step = seconds(s, BATCH, *MACHINES["1 A100"])
    paper("gpt2_network", ["between the cards", "GB/s", "gradients of a step, seconds", "as long as computing at"], [
        (name, f"{speed / 1e9:g}", f"{8 * n / speed:.3f}", f"{step / (8 * n / speed):,.0f} cards")
        for name, speed in LINKS.items()
    ])  # fmt: skip

    columns = ["model", "N", "DDP: 16 N", "8 cards, ZeRO-1: 8 N + 8 N / 8", "ZeRO-2: 4 N + 12 N / 8",
               "ZeRO-3, FSDP: 16 N / 8", "fewest cards of 80 GB for 16 N"]  # fmt: skip
    paper("gpt2_sharding", columns, [
        (name, f"{m / 1e9:.2f} billion", *map(gigabytes, (16 * m, 9 * m, 5.5 * m, 2 * m)), int(-(-16 * m // CARD)))
        for name, m in ((name, parameters(size)) for name, size in ({"GPT-2": GPT2} | LARGER).items())
    ])  # fmt: skip


if __name__ == "__main__":
    run(main)
