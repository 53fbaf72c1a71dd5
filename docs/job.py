"""The docs job: every command of every document, typed for real, in order, in a fresh copy of the repository.

    python docs/job.py --list                      what would be run, how it is shortened, what is skipped and why
    python docs/job.py                             all of it; the copy is a temporary folder
    python docs/job.py --folder ../job             the same in this folder; a second call goes on: what passed is over
    python docs/job.py --only the-quick-form       what has this (a regular expression) in its line of the list
    python docs/job.py --data-dir shared/data/corpora      with corpora; without, as on a machine with no network

It is no part of the tests, which look at each command without running it (shared/tests/test_commands.py). How a long
command is made short, and which ones cannot be run here, stands in commands.toml. The exercises of the copy hold their
solutions, as if a learner had done them. Exit status 1 where a command failed; its output lies in FOLDER/output.
"""

import argparse
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SHELL = {"bash", "sh", "console", "bat", "powershell", ""}  # languages of fenced blocks that hold commands
STARTS = re.compile(r"(\S*/)?(python3?|pytest|torchrun) |(py|cd|diff|uv|git|source) \S|pytest$")
FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```[ \t]*$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """Something that a document tells its reader to type.

    kind: "command"; "script" (`orders.py`, `recall.py --seeds`); or "flags" (`--lr 1`), for one of the lesson's
    scripts. folder: where it is to be typed. As the root it may also stand for each lesson that has the script.
    """

    document: Path
    line: int
    folder: Path
    text: str
    kind: str
    section: str = ""  # the anchor of its heading

    @property
    def words(self) -> list[str]:
        """As a shell splits it. Raises ValueError where a quotation mark is left open."""
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        document, folder = self.document.relative_to(ROOT).as_posix(), self.folder.relative_to(ROOT).as_posix()
        return f"{document}:{self.line}#{self.section}  {folder} $ {self.text}"


def documents() -> list[Path]:
    """The Markdown files of the course in the order in which one reads them, without what experiments have written."""
    found = [ROOT / "README.md", ROOT / "docs" / "learning-path.md"]
    found += sorted([*ROOT.glob("model-*/README.md"), *ROOT.glob("model-*/*/README.md")])
    for pattern in ("docs/**/*.md", "shared/**/*.md", "model-*/exercises/**/*.md"):
        found += sorted(ROOT.glob(pattern))
    return [path for path in dict.fromkeys(found) if not any(part.startswith("checkpoints") for part in path.parts)]


def lesson_of(number: str) -> Path:
    """'04' -> the folder of lesson 04."""
    return next(ROOT.glob(f"model-{number}-*"))


def commands(document: Path) -> list[Command]:
    """All commands of a document, in order."""
    from shared.claims import slug  # here: it brings torch, which takes seconds

    text = document.read_text(encoding="utf-8")
    blocks, found = list(FENCED.finditer(text)), []
    prose = FENCED.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)  # lines keep their numbers
    inside = next((path for path in (document, *document.parents) if path.parent == ROOT), ROOT)
    home = inside if inside.name.startswith("model-") else ROOT
    folder, level, section, folders, sections = home, 0, "", [], []  # those of each line
    for line in prose.splitlines():
        if heading := re.match(r"(#+) (.*)", line):
            section = slug(heading[2])
            number = re.match(r"Lesson (0\d)", heading[2]) or re.search(r"\(lesson (0\d)\)", heading[2])
            if home == ROOT and number:
                folder, level = lesson_of(number[1]), len(heading[1])
            elif len(heading[1]) <= level:
                folder = home
        folders.append(folder)
        sections.append(section)

    for block in blocks:
        if block[2] in SHELL:
            first = text.count("\n", 0, block.start(3))
            found += of_block(document, first, folders[first - 1], block[3], block[2])
    for match in re.finditer(r"^ {4,}((?:python|pytest|torchrun)\b.*)$|(?<!`)`([^`]+?)`(?!`)", prose, re.MULTILINE):
        line = prose.count("\n", 0, match.start()) + 1
        code = " ".join((match[1] or match[2]).partition("  # ")[0].split())
        there = re.search(r"lesson (0\d),? $", prose[: match.start()][-20:], re.IGNORECASE)  # In lesson 01 `python ...`
        if kind := kind_of(code):
            found.append(Command(document, line, lesson_of(there[1]) if there else folders[line - 1], code, kind))
    found = [command._replace(section=sections[command.line - 1]) for command in found]
    return with_short_names(sorted(found, key=lambda command: command.line))


