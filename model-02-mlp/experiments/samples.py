"""The same model at several losses: what each tenth of a nat looks like, as text.

    python experiments/samples.py

Writes results/samples.md: 240 characters from a small model (8 characters of context, 256 tanh units) at some steps of
its training on Tiny Shakespeare, one seed, and, where train.py has left one, from checkpoints/best.pt.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from model import MLPConfig
from training import SEED, characters, new_model, train_short

from shared.console import run, say
from shared.evaluation import token_losses
from shared.progress import record
from shared.sampling import generate, start_token

STEPS, AT, LENGTH = 1000, (20, 100, 300, 1000), 240


def block(name: str, model, tokenizer, val_ids: torch.Tensor) -> str:
    """A heading with the loss over the whole validation split, and what the model writes."""
    loss = token_losses(model, val_ids).mean().item()
    generator = torch.Generator().manual_seed(SEED)
    text = tokenizer.decode(list(generate(model, [start_token(tokenizer)], LENGTH, generator=generator)))
    made = f"## {name}: {loss:.3f} nats per character\n\n```text\n{text.strip()}\n```\n"
    say(made)
    return made


def main() -> None:
    _, tokenizer, train_ids, val_ids = characters("shakespeare")
    model = new_model(MLPConfig(tokenizer.vocab_size, context_length=8, embedding_dim=24, hidden_size=256))
    about = f"Written by `experiments/samples.py`: a small MLP on Tiny Shakespeare, seed {SEED}."
    blocks = [f"# Samples by loss\n\n{about}\n", block("Untrained", model, tokenizer, val_ids)]

    def look(step: int) -> None:
        if step in AT:
            blocks.append(block(f"Step {step:,}", model, tokenizer, val_ids))

    train_short(model, train_ids, STEPS, look=look)
    best = LESSON / "checkpoints" / "best.pt"
    if best.exists():
        model, trained = load(best)
        if trained.to_dict() == tokenizer.to_dict():
            blocks.append(block("The checkpoint of train.py", model, tokenizer, val_ids))
    (LESSON / "results").mkdir(exist_ok=True)
    (LESSON / "results" / "samples.md").write_text("\n".join(blocks), encoding="utf-8", newline="\n")
    record("02 experiment samples")


if __name__ == "__main__":
    run(main)
