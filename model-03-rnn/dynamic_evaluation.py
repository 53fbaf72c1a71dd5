"""Dynamic evaluation: a trained network goes on learning while it is tested (Mikolov et al. 2010, section 3).

    python dynamic_evaluation.py                          checkpoints/best.pt on its own validation split
    python dynamic_evaluation.py --rate 0.1 --dataset my-text.txt

The text is read once, in chunks of 64 tokens. Each chunk is scored first; then one step of plain gradient descent is
taken on it. So no token is scored after it was learnt from. The checkpoint stays as it is.
"""

import argparse
import copy
from pathlib import Path

import torch
from generate import LESSON, load
from model import detach_state
from torch import Tensor
from torch.nn.functional import cross_entropy

from shared.console import positive_float, run, say
from shared.data import load_corpus
from shared.evaluation import describe_loss, report

CHUNK = 64


def dynamic_losses(model, token_ids: Tensor, rate: float) -> Tensor:
    """Nats of each token but the first, (N - 1,), each scored before it is learnt from. The model is left as it is.

    rate: the learning rate of the descent; 0 is the usual evaluation.
    """
    model, state, losses = copy.deepcopy(model).eval(), None, []
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for start in range(0, len(token_ids) - 1, CHUNK):
        chunk = token_ids[start : start + CHUNK + 1]
        logits, state = model(chunk[None, :-1], state)
        loss = cross_entropy(logits[0], chunk[1:], reduction="none")
        losses.append(loss.detach())
        if rate:
            optimizer.zero_grad()
            loss.mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        state = detach_state(state)
    return torch.cat(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    parser.add_argument("--dataset", default="shakespeare", help="whose validation split is read (%(default)s)")
    parser.add_argument("--data-dir", type=Path, help="folder of downloaded corpora")
    parser.add_argument("--rate", type=positive_float, default=0.1, help="learning rate while reading (%(default)s)")
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    corpus = load_corpus(args.dataset, args.data_dir)
    token_ids = torch.tensor(tokenizer.encode(corpus.val))
    for name, rate in (("usual", 0.0), ("dynamic", args.rate)):
        result = report(dynamic_losses(model, token_ids, rate), corpus.val, token_ids, tokenizer)
        say(f"{name:<8} {describe_loss(result)}")


if __name__ == "__main__":
    run(main)