def of_block(document: Path, first: int, folder: Path, block: str, language: str) -> list[Command]:
    """The commands of a fenced block that begins below line `first`; in one without a language there may be others."""
    found = []
    for number, line in enumerate(re.sub(r" \\\n *", lambda m: " \0", block).splitlines(), first + 1):
        line = line.replace("\0", "").removeprefix("$ ").strip()
        line = line.replace("\\", "/") if language in ("bat", "powershell") else line
        for part in re.split(r' (?:&&|;) (?=(?:[^"]*"[^"]*")*[^"]*$)', line):  # where no quotation is open
            part = re.sub(r"\s+#.*", "", part)
            if not part or part.startswith("#") or not language and not STARTS.match(part):
                continue
            found.append(Command(document, number, folder, part, "command"))
            if part.startswith("cd "):
                folder = (folder / part.removeprefix("cd ").strip()).resolve()
    return found


def kind_of(code: str) -> str | None:
    """What a piece of inline code is to its reader; None: nothing to type."""
    if STARTS.match(code):
        return "command"
    if re.fullmatch(r"[\w./-]+\.py( .*)?", code):
        return "script"
    return "flags" if re.fullmatch(r"--[a-z][\w-]*( [^\s-]\S*| -\d\S*)?( --[a-z][\w-]*( [^\s-]\S*)?)*", code) else None


def with_short_names(found: list[Command]) -> list[Command]:
    """`python experiments/gates.py`, and on the same line `units.py`: the second is a command, too."""
    result, before = [], None
    for command in found:
        if command.kind == "command":
            before = command
        elif command.kind == "script" and before and (before.document, before.line) == (command.document, command.line):
            start = before.words[1].rpartition("/")[0] if before.words[0] == "python" else ""
            if start.endswith("experiments") and (command.folder / start / command.words[0]).exists():
                command = command._replace(kind="command", text=f"python {start}/{command.text}")
        result.append(command)
    return result


# What a command runs


def plain(words: list[str]) -> list[str]:
    """The same command without what depends on how Python was set up: python, pytest or torchrun first."""
    if words[:2] == ["uv", "run"] and "python" in words:
        words = words[words.index("python") :]
    if Path(words[0]).name in ("python", "python3", "py"):
        return words[2:] if words[1:3] == ["-m", "pytest"] else ["python", *words[1:]]
    return words


def scripts(folder: Path, words: list[str]) -> list[Path]:
    """What `python WORDS`, typed in a folder, runs. In the root it may be one script in each of several lessons.

    Raises ValueError where there is none.
    """
    name = words[0]
    if name == "-m":
        folder, name = ROOT, words[1].replace(".", "/") + ".py"
    homes = [folder, *sorted(ROOT.glob("model-*"))] if folder == ROOT else [folder]
    found = [home / name for home in homes if (home / name).is_file()]
    if not found:
        raise ValueError(f"there is no {name} in {folder.name}")
    return found[:1] if found[0].parent == folder / Path(name).parent else found


@cache
def rules() -> list[dict]:
    """commands.toml: how commands are made short, and which are not run."""
    return tomllib.loads((ROOT / "docs" / "commands.toml").read_text(encoding="utf-8"))["rule"]


def rule_of(command: Command) -> dict:
    """The first rule whose pattern is found in the command's line of the list; {} where there is none."""
    return next((rule for rule in rules() if re.search(rule["command"], str(command))), {})


# The run


