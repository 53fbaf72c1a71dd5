"""The shell, as a learner meets it: at a (pseudo-)terminal, from a pipe, and with models that misbehave."""

import argparse
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from shared import repl
from shared.console import LearnerError, sampling_flags
from shared.lessons import ROOT
from shared.repl import HELP, SETTINGS, Repl, Session
from shared.tests.shell import environment
from shared.tokenizers import CharTokenizer, WordTokenizer, train_tokenizer

LESSON = ROOT / "model-01-ngram"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:3[0-9]|38;5;[0-9]+)m")
PROMPT = r"(?m)^(?:\x1b\[\?2004h)?> $"
terminal_only = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix")


def tiny_text() -> str:
    draw = random.Random(1)
    words = "the cat sat on a mat and saw one dog by the river under old trees while rain fell".split()
    return "".join(" ".join(draw.choices(words, k=6)).capitalize() + ".\n" for _ in range(300))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory) -> Path:
    """A folder with a checkpoint of lesson 01, trained on a tiny text."""
    folder = tmp_path_factory.mktemp("repl")
    (folder / "tiny.txt").write_text(tiny_text(), encoding="utf-8")
    command = [sys.executable, LESSON / "train.py", "--dataset", "tiny.txt", "--out", "run", "--order", "4"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


def interactive(*flags: str) -> list[str]:
    return [str(LESSON / "interactive.py"), "--checkpoint", "run/best.pt", *flags]


# At a terminal


class Terminal:
    """A shell in a pseudo-terminal, 200 columns wide: type a line, get what was shown up to the next prompt."""

    def __init__(self, folder: Path, *flags: str, **env: str):
        import pexpect

        self.child = pexpect.spawn(
            sys.executable, interactive(*flags), cwd=str(folder), env=environment(folder, **env), timeout=30,
            encoding="utf-8", codec_errors="replace", dimensions=(50, 200),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore Ctrl-C
        )  # fmt: skip
        self.child.delaybeforesend = None
        self.greeting = self.shown(None)

    def shown(self, typed: str | None) -> str:
        """What came since, up to the next prompt, without the echo of what was typed."""
        self.child.expect(PROMPT)
        text = self.child.before.replace("\r\n", "\n").replace("\x1b[?2004l", "").replace("\r", "")
        text = text.replace("\x1b[?2004h", "")
        if typed is not None:
            assert ESCAPE.sub("", text).startswith(typed), f"no echo of {typed!r} in {text!r}"
            text = text.partition("\n")[2]
        return text

    def type(self, line: str) -> str:
        self.child.sendline(line)
        return self.shown(line)

    def leave(self) -> int:
        """Ctrl-D; the exit status."""
        import pexpect

        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        assert "bye" in self.child.before
        self.child.close()
        return self.child.exitstatus


@pytest.fixture(scope="module")
def terminal(run_folder):
    shell = Terminal(run_folder, "--length", "40")
    yield shell
    shell.child.close(force=True)


EVERY_COMMAND = ", ".join(usage.split()[0] for usage in HELP)
WRONG = {
    "/surprise": "at least two tokens",
    "/surprise é": "at least two tokens",
    "/temperature warm": "a number, for example 0.8, not 'warm'",
    "/temperature -1": "/temperature -1.0",
    "/temperature nan": "/temperature nan",
    "/temperature inf": "/temperature inf",
    "/top-k 0": "/top-k 0",
    "/top-k 1.5": "a whole number or off, for example 40, not '1.5'",
    "/top-p some": "a number or off, for example 0.9, not 'some'",
    "/top-p 0": "/top-p 0.0",
    "/top-p 1.1": "/top-p 1.1",
    "/top-p nan": "/top-p nan",
    "/greedy perhaps": "/greedy on or /greedy off",
    "/stateless 1": "/stateless on or /stateless off",
    "/length 0": "above zero, for example 500, not '0'",
    "/length -5": "not '-5'",
    "/length many": "not 'many'",
    "/seed": "/seed needs a whole number from 0 to 2^63 - 1, for example 1337",
    "/seed tomorrow": "not 'tomorrow'",
    "/seed -3": "not '-3'",
    "/seed 9223372036854775808": "not '9223372036854775808'",
    "/save": "name of a file",
    "/save run": "is a folder",
    "/save ~no-such-user-here/text.txt": "cannot write",
    "/save tiny.txt/text.txt": "cannot write",
    "/temprature 1": "did you mean /temperature?",
    "/SURPRICE": "did you mean /surprise?",
    "/": f"no command is called /: there are {EVERY_COMMAND}",
    "/xyzzy": f"no command is called /xyzzy: there are {EVERY_COMMAND}",
}


@terminal_only
class TestTerminal:
    """One session, in the order in which a learner would try things; each test leaves the shell at its prompt."""

    @pytest.fixture(autouse=True)
    def fresh(self, terminal):
        assert terminal.type("/greedy off") == "  greedy off\n"
        assert terminal.type("/length 40") == "  length 40\n"
        assert terminal.type("/reset") == "  all forgotten: back to the start of a text\n"

    def test_greeting_says_what_it_is_and_what_to_type(self, terminal):
        assert terminal.greeting.startswith("4-gram, kneser-ney, ")
        assert "/help" in terminal.greeting and "Enter" in terminal.greeting
        assert "Traceback" not in terminal.greeting

    def test_help_lists_every_command(self, terminal):
        shown = terminal.type("/help")
        assert terminal.type("/HELP") == shown
        assert [line.strip() for line in shown.splitlines()] == [f"{usage:<20} {what}" for usage, what in HELP.items()]

    def test_a_look_inside_before_any_text(self, terminal):
        assert "entropy" in terminal.type("/probs")
        assert "remembers" in terminal.type("/state")

    def test_text_goes_on_from_what_was_typed(self, terminal):
        terminal.type("/greedy on")
        terminal.type("/length 7")
        assert terminal.type("the rive").startswith("r")
        shown = terminal.type("The tree")
        assert shown.startswith("s") and len(shown.rstrip("\n")) <= 7

    def test_empty_input_goes_on(self, terminal):
        first = terminal.type("")
        assert len(first) == 41 and terminal.type("") != first

    def test_unknown_characters_are_left_out_with_a_warning(self, terminal):
        terminal.type("/greedy on")
        terminal.type("/length 2")
        shown = terminal.type("The é€ river un")
        assert shown.splitlines()[0] == "note: the model never saw 'é' '€': left out"
        assert shown.splitlines()[1].startswith("de")
        assert len(terminal.type("ééé").splitlines()) >= 2  # nothing is left to read: it just goes on

    def test_backslash_n_is_a_new_line(self, terminal):
        terminal.type("/length 1")
        terminal.type(r"fell.\n")
        assert r" . \n " in terminal.type("/state").splitlines()[0]  # and the token that it wrote

    def test_probs_shows_bars_and_entropy(self, terminal):
        terminal.type("/greedy on")
        terminal.type("The tre")
        heading, *rows, entropy = terminal.type("/probs").splitlines()
        assert heading.split() == ["model", "drawn"]  # greedy draws otherwise than the model would
        assert len(rows) == 12 and all(re.fullmatch(r"  (\S|\\n) +\d+\.\d% +\d+\.\d%  █*", row) for row in rows)
        shares, drawn = zip(*[map(float, re.findall(r"([\d.]+)%", row)) for row in rows], strict=True)
        assert list(shares) == sorted(shares, reverse=True) and 50 < sum(shares) <= 100.1
        assert drawn == (100.0, *[0.0] * 11)
        assert re.fullmatch(r"  entropy \d\.\d\d bits of 5\.\d\d", entropy)
        terminal.type("/greedy off")
        heading, *plain, same = terminal.type("/probs").splitlines()
        assert heading.split() == ["model"] and same == entropy
        assert all(re.fullmatch(r"  (\S|\\n) +\d+\.\d%  █*", row) for row in plain)
        assert [float(re.search(r"([\d.]+)%", row)[1]) for row in plain] == list(shares)

    def test_state_shows_contexts_and_counts(self, terminal):
        terminal.type("/greedy on")
        terminal.type("/length 1")
        terminal.type("The rive")  # and it writes r
        first, *contexts = terminal.type("/state").splitlines()
        assert first == "  remembers up to 3 tokens: v e r"
        assert [line.split(" times")[0].split()[0] for line in contexts] == ["'ver'", "'er'", "'r'", "(any)"]
        count = tiny_text()[: int(0.9 * len(tiny_text()))].count("ver")
        assert f"{count} times, then:" in contexts[0]

    def test_surprise_is_in_colour(self, terminal):
        shown = terminal.type("/surprise The catq xrain.")
        assert shown.splitlines()[0] == "note: the model never saw 'q' 'x': left out"
        painted, legend, mean = shown.splitlines()[1:]
        assert ESCAPE.sub("", painted) == "The cat rain." and len(set(COLOUR.findall(painted))) >= 2
        assert COLOUR.search(legend)
        assert ESCAPE.sub("", legend) == "under 1  1-2  2-4  4-8  8 bits or more"
        assert re.fullmatch(r"  \d+\.\d\d bits per token \(the first is not scored\); the worst: \d+\.\d", mean)
        assert "⏎" in ESCAPE.sub("", terminal.type(r"/surprise fell.\nThe"))

    def test_surprise_leaves_the_text_alone(self, terminal):
        before = terminal.type("/state")
        terminal.type("/surprise Under old trees.")
        assert terminal.type("/state") == before

    def test_settings_are_taken_and_shown(self, terminal):
        """A command with a value echoes it; one without shows the present value, and changes nothing."""
        for line, value in {
            "/temperature 0.5": "0.5", "/temperature 0": "0.0", "/TEMPERATURE 1": "1.0", "/top-k 3": "3",
            "/top-k off": "off", "/top-p 1": "1.0", "/top-p 0.5": "0.5", "/top-p off": "off", "/greedy on": "on",
            "/greedy off": "off", "/stateless on": "on", "/stateless off": "off", "/length 12": "12",
        }.items():  # fmt: skip
            name = line.lower().split()[0]
            assert terminal.type(line) == f"  {name[1:]} {value}\n"
            assert terminal.type(name) == terminal.type(f"{name}  ") == f"  {name[1:]} {value}\n"
        assert len(terminal.type("The cat")) == 13
        for line in ("/seed 0", f"/seed {2**63 - 1}"):  # no setting, but the place to begin from: nothing to show
            assert terminal.type(line) == ""

    def test_greedy_top_k_and_temperature_0_agree(self, terminal):
        texts = set()
        for on, off in (("/greedy on", "/greedy off"), ("/top-k 1", "/top-k off"), ("/temperature 0", "/temperature 1"),
                        ("/top-p 0.000001", "/top-p off")):  # fmt: skip
            terminal.type("/reset")
            terminal.type(on)
            texts.add(terminal.type("The cat"))
            terminal.type(off)
        assert len(texts) == 1

    def test_same_seed_same_text_after_reset(self, terminal):
        terminal.type("/length 60")
        texts = []
        for seed in (7, 7, 8):
            terminal.type(f"/seed {seed}")
            terminal.type("/reset")
            texts.append(terminal.type("The cat"))
        assert texts[0] == texts[1] != texts[2]

    def test_compare_fills_both_columns_of_this_terminal(self, terminal):
        rows = ESCAPE.sub("", terminal.type("/compare the cat")).splitlines()
        assert rows[0].split() == ["state", "carried", "|", "state", "dropped"]
        assert len(rows) >= 3 and all(row[98:101] == " | " and len(row) <= 199 for row in rows)
        assert rows[1].startswith("the cat") and rows[1][101:].startswith("the cat")

    def test_stateless_writes_another_text(self, terminal):
        texts = []
        for switch in ("on", "off"):
            terminal.type(f"/stateless {switch}")
            terminal.type("/seed 7")
            terminal.type("/reset")
            texts.append(terminal.type("The cat"))
        assert texts[0] != texts[1]

    @pytest.mark.parametrize("line", WRONG)
    def test_a_wrong_line_gets_one_line_of_error(self, terminal, line):
        if line.startswith("/save "):
            terminal.type("The cat")  # without a text, that would be the error
        shown = [row for row in terminal.type(line).splitlines() if not row.startswith("note: ")]
        assert shown[0].startswith("error: ") and WRONG[line] in shown[0]
        assert "--" not in shown[0], "flags are not what one types here"
        assert len(shown) == 1
        if "did you mean" in shown[0]:
            assert shown[0].endswith(WRONG[line]), "the near name, and no list behind it"

    def test_settings_survive_wrong_values(self, terminal):
        settings = {"/top-k 3": "/top-k 0", "/top-p 0.5": "/top-p 1.1", "/length 12": "/length 0",
                    "/stateless on": "/stateless 1", "/temperature 0": "/temperature -1"}  # fmt: skip
        for right, wrong in settings.items():
            echo = terminal.type(right)
            assert terminal.type(wrong).startswith("error: ")
            assert terminal.type(right.split()[0]) == echo != ""
        for line in ("/top-k off", "/top-p off", "/stateless off"):
            terminal.type(line)
        terminal.type("/reset")
        first = terminal.type("The cat")
        terminal.type("/reset")
        assert terminal.type("The cat") == first
        terminal.type("/temperature 1")

    def test_save_keeps_the_text_and_never_overwrites(self, terminal, run_folder):
        text = "The dog" + terminal.type("The dog")[:-1]  # the new line behind it is the shell's
        names = [terminal.type("/save text.txt").strip() for _ in range(2)]
        assert names == ["saved to text.txt", "saved to text-2.txt"]
        terminal.type("more")
        terminal.type("/save text.txt")
        saved = [(run_folder / name).read_text(encoding="utf-8") for name in ("text.txt", "text-2.txt", "text-3.txt")]
        assert saved[0] == saved[1] == text
        assert saved[2].startswith(text + "more") and len(saved[2]) == len(text) + 4 + 40
        assert "saved to" in terminal.type("/save folder/my text.txt")  # makes the folder; a space is no end of a name
        assert (run_folder / "folder" / "my text.txt").read_text(encoding="utf-8") == saved[2]

    def test_ctrl_c_stops_the_text_which_came_in_pieces(self, terminal):
        terminal.type("/length 100000000")
        terminal.child.sendline("The river")
        for _ in range(3):  # there is text to see, long before 100,000,000 tokens are done
            terminal.child.expect(r"\.\r\n")
        terminal.child.sendintr()
        assert terminal.shown(None).endswith(" [stopped]\n")
        terminal.type("/length 40")
        assert len(terminal.type("")) == 41  # and it goes on from there

    def test_what_was_written_before_ctrl_c_counts(self, terminal, run_folder):
        terminal.type("/length 100000000")
        terminal.child.sendline("The mat")
        terminal.child.expect(r"The mat\r\n")
        terminal.child.expect(r"\.\r\n")
        start = terminal.child.before + ".\r\n"
        terminal.child.sendintr()
        terminal.shown(None)
        terminal.type("/save stopped.txt")
        saved = (run_folder / "stopped.txt").read_text(encoding="utf-8")
        shown = ESCAPE.sub("", start).replace("\r\n", "\n").replace("\r", "")
        assert saved.startswith("The mat" + shown)

    def test_ctrl_c_at_the_prompt_drops_the_line_and_keeps_the_shell(self, terminal):
        before = terminal.type("/state")
        terminal.child.send("half a line")
        terminal.child.expect("half a line")
        terminal.child.sendintr()
        assert "/quit leaves" in terminal.shown(None)
        terminal.child.sendintr()
        assert "/quit leaves" in terminal.shown(None)
        assert terminal.type("/state") == before

    def test_reset_forgets(self, terminal):
        terminal.type("The cat")
        terminal.type("/reset")
        assert "no text to save" in terminal.type("/save nothing.txt")
        assert r"remembers up to 3 tokens: \n" in terminal.type("/state")

    def test_there_is_nothing_to_save_before_any_text(self, terminal, run_folder):
        error = "error: there is no text to save yet: type something first\n"
        assert terminal.type("/save early.txt") == error
        for look in ("/probs", "/state"):  # a look inside lets the model read a start token, which is no text
            terminal.type(look)
            assert terminal.type("/save early.txt") == error
        assert not (run_folder / "early.txt").exists()
        text = terminal.type("")  # a text without a prompt is one
        assert terminal.type("/save early.txt") == "saved to early.txt\n"
        assert (run_folder / "early.txt").read_text(encoding="utf-8") == "\n" + text[:-1]

    def test_ctrl_d_leaves_with_status_0(self, terminal):
        assert terminal.leave() == 0


@terminal_only
def test_no_color_and_ascii_at_a_terminal(run_folder):
    """Surprisal as numbers; and nothing that one types or a model writes breaks a terminal of ASCII only."""
    shell = Terminal(run_folder, "--length", "10", NO_COLOR="1", PYTHONIOENCODING="ascii")
    shown = shell.type("/surprise The cat")
    assert "\x1b" not in shown and shown.splitlines()[0].startswith("h:") and len(shown.splitlines()) == 2
    assert "#" in shell.type("/probs")
    shell.child.sendline("é")
    shown = shell.shown(None)
    assert "note: the model never saw" in shown and "Traceback" not in shown
    shell.child.sendline("/quit now")
    shell.child.expect("bye")
    shell.child.wait()
    assert shell.child.exitstatus == 0


@terminal_only
def test_colour_in_a_terminal_that_knows_ascii_only(run_folder):
    """The sign for a new line in /surprise has no ASCII form."""
    shell = Terminal(run_folder, "--length", "10", PYTHONIOENCODING="ascii")
    shown = shell.type(r"/surprise fell.\nThe")
    assert COLOUR.search(shown) and ESCAPE.sub("", shown).startswith("fell.?\nThe\n")
    assert shell.leave() == 0


# From a pipe


def piped(folder: Path, given: bytes, *flags: str, **env: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, *interactive(*flags)], input=given, cwd=folder, env=environment(folder, **env),
        capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode("utf-8").replace("\r\n", "\n"), done.stderr.decode("utf-8")


def test_from_a_pipe_no_prompt_no_escapes_ends_at_the_end(run_folder):
    lines = "The cat\n\n/surprise The cat\n/probs\n/state\n/seed 3\n/temperature -1\n/top-k 5\n/top-k\n/nothing\n"
    lines += "The last line has no end"
    shown, notes = piped(run_folder, lines.encode(), "--length", "20", NO_COLOR="1")
    assert "\x1b" not in shown and "> " not in shown and notes == ""
    rows = shown.splitlines()
    assert rows[-1] == "bye"
    assert len([row for row in rows if row.startswith("error: ")]) == 2
    assert [row for row in rows if row.startswith("  top-k")] == ["  top-k 5"] * 2
    assert any(re.fullmatch(r"h:\d+\.\d e:\d+\.\d ␣:\d+\.\d c:\d+\.\d a:\d+\.\d t:\d+\.\d", row) for row in rows)
    assert "entropy" in shown and "remembers up to 3 tokens" in shown


def test_bytes_that_are_no_text_and_an_ascii_pipe(run_folder):
    given = b"The \xff\xfe cat\n/surprise The \x80 cat\n/save \x00\n/\xc3\n/probs\n\xe2\x82\xac\n/quit\nnot read"
    shown, notes = piped(run_folder, given, "--length", "20", PYTHONIOENCODING="ascii")
    assert shown.isascii() and "\x1b" not in shown
    assert shown.count("error: ") == 2 and notes.count("note: the model never saw") == 3
    assert shown.splitlines()[-1] == "bye" and "##" in shown


# In this process, with toy models


class Toy(nn.Module):
    """Always the same logits (V,); the state is the number of tokens read. `stop` raises after so many calls."""

    def __init__(self, logits, stop: tuple[int, BaseException] | None = None):
        super().__init__()
        self.logits, self.stop, self.calls = torch.tensor(logits), stop, 0

    def forward(self, token_ids, state=None):
        self.calls += 1
        if self.stop and self.calls > self.stop[0]:
            raise self.stop[1]
        seen = (0 if state is None else state) + token_ids.shape[1]
        return self.logits.expand(*token_ids.shape, -1), seen


ABC = CharTokenizer.train("abc")


def show_seen(session: Session) -> None:
    print(f"read {session.sampler.state}")


@pytest.fixture
def run_lines(type_lines):
    """run_lines(session, *lines, commands=None): a shell around a toy that is given these lines."""

    def run(session: Session, *lines: str | BaseException, commands: dict | None = None) -> None:
        type_lines(Repl(session, show_seen, commands), *lines)

    return run


def test_ctrl_c_in_the_middle_of_a_text_loses_nothing(run_lines, capsys):
    session = Session(Toy([9.0, 0.0, 0.0], stop=(4, KeyboardInterrupt())), ABC, length=100, greedy=True)
    run_lines(session, "b")
    assert "aaaa [stopped]\n" in capsys.readouterr().out
    assert ABC.decode(session.token_ids) == "baaaa"
    session.model.stop = None
    session.length = 2
    session.read("")
    session.write()
    assert ABC.decode(session.token_ids) == "baaaaaa"
    assert session.sampler.state == 6  # everything but what was drawn last, which is read when it is needed


def test_ctrl_c_in_a_command_keeps_the_shell(run_lines, capsys):
    session = Session(Toy([0.0, 0.0, 0.0], stop=(0, KeyboardInterrupt())), ABC)
    run_lines(session, "/probs", KeyboardInterrupt(), "/length 5")
    assert session.length == 5
    shown = capsys.readouterr().out
    assert "[stopped]" in shown and "/quit leaves" in shown and shown.endswith("bye\n")


def test_a_model_gone_wrong_is_one_line_of_its_own(run_lines, capsys):
    nan = float("nan")
    run_lines(Session(Toy([nan, nan, nan]), ABC), "ab", "/help")
    shown = capsys.readouterr().out
    assert re.search(r"(?m)^error: .*NaN", shown) and "/quit" in shown

    session = Session(Toy([0.0, 0.0, 0.0], stop=(3, LearnerError("it broke"))), ABC)
    run_lines(session, "ab")
    assert re.search(r"(?m)^[abc]{3}\nerror: it broke$", capsys.readouterr().out)


def test_our_own_mistakes_are_not_hidden(run_lines):
    with pytest.raises(ZeroDivisionError):
        run_lines(Session(Toy([0.0, 0.0, 0.0], stop=(0, ZeroDivisionError())), ABC), "ab")


def test_a_lesson_adds_and_replaces_commands(run_lines, capsys):
    given = []
    commands = {
        "/gates": ("what the gates do", lambda session, argument: given.append(argument)),
        "/reset": ("not today", lambda session, argument: given.append("reset")),
    }
    session = Session(Toy([0.0, 0.0, 0.0]), ABC, length=1)
    run_lines(session, "ab", "/gates  of the night ", "/reset", "/help", "/gate", commands=commands)
    assert given == ["of the night", "reset"] and len(session.token_ids) == 3
    shown = capsys.readouterr().out
    assert re.search(r"/gates +what the gates do", shown) and re.search(r"/reset +not today", shown)
    assert "forget everything" not in shown and "all forgotten" not in shown
    assert shown.endswith("error: no command is called /gate: did you mean /gates?\nbye\n")


def test_a_replaced_setting_is_the_lessons_own(run_lines, capsys):
    """No echo of ours behind its own words, and one line of help."""
    commands = {"/length": ("in lines", lambda session, argument: print(f"lines: {argument or 'many'}"))}
    session = Session(Toy([0.0, 0.0, 0.0]), ABC, length=1)
    run_lines(session, "/length 3", "/length", "/help", "/xyzzy", commands=commands)
    rows = capsys.readouterr().out.splitlines()[3:]
    assert rows[:2] == ["lines: 3", "lines: many"] and session.length == 1
    assert [row.split() for row in rows if row.startswith("  /length")] == [["/length", "in", "lines"]]
    assert rows[-2].count("/length") == 1 and rows[-2].endswith(EVERY_COMMAND)


def test_settings_at_the_start_are_what_a_command_shows(run_lines, capsys):
    session = Session(Toy([0.0, 0.0, 0.0]), ABC, length=7, temperature=0.8, top_k=2, top_p=0.9, greedy=True)
    run_lines(session, *SETTINGS)
    shown = capsys.readouterr().out.splitlines()[3:-1]
    assert [row.split()[1] for row in shown] == ["0.8", "2", "0.9", "on", "off", "7"]
    assert [f"/{row.split()[0]}" for row in shown] == list(SETTINGS)
    run_lines(Session(Toy([0.0, 0.0, 0.0]), ABC), *SETTINGS)
    shown = capsys.readouterr().out.splitlines()[3:-1]
    assert [row.split()[1] for row in shown] == ["1.0", "off", "off", "off", "off", "500"]


def test_every_sampling_flag_has_a_command_and_shows_itself():
    parser = argparse.ArgumentParser(add_help=False)
    sampling_flags(parser)
    flags = {flag.replace("--", "/") for action in parser._actions for flag in action.option_strings}
    assert flags == {*SETTINGS, "/seed"} and flags <= {usage.split()[0] for usage in HELP}


@pytest.mark.parametrize("line", ["/quit", "/exit", "/quit now", "/quit "])
def test_ways_to_leave(run_lines, capsys, line):
    session = Session(Toy([0.0, 0.0, 0.0]), ABC)
    run_lines(session, line, "ab")
    assert session.token_ids == [] and capsys.readouterr().out.endswith("bye\n")


def test_change_checks_first_and_keeps_the_state():
    session = Session(Toy([0.0, 0.0, 0.0]), ABC)
    session.read("abc")
    session.change(top_k=2, temperature=0.5)
    for wrong in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 1.5, "top_k": 1}):
        with pytest.raises(LearnerError, match="^/"):
            session.change(**wrong)
    assert (session.sampler.top_k, session.sampler.temperature, session.sampler.top_p) == (2, 0.5, None)
    assert session.sampler.state == 3
    session.reset()
    assert (session.sampler.top_k, session.sampler.temperature, session.sampler.state) == (2, 0.5, None)


