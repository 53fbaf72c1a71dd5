"""What does a network with a cell still know, d characters later? Fables, beside the lessons before.

    python experiments/presets.py ladder        first
    python experiments/recall.py                about 1 minute on one core
    python experiments/recall.py --seeds        RNN, GRU and LSTM with three seeds each; two hours on one core

The next row of the ladder that all lessons share: how far the loss is above the exact floor, and the forced choice
among all heroes (objects, places) by distance, beside chance. The rows of lessons 01 to 04 are read from their
results/recall.json; the column "steps" says whether two networks were trained for equally long.

--seeds trains what is missing: --preset ladder of each of the three lessons, with that lesson's own train.py, into its
checkpoints/ladder-SEED (the first seed's lies in checkpoints/ladder), and writes results/recall_seeds.json and .png.
"""

import argparse

from short_run import LESSON, load_run

from shared.console import run
from shared.ladder import measure, tabulate, tabulate_seeds

BEFORE = {"model-01-ngram": ["10-gram"], "model-02-mlp": None, "model-03-rnn": None, "model-04-gru": None}
NETWORKS = {"RNN": "model-03-rnn", "GRU": "model-04-gru", "LSTM": "model-05-lstm"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", action="store_true", help="RNN, GRU and LSTM, three seeds each")
    if parser.parse_args().seeds:
        return tabulate_seeds(LESSON, NETWORKS)
    folder = LESSON / "checkpoints" / "ladder"
    model, tokens = load_run(folder, "fables")
    name = f"LSTM, {model.config.num_layers} x {model.config.hidden_size}"
    tabulate(LESSON, name, measure(model, tokens.tokenizer, folder), BEFORE, "What a network with a cell recalls")


if __name__ == "__main__":
    run(main)
