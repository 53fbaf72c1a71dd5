"""Unigram, bigram, trigram ... side by side: what each further token of memory buys, as text.

    python experiments/samples.py

Writes results/samples.md: 240 characters, then 50 words, from each order, Kneser-Ney, one seed.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import NGramConfig, NGramLM

from shared.console import run, say
from shared.data import load_corpus
from shared.progress import record
from shared.sampling import generate, start_token
from shared.tokenizers import train_tokenizer

SEED = 1337


def main() -> None:
    corpus = load_corpus("shakespeare")
    about = f"Written by `experiments/samples.py`: Kneser-Ney on Tiny Shakespeare, seed {SEED}."
    lines = ["# Samples by order", "", about, ""]
    for name, orders, length in (("char", (1, 2, 3, 4, 5, 7, 10), 240), ("word", (1, 2, 3, 4), 50)):
        tokenizer = train_tokenizer(name, corpus.train, also=corpus.val)
        train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
        for order in orders:
            model = NGramLM(NGramConfig(tokenizer.vocab_size, order))
            model.fit(train_ids)
            loss = -model.log_prob(val_ids).mean().item()
            generator = torch.Generator().manual_seed(SEED)
            text = tokenizer.decode(list(generate(model, [start_token(tokenizer)], length, generator=generator)))
            unit = {"char": "character", "word": "word"}[name]
            lines += [f"## {order}-gram of {unit}s: {loss:.3f} nats per {unit}", ""]
            lines += ["```text", text.strip("\n"), "```", ""]
            say("\n".join(lines[-6:]))
    (LESSON / "results" / "samples.md").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8", newline="\n")
    record("01 experiment samples")


if __name__ == "__main__":
    run(main)
