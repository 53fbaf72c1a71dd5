"""What every lesson that trains by gradient descent must do; its test_train.py calls these with its own small flags."""

import json
import sys
from pathlib import Path

import torch

from shared.lessons import load

TEXT = "the quick brown fox jumps over the lazy dog, and the dog sleeps on. 'who was that?' asked the dog.\n" * 60


class PressedAt:
    """Stands in for console.CtrlC: pressed from the n-th time that it is asked."""

    after = 10**9

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def pressed(self) -> bool:
        PressedAt.after -= 1
        return PressedAt.after < 0


def run_main(module, monkeypatch, *flags: str, press_after: int = 10**9) -> None:
    """A training script's main, in this process, with some flags, pressing Ctrl-C after so many looks at it."""
    monkeypatch.setattr(sys, "argv", [Path(module.__file__).name, *map(str, flags)])
    if hasattr(module, "CtrlC"):  # else whoever calls this has put PressedAt where the script looks
        monkeypatch.setattr(module, "CtrlC", PressedAt)
    PressedAt.after = press_after
    threads = torch.get_num_threads()
    try:
        module.main()
    finally:
        torch.set_num_threads(threads)


def train(lesson: Path, monkeypatch, *flags: str, press_after: int = 10**9):
    """Run train.py's main in this process, as run_main says; returns its module."""
    module = load(lesson / "train.py")
    run_main(module, monkeypatch, *flags, press_after=press_after)
    return module


def losses(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def check_resume_is_bit_for_bit(lesson: Path, tmp_path: Path, monkeypatch, *flags: str) -> None:
    """Stopped by Ctrl-C in the middle and resumed gives the weights and losses of a run that was left alone."""
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))  # no two runs may choose by a busy machine
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    common = ["--dataset", tmp_path / "tiny.txt", "--steps", "20", "--precision", "float32", *flags]
    train(lesson, monkeypatch, *common, "--out", tmp_path / "whole")
    train(lesson, monkeypatch, *common, "--out", tmp_path / "parts", press_after=13)
    stopped = torch.load(tmp_path / "parts" / "last.pt", weights_only=True)["step"]
    assert 0 < stopped < 20, "the run was not stopped in the middle"
    train(lesson, monkeypatch, "--resume", "--out", tmp_path / "parts")
    whole, parts = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 20
    for name, weight in whole["weights"].items():
        assert torch.equal(weight, parts["weights"][name]), f"{name} differs after resuming"
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")


def check_run_folder(lesson: Path, tmp_path: Path, monkeypatch, *flags: str) -> dict:
    """A short run leaves every file of the design's section 5, and a summary with every key; returns the summary."""
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    train(lesson, monkeypatch, "--dataset", tmp_path / "tiny.txt", "--steps", "12", "--out", tmp_path / "run", *flags)
    for name in ("best.pt", "last.pt", "metrics.jsonl", "summary.json", "loss.png", "samples.txt"):
        assert (tmp_path / "run" / name).stat().st_size > 0, name
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    keys = """dataset tokenizer parameters steps tokens_seen train_seconds tokens_per_second val_loss val_loss_last
        val_bits_per_char floor context_policy seed device precision threads processor torch_version git_commit preset
        argv""".split()
    assert not set(keys) - set(summary), "summary.json lacks keys"
    assert summary["val_loss"] == min(row["val_loss"] for row in losses(tmp_path / "run"))
    best = torch.load(tmp_path / "run" / "best.pt", weights_only=True)
    assert {"weights", "config", "tokenizer", "lesson"} <= set(best)
    return summary
