"""Where does the Transformer overtake the LSTM of lesson 05? By more text, by more parameters, by more reading?

    python experiments/overtake.py                      all 18 runs, three quarters of an hour on one core
    python experiments/overtake.py text parameters      these parts only, the others another time
    python experiments/overtake.py --factor 0.1         a tenth of the steps

    text          Tiny Shakespeare: an eighth, a quarter, half of the training text, and all of it
    parameters    all of it, with a quarter of the parameters, and with four times as many
    reading       fables, where one must look back: 2 million characters read, 4 and 8

Both networks have about as many parameters, no dropout, and read the same number of characters in as many steps, 2,048
a step: 16 rows of 128, on fables 8 of 256. The pair in the middle is as large as the ladder's networks. Each size has
one learning rate, below, which falls along a cosine; all else is as in the short_run.py of the lesson. Each network is
evaluated six times on its way, over the whole validation split as it is used, the LSTM's state carried, the
Transformer's cache by its rule; its best loss counts, for with little text it learns the text by heart afterwards. One
seed.

A run that is finished lies in checkpoints/overtake/ and is not done again; the table has the pairs that are there.
"""

import argparse
import json
import time
from pathlib import Path

import short_run as transformer

from shared.console import LearnerError, duration, nearest, positive_float, run, say
from shared.evaluation import token_losses
from shared.files import write_json
from shared.lessons import find_lesson
from shared.lessons import load as load_module
from shared.results import Result
from shared.visualize import COLOURS, figure, save

LESSON, EVALUATIONS = transformer.LESSON, 6
NETWORKS = {  # what changes in the SETTINGS of the lesson's short_run.py
    "small": {
        "LSTM": {"embedding_dim": 64, "hidden_size": 58, "learning_rate": 1.2e-2},
        "Transformer": {"embedding_dim": 48, "num_layers": 2, "learning_rate": 6e-3},
    },
    "medium": {
        "LSTM": {"embedding_dim": 128, "hidden_size": 120, "learning_rate": 8e-3},
        "Transformer": {"embedding_dim": 80, "num_layers": 3, "learning_rate": 4e-3},
    },
    "large": {
        "LSTM": {"embedding_dim": 256, "hidden_size": 244, "learning_rate": 6e-3},
        "Transformer": {"embedding_dim": 144, "num_layers": 4, "learning_rate": 3e-3},
    },
}
ALIKE = {"LSTM": {"num_layers": 2}, "Transformer": {"num_heads": 4, "init_std": 0.1}}
ROWS = {"shakespeare": (16, 128), "fables": (8, 256)}  # rows of a step, characters of each
PARTS = {  # (corpus, share of its training text, size of the networks, steps)
    "text": [("shakespeare", share, "medium", 1500) for share in (1 / 8, 1 / 4, 1 / 2, 1)],
    "parameters": [("shakespeare", 1, size, 1500) for size in ("small", "medium", "large")],
    "reading": [("fables", 1, "medium", steps) for steps in (1000, 2000, 4000)],
}
PANELS = {  # title, what lies along the x axis, and its name
    "text": ("Tiny Shakespeare", "characters", "characters of training text"),
    "parameters": ("Tiny Shakespeare", "parameters", "parameters"),
    "reading": ("fables", "read", "characters read"),
}


