"""What the documents tell a reader to type can be typed: scripts are there, and their parsers take the flags.

Nothing is run. Each script's own main is called until its parser has read the command line, and stopped there. (For
real, and in order: `python docs/job.py`.) Links to sections lead to sections.
"""

import argparse
import contextlib
import inspect
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
import torch

from shared import checklist, exercises
from shared.claims import slug
from shared.console import LearnerError
from shared.lessons import ROOT, all_lessons, load
from shared.results import Result

JOB = load(ROOT / "docs" / "job.py")
DOCUMENTS = JOB.documents()
Command = JOB.Command
OURS = {path for home in (ROOT / "shared", ROOT / "docs", *all_lessons()) for path in home.rglob("*.py")}
HERE = ROOT / "docs" / "made-up.md"  # a document that the made-up commands below might stand in


class Parsed(Exception):
    """Stops a script as soon as its parser has read the command line."""


class Refused(Exception):
    """A command that cannot be typed as it stands, and why."""


# One script, one command line


@cache
def main_of(script: Path):
    """A script's main, and whether a parser is made somewhere in it; (None, False) of a file that is no script."""
    _, is_script, end = script.read_text(encoding="utf-8").partition('\nif __name__ == "__main__":\n')
    if not is_script:
        return None, False
    runs = re.search(r"^    run\((.+)\)$", end, re.MULTILINE)  # usually main
    main = eval(runs[1] if runs else "main", vars(load(script)))
    return main, makes_parser(inspect.unwrap(main.func if isinstance(main, partial) else main))


def makes_parser(function: FunctionType, deep: int = 3) -> bool:
    """Whether a function, or one that it calls by name (train.arguments, too), makes an ArgumentParser."""
    names, known = function.__code__.co_names, function.__globals__
    modules = [known[name] for name in names if isinstance(known.get(name), ModuleType)]
    called = [getattr(place, name, None) for name in names for place in modules] + [known.get(name) for name in names]
    called = [other for other in called if isinstance(other, FunctionType) and Path(other.__code__.co_filename) in OURS]
    return "ArgumentParser" in names or deep > 0 and any(makes_parser(other, deep - 1) for other in called)


def ran_on(*_):
    raise AssertionError("a script went on beyond its parser")


def parse(script: Path, words: list[str], alone: bool = False):
    """Raise Refused where a script's own parser does not take these words. alone: they may need others beside them."""
    main, parses = main_of(script)
    if main is None:
        raise Refused(f"{script.name} is no script")
    if not parses:
        if words:
            raise Refused(f"{script.name} takes no flags")
        return

    def parse_args(parser, argv=None, namespace=None):
        args, more = known(parser, argv, namespace)
        if more:
            parser.error(f"unrecognized arguments: {' '.join(more)}")
        raise Parsed(parser, args)

    def parse_known_args(parser, argv=None, namespace=None):
        args, more = known(parser, argv, namespace)
        if "/shared/" not in Path(sys._getframe(1).f_code.co_filename).as_posix():  # what is over goes to train.py
            parse(script.parents[1] / "train.py", more)
            raise Parsed(parser, args)
        return args, more

    known, said = argparse.ArgumentParser.parse_known_args, io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        patch.setattr(sys, "argv", [str(script), *words])
        patch.setattr(Result, "__init__", ran_on)
        patch.setattr(torch.nn.Module, "__call__", ran_on)
        try:
            arguments = getattr(main, "__globals__", {}).get("arguments")  # of a train.py: it parses, and checks more
            if arguments and not alone:
                return arguments()
            patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
            patch.setattr(argparse.ArgumentParser, "parse_known_args", parse_known_args)
            main()
        except Parsed as parsed:
            names_are_there(*parsed.args)
        except LearnerError as error:
            raise Refused(str(error)) from error
        except SystemExit as end:
            if end.code:
                raise Refused(said.getvalue().strip().rpartition("error: ")[2]) from end
        else:
            ran_on()


