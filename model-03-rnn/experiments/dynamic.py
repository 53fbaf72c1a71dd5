"""Dynamic evaluation: go on learning while being tested (Mikolov et al. 2010, section 3).

    python experiments/dynamic.py

The validation split is read once, in chunks of 64 characters. Each chunk is scored first; then one step of plain
gradient descent is taken on it. No character is scored after it was learnt from. Rate 0 is the usual evaluation.
Beside the whole split, its last tenth, for which nine tenths were there to adapt to.
"""

import copy
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import detach_state
from short_run import BITS, shakespeare, trained
from torch import Tensor
from torch.nn.functional import cross_entropy

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

CHUNK, RATES = 64, (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)


def dynamic_losses(model, token_ids: Tensor, rate: float) -> Tensor:
    """Nats of each token but the first, (N - 1,), each scored before it is learnt from. The model is left as it is."""
    model, state, losses = copy.deepcopy(model), None, []
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
    tokens = shakespeare()
    model = trained(tokens)
    columns = ["learning rate while reading", "validation loss, nats", "bits per character", "gain, nats"]
    columns.append("gain on the last tenth")
    result, static, lines = Result(LESSON, "dynamic", columns, 1337), None, {}
    for rate in RATES:
        losses = dynamic_losses(model, tokens.val, rate)
        static = losses if static is None else static
        gain, tenth = (static - losses), len(losses) // 10
        loss = losses.mean().item()
        result.add(rate, loss, loss * BITS, gain.mean().item(), gain[-tenth:].mean().item())
        if rate:
            parts = gain[: 10 * tenth].view(10, tenth).mean(dim=1).tolist()
            lines[f"rate {rate:g}"] = ([tenth * (i + 1) for i in range(10)], parts)
    plot_lines(result.path(".png"), lines, "What learning on while reading gains", "characters read",
               "gain in this tenth, nats per character")  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
