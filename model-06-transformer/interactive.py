"""Talk to a trained Transformer: python interactive.py. /state says what the cache of keys and values holds, /attention
LAYER HEAD draws where a head looks, /stateless on takes the cache away before every token."""

import argparse
import math
import shutil
import sys
from functools import partial
from pathlib import Path

import torch
from generate import LESSON, load
from torch import Tensor

from shared.console import LearnerError, run, sampling_flags, say
from shared.files import free_name, relative
from shared.progress import record
from shared.repl import Repl, Session
from shared.visualize import plot_attention

LIMITS = 0.02, 0.1, 0.25, 0.5  # weights at which a shade begins
IN_TERMINAL, IN_FIGURE = 32, 80  # the last tokens that are drawn


def show_state(session: Session) -> None:
    """How much is in the cache, what that costs, and what is not in it any more."""
    c, (*layers, window) = session.model.config, session.sampler.state
    parts = [part for layer in layers for part in layer]
    numbers, size = sum(part.numel() for part in parts), sum(part.nbytes for part in parts)
    held, text = window.shape[1], session.tokenizer.decode(window[0].tolist()).replace("\n", "⏎")
    gone, head_dim = len(session.token_ids) - held, c.embedding_dim // c.num_heads
    say(f"  in the cache: {held:,} of {c.context_length:,} tokens; {gone:,} before them are forgotten")
    say(f"  {c.num_layers} layer(s) x {c.num_heads} head(s), a key and a value of {head_dim} for each token")
    say(f"  {numbers:,} numbers, {size:,} bytes; one token more adds {2 * c.num_layers * c.embedding_dim:,} numbers")
    say(f"  it begins with: {text[:60]}")


@torch.no_grad()
def show_attention(session: Session, argument: str, folder: Path) -> None:
    """/attention LAYER HEAD: a head's weights over the last tokens, drawn here and saved as a figure in the folder."""
    session.need_text()
    c, token_ids = session.model.config, session.sampler.state[-1]
    try:
        layer, head = map(int, argument.split() or (1, 1))
    except ValueError:
        layer = head = 0
    if not (1 <= layer <= c.num_layers and 1 <= head <= c.num_heads):
        raise LearnerError(f"/attention needs a layer from 1 to {c.num_layers} and a head from 1 to {c.num_heads}")
    weights = session.model.attention_maps(token_ids)[0, layer - 1, head - 1]
    pieces = [session.tokenizer.token_text(token)[:12] for token in token_ids[0].tolist()]
    say(f"  layer {layer}, head {head}: each row is a token, and where it looks")
    draw(pieces, weights)
    path = free_name(folder / f"attention-layer-{layer}-head-{head}.png")
    pieces, weights = pieces[-IN_FIGURE:], weights[-IN_FIGURE:, -IN_FIGURE:]
    try:
        plot_attention(path, pieces, weights, f"Layer {layer}, head {head}: where each token looks")
    except OSError as error:
        raise LearnerError(f"cannot write the figure {relative(path)} ({error.strerror})") from error
    say(f"  figure: {relative(path)}")


def draw(pieces: list[str], weights: Tensor) -> None:
    """Weights (T, T) among the last tokens that fit, two characters wide each; the darker, the larger."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    coloured = console.color_system and not console.no_color
    shades = "·░▒▓█" if "utf" in (sys.stdout.encoding or "").lower() else ".:+*#"
    width = max(map(len, pieces[-IN_TERMINAL:]))
    count = max(1, min(IN_TERMINAL, len(pieces), (shutil.get_terminal_size().columns - width - 3) // 2))
    pieces, weights = pieces[-count:], weights[-count:, -count:]
    say(" " * (width + 3) + "".join(f"{piece[:2]:<2}" for piece in pieces))
    for place, (piece, row) in enumerate(zip(pieces, weights.tolist(), strict=True), start=1):
        line = Text(f"  {piece:>{width}} ")
        for weight in row[:place]:  # what comes later cannot be seen
            fade = round(255 * (1 - math.sqrt(min(1.0, weight))))
            shade = 2 * shades[sum(weight >= limit for limit in LIMITS)]
            line.append(*(("  ", f"on rgb(255,{fade},{fade})") if coloured else (shade,)))
        if coloured:
            console.print(line)
        else:
            say(line.plain)
    legend = ", ".join(f"{shade} from {limit:.0%}" for shade, limit in zip(shades[1:], LIMITS, strict=True))
    inside = weights.sum(dim=1).mean().item()
    say(f"  {'the redder, the more' if coloured else legend}; {inside:.0%} of all weight is on what is shown")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    session = Session(model, tokenizer, args.length, args.seed, temperature=args.temperature, top_k=args.top_k,
                      top_p=args.top_p, greedy=args.greedy, stateless=args.stateless)  # fmt: skip
    record("06 interactive")
    c, size = model.config, sum(p.numel() for p in model.parameters())
    attention = partial(show_attention, folder=args.checkpoint.resolve().parent)
    commands = {"/attention": ("LAYER HEAD: where that head looks, here and as a figure", attention)}
    name = f"Transformer, {c.num_layers} layer(s) of {c.embedding_dim} with {c.num_heads} head(s)"
    Repl(session, show_state, commands).run(f"{name}, {c.context_length} tokens, {size:,} parameters.")


if __name__ == "__main__":
    run(main)
