"""Where does the gradient vanish? How much of what a loss says arrives at h, d steps earlier.

    python experiments/gradients.py

The loss of one character, the last of a stretch of 200 real ones, sends its gradient back through the hidden states.
Its norm at distance d over its norm at distance 0, a mean over 128 stretches (in float64, since float32 would end at
1e-38), for three initialisations of W_hh, before and after training. Equations (11) and (12) of docs/math/03-bptt.md.
The curves stand in results/gradients.json, for the common figure of lessons 03 to 06.
"""

import copy

import torch
from short_run import LESSON, carried_loss, new_model, shakespeare, train
from torch import Tensor
from torch.nn.functional import cross_entropy

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

STRETCHES, LENGTH, FURTHEST = 128, 200, 150


def gradient_norms(model, token_ids: Tensor) -> tuple[list[float], float]:
    """Mean norm of d loss_T / d h_{T-d} at d = 0, 1 ... FURTHEST, over that at 0; the mean slope of tanh there.

    For a network of one layer; token_ids (N,).
    """
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
    slopes = 1 - torch.stack(states[-FURTHEST - 1 :]) ** 2
    return (norms / norms[0]).tolist(), slopes.mean().item()


def first_below(norms: list[float], level: float) -> int | str:
    """The first distance at which less than this is left."""
    return next((d for d, norm in enumerate(norms) if norm < level), f"beyond {FURTHEST}")


def main() -> None:
    tokens = shakespeare()
    columns = ["W_hh", "training", "validation loss, nats", "spectral radius", "largest singular value"]
    columns += ["mean slope of tanh", "under 1/10 at", "under 1/100 at", "under 1/1,000,000 at"]
    result, curves = Result(LESSON, "gradients", columns, 1337), {}
    for init in ("uniform", "xavier", "orthogonal"):
        model = new_model(tokens, init=init)
        for when in ("before", "after"):
            if when == "after":
                train(model, tokens)
            weight = model.layers[0].weight_hh.detach()
            radius = torch.linalg.eigvals(weight).abs().max().item()
            norms, slope = gradient_norms(model, tokens.val)
            curves[f"{init}, {when}"] = norms
            result.add(init, when, carried_loss(model, tokens.val), radius, torch.linalg.matrix_norm(weight, 2).item(),
                       slope, *(first_below(norms, level) for level in (1e-1, 1e-2, 1e-6)))  # fmt: skip
    distances = list(range(FURTHEST + 1))
    lines = {f"{name} training": (distances, norms) for name, norms in curves.items()}
    plot_lines(result.path(".png"), lines, "What arrives of a gradient, d steps earlier", "distance d, characters",
               "norm, of that at d = 0", log_y=True)  # fmt: skip
    result.save(distances=distances, curves=curves)


if __name__ == "__main__":
    run(main)
