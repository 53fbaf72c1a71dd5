"""Talk to a trained GRU: python interactive.py. /state paints gates and hidden units over the text, /stateless on ruins
it, /compare TEXT goes on from a text twice, side by side: with the state carried, and with the state dropped."""

import argparse
import math
import shutil
from itertools import chain, zip_longest
from pathlib import Path

import torch
from generate import LESSON, load

from shared.console import LearnerError, run, sampling_flags, say, warn
from shared.progress import record
from shared.repl import SETTINGS, Repl, Session, paint, switch
from shared.sampling import Sampler, generate
from shared.tokenizers import keep_known, stream_text


def paint_range(name: str, pieces: list[str], values: torch.Tensor) -> None:
    """Values over the text, from the lowest that occurs there (blue, --) to the highest (red, ++)."""
    low, high = values.min().item(), values.max().item()
    middle, half = (low + high) / 2, max((high - low) / 2, 1e-6)
    paint(f"{name} from {low:.2f} (blue, -) to {high:.2f} (red, +)", pieces, ((values - middle) / half).tolist())


@torch.no_grad()
def show_state(session: Session, width: int = 70, movers: int = 3) -> None:
    """The end of the text, painted: each layer's gates (mean over its units) and h of the unit that keeps longest; of
    the top layer also h of the units that move most."""
    model, tokenizer, stateless = session.model, session.tokenizer, session.settings.get("stateless")
    pieces = [tokenizer.token_text(token) for token in session.token_ids[-width:]]
    while len(pieces) > 1 and sum(map(len, pieces)) > width:
        pieces.pop(0)
    token_ids = torch.tensor([session.token_ids])
    earlier, token_ids = token_ids[:, : -len(pieces)], token_ids[:, -len(pieces) :]
    state = model(earlier)[1] if earlier.numel() and not stateless else [None] * len(model.layers)
    hidden = model.embedding(token_ids.t() if stateless else token_ids)  # stateless: each token is a text of its own
    for number, (layer, h) in enumerate(zip(model.layers, state, strict=True), start=1):
        reset, update, outputs = layer.gates(hidden, h)
        hidden = hidden + outputs if model.config.residual and hidden.shape == outputs.shape else outputs
        reset, update, outputs = reset.flatten(0, 1), update.flatten(0, 1), outputs.flatten(0, 1)  # (tokens, H)
        paint_range(f"layer {number}, update gate: share of h kept,", pieces, update.mean(dim=1))
        paint_range(f"layer {number}, reset gate: share of h looked at,", pieces, reset.mean(dim=1))
        half_life = math.log(2) / -update.clamp(1e-9, 1 - 1e-6).log().mean(dim=0)  # (H,): a product of z halves in it
        unit = int(half_life.argmax())
        name = f"layer {number}, unit {unit} keeps longest: half is left after {half_life[unit]:,.1f} tokens, h"
        paint_range(name, pieces, outputs[:, unit])
    for unit in outputs.std(dim=0, correction=0).argsort(descending=True)[:movers].tolist():
        name = f"layer {number}, unit {unit} moves much, h from -1 (blue, -) to +1 (red, +)"
        paint(name, pieces, outputs[:, unit].tolist())


def switch_stateless(session: Session, argument: str) -> None:
    """In the middle of a text. Off: the text so far is read once more, so that it goes on as if never switched on."""
    if argument:
        on = switch(argument, "/stateless")
        if session.settings.get("stateless") and not on and session.token_ids:
            sampler = Sampler(session.model, generator=session.generator, **session.settings | {"stateless": False})
            sampler.read(session.token_ids)
            session.sampler = sampler
        session.change(stateless=on)
    say(f"  stateless {SETTINGS['/stateless'](session)}")


def wrapped(pieces, width: int):
    """The lines of a text that comes in pieces, each as soon as it is whole; a long one is broken at a space."""
    line = ""
    for character in chain.from_iterable(pieces):
        if character == "\n":
            yield line
            line = ""
            continue
        line += " " if character.isspace() else character
        if len(line) > width:
            head, _, tail = line.rpartition(" ")
            head, tail = (head, tail) if head else (line[:width], line[width:])
            yield head
            line = tail
    yield line


def compare(session: Session, argument: str) -> None:
    """One text, one seed, two ways to go on: the state carried, and dropped before every token but the first.

    The text and the random numbers of the session itself stay as they are.
    """
    text, unknown = keep_known(session.tokenizer, argument.replace("\\n", "\n"))
    if unknown:
        warn(f"the model never saw {' '.join(map(repr, unknown))}: left out")
    token_ids = session.tokenizer.encode(text) if text else []
    if not token_ids:
        raise LearnerError("/compare needs a text to go on from: /compare ROMEO:")
    width, columns = (max(40, shutil.get_terminal_size().columns) - 3) // 2, []  # 80 columns where there is no terminal
    for stateless in (False, True):
        generator = torch.Generator().manual_seed(session.generator.initial_seed())
        settings = session.settings | {"stateless": stateless, "generator": generator}
        drawn = generate(session.model, token_ids, session.length, **settings)
        columns.append(wrapped(chain([text], stream_text(session.tokenizer, drawn, token_ids[-1])), width))
    say(f"{'state carried':<{width}} | state dropped")
    for left, right in zip_longest(*columns, fillvalue=""):
        say(f"{left:<{width}} | {right}")


COMMANDS = {
    "/compare": ("TEXT: go on from it twice, state carried and dropped", compare),
    "/stateless": ("on|off: forget before every token; off reads all again", switch_stateless),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    session = Session(model, tokenizer, args.length, args.seed, temperature=args.temperature, top_k=args.top_k,
                      top_p=args.top_p, greedy=args.greedy, stateless=args.stateless)  # fmt: skip
    record("04 interactive")
    c, size = model.config, sum(p.numel() for p in model.parameters())
    Repl(session, show_state, COMMANDS).run(f"GRU, {c.num_layers} layer(s) of {c.hidden_size}, {size:,} parameters.")


if __name__ == "__main__":
    run(main)
