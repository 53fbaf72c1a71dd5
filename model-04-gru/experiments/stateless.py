"""The same weights, used rightly and wrongly: does a network that was trained perfectly also read with its memory?

    python experiments/stateless.py
    python experiments/stateless.py --checkpoint checkpoints/best.pt

One trained network (default: astra-alpha's, else that of a plain train.py). What differs between the rows is only what
is handed on from token to token while it is used: its state; nothing; its state, dropped every 128 tokens, which is as
far as gradients reach in training; or the state of another text, as when rows get mixed up in a batch. The training
loss is the same in every row, since there was one training: it cannot tell a right use from a wrong one.

The figure: only the last k tokens are read, from an empty state. What that costs is measured on the same characters as
the loss with the state carried, in windows of 256 tokens, one begun every 8.
"""

import argparse
import re
from pathlib import Path

import torch
from inference import (
    ALPHA,
    CARRIED,
    LENGTH,
    POLICIES,
    SEED,
    TEXTS,
    bigram_loss,
    bits,
    judge,
    load_run,
    loss_under,
    training_row,
    write,
)
from short_run import LESSON
from torch import Tensor

from shared.console import LearnerError, run, say
from shared.evaluation import token_losses
from shared.files import relative
from shared.results import Result, text
from shared.visualize import plot_lines

FURTHEST, EVERY = 256, 8
COLUMNS = ["state", "training loss", "validation loss", "bits per character"]
COLUMNS += ["lines in a turn", "real words", "repeated"]


@torch.no_grad()
def prices(model, token_ids: Tensor) -> dict[int, float]:
    """k -> how many nats more a token costs if only the k tokens before it are read, from no state."""
    carried = token_losses(model, token_ids).unfold(0, FURTHEST, EVERY)  # of the tokens that the windows predict
    more = torch.zeros(FURTHEST, dtype=torch.float64)
    for rows, known in zip(token_ids.unfold(0, FURTHEST + 1, EVERY).split(64), carried.split(64), strict=True):
        log_probs = torch.log_softmax(model(rows[:, :-1])[0].double(), dim=-1)
        more -= (log_probs.gather(2, rows[:, 1:, None])[:, :, 0] + known).sum(dim=0)
    return {2**i: more[2**i - 1].item() / len(carried) for i in range(FURTHEST.bit_length())}


def show(result: Result, unit: str) -> None:
    """The table as one reads it without a README."""
    heads = [name.partition(" ") for name in result.columns]
    rows = [[head[0] for head in heads], [head[2] for head in heads], *[[text(x) for x in row] for row in result.rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    say("\nOne network, trained once. The rows differ only in what is handed on from token to token when it is used.")
    say(f"Losses are nats per {unit}, validation is the whole split; the last columns are of text that it wrote.\n")
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        say("   ".join([row[0].ljust(widths[0]), *cells[1:]]))
    say("\nlines in a turn: of the form SPEAKER:, then speech, then a blank line. real words: in the training text.")
    say("repeated: sequences of four words that stood earlier in the same text.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="a network of this lesson, trained on Shakespeare")
    given, folder = parser.parse_args().checkpoint, LESSON / "checkpoints"
    places = [given] if given else [folder / "astra-alpha" / "best.pt", folder / "best.pt"]
    checkpoint = next((path for path in places if path.exists()), None)
    if checkpoint is None:
        raise LearnerError(f"no checkpoint at {' or '.join(map(relative, places))}: train one first, with {ALPHA}")
    result = Result(LESSON, "stateless", COLUMNS, SEED)
    model, tokens = load_run(checkpoint)
    characters = tokens.tokenizer.name == "char"
    levels = {"bigram of lesson 01": bigram_loss()} if characters else {}
    losses = {policy: loss_under(policy, model, tokens.val) for policy in POLICIES}
    training = training_row(checkpoint, losses[CARRIED])["train_loss"]

    def add(name: str, loss: tuple, texts: list[str]) -> None:
        shares = [f"{share:.1%}" for share in judge(texts, tokens.corpus.train)] if texts else [None] * 3
        result.rows.append([name, *[x and round(x, 4) for x in loss], *shares])

    for policy, loss in losses.items():
        texts = write(policy, model, tokens.tokenizer)
        say(f"--- {policy}\n{texts[0][:240].strip()}\n")
        add(policy, (training, loss, bits(loss, tokens)), texts)
    for name, loss in levels.items():
        add(name, (None, loss, bits(loss, tokens)), [])
    breaks = [match.end() for match in re.finditer("\n\n", tokens.corpus.val)]
    real = [tokens.corpus.val[start : start + LENGTH] for start in breaks[:: len(breaks) // TEXTS]][:TEXTS]
    add("Shakespeare himself", (None, None, None), real)
    show(result, "character" if characters else "token")

    price = prices(model, tokens.val)
    line = {"only the last k": (list(price), [losses[CARRIED] + more for more in price.values()])}
    levels |= {"state carried": losses[CARRIED]}
    plot_lines(result.path(".png"), line, "The price of forgetting", "k, tokens read from an empty state",
               "validation loss, nats per token", levels, log_x=True)  # fmt: skip
    result.save(checkpoint=relative(checkpoint), parameters=sum(p.numel() for p in model.parameters()), prices=price)


if __name__ == "__main__":
    run(main)
