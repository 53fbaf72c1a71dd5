"""Loss against parameters, data and compute: how does it fall, and is that a power law?

    python experiments/scaling.py                 all runs, about half an hour on one core
    python experiments/scaling.py 1x32 2x40       these networks only; the others another time
    python experiments/scaling.py data            only the runs on less text
    python experiments/scaling.py --steps 1200    longer runs

A run that is finished lies in checkpoints/scaling/ and is not done again. Once all are there, the figure is drawn and
the laws are fitted.

    parameters    five networks, blocks of 12,700 to 1.5 million parameters, each read equally many characters
    data          the largest on the first 1/8, 1/4, 1/2 of the training text and on all of it, for equally many steps;
                  what counts is its best validation loss on the way, before it has learnt the little text by heart
    compute       the same runs on all of the text, on their way: the lowest loss that so many operations have reached

Assumed: Tiny Shakespeare, windows of 128 characters, no dropout, one seed; each network with the better of two learning
rates. The rate falls with 1/sqrt(step) and knows nothing of the end, so that every point of a curve is what a run of
that length gives (Hoffmann et al. 2022, section 3.1: with a schedule made for a longer run it would look too bad).
Parameters are those of the blocks, as Kaplan et al. (2020) count; operations are (31) in docs/math/06-transformer.md,
with attention and lm_head, which in networks as small as these are no small part.

Fitted: L = a x^-b, as Kaplan et al. do, and L = L_inf + a x^-b, as Hoffmann et al. do, by least squares of the loss.
Five points fix three constants badly: see how b moves when one point is left out. The published laws are of other text,
in other tokens, so a and L_inf do not compare; exponents may, with care.
"""

import argparse
import json
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
from cost_of_gpt2 import Size, operations
from short_run import CPU, LESSON, SETTINGS, new_model, shakespeare, windows_loss
from train import make_optimizer, share_of_rate, train_step

from shared.console import LearnerError, duration, nearest, positive_int, run, say
from shared.data.batching import RandomWindows
from shared.data.tokens import Tokens
from shared.files import write_json
from shared.results import Result
from shared.visualize import COLOURS, figure, save

NETWORKS = {"1x32": (1, 32, 2), "2x40": (2, 40, 2), "3x60": (3, 60, 3), "3x112": (3, 112, 4), "4x176": (4, 176, 8)}
LARGEST, SHARES, RATES = "4x176", (1 / 8, 1 / 4, 1 / 2), (2e-3, 5e-3)
BASE = SETTINGS | {"batch_size": 16, "context_length": 128, "decay": "inverse_sqrt", "warmup": 50}
PUBLISHED = {  # exponents: Kaplan et al. 2020, equations 1.1 to 1.3; Hoffmann et al. 2022, equation 10
    "parameters": (0.076, 0.34),
    "data": (0.095, 0.28),
    "compute": (0.050, round(0.34 * 0.28 / (0.34 + 0.28), 3)),  # with N and D chosen for the least loss
}


def places(steps: int) -> list[int]:
    """The steps after which a run is evaluated: each a quarter later than the one before, from an eighth to the end."""
    return sorted({round(steps * 2 ** (-k / 3)) for k in range(10)} - {0})


def train_one(tokens: Tokens, network: str, share: float, rate: float, steps: int) -> dict:
    """A run: its curve, [characters read, operations, validation loss (nats per character)] for each evaluation."""
    (layers, width, heads), vocab_size = NETWORKS[network], tokens.tokenizer.vocab_size
    settings = BASE | {"num_layers": layers, "embedding_dim": width, "num_heads": heads}
    args = Namespace(**settings | {"learning_rate": rate, "steps": steps})
    model, start, curve = new_model(tokens, **settings), time.perf_counter(), []
    text = tokens.train[: int(share * len(tokens.train))]
    loader = RandomWindows(text, args.batch_size, args.context_length, args.seed)
    optimizer, size = make_optimizer(model, args), Size(layers, width, heads, args.context_length, vocab_size)
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * share_of_rate(step, args)
        train_step(model, optimizer, next(loader), 1, args.clip, args.label_smoothing, CPU, "float32")
        if step + 1 in places(steps):
            read = (step + 1) * args.batch_size * args.context_length
            curve.append([read, read * operations(size), windows_loss(model, tokens.val)])
    blocks = sum(parameter.numel() for parameter in model.blocks.parameters())
    return {"network": network, "blocks": blocks, "characters": len(text), "rate": rate, "curve": curve,
            "seconds": time.perf_counter() - start}  # fmt: skip


