"""Talk to a trained GRU: python interactive.py. /state paints gates and hidden units over the text, /stateless on ruins
it, /compare TEXT goes on from a text twice, side by side: with the state carried, and with the state dropped."""

import argparse
import math
from pathlib import Path

import torch
from generate import LESSON, load

from shared.console import run, sampling_flags
from shared.progress import record
from shared.repl import Repl, Session, paint, paint_range


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
    Repl(session, show_state).run(f"GRU, {c.num_layers} layer(s) of {c.hidden_size}, {size:,} parameters.")


if __name__ == "__main__":
    run(main)
