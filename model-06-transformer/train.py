"""Train lesson 06: Transformers on random windows of a text.

    python train.py                             the default; it says how long it will take
    python train.py --preset quick              a small one
    python train.py --preset mini               as in Vaswani et al. 2017, scaled to a CPU
    python train.py --preset gpt                GPT-2's choices, a larger one
    python train.py --preset modern             what came later, and Muon (muon.py)
"""

import argparse
import copy
import math
import time
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

import torch
from model import TransformerConfig, TransformerLM
from muon import Muon, Together, matrices_of
from presets import PRESETS
from torch.nn.functional import cross_entropy

from shared.compute import autocast, choose_device, choose_threads, compiled, settle, show_choice
from shared.console import CtrlC, Progress, common_flags, config_flags, duration, parse, positive_int, run, say
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

LESSON = Path(__file__).resolve().parent


def arguments(config_class=TransformerConfig, presets=PRESETS, description=__doc__):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    config_flags(parser, config_class)
    add = parser.add_argument
    add("--accumulate", type=positive_int, default=1, help="batches that make one step (%(default)s)")
    add("--optimizer", choices=("adamw", "muon", "normuon"), default="adamw",
        help="muon, normuon: for the blocks' matrices (%(default)s)")  # fmt: skip
    add("--muon-lr", type=float, default=0.02, help="learning rate of Muon's matrices (%(default)s)")
    add("--muon-momentum", type=float, default=0.95, help="how much of its momentum a step keeps (%(default)s)")
    add("--weight-decay", type=float, help="of matrices")
    add("--grow-from", type=int, default=0, help="windows are cut at first, into so many tokens (0: never)")
    add("--label-smoothing", type=float, default=0.0, help="in the training loss, shared by all tokens (%(default)s)")
    add("--clip", type=float, help="largest norm of the gradient; 0 leaves it as it is")
    add("--warmup", type=positive_int, help="steps until the learning rate is at its highest")
    add("--decay", choices=("cosine", "linear", "inverse_sqrt"), default="cosine", help="what follows (%(default)s)")
    add("--evaluations", type=positive_int, help="how often the validation split is read on the way")
    add("--compile", action="store_true", help="let torch.compile write the step anew (it needs a C++ compiler)")
    common_flags(parser, presets)
    return parse(parser, presets)


def in_pieces(batch: Batch, done: float, args) -> Batch:
    """With --grow-from: the windows, halved as long as that many tokens are left in a piece. When half of the steps are
    done pieces are twice as long, after half of the rest again, and so on (Li et al. 2022; Press et al. 2021)."""
    length = args.context_length
    while length % 2 == 0 and 0 < args.grow_from <= length // 2:
        length //= 2
    length = min(args.context_length, length << int(-math.log2(1 - done)))
    return Batch(batch.inputs.reshape(-1, length), batch.targets.reshape(-1, length), batch.restart)


def share_of_rate(step: int, args) -> float:
    """Of the highest learning rate: up in a straight line, then down along a cosine to a twentieth (Loshchilov & Hutter
    2017), in a straight line to 0, or as 1/sqrt(step) (Vaswani et al. 2017, section 5.3)."""
    warm, done = min(1.0, (step + 1) / args.warmup), step / args.steps
    if args.decay == "inverse_sqrt":
        return min(warm, math.sqrt(args.warmup / (step + 1)))
    return warm * (1 - done if args.decay == "linear" else 0.525 + 0.475 * math.cos(math.pi * done))


def train_step(model, optimizer, batch, accumulate, clip, smoothing, device, precision) -> float:
    """One step of gradient descent; returns the training loss in nats per token. The batch is read in `accumulate`
    equal parts, one after another, to save memory: their gradients add up to its own."""
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for inputs, targets in zip(batch.inputs.chunk(accumulate), batch.targets.chunk(accumulate), strict=True):
        with autocast(precision, device):
            logits, _ = model(inputs.to(device))
        loss = cross_entropy(logits.flatten(0, 1), targets.to(device).flatten(), label_smoothing=smoothing)
        (loss / accumulate).backward()
        total += loss.item() / accumulate
    if clip:  # Pascanu et al. 2013, section 3.2
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    with autocast(precision, device):  # Muon's products
        optimizer.step()
    return total