def lowest(found: dict) -> float:
    """The best validation loss of a run on its way."""
    return min(loss for _, _, loss in found["curve"])


def frontier(runs: list[dict]) -> list[tuple[float, float]]:
    """(operations, loss) of the points of all curves at which fewer operations never gave as low a loss."""
    points, best = [], float("inf")
    for spent, loss in sorted((spent, loss) for found in runs for _, spent, loss in found["curve"]):
        if loss < best:
            points.append((spent, loss))
            best = loss
    return points


def power_law(points: list[tuple[float, float]], limit: bool) -> tuple[float, float, float]:
    """L_inf, a, b of the L = L_inf + a x^-b nearest to points (x, L), by least squares; L_inf is 0 without a limit.

    For each b the other two follow from a straight line through (x^-b, L), so only b is searched for, from 0.001 to 3.
    L_inf is not below 0.
    """
    x, y = np.array(points).T
    middle, low, high = np.exp(np.log(x).mean()), 0.001, 3.0
    for _ in range(6):  # a hundred values of b at once, each time from a narrower stretch around the best
        b = np.geomspace(low, high, 100)
        powers = (x / middle) ** -b[:, None]
        a, floor = powers @ y / (powers**2).sum(axis=1), np.zeros_like(b)
        if limit:
            mean = powers.mean(axis=1)
            slope = (powers - mean[:, None]) @ y / ((powers - mean[:, None]) ** 2).sum(axis=1)
            a, floor = np.where(y.mean() > slope * mean, [slope, y.mean() - slope * mean], [a, floor])
        best = ((floor[:, None] + a[:, None] * powers - y) ** 2).sum(axis=1).argmin()
        low, high = b[max(0, best - 1)], b[min(99, best + 1)]
    return float(floor[best]), float(a[best] * middle ** b[best]), float(b[best])


def spread(points: list[tuple[float, float]], limit: bool) -> tuple[float, float]:
    """The lowest and the highest b when one of the points is left out."""
    found = [power_law(points[:i] + points[i + 1 :], limit)[2] for i in range(len(points))]
    return min(found), max(found)


def draw(path: Path, series: dict[str, list], laws: dict[str, list], curves: list[dict]) -> None:
    """Three panels: points and both laws; behind the third the curves of all runs."""
    labels = {"parameters": "parameters of the blocks", "data": "characters of training text",
              "compute": "operations of training"}  # fmt: skip
    fig, axes = figure(11.0, 3.8, panels=3)
    for ax, (name, points) in zip(axes, series.items(), strict=True):
        if name == "compute":
            for found in curves:
                ax.plot(*zip(*[(spent, loss) for _, spent, loss in found["curve"]], strict=True), color="#bbbbbb")
        x, y = zip(*points, strict=True)
        ax.plot(x, y, "o", color=COLOURS[0], markersize=4)
        line = np.geomspace(min(x), max(x), 50)
        for (floor, a, b), style, text in zip(laws[name], ("--", "-"), ("a x^-b", "L_inf + a x^-b"), strict=True):
            ax.plot(line, floor + a * line**-b, style, color=COLOURS[1], label=f"{text}, b = {b:.3f}", linewidth=1)
        ax.set(xscale="log", yscale="log", xlabel=labels[name])
        ticks = [value for value in np.arange(1.0, 4.0, 0.1) if min(y) - 0.1 < value < max(y) + 0.1]
        ax.set_yticks(ticks, [f"{value:.1f}" for value in ticks])
        ax.set_yticks([], minor=True)
        if len(x) <= len(NETWORKS):  # few enough to be named
            ax.set_xticks(x, [f"{value / 1000:,.0f}k" for value in x])
            ax.set_xticks([], minor=True)
        ax.legend(frameon=False)
    axes[0].set_ylabel("validation loss, nats per character")
    save(fig, path)


