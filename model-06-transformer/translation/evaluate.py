"""How good the translations of a trained model are: the whole test split, by length of the source.

    python evaluate.py                          exact match and BLEU, beam search
    python evaluate.py --beam 1 --split val
"""

import argparse

from translate import FOLDER, load

from shared.console import run
from shared.progress import record
from shared.translation_scores import evaluation_flags, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    evaluation_flags(parser, FOLDER)
    args = parser.parse_args()
    model, languages, checkpoint = load(args.checkpoint)
    report(model, languages, checkpoint["dataset"], args)
    record("06 translation/evaluate")


if __name__ == "__main__":
    run(main)
