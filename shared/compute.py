"""What a training runs on, decided once at the start: device, threads, precision, and how many steps fit in a time."""

import contextlib
import ctypes
import importlib.util
import os
import shutil
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from shared.console import LearnerError, say


def choose_device(name: str) -> torch.device:
    """'auto' is CUDA where there is a card, else the CPU; MPS only when asked for, and checked against the CPU first.

    Raises LearnerError for a device that is unknown, not here, or whose results are wrong.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda", "mps"):
        raise LearnerError(f"--device {name}: take auto, cpu, cuda or mps")
    if name == "cuda" and not torch.cuda.is_available():
        raise LearnerError("--device cuda: this PyTorch sees no NVIDIA card; take --device cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise LearnerError("--device mps: there is no Apple GPU here; take --device cpu")
        a, b = torch.randn(64, 64), torch.randn(64, 64)
        if not torch.allclose((a.to("mps") @ b.to("mps")).tanh().cpu(), (a @ b).tanh(), atol=1e-3):
            raise LearnerError("--device mps: its results differ from the CPU's on this machine; take --device cpu")
    return torch.device(name)


def keep_freed_memory() -> None:
    """On Linux: keep memory that a step frees for the next step, instead of giving it back and fetching it again.

    Elsewhere, or with another C library than glibc, it does nothing.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-4, 0)  # M_MMAP_MAX: no large block comes straight from the kernel
        mallopt(-1, -1)  # M_TRIM_THRESHOLD: nothing goes back to it


def choose_threads(before: int | None = None) -> int:
    """Use as many threads as multiply matrices fastest (more than there are cores only gets in the way).

    before: what a run that is resumed began with. With another number of threads sums come out otherwise in the last
    digit, and resuming would not be bit for bit.
    """
    keep_freed_memory()
    if before:
        torch.set_num_threads(before)
        return before
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    a, timings = torch.randn(512, 512), {}
    most = torch.get_num_threads()
    for threads in sorted({max(1, most // 2), most}):
        torch.set_num_threads(threads)
        timings[threads] = seconds_of(lambda: a @ a, seconds=0.02)
    torch.set_num_threads(min(timings, key=timings.get))
    return torch.get_num_threads()


def choose_precision(name: str, device: torch.device, step: Callable[[str], None]) -> str:
    """'float32' or 'bf16'. 'auto' tries one training step of each, `step(precision)`, and takes the faster."""
    if name != "auto":
        return name
    if device.type == "cpu" and not torch.backends.mkldnn.is_available():
        return "float32"
    times = {precision: seconds_of(lambda p=precision: step(p), seconds=0.5) for precision in ("float32", "bf16")}
    return min(times, key=times.get)


def autocast(precision: str, device: torch.device):
    """The context of a forward pass: bf16 products where asked for, float32 otherwise."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def compiled(model, device: torch.device):
    """The model through torch.compile, with the same weights. Raises LearnerError where what that needs is not here."""
    compiler = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    needed = {
        f"a C++ compiler ({compiler})": shutil.which(compiler),
        f"Python's headers ({headers})": headers.exists(),
        "the package triton": device.type != "cuda" or importlib.util.find_spec("triton"),
    }
    for what, is_here in needed.items():
        if not is_here:
            raise LearnerError(f"--compile needs {what}, which is not here: install it, or leave --compile out")
    warnings.filterwarnings("ignore", message="Torchinductor does not support code generation for complex")  # lesson 06
    return torch.compile(model)


def seconds_of(work: Callable[[], None], seconds: float) -> float:
    """Median seconds of one call, after one to warm up, repeated for about so long."""
    work()
    times, start = [], time.perf_counter()
    while not times or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return sorted(times)[len(times) // 2]


def steps_in(minutes: float, seconds_per_step: float, share: float = 0.9) -> int:
    """How many steps fit into a budget, of which `share` goes to training and the rest to evaluation and saving."""
    return max(1, int(minutes * 60 * share / seconds_per_step))


def show_choice(device: torch.device, precision: str) -> None:
    """The line that train.py prints about all this."""
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    say(f"runs on    {device.type}{threads}, {precision}")


def choose_steps(args, steps_per_epoch: int, seconds_per_step: float) -> int:
    """How many steps: as many as fit in --minutes, or make up --epochs, or --steps (the preset's, if not given)."""
    if args.minutes:
        return steps_in(args.minutes, seconds_per_step)
    if args.epochs:
        return max(1, round(args.epochs * steps_per_epoch))
    return args.steps


def settle(args, device: torch.device, steps_per_epoch: int, step: Callable[[str], None]) -> float:
    """Decide what is decided by measuring, once, at the start: args.precision and args.steps; the seconds of one step.

    step(precision) does one training step, on a copy of the model.
    """
    args.precision = choose_precision(args.precision, device, step)
    seconds_per_step = seconds_of(lambda: step(args.precision), seconds=1.0)
    args.steps = choose_steps(args, steps_per_epoch, seconds_per_step)
    return seconds_per_step
