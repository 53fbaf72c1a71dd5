"""What a learner sees in the terminal: one-line errors, the flags that all lessons share, the live progress line."""

import argparse
import difflib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

NO_MEMORY = "out of memory: take a smaller corpus, order, batch or model"


class LearnerError(Exception):
    """Something the learner can mend: one line that says what is wrong, where, and what to type."""


def say(text: str = "", end: str = "\n") -> None:
    """Print at once, whatever the terminal's encoding: what it cannot show becomes '?'."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, errors="replace").decode(encoding), end=end, flush=True)


def warn(text: str) -> None:
    """Print one line that is not an error to standard error."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def run(main: Callable[[], None]) -> None:
    """Call a script's main; turn what a learner can mend into one line and exit status 2, Ctrl-C into 130."""
    try:
        main()
    except LearnerError as error:
        sys.exit(_stop(str(error)))
    except KeyboardInterrupt:
        print(file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # `python generate.py | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except MemoryError:
        sys.exit(_stop(NO_MEMORY))
    except RuntimeError as error:  # torch has no one type for it: the CPU and the GPU each say it in their way
        if not any(sign in str(error).lower() for sign in ("out of memory", "can't allocate memory")):
            raise
        sys.exit(_stop(NO_MEMORY))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit(_stop("the disk is full: free some space; what was saved before is whole"))
        if isinstance(error, PermissionError):
            sys.exit(_stop(f"no permission to use {error.filename}: choose another folder, for example with --out"))
        raise


def _stop(line: str) -> int:
    print(f"error: {line}", file=sys.stderr, flush=True)
    return 2


def nearest(name: str, names: Iterable[str]) -> str:
    """' did you mean ...?' where a name comes close, else the list of all names: the end of an error line."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=1)
    return f" did you mean {close[0]}?" if close else f" there are {', '.join(names)}"


def common_flags(parser: argparse.ArgumentParser, presets: dict[str, dict]) -> None:
    """Add the flags that every lesson's train.py has (the design's list)."""
    add = parser.add_argument
    add("--dataset", help="corpus name, or the path of a UTF-8 text file (default: shakespeare)")
    add("--data-dir", type=Path, help="folder of downloaded corpora (default: LM_DATA_DIR or shared/data/corpora)")
    add("--tokenizer", help="char, word, bpe or unigram (default: %(default)s)", default="char")
    add("--vocab-size", type=positive_int, default=1000, help="pieces of a bpe or unigram tokenizer (%(default)s)")
    add("--preset", default="default", metavar="NAME", help=f"settings by name: {', '.join(presets)}")
    add("--epochs", type=positive_float, help="train for so many passes over the training split")
    add("--steps", type=positive_int, help="train for so many steps")
    add("--minutes", type=positive_float, help="fit the schedule to so many minutes")
    add("--lr", type=positive_float, dest="learning_rate", help="learning rate")
    add("--batch-size", type=positive_int, help="sequences per step")
    add("--seed", type=seed, default=1337, help="everything random follows from it (%(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda or mps (%(default)s)")
    add("--precision", default="auto", choices=("auto", "float32", "bf16"), help="%(default)s")
    add("--out", type=Path, help="run folder (default: checkpoints/ of the lesson)")
    add("--resume", action="store_true", help="go on with the run found in the run folder")


def config_flags(parser: argparse.ArgumentParser, config) -> None:
    """Add one flag for each field of a model's configuration but the first, its vocab_size.

    What can be switched on, here or by a preset, can be switched off again: --no-residual, and --bias for --no-bias.
    """
    for field in fields(config)[1:]:
        name = field.name.replace("_", "-")
        if field.type is bool:
            off = "--" + (name.removeprefix("no-") if name.startswith("no-") else f"no-{name}")
            about = f"%(default)s; {off} switches it off"
            parser.add_argument(f"--{name}", action="store_true", default=field.default, help=about)
            parser.add_argument(off, action="store_false", dest=field.name, help=argparse.SUPPRESS)
        else:
            kind = (positive_int if field.default else natural_int) if field.type is int else field.type
            parser.add_argument(f"--{name}", type=kind, default=field.default, help="%(default)s")


def parse(parser: argparse.ArgumentParser, presets: dict[str, dict], argv: list[str] | None = None):
    """Parse the command line over the settings of its preset: a flag that is given wins.

    args.as_preset says whether none did that bears on the loss, args.dataset_given whether --dataset was among them.
    """
    given = parser.parse_known_args(argv)[0]
    name = given.preset
    if name not in presets:
        raise LearnerError(f"no preset is called {name!r}:{nearest(name, presets)}")
    parser.set_defaults(**presets[name])
    args, preset = parser.parse_args(argv), parser.parse_args(["--preset", name])
    free = ("data_dir", "seed", "device", "precision", "out", "resume")
    args.as_preset = all(value == getattr(args, flag) for flag, value in vars(preset).items() if flag not in free)
    args.dataset_given = given.dataset is not None
    return args


def sampling_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every lesson's generate.py and interactive.py; their values are checked by shared.sampling."""
    add = parser.add_argument
    add("--length", type=positive_int, default=500, help="tokens to write (%(default)s)")
    add("--temperature", type=float, default=1.0, help="below 1 bolder, above 1 wilder; 0 is greedy (%(default)s)")
    add("--top-k", type=int, help="draw among the k likeliest tokens only")
    add("--top-p", type=float, help="draw among the likeliest tokens that together have probability p")
    add("--greedy", action="store_true", help="always take the likeliest token")
    add("--seed", type=seed, default=1337, help="same seed, same text (%(default)s)")
    add("--stateless", action="store_true", help="forget the state before every token, to see what that ruins")


