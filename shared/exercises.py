"""python -m shared.exercises: a lesson's exercises, in order, up to the first that does not pass yet.

An exercise is a folder of the lesson, exercises/1_name/, with

    exercise.py   what the learner edits
    check.py      check(module): asserts, each with one line that says what was expected and what came
    hints.md      hints, from the gentle to the plain, with a line '---' between them
    solution.py   one good answer, shown after the pass

The check runs in a Python of its own, so that a loop without end, a crash or exit() in an answer stops that one only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from shared.checklist import number
from shared.console import LearnerError, nearest, run, say
from shared.files import relative
from shared.lessons import all_lessons, find_lesson, load
from shared.progress import change_progress, read_progress, record

SECONDS = 60.0  # that an answer may take
HOUSE = Path(__file__).resolve().parents[1]


def exercises_of(lesson: Path) -> list[Path]:
    """The folders of a lesson's exercises, in order."""
    folders = [path.parent for path in lesson.glob("exercises/[0-9]*_*/check.py")]
    return sorted(folders, key=lambda folder: int(folder.name.split("_")[0]))


def find_exercise(lesson: Path, name: str) -> Path:
    """The exercise called '2', 'count_pairs' or '2_count_pairs'."""
    folders = exercises_of(lesson)
    for folder in folders:
        if name in (folder.name, *folder.name.split("_", 1)):
            return folder
    raise LearnerError(f"no exercise of {lesson.name} is called {name!r}:{nearest(name, [f.name for f in folders])}")


def event(folder: Path) -> str:
    """What progress.json calls a pass: '01 exercise 2_name'."""
    return f"{number(folder.parents[1])} exercise {folder.name}"


def run_check(check: Path, answer: Path, seconds: float = SECONDS) -> str:
    """Run a check on an answer, in another Python: '' where it passes, else one line that says why not."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch, "result.txt")
        code = "from shared.exercises import check_here; check_here()"
        command = [sys.executable, "-B", "-c", code, *map(str, (check.resolve(), answer.resolve(), result, seconds))]
        path = os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH"))))
        env = os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": ":replace"}
        try:  # what the answer prints goes straight to the terminal
            done = subprocess.run(command, cwd=HOUSE, env=env, stdin=subprocess.DEVNULL, timeout=seconds + 20)
        except subprocess.TimeoutExpired:
            return f"still busy after {seconds:g} s: is there a loop that never ends?"
        if not result.exists():
            return f"Python itself stopped with exit status {done.returncode} while it ran your code"
        return result.read_text(encoding="utf-8")


def check_here() -> None:
    """The other Python: run the check named on the command line, write the reason it failed (or '') and end."""
    check, answer, result = map(Path, sys.argv[1:4])
    seconds, main_thread = float(sys.argv[4]), threading.get_ident()

    def finish(reason: str) -> None:
        result.write_text(reason, encoding="utf-8")
        sys.stdout.flush()
        os._exit(0)  # at once, whatever threads the answer has left running

    def too_long() -> None:
        frames = traceback.extract_stack(sys._current_frames()[main_thread])
        finish(f"still busy after {seconds:g} s{_place(frames, answer)}: is there a loop that never ends?")

    watch = threading.Timer(seconds, too_long)
    watch.daemon = True
    watch.start()
    try:
        module = load(answer)
        load(check).check(module)
        reason = ""
    except BaseException as error:  # exit() and Ctrl-C too
        reason = _reason(error, answer)
    finish(reason)


def _reason(error: BaseException, answer: Path) -> str:
    """One line: what the check said, or the exception and where it arose; no wall of a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = any(Path(frame.filename) == answer for frame in frames)
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == answer:
        return f"{type(error).__name__}: {error.msg} ({answer.name}, line {error.lineno}: {(error.text or '').strip()})"
    if isinstance(error, AssertionError) and text and not mine:
        return text
    if isinstance(error, NotImplementedError) and mine:
        return f"not written yet{_place(frames, answer)}"
    return f"{type(error).__name__}{': ' if text else ''}{text}{_place(frames, answer)}"


def _place(frames: traceback.StackSummary, answer: Path) -> str:
    """The last line of the learner's own file that was running, or else the line of the check."""
    for file in (answer, answer.with_name("check.py")):
        for frame in reversed(frames):
            if Path(frame.filename) == file:
                return f" ({file.name}, line {frame.lineno}: {frame.line})"
    return ""