def test_seed_is_the_same_whether_given_at_the_start_or_typed(run_lines, capsys):
    texts = []
    for start, typed in ((1, []), (2, ["/seed 1"])):
        session = Session(Toy([0.0, 0.0, 0.0]), ABC, length=30, seed=start)
        run_lines(session, *typed, "ab")
        texts.append(ABC.decode(session.token_ids))
    assert texts[0] == texts[1]


def test_probs_are_those_of_the_model(capsys):
    session = Session(Toy([0.75, 0.125, 0.125]), ABC)
    session.model.logits = session.model.logits.log()
    session.read("a")
    repl.show_probs(session)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "     model"
    assert [row.split()[:2] for row in rows[1:4]] == [["a", "75.0%"], ["b", "12.5%"], ["c", "12.5%"]]
    assert all(len(row.split()) == 3 for row in rows[1:4])  # the third is the bar
    assert rows[4:] == ["  entropy 1.06 bits of 1.58"]


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({"temperature": 0.5}, ["94.7%", "2.6%", "2.6%"]),
        ({"temperature": 0.0}, ["100.0%", "0.0%", "0.0%"]),
        ({"greedy": True}, ["100.0%", "0.0%", "0.0%"]),
        ({"top_k": 2}, ["85.7%", "14.3%", "0.0%"]),
        ({"top_p": 0.8}, ["85.7%", "14.3%", "0.0%"]),
        ({"top_k": 3, "top_p": 1.0}, None),  # which leave everything as it is
    ],
)
def test_probs_beside_what_the_settings_draw(capsys, settings, drawn):
    session = Session(Toy([0.75, 0.125, 0.125]), ABC, **settings)
    session.model.logits = session.model.logits.log()
    session.read("a")
    repl.show_probs(session)
    heading, *rows, entropy = capsys.readouterr().out.splitlines()
    assert heading == ("     model   drawn" if drawn else "     model")
    assert [row.split()[1] for row in rows] == ["75.0%", "12.5%", "12.5%"]
    if drawn:
        assert [row.split()[2] for row in rows] == drawn
    assert [row.count("█") + row.count("#") for row in rows] == [30, 5, 5], "the bars are the model's"
    assert entropy == "  entropy 1.06 bits of 1.58"


