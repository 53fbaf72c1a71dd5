"""Draw the ladder of the six models: python docs/figures/ladder.py writes ladder.png beside this file."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

STEPS = (
    ("01", "n-gram", "counts what followed\nthe last n-1 tokens", "unseen contexts,\nnone alike"),
    ("02", "MLP", "learns a vector\nfor each token", "a hard horizon"),
    ("03", "RNN", "carries a vector h\nfrom step to step", "gradients vanish\nand explode"),
    ("04", "GRU", "gates what it keeps\nand what it forgets", "one vector is both\nmemory and output"),
    ("05", "LSTM", "keeps a cell apart\nfrom the output", "one step at a time,\none fixed size"),
    ("06", "Transformer", "keeps every token,\nlooks at all of them", "cost grows\nwith the context"),
)
COLOURS = ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#CC79A7")


def main() -> None:
    fig, ax = plt.subplots(figsize=(11, 5.2), dpi=110)
    for i, ((number, name, gain, breaks), colour) in enumerate(zip(STEPS, COLOURS, strict=True)):
        height = 1.5 + 0.55 * i
        ax.bar(i, height, width=0.96, color=colour, alpha=0.9)
        ax.text(i, height + 0.08, f"{number}  {name}", ha="center", va="bottom", fontsize=12, weight="bold")
        ax.text(i, height - 0.12, gain, ha="center", va="top", fontsize=9, color="white", weight="bold")
        ax.text(i, 0.1, f"breaks on:\n{breaks}", ha="center", va="bottom", fontsize=8.5, color="white")
    ax.set_title("logits, state = model(token_ids, state):  only what is remembered differs", fontsize=12, pad=14)
    ax.set(xlim=(-0.55, 5.55), ylim=(0, 4.85))
    ax.axis("off")
    fig.tight_layout()
    fig.savefig(Path(__file__).with_name("ladder.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()
