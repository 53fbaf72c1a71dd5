"""Fill in what is missing: each _ is a token that the encoder tells from both sides.

    python fill.py --text "To be, or not to b_"
    python fill.py                              whatever you type

Train it first: python train_encoder.py. Several _ are each told for themselves, from what is there.
"""

import argparse
from pathlib import Path

import torch
from encoder import LESSON, fill, load_encoder

from shared.console import LearnerError, nearest, positive_int, run, say
from shared.progress import record
from shared.repl import converse, encode_known

BLANK = "_"
HELP = {"/top N": "show so many for each _", "/help": "this list", "/quit": "leave (or Ctrl-D)"}


class Filler:
    """An encoder, its tokenizer, and how many of the likeliest tokens are shown for each _."""

    def __init__(self, model, tokenizer, top: int = 5):
        self.model, self.tokenizer, self.top = model, tokenizer, top

    def read(self, text: str) -> tuple[list[int], list[int]]:
        """The token ids of a text, and the places of its blanks. Unknown characters are left out, with a warning."""
        if BLANK not in text:
            raise LearnerError("put a _ where something is missing: To be, or not to b_")
        token_ids, places = [], []
        for number, piece in enumerate(text.replace("\\n", "\n").split(BLANK)):
            if number:
                places.append(len(token_ids))
                token_ids.append(self.model.mask_id)
            token_ids += encode_known(self.tokenizer, piece)
        return token_ids, places

    def show(self, text: str) -> None:
        """For each _ of a text a line with the likeliest tokens and their probabilities; then the text, filled in."""
        token_ids, places = self.read(text)
        probs = fill(self.model, torch.tensor(token_ids), torch.tensor(places)).exp()
        best = probs.topk(min(self.top, probs.shape[1]))
        for number, (values, tokens) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True), 1):
            pieces = (f"{self.tokenizer.token_text(i)} {p:.1%}" for i, p in zip(tokens, values, strict=True))
            say(f"  _ {number}   {'   '.join(pieces)}")
        for place, tokens in zip(places, best.indices.tolist(), strict=True):
            token_ids[place] = tokens[0]
        say(f"  {self.tokenizer.decode(token_ids)}")

    def answer(self, line: str) -> None:
        """Carry out a command, or fill in a text."""
        name, _, argument = line.strip().partition(" ")
        if not name.startswith("/"):
            self.show(line)
        elif name == "/help":
            for usage, help_line in HELP.items():
                say(f"  {usage:<8} {help_line}")
        elif name == "/top":
            try:
                self.top = positive_int(argument or str(self.top))
            except (ValueError, argparse.ArgumentTypeError) as error:
                raise LearnerError(f"/top needs a whole number above zero, not {argument!r}") from error
            say(f"  top {self.top}")
        else:
            names = [usage.split()[0] for usage in HELP]
            raise LearnerError(f"no command is called {name}:{nearest(name, names)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "encoder" / "best.pt")
    parser.add_argument("--text", help="what to fill in; \\n is a new line")
    parser.add_argument("--top", type=positive_int, default=5, help="show so many for each _ (%(default)s)")
    args = parser.parse_args()
    filler = Filler(*load_encoder(args.checkpoint), args.top)
    if args.text is not None:
        filler.show(args.text)
    else:
        c, size = filler.model.config, sum(p.numel() for p in filler.model.parameters())
        name = f"Encoder, {c.num_layers} layer(s) of {c.embedding_dim} with {c.num_heads} head(s)"
        converse([f"{name}, {c.context_length} tokens, {size:,} parameters.",
                  "Type a text with a _ wherever something is missing; it is filled in from both sides.",
                  "/help lists the commands."], filler.answer)  # fmt: skip
    record("06 fill")


if __name__ == "__main__":
    run(main)
