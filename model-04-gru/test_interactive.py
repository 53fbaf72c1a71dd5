"""Lesson 04's interactive.py: /state, /stateless in the middle of a text, /compare. Run: pytest model-04-gru

(What every lesson's shell does is tested in shared/tests/test_repl.py.)
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from shared.lessons import load
from shared.repl import Repl, Session
from shared.runs import save_checkpoint
from shared.sampling import generate
from shared.tokenizers import WordTokenizer, train_tokenizer

LESSON = Path(__file__).resolve().parent
TEXT = "the quick brown fox jumps over the lazy dog, and the dog sleeps on.\n" * 40
terminal_only = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")
shell = load(LESSON / "interactive.py")
lesson = load(LESSON / "model.py")


def make_model(tokenizer, **settings):
    """An untrained GRU whose next token depends on far more than the last one."""
    torch.manual_seed(3)
    model = lesson.GRULM(lesson.GRUConfig(tokenizer.vocab_size, 8, 16, **settings)).double().eval()
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
def run_lines(monkeypatch, capsys, session):
    """Type lines into a shell around the session in this process: what it showed, without greeting and bye."""
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*lines: str | BaseException) -> str:
        waiting = iter([*lines, EOFError()])

        def answer(prompt=""):
            line = next(waiting)
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", answer)
        Repl(session, shell.show_state, shell.COMMANDS).run("a tiny GRU")
        return capsys.readouterr().out.partition("lists the commands.\n")[2].removesuffix("bye\n")

    return run


# /stateless


def test_stateless_in_the_middle_of_a_text(session, run_lines):
    """On: every token from the last one only. Off again: as if the whole text had been read with its state carried."""
    shown = run_lines("/greedy on", "the dog", "/stateless on", "", "/stateless off", "")
    assert shown.count("  stateless on\n") == shown.count("  stateless off\n") == 1
    tokens, model, start = session.token_ids, session.model, len("the dog")
    assert len(tokens) == start + 3 * 60
    parts = [tokens[: start + 60 * part] for part in range(3)]
    with torch.no_grad():
        after_each = model(torch.tensor(tokens)[:, None])[0][:, 0].argmax(dim=-1).tolist()  # each a text of its own
    assert tokens[start + 60 : start + 120] == after_each[start + 59 : start + 119]
    for part in (0, 2):
        written = tokens[len(parts[part]) : len(parts[part]) + 60]
        assert written == list(generate(model, parts[part], 60, greedy=True))
        assert written != list(generate(model, parts[part], 60, greedy=True, stateless=True))


def test_stateless_says_what_it_is_and_refuses_the_rest(session, run_lines):
    shown = run_lines("/stateless", "/stateless on", "/stateless", "/stateless perhaps", "/stateless", "/help")
    off, *on, error, still, helped = shown.split("\n", 5)
    assert off == "  stateless off" and on == ["  stateless on"] * 2 and still == "  stateless on"
    assert error == "error: type /stateless on or /stateless off"
    assert len(re.findall(r"^  /stateless +on\|off: .*off reads all again$", helped, re.MULTILINE)) == 1
    assert re.search(r"^  /compare +TEXT: ", helped, re.MULTILINE)
    assert session.token_ids == []


def test_off_when_it_was_off_reads_nothing_again(session, run_lines):
    run_lines("the dog")
    sampler = session.sampler
    run_lines("/stateless off")
    assert session.sampler is sampler


def test_off_before_any_text(session, run_lines):
    assert run_lines("/stateless on", "/stateless off", "/probs").count("entropy") == 1


def test_ctrl_c_while_the_text_is_read_again_loses_nothing(session, run_lines):
    run_lines("the dog", "/stateless on", "")
    text, state, forward = list(session.token_ids), session.sampler.state, session.model.forward
    session.model.forward = stop = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt())
    assert "[stopped]" in run_lines("/stateless off") and session.model.forward is stop
    session.model.forward = forward
    assert session.token_ids == text and session.sampler.state is state
    assert run_lines("/stateless") == "  stateless on\n"


# /compare


def columns_of(shown: str, width: int = 38) -> tuple[list[str], list[str]]:
    """The rows of both columns from the heading on; every row has them in their places."""
    shown = shown[shown.index("state carried") :]
    assert all(row[width : width + 3] == " | " for row in shown.splitlines()), shown
    rows = [(row[:width].rstrip(), row[width + 3 :].rstrip()) for row in shown.splitlines()]
    return tuple(map(list, zip(*rows, strict=True)))


def test_compare_is_one_text_under_two_policies_from_one_seed(session, run_lines):
    left, right = columns_of(run_lines("/temperature 0.7", "/top-k 5", "/compare the dog"))
    assert (left[0], right[0]) == ("state carried", "state dropped")
    texts = []
    for stateless in (False, True):
        settings = {"temperature": 0.7, "top_k": 5, "generator": torch.Generator().manual_seed(1337)}
        drawn = generate(session.model, session.tokenizer.encode("the dog"), 60, stateless=stateless, **settings)
        texts.append("the dog" + session.tokenizer.decode(list(drawn)))
    assert texts[0] != texts[1] and texts[0][:8] == texts[1][:8]  # the first token is drawn by both from the whole text
    for lines, text in ((left[1:], texts[0]), (right[1:], texts[1])):
        assert max(map(len, lines)) <= 38
        assert "".join("".join(lines).split()) == "".join(text.split())


def test_compare_leaves_the_session_alone(session, run_lines):
    once = run_lines("the dog", "").splitlines()
    session.reset()
    run_lines("/seed 1337")
    again = run_lines("the dog", "/compare quick", "/compare fox", "").splitlines()
    assert once[0] == again[0] and once[-1] == again[-1]
    assert len(session.token_ids) == 7 + 120
    assert run_lines("/stateless") == "  stateless off\n"


def test_compare_follows_the_seed_and_the_length(session, run_lines):
    first = run_lines("/compare the dog")
    assert run_lines("", "/compare the dog").endswith(first)  # what was drawn meanwhile changes nothing
    assert run_lines("/seed 5", "/compare the dog") != first
    assert run_lines("/seed 1337", "/compare the dog") == first
    left, right = columns_of(run_lines("/length 3", "/compare over\\nthe"))
    assert left[1] == right[1] == "over" and left[2].startswith("the") and right[2].startswith("the")


@pytest.mark.parametrize("line", ["/compare", "/compare   ", "/compare ÄÖÜ"])
def test_compare_needs_a_text(run_lines, line):
    assert run_lines(line) == "error: /compare needs a text to go on from: /compare ROMEO:\n"


def test_compare_puts_spaces_between_words(run_lines, session):
    session.tokenizer = WordTokenizer.train(TEXT)
    session.model = make_model(session.tokenizer)
    with torch.no_grad():
        session.model.lm_head.bias[session.tokenizer.encode("fox")[0]] = 1e6
    left, right = columns_of(run_lines("/length 3", "/compare the dog"))
    assert left[1:] == right[1:] == ["the dog fox fox fox"]


def test_ctrl_c_stops_a_comparison(session, run_lines, monkeypatch):
    run_lines("the dog")
    text, forward, calls = list(session.token_ids), session.model.forward, []

    def stop_after_100(*inputs):
        calls.append(inputs)
        if len(calls) > 100:
            raise KeyboardInterrupt
        return forward(*inputs)

    session.model.forward = stop_after_100
    shown = run_lines("/length 100000", "/compare the dog")
    session.model.forward = forward
    assert shown.endswith("[stopped]\n") and shown.count(" | ") >= 2
    assert session.token_ids == text


@pytest.mark.parametrize(("text", "width", "lines"), [
    ("the quick brown fox", 9, ["the quick", "brown fox"]),
    ("the quick brown fox", 10, ["the quick", "brown fox"]),
    ("one\n\ntwo\n", 9, ["one", "", "two", ""]),
    ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    ("a\tb", 9, ["a b"]),
    ("", 9, [""]),
])  # fmt: skip
def test_wrapped(text, width, lines):
    assert list(shell.wrapped(text, width)) == lines
    assert list(shell.wrapped([text[:3], text[3:]], width)) == lines


def test_a_line_comes_as_soon_as_it_is_whole():
    def pieces():
        yield from ("one ", "two", "\n", "thr")
        raise AssertionError("read on, although a line was whole")

    assert next(shell.wrapped(pieces(), 20)) == "one two"


# /state


@pytest.fixture
def painted(monkeypatch):
    """name -> (pieces, values) of all that /state has painted."""
    rows = {}
    monkeypatch.setattr(shell, "paint", lambda name, pieces, values: rows.update({name: (pieces, values)}))
    return rows


@pytest.mark.parametrize("settings", [{}, {"residual": True, "num_layers": 3}, {"reset_after": True, "num_layers": 1}])
@pytest.mark.parametrize("stateless", ["off", "on"])
@torch.no_grad()
def test_state_shows_what_the_layers_did(session, run_lines, painted, settings, stateless):
    """Over the whole text, read one token at a time: the gates' means, the unit that keeps longest, those that move."""
    session.model = model = make_model(session.tokenizer, **settings)
    run_lines("/length 100", f"/stateless {stateless}", "the dog", "/state")
    assert len(painted) == 3 * len(model.layers) + 3
    seen, state = [[] for _ in model.layers], [None] * len(model.layers)
    for token in session.token_ids:
        hidden = model.embedding(torch.tensor([[token]]))
        for number, layer in enumerate(model.layers):
            gates = layer.gates(hidden, None if stateless == "on" else state[number])
            seen[number].append(torch.stack([part[0, 0] for part in gates]))
            state[number], outputs = gates[2][:, 0], gates[2]
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

    shown = len(next(iter(painted.values()))[0])
    for number, layer_seen in enumerate(seen, start=1):
        reset, update, outputs = torch.stack(layer_seen, dim=1)  # (tokens, H)
        check(f"layer {number}, update gate: ", update.mean(dim=1))
        check(f"layer {number}, reset gate: ", reset.mean(dim=1))
        update, outputs = update[-shown:], outputs[-shown:]
        unit = int(update.log().sum(dim=0).argmax())
        name = check(f"layer {number}, unit {unit} keeps longest: ", outputs[:, unit])
        tokens = float(re.search(r"after ([\d.]+) tokens", name)[1])
        left = update[:, unit].double().prod().item()  # of what h was before all that is shown
        assert left ** (tokens / shown) == pytest.approx(0.5, abs=0.05)
    for unit in outputs.std(dim=0).argsort(descending=True)[:3].tolist():
        name, (pieces, values) = next(rows)
        assert name.startswith(f"layer {number}, unit {unit} moves")
        assert values == pytest.approx(outputs[:, unit].tolist(), abs=1e-5)
    assert pieces == [session.tokenizer.token_text(token) for token in session.token_ids[-len(pieces) :]]


