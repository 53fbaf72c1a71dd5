"""Talk to a trained n-gram model: python interactive.py. /state shows the counts behind the next token."""

import argparse
from pathlib import Path

from generate import LESSON, load
from smoothing import INTERPOLATES

from shared.console import run, sampling_flags, say
from shared.progress import record
from shared.repl import Repl, Session


def show_state(session: Session) -> None:
    """The contexts that the model looks up, longest first, and what followed each in the training text."""
    model, tokenizer = session.model, session.tokenizer
    wanted = model.config.order - 1
    context = session.sampler.state[0].tolist()
    say(f"  remembers up to {wanted} tokens: {' '.join(tokenizer.token_text(token) for token in context)}")
    found = model.continuations(context)
    if found and len(found[0][0]) < len(context):
        then = "it backs off" if model.config.smoothing in INTERPOLATES else "every token is as likely as the next"
        say(f"  {context_label(tokenizer, context)} never occurred in training: {then}")
    width = max(len(context_label(tokenizer, suffix)) for suffix, _ in found)
    for suffix, pairs in found:
        total = sum(count for _, count in pairs)
        top = "  ".join(f"{tokenizer.token_text(token)} {count:,}" for token, count in pairs[:5])
        more = f"  and {len(pairs) - 5:,} more" if len(pairs) > 5 else ""
        say(f"  {context_label(tokenizer, suffix):>{width}}  {total:>9,} times, then:  {top}{more}")


def context_label(tokenizer, token_ids: list[int]) -> str:
    """A context in quotes; the empty one is any text at all."""
    return repr(tokenizer.decode(token_ids)) if token_ids else "(any)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    session = Session(model, tokenizer, args.length, args.seed, temperature=args.temperature, top_k=args.top_k,
                      top_p=args.top_p, greedy=args.greedy, stateless=args.stateless)  # fmt: skip
    record("01 interactive")
    config = model.config
    Repl(session, show_state).run(f"{config.order}-gram, {config.smoothing}, {sum(config.sizes):,} distinct n-grams.")


if __name__ == "__main__":
    run(main)
