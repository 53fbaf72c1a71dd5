"""What single hidden units do: those that follow something one can name, painted over a text.

    python experiments/units.py

For each of some properties of a text (is this letter a capital? how far into the line are we?) the unit whose value
correlates with it most, over 20,000 characters of the validation split; and that unit over the first 480. A correlation
is no explanation: among so many units one will fit a little by chance, and most units follow nothing that has a name.
"""

import torch
from short_run import LESSON, shakespeare, trained

from shared.console import run
from shared.results import Result
from shared.visualize import plot_text_heatmap

READ, SHOWN = 20_000, 480


def properties(text: str) -> dict[str, list[float]]:
    """One number per character, from the text up to and with it."""
    found = {name: [] for name in ("capital letter", "inside a word", "place in the line", "speaker's name", "vowel")}
    column, name = 0, False
    for i, character in enumerate(text):
        column = 0 if character == "\n" else column + 1
        if text[max(0, i - 2) : i] == "\n\n":
            name = True
        elif character in ":\n":
            name = False
        values = character.isupper(), character.isalpha(), min(column, 60), name, character.lower() in "aeiou"
        for values_so_far, value in zip(found.values(), values, strict=True):
            values_so_far.append(float(value))
    return found


def main() -> None:
    result, rows = Result(LESSON, "units", ["property", "unit", "correlation", "median over all units"], 1337), {}
    tokens = shakespeare()
    model, text = trained(tokens), tokens.corpus.val[:READ]
    with torch.no_grad():
        hidden = model.layers[0](model.embedding(tokens.val[None, :READ]))[0][0]  # (READ, H)
    standard = (hidden - hidden.mean(dim=0)) / hidden.std(dim=0)
    for name, values in properties(text).items():
        values = torch.tensor(values)
        correlations = standard.T @ ((values - values.mean()) / values.std()) / (READ - 1)
        unit = int(correlations.abs().argmax())
        result.add(name, unit, correlations[unit].item(), correlations.abs().median().item())
        rows[f"unit {unit}: {name} ({correlations[unit]:+.2f})"] = hidden[:SHOWN, unit].tolist()
    plot_text_heatmap(result.path(".png"), text[:SHOWN], rows, "Hidden units over a text: red +1, blue -1", centre=True)
    result.save()


if __name__ == "__main__":
    run(main)
