"""The command on a small lesson of its own, and every exercise of the course: stub fails, solution passes."""

import re
import subprocess
import sys
import textwrap

import pytest

from shared import exercises, lessons, progress
from shared.console import run

COURSE = [folder for lesson in lessons.all_lessons() for folder in exercises.exercises_of(lesson)]
NAMES = [f"{folder.parents[1].name}-{folder.name}" for folder in COURSE]
CHECK = """
def check(module):
    got = module.add(2, 2)
    assert got == 4, f"add(2, 2): expected 4, got {got}"
"""
STUB = "def add(a, b):\n    raise NotImplementedError\n"
SOLUTION = "def add(a, b):\n    return a + b\n"


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A repository with one lesson of two exercises, and a progress file of its own."""
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    monkeypatch.setenv("LM_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.chdir(tmp_path)
    for name in ("1_first", "2_second"):
        folder = tmp_path / "model-01-toy" / "exercises" / name
        folder.mkdir(parents=True)
        files = {"check.py": CHECK, "exercise.py": STUB, "solution.py": SOLUTION, "hints.md": "use +\n\n---\n\na + b\n"}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    return tmp_path / "model-01-toy"


def answer(lesson, text, name="1_first"):
    (lesson / "exercises" / name / "exercise.py").write_text(textwrap.dedent(text), encoding="utf-8")


def command(capfd, monkeypatch, *words):
    """Exit status and output of python -m shared.exercises WORDS."""
    monkeypatch.setattr(sys, "argv", ["exercises", *words])
    try:
        run(exercises.main)
        status = 0
    except SystemExit as stop:
        status = stop.code
    out, err = capfd.readouterr()
    return status, out + err


def reason(lesson, text, seconds=30.0):
    answer(lesson, text)
    folder = lesson / "exercises" / "1_first"
    return exercises.run_check(folder / "check.py", folder / "exercise.py", seconds)


# --- every exercise of the course


@pytest.mark.parametrize("folder", COURSE, ids=NAMES)
def test_stub_fails_and_solution_passes(folder, tmp_path):
    stub = folder / "exercise.py"
    show = ["git", "show", f"HEAD:{stub.relative_to(lessons.ROOT).as_posix()}"]
    committed = subprocess.run(show, cwd=lessons.ROOT, capture_output=True)
    if committed.returncode == 0:  # a learner may have solved the one in the folder
        (tmp_path / "exercise.py").write_bytes(committed.stdout)
        stub = tmp_path / "exercise.py"
    check = lessons.load(folder / "check.py").check
    with pytest.raises((AssertionError, NotImplementedError)):
        check(lessons.load(stub))
    check(lessons.load(folder / "solution.py"))


@pytest.mark.parametrize("folder", COURSE, ids=NAMES)
def test_an_exercise_is_complete(folder):
    hints = (folder / "hints.md").read_text(encoding="utf-8").split("\n---\n")
    assert len(hints) >= 2 and all(hint.strip() for hint in hints)
    stub = lessons.load(folder / "exercise.py")
    assert len(stub.__doc__) > 100
    solution = lessons.load(folder / "solution.py")
    asked = re.findall(r"^def (\w+)", (folder / "exercise.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert asked and all(callable(getattr(solution, name)) for name in asked)


WRONG = [  # (exercise, what stands in the solution, a likely mistake)
    ("1_count_pairs", "pairwise(text)", "zip(text[::2], text[1::2])"),
    ("1_count_pairs", "number / total[pair[0]]", "number / sum(counts.values())"),
    ("1_count_pairs", "number / total[pair[0]]", "number / max(total[pair[0]], total[pair[1]])"),
    ("2_perplexity_and_bits", "-sum(log_probs) / len", "sum(log_probs) / len"),
    ("2_perplexity_and_bits", "math.exp(nats", "2 ** (nats"),
    ("2_perplexity_and_bits", "math.exp(nats_per_token(log_probs))", "1 / math.exp(sum(log_probs))"),
    ("2_perplexity_and_bits", "/ num_characters", "/ len(log_probs)"),
    ("3_never_zero", "+ k * len(vocabulary)", "+ k * len(counts)"),
    ("3_never_zero", "return dict(lower)", "return {word: 0.0 for word in lower}"),
    ("3_never_zero", "+ left * lower[word]", "+ left / len(lower)"),
    ("3_never_zero", "for word in lower}", "for word in counts}"),
    ("4_kneser_ney", "table = {first: 1}", "table = {}"),
    ("4_kneser_ney", "for ngram in longer:", "for ngram in [n for n, c in longer.items() for _ in range(c)]:"),
    ("4_kneser_ney", "if n1 and n2 and n3:", "if n1 and n2 and n3 and n4:"),
    ("4_kneser_ney", "if all(0 < d <= r for r, d in enumerate(found, start=1)):", "if True:"),
    ("4_kneser_ney", "sum(d[min(c, 3)] for c in seen)", "d[1] * len(seen)"),
    ("4_kneser_ney", "probability(context[1:], word,", "probability(context[:-1], word,"),
    ("4_kneser_ney", "        return lower\n", "        return 1 / vocab_size\n"),
]


@pytest.mark.parametrize(("name", "right", "wrong"), WRONG)
def test_checks_catch_likely_mistakes(name, right, wrong, tmp_path):
    folder = lessons.find_lesson("01") / "exercises" / name
    text = (folder / "solution.py").read_text(encoding="utf-8")
    assert text.count(right) == 1
    (tmp_path / "mistaken.py").write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(AssertionError, match="expected|sum to"):
        lessons.load(folder / "check.py").check(lessons.load(tmp_path / "mistaken.py"))


# --- one line for whatever goes wrong in an answer


def test_reasons(lesson):
    assert reason(lesson, SOLUTION) == ""
    assert reason(lesson, STUB) == "not written yet (exercise.py, line 2: raise NotImplementedError)"
    assert reason(lesson, "def add(a, b): return a * b + 1") == "add(2, 2): expected 4, got 5"
    text = """
        def add(a, b):
            helper = {}
            return helper[a]
    """
    assert reason(lesson, text) == "KeyError: 2 (exercise.py, line 4: return helper[a])"
    assert reason(lesson, "def add(a, b:\n    pass\n").startswith("SyntaxError: '(' was never closed (exercise.py")
    assert reason(lesson, "def sub(a, b): pass").startswith("AttributeError: module")
    assert reason(lesson, "def add(a, b): assert a > b").startswith("AssertionError (exercise.py, line 1")
    assert reason(lesson, "import no_such").startswith("ModuleNotFoundError: No module named 'no_such' (exercise.py")
    assert "\n" not in reason(lesson, "def add(a, b): raise ValueError('two\\nlines')")


def test_an_answer_can_neither_hang_nor_crash_the_command(lesson):
    text = "def add(a, b):\n    while True:\n        a += 1\n"
    hung = reason(lesson, text, seconds=1)
    assert re.fullmatch(r"still busy after 1 s \(exercise.py, line [23]: .*\): is there a loop that never ends\?", hung)
    assert reason(lesson, "exit(0)").startswith("SystemExit: 0 (exercise.py, line 1")
    assert reason(lesson, "import os\nos._exit(7)") == "Python itself stopped with exit status 7 while it ran your code"
    assert reason(lesson, "def add(a, b): return int(input())").startswith("EOFError")
    threads = "import threading, time\nthreading.Thread(target=time.sleep, args=(300,)).start()\n"
    assert reason(lesson, threads + SOLUTION) == ""


# --- the command


def test_stops_at_the_first_that_does_not_pass(lesson, capfd, monkeypatch):
    status, out = command(capfd, monkeypatch, "01")
    assert status == 1
    assert out.startswith("[ ] 1 first\n[ ] 2 second\n")
    assert "1 first: not written yet" in out and "01 1 --hint" in out and "exercise.py" in out

    answer(lesson, "print('seen')\n" + SOLUTION)
    status, out = command(capfd, monkeypatch, "01")
    assert status == 1
    assert "seen" in out and "[x] 1 first   passed! Compare with" in out and "2 second: not written yet" in out
    assert list(progress.read_progress()["events"]) == ["01 exercise 1_first"]

    answer(lesson, SOLUTION, "2_second")
    status, out = command(capfd, monkeypatch, "toy")
    assert status == 0
    assert "[x] 1 first\n" in out and "[x] 2 second   passed!" in out and "all pass" in out
    assert (lesson / "exercises" / "1_first" / "exercise.py").read_text(encoding="utf-8").startswith("print")


def test_inside_a_lesson_and_one_exercise_only(lesson, capfd, monkeypatch):
    answer(lesson, SOLUTION, "2_second")
    monkeypatch.chdir(lesson / "exercises")
    assert command(capfd, monkeypatch)[0] == 1
    for words in (["2"], ["second"], ["2_second"], ["01", "2"]):
        status, out = command(capfd, monkeypatch, *words)
        assert (status, "[x] 2 second" in out) == (0, True)
    status, out = command(capfd, monkeypatch, "--list")
    assert (status, out) == (0, "[ ] 1 first\n[x] 2 second\n")


def test_outside_of_a_lesson_the_whole_course_is_listed(lesson, capfd, monkeypatch):
    progress.record("01 exercise 1_first")
    status, out = command(capfd, monkeypatch)
    assert status == 0
    assert out == "model-01-toy\n[x] 1 first\n[ ] 2 second\n\nnext: python -m shared.exercises 01\n"


def test_hints_come_one_by_one_and_solutions_after_the_pass(lesson, capfd, monkeypatch):
    status, out = command(capfd, monkeypatch, "01", "1", "--solution")
    assert status == 2 and "after the pass" in out and "return" not in out
    assert "hint 1 of 2\nuse +\n" in command(capfd, monkeypatch, "01", "--hint")[1]
    for _ in range(2):
        assert "hint 2 of 2\na + b\n" in command(capfd, monkeypatch, "01", "1", "--hint")[1]
    answer(lesson, SOLUTION)
    command(capfd, monkeypatch, "01", "1")
    status, out = command(capfd, monkeypatch, "01", "1", "--solution")
    assert (status, out.strip()) == (0, SOLUTION.strip())


@pytest.mark.parametrize("words", [["99"], ["01", "frist"], ["01", "1", "--no-such-flag"], ["--hint"]])
def test_wrong_usage_is_one_line_and_status_2(lesson, capfd, monkeypatch, words):
    status, out = command(capfd, monkeypatch, *words)
    assert status == 2 and "Traceback" not in out
    if "frist" in words:
        assert out.count("\n") == 1 and "did you mean 1_first?" in out
