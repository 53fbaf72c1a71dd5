"""One-line errors, presets under flags, progress without a terminal, any encoding of the terminal."""

import argparse
import errno
import io
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch

from shared import console
from shared.console import LearnerError

PRESETS = {"default": {"learning_rate": 0.5}, "quick": {"steps": 10, "learning_rate": 0.1}, "ladder": {}}


def raise_(error: BaseException):
    raise error


def stopped(capsys, error: BaseException) -> tuple[int, str]:
    """Exit status and standard error of a main that raises this."""
    with pytest.raises(SystemExit) as caught:
        console.run(lambda: raise_(error))
    output = capsys.readouterr()
    assert output.out == "" and "Traceback" not in output.err
    return caught.value.code, output.err


def test_a_learner_error_is_one_line_and_status_2(capsys):
    assert stopped(capsys, LearnerError("no such thing: type that")) == (2, "error: no such thing: type that\n")


def test_ctrl_c_is_status_130(capsys):
    assert stopped(capsys, KeyboardInterrupt()) == (130, "\n")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "locked-folder"), "locked-folder"),
    ],
)
def test_what_the_machine_refuses_is_one_line(capsys, error, words):
    status, text = stopped(capsys, error)
    assert status == 2
    assert text.startswith("error: ") and words in text and text.count("\n") == 1


def test_our_own_mistakes_keep_their_traceback(capsys):
    for error in (ValueError("a bug"), OSError(errno.EIO, "Input/output error")):
        with pytest.raises(type(error)):
            console.run(lambda error=error: raise_(error))


def test_a_main_that_ends_well_exits_with_nothing(capsys):
    calls = []
    console.run(lambda: calls.append(1))
    assert calls == [1]


def script(code: str, **options) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(Path(console.__file__).parents[1])} | options.pop("env", {})
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, **options)


def test_a_reader_that_has_enough_is_no_error():
    code = "from shared.console import run, say\nrun(lambda: [say('line ' * 20) for _ in range(10_000)])"
    process = script(code, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    process.wait()
    if sys.platform != "win32":  # where a closed pipe is another error
        assert (process.returncode, error) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_any_terminal_can_show_what_is_said(encoding):
    code = "from shared.console import say, warn\nsay('caf\\u00e9 \\u2588 \\ud800')\nwarn('\\u2588')"
    with script(code, stdout=subprocess.PIPE, env={"PYTHONIOENCODING": encoding}) as process:
        output, error = process.communicate()
    expected = {"ascii": "caf? ? ?", "cp1252": "café ? ?", "utf-8": "café █ ?"}[encoding]
    assert output.decode(encoding).strip() == expected
    assert process.returncode == 0 and error.startswith(b"note: ")


def test_say_into_a_stream_without_an_encoding(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console.say("naïve")
    assert stream.getvalue() == "naïve\n"


# The command line


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    console.common_flags(parser, PRESETS)
    return console.parse(parser, PRESETS, list(argv))


def test_a_flag_beats_its_preset_and_a_preset_the_default():
    assert parsed().learning_rate == 0.5 and parsed().steps is None
    assert parsed("--preset", "quick").learning_rate == 0.1 and parsed("--preset", "quick").steps == 10
    for argv in (["--preset", "quick", "--lr", "0.3"], ["--lr", "0.3", "--preset=quick"]):
        args = parsed(*argv)
        assert (args.learning_rate, args.steps) == (0.3, 10)
    assert parsed("--preset", "ladder").learning_rate is None  # the default preset's value is not a default of all


@pytest.mark.parametrize(
    ("name", "answer"), [("quikc", "did you mean quick?"), ("zzzz", "there are default, quick, ladder")]
)
def test_an_unknown_preset_gets_the_near_name_or_all_names(name, answer):
    with pytest.raises(LearnerError) as caught:
        parsed("--preset", name)
    assert str(caught.value) == f"no preset is called {name!r}: {answer}"


def test_all_common_flags_are_there():
    args = parsed()
    names = "dataset data_dir tokenizer preset epochs steps minutes learning_rate batch_size seed device precision"
    assert set(f"{names} out resume".split()) <= set(vars(args))
    assert parsed("--out", "here", "--data-dir", "there").out == Path("here")
    assert args.resume is False and parsed("--resume").resume is True


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--steps", "0"], "above zero"),
        (["--steps", "-3"], "above zero"),
        (["--steps", "1.5"], "invalid whole number value"),
        (["--batch-size", "many"], "invalid whole number value"),
        (["--lr", "0"], "above zero"),
        (["--lr", "nan"], "above zero"),
        (["--minutes", "inf"], "above zero"),
        (["--epochs", "soon"], "invalid number value"),
        (["--precision", "fp8"], "invalid choice"),
        (["--seed", "-1"], "-1 is not a whole number from 0 to 2^63 - 1"),
        (["--seed", str(2**63)], "is not a whole number from 0 to 2^63 - 1"),
        (["--seed", "1.5"], "invalid seed value"),
        (["--seed", "tomorrow"], "invalid seed value"),
        (["--no-such-flag"], "unrecognized arguments"),
    ],
)
def test_a_value_out_of_range_is_refused_with_status_2(capsys, argv, words):
    with pytest.raises(SystemExit) as caught:
        parsed(*argv)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_good_values_are_read():
    args = parsed("--steps", "20", "--lr", "1e-3", "--minutes", "0.5", "--epochs", "2")
    assert (args.steps, args.learning_rate, args.minutes, args.epochs) == (20, 0.001, 0.5, 2.0)


