"""train_ddp.py: two processes do what one does, one of them writes, and all stop together. Run: pytest
model-06-transformer/test_ddp.py
"""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from shared.console import LearnerError
from shared.data.batching import RandomWindows
from shared.lessons import load
from shared.tests import training
from shared.tests.shell import environment

LESSON = Path(__file__).resolve().parent
SMALL = ("--embedding-dim", "8", "--num-heads", "2", "--num-layers", "2", "--context-length", "8", "--batch-size", "4",
         "--precision", "float32", "--device", "cpu", "--dropout", "0", "--warmup", "5", "--lr", "0.01",
         "--grow-from", "2")  # fmt: skip
WHOLE = "--dataset", "tiny.txt", "--steps", "20", "--accumulate", "2", *SMALL
QUICKLY = f"""import sys
sys.path.insert(0, {str(LESSON)!r})
import train_ddp
from functools import partial
train_ddp.write_sample = partial(train_ddp.write_sample, length=10)
train_ddp.settle = lambda *_: 0.0
train_ddp.run(train_ddp.main)
"""  # train_ddp.py with short samples, and without measuring how long a step takes
TORCHRUN = sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"


def start(folder: Path, *flags: str) -> subprocess.Popen:
    """torchrun with two processes, in a process group of its own, as a terminal starts it."""
    (folder / "quickly.py").write_text(QUICKLY, encoding="utf-8")
    return subprocess.Popen([*TORCHRUN, "quickly.py", *flags], cwd=folder, env=environment(folder),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
                            start_new_session=True)  # fmt: skip


def run(folder: Path, *flags: str) -> str:
    """The same to its end; what it showed."""
    process = start(folder, *flags)
    shown, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return shown


def run_until(folder: Path, line: str, send, *flags: str) -> tuple[str, str]:
    """The same until it shows a line, and then send(torchrun's id, those of its processes); what it showed, its errors.

    Fails where a process is still there after torchrun has ended.
    """
    process, shown = start(folder, *flags), ""
    while not shown.endswith(line):
        piece = process.stdout.read(1)
        assert piece, f"it ended without {line!r}: {shown} {process.communicate()[1]}"
        shown += piece
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    ranks = [int(number) for number in listed.stdout.split()]
    assert len(ranks) == 2
    send(process.pid, ranks)
    rest, errors = process.communicate(timeout=300)
    for rank in ranks:
        with pytest.raises(ProcessLookupError):
            os.kill(rank, 0)
    return shown + rest, errors


def quickened(module):
    """As QUICKLY does it."""
    module.write_sample, module.settle = partial(module.write_sample, length=10), lambda *_: 0.0
    return module


