"""What does a network that looks back still know, d characters later? Fables, beside the lessons before.

    python experiments/presets.py ladder        first
    python experiments/recall.py
    python experiments/recall.py --seeds        RNN, GRU, LSTM and Transformer with three seeds each

The last row of the ladder that all lessons share: how far the loss is above the exact floor, and the forced choice
among all heroes (objects, places) by distance, beside chance. The rows of lessons 01 to 05 are read from their
results/recall.json; the column "steps" says whether two networks were trained for equally long. The cache is carried
as the others' states are: a token sees between half a window of 256 characters and a whole one.

--seeds trains what is missing: --preset ladder of each of the four lessons, with that lesson's own train.py, into its
checkpoints/ladder-SEED (the first seed's lies in checkpoints/ladder), and writes results/recall_seeds.json and .png.
"""

import argparse

from short_run import LESSON, load_run

from shared.console import run
from shared.ladder import measure, tabulate, tabulate_seeds

BEFORE = {"model-01-ngram": ["10-gram"], "model-02-mlp": None, "model-03-rnn": None, "model-04-gru": None,
          "model-05-lstm": None}  # fmt: skip
NETWORKS = {"RNN": "model-03-rnn", "GRU": "model-04-gru", "LSTM": "model-05-lstm", "Transformer": LESSON.name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", action="store_true", help="four networks, three seeds each")
    if parser.parse_args().seeds:
        return tabulate_seeds(LESSON, NETWORKS)
    folder = LESSON / "checkpoints" / "ladder"
    model, tokens = load_run(folder, "fables")
    name = f"Transformer, {model.config.num_layers} x {model.config.embedding_dim}"
    tabulate(LESSON, name, measure(model, tokens.tokenizer, folder), BEFORE, "What looking back recalls")


if __name__ == "__main__":
    run(main)
