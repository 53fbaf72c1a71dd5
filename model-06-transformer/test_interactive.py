"""Lesson 06's interactive.py: what /state says and /attention draws. Run: pytest model-06-transformer

(What every lesson's shell does is tested in shared/tests/test_repl.py.)
"""

import re
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
import torch

from shared.lessons import load
from shared.repl import Repl
from shared.runs import save_checkpoint
from shared.tests.shell import (
    check_state_leaves_the_text_and_the_sampler_alone,
    environment,
    new_session,
)

LESSON = Path(__file__).resolve().parent
shell = load(LESSON / "interactive.py")
lesson = load(LESSON / "model.py")
SHADES = "·░▒▓█"


def make_model(tokenizer, context_length=24, **settings):
    """Untrained, and changed so that heads look at something."""
    torch.manual_seed(3)
    config = lesson.TransformerConfig(tokenizer.vocab_size, context_length, 8, 2, 2, **settings)
    model = lesson.TransformerLM(config).double().eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
        for block in model.blocks:
            block.attention.qkv.weight.mul_(100)
    return model


@pytest.fixture
def session():
    return new_session(make_model)


@pytest.fixture
def run_lines(session, shown_by, tmp_path):
    """Type lines into a shell around the session: what it showed. Figures go to tmp_path."""
    attention = partial(shell.show_attention, folder=tmp_path)
    return lambda *lines: shown_by(Repl(session, shell.show_state, {"/attention": ("its help", attention)}), *lines)


# /state


@pytest.mark.parametrize("settings", [{}, {"token_shift": True, "positions": "rotary"}])
def test_state_counts_what_the_cache_holds(session, run_lines, settings):
    """2 layers of keys and values of 8 numbers for each token, in float64; with token_shift two vectors more."""
    session.model = make_model(session.tokenizer, **settings)
    session.reset()
    shown = run_lines("/length 1", "the dog", "/state")
    session.need_text()
    parts = [part for layer in session.sampler.state[:-1] for part in layer]
    numbers = 8 * 2 * 2 * 8 + (2 * 2 * 8 if settings else 0)
    assert sum(part.numel() for part in parts) == numbers
    assert "in the cache: 8 of 24 tokens; 0 before them are forgotten" in shown
    assert "2 layer(s) x 2 head(s), a key and a value of 4 for each token" in shown
    assert f"{numbers:,} numbers, {8 * numbers:,} bytes; one token more adds 32 numbers" in shown
    assert "it begins with: the dog" in shown


def test_state_beyond_the_window_says_what_is_forgotten(session, run_lines):
    shown = run_lines("/length 1", "the quick brown fox jumps over the lazy dog", "/state")
    held, gone = map(int, re.search(r"in the cache: (\d+) of 24 tokens; (\d+) before", shown).groups())
    assert held + gone == 44 and 12 < held <= 24
    text = "the quick brown fox jumps over the lazy dog"
    assert f"it begins with: {text[gone:]}" in shown


def test_stateless_leaves_one_token_in_the_cache(run_lines):
    shown = run_lines("/length 5", "/stateless on", "the dog", "/state", "/attention")
    assert "in the cache: 1 of 24 tokens; 11 before them" in shown
    assert "100% of all weight is on what is shown" in shown


def test_state_before_any_text(run_lines):
    """The start token."""
    assert "in the cache: 1 of 24 tokens; 0 before" in run_lines("/state")


def test_state_and_attention_leave_the_text_and_the_sampler_alone(session, run_lines):
    check_state_leaves_the_text_and_the_sampler_alone(session, run_lines)
    text, probs = list(session.token_ids), run_lines("/probs")
    run_lines("/attention 2 2")
    assert session.token_ids == text and run_lines("/probs") == probs


# /attention


def drawn(shown: str) -> list[tuple[str, str]]:
    """Pieces and shades of the rows."""
    return [(row[1].strip(), row[2][::2]) for row in re.finditer(rf"^  (.+?) ((?:([{SHADES}])\3)+)$", shown, re.M)]


@pytest.mark.parametrize("settings", [{}, {"token_shift": True, "qk_norm": True, "positions": "rotary"}])
@pytest.mark.parametrize(("layer", "head"), [(1, 1), (1, 2), (2, 1)])
@torch.no_grad()
def test_attention_draws_the_weights_of_the_head(session, run_lines, tmp_path, settings, layer, head):
    session.model = model = make_model(session.tokenizer, **settings)
    session.reset()
    shown = run_lines("/length 1", "the fox jumps", f"/attention {layer} {head}")
    rows, token_ids = drawn(shown), torch.tensor([session.token_ids])
    weights = model.attention_maps(token_ids)[0, layer - 1, head - 1]
    assert len(rows) == token_ids.shape[1] == 14
    for place, (piece, shades) in enumerate(rows):
        assert piece == session.tokenizer.token_text(session.token_ids[place]).strip()
        limits = torch.tensor([0.02, 0.1, 0.25, 0.5], dtype=torch.float64)
        expected = torch.bucketize(weights[place, : place + 1], limits, right=True).tolist()
        assert shades == "".join(SHADES[shade] for shade in expected)
    assert len({shade for _, shades in rows for shade in shades}) > 2
    assert "100% of all weight is on what is shown" in shown
    assert (tmp_path / f"attention-layer-{layer}-head-{head}.png").read_bytes().startswith(b"\x89PNG")


