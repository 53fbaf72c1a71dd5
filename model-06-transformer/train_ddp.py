"""Train the Transformer of train.py with several processes, each on cores or a card of its own.

    torchrun --standalone --nproc-per-node 2 train_ddp.py --preset quick
    torchrun --standalone --nproc-per-node 2 train_ddp.py --resume
    python train_ddp.py                                     one process: nothing is distributed

Every process has the whole model. The flags are those of train.py, and --batch-size is that of all together. A step:

    each draws the batch that train.py would draw, and reads its share of the rows
    each computes its gradients, and DistributedDataParallel replaces them by their mean over all (Li et al. 2020)
    each takes the same step, so that the weights are the same everywhere

The mean of the means over equal shares is the mean over the batch: loss and weights are those of one process, but for
rounding. (Not with dropout, where each step's random numbers follow from seed, step and process.)

The first process, rank 0, evaluates, speaks and writes; the others wait for it in their next step. On CPUs they talk by
gloo, on NVIDIA cards by NCCL, one card for each. torchrun gives each process one thread; on a larger machine set
OMP_NUM_THREADS to the cores that there are for each. Ctrl-C, also to a single process, stops all after one step.
"""

import argparse
import contextlib
import copy
import math
import os
import signal
import sys
import time
from dataclasses import asdict, fields
from functools import partial

import torch
import torch.distributed as dist
from model import TransformerConfig, TransformerLM
from torch.nn.parallel import DistributedDataParallel
from train import LESSON, PRESETS, arguments, in_pieces, make_optimizer, share_of_rate, train_step

from shared.compute import choose_device, choose_threads, compiled, settle, show_choice
from shared.console import CtrlC, LearnerError, Progress, duration, run, say
from shared.data.batching import Batch, RandomWindows
from shared.data.tokens import load_tokens
from shared.evaluation import describe_loss, first_loss, report, sliding_losses, token_losses
from shared.runs import (
    check_finite,
    finish,
    load_checkpoint,
    log_metrics,
    out_flag,
    plain,
    restore,
    save_checkpoint,
    save_training,
    start_run,
    trim_metrics,
    write_sample,
)
from shared.tokenizers import tokenizer_from_dict

# torchrun says in the environment who this process is: of all, of those on this machine, and how many there are
RANK, LOCAL_RANK, PROCESSES = (int(os.environ.get(*name)) for name in
                               (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 1)))  # fmt: skip
LOST = "gloo", "nccl", "connection", "socket"  # in the errors of a process whose partner is gone