def names_are_there(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """What scripts check only after parsing: the names of presets and the like, of which help lists all; exercises."""
    for action in parser._actions:
        listed = re.match(r"some of ([^(]+)", action.help or "")
        for name in (getattr(args, action.dest) or []) if listed and not action.option_strings else []:
            if name not in listed[1].strip().split(", "):
                raise Refused(f"{name!r} is not one of {listed[1]}")
    if parser.prog == "python -m shared.exercises":
        exercises.chosen(args.lesson, args.exercise)
    every = {item.id for lesson in all_lessons() for item in checklist.read_checklist(lesson)}
    for name in getattr(args, "tick", []):
        if name not in every:
            raise Refused(f"no item of a checklist is called {name}")


# One command


def refusal(command) -> str | None:
    """Why a command cannot be typed as it stands; None where it can."""
    try:
        {"command": check_command, "script": check_script, "flags": check_flags}[command.kind](command)
    except (Refused, LearnerError, ValueError) as why:
        return f"{command}\n    {why}"
    return None


def check_command(command) -> None:
    program, *words = JOB.plain(command.words)
    if program == "cd":
        if not (command.folder / words[0]).is_dir() and not (ROOT / words[0]).is_dir():
            raise Refused("there is no such folder")
    elif program == "diff":
        for word in words:
            if not word.startswith("-") and not (command.folder / word).exists():
                raise Refused(f"there is no {word}")
    elif program == "pytest":
        check_pytest(command.folder, words)
    elif program == "torchrun":
        from torch.distributed.run import get_args_parser

        try:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                args = get_args_parser().parse_args(words)
        except SystemExit as end:
            raise Refused(said.getvalue().strip().rpartition("error: ")[2]) from end
        check_python(command.folder, [args.training_script, *args.training_script_args])
    elif program == "python" and words and not (words[0] == "-m" and words[1] in ("pip", "venv")):
        check_python(command.folder, words)
    elif not JOB.rule_of(command).get("skip"):
        raise Refused("what does it do? Say so in docs/commands.toml")


def check_python(folder: Path, words: list[str]) -> None:
    for script in JOB.scripts(folder, words):
        parse(script, words[2:] if words[0] == "-m" else words[1:])


def check_pytest(folder: Path, words: list[str]) -> None:
    """Its paths are there, and each word of -k is in the name of a test or of a folder of lessons."""
    chosen = words[words.index("-k") + 1] if "-k" in words else ""
    paths = [folder / word for word in words if not word.startswith("-") and word != chosen] or [folder]
    for path in paths:
        if not path.exists():
            raise Refused(f"there is no {path.name}")
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("test_*.py"))]
    names = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    names |= {file.name for file in files} | {lesson.name for lesson in all_lessons()}
    for word in re.findall(r"[\w.-]+", chosen):
        if word not in ("and", "or", "not") and not any(word.lower() in name.lower() for name in names):
            raise Refused(f"-k {word}: no test is called so")


def check_script(command) -> None:
    """`orders.py` is a file of the lesson, or stands where the document says; with flags, it takes them."""
    name, *words = command.words
    lesson = next((path for path in (command.folder, *command.folder.parents) if path.parent == ROOT), None)
    near = [command.folder / name, command.document.parent / name, ROOT / name]
    found = [path for path in near if path.is_file()]
    for place in [lesson] if lesson else [*all_lessons(), ROOT / "docs"]:
        found += [path for path in place.rglob(Path(name).name) if path.as_posix().endswith("/" + name)]
    found += [path for path in (ROOT / "shared").rglob(Path(name).name) if path.as_posix().endswith("/" + name)]
    if not found:
        raise Refused(f"there is no such file{f' in {lesson.name}' if lesson else ''}")
    if words:
        parse(found[0], words)


def check_flags(command):
    """One of the lesson's scripts takes `--lr 1`; of `--lr` alone, it knows the name."""
    words = ["1" if re.fullmatch("[A-Z]+", word) else word for word in command.words]  # N stands for a number
    why = Refused("no script takes it")
    for home in (*([command.folder] if command.folder != ROOT else all_lessons()), ROOT / "shared"):
        for script in sorted(takers(home), key=lambda script: script.parent != command.document.parent):
            try:
                return parse(script, words, alone=True)
            except Refused as refused:
                if str(refused).endswith(("expected one argument", "expected at least one argument")):
                    return None
                if "unrecognized" not in str(refused) and "required" not in str(refused):
                    why = refused
                    break  # this one knows the flag: no other script of this lesson is asked
    raise why


@cache
def takers(lesson: Path) -> list[Path]:
    """The scripts of a lesson that take flags, train.py first; or those of shared/."""
    files = [*lesson.glob("*.py"), *lesson.glob("*/*.py"), *lesson.glob("translation/experiments/*.py")]
    files = [file for file in files if not file.name.startswith("test_")]
    return [file for file in sorted(files, key=lambda f: f.name != "train.py") if main_of(file)[1]]


