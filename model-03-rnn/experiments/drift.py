"""Does a text fall apart as it gets longer? Loss of generated text under a 4-gram, and repetition, by position.

    python experiments/drift.py

64 texts of 2,000 characters, each after a prompt of its own from the validation split, at several temperatures, and
once with the state dropped before every character. The judge is a 4-gram with counts of the training split, each order
mixed with the shorter one (Witten & Bell 1991). Beside them what it says of real Shakespeare.
"""

import torch
from short_run import LESSON, shakespeare, trained
from torch import Tensor

from shared.console import run
from shared.results import Result
from shared.sampling import filter_logits
from shared.text_metrics import repetition
from shared.visualize import plot_lines

TEXTS, LENGTH, PROMPT, BLOCK = 64, 2000, 100, 250
WAYS = {"temperature 1": (1.0, False), "temperature 0.5": (0.5, False), "greedy": (0.0, False)}
WAYS |= {"temperature 1, state dropped": (1.0, True)}


def four_gram(train_ids: Tensor, vocab_size: int) -> Tensor:
    """P(d | a b c) as a table (V, V, V, V), counted: what follows c, then b c, then a b c, each mixed with the last."""
    probabilities = torch.full((vocab_size,), 1 / vocab_size)
    for order in (1, 2, 3, 4):
        keys = torch.zeros(len(train_ids) - order + 1, dtype=torch.int64)
        for i in range(order):
            keys = keys * vocab_size + train_ids[i : len(train_ids) - order + 1 + i]
        counts = torch.bincount(keys, minlength=vocab_size**order).view([vocab_size] * order).float()
        total, distinct = counts.sum(-1, keepdim=True), (counts > 0).sum(-1, keepdim=True).clamp(min=1)
        probabilities = (counts + distinct * probabilities) / (total + distinct)
    return probabilities


def losses(judge: Tensor, texts: Tensor) -> Tensor:
    """Nats of every character of (B, N) texts but the first three of each: (B, N - 3)."""
    return -judge[texts[:, :-3], texts[:, 1:-2], texts[:, 2:-1], texts[:, 3:]].log()


@torch.no_grad()
def write(model, prompts: Tensor, temperature: float, stateless: bool) -> Tensor:
    """(B, LENGTH) characters, drawn side by side."""
    generator, drawn = torch.Generator().manual_seed(1337), []
    logits, state = model(prompts)
    for _ in range(LENGTH):
        probabilities = filter_logits(logits[:, -1], temperature).softmax(dim=-1)
        drawn.append(torch.multinomial(probabilities, 1, generator=generator))
        logits, state = model(drawn[-1], None if stateless else state)
    return torch.cat(drawn, dim=1)


def main() -> None:
    columns = ["text", f"4-gram loss, first {BLOCK}", f"last {BLOCK}", "4-word sequences seen before in the text"]
    result, lines = Result(LESSON, "drift", columns, 1337), {}
    tokens = shakespeare()
    model, judge = trained(tokens), four_gram(tokens.train, tokens.tokenizer.vocab_size)
    starts = torch.linspace(0, len(tokens.val) - PROMPT - LENGTH, TEXTS).long().tolist()
    prompts = torch.stack([tokens.val[start : start + PROMPT] for start in starts])
    real = torch.stack([tokens.val[start + PROMPT : start + PROMPT + LENGTH] for start in starts])
    texts = {name: write(model, prompts, *how) for name, how in WAYS.items()} | {"Shakespeare himself": real}
    blocks = [slice(i, i + BLOCK) for i in range(0, LENGTH, BLOCK)]
    for name, ids in texts.items():
        judged = losses(judge, ids)
        curve = [judged[:, block].mean().item() for block in blocks]
        repeated = sum(repetition(tokens.tokenizer.decode(row)) for row in ids.tolist()) / TEXTS
        result.add(name, curve[0], curve[-1], f"{repeated:.1%}")
        lines[name] = ([block.start + BLOCK for block in blocks], curve)
    plot_lines(result.path(".png"), lines, "What a 4-gram says of generated text", "position, characters",
               "nats per character")  # fmt: skip
    result.save(curves={name: line[1] for name, line in lines.items()})


if __name__ == "__main__":
    run(main)
