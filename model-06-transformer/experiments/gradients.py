"""How much of a gradient arrives: d characters earlier, and so many blocks further down.

    python experiments/gradients.py                 post-norm and pre-norm, twelve blocks each
    python experiments/gradients.py --steps 50      short runs

Distance, as in lessons 03, 04 and 05, whose curves are drawn beside it (results/gradients.json there): the loss of one
character, the last of a stretch of 200 real ones, sends its gradient back. Its norm at what goes into the first block d
characters earlier, over its norm at d = 0, a mean over 128 stretches, in float64. Theirs have one layer; here every
block has a way of its own to every distance.

Depth: the loss of all characters, and the norm of its gradient at the stream that goes into each block, over that at
what comes out of the last. Both begin as (19) says, pre-norm with normal weights, post-norm with Xavier's. Twelve
blocks of 96 before and after a short training of one seed, at the same rate and with the same warm-up.

    results/gradients.png          by distance, beside RNN, GRU and LSTM
    results/gradients_depth.png    by depth
"""

import argparse
import copy

import torch
from short_run import LESSON, new_model, shakespeare, train, windows_loss
from torch import Tensor
from torch.nn.functional import cross_entropy

from shared.console import positive_int, run
from shared.results import Result, read_result
from shared.visualize import plot_lines

STRETCHES, LENGTH, FURTHEST, AT_ONCE = 128, 200, 150, 16
LEVELS = (1e-1, 1e-2, 1e-6)
BEFORE = {"RNN": ("model-03-rnn", "uniform, after"), "GRU": ("model-04-gru", "uniform, after"),
          "LSTM, at c": ("model-05-lstm", "c, after")}  # fmt: skip
BLOCKS, STEPS = 12, 500
SETTINGS = {"num_layers": BLOCKS, "context_length": 256, "batch_size": 8, "learning_rate": 1e-3}


def stretches(token_ids: Tensor) -> Tensor:
    """The same as in the lessons before: (STRETCHES, LENGTH + 1), from all over the text."""
    starts = torch.linspace(0, len(token_ids) - LENGTH - 1, STRETCHES).long()
    return torch.stack([token_ids[start : start + LENGTH + 1] for start in starts])


def gradient_norms(model, rows: Tensor) -> tuple[list[float], list[float]]:
    """Mean norms of d loss_T / d x_{T-d}, x what the first block reads, for d = 0, 1 ... FURTHEST, over that at d = 0.

    And those of d (loss_1 + ... + loss_T) / d x, of all characters, x what goes into each block and at last what comes
    out, over that which comes out. rows (B, T + 1).
    """
    model = copy.deepcopy(model).double().eval()
    by_distance, by_depth = torch.zeros(FURTHEST + 1), torch.zeros(len(model.blocks) + 1)
    for part in rows.split(AT_ONCE):
        x, rotation = model.embed(part[:, :-1], part[:, :0])
        streams = [x]
        for block in model.blocks:
            x, _ = block(x, rotation=rotation)
            streams.append(x)
        logits = model.lm_head(model.norm(x))
        last = cross_entropy(logits[:, -1], part[:, -1], reduction="sum")  # each row its own loss, and its own gradient
        (gradient,) = torch.autograd.grad(last, streams[0], retain_graph=True)
        by_distance += gradient.norm(dim=2).sum(dim=0).flip(0)[: FURTHEST + 1]
        every = cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="sum")
        gradients = torch.autograd.grad(every, streams)
        by_depth += torch.stack([gradient.norm(dim=2).sum() for gradient in gradients])
    return (by_distance / by_distance[0]).tolist(), (by_depth / by_depth[-1]).tolist()


def first_below(norms: list[float], level: float) -> int | str:
    """The first distance at which less than this is left."""
    return next((d for d, norm in enumerate(norms) if norm < level), f"beyond {FURTHEST}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=positive_int, default=STEPS, help="of each training (%(default)s)")
    steps = parser.parse_args().steps
    tokens, earlier = shakespeare(), {name: read_result(lesson, "gradients") for name, (lesson, _) in BEFORE.items()}
    columns = ["network", "training", "validation loss, nats", *(f"under {level:,g} at" for level in LEVELS)]
    result = Result(LESSON, "gradients", [*columns, "at the first block, of that at the end"], 1337)
    distances, depths, curves = list(range(FURTHEST + 1)), list(range(BLOCKS + 1)), {}
    for name, (_, curve) in BEFORE.items():
        curves[f"{name}, after"] = earlier[name]["curves"][curve]
        result.add(name, "after", None, *(first_below(curves[f"{name}, after"], level) for level in LEVELS), None)
    rows, by_depth = stretches(tokens.val), {}
    for name, post_norm in (("post-norm", True), ("pre-norm", False)):
        changes = SETTINGS | {"post_norm": post_norm, "steps": steps, "warmup": max(1, min(100, steps // 5))}
        model = new_model(tokens, **changes)
        for when in ("before", "after"):
            if when == "after":
                train(model, tokens, **changes)
            loss = windows_loss(model, tokens.val)
            norms, by_depth[f"{name}, {when} training"] = gradient_norms(model, rows)
            curves[f"Transformer, {name}, {when}"] = norms
            result.add(f"Transformer, {name}", when, loss, *(first_below(norms, level) for level in LEVELS),
                       by_depth[f"{name}, {when} training"][0])  # fmt: skip
    lines = {name: (distances, [norm if norm > 1e-12 else None for norm in norms]) for name, norms in curves.items()}
    lines = {f"{name} training": line for name, line in lines.items() if name.endswith("after")}
    plot_lines(result.path(".png"), lines, "What arrives of a gradient, d characters earlier",
               "distance d, characters", "norm, of that at d = 0", log_y=True)  # fmt: skip
    plot_lines(result.path("_depth.png"), {name: (depths, norms) for name, norms in by_depth.items()},
               "What arrives of a gradient, so many blocks down", "blocks below", "norm, of that at the end",
               log_y=True)  # fmt: skip
    result.save(distances=distances, depths=depths, curves=curves, by_depth=by_depth, steps=steps)


if __name__ == "__main__":
    run(main)
