"""The interactive shell of every lesson: the model goes on from what you type, and shows its inside.

A lesson brings the function that draws its own state, and may add commands; everything else is here.
"""

import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path

import torch

from shared.console import LearnerError, nearest, positive_int, say, seed, warn
from shared.files import new_file, relative
from shared.sampling import Sampler, check_settings, generate, start_token
from shared.tokenizers import keep_known, stream_text

SHADES = ("default", "green", "yellow", "dark_orange", "red")  # surprisal below 1, 2, 4, 8 bits, and above
HELP = {
    "/probs": "bars of the next-token distribution",
    "/surprise TEXT": "how many bits each token of TEXT costs the model, in colour",
    "/state": "what this model remembers at this moment",
    "/temperature X": "below 1 bolder, above 1 wilder",
    "/top-k N|off": "draw among the N likeliest tokens only",
    "/top-p P|off": "draw among the likeliest tokens that together have probability P",
    "/greedy on|off": "always the likeliest token",
    "/length N": "tokens to write",
    "/seed N": "same seed, same text",
    "/stateless on|off": "forget the state before every token; off reads all again",
    "/compare TEXT": "go on from TEXT twice, state carried and dropped",
    "/reset": "forget everything read and written",
    "/save FILE": "keep the text so far",
    "/help": "this list",
    "/quit": "leave (or Ctrl-D)",
}
NEEDS = {
    "/temperature": "a number, for example 0.8",
    "/top-k": "a whole number or off, for example 40",
    "/top-p": "a number or off, for example 0.9",
    "/length": "a whole number above zero, for example 500",
    "/seed": "a whole number from 0 to 2^63 - 1, for example 1337",
}


SETTINGS = {  # what a command without an argument shows
    "/temperature": lambda session: session.settings["temperature"],
    "/top-k": lambda session: session.settings["top_k"] or "off",
    "/top-p": lambda session: session.settings["top_p"] or "off",
    "/greedy": lambda session: "on" if session.settings.get("greedy") else "off",
    "/stateless": lambda session: "on" if session.settings.get("stateless") else "off",
    "/length": lambda session: session.length,
}


class Session:
    """A model, what it has read and written so far, and the settings of sampling."""

    def __init__(self, model, tokenizer, length: int = 500, seed: int = 1337, **settings):
        self.model, self.tokenizer, self.length = model, tokenizer, length
        self.settings = {"temperature": 1.0, "top_k": None, "top_p": None, **settings}
        self.generator = torch.Generator().manual_seed(seed)
        self.reset()

    def reset(self) -> None:
        """Back to the start of a text."""
        self.token_ids: list[int] = []
        self.sampler = Sampler(self.model, generator=self.generator, **self.settings)

    def change(self, **settings) -> None:
        """Change settings in the middle of a text; the state stays. Raises LearnerError on a value out of range.

        Where dropping the state ends, the text so far is read once more: it goes on as if none had ever been dropped.
        """
        changed = {**self.settings, **settings}
        try:
            check_settings(changed["temperature"], changed["top_k"], changed["top_p"])
        except LearnerError as error:  # it names the flag; here one types the command
            raise LearnerError(str(error).replace("--", "/", 1)) from error
        sampler = self.sampler
        if self.settings.get("stateless") and not changed["stateless"] and self.token_ids:
            sampler = Sampler(self.model, generator=self.generator, **changed)
            sampler.read(self.token_ids)
        self.settings, self.sampler = changed, sampler
        for name, value in settings.items():
            setattr(self.sampler, name, value)

    def read(self, text: str) -> None:
        """Let the model read a text; characters that it never saw in training are kept out with a warning."""
        token_ids = encode_known(self.tokenizer, text)
        if not token_ids and not self.token_ids:
            token_ids = [start_token(self.tokenizer)]
        if token_ids:
            self.sampler.read(token_ids)
            self.token_ids += token_ids

    def write(self) -> None:
        """Stream `length` tokens to the terminal. Ctrl-C stops the text, and what was written counts."""

        def drawn():
            for _ in range(self.length):
                token = self.sampler.next()
                self.token_ids.append(token)
                yield token

        try:
            for piece in stream_text(self.tokenizer, drawn(), self.token_ids[-1]):
                say(piece, end="")
        except KeyboardInterrupt:
            say(" [stopped]", end="")
        finally:
            say()  # an error, too, gets a line of its own

    def need_text(self) -> None:
        """Read what was drawn last, or the start token where there is nothing yet, so that one sees something."""
        if not self.token_ids:
            self.read("")
        self.sampler.read([])


