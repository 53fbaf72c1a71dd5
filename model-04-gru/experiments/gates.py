"""What the gates do: how many units keep their value for how long, and what opens and closes them.

    python experiments/gates.py

h = z * h_before + (1 - z) * candidate: an update gate z near 1 keeps, near 0 writes. The reset gate r decides how much
of h the candidate sees. Over 20,000 characters of the validation split:

    results/gates.json           how the units' mean gates are spread
    results/gates_units.json     for some properties of a character, the unit whose gate follows it most; a correlation
                                 is no explanation, and among 128 units one fits a little by chance
    results/gates.png            the update gates of the three units that keep longest, of those that change at all
                                 (standard deviation above 0.1), and two of the reset gates found, painted over a text
"""

import torch
from short_run import LESSON, shakespeare, trained
from torch import Tensor

from shared.console import run
from shared.results import Result
from shared.visualize import plot_text_heatmap

READ, SHOWN = 20_000, 320
EDGES = (0.0, 0.1, 0.5, 0.9, 1.0)
PAINTED = ("newline", "speaker's name")


def properties(text: str) -> dict[str, Tensor]:
    """0 or 1 for every character, from the text up to and with it."""
    found = {name: [] for name in ("newline", "space", "inside a word", "speaker's name", "end of a sentence")}
    name = False
    for i, character in enumerate(text):
        if text[max(0, i - 2) : i] == "\n\n":
            name = True
        elif character in ":\n":
            name = False
        values = character == "\n", character == " ", character.isalpha(), name, character in ".!?"
        for so_far, value in zip(found.values(), values, strict=True):
            so_far.append(float(value))
    return {name: torch.tensor(values) for name, values in found.items()}


def main() -> None:
    tokens = shakespeare()
    model, text = trained(tokens), tokens.corpus.val[:READ]
    with torch.no_grad():
        reset, update, _ = model.layers[0].gates(model.embedding(tokens.val[None, :READ]))
    gates = {"update": update[0], "reset": reset[0]}  # (READ, H) each
    bands = [f"mean {low} to {high}" for low, high in zip(EDGES, EDGES[1:], strict=False)]
    spread = Result(LESSON, "gates", ["gate", "mean", *bands, "above 0.9, of all units and characters"], 1337)
    units = Result(LESSON, "gates_units", ["gate", "follows", "unit", "correlation", "median over all units"], 1337)
    shown = {}
    for gate, values in gates.items():
        means = values.mean(dim=0)
        shares = [((low <= means) & (means < high)).float().mean() for low, high in zip(EDGES, EDGES[1:], strict=False)]
        often = (values > 0.9).float().mean()
        spread.add(gate, means.mean().item(), *[f"{share:.0%}" for share in shares], f"{often:.0%}")
        standard = (values - means) / values.std(dim=0).clamp(min=1e-6)
        for name, seen in properties(text).items():
            correlations = standard.T @ ((seen - seen.mean()) / seen.std()) / (READ - 1)
            unit = int(correlations.abs().argmax())
            units.add(gate, name, unit, correlations[unit].item(), correlations.abs().median().item())
            if gate == "reset" and name in PAINTED:
                shown[f"reset gate of unit {unit}: {name} ({correlations[unit]:+.2f})"] = values[:SHOWN, unit].tolist()
    moves = update[0].std(dim=0) > 0.1
    longest = torch.where(moves, update[0].mean(dim=0), 0.0).argsort(descending=True)[:3].tolist()
    rows = {f"update gate of unit {unit}: keeps {update[0][:, unit].mean():.2f} of h on average":
            update[0][:SHOWN, unit].tolist() for unit in longest}  # fmt: skip
    title = "Gates over a text: white the smallest value, red the largest"
    plot_text_heatmap(spread.path(".png"), text[:SHOWN], rows | shown, title)
    units.save()
    spread.save()


if __name__ == "__main__":
    run(main)
