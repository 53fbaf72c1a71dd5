"""Train lesson 04: gated recurrent units on contiguous streams of a text, their state carried from chunk to chunk.

    python train.py                             the default, in 5 to 10 minutes on two cores
    python train.py --preset quick              half a minute
    python train.py --preset astra-alpha        characters; then astra-beta, astra-gamma
    python train.py --preset scribe-alpha       subwords; then scribe-beta, scribe-gamma
    python train.py --reset-after --minutes 3
"""

import argparse
import copy
import math
import time
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

import torch
from model import GRULM, GRUConfig, detach_state
from torch.nn.functional import cross_entropy

from shared.compute import autocast, choose_device, choose_threads, settle, show_choice
from shared.console import CtrlC, Progress, common_flags, config_flags, duration, parse, positive_int, run, say
from shared.data.batching import ContiguousStreams
from shared.data.tokens import load_tokens
from shared.evaluation import describe_loss, first_loss, report, token_losses
from shared.recall import map_state
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
BASE = {"learning_rate": 2e-3, "weight_decay": 0.01, "warmup": 100, "clip": 1.0, "batch_size": 32, "chunk_length": 64}
ASTRA = BASE | {"warmup": 1, "batch_size": 64, "chunk_length": 128, "dropout": 0.1}
SCRIBE = ASTRA | {"tokenizer": "unigram", "vocab_size": 1000}
PRESETS = {  # "expected": nats per token, around what results/presets.json has
    "default": BASE | {"steps": 4400, "learning_rate": 4e-3, "embedding_dim": 320, "hidden_size": 320,
                       "residual": True, "dropout": 0.2, "expected": (1.44, 1.48)},
    "quick": BASE | {"steps": 700, "embedding_dim": 128, "hidden_size": 128, "num_layers": 1,
                     "expected": (1.87, 1.92)},
    "ladder": BASE | {"steps": 4000, "dataset": "fables", "embedding_dim": 128, "hidden_size": 140,
                      "lm_head_std": 0.1, "chunk_length": 256},
    "astra-alpha": ASTRA | {"embedding_dim": 64, "hidden_size": 128, "num_layers": 1, "steps": 10 * 200,
                            "learning_rate": 3e-3, "expected": (1.60, 1.63)},
    "astra-beta": ASTRA | {"embedding_dim": 128, "hidden_size": 256, "num_layers": 2, "steps": 15 * 200},
    "astra-gamma": ASTRA | {"embedding_dim": 256, "hidden_size": 512, "num_layers": 3, "steps": 20 * 400,
                            "learning_rate": 1e-3},
    "scribe-alpha": SCRIBE | {"embedding_dim": 128, "hidden_size": 256, "num_layers": 2, "steps": 10 * 200},
    "scribe-beta": SCRIBE | {"embedding_dim": 256, "hidden_size": 512, "num_layers": 3, "steps": 15 * 200,
                             "learning_rate": 1.5e-3},
    "scribe-gamma": SCRIBE | {"embedding_dim": 384, "hidden_size": 768, "num_layers": 4, "steps": 20 * 400,
                              "learning_rate": 1e-3, "dropout": 0.15},
}  # fmt: skip


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    config_flags(parser, GRUConfig)
    parser.add_argument("--chunk-length", type=positive_int, help="steps through which the gradient flows back")
    parser.add_argument("--clip", type=float, help="largest norm of the gradient; 0 leaves it as it is")
    parser.add_argument("--no-carry", action="store_true", help="start every chunk from no state (an experiment)")
    parser.add_argument("--weight-decay", type=float, help="of AdamW")
    parser.add_argument("--warmup", type=positive_int, help="steps until the learning rate is at its highest")
    common_flags(parser, PRESETS)
    return parse(parser, PRESETS)


def learning_rate(step: int, args) -> float:
    """Up in a straight line, then down along a cosine to a twentieth (Loshchilov & Hutter 2017)."""
    warm = min(1.0, (step + 1) / args.warmup)
    return args.learning_rate * warm * (0.525 + 0.475 * math.cos(math.pi * step / args.steps))


def train_step(model, optimizer, batch, state, clip, device, precision):
    """One step of truncated backpropagation through time: the training loss (nats per token), the state to go on from.

    The state comes in without its history, so the gradient ends at the start of the chunk (Williams & Peng 1990).
    """
    with autocast(precision, device):
        logits, state = model(batch.inputs.to(device), None if batch.restart else state)
    loss = cross_entropy(logits.flatten(0, 1), batch.targets.to(device).flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if clip:  # Pascanu et al. 2013, section 3.2
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss.item(), detach_state(state)


def make_optimizer(model, args) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019)."""
    settings = {"lr": args.learning_rate, "weight_decay": args.weight_decay, "betas": (0.9, 0.99)}
    return torch.optim.AdamW(model.parameters(), **settings)


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
    settings = {field.name: getattr(args, field.name) for field in fields(GRUConfig)[1:]}
    config = GRUConfig(tokenizer.vocab_size, **settings)
    model = GRULM(config).to(device)
    optimizer = make_optimizer(model, args)
    loader = ContiguousStreams(train_ids, args.batch_size, args.chunk_length, args.seed)
    if not saved:  # what is decided by measuring is decided here, once, on a copy
        trial, batch = copy.deepcopy(model), next(ContiguousStreams(train_ids, args.batch_size, args.chunk_length))
        trial_step = partial(train_step, trial, make_optimizer(trial, args), batch, None, args.clip, device)
        seconds_per_step = settle(args, device, loader.steps_per_epoch, trial_step)
        del trial, trial_step
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"model      {config.num_layers} layer(s) of {config.hidden_size}, {parameters:,} parameters")
    show_choice(device, args.precision)

    step, seconds, losses, val_losses, state = 0, 0.0, [], [], None
    untrained = first_loss(model, val_ids.to(device))
    if saved:
        restore(saved, model, optimizer, loader)
        step, seconds, untrained = saved["step"], saved["seconds"], saved["untrained"]
        losses, val_losses = saved["losses"], saved["val_losses"]
        state = map_state(saved["state"], lambda h: h.to(device))
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
            state = None if args.no_carry else state
            loss, state = train_step(model, optimizer, next(loader), state, args.clip, device, args.precision)
            losses.append(loss)
            step, seconds = step + 1, seconds + time.perf_counter() - start
            check_finite(losses[-1], step, folder)
            progress.update(step, losses[-1], args.batch_size * args.chunk_length)
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
                              losses=losses, val_losses=val_losses, untrained=untrained, state=state)  # fmt: skip
            if ctrl_c.pressed and step < args.steps:
                go_on = f"python train.py --resume{out_flag(folder, LESSON)}"
                say(f"\nstopped and saved at step {step:,}; go on with: {go_on}")
                return

    tokens_per_step = args.batch_size * args.chunk_length
    finish(folder, LESSON, args, PRESETS, corpus, tokenizer, model, seconds, tokens_per_step, untrained)


if __name__ == "__main__":
    run(main)
