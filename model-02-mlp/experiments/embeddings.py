"""What the vectors of the characters have learnt: embeddings before and after training, drawn in two dimensions.

    python experiments/embeddings.py                            trains a small model for it, about a minute
    python experiments/embeddings.py --checkpoint PATH          of a model of characters that you have trained

Principal components: the two directions in which the vectors differ most. Nobody told the model what a vowel is. The
table gives, for each group, how alike two vectors are (mean cosine) within the group and with all characters outside.

The small model (8 numbers to a character, Tiny Shakespeare) begins with vectors of size 0.1, so that what is drawn was
learnt. In the lesson's own models they begin at size 1, and a trained vector is still mostly its random start.
"""

import argparse
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from model import MLPConfig
from torch import Tensor
from training import SEED, characters, new_model, train_short

from shared.console import LearnerError, run
from shared.results import Result
from shared.visualize import COLOURS, figure, save

STEPS = 1000
GROUPS = {"vowels": "e", "consonants": "t", "capitals": "M", "punctuation and space": "."}  # and one to look closer at


def group(character: str) -> str:
    """The group of a character, for its colour."""
    if character.isupper():
        return "capitals"
    if character.isalpha():
        return "vowels" if character in "aeiou" else "consonants"
    return "punctuation and space"


def small_model() -> tuple[Tensor, Tensor, object]:
    """The vectors of a shortly trained model before and after training, (V, 8) each, and the tokenizer."""
    _, tokenizer, train_ids, _ = characters("shakespeare")
    model = new_model(MLPConfig(tokenizer.vocab_size, context_length=8, embedding_dim=8, hidden_size=256))
    torch.nn.init.normal_(model.embedding.weight, std=0.1)
    before = model.embedding.weight.detach()[:-1].clone()
    train_short(model, train_ids, STEPS)
    return before, model.embedding.weight.detach()[:-1], tokenizer  # without the row that stands before the text


def two_dimensions(vectors: Tensor) -> tuple[Tensor, float]:
    """(V, C) -> the first two principal components (V, 2), and their share of the variance."""
    u, s, _ = torch.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    return u[:, :2] * s[:2], float((s[:2] ** 2).sum() / (s**2).sum())


def alike(vectors: Tensor, inside: Tensor) -> tuple[float, float]:
    """Mean cosine of two different vectors of a group, and of one in it with one outside; about their common mean."""
    unit = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)
    block = (unit @ unit.T)[inside][:, inside]
    within = (block.sum() - block.diagonal().sum()) / max(1, block.numel() - len(block))
    return within.item(), (unit @ unit.T)[inside][:, ~inside].mean().item()


def nearest(vectors: Tensor, token: int, tokenizer) -> str:
    """The four characters whose vectors lie closest by cosine."""
    unit = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=1)
    order = (unit @ unit[token]).argsort(descending=True)[1:5]
    return " ".join(tokenizer.token_text(int(i)) for i in order)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, help="a trained model of characters (default: train a small one)")
    args = parser.parse_args()
    if args.checkpoint:
        model, tokenizer = load(args.checkpoint)
        if tokenizer.name != "char":
            raise LearnerError(f"{args.checkpoint} reads {tokenizer.name} tokens: give a model of characters")
        before, vectors = None, model.embedding.weight.detach()[:-1]
    else:
        before, vectors, tokenizer = small_model()
    texts = [tokenizer.decode([token]) for token in range(len(vectors))]
    names = [group(text) for text in texts]

    columns = ["group", "characters", "alike within, untrained", "alike within", "alike with others", "nearest"]
    result = Result(LESSON, "embeddings", columns, SEED)
    for name, example in GROUPS.items():
        inside = torch.tensor([n == name for n in names])
        if inside.any() and example in texts:
            at_start = None if before is None else alike(before, inside)[0]
            close = f"to {example}: {nearest(vectors, texts.index(example), tokenizer)}"
            result.add(name, int(inside.sum()), at_start, *alike(vectors, inside), close)

    points, share = two_dimensions(vectors)
    fig, ax = figure(7.5, 6)
    for name, colour in zip(GROUPS, COLOURS, strict=False):
        ax.plot([], [], "s", color=colour, label=name)
        for i in [i for i, n in enumerate(names) if n == name]:
            shown = {"\n": "⏎", " ": "space", "$": r"\$"}.get(texts[i], texts[i])
            ax.text(*points[i].tolist(), shown, color=colour, ha="center", va="center", fontsize=12)
    (left, low), (right, high) = points.min(0).values.tolist(), points.max(0).values.tolist()
    margin = 0.05 * (right - left)
    ax.set(xlim=(left - margin, right + margin), ylim=(low - margin, high + margin), xlabel="first principal component",
           ylabel="second", title=f"What the vectors know ({share:.0%} of their variance)")  # fmt: skip
    ax.legend(frameon=False, fontsize=9)
    save(fig, result.path(".png"))
    result.save(variance_shown=share, embedding_dim=vectors.shape[1], steps=None if args.checkpoint else STEPS)


if __name__ == "__main__":
    run(main)
