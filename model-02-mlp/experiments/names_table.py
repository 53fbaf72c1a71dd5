"""Embedding size, context and BatchNorm on names, in makemore's setting, beside a published series of such trials.

    python experiments/names_table.py                      three minutes
    python experiments/names_table.py --steps 3000         a tenth of the steps

Each row: 200 tanh units, plain SGD, batches of 32 single examples with their whole context, learning rate 0.1 and for
the last third 0.01, 30,000 steps. The loss is that of the *whole* dev split, untrained and after 1,000, 15,000 and
30,000 steps. The published numbers look like losses of single training batches, so the table also says between which
values nine in ten batches of 32 training examples lie for the finished model. The dashed line is the loss below which
no model that sees two characters can come on the training text, however it is trained: that of the best table.
"""

import argparse
import math
import sys
from collections import Counter
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import MLPConfig
from torch.nn.functional import cross_entropy
from training import SEED, characters, new_model, parameters

from shared.console import LearnerError, positive_int, run, say
from shared.data.batching import RandomWindows
from shared.evaluation import token_losses
from shared.results import Result
from shared.visualize import plot_lines

STEPS, EARLY, EVERY, HIDDEN, BATCH = 30_000, 1000, 500, 200, 32
TRIALS = (  # embedding_dim, context_length, batch_norm, what was published (loss at start, middle, end)
    (2, 2, False, "2.262, 2.416, 2.46: unstable"),
    (6, 2, False, "2.48 to 1.96"),
    (16, 8, False, "about 2.5: no improvement"),
    (6, 6, False, "2.5 to 1.89"),
    (6, 6, True, "smoother"),
)
COLUMNS = ["embedding", "context", "BatchNorm", "parameters", "untrained", f"step {EARLY:,}", "middle", "end",
           "nine in ten batches of 32, at the end", f"mean change in {EVERY} steps", "published"]  # fmt: skip


def split(inputs: torch.Tensor, targets: torch.Tensor):
    """One example from each window: the tokens before the last one as state, the last one, what follows it."""
    return inputs[:, -1:], inputs[:, :-1], targets[:, -1]


def train(model, train_ids: torch.Tensor, dev_ids: torch.Tensor, steps: int) -> dict[int, float]:
    """SGD in place; the dev loss by step, nats per character."""
    loader = RandomWindows(train_ids, BATCH, model.config.context_length, SEED)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    dev = {0: token_losses(model, dev_ids).mean().item()}
    for step in range(1, steps + 1):
        if step == steps * 2 // 3:
            optimizer.param_groups[0]["lr"] = 0.01
        batch = next(loader)
        token, before, target = split(batch.inputs, batch.targets)
        loss = cross_entropy(model(token, before)[0][:, 0], target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % EVERY == 0:
            dev[step] = token_losses(model, dev_ids).mean().item()
    return dev


@torch.no_grad()
def batch_losses(model, train_ids: torch.Tensor, batches: int = 500) -> torch.Tensor:
    """The loss of single training batches, as somebody sees it who prints it now and then; sorted."""
    model.eval()
    loader, losses = RandomWindows(train_ids, BATCH, model.config.context_length, SEED + 1), []
    for _ in range(batches):
        batch = next(loader)
        token, before, target = split(batch.inputs, batch.targets)
        losses.append(cross_entropy(model(token, before)[0][:, 0], target))
    return torch.stack(losses).sort().values


def least_loss(text: str, context: int) -> float:
    """The loss of the best possible table over so many characters, on the very text that it was made from."""
    longer = Counter(text[i : i + context + 1] for i in range(len(text) - context))
    shorter = Counter()
    for ngram, count in longer.items():
        shorter[ngram[:-1]] += count
    nats = -sum(count * math.log(count / shorter[ngram[:-1]]) for ngram, count in longer.items())
    return nats / sum(longer.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=positive_int, default=STEPS, help="of each training (%(default)s)")
    last = parser.parse_args().steps
    if last % EARLY:
        raise LearnerError(f"--steps {last}: give a multiple of {EARLY:,}, since the table has the loss of its half")
    corpus, tokenizer, train_ids, dev_ids = characters("names")
    result, curves = Result(LESSON, "names_table", COLUMNS, SEED), {}
    for embedding, context, batch_norm, published in TRIALS:
        config = MLPConfig(tokenizer.vocab_size, context, embedding, HIDDEN, batch_norm=batch_norm)
        model = new_model(config)
        dev = train(model, train_ids, dev_ids, last)
        steps = [step for step in dev if EARLY <= step]
        changes = [abs(dev[b] - dev[a]) for a, b in zip(steps, steps[1:], strict=False) if b < last * 2 // 3]
        single = batch_losses(model, train_ids)
        low, high = (single[int(share * len(single))].item() for share in (0.05, 0.95))
        result.add(embedding, context, batch_norm, parameters(model), dev[0], dev[EARLY], dev[last // 2], dev[last],
                   f"{low:.2f} to {high:.2f}", sum(changes) / max(1, len(changes)), published)  # fmt: skip
        name = f"embedding {embedding}, context {context}{', BatchNorm' * batch_norm}"
        curves[name] = (steps, [dev[step] for step in steps])
    least = least_loss(corpus.train, 2)
    say(f"no model of two characters can come below {least:.4f} on the training text")
    plot_lines(result.path(".png"), curves, "Names: embedding size, context, BatchNorm", "step",
               "dev loss, nats per character", {"best table of 2 characters, training text": least})  # fmt: skip
    result.save(least_training_loss_context_2=round(least, 4))


if __name__ == "__main__":
    run(main)