# The documents


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_says_can_be_typed(document):
    refused = [why for command in JOB.commands(document) if (why := refusal(command))]
    assert not refused, "\n" + "\n".join(refused)


# That this finds what is wrong


@pytest.mark.parametrize(("folder", "text", "why"), [
    ("model-04-gru", "python train.py --preset quick --hiden-size 12", "unrecognized arguments: --hiden-size 12"),
    ("model-04-gru", "python train.py --preset qick", "did you mean quick?"),
    ("model-04-gru", "python train.py --precision float16", "invalid choice"),
    ("model-04-gru", "python train.py --lr fast", "invalid number value: 'fast'"),
    ("model-04-gru", "python train.py --lr", "expected one argument"),
    ("model-04-gru", "python trian.py", "there is no trian.py in model-04-gru"),
    ("model-04-gru", "python experiments/dept.py", "there is no experiments/dept.py"),
    ("model-04-gru", "python experiments/epochs.py --layers 3", "epochs.py takes no flags"),
    ("model-04-gru", "python experiments/short_run.py", "short_run.py is no script"),
    ("model-04-gru", "python experiments/presets.py astra-betta", "'astra-betta' is not one of"),
    ("model-04-gru", "python experiments/stateless.py --checkpiont a.pt", "unrecognized arguments"),
    ("model-04-gru", "python translation/train_translation.py --data multi31k", "invalid choice"),
    ("model-04-gru", "python translation/train_translation.py --reverse-source", "are for --attention none"),
    ("model-04-gru", "python generate.py --prompt 'ROMEO:", "No closing quotation"),
    ("model-04-gru", "diff ../model-03-rnn/modell.py model.py", "there is no ../model-03-rnn/modell.py"),
    ("model-04-gru", "cd model-03-gru", "no such folder"),
    ("model-04-gru", "pytest test_modle.py", "there is no test_modle.py"),
    ("model-04-gru", 'pytest -k "gradcheck or paritty"', "-k paritty: no test"),
    ("model-04-gru", "python -m shared.exercises 04 9", "no exercise of model-04-gru is called '9'"),
    ("model-04-gru", "python -m shared.exercise 04", "there is no shared/exercise.py"),
    ("model-04-gru", "python -m shared.checklist --tick 04.99", "no item of a checklist is called 04.99"),
    ("model-04-gru", "cowsay hello", "what does it do?"),
    ("model-01-ngram", "python train.py --smoothing kneser-nye", "did you mean kneser-ney?"),
    ("model-05-lstm", "python train_attention.py --preset graves", "no preset is called 'graves'"),
    ("model-05-lstm", "python experiments/attention.py --only dott", "invalid choice"),
    ("model-06-transformer", "torchrun --standalone train_ddp.py --presets gpt", "unrecognized arguments"),
    ("model-06-transformer", "torchrun --nproc-per-node 2 train.dpp.py", "there is no train.dpp.py"),
    ("model-06-transformer", "torchrun --nprocs 2 train_ddp.py", "unrecognized arguments: --nprocs"),
    ("model-06-transformer", "python experiments/context.py 64 --stepps 40", "unrecognized arguments: --stepps"),
    (".", "python train.py --order 3", "unrecognized arguments"),
    (".", "python experiments/nothing.py", "there is no experiments/nothing.py"),
    (".", "python model-04-gru/train.py --presett quick", "unrecognized arguments"),
])  # fmt: skip
def test_a_command_that_cannot_be_typed_is_refused(folder, text, why):
    found = refusal(Command(HERE, 1, (ROOT / folder).resolve(), text, "command"))
    assert found and why in found


@pytest.mark.parametrize(("folder", "text"), [
    ("model-04-gru", "python train.py --preset quick --hidden-size 12 --no-carry --reset-after --minutes 0.1"),
    ("model-04-gru", "python experiments/presets.py --minutes 12 astra-beta"),
    ("model-04-gru", "python train.py --help"),
    ("model-04-gru", "cd ../model-05-lstm"),
    ("model-05-lstm", "python experiments/attention.py --only dot --steps 3"),
    (".", ".venv/bin/python model-01-ngram/train.py --order 3"),
    (".", "uv run --no-sync python model-01-ngram/train.py"),
    (".", "python train.py --steps 3"),
    (".", "python -m pytest model-01-ngram -k worked_example"),
])  # fmt: skip
def test_a_command_that_can_be_typed_is_not(folder, text):
    assert refusal(Command(HERE, 1, (ROOT / folder).resolve(), text, "command")) is None


