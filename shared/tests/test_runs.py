"""Run folders and checkpoints: nothing is lost, nothing is half written, whatever is killed and whenever."""

import errno
import json
import math
import os
import pickle
import random
import subprocess
import sys
import time
import zipfile
from dataclasses import make_dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from shared import console, files, runs
from shared.console import LearnerError
from shared.files import relative

LESSON = "model-00-test"


class Letters:
    """All that save_checkpoint asks of a tokenizer."""

    def to_dict(self):
        return {"name": "char", "characters": "abc"}


def save(path: Path, model=None, **rest) -> torch.nn.Module:
    model = model or torch.nn.Linear(2, 3)
    runs.save_checkpoint(path, LESSON, model, {"hidden_size": 2}, Letters(), **rest)
    return model


# The run folder


def test_a_new_run_makes_its_folder(tmp_path):
    folder = runs.start_run(tmp_path / "deep" / "down")
    assert folder.is_dir() and not list(folder.iterdir())


def test_an_earlier_run_is_moved_aside_whole_and_the_line_says_where(tmp_path, capsys):
    folder = runs.start_run(tmp_path / "run")
    for name in runs.RUN_FILES:
        (folder / name).write_text(f"first {name}", encoding="utf-8")
    capsys.readouterr()
    runs.start_run(folder)
    (aside,) = [path for path in tmp_path.iterdir() if path != folder]
    assert {path.name: path.read_text(encoding="utf-8") for path in aside.iterdir()} == {
        name: f"first {name}" for name in runs.RUN_FILES
    }
    assert aside.name in capsys.readouterr().out
    assert not list(folder.iterdir())


def test_many_runs_in_one_second_lose_nothing(tmp_path):
    folder = tmp_path / "run"
    for number in range(5):
        runs.start_run(folder)
        file = folder / "best.pt"
        file.write_text(str(number), encoding="utf-8")
        os.utime(file, (1_700_000_000, 1_700_000_000))  # all of them saved in one and the same second
    runs.start_run(folder)
    kept = [path.read_text(encoding="utf-8") for path in tmp_path.glob("run-*/best.pt")]
    assert sorted(kept) == ["0", "1", "2", "3", "4"]


def test_other_files_in_the_folder_stay_where_they_are(tmp_path):
    folder = tmp_path / "run"
    (folder / "sub").mkdir(parents=True)
    others = [folder / "notes.md", folder / "thesis.tmp", folder / "sub" / "best.pt"]
    for path in others:
        path.write_text("mine", encoding="utf-8")
    (folder / "best.pt").write_text("a run's", encoding="utf-8")
    (folder / "last.pt.tmp").write_text("left behind by a kill", encoding="utf-8")
    runs.start_run(folder)
    assert all(path.read_text(encoding="utf-8") == "mine" for path in others)
    assert sorted(path.name for path in folder.iterdir()) == ["notes.md", "sub", "thesis.tmp"]


