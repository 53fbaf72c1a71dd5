"""What each preset gives: trains them one after another and tabulates their summary.json. Half an hour.

    python experiments/presets.py
    python experiments/presets.py quick word         only these; the rows of the others stay as they are
    python experiments/presets.py --no-training      only the table, from the runs in checkpoints/

The samples that the default preset writes on its way, from the first evaluation to the last, go to results/samples.md.
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from train import PRESETS

from shared.console import run
from shared.presets import folder_of, tabulate


def write_samples(samples: str) -> None:
    """The samples.txt of a run as Markdown: each under its step and loss."""
    about = "Written by `experiments/presets.py`: the default preset on its way, one seed."
    lines = ["# Samples by loss", "", about, ""]
    for sample in samples.split("--- ")[1:]:
        heading, text = sample.split("\n", 1)
        lines += [f"## {heading.capitalize()}", "", "```text", text.strip("\n"), "```", ""]
    (LESSON / "results" / "samples.md").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8", newline="\n")


def main() -> None:
    if "default" in tabulate(LESSON, PRESETS, __doc__):
        write_samples((folder_of(LESSON, "default") / "samples.txt").read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main)
