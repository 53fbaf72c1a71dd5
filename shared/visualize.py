"""The figures that several lessons draw. Each writes one PNG; matplotlib is imported only when needed."""

from collections.abc import Sequence
from pathlib import Path

# Okabe & Ito's colours, which people with any kind of colour vision can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def figure(width: float = 7.0, height: float = 4.2, panels: int = 1):
    """A matplotlib figure and axes in the course's style, drawn without a window; a row of axes for several panels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, panels, figsize=(width, height), dpi=110, layout="constrained", squeeze=False)
    for ax in axes[0]:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="#dddddd", linewidth=0.8)
        ax.set_axisbelow(True)
    return fig, axes[0] if panels > 1 else axes[0, 0]


def save(fig, path: Path) -> None:
    """Write a figure as PNG and let go of it."""
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, metadata={"Software": None})
    plt.close(fig)


def plot_lines(path: Path, lines: dict[str, tuple[Sequence[float], Sequence[float]]], title: str, xlabel: str,
               ylabel: str, levels: dict[str, float] | None = None, log_x: bool = False,
               log_y: bool = False) -> None:  # fmt: skip
    """Lines by name, (x values, y values) each; `levels` are drawn as dashed horizontal lines with their name."""
    fig, ax = figure()
    from matplotlib.ticker import LogFormatter

    for (name, (x, y)), colour in zip(lines.items(), COLOURS * 3, strict=False):
        ax.plot(x, y, marker="o" if len(x) < 40 else None, markersize=4, label=name, color=colour)
    for name, level in (levels or {}).items():
        ax.axhline(level, color="#555555", linestyle="--", linewidth=1)
        ax.annotate(name, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#555555")
    if log_x:
        ax.set_xscale("log")
        places = sorted({value for x, _ in lines.values() for value in x})
        if len(places) <= 10:  # few enough to be named, each as it is
            ax.set_xticks(places, [f"{value:,}" for value in places])
            ax.set_xticks([], minor=True)
    elif all(isinstance(value, int) for x, _ in lines.values() for value in x):
        ax.xaxis.get_major_locator().set_params(integer=True)
    if log_y:
        ax.set_yscale("log")
        values = [value for _, y in lines.values() for value in y]
        if max(values) < 100 * min(values):  # numbers as they are, not 2 x 10^1
            ax.yaxis.set_major_formatter("{x:,g}")
            ax.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.4)))
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    if len(lines) > 1 or not levels:
        ax.legend(frameon=False)
    save(fig, path)


def plot_bars(path: Path, bars: dict[str, float], title: str, xlabel: str, ylabel: str) -> None:
    """One bar for each name, its value written above it."""
    fig, ax = figure()
    drawn = ax.bar(list(bars), list(bars.values()), color=COLOURS[0], width=0.7)
    ax.bar_label(drawn, fmt="%.2f", padding=2, fontsize=9)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    save(fig, path)


def plot_loss(path: Path, metrics: Sequence[dict], levels: dict[str, float] | None = None) -> None:
    """Training and validation loss of one run (the rows of metrics.jsonl) against the step."""
    steps = [row["step"] for row in metrics]
    lines = {"validation (whole split)": (steps, [row["val_loss"] for row in metrics])}
    if all("train_loss" in row for row in metrics):
        lines["training"] = (steps, [row["train_loss"] for row in metrics])
    plot_lines(path, lines, "Loss of this run", "step", "nats per token", levels)


def plot_recall(path: Path, curves: dict[str, list[dict]], title: str = "Recall by distance") -> None:
    """Accuracy by distance band (rows of recall.by_distance) for each named model, with standard errors and chance."""
    fig, ax = figure()
    rows = max(curves.values(), key=len)
    for (name, bands), colour in zip(curves.items(), COLOURS * 3, strict=False):
        x = [(band["low"] * band["high"]) ** 0.5 for band in bands]
        accuracy, error = [band["accuracy"] for band in bands], [band["error"] for band in bands]
        ax.errorbar(x, accuracy, error, label=name, color=colour, marker="o", markersize=5, capsize=3)
    chance = [band["chance"] for band in rows]
    ax.plot([(band["low"] * band["high"]) ** 0.5 for band in rows], chance, "--", color="#555555", label="chance")
    ax.set_xscale("log")
    ax.set_xticks([(band["low"] * band["high"]) ** 0.5 for band in rows], [f"{b['low']}-{b['high']}" for b in rows])
    ax.minorticks_off()
    ax.set(title=title, xlabel="distance in characters", ylabel="recalled (forced choice)", ylim=(0, 1.03))
    ax.legend(frameon=False)
    save(fig, path)


def plot_text_heatmap(path: Path, text: str, rows: dict[str, Sequence[float]], title: str, columns: int = 80,
                      centre: bool = False) -> None:  # fmt: skip
    """Paint one value per character over a text, one panel for each named row of values.

    centre=True: values lie around zero (hidden units), and zero is white; else they start at the smallest (surprisal).
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lines = [text[i : i + columns] for i in range(0, len(text), columns)]
    height = max(1.0, 0.25 * len(lines) + 0.35) * len(rows)
    size = (columns * 0.115, height)
    fig, axes = plt.subplots(len(rows), 1, figsize=size, dpi=110, squeeze=False, layout="constrained")
    fig.suptitle(title)
    for ax, (name, values) in zip(axes[:, 0], rows.items(), strict=True):
        grid = [[float("nan")] * columns for _ in lines]
        for i, value in enumerate(values):
            grid[i // columns][i % columns] = float(value)
        limit = max(abs(float(value)) for value in values)
        low, high = (-limit, limit) if centre else (min(map(float, values)), max(map(float, values)))
        image = ax.imshow(grid, aspect="auto", cmap="RdBu_r" if centre else "OrRd", vmin=low, vmax=high)
        for row, line in enumerate(lines):
            for column, character in enumerate(line):
                shown = "⏎" if character == "\n" else character
                red, green, blue, _ = image.cmap(image.norm(grid[row][column]))
                ink = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.5 else "black"
                ax.text(column, row, shown, color=ink, ha="center", va="center", fontsize=8, family="DejaVu Sans Mono")
        ax.set_title(name, fontsize=9, loc="left")
        ax.set_xticks([])
        ax.set_yticks([])
    save(fig, path)


def plot_attention(path: Path, pieces: Sequence[str], weights, title: str) -> None:
    """Who looks at whom among these tokens: weights (T, T), a row for each that looks. Small ones are made visible."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import PowerNorm

    side = 2.2 + 0.16 * len(pieces)
    fig, ax = plt.subplots(figsize=(side + 0.8, side), dpi=110, layout="constrained")
    image = ax.imshow(weights, cmap="OrRd", norm=PowerNorm(0.5, 0, 1))
    ax.set_xticks(range(len(pieces)), pieces, rotation=90 if max(map(len, pieces)) > 2 else 0, parse_math=False)
    ax.set_yticks(range(len(pieces)), pieces, parse_math=False)
    ax.tick_params(length=0, labeltop=True, labelsize=7, labelfontfamily="DejaVu Sans Mono")
    ax.set(title=title, xlabel="what is looked at", ylabel="the token that looks")
    fig.colorbar(image, ax=ax, shrink=0.5, label="weight")
    save(fig, path)
