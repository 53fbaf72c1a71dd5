"""Draw the figures of docs/concepts.md: python docs/figures/concept_figures.py writes concept_*.png beside this file.

    concept_decoding.png    one distribution under temperature, top-k and top-p, by shared/sampling.py
    concept_keeping.png     what is left of a value, or of a gradient, where a gate stands still
    concept_masks.png       who may look at whom, by MultiHeadAttention.score_mask of lesson 06
"""

from pathlib import Path

import torch

from shared.lessons import ROOT, load
from shared.sampling import filter_logits
from shared.visualize import COLOURS, figure, save

HERE = Path(__file__).resolve().parent
TOKENS = ("e", "a", "o", "i", "h", "r", "s", "u", "l", "y")
LOGITS = torch.tensor([3.0, 2.4, 2.0, 1.5, 1.1, 0.6, 0.0, -0.7, -1.3, -2.0])  # made up: a falling row of ten
SETTINGS = (
    ("as the model says", {}),
    ("temperature 0.5: bolder", {"temperature": 0.5}),
    ("temperature 2: wilder", {"temperature": 2.0}),
    ("top-k 3", {"top_k": 3}),
    ("top-p 0.8", {"top_p": 0.8}),
    ("greedy", {"temperature": 0.0}),
)


def decoding() -> None:
    """Six ways to draw from the same ten logits; what can never be drawn is left out."""
    fig, axes = figure(11.0, 2.9, panels=len(SETTINGS))
    for ax, (name, settings) in zip(axes, SETTINGS, strict=True):
        probabilities = filter_logits(LOGITS, **settings).softmax(dim=-1)
        drawn = ax.bar(TOKENS, probabilities.tolist(), color=COLOURS[0], width=0.75)
        for bar, probability in zip(drawn, probabilities.tolist(), strict=True):
            if probability == 0:
                ax.annotate("×", (bar.get_x() + bar.get_width() / 2, 0.01), ha="center", color=COLOURS[1])
        ax.set_title(name, fontsize=9)
        ax.set(ylim=(0, 1.03), yticks=[0, 0.5, 1] if ax is axes[0] else [])
        ax.tick_params(labelsize=8)
    axes[0].set_ylabel("probability of being drawn", fontsize=9)
    save(fig, HERE / "concept_decoding.png")


def keeping() -> None:
    """A gate's value to the power of the number of steps; where half is left stands a dot."""
    fig, ax = figure(8.0, 3.4)
    steps = torch.arange(0, 201)
    for gate, colour in zip((0.5, 0.9, 0.98, 0.99, 0.999), COLOURS, strict=False):
        left, half = gate**steps, torch.log(torch.tensor(0.5)) / torch.log(torch.tensor(gate))
        ax.plot(steps, left, color=colour, label=f"{gate}: half after {half:,.0f}")
        if half <= steps[-1]:
            ax.plot([half], [0.5], "o", color=colour, markersize=5)
    ax.axhline(0.5, color="#555555", linestyle="--", linewidth=1)
    ax.set(title="What a gate that stands still leaves of the past", xlabel="steps", ylabel="share that is left",
           ylim=(0, 1.03))  # fmt: skip
    ax.legend(title="the gate keeps", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(fig, HERE / "concept_keeping.png")


def masks() -> None:
    """White: may be looked at. A row for each token that looks, a column for each that is looked at."""
    from matplotlib.colors import ListedColormap

    attention = load(ROOT / "model-06-transformer" / "attention.py").MultiHeadAttention
    eight, three = torch.zeros(1, 1, 8, 4), torch.zeros(1, 1, 3, 4)
    tokens = torch.tensor([[True] * 6 + [False] * 2])
    causal, cached = attention.score_mask(eight, eight, True, None), attention.score_mask(three, eight, True, None)
    both, cross = (attention.score_mask(looking, eight, False, tokens)[0, 0] for looking in (eight, three))
    cases = (
        ("causal: a language model", causal, "tokens 1 to 8 look"),
        ("causal, 5 in the cache, 3 new", cached, "tokens 6 to 8 look"),
        ("both ways: an encoder,\n6 tokens and padding", both.expand(8, -1), "tokens look"),
        ("crosswise: a decoder at a source\nof 6 tokens and padding", cross.expand(3, -1), "target tokens look"),
    )
    fig, axes = figure(11.0, 3.3, panels=len(cases))
    for ax, (name, mask, rows) in zip(axes, cases, strict=True):
        allowed = mask == 0
        ax.imshow(allowed, cmap=ListedColormap([COLOURS[5], "white"]), vmin=0, vmax=1, aspect="equal")
        for line in range(allowed.shape[0] + 1):
            ax.axhline(line - 0.5, color="#bbbbbb", linewidth=0.6)
        for line in range(allowed.shape[1] + 1):
            ax.axvline(line - 0.5, color="#bbbbbb", linewidth=0.6)
        ax.grid(False)
        ax.set_title(name, fontsize=9)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel("is looked at", fontsize=8)
        ax.set_ylabel(rows, fontsize=8)
    fig.suptitle("White may be looked at, blue gets the score -inf before the softmax", fontsize=10)
    save(fig, HERE / "concept_masks.png")


def main() -> None:
    decoding()
    keeping()
    masks()


if __name__ == "__main__":
    main()