@pytest.mark.parametrize(("kind", "text", "why"), [
    ("script", "depht.py", "no such file in model-04-gru"),
    ("script", "depth.py", None),
    ("script", "train_translation.py --attention none", None),
    ("script", "train_translation.py --atention none", "unrecognized"),
    ("flags", "--reset-after", None),
    ("flags", "--beam 8", None),
    ("flags", "--lr", None),
    ("flags", "--minutes N", None),
    ("flags", "--hint", None),
    ("flags", "--preset qick", "did you mean quick?"),
    ("flags", "--rest-after", "no script takes it"),
])  # fmt: skip
def test_names_and_flags_alone(kind, text, why):
    found = refusal(Command(HERE, 1, ROOT / "model-04-gru", text, kind))
    assert found is None if why is None else why in found


def test_how_a_document_is_read(tmp_path):
    document = tmp_path / "a.md"
    document.write_text("""# A path

Type `python train.py` in each lesson; `--lr 1` goes, `error: --lr ...` does not count.

```bash
cd model-03-rnn && python train.py   # in it
python generate.py --prompt "a && b" \\
    --length 3
```

```bat
python model-01-ngram\\train.py
```

```python
python = train.py
```

```
python benchmark.py
a drawing
```

## Lesson 04, the GRU

| 1 | `python experiments/depth.py`, `epochs.py`, then read `model.py`. In lesson 03 `python train.py`, here `python
train.py`. |

### Part two

    python translation/evaluate.py

## The end (lesson 05)

`pytest`

## Nothing

`python`, `pytest.ini`, `model.gru`
""", encoding="utf-8")  # fmt: skip
    found = [(c.kind, c.line, c.folder.relative_to(ROOT).as_posix(), c.text) for c in JOB.commands(document)]
    assert found == [
        ("command", 3, ".", "python train.py"),
        ("flags", 3, ".", "--lr 1"),
        ("command", 6, ".", "cd model-03-rnn"),
        ("command", 6, "model-03-rnn", "python train.py"),
        ("command", 7, "model-03-rnn", 'python generate.py --prompt "a && b" --length 3'),
        ("command", 12, ".", "python model-01-ngram/train.py"),
        ("command", 20, ".", "python benchmark.py"),
        ("command", 26, "model-04-gru", "python experiments/depth.py"),
        ("command", 26, "model-04-gru", "python experiments/epochs.py"),
        ("script", 26, "model-04-gru", "model.py"),
        ("command", 26, "model-03-rnn", "python train.py"),
        ("command", 26, "model-04-gru", "python train.py"),
        ("command", 31, "model-04-gru", "python translation/evaluate.py"),
        ("command", 35, "model-05-lstm", "pytest"),
    ]


# How the docs job runs them

COMMANDS = [command for document in DOCUMENTS for command in JOB.commands(document) if command.kind == "command"]


def test_every_rule_of_the_docs_job_is_for_some_command():
    used = [JOB.rule_of(command) for command in COMMANDS]
    assert [rule["command"] for rule in JOB.rules() if rule not in used] == []
    known = {"command", "skip", "instead", "add", "set", "input", "seconds"}
    assert all(set(rule) <= known and rule.get("skip", "why") for rule in JOB.rules())


@pytest.mark.parametrize("rule", JOB.rules(), ids=lambda rule: rule["command"])
def test_what_a_command_is_shortened_to_can_be_typed(rule):
    for command in [command for command in COMMANDS if JOB.rule_of(command) == rule and "skip" not in rule]:
        why_not, folder, words = JOB.how(command)
        if why_not:
            continue
        assert refusal(command._replace(folder=folder, text=shlex.join(words))) is None, command
        for name in rule.get("set", {}):  # of the script, or of a module beside it
            (script,) = JOB.scripts(folder, words[1:])
            home, _, name = name.rpartition(".")
            assert hasattr(load(script.with_name(f"{home}.py") if home else script), name), f"{script} has no {name}"