def converse(greeting: list[str], answer: Callable[[str], None]) -> None:
    """Show the lines of the greeting, then answer(line) for each line typed, until /quit or the end of input.

    Works at a terminal and with input from a pipe. Ctrl-C stops an answer, and a LearnerError becomes one line.
    """
    try:
        import readline  # noqa: F401  (line editing and history; not on Windows, whose console has its own)
    except ImportError:
        pass
    for stream in (sys.stdin, sys.stdout):  # bytes that are no text, and text that this terminal cannot show
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    for line in greeting:
        say(line)
    while True:
        try:
            line = input("> " if terminal else "")
        except KeyboardInterrupt:
            say("\n(Ctrl-D or /quit leaves)")
            continue
        except EOFError:
            say("\nbye" if terminal else "bye")
            return
        try:
            if line.lower().split()[:1] in (["/quit"], ["/exit"]):
                say("bye")
                return
            answer(line)
        except LearnerError as error:
            say(f"error: {error}")
        except KeyboardInterrupt:
            say("[stopped]")


class Repl:
    """The shell around a session. `show_state(session)` draws the lesson's state; `commands` adds or replaces some:
    name -> (help line, function(session, argument))."""

    def __init__(self, session: Session, show_state: Callable[[Session], None], commands: dict | None = None):
        self.session, self.show_state, self.extra = session, show_state, commands or {}

    def run(self, greeting: str) -> None:
        """Read lines until /quit or the end of input. Works at a terminal and with input from a pipe."""
        hint = "Type a text and the model goes on from it; Enter alone lets it write more."
        converse([greeting, hint, "/help lists the commands."], self.answer)

    def answer(self, line: str) -> None:
        """Carry out a command, or let the model go on from a text."""
        if line.startswith("/"):
            self.command(*line.strip().partition(" ")[::2])
        else:
            self.session.read(line.replace("\\n", "\n"))
            self.session.write()

    def command(self, name: str, argument: str) -> None:
        """Carry out one command. Raises LearnerError where the learner can mend it."""
        session, name, argument = self.session, name.lower(), argument.strip()
        if name in self.extra:
            self.extra[name][1](session, argument)
        elif name == "/help":
            extra = {name: help_line for name, (help_line, _) in self.extra.items()}
            ours = {usage: help_line for usage, help_line in HELP.items() if usage.split()[0] not in extra}
            for usage, help_line in {**ours, **extra}.items():
                say(f"  {usage:<20} {help_line}")
        elif name == "/probs":
            session.need_text()
            show_probs(session)
        elif name == "/surprise":
            show_surprise(session, argument.replace("\\n", "\n"))
        elif name == "/compare":
            compare(session, argument.replace("\\n", "\n"))
        elif name == "/state":
            session.need_text()
            self.show_state(session)
        elif name in SETTINGS and not argument:
            say(f"  {name[1:]} {SETTINGS[name](session)}")
        elif name == "/temperature":
            session.change(temperature=number(argument, float, name))
        elif name == "/top-k":
            session.change(top_k=None if argument == "off" else number(argument, int, name))
        elif name == "/top-p":
            session.change(top_p=None if argument == "off" else number(argument, float, name))
        elif name in ("/greedy", "/stateless"):
            session.change(**{name[1:]: switch(argument, name)})
        elif name == "/length":
            session.length = number(argument, positive_int, name)
        elif name == "/seed":
            session.generator.manual_seed(number(argument, seed, name))
        elif name == "/reset":
            session.reset()
            say("  all forgotten: back to the start of a text")
        elif name == "/save":
            if not argument:
                raise LearnerError("/save needs the name of a file: /save my-text.txt")
            if session.token_ids in ([], [start_token(session.tokenizer)]):  # that one is there after /probs or /state
                raise LearnerError("there is no text to save yet: type something first")
            try:
                path = Path(argument).expanduser()
                if path.is_dir():
                    raise LearnerError(f"{argument} is a folder: give the name of a file in it")
                path = new_file(path, session.tokenizer.decode(session.token_ids))
            except (OSError, RuntimeError, ValueError) as error:  # also ~nobody, and a zero byte in the name
                why = getattr(error, "strerror", None) or error
                raise LearnerError(f"cannot write {argument!r} ({why}): give another name") from error
            say(f"saved to {relative(path)}")
        else:
            names = dict.fromkeys([usage.split()[0] for usage in HELP] + list(self.extra))
            raise LearnerError(f"no command is called {name}:{nearest(name, names)}")
        if name in SETTINGS and name not in self.extra and argument:  # the new value
            say(f"  {name[1:]} {SETTINGS[name](session)}")


