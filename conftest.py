"""Tests leave no trace in the learner's own progress file: they, and every process they start, use another."""

import os
import tempfile

os.environ["LM_PROGRESS"] = os.path.join(tempfile.mkdtemp(prefix="lm-progress-"), "progress.json")
