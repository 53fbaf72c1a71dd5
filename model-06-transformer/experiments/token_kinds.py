"""Characters, words or pieces: which tokens learn most in the same time?

    python experiments/token_kinds.py                   eight runs of 3 minutes each: about 25 minutes
    python experiments/token_kinds.py char bpe-512      these kinds only, the others another time
    python experiments/token_kinds.py --minutes 10      longer runs

train.py --preset quick on Tiny Shakespeare with each tokenizer, on an equal budget of time, each kind with two learning
rates, of which the better one counts; single runs. A run that is finished lies in checkpoints/tokens-KIND-RATE-MINUTES
and is not done again; the table has what is there.

The blocks are the same. What differs follows from the tokens: embedding and lm_head grow with the vocabulary, and so
does the time of a step; a window of 64 tokens is 64 characters, or three times as many; and so is what a step reads.

Losses of different tokens do not compare, bits per character do, where nothing is lost. The word tokenizer loses what
it does not know (<unk>), and predicting "something unknown" is cheaper than spelling it out. So it has no bits here,
but a perplexity and the share of unknown words.
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from generate import load

from shared.console import LearnerError, nearest, positive_float, run, say
from shared.data import load_corpus
from shared.results import Result
from shared.visualize import plot_bars

KINDS = {
    "char": ["--tokenizer", "char"],
    "bpe-512": ["--tokenizer", "bpe", "--vocab-size", "512"],
    "bpe-2000": ["--tokenizer", "bpe", "--vocab-size", "2000"],
    "word": ["--tokenizer", "word"],
}
RATES = (1e-3, 3e-3)


def of_run(kind: str, rate: float, minutes: float, train: bool) -> dict | None:
    """The summary of a run, trained now if it is not there and is to be; and what its tokenizer makes of the text."""
    out = LESSON / "checkpoints" / f"tokens-{kind}-{rate:g}-{minutes:g}"
    if not (out / "summary.json").exists():  # is written when a run is complete
        if not train:
            return None
        say(f"trains     {kind}, learning rate {rate:g}")
        command = [sys.executable, str(LESSON / "train.py"), "--preset", "quick", "--dataset", "shakespeare"]
        command += [*KINDS[kind], "--lr", str(rate), "--minutes", str(minutes), "--out", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    _, tokenizer = load(out / "best.pt")
    text = load_corpus("shakespeare").val
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return summary | {"vocab_size": tokenizer.vocab_size, "length": len(text) / len(tokenizer.encode(text))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"some of {', '.join(KINDS)} (default: all)")
    parser.add_argument("--minutes", type=positive_float, default=3.0, help="of each run (%(default)s)")
    args = parser.parse_args()
    for kind in args.kinds:
        if kind not in KINDS:
            raise LearnerError(f"no kind is called {kind!r}:{nearest(kind, KINDS)}")
    columns = ["tokens", "different ones", "characters a token", "parameters", "rate", "steps", "minutes",
               "passes over the text", "loss, nats per token", "bits per character", "at the other rate", "perplexity",
               "unknown words"]  # fmt: skip
    result, minutes = Result(LESSON, "token_kinds", columns, seed=1337), 0.0
    for kind in KINDS:
        runs = [of_run(kind, rate, args.minutes, kind in (args.kinds or KINDS)) for rate in RATES]
        if None in runs:
            continue
        best, other = sorted(runs, key=lambda summary: summary["val_loss"])  # of one kind losses do compare
        minutes += sum(summary["train_seconds"] for summary in runs) / 60
        passes = best["tokens_seen"] * best["length"] / len(load_corpus("shakespeare").train)
        unknown = best.get("val_unknown_share")
        result.add(kind, best["vocab_size"], f"{best['length']:.2f}", best["parameters"],
                   f"{best['settings']['learning_rate']:g}", best["steps"], f"{best['train_seconds'] / 60:.1f}",
                   f"{passes:.1f}", best["val_loss"], best["val_bits_per_char"], other["val_bits_per_char"],
                   f"{math.exp(best['val_loss']):,.1f}", None if unknown is None else f"{unknown:.1%}")  # fmt: skip
    bars = {row[0]: row[9] for row in result.rows if row[9] is not None}
    if bars:
        title = f"Tiny Shakespeare, {args.minutes:g} minutes of training with each"
        plot_bars(result.path(".png"), bars, title, "tokens", "bits per character")
    result.save(minutes=round(minutes, 2))


if __name__ == "__main__":
    run(main)
