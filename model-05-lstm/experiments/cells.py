"""Cells that one can name: units that follow quotations, brackets and the place in the line (Karpathy et al. 2015).

    python experiments/presets.py ladder        first
    python experiments/cells.py                 about 1 minute on one core

The network of the ladder reads the fables' validation split in 32 pieces. For each property of the text the cell, of
all layers, that correlates with it most is looked for in the first half of the pieces. How much it correlates in the
second half is what counts, since among so many cells one always fits a little by chance. Beside it the same search in
the network as it was before its training. A correlation is no explanation: the figure shows the found cells over a text
of the second half, around its deepest brackets.
"""

import torch
from short_run import LESSON, load_run
from torch import Tensor

from shared.console import run
from shared.results import Result
from shared.visualize import plot_text_heatmap

PIECES, SHOWN, COLUMNS = 32, 400, 100


def properties(text: str) -> dict[str, list[float]]:
    """One number for every character, from the text up to and with it. All start again with every line."""
    found = {name: [] for name in ("inside a quotation", "depth of brackets", "place in the line", "inside a word")}
    quotation, depth, place = False, 0, 0
    for character in text:
        place += 1
        quotation ^= character == '"'
        depth += (character in "([") - (character in ")]")
        if character == "\n":
            quotation, depth, place = False, 0, 0
        for so_far, value in zip(found.values(), (quotation, depth, place, character.isalpha()), strict=True):
            so_far.append(float(value))
    return found


@torch.no_grad()
def read_cells(model, token_ids: Tensor) -> Tensor:
    """token_ids (B, T) -> c of all layers, side by side, at every place: (B, T, L * H)."""
    hidden, cells = model.embedding(token_ids), []
    for layer in model.layers:
        *_, c, outputs = layer.gates(hidden)
        hidden = hidden + outputs if model.config.residual and hidden.shape == outputs.shape else outputs
        cells.append(c)
    return torch.cat(cells, dim=2)


def correlations(cells: Tensor, values: Tensor) -> Tensor:
    """Of each cell (N, U) with the values (N,), Pearson's: (U,). A cell that never moves correlates with nothing."""
    cells, values = cells.double() - cells.double().mean(dim=0), values.double() - values.double().mean()
    return (values @ cells) / (cells.norm(dim=0) * values.norm()).clamp(min=1e-12)


def find(cells: Tensor, values: Tensor) -> tuple[int, float, float]:
    """cells (B, T, U), values (B, T) -> the unit that correlates most in the first half of the rows, its correlation
    there, and in the second half."""
    half = len(cells) // 2
    first, second = (correlations(cells[part].flatten(0, 1), values[part].flatten())
                     for part in (slice(half), slice(half, None)))  # fmt: skip
    unit = int(first.abs().argmax())
    return unit, first[unit].item(), second[unit].item()


def main() -> None:
    model, tokens = load_run(LESSON / "checkpoints" / "ladder", "fables")
    torch.manual_seed(1337)
    networks = {"trained": model, "untrained": type(model)(model.config).eval()}
    token_ids = tokens.val[: len(tokens.val) // PIECES * PIECES].view(PIECES, -1)
    wanted = {name: torch.tensor(values)[: token_ids.numel()].view(PIECES, -1)
              for name, values in properties(tokens.corpus.val).items()}  # fmt: skip
    columns = ["property", "network", "layer", "unit", "correlation where it was looked for", "on other text"]
    result = Result(LESSON, "cells", columns, 1337)
    width, half = token_ids.shape[1], PIECES // 2
    row, place = divmod(int(wanted["depth of brackets"][half:].argmax()), width)
    start = min(max(place - SHOWN // 2, 0), width - SHOWN)
    row, shown, rows = half + row, slice(start, start + SHOWN), {}
    for network, read in networks.items():
        cells = read_cells(read, token_ids)
        for name, values in wanted.items():
            unit, there, elsewhere = find(cells, values)
            layer, number = divmod(unit, model.config.hidden_size)
            result.add(name, network, layer + 1, number, there, elsewhere)
            if network == "trained":
                label = f"layer {layer + 1}, cell {number}: {name} ({elsewhere:+.2f})"
                rows[label] = cells[row, shown, unit].tolist()
    text = tokens.tokenizer.decode(token_ids[row, shown].tolist())
    plot_text_heatmap(result.path(".png"), text, rows, "Cells over a text: red above 0, blue below", COLUMNS,
                      centre=True)  # fmt: skip
    result.save(pieces=PIECES)


if __name__ == "__main__":
    run(main)
