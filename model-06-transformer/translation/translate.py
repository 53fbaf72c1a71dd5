"""Translate with a trained model, and see where its decoder looked: the weights of the cross-attention.

    python translate.py "a sentence"            one sentence
    python translate.py --file sentences.txt    a file, one sentence a line; only the translations are printed
    python translate.py                         whatever you type
    python translate.py "a sentence" --layer 1 --head 3
"""

import argparse
from pathlib import Path

from encoder_decoder import EncoderDecoder, EncoderDecoderConfig

from shared.console import LearnerError, positive_int, run
from shared.progress import record
from shared.translation import answer, load_translator, sentence_flags

FOLDER = Path(__file__).resolve().parent


def load(path: Path):
    """The model, its languages, and the checkpoint, from a run folder's file."""
    return load_translator(path, FOLDER, EncoderDecoder, EncoderDecoderConfig)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sentence_flags(parser, FOLDER)
    parser.add_argument("--layer", type=positive_int, help="whose weights are drawn (the last one's)")
    parser.add_argument("--head", type=positive_int, help="of that layer (the mean of all its heads)")
    args = parser.parse_args()
    model, languages, _ = load(args.checkpoint)
    for flag, most in (("layer", model.config.num_layers), ("head", model.config.num_heads)):
        if (getattr(args, flag) or 1) > most:
            raise LearnerError(f"--{flag} {getattr(args, flag)}: this model has {most}")
    model.shown = args.layer - 1 if args.layer else -1, args.head - 1 if args.head else None
    answer(model, languages, args)
    record("06 translation/translate")


if __name__ == "__main__":
    run(main)
