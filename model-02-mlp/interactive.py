"""Talk to a trained MLP: python interactive.py. /state shows its window, and what each token in it matters."""

import argparse
import math
from pathlib import Path

import torch
from generate import LESSON, load

from shared.console import run, sampling_flags, say
from shared.progress import record
from shared.repl import Repl, Session


@torch.no_grad()
def show_state(session: Session) -> None:
    """The window, newest token last; beside each token how far the prediction moves when it is hidden (KL, in bits)."""
    model, tokenizer = session.model, session.tokenizer
    window = session.sampler.state  # (1, <= context_length)
    before = torch.log_softmax(model(window)[0][0, -1], dim=-1)
    for place, token in enumerate(window[0].tolist()):
        hidden = window.clone()
        hidden[0, place] = model.config.vocab_size  # the row that stands for "before the text"
        after = torch.log_softmax(model(hidden)[0][0, -1], dim=-1)
        bits = float((before.exp() * (before - after)).sum()) / math.log(2)
        bar = "#" * round(8 * bits)
        say(f"  {place - window.shape[1] + 1:4}  {tokenizer.token_text(token):<6}  {bits:6.2f}  {bar}")
    say(f"  the last {model.config.context_length} tokens at most: nothing before them is known")


def show_neighbours(session: Session, argument: str) -> None:
    """/similar TOKEN: the tokens whose vectors lie closest, by cosine."""
    token_ids = session.tokenizer.encode(argument or "a")
    vectors = torch.nn.functional.normalize(session.model.embedding.weight[:-1], dim=1)
    cosine = vectors @ vectors[token_ids[0]]
    for value, token in zip(*(part.tolist() for part in cosine.topk(min(9, len(cosine)))), strict=True):
        say(f"  {session.tokenizer.token_text(token):<10} {value:5.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    session = Session(model, tokenizer, args.length, args.seed, temperature=args.temperature, top_k=args.top_k,
                      top_p=args.top_p, greedy=args.greedy, stateless=args.stateless)  # fmt: skip
    record("02 interactive")
    c, commands = model.config, {"/similar": ("tokens with similar vectors: /similar a", show_neighbours)}
    Repl(session, show_state, commands).run(
        f"MLP over {c.context_length} tokens, {sum(p.numel() for p in model.parameters()):,} parameters."
    )


if __name__ == "__main__":
    run(main)