class Stop(CtrlC):
    """SIGINT and SIGTERM only set `pressed`, however often they come: Ctrl-C comes twice, from the terminal and from
    torchrun; and torchrun sends SIGTERM to the others where one process died."""

    def __enter__(self):
        self.before = {number: signal.signal(number, self._press) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _press(self, *_) -> None:
        self.pressed = True

    def __exit__(self, *_) -> None:
        for number, before in self.before.items():
            signal.signal(number, before)


def join(device: torch.device) -> torch.device:
    """Meet the other processes; returns this one's own device. LearnerError where there are too few cards."""
    if PROCESSES == 1:
        return device
    if device.type == "mps":
        raise LearnerError("--device mps: there is one Apple GPU, and no way to share it; take --device cpu")
    if device.type == "cuda":
        here, cards = int(os.environ.get("LOCAL_WORLD_SIZE", PROCESSES)), torch.cuda.device_count()
        if here > cards:
            raise LearnerError(f"--nproc-per-node {here}: there are only {cards} cards, and each process needs its own")
        device = torch.device("cuda", LOCAL_RANK)
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def of_the_first(values: list) -> list:
    """The first process's values, in all of them."""
    if PROCESSES > 1:
        dist.broadcast_object_list(values)
    return values


def share_of(batch: Batch) -> Batch:
    """This process's rows."""
    return Batch(batch.inputs[RANK::PROCESSES], batch.targets[RANK::PROCESSES], batch.restart)


def of_all(loss: float, pressed: bool, device: torch.device) -> tuple[float, bool]:
    """The mean loss over all processes, and whether any of them was told to stop."""
    if PROCESSES == 1:
        return loss, pressed
    both = torch.tensor([loss / PROCESSES, pressed], dtype=torch.float64, device=device)
    dist.all_reduce(both)
    return both[0].item(), both[1].item() > 0


def go_on_with(folder) -> str:
    """What to type to go on with a run."""
    start = f"torchrun --standalone --nproc-per-node {PROCESSES}" if PROCESSES > 1 else "python"
    return f"go on with: {start} train_ddp.py --resume{out_flag(folder, LESSON)}"


def train() -> None:
    args = arguments(description=__doc__)
    folder = args.out or LESSON / "checkpoints"
    saved = load_checkpoint(folder / "last.pt", LESSON.name, TransformerConfig) if args.resume else None
    if saved:  # the flags of that run, and what it decided at its start
        args = argparse.Namespace(**saved["settings"])
    if args.batch_size % PROCESSES:
        raise LearnerError(f"--batch-size {args.batch_size} cannot be shared among {PROCESSES} processes: take another")
    device = join(choose_device(args.device))
    args.threads, args.processes = choose_threads(saved and args.threads), PROCESSES
    known = saved and tokenizer_from_dict(saved["tokenizer"])
    if RANK:  # waits: the first process fetches the corpus and trains the tokenizer, for all
        known = tokenizer_from_dict(*of_the_first([None]))
    corpus, tokenizer, train_ids, val_ids = load_tokens(args, known)
    if not RANK:
        of_the_first([tokenizer.to_dict()])

    torch.manual_seed(args.seed)
    settings = {field.name: getattr(args, field.name) for field in fields(TransformerConfig)[1:]}
    config = TransformerConfig(tokenizer.vocab_size, **settings)
    model = TransformerLM(config).to(device)
    network = compiled(model, device) if args.compile else model  # the same weights; it is only trained with
    optimizer = make_optimizer(model, args)
    windows, more = args.batch_size * args.accumulate, (args.accumulate, args.clip, args.label_smoothing)
    loader = RandomWindows(train_ids, windows, args.context_length, args.seed)
    if not saved:  # each measures its own part of a step, at the same time; the first decides
        trial, batch = copy.deepcopy(network), share_of(next(RandomWindows(train_ids, windows, args.context_length)))
        trial_step = partial(train_step, trial, make_optimizer(trial, args), in_pieces(batch, 0.5, args), *more, device)
        seconds_per_step = settle(args, device, loader.steps_per_epoch, trial_step)
        args.steps, args.precision = of_the_first([args.steps, args.precision])
        del trial, trial_step
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"model      {config.num_layers} layer(s) of {config.embedding_dim}, {parameters:,} parameters")
    show_choice(device, args.precision)
    say(f"processes  {PROCESSES}, each reads {windows // PROCESSES} of {windows} windows a step")

    step, seconds, losses, val_losses, untrained = 0, 0.0, [], [], first_loss(model, val_ids.to(device))
    if saved:
        restore(saved, model, optimizer, loader)
        step, seconds, untrained = saved["step"], saved["seconds"], saved["untrained"]
        losses, val_losses = saved["losses"], saved["val_losses"]
        say(f"resumes    at step {step:,} of {args.steps:,}")
    else:
        say(f"trains     {args.steps:,} steps, about {duration(args.steps * seconds_per_step)}")
        say(f"untrained  {untrained:.3f} nats per token; ln(V) = {math.log(tokenizer.vocab_size):.3f}")
    if not RANK:
        trim_metrics(folder, step) if saved else start_run(folder)
    if PROCESSES > 1:
        network = DistributedDataParallel(network)
    training = {"lesson": LESSON.name, "config": asdict(config), "tokenizer": tokenizer, "settings": plain(args)}
    every, progress = max(1, -(-args.steps // args.evaluations)), Progress(args.steps, step)
    with Stop() as stop:
        while step < args.steps:
            start = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * share_of_rate(step, args)
            torch.manual_seed(args.seed + step + 10**9 * RANK)  # dropout
            batch = in_pieces(share_of(next(loader)), step / args.steps, args)
            loss = train_step(network, optimizer, batch, *more, device, args.precision)
            loss, stopped = of_all(loss, stop.pressed, device)
            losses.append(loss)
            step, seconds = step + 1, seconds + time.perf_counter() - start
            check_finite(losses[-1], step, folder)
            progress.update(step, losses[-1], windows * args.context_length)
            if not RANK and (step % every == 0 or step == args.steps):
                found = token_losses(model, val_ids.to(device), args.context_length, reset=True)
                result = report(found, corpus.val, val_ids, tokenizer)
                check_finite(result["val_loss"], step, folder)
                train_loss, losses = sum(losses) / len(losses), []
                log_metrics(folder, step=step, train_loss=train_loss, **result)
                sample = write_sample(folder, model, tokenizer, step, result["val_loss"], args.seed)
                progress.clear()
                say(f"\nstep {step:,}: training {train_loss:.4f}, validation {describe_loss(result)}\n{sample}")
                val_losses.append(result["val_loss"])
                if min(val_losses) == val_losses[-1]:
                    save_checkpoint(folder / "best.pt", LESSON.name, model, asdict(config), tokenizer, result=result)
            if not RANK and (step % every == 0 or step == args.steps or stopped):
                save_training(folder, "last.pt", training, model, optimizer, loader, step=step, seconds=seconds,
                              losses=losses, val_losses=val_losses, untrained=untrained)  # fmt: skip
            if stopped and step < args.steps:
                say(f"\nstopped and saved at step {step:,}; {go_on_with(folder)}")
                return
    if RANK:
        return

    model.load_state_dict(load_checkpoint(folder / "best.pt", LESSON.name)["weights"])
    stride = -(-args.context_length // 2)
    sliding = sliding_losses(model, val_ids.to(device), args.context_length, stride).mean().item()
    say(f"\nsliding window  {sliding:.4f} nats per token, each with half a window before it; consecutive windows:")
    finish(folder, LESSON, args, PRESETS, corpus, tokenizer, model, seconds, windows * args.context_length, untrained,
           f"consecutive windows of {args.context_length}", val_loss_sliding=sliding, sliding_stride=stride,
           processes=PROCESSES)  # fmt: skip


def main() -> None:
    with contextlib.ExitStack() as quiet:
        if RANK:  # what it has to say, the first process says
            nowhere = quiet.enter_context(open(os.devnull, "w", encoding="utf-8"))
            quiet.enter_context(contextlib.redirect_stdout(nowhere))
            quiet.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            train()
        except (LearnerError, RuntimeError) as error:
            gone = PROCESSES > 1 and any(sign in str(error).lower() for sign in LOST)
            if RANK and (gone or isinstance(error, LearnerError)):
                time.sleep(5)  # torchrun stops all as soon as one has left: the first one speaks before
                sys.exit(2)
            if gone:
                line = "another process is gone, so all stop; --resume goes on from what was saved last"
                raise LearnerError(line) from error
            raise
    if dist.is_initialized():
        dist.destroy_process_group()
    if RANK:  # it has written nothing; and Python's own way out aborts now and then while a thread of gloo's still ends
        os._exit(0)


if __name__ == "__main__":
    run(main)
