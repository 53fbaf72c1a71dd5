"""Talk to a trained LSTM: python interactive.py. /state paints gates and cells over the text, /stateless on ruins it,
/compare TEXT goes on from a text twice, side by side: with the state carried, and with the state dropped. A model with
attention (train_attention.py) also shows where its newest token looks."""

import argparse
import math
from itertools import repeat
from pathlib import Path

import torch
from generate import LESSON, load

from shared.console import run, sampling_flags
from shared.progress import record
from shared.repl import Repl, Session, paint_range


@torch.no_grad()
def show_state(session: Session, width: int = 70, movers: int = 3) -> None:
    """The end of the text, painted: each layer's gates (mean over its units) and the cell of the unit that keeps
    longest; of the top layer also the cells that move most. With attention: where the newest token looks."""
    model, tokenizer, stateless = session.model, session.tokenizer, session.settings.get("stateless")
    pieces = [tokenizer.token_text(token) for token in session.token_ids[-width:]]
    while len(pieces) > 1 and sum(map(len, pieces)) > width:
        pieces.pop(0)
    token_ids = torch.tensor([session.token_ids])
    earlier, token_ids = token_ids[:, : -len(pieces)], token_ids[:, -len(pieces) :]
    state = model(earlier)[1] if earlier.numel() and not stateless else None
    hidden = model.embedding(token_ids.t() if stateless else token_ids)  # stateless: each token is a text of its own
    for number, (layer, h_c) in enumerate(zip(model.layers, state or repeat(None), strict=False), start=1):
        *gates, cells, outputs = layer.gates(hidden, h_c)
        hidden = hidden + outputs if model.config.residual and number > 1 else outputs
        write, keep, show, cells = (part.flatten(0, 1) for part in (*gates, cells))  # (tokens, H)
        paint_range(f"layer {number}, forget gate: share of c kept,", pieces, keep.mean(dim=1))
        paint_range(f"layer {number}, input gate: share of the candidate written,", pieces, write.mean(dim=1))
        paint_range(f"layer {number}, output gate: share of c shown,", pieces, show.mean(dim=1))
        half_life = math.log(2) / -keep.clamp(1e-9, 1 - 1e-6).log().mean(dim=0)  # (H,): a product of f halves in it
        unit = int(half_life.argmax())
        name = f"layer {number}, unit {unit} keeps longest: half is left after {half_life[unit]:,.1f} tokens, c"
        paint_range(name, pieces, cells[:, unit])
    for unit in cells.std(dim=0, correction=0).argsort(descending=True)[:movers].tolist():
        paint_range(f"layer {number}, unit {unit} moves much, c", pieces, cells[:, unit])
    if hasattr(model, "attention"):
        weights = torch.zeros(len(pieces)) if stateless else model.look(token_ids, state)[0, -1, -len(pieces) :]
        name = f"where the newest token looks, {weights.sum():.0%} of it at what is shown: weight"
        paint_range(name, pieces, weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    session = Session(model, tokenizer, args.length, args.seed, temperature=args.temperature, top_k=args.top_k,
                      top_p=args.top_p, greedy=args.greedy, stateless=args.stateless)  # fmt: skip
    record("05 interactive")
    c, size = model.config, sum(p.numel() for p in model.parameters())
    name = f"LSTM with {c.attention} attention" if hasattr(model, "attention") else "LSTM"
    Repl(session, show_state).run(f"{name}, {c.num_layers} layer(s) of {c.hidden_size}, {size:,} parameters.")


if __name__ == "__main__":
    run(main)