def test_a_start_that_was_killed_in_the_middle_of_moving_loses_nothing(tmp_path, monkeypatch):
    folder = runs.start_run(tmp_path / "run")
    for name in runs.RUN_FILES:
        (folder / name).write_text(name, encoding="utf-8")
    move, calls = runs.shutil.move, []

    def killed_at_the_third(source, target):
        calls.append(source)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(runs.shutil, "move", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            runs.start_run(folder)
    runs.start_run(folder)
    kept = [path for path in tmp_path.glob("run-*/*")]
    assert sorted(path.read_text(encoding="utf-8") for path in kept) == sorted(runs.RUN_FILES)


def test_the_working_directory_can_be_the_run_folder(tmp_path, monkeypatch):
    here = tmp_path / "run"
    (here / "inside").mkdir(parents=True)
    (here / "best.pt").write_text("old", encoding="utf-8")
    monkeypatch.chdir(here)
    runs.start_run(Path("."))
    assert [path.read_text(encoding="utf-8") for path in tmp_path.glob("run-*/best.pt")] == ["old"]
    (here / "best.pt").write_text("new", encoding="utf-8")
    monkeypatch.chdir(here / "inside")
    runs.start_run(Path(".."))
    assert sorted(path.read_text(encoding="utf-8") for path in tmp_path.glob("run-*/best.pt")) == ["new", "old"]


@pytest.mark.parametrize("below", [(), ("run",), ("deep", "down")])
def test_out_that_is_a_file_or_below_one(tmp_path, below):
    file = tmp_path / "notes.md"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(LearnerError, match="notes.md is a file.*--out"):
        runs.start_run(file.joinpath(*below))
    assert file.read_text(encoding="utf-8") == "mine"


def test_new_file_never_overwrites(tmp_path):
    path = tmp_path / "texts" / "story.txt"
    written = [files.new_file(path, f"text {number}") for number in range(4)]
    assert written[0] == path and len(set(written)) == 4
    assert [file.read_text(encoding="utf-8") for file in written] == [f"text {number}" for number in range(4)]
    assert all(file.suffix == ".txt" for file in written)


# Writing


def test_write_atomically_has_the_content_on_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    path, events = tmp_path / "file", []
    path.write_text("old", encoding="utf-8")
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        events.append(("fsync", os.fstat(descriptor).st_size, path.read_text(encoding="utf-8")))
        fsync(descriptor)

    def watched_replace(source, target):
        events.append(("replace", Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    files.write_atomically(path, lambda temporary: temporary.write_text("newer", encoding="utf-8"))
    assert events == [("fsync", 5, "old"), ("replace", path)]
    assert path.read_text(encoding="utf-8") == "newer"
    assert list(tmp_path.iterdir()) == [path]


def test_write_atomically_waits_for_a_reader_on_windows(tmp_path, monkeypatch):
    path, replace, refusals = tmp_path / "file", os.replace, [PermissionError(), PermissionError()]

    def busy(source, target):
        if refusals:
            raise refusals.pop()
        replace(source, target)

    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(os, "replace", busy)
    files.write_atomically(path, lambda temporary: temporary.write_text("new", encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == "new" and not refusals


def test_a_full_disk_leaves_the_old_file_whole_and_no_half_one(tmp_path):
    path = tmp_path / "last.pt"
    save(path, step=1)
    before = path.read_bytes()

    def half(temporary):
        temporary.write_bytes(before[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError) as caught:
        files.write_atomically(path, half)
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize("size", [3, 1_000_000])
def test_saving_a_checkpoint_on_a_full_disk_is_one_line(tmp_path, capsys, size):
    path = tmp_path / "last.pt"
    save(path, step=1)
    before = path.read_bytes()
    (tmp_path / "last.pt.tmp").symlink_to("/dev/full")
    with pytest.raises(SystemExit) as caught:
        console.run(lambda: save(path, torch.nn.Linear(1, size)))
    assert caught.value.code == 2
    assert "disk is full" in capsys.readouterr().err
    assert path.read_bytes() == before


# Checkpoints


def test_a_checkpoint_comes_back_and_plain_torch_reads_it(tmp_path):
    path = tmp_path / "best.pt"
    rest = {"step": 7, "rng": torch.get_rng_state(), "state": [(torch.ones(2), None)], "learning_rate": 0.1}
    model = save(path, **rest)
    for checkpoint in (torch.load(path, weights_only=True), runs.load_checkpoint(path, LESSON)):
        assert checkpoint["lesson"] == LESSON
        assert checkpoint["config"] == {"hidden_size": 2}
        assert checkpoint["tokenizer"] == Letters().to_dict()
        assert checkpoint["step"] == 7 and checkpoint["learning_rate"] == 0.1
        assert torch.equal(checkpoint["rng"], rest["rng"]) and torch.equal(checkpoint["state"][0][0], torch.ones(2))
        twin = torch.nn.Linear(2, 3)
        twin.load_state_dict(checkpoint["weights"])
        assert torch.equal(twin.weight, model.weight) and torch.equal(twin.bias, model.bias)


class Forbidden:
    """Its pickle would run a command when it is read."""

    def __reduce__(self):
        return (os.mkdir, ("you-have-been-had",))


def broken_files(folder: Path) -> dict[str, Path]:
    folder.mkdir()
    files = {name: folder / f"{name}.pt" for name in ("empty", "garbage", "text", "zip", "cut", "pickle", "forbidden")}
    files["empty"].write_bytes(b"")
    files["garbage"].write_bytes(random.Random(1).randbytes(5000))
    files["text"].write_text("once upon a time\n" * 100, encoding="utf-8")
    with zipfile.ZipFile(files["zip"], "w") as archive:
        archive.writestr("notes.txt", "a zip file of something else")
    save(files["cut"], torch.nn.Linear(30, 30))
    files["cut"].write_bytes(files["cut"].read_bytes()[:-1000])
    files["pickle"].write_bytes(pickle.dumps(Forbidden(), protocol=2))
    torch.save({"lesson": LESSON, "config": Forbidden()}, files["forbidden"])
    return files


def test_broken_checkpoints_are_one_line_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = broken_files(tmp_path / "broken") | {"folder": tmp_path}
    for name, path in files.items():
        with pytest.raises(LearnerError) as caught:
            runs.load_checkpoint(path, LESSON)
        message = str(caught.value)
        assert "\n" not in message and "cannot be read as a checkpoint" in message, name
        assert relative(path) in message, name
    assert not Path("you-have-been-had").exists()


def test_a_checkpoint_cut_off_anywhere_is_a_learner_error(tmp_path):
    path, cut = tmp_path / "whole.pt", tmp_path / "cut.pt"
    save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        cut.write_bytes(whole[:length])
        with pytest.raises(LearnerError):
            runs.load_checkpoint(cut, LESSON)


def test_a_missing_checkpoint_says_what_to_type(tmp_path):
    with pytest.raises(LearnerError, match="train first.*python train.py"):
        runs.load_checkpoint(tmp_path / "best.pt", LESSON)


def test_a_checkpoint_of_another_lesson_names_both(tmp_path):
    path = tmp_path / "best.pt"
    save(path)
    with pytest.raises(LearnerError, match=f"{LESSON}.*model-04-gru"):
        runs.load_checkpoint(path, "model-04-gru")


def test_a_checkpoint_of_another_kind_of_model_of_the_lesson(tmp_path):
    path = tmp_path / "best.pt"
    save(path)
    assert runs.load_checkpoint(path, LESSON, make_dataclass("Config", ["hidden_size"]))["lesson"] == LESSON
    with pytest.raises(LearnerError, match="another kind of model"):
        runs.load_checkpoint(path, LESSON, make_dataclass("Config", ["hidden_size", "num_heads"]))


@pytest.mark.parametrize("other", [{"weights": torch.ones(2)}, torch.ones(2), [1, 2]])
def test_a_torch_file_that_is_no_checkpoint_of_the_course(tmp_path, other):
    torch.save(other, tmp_path / "other.pt")
    with pytest.raises(LearnerError, match="not a checkpoint of this course"):
        runs.load_checkpoint(tmp_path / "other.pt", LESSON)


# The saving process is killed. A first process imports torch once (a second or more) and forks the ones that die.
SAVER = """
import os, sys
from pathlib import Path
import torch
from shared.runs import save_checkpoint

class Nothing:
    def to_dict(self):
        return {}

class Filled(torch.nn.Module):
    def __init__(self, counter):
        super().__init__()
        self.register_buffer("first", torch.full((400_000,), counter))
        self.register_buffer("second", torch.full((400_000,), counter))

def save_for_ever(counter):
    while True:
        counter += 1
        save_checkpoint(path, "model-00-test", Filled(counter), {"counter": counter}, Nothing())

path, fork = Path(sys.argv[1]), sys.argv[2] == "fork"
torch.set_num_threads(1)
if not fork:
    print(os.getpid(), flush=True)
    save_for_ever(int(sys.argv[3]))
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        save_for_ever(int(line))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


def test_killed_while_saving_50_times_there_is_always_a_whole_checkpoint(tmp_path):
    path, chance = tmp_path / "last.pt", random.Random(1337)
    half_files, counter = 0, 0
    fork = sys.platform == "linux"  # on macOS what was imported may not survive a fork
    start = [sys.executable, "-c", SAVER, str(path), "fork" if fork else "once"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    pipes["env"] = os.environ | {"PYTHONPATH": str(Path(runs.__file__).parents[1])}

    def check(earlier: int) -> int:
        checkpoint = runs.load_checkpoint(path, LESSON)  # raises where it is missing or broken
        found = checkpoint["config"]["counter"]
        weights = checkpoint["weights"]
        assert all(weights[name].shape == (400_000,) and (weights[name] == found).all() for name in ("first", "second"))
        assert found >= earlier
        return found

    first = torch.nn.Module()
    first.register_buffer("first", torch.zeros(400_000))
    first.register_buffer("second", torch.zeros(400_000))
    runs.save_checkpoint(path, LESSON, first, {"counter": 0}, Letters())

    parent = subprocess.Popen(start, **pipes) if fork else None
    try:
        for _ in range(50 if fork else 10):  # without fork every kill costs the import of torch
            if fork:
                parent.stdin.write(f"{counter}\n")
                parent.stdin.flush()
                child = int(parent.stdout.readline())
                time.sleep(chance.uniform(0, 0.15))
                os.kill(child, 9)
                assert parent.stdout.readline() == "dead\n"
            else:
                with subprocess.Popen([*start, str(counter)], **pipes) as process:
                    process.stdout.readline()  # it saves from here on
                    time.sleep(chance.uniform(0, 0.15))
                    process.kill()
            half_files += path.with_name("last.pt.tmp").exists()
            counter = check(counter)
    finally:
        if parent:
            parent.kill()
            parent.communicate()
    assert counter > 0  # it did save
    assert half_files > 0  # and was killed in the middle of saving
    runs.start_run(tmp_path)
    assert not path.with_name("last.pt.tmp").exists()


# Metrics and the summary


def test_metrics_come_back_in_order(tmp_path):
    rows = [{"step": step, "val_loss": 1 / (step + 1), "sample": "Zürich\n\u2028"} for step in range(3)]
    for row in rows:
        runs.log_metrics(tmp_path, **row)
    assert runs.read_metrics(tmp_path) == rows


def test_a_metrics_line_cut_off_anywhere_costs_that_line_only(tmp_path):
    file = tmp_path / "metrics.jsonl"
    runs.log_metrics(tmp_path, step=1)
    runs.log_metrics(tmp_path, step=2)
    whole = file.read_bytes()
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        runs.log_metrics(tmp_path, step=3)  # a resumed run
        steps = [row["step"] for row in runs.read_metrics(tmp_path)]
        kept = [step for step, needed in ((1, 11), (2, 23)) if length >= needed]  # {"step": 1} takes 11 bytes
        assert steps == [*kept, 3], length


def test_the_summary_says_what_ran_where(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--dataset", "Märchen.txt"])
    returned = runs.write_summary(tmp_path, val_loss=1.5, seed=1337, floor=None)
    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    assert json.loads(text) == returned
    assert "Märchen.txt" in text
    machine = {"threads", "processor", "python_version", "torch_version", "git_commit", "argv"}
    assert set(returned) == {"val_loss", "seed", "floor"} | machine
    assert returned["argv"] == ["--dataset", "Märchen.txt"]
    assert returned["threads"] == torch.get_num_threads() and returned["processor"]
    assert list(tmp_path.iterdir()) == [tmp_path / "summary.json"]


@pytest.mark.parametrize(
    ("loss", "as_preset", "dataset", "ticks"),
    [(1.93, True, "shakespeare", True), (1.5, True, "shakespeare", True), (1.99, True, "shakespeare", False),
     (1.93, False, "shakespeare", False), (1.93, True, "fables", False)],
)  # fmt: skip
def test_a_loss_where_the_preset_says_is_evidence(tmp_path, monkeypatch, capsys, loss, as_preset, dataset, ticks):
    events = []
    monkeypatch.setattr(runs, "record", events.append)
    summary = {"val_loss": loss, "val_bits_per_char": loss / math.log(2), "floor": None, "dataset": dataset,
               "sample": {"verbatim_share": 0.0}}  # fmt: skip
    args = SimpleNamespace(as_preset=as_preset)
    runs.conclude(tmp_path, tmp_path.parent / LESSON, summary, args, {"expected": (1.9, 1.95)})
    assert events == (["00 expected"] if ticks else [])
    assert ("1.90 to 1.95" in capsys.readouterr().out) == (as_preset and dataset == "shakespeare")


def test_git_commit_outside_of_a_checkout_and_without_git(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "__file__", str(tmp_path / "runs.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert runs.git_commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runs.git_commit() is None


def test_git_commit_marks_changed_files(tmp_path, monkeypatch):
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    file = tmp_path / "runs.py"
    file.write_text("one\n", encoding="utf-8")
    try:
        for command in (["init", "-q"], ["add", "runs.py"], ["commit", "-q", "-m", "one"]):
            subprocess.run([*git, *command], cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs git")
    monkeypatch.setattr(runs, "__file__", str(file))
    clean = runs.git_commit()
    assert len(clean) == 12 and set(clean) <= set("0123456789abcdef")
    file.write_text("two\n", encoding="utf-8")
    assert runs.git_commit() == clean + "+"


def test_relative_is_the_shorter_way_to_write_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.relative(tmp_path / "best.pt") == "best.pt"
    monkeypatch.chdir(Path(tmp_path.anchor))
    assert Path(files.relative(tmp_path)).resolve() == tmp_path.resolve()