def next_hint(folder: Path) -> None:
    """Show one hint more than last time."""
    hints = (folder / "hints.md").read_text(encoding="utf-8").split("\n---\n")
    shown = min(read_progress()["hints"].get(event(folder), 0) + 1, len(hints))
    for count, hint in enumerate(hints[:shown], start=1):
        say(f"hint {count} of {len(hints)}\n{hint.strip()}\n")
    change_progress(lambda progress: progress["hints"].update({event(folder): shown}))


def run_all(lesson: Path, folders: list[Path]) -> bool:
    """Check exercises in order up to the first that does not pass; say why, and what to do. True if all pass."""
    for place, folder in enumerate(folders):
        reason = run_check(folder / "check.py", folder / "exercise.py")
        title = " ".join(folder.name.split("_", 1))
        if not reason:
            new = event(folder) not in read_progress()["events"]
            record(event(folder))
            say(f"[x] {title}" + (f"   passed! Compare with {relative(folder / 'solution.py')}" if new else ""))
            continue
        say(f"[ ] {title}")
        show(folders[place + 1 :])
        say(f"\n{title}: {reason}\n")
        say(f"  edit   {relative(folder / 'exercise.py')}")
        say(f"  hint   python -m shared.exercises {number(lesson)} {folder.name.split('_')[0]} --hint")
        say(f"  check  python -m shared.exercises {number(lesson)}")
        return False
    say(f"\nall pass. Next: python -m shared.checklist {number(lesson)}")
    return True


def show(folders: list[Path]) -> None:
    """One line for each exercise, with a cross where it was passed once."""
    for folder in folders:
        say(f"[{'x' if event(folder) in read_progress()['events'] else ' '}] {' '.join(folder.name.split('_', 1))}")


def show_course() -> None:
    """The list of the whole course, and where to go on."""
    todo = None
    for lesson in filter(exercises_of, all_lessons()):
        folders = exercises_of(lesson)
        todo = todo or next((lesson for folder in folders if event(folder) not in read_progress()["events"]), None)
        say(lesson.name)
        show(folders)
    say(f"\nnext: python -m shared.exercises {number(todo)}" if todo else "\nall pass.")


def chosen(first: str | None, second: str | None) -> tuple[Path | None, Path | None]:
    """Lesson and exercise from '01 2', '01', '2' (inside a lesson) or nothing; None for all."""
    try:
        here = find_lesson()
    except LearnerError:
        here = None  # outside of any lesson
    try:
        lesson = find_lesson(first) if first else here
    except LearnerError:
        if here is None or second:
            raise
        lesson, second = here, first
    if lesson is None:
        return None, None
    if not exercises_of(lesson):
        raise LearnerError(f"{lesson.name} has no exercises yet")
    return lesson, find_exercise(lesson, second) if second else None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser("python -m shared.exercises", description="Check a lesson's exercises in order.")
    parser.add_argument("lesson", nargs="?", help="01, ngram ... (default: the lesson you are in, or a list of all)")
    parser.add_argument("exercise", nargs="?", help="this one only, by number or name")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--hint", action="store_true", help="show one hint more (of the first that is not passed yet)")
    what.add_argument("--solution", action="store_true", help="show the solution of an exercise that was passed")
    what.add_argument("--list", action="store_true", help="show what was passed, without checking")
    args = parser.parse_args()
    lesson, exercise = chosen(args.lesson, args.exercise)
    if lesson is None:
        if args.hint or args.solution:
            raise LearnerError("of which exercise? Name lesson and exercise, for example 01 2")
        show_course()
        return
    folders = [exercise] if exercise else exercises_of(lesson)
    passed = [folder for folder in folders if event(folder) in read_progress()["events"]]
    if args.list:
        show(folders)
    elif args.hint:
        next_hint(next((folder for folder in folders if folder not in passed), folders[-1]))
    elif args.solution:
        if not passed:
            raise LearnerError("solutions are for comparing, after the pass: ask for a --hint instead")
        say((passed[-1] / "solution.py").read_text(encoding="utf-8"))
    elif not run_all(lesson, folders):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
