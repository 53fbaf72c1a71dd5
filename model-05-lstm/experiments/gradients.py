"""Which way does the gradient go? How much of what a loss says arrives at h, and at c, d steps earlier.

    python experiments/gradients.py             about 2 minutes on one core

As in lessons 03 and 04, whose curves are drawn beside it (results/gradients.json there): the loss of one character, the
last of a stretch of 200 real ones, sends its gradient back. Its norm at distance d over its norm at distance 0, a mean
over 128 stretches, in float64. One layer of 128 units, the same start and budget of 1,500 steps; before and after.

    results/gradients.png          the norms at h and at c, beside those at h of RNN and GRU
    results/gradients_paths.png    after training, what goes through c alone (each step multiplies by the forget gate,
                                   and by nothing else), and through h alone (each step: into the gates, and out again)
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
LEVELS = (1e-1, 1e-2, 1e-6)
BEFORE = {"RNN": "model-03-rnn", "GRU": "model-04-gru"}


def gradient_norms(model, token_ids: Tensor, only: str | None = None) -> dict[str, list[float]]:
    """Mean norms of d loss_T / d h_{T-d} and d loss_T / d c_{T-d} for d = 0, 1 ... FURTHEST, over those at d = 0.

    only: "h" or "c", to let the gradient go from step to step through this one alone. One layer, token_ids (N,).
    """
    model = copy.deepcopy(model).double()
    starts = torch.linspace(0, len(token_ids) - LENGTH - 1, STRETCHES).long()
    rows = torch.stack([token_ids[start : start + LENGTH + 1] for start in starts])
    layer, states = model.layers[0], {"h": [], "c": []}
    h = c = torch.zeros(STRETCHES, model.config.hidden_size).double()
    for x in model.embedding(rows[:, :-1]).unbind(1):
        h, c = layer.cell(x, h.detach() if only == "c" else h, c.detach() if only == "h" else c)
        states["h"].append(h)
        states["c"].append(c)
    loss = cross_entropy(model.lm_head(h), rows[:, -1], reduction="sum")  # each row its own loss, and its own gradient
    found = {}
    for name in [only] if only else states:
        gradients = torch.autograd.grad(loss, states[name][: -FURTHEST - 2 : -1], retain_graph=True)
        norms = torch.stack([gradient.norm(dim=1).mean() for gradient in gradients])
        found[name] = (norms / norms[0]).tolist()
    return found


def first_below(norms: list[float], level: float) -> int | str:
    """The first distance at which less than this is left."""
    return next((d for d, norm in enumerate(norms) if norm < level), f"beyond {FURTHEST}")


def main() -> None:
    tokens, earlier = shakespeare(), {name: read_result(lesson, "gradients") for name, lesson in BEFORE.items()}
    columns = ["network", "training", "validation loss, nats", "gradient at"]
    result = Result(LESSON, "gradients", columns + [f"under {level:,g} at" for level in LEVELS], 1337)
    for name, before in earlier.items():
        loss = before["columns"].index("validation loss, nats")
        for row in before["rows"]:
            if row[0] in (name, "uniform"):  # lesson 03 names the start, lesson 04 the network
                result.add(name, row[1], row[loss], "h", *row[-3:])
    model, curves = new_model(tokens), {}
    for when in ("before", "after"):
        if when == "after":
            train(model, tokens)
        loss = carried_loss(model, tokens.val)
        found = gradient_norms(model, tokens.val)
        found |= {f"{way}, through {way} alone": gradient_norms(model, tokens.val, only=way)[way] for way in "hc"}
        for at, norms in found.items():
            result.add("LSTM", when, loss, at, *(first_below(norms, level) for level in LEVELS))
            curves[f"{at}, {when}"] = norms
    distances = list(range(FURTHEST + 1))

    def draw(suffix: str, title: str, lines: dict[str, list[float]]) -> None:
        lines = {name: (distances, [norm if norm > 1e-20 else None for norm in norms]) for name, norms in lines.items()}
        plot_lines(result.path(suffix), lines, title, "distance d, characters", "norm, of that at d = 0", log_y=True)

    lines = {f"{name}, after training": before["curves"]["uniform, after"] for name, before in earlier.items()}
    lines |= {f"LSTM, {at}, {when} training": curves[f"{at}, {when}"] for when in ("before", "after") for at in "hc"}
    draw(".png", "What arrives of a gradient, d steps earlier", lines)
    lines = {"at c, by all ways": "c", "at c, through c alone": "c, through c alone",
             "at h, by all ways": "h", "at h, through h alone": "h, through h alone"}  # fmt: skip
    lines = {name: curves[f"{at}, after"] for name, at in lines.items()}
    draw("_paths.png", "The two ways back, after training", lines)
    result.save(distances=distances, curves=curves)


if __name__ == "__main__":
    run(main)
