"""Lesson 05's interactive.py: what /state paints. Run: pytest model-05-lstm

(What every lesson's shell does is tested in shared/tests/test_repl.py.)
"""

import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from shared import repl
from shared.lessons import load
from shared.repl import Repl, Session
from shared.runs import save_checkpoint
from shared.tokenizers import train_tokenizer

LESSON = Path(__file__).resolve().parent
TEXT = "the quick brown fox jumps over the lazy dog, and the dog sleeps on.\n" * 40
shell = load(LESSON / "interactive.py")
lesson = load(LESSON / "model.py")


def make_model(tokenizer, **settings):
    """An untrained LSTM whose next token depends on far more than the last one."""
    torch.manual_seed(3)
    model = lesson.LSTMLM(lesson.LSTMConfig(tokenizer.vocab_size, 8, 16, **settings)).double().eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(80)
        for layer in model.layers:
            layer.weight_hh.mul_(5)
    return model


@pytest.fixture
def session():
    tokenizer = train_tokenizer("char", TEXT)
    return Session(make_model(tokenizer), tokenizer, length=60)


@pytest.fixture
def run_lines(monkeypatch, capsys, session, type_lines):
    """Type lines into a shell around the session: what it showed, without greeting and bye."""
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*lines: str | BaseException) -> str:
        type_lines(Repl(session, shell.show_state), *lines)
        return capsys.readouterr().out.partition("lists the commands.\n")[2].removesuffix("bye\n")

    return run


# /state


@pytest.fixture
def painted(monkeypatch):
    """name -> (pieces, values) of all that /state has painted."""
    rows = {}
    monkeypatch.setattr(repl, "paint", lambda name, pieces, values: rows.update({name: (pieces, values)}))
    return rows


@pytest.mark.parametrize("settings", [{}, {"residual": True, "num_layers": 3}, {"peepholes": True, "num_layers": 1}])
@pytest.mark.parametrize("stateless", ["off", "on"])
@torch.no_grad()
def test_state_shows_what_the_layers_did(session, run_lines, painted, settings, stateless):
    """Over the whole text, read one token at a time: the gates' means, the cells that keep longest and that move."""
    session.model = model = make_model(session.tokenizer, **settings)
    run_lines("/length 100", f"/stateless {stateless}", "the dog", "/state")
    assert len(painted) == 4 * len(model.layers) + 3
    seen, state = [[] for _ in model.layers], [None] * len(model.layers)
    for token in session.token_ids:
        hidden = model.embedding(torch.tensor([[token]]))
        for number, layer in enumerate(model.layers):
            *gates, cells, outputs = layer.gates(hidden, None if stateless == "on" else state[number])
            seen[number].append(torch.stack([part[0, 0] for part in (*gates, cells)]))
            state[number] = outputs[:, 0], cells[:, 0]
            hidden = hidden + outputs if model.config.residual and hidden.shape == outputs.shape else outputs
    rows = iter(painted.items())

    def check(beginning: str, right: torch.Tensor) -> str:
        """The next row is about these values, from the lowest (-1) to the highest (+1); the end of its name."""
        name, (pieces, values) = next(rows)
        right = right[-len(pieces) :]
        low, high = right.min(), right.max()
        assert name.startswith(beginning) and name.endswith(f" from {low:.2f} (blue, -) to {high:.2f} (red, +)")
        assert values == pytest.approx((2 * (right - low) / (high - low) - 1).tolist(), abs=1e-3)
        return name

    pieces = next(iter(painted.values()))[0]
    assert pieces == [session.tokenizer.token_text(token) for token in session.token_ids[-len(pieces) :]]
    for number, layer_seen in enumerate(seen, start=1):
        input_gate, forget_gate, output_gate, cells = torch.stack(layer_seen, dim=1)  # (tokens, H)
        check(f"layer {number}, forget gate: ", forget_gate.mean(dim=1))
        check(f"layer {number}, input gate: ", input_gate.mean(dim=1))
        check(f"layer {number}, output gate: ", output_gate.mean(dim=1))
        forget_gate, cells = forget_gate[-len(pieces) :], cells[-len(pieces) :]
        unit = int(forget_gate.log().sum(dim=0).argmax())
        name = check(f"layer {number}, unit {unit} keeps longest: ", cells[:, unit])
        tokens = float(re.search(r"after ([\d.]+) tokens", name)[1])
        left = forget_gate[:, unit].prod().item()  # of what c was before all that is shown
        assert left ** (tokens / len(pieces)) == pytest.approx(0.5, abs=0.05)
    for unit in cells.std(dim=0).argsort(descending=True)[:3].tolist():
        check(f"layer {number}, unit {unit} moves", cells[:, unit])


@pytest.mark.parametrize("lines", [["/state"], ["/stateless on", "/state"]])
def test_state_before_any_text(run_lines, painted, lines):
    """The start token, where nothing varies."""
    run_lines(*lines)
    assert len(painted) == 11 and all(row == (["\\n"], [0.0]) for row in painted.values())


def test_state_leaves_the_text_and_the_sampler_alone(session, run_lines):
    run_lines("the dog")
    text, probs = list(session.token_ids), run_lines("/probs")
    run_lines("/state")
    assert session.token_ids == text and run_lines("/probs") == probs


def test_state_shows_no_more_than_fits(session, run_lines, painted):
    run_lines("/length 1", "the quick\\n brown fox\\n" * 10, "/state")
    pieces = next(iter(painted.values()))[0]
    assert 68 <= sum(map(len, pieces)) <= 70 and len(pieces) < 70  # a new line takes two


# The whole program


def test_from_a_pipe(tmp_path):
    tokenizer = train_tokenizer("char", TEXT)
    model = make_model(tokenizer)
    save_checkpoint(tmp_path / "best.pt", LESSON.name, model, asdict(model.config), tokenizer)
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    kept |= {"LM_PROGRESS": str(tmp_path / "progress.json"), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(LESSON / "interactive.py"), "--checkpoint", "best.pt", "--length", "90"]
    lines = "the dog\n/state\n/stateless on\n\n/state\n/stateless off\n\n/compare the fox\n"
    done = subprocess.run(command, input=lines, text=True, encoding="utf-8", cwd=tmp_path, env=kept,
                          capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stderr == "" and "\x1b" not in done.stdout
    shown = done.stdout.splitlines()
    assert shown[0].startswith("LSTM, 2 layer(s) of 16, ") and shown[-1] == "bye"
    assert len([row for row in shown if "forget gate" in row]) == 4
    assert len([row for row in shown if row[38:41] == " | "]) >= 4
    assert "05 interactive" in (tmp_path / "progress.json").read_text(encoding="utf-8")
