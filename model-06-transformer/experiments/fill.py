"""What is it worth to see both sides? Characters of Shakespeare's validation split, filled in and told from the left.

    python train.py;  python train_encoder.py           first, here
    python experiments/from_the_left.py                 first, in lessons 01 and 05
    python experiments/fill.py                          about 3 minutes on one core

For every model the loss in nats per character and how often the likeliest is the right one, over the whole split and at
10,000 places of it, evenly spread, the same for all. The encoder gets a window around the place, and every seventh
character is masked at a time, or just this one. The others read the text from its beginning and carry their state.

These are two different questions, and losses from both sides do not add up to that of a text. What can be compared is
what is known of the character at a place, with and without what follows it.
"""

import argparse
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from encoder import load_encoder
from generate import load
from torch import Tensor
from train_encoder import alone_scores, masked_scores, passes

from shared.console import LearnerError, run
from shared.data import load_corpus
from shared.from_the_left import COLUMNS, NAME, from_the_left, places_in, row_of, summed_up
from shared.results import Result, read_result
from shared.visualize import plot_bars

OTHERS = "model-01-ngram", "model-05-lstm"


def validation_ids(tokenizer, text: str, script: str) -> Tensor:
    """The characters of the validation split, for a model that this script trains."""
    if tokenizer.name != "char" or tokenizer.unknown(text):
        raise LearnerError(f"its checkpoint does not know Shakespeare's characters: train it again (python {script})")
    return torch.tensor(tokenizer.encode(text))


def rows_of_the_encoder(model, token_ids: Tensor) -> list[tuple]:
    """Masked as in training, and one at a time (that only at the places)."""
    losses, right = masked_scores(model, token_ids)
    places = places_in(len(token_ids))
    alone = summed_up(*alone_scores(model, token_ids, places))
    return [(f"encoder, 1 in {passes(model.config)} masked", *row_of(losses[1:], right[1:])),
            ("encoder, 1 masked", None, None, *alone)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    parser.add_argument("--encoder", type=Path, default=LESSON / "checkpoints" / "encoder" / "best.pt")
    args = parser.parse_args()
    text, earlier = load_corpus("shakespeare").val, [read_result(lesson, NAME) for lesson in OTHERS]
    (model, tokenizer), (encoder, encoders_tokenizer) = load(args.checkpoint), load_encoder(args.encoder)
    token_ids = validation_ids(tokenizer, text, "train.py")
    result = Result(LESSON, "fill", ["model", "sees", *COLUMNS[1:]])
    for before in earlier:
        for name, *cells in before["rows"]:
            result.add(name, "left", *cells)
    result.add("TransformerLM", "left", *row_of(*from_the_left(model, token_ids)))
    for name, *cells in rows_of_the_encoder(encoder, validation_ids(encoders_tokenizer, text, "train_encoder.py")):
        result.add(name, "both sides", *cells)
    bars = {row[0].replace(", ", "\n"): float(row[-1].rstrip("%")) / 100 for row in result.rows}
    plot_bars(result.path(".png"), bars, "One character of Shakespeare, from the left or from both sides", "",
              "share of characters told right")  # fmt: skip
    result.save(characters=len(token_ids), places=len(places_in(len(token_ids))))


if __name__ == "__main__":
    run(main)