def test_probs_names_what_is_wrong_and_shows_nothing_else(run_lines, capsys):
    for logit, words in ((float("nan"), "NaN"), (-float("inf"), "no token any probability")):
        run_lines(Session(Toy([logit] * 3), ABC), "/probs")
        error, bye = capsys.readouterr().out.splitlines()[3:]
        assert error.startswith("error: ") and words in error and bye == "bye"


def test_probs_where_some_tokens_are_impossible(capsys):
    session = Session(Toy([0.0, -float("inf"), -float("inf")]), ABC)
    session.read("a")
    repl.show_probs(session)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["model"]
    assert rows[1].split()[1] == "100.0%" and rows[-1] == "  entropy 0.00 bits of 1.58"


def test_surprise_is_minus_log_2_of_the_probability(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    session = Session(Toy([0.5, 0.5, 0.0]), ABC)
    session.model.logits = session.model.logits.log()
    repl.show_surprise(session, "abba")
    assert capsys.readouterr().out.splitlines() == [
        "b:1.0 b:1.0 a:1.0",
        "  1.00 bits per token (the first is not scored); the worst: 1.0",
    ]
    repl.show_surprise(session, "ac")
    assert capsys.readouterr().out.startswith("c:inf")
    session.model.logits = torch.tensor([0.0, -float("inf"), -float("inf")])
    repl.show_surprise(session, "aa")
    assert capsys.readouterr().out.startswith("a:0.0\n")  # and not -0.0


def words_of(painted: str) -> str:
    return ESCAPE.sub("", painted.splitlines()[0])


@pytest.mark.parametrize(
    ("name", "text"), [("word", "the cat saw the dog"), ("bpe", "the naïve cat €"), ("unigram", "the cat")]
)
def test_painted_text_reads_as_it_was_typed(name, text, capsys, monkeypatch):
    """Word tokens have their spaces, and a character that two BPE tokens share comes out whole."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    tokenizer = train_tokenizer(name, tiny_text() + "the cat saw the dog", vocab_size=300)
    session = Session(Toy([0.0] * tokenizer.vocab_size), tokenizer)
    repl.show_surprise(session, text)
    painted = capsys.readouterr().out
    assert COLOUR.search(painted) and words_of(painted) == text


def test_written_words_have_a_space_before_them(capsys):
    tokenizer = WordTokenizer.train("cat cat dog dog")
    logits = [0.0] * tokenizer.vocab_size
    logits[tokenizer.encode("dog")[0]] = 99.0
    session = Session(Toy(logits), tokenizer, length=3)
    session.read("cat")
    session.write()
    assert capsys.readouterr().out == " dog dog dog\n"
    assert tokenizer.decode(session.token_ids) == "cat dog dog dog"
