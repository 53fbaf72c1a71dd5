"""The price of a long memory without understanding: the higher the order, the more the model copies its training text.

    python experiments/copying.py                three minutes
    python experiments/copying.py 3 6 12         these orders only

For each order: the validation loss, and of 20 texts of 1,000 characters that the model wrote the share that stands
verbatim in the training text (spans of 30 or more), the share of real words, and of repeated 4-word sequences.
The same for Kneser-Ney and for no smoothing at all, whose samples look best and whose loss is infinite. The last row is
the validation split itself: this much of real Shakespeare stands verbatim in the rest of Shakespeare.
"""

import argparse
import math
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import NGramConfig, NGramLM

from shared.console import positive_int, run
from shared.data import load_corpus
from shared.results import Result
from shared.sampling import start_token
from shared.text_metrics import describe
from shared.tokenizers import train_tokenizer
from shared.visualize import plot_lines

ORDERS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20)
TEXTS, CHARACTERS, SEED = 20, 1000, 1337


def write(model: NGramLM, start: int) -> torch.Tensor:
    """Texts drawn side by side, (TEXTS, CHARACTERS): one row of the batch each."""
    generator = torch.Generator().manual_seed(SEED)
    token_ids, state, drawn = torch.full((TEXTS, 1), start), None, []
    for _ in range(CHARACTERS):
        log_probs, state = model(token_ids, state)
        token_ids = torch.multinomial(log_probs[:, -1].exp(), 1, generator=generator)
        drawn.append(token_ids)
    return torch.cat(drawn, dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("orders", nargs="*", type=positive_int, default=ORDERS, help="n (2 to 20)")
    orders = parser.parse_args().orders
    corpus = load_corpus("shakespeare")
    tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
    train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
    columns = ["order n", "smoothing", "validation loss", "verbatim", "real words", "repeated"]
    result = Result(LESSON, "copying", columns, SEED)
    curves = {name: [] for name in ("kneser-ney", "none")}
    for name in curves:
        for order in orders:
            model = NGramLM(NGramConfig(tokenizer.vocab_size, order, name))
            model.fit(train_ids)
            loss = -model.log_prob(val_ids).mean().item()
            texts = [tokenizer.decode(row) for row in write(model, start_token(tokenizer)).tolist()]
            found = describe("\n\n".join(texts), corpus.train)
            curves[name].append(found["verbatim_share"])
            shown = loss if math.isfinite(loss) else "infinite"
            shares = [f"{found[key]:.1%}" for key in ("verbatim_share", "real_word_share", "repetition")]
            result.add(order, name, shown, *shares)
    real = describe(corpus.val, corpus.train)
    shares = [f"{real[key]:.1%}" for key in ("verbatim_share", "real_word_share", "repetition")]
    result.add("-", "Shakespeare himself", None, *shares)
    plot_lines(result.path(".png"), {name: (orders, curve) for name, curve in curves.items()},
               "How much of the generated text is copied", "order n", "share verbatim in the training text",
               {"Shakespeare himself": real["verbatim_share"]})  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
