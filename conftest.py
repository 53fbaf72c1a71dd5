"""Tests leave no trace in the learner's own progress file: they, and every process they start, use another."""

import os
import tempfile

import pytest

os.environ["LM_PROGRESS"] = os.path.join(tempfile.mkdtemp(prefix="lm-progress-"), "progress.json")


@pytest.fixture
def type_lines(monkeypatch):
    """type_lines(repl, *lines): the shell gets these lines, then the end of input; an exception stands for a key."""

    def run(repl, *lines: str | BaseException) -> None:
        waiting = iter([*lines, EOFError()])

        def answer(prompt=""):
            line = next(waiting)
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", answer)
        repl.run("a tiny model")

    return run