def train_one(kind: str, name: str, share: float, size: str, steps: int) -> dict:
    """A run: [steps, validation loss in nats per character] of each evaluation, and the seconds of training."""
    lesson = transformer
    if kind == "LSTM":  # its code, and its settings, are lesson 05's
        lesson = load_module(find_lesson("lstm") / "experiments" / "short_run.py")
    rows, length = ROWS[name]
    changes = ALIKE[kind] | NETWORKS[size][kind] | {"batch_size": rows, "steps": steps}
    changes |= {"chunk_length": length, "context_length": length}  # the LSTM has the first, the Transformer the second
    tokens, curve, seconds = transformer.in_characters(name), [], 0.0
    tokens = tokens._replace(train=tokens.train[: round(share * len(tokens.train))])
    model, start = lesson.new_model(tokens, **changes), time.perf_counter()

    def after_step(step: int) -> None:
        nonlocal seconds, start
        if step % max(1, steps // EVALUATIONS) == 0 or step == steps:
            seconds += time.perf_counter() - start
            curve.append([step, token_losses(model, tokens.val).mean().item()])
            start = time.perf_counter()

    lesson.train(model, tokens, after_step=after_step, **changes)
    return {"curve": curve, "seconds": seconds, "read": curve[-1][0] * rows * length,
            "parameters": lesson.parameters(model), "characters": len(tokens.train),
            "floor": tokens.corpus.floor and tokens.corpus.floor["val"]}  # fmt: skip


def lowest(found: dict) -> float:
    """The best validation loss of a run on its way; on fables, above their floor."""
    return min(loss for _, loss in found["curve"]) - (found["floor"] or 0.0)


def draw(path: Path, pairs: dict[tuple, dict]) -> None:
    """A panel for each part that has several pairs."""
    parts = [part for part, cases in PARTS.items() if sum(case in pairs for case in cases) > 1]
    if not parts:
        return
    fig, axes = figure(3.7 * len(parts), 3.8, panels=len(parts))
    for ax, part in zip([axes] if len(parts) == 1 else axes, parts, strict=True):
        (title, x, label), found = PANELS[part], [pairs[case] for case in PARTS[part] if case in pairs]
        for kind, colour in zip(ALIKE, COLOURS, strict=False):
            ax.plot([pair[kind][x] for pair in found], [lowest(pair[kind]) for pair in found], "o-", color=colour,
                    label=kind)  # fmt: skip
        above = ", above the floor" if part == "reading" else ""
        places = [pair["Transformer"][x] for pair in found]
        ax.set(xscale="log", title=title, xlabel=label, ylabel=f"nats per character{above}")
        ax.set_xticks(places, [f"{place / 1000:,.0f}k" for place in places])
        ax.set_xticks([], minor=True)
        ax.legend(frameon=False)
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--factor", type=positive_float, default=1.0, help="of the steps of each run (%(default)s)")
    args = parser.parse_args()
    for part in args.parts:
        if part not in PARTS:
            raise LearnerError(f"no part is called {part!r}:{nearest(part, PARTS)}")
    folder, pairs = LESSON / "checkpoints" / "overtake", {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, cases in PARTS.items():
        for name, share, size, full in cases:
            steps, pair = max(1, round(args.factor * full)), {}
            for kind in ALIKE:
                path = folder / f"{kind}-{name}-{share:g}-{size}-{steps}.json"
                if not path.exists() and part in (args.parts or PARTS):
                    found = train_one(kind, name, share, size, steps)
                    about = f"{kind}, {size}, {share:g} of {name}, {steps} steps"
                    say(f"{about}: {lowest(found):.4f}, {duration(found['seconds'])}")
                    write_json(path, found)
                if path.exists():
                    pair[kind] = json.loads(path.read_text(encoding="utf-8"))
            if len(pair) == len(ALIKE):
                pairs[name, share, size, full] = pair
    columns = ["corpus", "characters of text", "read", "LSTM, parameters", "Transformer, parameters", "LSTM, nats",
               "Transformer, nats", "difference", "LSTM, minutes", "Transformer, minutes"]  # fmt: skip
    result, minutes = Result(LESSON, "overtake", columns, transformer.SETTINGS["seed"]), 0.0
    for (name, *_), pair in pairs.items():
        lstm, ours = pair["LSTM"], pair["Transformer"]
        result.add(name, ours["characters"], ours["read"], lstm["parameters"], ours["parameters"], lowest(lstm),
                   lowest(ours), f"{lowest(ours) - lowest(lstm):+.4f}", f"{lstm['seconds'] / 60:.1f}",
                   f"{ours['seconds'] / 60:.1f}")  # fmt: skip
        minutes += (lstm["seconds"] + ours["seconds"]) / 60
    draw(result.path(".png"), pairs)
    result.save(minutes=round(minutes, 2))


if __name__ == "__main__":
    run(main)