def number(text: str, kind: Callable, name: str):
    """Read a number typed behind a command."""
    try:
        return kind(text)
    except Exception as error:
        raise LearnerError(f"{name} needs {NEEDS[name]}{f', not {text!r}' if text else ''}") from error


def switch(text: str, name: str) -> bool:
    """Read on or off typed behind a command."""
    if text not in ("on", "off"):
        raise LearnerError(f"type {name} on or {name} off")
    return text == "on"


def encode_known(tokenizer, text: str) -> list[int]:
    """The token ids of a text; characters that the tokenizer does not know are kept out with a warning."""
    known, unknown = keep_known(tokenizer, text)
    if unknown:
        warn(f"the model never saw {' '.join(map(repr, unknown))}: left out")
    return tokenizer.encode(known) if known else []


def show_probs(session: Session, rows: int = 12) -> None:
    """Bars of the likeliest next tokens, and the entropy in bits; beside them, how often the settings draw each."""
    log_probs = torch.log_softmax(session.sampler.logits.double().cpu(), dim=-1)
    prob = log_probs.exp()
    entropy = float(-(prob * log_probs.clamp(min=-1e9)).sum() + 0.0) / math.log(2)
    top = prob.topk(min(rows, len(prob)))
    width = max(len(session.tokenizer.token_text(int(token))) for token in top.indices)
    drawn = session.sampler.distribution()
    filtered = not torch.allclose(drawn, prob)  # by temperature, top-k, top-p or greedy
    say(f"  {'':<{width}}  model{'   drawn' if filtered else ''}")

    def changed(token: int) -> str:
        return f"  {drawn[token]:6.1%}" if filtered else ""

    bar = "█" if "utf" in (sys.stdout.encoding or "").lower() else "#"
    for p, token in zip(top.values.tolist(), top.indices.tolist(), strict=True):
        say(f"  {session.tokenizer.token_text(token):<{width}}  {p:6.1%}{changed(token)}  {bar * round(40 * p)}")
    say(f"  entropy {entropy:.2f} bits of {math.log2(len(prob)):.2f}")


