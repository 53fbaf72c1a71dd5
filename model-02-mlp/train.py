"""Train lesson 02: an MLP language model on random windows of a text.

    python train.py                             the default, in 5 to 10 minutes on two cores
    python train.py --preset quick              half a minute
    python train.py --preset names              makemore's setting
    python train.py --context-length 32 --minutes 3
"""

import argparse
import copy
import math
import time
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

import torch
from model import MLPLM, MLPConfig
from torch.nn.functional import cross_entropy

from shared.compute import autocast, choose_device, choose_threads, settle, show_choice
from shared.console import CtrlC, Progress, common_flags, config_flags, duration, parse, positive_int, run, say
from shared.data.batching import RandomWindows
from shared.data.tokens import load_tokens
from shared.evaluation import describe_loss, first_loss, report, token_losses
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
BASE = {"window": 64, "batch_size": 64, "learning_rate": 1e-3, "weight_decay": 0.1, "warmup": 100}
PRESETS = {  # "expected": nats per token, around what results/presets.json has
    "default": BASE | {"steps": 5000, "learning_rate": 2e-3, "context_length": 8, "embedding_dim": 64, "num_layers": 2,
                       "dropout": 0.15, "expected": (1.58, 1.62)},
    "quick": BASE | {"steps": 800, "context_length": 8, "embedding_dim": 24, "hidden_size": 256,
                     "expected": (2.07, 2.12)},
    "names": BASE | {"steps": 6000, "dataset": "names", "learning_rate": 2e-3, "context_length": 8, "hidden_size": 384,
                     "num_layers": 2, "dropout": 0.2, "batch_size": 128, "window": 16, "expected": (2.00, 2.03)},
    "bengio": BASE | {"steps": 800, "tokenizer": "word", "context_length": 5, "embedding_dim": 60, "hidden_size": 100,
                      "direct": True, "batch_size": 16},
    "ladder": BASE | {"steps": 4000, "dataset": "fables", "learning_rate": 2e-3, "context_length": 32,
                      "embedding_dim": 28, "hidden_size": 256, "window": 256, "batch_size": 32},
}  # fmt: skip


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    config_flags(parser, MLPConfig)
    parser.add_argument("--window", type=positive_int, help="tokens in a training window, each one an example")
    parser.add_argument("--weight-decay", type=float, help="of AdamW")
    parser.add_argument("--warmup", type=positive_int, help="steps until the learning rate is at its highest")
    common_flags(parser, PRESETS)
    return parse(parser, PRESETS)


def learning_rate(step: int, args) -> float:
    """Up in a straight line, then down along a cosine to a twentieth (Loshchilov & Hutter 2017)."""
    warm = min(1.0, (step + 1) / args.warmup)
    return args.learning_rate * warm * (0.525 + 0.475 * math.cos(math.pi * step / args.steps))


def train_step(model, optimizer, batch, device, precision) -> float:
    """One step of gradient descent; returns the training loss in nats per token."""
    with autocast(precision, device):
        logits, _ = model(batch.inputs.to(device))
    loss = cross_entropy(logits.flatten(0, 1), batch.targets.to(device).flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def make_optimizer(model, args) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019); matrices decay, biases and gains do not."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": args.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.99))


def main() -> None:
    args = arguments()
    folder = args.out or LESSON / "checkpoints"
    saved = load_checkpoint(folder / "last.pt", LESSON.name) if args.resume else None
    if saved:  # the flags of that run, and what it decided at its start
        args = argparse.Namespace(**saved["settings"])
    corpus, tokenizer, train_ids, val_ids = load_tokens(args, saved and tokenizer_from_dict(saved["tokenizer"]))
    device = choose_device(args.device)
    args.threads = choose_threads(saved and args.threads)

    torch.manual_seed(args.seed)
    settings = {field.name: getattr(args, field.name) for field in fields(MLPConfig)[1:]}
    config = MLPConfig(tokenizer.vocab_size, **settings)
    model = MLPLM(config).to(device)
    optimizer = make_optimizer(model, args)
    loader = RandomWindows(train_ids, args.batch_size, args.window, args.seed)
    if not saved:  # what is decided by measuring is decided here, once, on a copy
        trial, batch = copy.deepcopy(model), next(RandomWindows(train_ids, args.batch_size, args.window))
        trial_step = partial(train_step, trial, make_optimizer(trial, args), batch, device)
        seconds_per_step = settle(args, device, loader.steps_per_epoch, trial_step)
        del trial, trial_step
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"model      {config.num_layers} layer(s) of {config.hidden_size} over {config.context_length} tokens, "
        f"{parameters:,} parameters")  # fmt: skip
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
    every, progress = max(1, -(-args.steps // 10)), Progress(args.steps, step)
    with CtrlC() as ctrl_c:
        while step < args.steps:
            start = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, args)
            losses.append(train_step(model, optimizer, next(loader), device, args.precision))
            step, seconds = step + 1, seconds + time.perf_counter() - start
            check_finite(losses[-1], step, folder)
            progress.update(step, losses[-1], args.batch_size * args.window)
            if step % every == 0 or step == args.steps:
                result = report(token_losses(model, val_ids.to(device)), corpus.val, val_ids, tokenizer)
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

    tokens_per_step = args.batch_size * args.window
    finish(folder, LESSON, args, PRESETS, corpus, tokenizer, model, seconds, tokens_per_step, untrained)


if __name__ == "__main__":
    run(main)