def make_optimizer(model, args):
    """AdamW (Loshchilov & Hutter 2019), or Muon for the blocks' matrices, AdamW for the rest; only matrices decay."""
    groups, rest = ([], list(model.parameters())) if args.optimizer == "adamw" else matrices_of(model)
    matrices, others = ([weight for weight in rest if (weight.dim() >= 2) == is_one] for is_one in (True, False))
    decays = [{"params": matrices, "weight_decay": args.weight_decay}, {"params": others, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(decays, lr=args.learning_rate, betas=(0.9, 0.99), fused=True)
    if not groups:
        return adamw
    row_decay = 0.95 if args.optimizer == "normuon" else 0.0
    return Together(adamw, Muon(groups, args.muon_lr, args.muon_momentum, args.weight_decay, row_decay))


def main() -> None:
    args = arguments()
    folder = args.out or LESSON / "checkpoints"
    saved = load_checkpoint(folder / "last.pt", LESSON.name, TransformerConfig) if args.resume else None
    if saved:  # the flags of that run, and what it decided at its start
        args = argparse.Namespace(**saved["settings"])
    corpus, tokenizer, train_ids, val_ids = load_tokens(args, saved and tokenizer_from_dict(saved["tokenizer"]))
    device = choose_device(args.device)
    args.threads = choose_threads(saved and args.threads)

    torch.manual_seed(args.seed)
    sizes = {field.name: getattr(args, field.name) for field in fields(TransformerConfig)[1:]}
    config = TransformerConfig(tokenizer.vocab_size, **sizes)
    model = TransformerLM(config).to(device)
    network = compiled(model, device) if args.compile else model  # the same weights; it is only trained with
    optimizer = make_optimizer(model, args)
    windows, more = args.batch_size * args.accumulate, (args.accumulate, args.clip, args.label_smoothing)
    loader = RandomWindows(train_ids, windows, args.context_length, args.seed)
    if not saved:  # what is decided by measuring is decided here, once, on a copy
        trial, batch = copy.deepcopy(network), next(RandomWindows(train_ids, windows, args.context_length))
        trial_step = partial(train_step, trial, make_optimizer(trial, args), in_pieces(batch, 0.5, args), *more, device)
        seconds_per_step = settle(args, device, loader.steps_per_epoch, trial_step)
        del trial, trial_step
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"model      {config.num_layers} layer(s) of {config.embedding_dim}, {parameters:,} parameters")
    show_choice(device, args.precision)

    step, seconds, losses, val_losses, untrained = 0, 0.0, [], [], first_loss(model, val_ids.to(device))
    if saved:
        restore(saved, model, optimizer, loader)
        step, seconds, untrained = saved["step"], saved["seconds"], saved["untrained"]
        losses, val_losses = saved["losses"], saved["val_losses"]
        trim_metrics(folder, step)
        say(f"resumes    at step {step:,} of {args.steps:,}")
    else:
        start_run(folder)
        torch.manual_seed(args.seed)
        say(f"trains     {args.steps:,} steps, about {duration(args.steps * seconds_per_step)}")
        say(f"untrained  {untrained:.3f} nats per token; ln(V) = {math.log(tokenizer.vocab_size):.3f}")
    training = {"lesson": LESSON.name, "config": asdict(config), "tokenizer": tokenizer, "settings": plain(args)}
    every, progress = max(1, -(-args.steps // args.evaluations)), Progress(args.steps, step)
    with CtrlC() as ctrl_c:
        while step < args.steps:
            start = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * share_of_rate(step, args)
            batch = in_pieces(next(loader), step / args.steps, args)
            losses.append(train_step(network, optimizer, batch, *more, device, args.precision))
            step, seconds = step + 1, seconds + time.perf_counter() - start
            check_finite(losses[-1], step, folder)
            progress.update(step, losses[-1], windows * args.context_length)
            if step % every == 0 or step == args.steps:
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
            if step % every == 0 or step == args.steps or ctrl_c.pressed:
                save_training(folder, "last.pt", training, model, optimizer, loader, step=step, seconds=seconds,
                              losses=losses, val_losses=val_losses, untrained=untrained)  # fmt: skip
            if ctrl_c.pressed and step < args.steps:
                go_on = f"python train.py --resume{out_flag(folder, LESSON)}"
                say(f"\nstopped and saved at step {step:,}; go on with: {go_on}")
                return

    model.load_state_dict(load_checkpoint(folder / "best.pt", LESSON.name)["weights"])
    stride = -(-args.context_length // 2)
    sliding = sliding_losses(model, val_ids.to(device), args.context_length, stride).mean().item()
    say(f"\nsliding window  {sliding:.4f} nats per token, each with half a window before it; consecutive windows:")
    finish(folder, LESSON, args, PRESETS, corpus, tokenizer, model, seconds, windows * args.context_length, untrained,
           f"consecutive windows of {args.context_length}", val_loss_sliding=sliding, sliding_stride=stride)


if __name__ == "__main__":
    run(main)
