"""Where does the Transformer overtake the LSTM of lesson 05? By more text, by more parameters, by what the text asks?

    python experiments/overtake.py                      all 20 runs, more than an hour on one core
    python experiments/overtake.py text parameters      these parts only, the others another time
    python experiments/overtake.py --steps 400          shorter runs

    text          Tiny Shakespeare: an eighth, a quarter, half of the training text, and all of it
    parameters    all of it, with a quarter and with four times the parameters
    fables        a sixteenth, a quarter of the built-in fables, and all of them; and four times as many

Both networks have about as many parameters, no dropout, and read the same number of characters in as many steps, 2,048
a step: 16 rows of 128, on fables 8 of 256, so that a window has room for what the text comes back to. Both are as in
their lesson's preset ladder but for the rate, which falls along a cosine. Each is evaluated six times on its way, over
the whole validation split as it is used, the LSTM's state carried, the Transformer's cache by its rule; its best loss
counts, for with little text it learns the text by heart afterwards. One seed.

A run that is finished lies in checkpoints/overtake/ and is not done again; the table has the pairs that are there.
"""

import argparse
import json
import time
from pathlib import Path

import short_run as transformer
import torch

from shared.console import LearnerError, duration, nearest, positive_int, run, say
from shared.data import fables
from shared.data.tokens import Tokens
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
ROWS = {"shakespeare": (16, 128, 1500), "fables": (8, 256, 4000)}  # rows, characters of each, steps
PARTS = {  # (corpus, share of its training text, size of the networks)
    "text": [("shakespeare", share, "medium") for share in (1 / 8, 1 / 4, 1 / 2, 1)],
    "parameters": [("shakespeare", 1, size) for size in ("small", "medium", "large")],
    "fables": [("fables", share, "medium") for share in (1 / 16, 1 / 4, 1, 4)],
}


def corpus(name: str, share: float) -> Tokens:
    """A corpus with the first part of its training text, or with more of it than it has: fables never end."""
    tokens = transformer.shakespeare(name)
    text = tokens.train[: round(share * len(tokens.train))]
    if share > 1:
        more = fables.draw_fables(1, round(share * len(tokens.train))).text  # the same ones, and more
        text = torch.tensor(tokens.tokenizer.encode(more))
    return tokens._replace(train=text)


def train_one(kind: str, name: str, share: float, size: str, steps: int) -> dict:
    """A run: [steps, validation loss in nats per character] of each evaluation, and the seconds of training."""
    lesson = transformer
    if kind == "LSTM":  # its code, and its settings, are lesson 05's
        lesson = load_module(find_lesson("lstm") / "experiments" / "short_run.py")
    rows, length, _ = ROWS[name]
    changes = ALIKE[kind] | NETWORKS[size][kind] | {"batch_size": rows, "steps": steps}
    changes |= {"chunk_length": length, "context_length": length}  # the LSTM has the first, the Transformer the second
    tokens, curve, seconds = corpus(name, share), [], 0.0
    model, start = lesson.new_model(tokens, **changes), time.perf_counter()

    def after_step(step: int) -> None:
        nonlocal seconds, start
        if step % max(1, steps // EVALUATIONS) == 0 or step == steps:
            seconds += time.perf_counter() - start
            curve.append([step, token_losses(model, tokens.val).mean().item()])
            start = time.perf_counter()

    lesson.train(model, tokens, after_step=after_step, **changes)
    return {"curve": curve, "seconds": seconds, "parameters": lesson.parameters(model), "characters": len(tokens.train),
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
        found = [pairs[case] for case in PARTS[part] if case in pairs]
        x = "parameters" if part == "parameters" else "characters"
        for kind, colour in zip(ALIKE, COLOURS, strict=False):
            ax.plot([pair[kind][x] for pair in found], [lowest(pair[kind]) for pair in found], "o-", color=colour,
                    label=kind)  # fmt: skip
        places = [pair["Transformer"][x] for pair in found]
        ax.set(xscale="log", title="fables" if part == "fables" else "Tiny Shakespeare",
               xlabel="parameters" if x == "parameters" else "characters of training text",
               ylabel=f"nats per character{', above the floor' if part == 'fables' else ''}")  # fmt: skip
        ax.set_xticks(places, [f"{place / 1000:,.0f}k" for place in places])
        ax.set_xticks([], minor=True)
        ax.legend(frameon=False)
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--steps", type=positive_int, help="of each run (1,500; on fables 4,000)")
    args = parser.parse_args()
    for part in args.parts:
        if part not in PARTS:
            raise LearnerError(f"no part is called {part!r}:{nearest(part, PARTS)}")
    folder, pairs = LESSON / "checkpoints" / "overtake", {}
    folder.mkdir(parents=True, exist_ok=True)
    for part, cases in PARTS.items():
        for name, share, size in cases:
            steps, pair = args.steps or ROWS[name][2], {}
            for kind in ALIKE:
                path = folder / f"{kind}-{name}-{share:g}-{size}-{steps}.json"
                if not path.exists() and part in (args.parts or PARTS):
                    found = train_one(kind, name, share, size, steps)
                    say(f"{kind} on {share:g} of {name}, {size}: {lowest(found):.4f}, {duration(found['seconds'])}")
                    write_json(path, found)
                if path.exists():
                    pair[kind] = json.loads(path.read_text(encoding="utf-8"))
            if len(pair) == len(ALIKE):
                pairs[name, share, size] = pair
    columns = ["corpus", "characters of text", "read", "parameters, LSTM", "and Transformer", "loss, LSTM",
               "and Transformer", "difference", "minutes, LSTM", "and Transformer"]  # fmt: skip
    result, minutes = Result(LESSON, "overtake", columns, transformer.SETTINGS["seed"]), 0.0
    for (name, _, _), pair in pairs.items():
        lstm, ours = pair["LSTM"], pair["Transformer"]
        rows, length, _ = ROWS[name]
        result.add(name, ours["characters"], ours["curve"][-1][0] * rows * length, lstm["parameters"],
                   ours["parameters"], lowest(lstm), lowest(ours), f"{lowest(ours) - lowest(lstm):+.4f}",
                   f"{lstm['seconds'] / 60:.1f}", f"{ours['seconds'] / 60:.1f}")  # fmt: skip
        minutes += (lstm["seconds"] + ours["seconds"]) / 60
    draw(result.path(".png"), pairs)
    result.save(minutes=round(minutes, 2))


if __name__ == "__main__":
    run(main)
