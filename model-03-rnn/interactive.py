"""Talk to a trained RNN: python interactive.py. /state paints hidden units over the text, /stateless on ruins it."""

import argparse
from pathlib import Path

import torch
from generate import LESSON, load

from shared.console import run, sampling_flags
from shared.progress import record
from shared.repl import Repl, Session, paint


@torch.no_grad()
def show_state(session: Session, characters: int = 150, units: int = 6) -> None:
    """The units of the top layer that move most, painted over the end of the text: red is +1, blue is -1."""
    token_ids, state, hidden = session.token_ids[-characters:], None, []
    for token in token_ids:  # read again, one token at a time, to see h at each
        _, state = session.model(torch.tensor([[token]]), None if session.settings.get("stateless") else state)
        hidden.append(state[-1][0])
    hidden = torch.stack(hidden)  # (tokens, H)
    pieces = [session.tokenizer.token_text(token) for token in token_ids]
    for unit in hidden.std(dim=0).argsort(descending=True)[:units].tolist():
        paint(f"unit {unit}", pieces, hidden[:, unit].tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    session = Session(model, tokenizer, args.length, args.seed, temperature=args.temperature, top_k=args.top_k,
                      top_p=args.top_p, greedy=args.greedy, stateless=args.stateless)  # fmt: skip
    record("03 interactive")
    c, size = model.config, sum(p.numel() for p in model.parameters())
    Repl(session, show_state).run(f"RNN, {c.num_layers} layer(s) of {c.hidden_size}, {size:,} parameters.")


if __name__ == "__main__":
    run(main)