def write(whole: dict[str, list[dict]], less: list[dict]) -> None:
    """Both tables and the figure, from the runs on all of the text (by network, a run for each rate) and on parts."""
    better = [min(runs, key=lowest) for runs in whole.values()]
    every = [found for runs in whole.values() for found in runs]
    minutes = round(sum(found["seconds"] for found in (*every, *less)) / 60, 2)
    columns = ["network", "parameters of the blocks", "characters of text", "read", "operations", "rate",
               "best loss, nats per character", "at the other rate", "minutes"]  # fmt: skip
    result = Result(LESSON, "scaling", columns, BASE["seed"])
    for found in (*better, *less):
        other = [lowest(run) for run in whole[found["network"]] if found in better and run["rate"] != found["rate"]]
        read, spent, _ = found["curve"][-1]
        result.add(found["network"], found["blocks"], found["characters"], read, f"{spent:.1e}", f"{found['rate']:g}",
                   lowest(found), *(other or [None]), f"{found['seconds'] / 60:.1f}")  # fmt: skip
    series = {
        "parameters": [(found["blocks"], lowest(found)) for found in better],
        "data": [(found["characters"], lowest(found)) for found in (*less, min(whole[LARGEST], key=lowest))],
        "compute": frontier(every),
    }
    result.save(minutes=minutes, points=series)

    columns = ["loss against", "points", "L_inf", "a", "b", "b with one point left out", "published b", "by"]
    result, laws = Result(LESSON, "scaling_laws", columns, BASE["seed"]), {}
    for name, points in series.items():
        laws[name] = [power_law(points, limit) for limit in (False, True)]
        for limit, by in enumerate(("Kaplan et al. 2020", "Hoffmann et al. 2022")):
            (floor, a, b), (low, high) = laws[name][limit], spread(points, bool(limit))
            result.add(name, len(points), floor if limit else None, f"{a:.3g}", f"{b:.3f}", f"{low:.3f} to {high:.3f}",
                       f"{PUBLISHED[name][limit]:.3g}", by)  # fmt: skip
    draw(LESSON / "results" / "scaling.png", series, laws, every)
    result.save(minutes=minutes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NETWORKS)}, data (default: all)")
    parser.add_argument("--steps", type=positive_int, default=600, help="of each run (%(default)s)")
    args = parser.parse_args()
    for name in args.names:
        if name not in (*NETWORKS, "data"):
            raise LearnerError(f"no network is called {name!r}:{nearest(name, [*NETWORKS, 'data'])}")
    tokens, folder, missing = shakespeare(), LESSON / "checkpoints" / "scaling", []
    folder.mkdir(parents=True, exist_ok=True)

    def of_run(name: str, network: str, share: float, rate: float) -> dict | None:
        """A finished run, done now if its name was asked for; else None."""
        path = folder / f"{network}-{share:g}-{rate:g}-{args.steps}.json"
        if not path.exists():
            if args.names and name not in args.names:
                missing.append(name)
                return None
            found = train_one(tokens, network, share, rate, args.steps)
            say(f"{network} on {share:g} of the text, rate {rate:g}: {lowest(found):.4f}, {duration(found['seconds'])}")
            write_json(path, found)
        return json.loads(path.read_text(encoding="utf-8"))

    whole, less = {network: [of_run(network, network, 1, rate) for rate in RATES] for network in NETWORKS}, []
    if None in whole[LARGEST]:  # its better rate is not known yet
        missing.append("data")
    else:
        rate = min(whole[LARGEST], key=lowest)["rate"]
        less = [of_run("data", LARGEST, share, rate) for share in SHARES]
    if missing:
        say(f"still to be done: python experiments/scaling.py {' '.join(dict.fromkeys(missing))}")
    else:
        write(whole, less)


if __name__ == "__main__":
    run(main)
