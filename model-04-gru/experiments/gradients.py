"""Does a gate let the gradient through? How much of what a loss says arrives at h, d steps earlier.

    python experiments/gradients.py

As in lesson 03, whose curves are drawn beside it (results/gradients.json there): the loss of one character, the last of
a stretch of 200 real ones, sends its gradient back through the hidden states. Its norm at distance d over its norm at
distance 0, a mean over 128 stretches, in float64. The same size, 128 units, the same start ("uniform", PyTorch's) and
the same budget of 1,500 steps; before and after training. A unit that keeps its value hands the gradient on unharmed.
"""

import copy

import torch
from short_run import LESSON, carried_loss, new_model, shakespeare, train
from torch import Tensor
from torch.nn.functional import cross_entropy

from shared.console import run
from shared.results import Result, read_result
from shared.visualize import plot_lines

STRETCHES, LENGTH, FURTHEST = 128, 200, 150


def gradient_norms(model, token_ids: Tensor) -> list[float]:
    """Mean norm of d loss_T / d h_{T-d} for d = 0, 1 ... FURTHEST, over that at d = 0. One layer, token_ids (N,)."""
    model = copy.deepcopy(model).double()
    starts = torch.linspace(0, len(token_ids) - LENGTH - 1, STRETCHES).long()
    rows = torch.stack([token_ids[start : start + LENGTH + 1] for start in starts])
    layer, h, states = model.layers[0], torch.zeros(STRETCHES, model.config.hidden_size).double(), []
    for x in model.embedding(rows[:, :-1]).unbind(1):
        h = layer.cell(x, h)
        states.append(h)
    loss = cross_entropy(model.lm_head(h), rows[:, -1], reduction="sum")  # each row its own loss, and its own gradient
    gradients = torch.autograd.grad(loss, states[: -FURTHEST - 2 : -1])
    norms = torch.stack([gradient.norm(dim=1).mean() for gradient in gradients])
    return (norms / norms[0]).tolist()


def first_below(norms: list[float], level: float) -> int | str:
    """The first distance at which less than this is left."""
    return next((d for d, norm in enumerate(norms) if norm < level), f"beyond {FURTHEST}")


def main() -> None:
    tokens, rnn = shakespeare(), read_result("model-03-rnn", "gradients")
    columns = ["network", "training", "validation loss, nats"]
    columns += ["under 1/10 at", "under 1/100 at", "under 1/1,000,000 at"]
    result, curves = Result(LESSON, "gradients", columns, 1337), {}
    model = new_model(tokens)
    for when in ("before", "after"):
        if when == "after":
            train(model, tokens)
        norms = curves[f"uniform, {when}"] = gradient_norms(model, tokens.val)
        result.add("GRU", when, carried_loss(model, tokens.val), *(first_below(norms, x) for x in (1e-1, 1e-2, 1e-6)))
    for row in (dict(zip(rnn["columns"], row, strict=True)) for row in rnn["rows"]):
        if row["W_hh"] == "uniform":
            result.add("RNN of lesson 03", *(row[name] for name in columns[1:]))
    lines = {f"GRU, {when} training": norms for when, norms in zip(("before", "after"), curves.values(), strict=True)}
    lines |= {f"RNN, {when} training": rnn["curves"][f"uniform, {when}"] for when in ("before", "after")}
    distances = list(range(FURTHEST + 1))
    lines = {name: (distances[: len(norms)], norms) for name, norms in lines.items()}
    plot_lines(result.path(".png"), lines, "What arrives of a gradient, d steps earlier", "distance d, characters",
               "norm, of that at d = 0", log_y=True)  # fmt: skip
    result.save(distances=distances, curves=curves)


if __name__ == "__main__":
    run(main)