def test_a_script_is_run_with_other_constants(tmp_path):
    helper = 'SETTINGS = {"a": 1, "b": 2}\n\n\ndef total():\n    return sum(SETTINGS.values())\n'
    (tmp_path / "helper.py").write_text(helper, encoding="utf-8")
    (tmp_path / "script.py").write_text("""import sys

from helper import total

from shared.console import LearnerError, run

STEPS, SIZES = 1000, (1, 2, 3)


def main():
    print(STEPS, SIZES, total(), sys.argv[1:])
    if "--wrong" in sys.argv:
        raise LearnerError("something is wrong")


if __name__ == "__main__":
    run(main)
""", encoding="utf-8")  # fmt: skip
    constants = '{"STEPS": 5, "SIZES": [7], "helper.SETTINGS": {"b": 40}}'
    command = [sys.executable, ROOT / "docs" / "job.py", "--with", constants, "script.py", "--flag", "x"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert done.stdout == "5 (7,) 41 ['--flag', 'x']\n" and done.returncode == 0
    done = subprocess.run([*command, "--wrong"], cwd=tmp_path, env=env, capture_output=True, timeout=60)
    assert done.returncode == 2


def test_the_docs_job_goes_on_where_it_was(tmp_path, monkeypatch, capsys):
    """In a copy without the repository: what passed is not run again, what failed is, and the end says so."""
    folder = tmp_path / "model-04-gru"
    folder.mkdir()
    (folder / "good.py").write_text("print(1)\n", encoding="utf-8")
    (folder / "bad.py").write_text("raise SystemExit('no, not so')\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("`python good.py`\n\n`python bad.py`, `python -m pip list`\n", encoding="utf-8")
    monkeypatch.setattr(JOB, "ROOT", tmp_path)
    monkeypatch.setattr(JOB, "rules", lambda: [{"command": "pip", "skip": "not here"}])
    monkeypatch.setattr(JOB, "documents", lambda: [tmp_path / "README.md"])
    monkeypatch.setattr(JOB, "copy_to", lambda copy: shutil.copytree(tmp_path / "model-04-gru", copy / "model-04-gru",
                                                                     dirs_exist_ok=True))  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["job.py", "--folder", str(tmp_path / "job")])
    for states in (["passed", "FAILED", "skipped"], ["before", "FAILED", "skipped"]):
        with pytest.raises(SystemExit) as end:
            JOB.main()
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[:2]] == states[:2] and lines[2] == "    no, not so"
        assert lines[3].split()[0] == states[2] and lines[3].endswith("(not here)")
        assert end.value.code == 1
    (folder / "bad.py").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        JOB.main()
    assert end.value.code == 0 and "1 passed, 1 before, 1 skipped, 0 FAILED" in capsys.readouterr().out


# Links to sections

TARGET = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]*)#([^)\s]+)\)")


@cache
def sections(document: Path) -> set[str]:
    """The anchors of a Markdown file as GitHub gives them: of several equal headings the second ends with -1."""
    prose = JOB.FENCED.sub("", document.read_text(encoding="utf-8"))
    slugs, found = [slug(heading) for heading in re.findall(r"^#+ +(.+?)(?: +#+)? *$", prose, re.MULTILINE)], set()
    for place, name in enumerate(slugs):
        before = slugs[:place].count(name)
        found.add(f"{name}-{before}" if before else name)
    return found | set(re.findall(r'<a (?:name|id)="([^"]+)"', prose))


def wrong_anchors(document: Path) -> list[str]:
    """The links of a document to sections that are not there."""
    wrong = []
    for name, anchor in TARGET.findall(JOB.FENCED.sub("", document.read_text(encoding="utf-8"))):
        target = (document.parent / name) if name else document
        target = target / "README.md" if target.is_dir() else target
        if not re.match("[a-z]+:", name) and target.suffix == ".md" and anchor not in sections(target):
            wrong.append(f"{name}#{anchor}")
    return wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_sections_lead_to_sections(document):
    assert not wrong_anchors(document)


def test_a_link_to_a_section_that_is_not_there_is_found(tmp_path):
    document, other = tmp_path / "a.md", tmp_path / "b.md"
    other.write_text("# One, two (`three.py`)\n\n## Again\n\n## Again\n\n```\n# no heading\n```\n", encoding="utf-8")
    good = "[a](b.md#one-two-threepy) [b](b.md#again-1) [c](#here) [d](https://x.org/#y) [e](c.py#L1)\n\n# Here\n"
    document.write_text(good, encoding="utf-8")
    assert wrong_anchors(document) == []
    document.write_text(good + "[a](b.md#one) [b](b.md#again-2) [c](#there) [d](b.md#no-heading)", encoding="utf-8")
    assert wrong_anchors(document) == ["b.md#one", "b.md#again-2", "#there", "b.md#no-heading"]
