"""Does the text fall apart as it grows longer? What the default writes, by position, beside Shakespeare's own.

    python experiments/presets.py default       first
    python experiments/coherence.py             about 3 minutes on one core

32 texts of about 3,500 characters, the state carried, temperature 1, nothing cut off; and the validation split, cut
into 32 pieces as long. By position in the text: the share of real words (those of the training text), of four-word
sequences that stood earlier in the same text (longer texts repeat more, Shakespeare's too), and the loss under the
7-gram of lesson 01, in nats per character. It knows spelling and common phrases and nothing else: a loss far above that
of Shakespeare's text means words that do not exist, one far below means phrases that are too common.

The 7-gram is trained and asked by lesson 01's own train.py: its corpus is a file, the training text and behind it, as
the last tenth, the text to be scored.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from short_run import LESSON, load_run, write
from torch import Tensor

from shared.console import run
from shared.results import Result
from shared.text_metrics import real_word_share, repetition, words
from shared.visualize import plot_lines

TEXTS, EDGES, SEED = 32, (0, 200, 400, 800, 1600, 3200), 1337


def ngram_losses(training_text: str, text: str) -> Tensor:
    """Of each character of a text but the first, in nats. It must be a ninth as long as the training text."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        corpus.write_text(training_text + text, encoding="utf-8", newline="\n")
        command = [sys.executable, str(LESSON.parent / "model-01-ngram" / "train.py"), "--dataset", str(corpus)]
        command += ["--out", folder, "--save-log-probs"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        losses = -torch.load(Path(folder) / "log_probs.pt", weights_only=True)["log_probs"]
    assert len(losses) == len(text) - 1, "the split is not where it should be"
    return losses


def whole_words(text: str) -> str:
    """Without the words at both ends, which may be cut."""
    return text.partition(" ")[2].rpartition(" ")[0]


def repeated(text: str, start: int, stop: int) -> float:
    """Of the four-word sequences that end in text[start:stop], the share that stood earlier in the text."""
    number = [max(len(words(text[:end])) - 3, 0) for end in (start, stop)]
    stood = [repetition(text[:end]) * count for end, count in zip((start, stop), number, strict=True)]
    return (stood[1] - stood[0]) / max(number[1] - number[0], 1)


def main() -> None:
    model, tokens = load_run(LESSON / "checkpoints", "shakespeare")
    training, own = tokens.corpus.train, tokens.corpus.val
    length = len(own) // TEXTS
    texts = {"the LSTM": ["\n\n" + text for text in write(model, tokens.tokenizer, TEXTS, length - 2, SEED)],
             "Shakespeare": [own[i * length : (i + 1) * length] for i in range(TEXTS)]}  # fmt: skip
    columns = ["written by", "characters", "real words", "repeated", "loss under the 7-gram, nats"]
    result, lines = Result(LESSON, "coherence", columns, SEED), {}
    for writer, pieces in texts.items():
        joined = "".join(pieces)
        losses = ngram_losses(training, joined + own[len(joined) :])
        losses = torch.cat([losses[:1], losses])[: len(joined)].view(TEXTS, length)
        found = []
        for start, stop in zip(EDGES, EDGES[1:], strict=False):
            real = real_word_share("\n".join(whole_words(piece[start:stop]) for piece in pieces), training)
            again = sum(repeated(piece, start, stop) for piece in pieces) / TEXTS
            found.append(losses[:, start:stop].mean().item())
            result.add(writer, f"{start:,} to {stop:,}", f"{real:.1%}", f"{again:.1%}", found[-1])
        lines[writer] = (EDGES[1:], found)
    plot_lines(result.path(".png"), lines, "Loss under the 7-gram of lesson 01", "up to character ... of the text",
               "nats per character", log_x=True)  # fmt: skip
    result.save(texts=TEXTS)


if __name__ == "__main__":
    run(main)