def show_surprise(session: Session, text: str) -> None:
    """Each token of a text coloured by its surprisal, read from no state; without colour, the bits as numbers."""
    from rich.console import Console
    from rich.text import Text

    from shared.evaluation import token_losses

    token_ids = encode_known(session.tokenizer, text)
    if len(token_ids) < 2:
        raise LearnerError("/surprise needs at least two tokens: /surprise To be, or not to be")
    device = next((p.device for p in [*session.model.parameters(), *session.model.buffers()]), "cpu")
    losses = token_losses(session.model, torch.tensor(token_ids, device=device))
    bits = (losses / math.log(2) + 0.0).tolist()  # + 0.0: a certain token costs 0.0, not -0.0
    console = Console(highlight=False, soft_wrap=True)
    if console.color_system and not console.no_color:
        painted = Text()
        for piece, surprisal in zip(stream_text(session.tokenizer, token_ids), [0.0, *bits], strict=False):
            shade = SHADES[sum(surprisal >= limit for limit in (1, 2, 4, 8))]
            painted.append(piece.replace("\n", "⏎\n"), style=shade)
        console.print(painted)
        legend = zip(("under 1", "1-2", "2-4", "4-8", "8 bits or more"), SHADES, strict=True)
        console.print(Text("  ").join(Text(text, style=shade) for text, shade in legend))
    else:
        pairs = zip(token_ids[1:], bits, strict=True)
        say(" ".join(f"{session.tokenizer.token_text(token)}:{surprisal:.1f}" for token, surprisal in pairs))
    mean = sum(bits) / len(bits)
    say(f"  {mean:.2f} bits per token (the first is not scored); the worst: {max(bits):.1f}")


def compare(session: Session, text: str) -> None:
    """One text, one seed, two ways to go on: the state carried, and dropped before every token but the first.

    The text and the random numbers of the session itself stay as they are.
    """
    token_ids = encode_known(session.tokenizer, text)
    if not token_ids:
        raise LearnerError("/compare needs a text to go on from: /compare ROMEO:")
    width, columns = (max(40, shutil.get_terminal_size().columns) - 3) // 2, []  # 80 columns where there is no terminal
    for stateless in (False, True):
        generator = torch.Generator().manual_seed(session.generator.initial_seed())
        settings = session.settings | {"stateless": stateless, "generator": generator}
        drawn = generate(session.model, token_ids, session.length, **settings)
        written = stream_text(session.tokenizer, drawn, token_ids[-1])
        columns.append(wrapped(chain([session.tokenizer.decode(token_ids)], written), width))
    say(f"{'state carried':<{width}} | state dropped")
    for left, right in zip_longest(*columns, fillvalue=""):
        say(f"{left:<{width}} | {right}")


def wrapped(pieces: Iterable[str], width: int) -> Iterator[str]:
    """The lines of a text that comes in pieces, each as soon as it is whole; a long one is broken at a space."""
    line = ""
    for character in chain.from_iterable(pieces):
        if character == "\n":
            yield line
            line = ""
            continue
        line += " " if character.isspace() else character
        if len(line) > width:
            head, _, tail = line.rpartition(" ")
            head, tail = (head, tail) if head else (line[:width], line[width:])
            yield head
            line = tail
    yield line


def paint(name: str, pieces: list[str], values: list[float]) -> None:
    """Pieces of text on one line, each on a ground that shows its value: red +1, blue -1, none at 0.

    Without colour: a second line with + and - under the pieces, ++ and -- where a value is above 0.6.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    if console.color_system and not console.no_color:
        painted = Text(f"  {name}: ")
        for piece, value in zip(pieces, values, strict=True):
            fade = round(255 * (1 - min(1.0, abs(value))))
            ground = f"rgb(255,{fade},{fade})" if value > 0 else f"rgb({fade},{fade},255)"
            painted.append(piece, style=f"black on {ground}")
        console.print(painted)
        return
    say(f"  {name}")
    signs = ["--" if v < -0.6 else "-" if v < -0.2 else "" if v < 0.2 else "+" if v < 0.6 else "++" for v in values]
    widths = [max(len(piece), len(sign)) for piece, sign in zip(pieces, signs, strict=True)]
    say("  " + "".join(f"{piece:<{width}}" for piece, width in zip(pieces, widths, strict=True)))
    say("  " + "".join(f"{sign:<{width}}" for sign, width in zip(signs, widths, strict=True)))


def paint_range(name: str, pieces: list[str], values: torch.Tensor) -> None:
    """Values over the text, from the lowest that occurs there (blue, --) to the highest (red, ++)."""
    low, high = values.min().item(), values.max().item()
    middle, half = (low + high) / 2, max((high - low) / 2, 1e-6)
    paint(f"{name} from {low:.2f} (blue, -) to {high:.2f} (red, +)", pieces, ((values - middle) / half).tolist())
