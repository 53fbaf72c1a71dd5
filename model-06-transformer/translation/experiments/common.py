"""What the experiments share: where their runs lie.

No experiment by itself: it writes nothing but checkpoints/NAME. Imported first, it puts the translation folder on the
path, which puts the lesson's there.
"""

import sys
from functools import partial
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(FOLDER))

from translate import load

from shared import translation_runs

LESSON = FOLDER.parent
trained = partial(translation_runs.trained, FOLDER, load)
