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
from shared.presets import tabulate, write_samples


def main() -> None:
    if "default" in tabulate(LESSON, PRESETS, __doc__):
        write_samples(LESSON)


if __name__ == "__main__":
    run(main)