@pytest.mark.parametrize("lines", [["/state"], ["/stateless on", "/state"]])
def test_state_before_any_text(run_lines, painted, lines):
    """The start token, where nothing varies."""
    run_lines(*lines)
    assert len(painted) == 9 and all(pieces == ["\\n"] for pieces, _ in painted.values())
    assert all(values == [0.0] for name, (_, values) in painted.items() if "moves" not in name)


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a tiny checkpoint in it."""
    folder, tokenizer = tmp_path_factory.mktemp("gru"), train_tokenizer("char", TEXT)
    model = make_model(tokenizer)
    save_checkpoint(folder / "best.pt", LESSON.name, model, asdict(model.config), tokenizer)
    return folder


def command(*flags: str) -> list[str]:
    return [str(LESSON / "interactive.py"), "--checkpoint", "best.pt", *flags]


def environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    kept |= {"LM_PROGRESS": str(folder / "progress.json"), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}
    return kept | {"TERM": "xterm-256color"}


def test_from_a_pipe(folder):
    lines = "the dog\n/state\n/stateless on\n\n/state\n/stateless off\n\n/compare the fox\n/compare\n"
    done = subprocess.run([sys.executable, *command("--length", "90")], input=lines, text=True, encoding="utf-8",
                          cwd=folder, env=environment(folder), capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == 0 and done.stderr == "" and "\x1b" not in done.stdout
    shown = done.stdout.splitlines()
    assert shown[0].startswith("GRU, 2 layer(s) of 16, ") and shown[-1] == "bye"
    assert len([row for row in shown if "update gate" in row]) == 4
    table = [row for row in shown if row[38:41] == " | "]
    assert table[0].split() == ["state", "carried", "|", "state", "dropped"] and len(table) >= 4
    assert all(len(row) <= 79 for row in table)
    assert shown[-2].startswith("error: /compare needs a text")
    assert "04 interactive" in (folder / "progress.json").read_text(encoding="utf-8")


@terminal_only
def test_at_a_terminal_of_80_columns(folder):
    """Both columns fill while one watches; Ctrl-C stops them, and the shell goes on."""
    import pexpect

    child = pexpect.spawn(
        sys.executable, command("--length", "90"), cwd=str(folder), env=environment(folder), timeout=30,
        encoding="utf-8", dimensions=(24, 80), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    prompt = r"(?m)^(?:\x1b\[\?2004h)?> $"
    child.expect(prompt)
    child.sendline("/compare the fox")
    child.expect(r"state carried +\| state dropped\r\n")
    child.expect(prompt)
    rows = re.sub(r"\x1b\[\?2004[hl]", "", child.before).replace("\r\n", "\n").splitlines()
    assert len(rows) >= 3 and all(row[38:41] == " | " and len(row) <= 79 for row in rows)
    child.sendline("/length 100000000")
    child.expect(prompt)
    child.sendline("/compare the fox")
    for _ in range(4):  # there are lines to see, long before 100,000,000 tokens are done
        child.expect(r" \| .*\r\n")
    child.sendintr()
    child.expect_exact("[stopped]")
    child.expect(prompt)
    child.sendline("/state")
    child.expect("update gate")
    child.expect(prompt)
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