def last(folder: Path) -> dict:
    return torch.load(folder / "last.pt", weights_only=True)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder with a tiny text, and in two/ the run of two processes, left alone."""
    folder = tmp_path_factory.mktemp("ddp")
    (folder / "tiny.txt").write_text(training.TEXT, encoding="utf-8")
    (folder / "shown.txt").write_text(run(folder, *WHOLE, "--out", "two"), encoding="utf-8")
    return folder


def test_two_processes_do_what_one_does(work, monkeypatch):
    """The losses that train.py finds, and its weights, after 20 steps. (Not the keys' bias: it adds the same to all
    scores of a query, so that its gradient is rounding alone, and Adam makes steps even of that.)"""
    monkeypatch.chdir(work)
    load_as_it_is = training.load
    monkeypatch.setattr(training, "load", lambda path: quickened(load_as_it_is(path)))
    training.train(LESSON, monkeypatch, *WHOLE, "--out", "one")
    one, two = last(work / "one"), last(work / "two")
    assert one["step"] == two["step"] == 20
    for weights in (one["weights"], two["weights"]):
        for name in [name for name in weights if name.endswith("qkv.bias")]:
            query, _, value = weights[name].chunk(3)
            weights[name] = torch.cat([query, value])
    torch.testing.assert_close(two["weights"], one["weights"], rtol=0, atol=1e-5)
    rows = [[[row[key] for key in ("step", "train_loss", "val_loss")] for row in training.losses(work / name)]
            for name in ("one", "two")]  # fmt: skip
    torch.testing.assert_close(*map(torch.tensor, rows), rtol=0, atol=1e-5)
    assert rows[0][-1][1] < rows[0][0][1] - 0.2  # it has learnt something


def test_one_process_speaks_and_writes(work):
    shown = (work / "shown.txt").read_text(encoding="utf-8")
    assert "processes  2, each reads 4 of 8 windows a step" in shown
    for line in ("corpus ", "trains ", "step 2:", "step 20:", "sliding window", "files "):
        assert sum(row.startswith(line) for row in shown.splitlines()) == 1, line
    assert sorted(path.name for path in work.iterdir() if path.is_dir() and path.name.startswith("two")) == ["two"]
    assert [row["step"] for row in training.losses(work / "two")] == list(range(2, 21, 2))
    assert (work / "two" / "samples.txt").read_text(encoding="utf-8").count("--- step") == 10
    summary = json.loads((work / "two" / "summary.json").read_text(encoding="utf-8"))
    assert summary["processes"] == 2 and summary["tokens_seen"] == 20 * 8 * 8


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_all_stop_together_and_go_on_bit_for_bit(work):
    """One process is killed: the other stops in one line, from the last save it goes on. Ctrl-C, as a terminal sends
    it, to torchrun and both processes: they save and stop. In the end it is the run that was left alone."""

    def kill_one(torchrun: int, ranks: list[int]) -> None:
        os.kill(max(ranks), signal.SIGKILL)

    def ctrl_c(torchrun: int, ranks: list[int]) -> None:
        os.killpg(torchrun, signal.SIGINT)

    shown, errors = run_until(work, "step 8:", kill_one, *WHOLE, "--out", "parts")
    assert "step 20:" not in shown and "error: another process is gone, so all stop; --resume goes on" in errors
    assert 6 <= last(work / "parts")["step"] < 20
    shown, _ = run_until(work, "step 14:", ctrl_c, "--resume", "--out", "parts")
    stopped = last(work / "parts")["step"]
    assert 14 <= stopped < 20
    go_on = "torchrun --standalone --nproc-per-node 2 train_ddp.py --resume --out parts"
    assert f"stopped and saved at step {stopped}; go on with: {go_on}" in shown
    shown = run(work, "--resume", "--out", "parts")
    assert f"resumes    at step {stopped} of 20" in shown
    whole, parts = last(work / "two"), last(work / "parts")
    for name, weight in whole["weights"].items():
        assert torch.equal(weight, parts["weights"][name]), f"{name} differs after resuming"
    assert training.losses(work / "two") == training.losses(work / "parts")


# In this process, alone


@pytest.fixture
def alone(monkeypatch):
    """train_ddp.py, also for shared.tests.training in place of train.py, and with short samples."""
    module = load(LESSON / "train_ddp.py")
    assert module.PROCESSES == 1

    def run(_, monkeypatch, *flags, press_after=10**9):
        monkeypatch.setattr(module, "Stop", training.PressedAt)
        monkeypatch.setattr(module, "write_sample", lambda *_: "a sample")
        monkeypatch.setattr(module, "finish", lambda *_, **__: None)
        training.run_main(module, monkeypatch, *flags, press_after=press_after)

    monkeypatch.setattr(training, "train", run)
    return module


def test_one_process_resumes_bit_for_bit(tmp_path, monkeypatch, capsys, alone):
    training.check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, "--dropout", "0.3")
    assert "go on with: python train_ddp.py --resume --out" in capsys.readouterr().out


@pytest.mark.parametrize("processes", [1, 2, 3, 6])
def test_the_shares_are_the_batch(monkeypatch, alone, processes):
    batch = next(RandomWindows(torch.arange(500), 12, 6))
    monkeypatch.setattr(alone, "PROCESSES", processes)
    shares = []
    for rank in range(processes):
        monkeypatch.setattr(alone, "RANK", rank)
        shares.append(alone.share_of(batch))
    assert {len(share.inputs) for share in shares} == {12 // processes}
    for part in ("inputs", "targets"):
        rows = torch.cat([getattr(share, part) for share in shares])
        assert sorted(rows.tolist()) == sorted(getattr(batch, part).tolist())


def test_a_batch_that_cannot_be_shared_is_one_line(tmp_path, monkeypatch, capsys, alone):
    """Said by the first process; the others leave after it, in silence."""
    waited = []
    monkeypatch.setattr(alone, "PROCESSES", 3)
    monkeypatch.setattr(alone.time, "sleep", waited.append)
    monkeypatch.setattr(sys, "argv", ["train_ddp.py", "--batch-size", "32", "--out", str(tmp_path / "run")])
    with pytest.raises(LearnerError, match="--batch-size 32 cannot be shared among 3 processes"):
        alone.main()
    assert not waited
    monkeypatch.setattr(alone, "RANK", 1)
    with pytest.raises(SystemExit, match="2"):
        alone.main()
    assert waited and capsys.readouterr() == ("", "") and not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_stop_hears_both_signals_and_more_than_once():
    stop, before = load(LESSON / "train_ddp.py").Stop, signal.getsignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGTERM):
        with stop() as stopped:
            assert not stopped.pressed
            for _ in range(3):
                os.kill(os.getpid(), number)
            assert stopped.pressed
    assert signal.getsignal(signal.SIGTERM) == before