def copy_to(copy: Path) -> None:
    """What a clone would hold, with what is not committed yet; and the learner's work, which is the solutions."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=ROOT, capture_output=True)
    if found.returncode:
        sys.exit("error: docs/job.py copies what Git knows of: run it in a clone of the repository")
    names = found.stdout.decode("utf-8").split("\0")
    for name in names:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    for solution in copy.glob("model-*/exercises/*/solution.py"):
        shutil.copyfile(solution, solution.with_name("exercise.py"))


def how(command: Command) -> tuple[str, Path, list[str]]:
    """(why it is not run, or ""; the folder to run it in; what is run, a command line without its Python)."""
    rule, folder = rule_of(command), command.folder
    if "skip" in rule:
        return rule["skip"], folder, []
    words = plain(shlex.split(rule["instead"]) if "instead" in rule else command.words)
    words += shlex.split(rule.get("add", ""))
    if words[0] in ("cd", "diff"):
        return "the tests see that it can be typed", folder, words
    if words[0] == "python" and words[1] != "-m":
        found = scripts(folder, words[1:])
        if len(found) > 1:
            return "said of every lesson, whose own documents have it", folder, words
        if folder == ROOT and not (ROOT / words[1]).is_file():
            folder = next(path for path in found[0].parents if path.parent == ROOT)
    return "", folder, words


def run(command: Command, copy: Path, output: Path, data_dir: Path | None) -> tuple[bool, float]:
    """Run one command in the copy, its output into a file; whether it passed, and its seconds."""
    rule, (_, folder, words) = rule_of(command), how(command)
    module = {"pytest": ["-m", "pytest"], "torchrun": ["-m", "torch.distributed.run"]}.get(words[0], [])
    if "set" in rule:
        module = [str(copy / "docs" / "job.py"), "--with", json.dumps(rule["set"])]
    env = {key: value for key, value in os.environ.items() if key not in ("LM_DATA_DIR", "LM_PROGRESS")}
    env |= {"PYTHONPATH": str(copy), "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    if data_dir:
        env["LM_DATA_DIR"] = str(data_dir.resolve())
    start = time.perf_counter()
    with open(output, "w", encoding="utf-8") as file:
        try:
            done = subprocess.run([sys.executable, *module, *words[1:]], cwd=copy / folder.relative_to(ROOT), env=env,
                                  input=rule.get("input", "").encode("utf-8"), stdout=file, stderr=subprocess.STDOUT,
                                  timeout=rule.get("seconds", 600))  # fmt: skip
            passed = done.returncode == 0
        except subprocess.TimeoutExpired:
            file.write("\nstill running: stopped\n")
            passed = False
    return passed, time.perf_counter() - start


def run_with(constants: dict, script: Path, words: list[str]) -> None:
    """Run a script with other values of its constants; of those that are dictionaries, with these entries.

    A name with a dot, short_run.SETTINGS, is of a module that the script imports.
    """
    sys.argv, sys.path[0] = [str(script), *words], str(script.parent)
    spec = importlib.util.spec_from_file_location("shortened", script)
    module = importlib.util.module_from_spec(spec)
    sys.modules["shortened"] = module
    spec.loader.exec_module(module)
    for name, value in constants.items():
        home, _, name = name.rpartition(".")
        place = sys.modules[home] if home else module
        before = getattr(place, name)
        setattr(place, name, before | value if isinstance(before, dict) else type(before)(value))
    from shared.console import run as run_main

    run_main(module.main)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="run nothing")
    parser.add_argument("--only", metavar="PATTERN", default="", help="a regular expression, found in "
                        "DOCUMENT:LINE#SECTION  FOLDER $ COMMAND")  # fmt: skip
    parser.add_argument("--folder", type=Path, help="of the copy (default: a temporary one)")
    parser.add_argument("--data-dir", type=Path, help="downloaded corpora (default: none)")
    args = parser.parse_args()
    chosen = [command for document in documents() for command in commands(document)]
    chosen = [command for command in chosen if command.kind == "command" and re.search(args.only, str(command))]
    if args.list:
        for command in chosen:
            why_not, _, words = how(command)
            shown = f"skipped: {why_not}" if why_not else f"as: {shlex.join(words)} {rule_of(command).get('set', '')}"
            print(f"{command}\n    {shown.strip()}")
        return

    home = (args.folder or Path(tempfile.mkdtemp(prefix="docs-job-"))).resolve()
    copy, passed = home / "copy", home / "passed.txt"
    (home / "output").mkdir(parents=True, exist_ok=True)
    copy_to(copy)
    before = passed.read_text(encoding="utf-8").splitlines() if passed.exists() else []
    counts, start = {"passed": 0, "before": 0, "skipped": 0, "FAILED": 0}, time.perf_counter()
    for number, command in enumerate(chosen, 1):
        (why_not, folder, words), seconds = how(command), 0.0
        line = f"{folder.name} $ {shlex.join(words)} {rule_of(command).get('set', '')}"
        output, state = home / "output" / f"{number:03}.txt", "before" if line in before else "skipped"
        if not why_not and line not in before:
            good, seconds = run(command, copy, output, args.data_dir)
            state = "passed" if good else "FAILED"
        if state == "passed":
            before.append(line)
            passed.write_text("\n".join(before) + "\n", encoding="utf-8")
        counts[state] += 1
        print(f"{state:<8}{seconds:6.1f} s  {command}" + (f"  ({why_not})" if why_not else ""), flush=True)
        if state == "FAILED":
            print("\n".join("    " + line for line in output.read_text(encoding="utf-8").splitlines()[-5:]), flush=True)
    took = f"{(time.perf_counter() - start) / 60:.1f} minutes"
    print(", ".join(f"{count} {state}" for state, count in counts.items()), f"in {took}; all of it lies in {home}")
    sys.exit(counts["FAILED"] > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--with"]:
        run_with(json.loads(sys.argv[2]), Path(sys.argv[3]).resolve(), sys.argv[4:])
    else:
        main()
