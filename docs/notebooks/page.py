"""What the notebooks share: figures and tables in the page, and small enough to be committed.

In a notebook a figure appears under its cell. Where the same file runs as a plain script, a line stands in its place.
"""

import io
import json
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.console import LearnerError
from shared.lessons import ROOT
from shared.results import text
from shared.visualize import save

WIDEST, COLOURS = 900, 128  # of a figure in the page: pixels, and how many different colours


def draw(plot: Callable, *args, **settings) -> None:
    """Show what a function of shared.visualize draws: plot(path, *args, **settings) writes a PNG to the path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        plot(path, *args, **settings)
        show_png(path.read_bytes())


def show(fig) -> None:
    """Show a matplotlib figure, and let go of it."""
    draw(lambda path: save(fig, path))


def result_figure(lesson: str, name: str) -> None:
    """Show results/NAME.png of a lesson, such as model-01-ngram: what its experiment found, in minutes or hours."""
    path = results(lesson, name, ".png")
    print(f"{lesson}/results/{name}.png")
    show_png(path.read_bytes())


def result_table(lesson: str, name: str, columns: Sequence[str] | None = None) -> None:
    """Print results/NAME.json of a lesson as a table: all of its columns, or those named."""
    found = json.loads(results(lesson, name, ".json").read_text(encoding="utf-8"))
    places = [found["columns"].index(column) for column in columns or found["columns"]]
    rows = [[text(row[place]) for place in places] for row in [found["columns"], *found["rows"]]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"{lesson}/results/{name}.json\n")
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def results(lesson: str, name: str, suffix: str) -> Path:
    """The path of a lesson's result. LearnerError where it is not there."""
    path = ROOT / lesson / "results" / (name + suffix)
    if not path.exists():
        raise LearnerError(f"{lesson}/results/{path.name} is not there: its experiment has not been run")
    return path


def show_png(data: bytes) -> None:
    """Show a PNG: no wider than WIDEST pixels, in COLOURS colours."""
    if "ipykernel" not in sys.modules:
        print("[a figure: the notebook shows it]")
        return
    from IPython.display import Image, display
    from PIL import Image as Pillow

    image, file = Pillow.open(io.BytesIO(data)).convert("RGB"), io.BytesIO()
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Pillow.Resampling.LANCZOS)
    image.quantize(COLOURS, dither=Pillow.Dither.NONE).save(file, "PNG", optimize=True)
    display(Image(file.getvalue()))


def wrapped(text: str, columns: int = 96) -> str:
    """A text whose lines are long, with its lines broken."""
    return "\n".join(textwrap.fill(line, columns) for line in text.split("\n"))
