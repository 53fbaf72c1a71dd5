"""What does each part do? One part taken away, or put in, at a time; all else stays as it is.

    python experiments/ablations.py                 all rows, each two short runs: about an hour on one core
    python experiments/ablations.py parts norms     some of the groups, beside the rows that are there

    base        the network as it is
    parts       what attention and blocks are made of: the scale of the scores, heads, residual connections, norms,
                and how large the weights are at the start (19)
    norms       six blocks, post-norm against pre-norm, each with 100 steps of warm-up and with none
    positions   the four schemes. Windows four times as long as those of training are read by the same weights, where
                there is a position for every token (learned positions end with the window)
    bends       other functions between the two layers of the feed-forward network
    more        another norm, no biases, normalised queries and keys, tied weights
    training    other optimisers, windows that grow
    beyond      what goes beyond the plain architecture: sublayers that begin by adding nothing, extras.py

The network is that of `--preset quick`, on Tiny Shakespeare, one seed; each row with two learning rates, of which the
table shows both and the figure the better one. A "-" means that the loss was no number any more. Single runs: what is
closer together than two seeds of one row would be is no difference, and short runs say nothing of long ones.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from model import Block, TransformerConfig, TransformerLM
from short_run import new_model, parameters, shakespeare, train, windows_loss
from torch import nn

from shared.console import LearnerError, nearest, run
from shared.results import STARTED, Result, each_once
from shared.runs import machine
from shared.visualize import figure, save

RATES, LONGER, DEEP = (1e-3, 4e-3), 4, 6


class BlockWithoutResidual(Block):
    """A pre-norm block that puts out what its sublayers say, and forgets what came in."""

    def forward(self, x, state=None, causal=True, mask=None, rotation=None):
        seen, cache = self.attention(self.norm1(x), state, causal=causal, mask=mask, rotation=rotation)
        return self.dropout(self.feed_forward(self.norm2(self.dropout(seen)))), cache


def without_residual(model: TransformerLM) -> None:
    """Other blocks, as small at the start as before."""
    model.blocks = nn.ModuleList(BlockWithoutResidual(model.config) for _ in model.blocks)
    model.initialise()


def without_scale(model: TransformerLM) -> None:
    """Scores as the products come out: q . k."""
    for block in model.blocks:
        block.attention.scale = 1.0


GROUPS = {  # group -> row -> (changes to the settings, what is done to the new model)
    "base": {"as it is": ({}, None)},
    "parts": {
        "scores not scaled": ({}, without_scale),
        "one head": ({"num_heads": 1}, None),
        "no residual connections": ({}, without_residual),
        "no norms": ({"norm": "none"}, None),
        "no positions": ({"positions": "none"}, None),
        "smaller weights at the start": ({"init_std": 0.02}, None),
    },
    "norms": {
        f"{DEEP} blocks, {name}, warm-up of {warmup}": ({"num_layers": DEEP, "post_norm": post, "warmup": warmup}, None)
        for name, post in (("pre-norm", False), ("post-norm", True))
        for warmup in (100, 1)
    },
    "positions": {f"positions: {kind}": ({"positions": kind}, None) for kind in ("learned", "sinusoidal")},
    "bends": {
        "GELU by a tanh": ({"activation": "gelu_tanh"}, None),
        "ReLU": ({"activation": "relu"}, None),
        "squared ReLU": ({"activation": "squared_relu"}, None),
        "SwiGLU": ({"activation": "swiglu"}, None),
    },
    "more": {
        "RMSNorm": ({"norm": "rms"}, None),
        "no biases": ({"no_bias": True}, None),
        "queries and keys normalised": ({"qk_norm": True}, None),
        "tied": ({"tied": True}, None),
    },
    "training": {
        "Muon": ({"optimizer": "muon"}, None),
        "NorMuon": ({"optimizer": "normuon"}, None),
        "windows that grow, from 16": ({"grow_from": 16}, None),
    },
    "beyond": {
        "what is added is 0 at the start": ({"zero_init": True}, None),
        "bigram vectors": ({"bigrams": 5000}, None),
        "token shift": ({"token_shift": True}, None),
    },
}


def longer(model: TransformerLM, times: int) -> TransformerLM | None:
    """The same weights with a context_length so many times as long; None where positions are learned."""
    config: TransformerConfig = model.config
    if config.positions == "learned":
        return None
    other = TransformerLM(replace(config, context_length=times * config.context_length))
    other.load_state_dict(model.state_dict())
    return other


def measure(tokens, changes: dict, change_model, rate: float) -> tuple[TransformerLM, float, float]:
    """One run: the model, its validation loss, and that in longer windows; nan where there is none."""
    model = new_model(tokens, **changes)
    if change_model:
        change_model(model)
    losses = train(model, tokens, **changes, learning_rate=rate)
    if not math.isfinite(losses[-1]):
        return model, math.nan, math.nan
    other = longer(model, LONGER)
    return model, windows_loss(model, tokens.val), math.nan if other is None else windows_loss(other, tokens.val)


def draw(path, rows: list[tuple[str, float]]) -> None:
    """A dot for each row, and a line where the network as it is stands."""
    fig, ax = figure(7.0, 1.2 + 0.27 * len(rows))
    names, losses = zip(*rows, strict=True)
    ax.plot(losses, range(len(rows)), "o", color="#0072B2")
    if names[0] == "as it is":
        ax.axvline(losses[0], color="#555555", linestyle="--", linewidth=1)
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", color="#dddddd", linewidth=0.8)
    ax.set(title="One change at a time", xlabel="validation loss, nats per character (the better of two rates)")
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"some of {', '.join(GROUPS)} (default: all)")
    args = parser.parse_args()
    for name in args.groups:
        if name not in GROUPS:
            raise LearnerError(f"no group is called {name!r}:{nearest(name, GROUPS)}")
    tokens = shakespeare()
    columns = ["changed", "parameters", *[f"loss, nats, rate {rate:g}" for rate in RATES], "the better one"]
    result = Result(LESSON, "ablations", [*columns, f"{LONGER} times the window"], 1337)
    for group in args.groups or GROUPS:
        for name, (changes, change_model) in GROUPS[group].items():
            model, found, beyond = None, [], {}
            for rate in RATES:
                model, loss, long = measure(tokens, changes, change_model, rate)
                found.append(None if math.isnan(loss) else loss)
                beyond[found[-1]] = None if math.isnan(long) else long
            best = min((loss for loss in found if loss is not None), default=None)
            result.add(name, parameters(model), *found, best, beyond.get(best))
    about = machine() | {"minutes": (time.perf_counter() - STARTED) / 60}
    if args.groups and result.path().exists():  # minutes: of all that was run for it; what was done anew counts twice
        earlier = json.loads(result.path().read_text(encoding="utf-8"))
        about["minutes"] += earlier["minutes"]
        about["processor"] = each_once([*earlier["processor"].split(" and "), about["processor"]])
    result.add_earlier(name for group in GROUPS.values() for name in group)
    draw(result.path(".png"), [(row[0], math.nan if row[4] is None else row[4]) for row in result.rows])
    result.save(**about | {"minutes": round(about["minutes"], 2)}, rates=RATES, longer=LONGER)


if __name__ == "__main__":
    run(main)
