"""Tests leave no trace in the learner's own progress file: they, and every process they start, use another."""

import os
import tempfile

import pytest

os.environ["LM_PROGRESS"] = os.path.join(tempfile.mkdtemp(prefix="lm-progress-"), "progress.json")
pytest.register_assert_rewrite("shared.tests")  # an assert in what the tests share, too, says what it compared


@pytest.fixture
def one_thread(monkeypatch):
    """Tiny products gain nothing from more, and sums over another number of threads differ in the last digit."""
    import torch

    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def typed(monkeypatch):
    """typed(*lines): a shell that is started then gets these lines, and the end of input; an exception is a key."""

    def run(*lines: str | BaseException) -> None:
        waiting = iter([*lines, EOFError()])

        def answer(prompt=""):
            line = next(waiting)
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", answer)

    return run


@pytest.fixture
def type_lines(typed):
    """type_lines(repl, *lines): run the shell with these lines typed."""

    def run(repl, *lines: str | BaseException) -> None:
        typed(*lines)
        repl.run("a tiny model")

    return run


@pytest.fixture
def shown_by(monkeypatch, capsys, type_lines):
    """shown_by(repl, *lines): what the shell shows, without colours, greeting and bye, when these lines are typed."""
    monkeypatch.setenv("NO_COLOR", "1")

    def run(repl, *lines: str | BaseException) -> str:
        type_lines(repl, *lines)
        return capsys.readouterr().out.partition("lists the commands.\n")[2].removesuffix("bye\n")

    return run


@pytest.fixture
def painted(monkeypatch):
    """name -> (pieces, values) of all that shared.repl.paint was to paint."""
    rows = {}
    monkeypatch.setattr("shared.repl.paint", lambda name, pieces, values: rows.update({name: (pieces, values)}))
    return rows
