"""What each preset gives: trains them one after another and tabulates their summary.json. Half an hour.

    python experiments/presets.py
    python experiments/presets.py quick names        only these; the rows of the others stay as they are
    python experiments/presets.py --no-training      only the table, from the runs in checkpoints/
"""

import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

from train import PRESETS

from shared.console import run
from shared.presets import tabulate

if __name__ == "__main__":
    run(lambda: tabulate(LESSON, PRESETS, __doc__))
