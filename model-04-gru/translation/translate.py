"""Translate with a trained model, and see where it looked.

    python translate.py "a sentence"            one sentence
    python translate.py --file sentences.txt    a file, one sentence a line; only the translations are printed
    python translate.py                         whatever you type
"""

import argparse
from pathlib import Path

from encoder_decoder import EncoderDecoder, EncoderDecoderConfig

from shared.console import run
from shared.progress import record
from shared.translation import answer, load_translator, sentence_flags

FOLDER = Path(__file__).resolve().parent


def load(path: Path):
    """The model, its languages, and the checkpoint, from a run folder's file."""
    return load_translator(path, FOLDER, EncoderDecoder, EncoderDecoderConfig)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sentence_flags(parser, FOLDER)
    args = parser.parse_args()
    model, languages, _ = load(args.checkpoint)
    answer(model, languages, args)
    record("04 translation/translate")


if __name__ == "__main__":
    run(main)