def test_every_seed_that_is_taken_is_one_for_torch():
    assert parsed().seed == 1337
    for value in (0, 2**63 - 1):
        assert parsed("--seed", str(value)).seed == value
        assert torch.Generator().manual_seed(value).initial_seed() == value


def test_as_preset_says_whether_a_flag_bears_on_the_loss():
    assert parsed().as_preset and parsed("--preset", "quick").as_preset
    assert parsed("--seed", "7", "--out", "here", "--device", "cpu").as_preset
    for flags in (("--steps", "20"), ("--minutes", "1"), ("--tokenizer", "bpe"), ("--dataset", "names")):
        assert not parsed(*flags).as_preset, flags
    assert parsed("--dataset", "names").dataset_given and not parsed("--seed", "7").dataset_given


@dataclass
class Config:
    vocab_size: int
    hidden_size: int = 8
    dropout: float = 0.0
    residual: bool = False
    no_bias: bool = False
    carry: bool = True
    bigrams: int = 0
    init: str = "uniform"


def configured(*argv: str) -> dict:
    """The configuration that these flags make, with a preset called modern."""
    parser, presets = argparse.ArgumentParser(), {"default": {}, "modern": {"residual": True, "no_bias": True}}
    presets["modern"] |= {"bigrams": 50, "hidden_size": 16}
    console.config_flags(parser, Config)
    console.common_flags(parser, presets)
    args = console.parse(parser, presets, list(argv))
    return {name: getattr(args, name) for name in asdict(Config(0)) if name != "vocab_size"} | {"as": args.as_preset}


def test_what_is_on_can_be_switched_off_and_the_other_way_round():
    default, modern = configured(), configured("--preset", "modern")
    assert default == {name: value for name, value in asdict(Config(0)).items() if name != "vocab_size"} | {"as": True}
    on = {"residual": True, "no_bias": True, "bigrams": 50, "hidden_size": 16}
    assert modern == default | on and modern["as"] is True
    for flags, name, value in (
        (["--no-residual"], "residual", False),
        (["--bias"], "no_bias", False),
        (["--bigrams", "0"], "bigrams", 0),
        (["--no-carry"], "carry", False),
    ):
        for argv in (["--preset", "modern", *flags], [*flags, "--preset=modern"]):
            assert configured(*argv) == modern | {name: value, "as": False}, argv
    assert configured("--residual", "--no-bias") == default | {"residual": True, "no_bias": True, "as": False}
    assert configured("--no-residual", "--residual")["residual"] is True  # the last one wins
    assert configured("--no-residual", "--bias", "--carry") == default  # nothing has changed
    assert configured("--preset", "modern", "--residual") == modern