def test_attention_alone_is_that_of_the_first_head(run_lines):
    first = run_lines("/length 1", "the fox", "/attention 1 1", "/attention")
    one, other = first.split("layer 1, head 1: ")[1:]
    assert drawn(one) == drawn(other) != []


def test_a_figure_never_takes_the_place_of_another(run_lines, tmp_path):
    shown = run_lines("/length 1", "the fox", "/attention 1 2", "the dog", "/attention 1 2")
    files = sorted(file.name for file in tmp_path.iterdir())
    assert files == ["attention-layer-1-head-2-2.png", "attention-layer-1-head-2.png"]
    assert [shown.count(f"{name}\n") for name in files] == [1, 1]


@pytest.mark.parametrize(("columns", "most"), [("80", 32), ("50", 23), ("20", 8)])
def test_the_map_is_no_wider_than_the_terminal(session, run_lines, monkeypatch, columns, most):
    """The last tokens; the line below says how much of the weight is beyond them."""
    monkeypatch.setenv("COLUMNS", columns)
    session.model = make_model(session.tokenizer, context_length=64)
    session.reset()
    shown = run_lines("/length 1", "the quick\\n brown fox jumps over the lazy dog", "/attention 2 1")
    rows = drawn(shown)
    assert len(rows) == most and [len(shades) for _, shades in rows] == list(range(1, most + 1))
    assert len(rows) * 2 + 4 <= int(columns)
    assert 0 <= int(re.search(r"(\d+)% of all weight", shown)[1]) < 100


NONSENSE = "0 1", "3 1", "1 3", "-1 1", "1", "1 2 3", "a b", "1.5 1", "² 1", "1, 1"


@pytest.mark.parametrize("argument", [*NONSENSE, "9" * 5000 + " 1"])
def test_nonsense_is_one_clear_line(run_lines, tmp_path, argument):
    shown = run_lines("/length 1", "the fox", f"/attention {argument}")
    line = "error: /attention needs a layer from 1 to 2 and a head from 1 to 2\n"
    assert shown.endswith(line) and shown.count("\n") == 3 and not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_one_line_after_the_map(run_lines, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shell, "plot_attention", full)
    shown = run_lines("/length 1", "the fox", "/attention")
    assert len(drawn(shown)) == 8 and "error: cannot write the figure" in shown and "No space left" in shown


# The whole program


def run_piped(session, folder: Path, lines: str, *flags: str, **more: str) -> str:
    model = session.model.float()
    save_checkpoint(folder / "best.pt", LESSON.name, model, asdict(model.config), session.tokenizer)
    done = subprocess.run([sys.executable, LESSON / "interactive.py", "--checkpoint", "best.pt", *flags], input=lines,
                          text=True, encoding="utf-8", cwd=folder, env=environment(folder, **more),
                          capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout


def test_from_a_pipe(session, tmp_path):
    """Without colour, and nothing but a checkpoint in the folder before; figures lie beside it."""
    lines = "the dog\n/state\n/attention 2 2\n/attention x\n/stateless on\n\n/state\n/compare the fox\n/help\n"
    shown = run_piped(session, tmp_path, lines, "--length", "90")
    assert "\x1b" not in shown and shown.startswith("Transformer, 2 layer(s) of 8 with 2 head(s), 24 tokens, ")
    assert len(drawn(shown)) >= 13 and shown.count("in the cache: ") == 2
    assert "figure: attention-layer-2-head-2.png\n" in shown and (tmp_path / "attention-layer-2-head-2.png").exists()
    assert "error: /attention needs" in shown and "/attention  " in shown and shown.endswith("bye\n")
    assert "06 interactive" in (tmp_path / "progress.json").read_text(encoding="utf-8")


def test_in_colour_cells_have_a_ground(session, tmp_path):
    colours = {"FORCE_COLOR": "1", "COLORTERM": "truecolor"}
    shown = run_piped(session, tmp_path, "the dog\n/attention\n", "--length", "1", **colours)
    assert shown.count("\x1b[48;2;255;") == 8 * 9 // 2 and not set(SHADES) & set(shown)


def test_a_terminal_without_these_characters_gets_others(session, tmp_path):
    shown = run_piped(session, tmp_path, "the dog\n/attention\n", "--length", "1", PYTHONIOENCODING="ascii")
    assert not set(SHADES) & set(shown) and "* from" not in shown.split("#")[0] and "# from 50%" in shown


def test_generate_writes_on_beyond_the_window(session, tmp_path):
    model = session.model.float()
    save_checkpoint(tmp_path / "best.pt", LESSON.name, model, asdict(model.config), session.tokenizer)
    flags = "--checkpoint", "best.pt", "--prompt", "the dög", "--length", "70"
    done = subprocess.run([sys.executable, LESSON / "generate.py", *flags], cwd=tmp_path, env=environment(tmp_path),
                          capture_output=True, text=True, encoding="utf-8", timeout=60)  # fmt: skip
    assert done.returncode == 0 and "'ö'" in done.stderr and "left out of the prompt" in done.stderr
    assert done.stdout.startswith("the dg") and len(done.stdout) == 6 + 70 + 1
