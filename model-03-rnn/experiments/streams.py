"""What to read in training: contiguous streams with the state carried, or random windows that begin with none?

    python experiments/streams.py

The same number of steps of 32 x 64 characters in each; evaluated with the state carried, and reset every 64. Three
seeds. (Streams with the state dropped are in state.py.)
"""

import statistics

from short_run import BITS, LESSON, SETTINGS, carried_loss, new_model, reset_loss, shakespeare, train

from shared.console import run
from shared.data.batching import RandomWindows
from shared.results import Result

SEEDS = (1337, 1338, 1339)


def main() -> None:
    tokens = shakespeare()
    columns = ["training reads", "bits per character, state carried", "lowest to highest", "reset every 64"]
    result = Result(LESSON, "streams", columns, SEEDS[0])
    for name, windows in (("contiguous streams, state carried", False), ("random windows, no state", True)):
        bits = []
        for seed in SEEDS:
            model = new_model(tokens, seed=seed)
            loader = RandomWindows(tokens.train, SETTINGS["batch_size"], SETTINGS["chunk_length"], seed)
            train(model, tokens, loader if windows else None, seed=seed)
            bits.append((carried_loss(model, tokens.val) * BITS, reset_loss(model, tokens.val, 64) * BITS))
        carried = [row[0] for row in bits]
        reset = statistics.mean(row[1] for row in bits)
        result.add(name, statistics.mean(carried), f"{min(carried):.4f} to {max(carried):.4f}", reset)
    result.save(seeds=SEEDS)


if __name__ == "__main__":
    run(main)
