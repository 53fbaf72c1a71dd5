"""What the tests of every lesson's shell (test_interactive.py) share with those of the shell itself (test_repl.py)."""

import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from shared.repl import Session
from shared.runs import save_checkpoint
from shared.tokenizers import train_tokenizer

TEXT = "the quick brown fox jumps over the lazy dog, and the dog sleeps on.\n" * 40


def environment(folder: Path, **more: str) -> dict[str, str]:
    """This process's, without what would change colours or encodings, and with the learner's progress elsewhere."""
    changing = "NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS"
    kept = {key: value for key, value in os.environ.items() if key not in changing}
    kept |= {"LM_PROGRESS": str(folder / "progress.json"), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    return kept | {"OMP_NUM_THREADS": "1"} | more


def lively(model):
    """An untrained recurrent model, changed so that its next token depends on far more than the last one."""
    model.double().eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(80)
        for layer in model.layers:
            layer.weight_hh.mul_(5)
    return model


def new_session(make_model) -> Session:
    """Of the model that make_model(tokenizer) makes."""
    tokenizer = train_tokenizer("char", TEXT)
    return Session(make_model(tokenizer), tokenizer, length=60)


# /state, where `painted` and `run_lines` are the fixtures of those names


def check_range(row: tuple, beginning: str, right: Tensor) -> str:
    """A painted row is about the last of these values, from the lowest (-1) to the highest (+1); its name."""
    name, (pieces, values) = row
    right = right[-len(pieces) :]
    low, high = right.min(), right.max()
    assert name.startswith(beginning) and name.endswith(f" from {low:.2f} (blue, -) to {high:.2f} (red, +)")
    assert values == pytest.approx((2 * (right - low) / (high - low) - 1).tolist(), abs=1e-3)
    return name


def check_half_is_left(name: str, gate: Tensor) -> None:
    """The row's name says after how many tokens half is left, where a unit's gate (tokens,) says what it keeps."""
    tokens = float(re.search(r"after ([\d.]+) tokens", name)[1])
    left = gate.double().prod().item()  # of what was there before all that is shown
    assert left ** (tokens / len(gate)) == pytest.approx(0.5, abs=0.05)


def check_state_leaves_the_text_and_the_sampler_alone(session: Session, run_lines) -> None:
    run_lines("the dog")
    text, probs = list(session.token_ids), run_lines("/probs")
    run_lines("/state")
    assert session.token_ids == text and run_lines("/probs") == probs


def check_state_shows_no_more_than_fits(run_lines, painted: dict) -> None:
    run_lines("/length 1", "the quick\\n brown fox\\n" * 10, "/state")
    pieces = next(iter(painted.values()))[0]
    assert 68 <= sum(map(len, pieces)) <= 70 and len(pieces) < 70  # a new line takes two


# The whole program


def check_from_a_pipe(lesson: Path, session: Session, folder: Path, greeting: str, gate: str) -> None:
    """interactive.py, with a checkpoint of the session's model, greets and paints `gate`, in every layer, twice."""
    model, program = session.model, lesson / "interactive.py"
    save_checkpoint(folder / "best.pt", lesson.name, model, asdict(model.config), session.tokenizer)
    lines = "the dog\n/state\n/stateless on\n\n/state\n/stateless off\n\n/compare the fox\n"
    done = subprocess.run([sys.executable, program, "--checkpoint", "best.pt", "--length", "90"], input=lines,
                          text=True, encoding="utf-8", cwd=folder, env=environment(folder), capture_output=True,
                          timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stderr == "" and "\x1b" not in done.stdout
    shown = done.stdout.splitlines()
    assert shown[0].startswith(greeting) and shown[-1] == "bye"
    assert len([row for row in shown if gate in row]) == 2 * len(model.layers)
    assert len([row for row in shown if row[38:41] == " | "]) >= 4
    progress = (folder / "progress.json").read_text(encoding="utf-8")
    assert f"{lesson.name.split('-')[1]} interactive" in progress