def positive_int(text: str) -> int:
    """An argparse type: a whole number above zero."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above zero")
    return value


def natural_int(text: str) -> int:
    """An argparse type: a whole number, 0 for none."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below zero")
    return value


def positive_float(text: str) -> float:
    """An argparse type: a finite number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above zero")
    return value


def seed(text: str) -> int:
    """An argparse type: what a random generator takes."""
    value = int(text)
    if not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 to 2^63 - 1")
    return value


# for argparse's errors
positive_int.__name__ = natural_int.__name__ = "whole number"
positive_float.__name__ = "number"


class CtrlC:
    """While the block runs, a first Ctrl-C only sets `pressed`, so that a step can be finished; a second one stops."""

    pressed = False

    def __enter__(self):
        self.before = signal.signal(signal.SIGINT, self._press)
        return self

    def _press(self, *_) -> None:
        self.pressed = True
        signal.signal(signal.SIGINT, self.before)

    def __exit__(self, *_) -> None:
        signal.signal(signal.SIGINT, self.before)


class Progress:
    """One live line with step, loss, tokens/s and time left; plain lines, a few seconds apart, when not a terminal."""

    def __init__(self, total_steps: int, first_step: int = 0, every_seconds: float = 10.0):
        self.total, self.first, self.every = total_steps, first_step, every_seconds
        self.live = sys.stdout.isatty()
        self.start = self.last_shown = time.perf_counter()
        self.tokens = 0

    def update(self, step: int, loss: float, tokens: int) -> None:
        """Say that `step` is done, what its training loss was (nats) and how many tokens it read."""
        self.tokens += tokens
        now = time.perf_counter()
        if now - self.last_shown < (0.1 if self.live else self.every) and step < self.total:
            return
        self.last_shown, seconds = now, max(now - self.start, 1e-9)
        left = seconds / max(step - self.first, 1) * (self.total - step)
        line = f"step {step:,}/{self.total:,}  loss {loss:.3f}  {self.tokens / seconds:,.0f} tokens/s  "
        line += f"{duration(left)} left"
        if self.live:
            print(f"\r{line:<78}", end="", flush=True)
        else:
            say(line)

    def clear(self) -> None:
        """Wipe the live line, before something else is printed."""
        if self.live:
            print("\r" + " " * 78 + "\r", end="", flush=True)


def duration(seconds: float) -> str:
    """45 -> '45 s', 200 -> '3 min 20 s', 4000 -> '1 h 06 min'."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