def test_sizes_are_above_zero_and_what_may_be_left_out_may_be_zero(capsys):
    for argv in (["--hidden-size", "0"], ["--bigrams", "-1"], ["--bigrams", "many"]):
        with pytest.raises(SystemExit) as caught:
            configured(*argv)
        assert caught.value.code == 2
    shown = capsys.readouterr().err
    assert "0 is not a whole number above zero" in shown and "-1 is below zero" in shown
    assert "invalid whole number value: 'many'" in shown


def test_help_names_each_setting_once_and_how_to_switch_it_off(capsys):
    with pytest.raises(SystemExit):
        configured("--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--residual False; --no-residual switches it off" in text
    assert "--no-bias False; --bias switches it off" in text and "[--bias]" not in text


def test_help_shows_the_presets(capsys):
    with pytest.raises(SystemExit) as caught:
        parsed("--help")
    assert caught.value.code == 0
    assert "default, quick, ladder" in capsys.readouterr().out


def test_sampling_flags_have_the_agreed_names_and_defaults():
    parser = argparse.ArgumentParser()
    console.sampling_flags(parser)
    args = vars(parser.parse_args([]))
    assert (args["length"], args["temperature"], args["top_k"], args["top_p"]) == (500, 1.0, None, None)
    assert args["greedy"] is args["stateless"] is False
    assert args["seed"] == 1337 and parser.parse_args(["--seed", "0"]).seed == 0


def test_sampling_takes_no_seed_that_torch_would_refuse(capsys):
    parser = argparse.ArgumentParser()
    console.sampling_flags(parser)
    for value in ("-1", str(2**63)):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args(["--seed", value])
        assert caught.value.code == 2
        assert f"{value} is not a whole number from 0 to 2^63 - 1" in capsys.readouterr().err


# Progress


class Clock:
    """A time that a test moves on."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(console.time, "perf_counter", lambda: self.now)


def test_progress_without_a_terminal_is_plain_lines_seconds_apart(capsys, monkeypatch):
    clock = Clock(monkeypatch)
    progress = console.Progress(total_steps=100, every_seconds=10)
    for step in range(1, 101):
        clock.now += 1
        progress.update(step, loss=2.5, tokens=50)
        progress.clear()
    output = capsys.readouterr().out
    assert "\r" not in output
    lines = output.splitlines()
    assert len(lines) == 10
    assert lines[0] == "step 10/100  loss 2.500  50 tokens/s  1 min 30 s left"
    assert lines[-1] == "step 100/100  loss 2.500  50 tokens/s  0 s left"


def test_progress_of_a_resumed_run_reckons_with_its_own_steps(capsys, monkeypatch):
    clock = Clock(monkeypatch)
    progress = console.Progress(total_steps=100, first_step=80, every_seconds=0)
    clock.now += 5
    progress.update(90, loss=1.0, tokens=1000)
    assert capsys.readouterr().out == "step 90/100  loss 1.000  200 tokens/s  5 s left\n"


def test_progress_survives_a_clock_that_stands_still(capsys, monkeypatch):
    Clock(monkeypatch)
    console.Progress(total_steps=1).update(1, loss=1.0, tokens=10)
    assert "step 1/1" in capsys.readouterr().out


def test_progress_in_a_terminal_is_one_live_line(monkeypatch):
    clock, stream = Clock(monkeypatch), io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", stream)
    progress = console.Progress(total_steps=1_000_000)
    for step in (999, 1000):
        clock.now += 1
        progress.update(step, loss=2.5, tokens=50)
    progress.clear()
    shown = stream.getvalue()
    assert "\n" not in shown and "step 1,000/1,000,000" in shown
    assert shown.endswith("\r" + " " * 78 + "\r")
    assert all(len(part) <= 78 for part in shown.split("\r"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45.4, "45 s"),
        (59.7, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.9, "1 h 00 min"),
        (4000, "1 h 06 min"),
    ],
)
def test_duration(seconds, text):
    assert console.duration(seconds) == text
