"""What a training runs on: errors that name the flag, steps from a budget, decisions made by measuring."""

import platform
import subprocess
import sys
from argparse import Namespace

import pytest
import torch

from shared import compute
from shared.console import LearnerError

CPU = torch.device("cpu")


def test_auto_is_cuda_where_there_is_a_card_and_else_the_cpu(monkeypatch):
    for there, name in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert compute.choose_device("auto").type == name


@pytest.mark.parametrize("name", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_here_is_one_line(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(LearnerError, match=f"--device {name}"):
        compute.choose_device(name)


@pytest.mark.parametrize(("given", "expected"), [({}, 7), ({"epochs": 2.5}, 25), ({"minutes": 1.0}, 108)])
def test_steps_come_from_minutes_then_epochs_then_steps(given, expected):
    args = Namespace(**{"minutes": None, "epochs": None, "steps": 7, **given})
    assert compute.choose_steps(args, steps_per_epoch=10, seconds_per_step=0.5) == expected


def test_a_budget_too_small_still_takes_one_step():
    assert compute.steps_in(0.001, seconds_per_step=100.0) == 1


def test_precision_is_the_faster_one_and_what_is_asked_for_is_not_measured(monkeypatch):
    def seconds_of(work, seconds):
        work()
        return {"float32": 2.0, "bf16": 1.0}[used[-1]]

    used = []
    monkeypatch.setattr(compute, "seconds_of", seconds_of)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert compute.choose_precision("auto", CPU, used.append) == "bf16"
    assert compute.choose_precision("float32", CPU, lambda precision: 1 / 0) == "float32"


def test_autocast_computes_products_in_the_precision_asked_for():
    a = torch.ones(4, 4)
    for precision, dtype in (("bf16", torch.bfloat16), ("float32", torch.float32)):
        with compute.autocast(precision, CPU):
            assert (a @ a).dtype == dtype


def test_what_compiling_needs_is_looked_for_before(tmp_path, monkeypatch):
    """A compiler (CXX names another one), Python's headers, on a GPU triton: the line names what is missing."""
    model = torch.nn.Linear(2, 2)
    monkeypatch.setattr(compute.torch, "compile", lambda model: ("compiled", model))
    monkeypatch.setattr(compute.shutil, "which", lambda name: name if name == "my-compiler" else None)
    monkeypatch.setattr(compute.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(compute.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(LearnerError, match=r"C\+\+ compiler \((g\+\+|clang\+\+|cl)\).*leave --compile out"):
        compute.compiled(model, torch.device("cpu"))
    monkeypatch.setenv("CXX", "my-compiler")
    with pytest.raises(LearnerError, match=r"Python's headers"):
        compute.compiled(model, torch.device("cpu"))
    (tmp_path / "Python.h").touch()
    assert compute.compiled(model, torch.device("cpu")) == ("compiled", model)
    with pytest.raises(LearnerError, match="triton"):
        compute.compiled(model, torch.device("cuda"))


def test_seconds_of_is_the_median_without_the_first_call(monkeypatch):
    clock = iter([0.0, 0.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0, 9.0, 9.0])  # start; before, after, look; three times
    monkeypatch.setattr(compute.time, "perf_counter", lambda: next(clock))
    calls = []
    assert compute.seconds_of(lambda: calls.append(1), seconds=8.0) == 3.0
    assert len(calls) == 4


def test_a_resumed_run_goes_on_with_as_many_threads_as_it_began_with(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    try:
        assert compute.choose_threads() == threads
        assert compute.choose_threads(threads + 1) == torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc's allocator")
def test_memory_that_a_step_frees_is_there_for_the_next():
    """Blocks above 32 MB, taken and freed again and again: after a while no page comes from the kernel any more."""
    script = """if True:
        import resource, sys, torch
        from shared import compute
        if sys.argv[1] == "kept":
            compute.keep_freed_memory()
        for repetition in range(25):
            if repetition == 20:  # by now the blocks lie where they will lie
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            torch.ones(12_000_000).sum()  # 48 MB
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    plain, kept = (
        int(subprocess.run([sys.executable, "-c", script, how], capture_output=True, check=True, text=True).stdout)
        for how in ("plain", "kept")
    )
    assert kept < plain / 10
