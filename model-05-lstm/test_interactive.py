"""Lesson 05's interactive.py: what /state paints. Run: pytest model-05-lstm

(What every lesson's shell does is tested in shared/tests/test_repl.py.)
"""

from pathlib import Path

import pytest
import torch

from shared.lessons import load
from shared.repl import Repl
from shared.tests.shell import (
    check_from_a_pipe,
    check_half_is_left,
    check_range,
    check_state_leaves_the_text_and_the_sampler_alone,
    check_state_shows_no_more_than_fits,
    lively,
    new_session,
)

LESSON = Path(__file__).resolve().parent
shell = load(LESSON / "interactive.py")
lesson = load(LESSON / "model.py")


def make_model(tokenizer, **settings):
    torch.manual_seed(3)
    return lively(lesson.LSTMLM(lesson.LSTMConfig(tokenizer.vocab_size, 8, 16, **settings)))


@pytest.fixture
def session():
    return new_session(make_model)


@pytest.fixture
def run_lines(session, shown_by):
    """Type lines into a shell around the session: what it showed."""
    return lambda *lines: shown_by(Repl(session, shell.show_state), *lines)


# /state


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
            hidden = hidden + outputs if model.config.residual and number else outputs
    rows = iter(painted.items())
    pieces = next(iter(painted.values()))[0]
    assert pieces == [session.tokenizer.token_text(token) for token in session.token_ids[-len(pieces) :]]
    for number, layer_seen in enumerate(seen, start=1):
        input_gate, forget_gate, output_gate, cells = torch.stack(layer_seen, dim=1)  # (tokens, H)
        check_range(next(rows), f"layer {number}, forget gate: ", forget_gate.mean(dim=1))
        check_range(next(rows), f"layer {number}, input gate: ", input_gate.mean(dim=1))
        check_range(next(rows), f"layer {number}, output gate: ", output_gate.mean(dim=1))
        forget_gate, cells = forget_gate[-len(pieces) :], cells[-len(pieces) :]
        unit = int(forget_gate.log().sum(dim=0).argmax())
        name = check_range(next(rows), f"layer {number}, unit {unit} keeps longest: ", cells[:, unit])
        check_half_is_left(name, forget_gate[:, unit])
    for unit in cells.std(dim=0).argsort(descending=True)[:3].tolist():
        check_range(next(rows), f"layer {number}, unit {unit} moves", cells[:, unit])


@pytest.mark.parametrize("lines", [["/state"], ["/stateless on", "/state"]])
def test_state_before_any_text(run_lines, painted, lines):
    """The start token, where nothing varies."""
    run_lines(*lines)
    assert len(painted) == 11 and all(row == (["\\n"], [0.0]) for row in painted.values())


def test_state_leaves_the_text_and_the_sampler_alone(session, run_lines):
    check_state_leaves_the_text_and_the_sampler_alone(session, run_lines)


def test_state_shows_no_more_than_fits(run_lines, painted):
    check_state_shows_no_more_than_fits(run_lines, painted)


# The whole program


def test_from_a_pipe(session, tmp_path):
    check_from_a_pipe(LESSON, session, tmp_path, "LSTM, 2 layer(s) of 16, ", "forget gate")
