"""Characters against subwords: does a lost state cost a model of subwords more?

    python experiments/subwords.py

The same small network, once on characters and once on the Unigram tokenizer's 1,000 pieces. Equal budget: the same
number of steps, each of as many *characters*, so a chunk has fewer tokens where tokens are longer. (Not equal: the
parameters, since 1,000 pieces need a larger embedding and output.) Three seeds, means, with the range of the price.

The price of a lost state is the bits per character with the state dropped before every token, less those with the state
carried. Beside it the same in nats per token, where the longer token makes it look larger. A piece is often a whole
word, so the share of real words compares within a row, not between the rows.
"""

import statistics

from inference import CARRIED, DROPPED, WRONG, bits, judge, loss_under, write
from short_run import LESSON, SETTINGS, parameters, shakespeare, trained

from shared.console import run
from shared.results import Result
from shared.visualize import plot_bars

STEPS, SEEDS = 800, (1337, 1338, 1339)
USES = (CARRIED, WRONG, DROPPED)


def main() -> None:
    columns = ["tokens", "parameters", "characters read", *[f"{use}, bits per character" for use in USES]]
    columns += ["price, bits per character", "lowest to highest", "price, nats per token"]
    columns += ["real words, carried", "real words, dropped"]
    result = Result(LESSON, "subwords", columns, SEEDS[0])
    for name, kind in (("characters", "char"), ("subwords", "unigram")):
        tokens = shakespeare(kind)
        token_length = len(tokens.corpus.train) / len(tokens.train)  # characters
        changes = {"steps": STEPS, "chunk_length": round(SETTINGS["chunk_length"] / token_length)}
        losses, in_bits, words = [], [], []
        for seed in SEEDS:
            model = trained(tokens, seed=seed, **changes)
            losses.append([loss_under(use, model, tokens.val) for use in USES])
            in_bits.append([bits(loss, tokens) for loss in losses[-1]])
            texts = (write(use, model, tokens.tokenizer) for use in (CARRIED, DROPPED))
            words.append([judge(text, tokens.corpus.train)[1] for text in texts])
        price = [dropped - carried for carried, _, dropped in in_bits]
        in_nats = statistics.mean(dropped - carried for carried, _, dropped in losses)
        read = STEPS * SETTINGS["batch_size"] * changes["chunk_length"] * token_length
        result.add(name, parameters(model), round(read), *map(statistics.mean, zip(*in_bits, strict=True)),
                   statistics.mean(price), f"{min(price):.4f} to {max(price):.4f}", in_nats,
                   *[f"{statistics.mean(column):.1%}" for column in zip(*words, strict=True)])  # fmt: skip
    short = ("carried", "wrong row", "dropped")
    bars = {f"{row[0]},\n{use}": bit for row in result.rows for use, bit in zip(short, row[3:6], strict=True)}
    plot_bars(result.path(".png"), bars, "What is lost with the state", "", "bits per character")
    result.save(seeds=SEEDS, amplification=result.rows[1][6] / result.rows[0][6])


if __name__ == "__main__":
    run(main)
