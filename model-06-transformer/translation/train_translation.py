"""Train a Transformer that translates, encoder and decoder, in the way of lesson 04's pair of GRUs.

    python train_translation.py                       the built-in grammar
    python train_translation.py --data multi30k       German to English (also called --preset multi30k)
    python train_translation.py --preset quick        a small one

Label smoothing, dropout and warm-up are those of Vaswani et al. 2017, section 5. Not as there: the norm stands before
each sublayer and the rate falls along a cosine (--post-norm and --decay inverse_sqrt are the paper's); all is smaller.
"""

import argparse
import copy
import math
import time
from dataclasses import asdict, fields
from functools import partial

import torch
from encoder_decoder import EncoderDecoder, EncoderDecoderConfig
from torch.nn.functional import cross_entropy
from train import make_optimizer, share_of_rate
from translate import FOLDER

from shared.compute import autocast, choose_device, choose_threads, settle, show_choice
from shared.console import CtrlC, Progress, config_flags, duration, run, say
from shared.data.pairs import load_pairs
from shared.data.sentence_pairs import PAD, Languages, PairBatches
from shared.files import relative
from shared.progress import record
from shared.runs import (
    check_finite,
    load_checkpoint,
    log_metrics,
    out_flag,
    plain,
    restore,
    save_checkpoint,
    save_training,
    start_run,
    trim_metrics,
)
from shared.translation import mark
from shared.translation_runs import finish, parse_pairs, training_flags
from shared.translation_scores import describe, evaluation, loss_of

LESSON = mark(FOLDER)
BASE = {"dataset": "grammar", "tokenizer": "word", "min_count": 1, "optimizer": "adamw", "learning_rate": 3e-3,
        "weight_decay": 0.0, "warmup": 200, "clip": 1.0, "batch_size": 64, "label_smoothing": 0.0}  # fmt: skip
PRESETS = {
    "default": BASE | {"steps": 3900, "embedding_dim": 128, "num_layers": 2, "dropout": 0.0},
    "quick": BASE | {"steps": 250, "embedding_dim": 64, "num_layers": 2, "dropout": 0.0, "learning_rate": 6e-3,
                     "warmup": 40},
    "multi30k": BASE | {"dataset": "multi30k", "tokenizer": "bpe", "vocab_size": 4000, "steps": 5200,
                        "learning_rate": 1.5e-3, "warmup": 400, "embedding_dim": 256, "num_layers": 3, "dropout": 0.3,
                        "label_smoothing": 0.1, "weight_decay": 0.01},
}  # fmt: skip
PRESETS["grammar"] = PRESETS["default"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     conflict_handler="resolve")  # fmt: skip
    config_flags(parser, EncoderDecoderConfig)
    training_flags(parser, PRESETS)
    parser.add_argument("--decay", choices=("cosine", "linear", "inverse_sqrt"), default="cosine", help="%(default)s")
    return parse_pairs(parser, PRESETS)


def train_step(model, optimizer, batch, args, device, precision) -> float:
    """One step: the training loss (nats per target token, smoothed if so asked).

    Teacher forcing: the decoder reads the right target tokens, whatever it would have said itself.
    """
    batch = batch.to(device)
    with autocast(precision, device):
        logits = model(batch.source, batch.lengths, batch.inputs)
    loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=PAD,
                         label_smoothing=args.label_smoothing)  # fmt: skip
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if args.clip:  # Pascanu et al. 2013, section 3.2
        torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip)
    optimizer.step()
    return loss.item()


def main() -> None:
    args = arguments()
    folder = args.out or FOLDER / "checkpoints"
    saved = load_checkpoint(folder / "last.pt", LESSON) if args.resume else None
    if saved:  # the flags of that run, and what it decided at its start
        args = argparse.Namespace(**saved["settings"])
    pairs = load_pairs(args.dataset, args.data_dir)
    if saved:
        languages = Languages.from_dict(saved["tokenizer"])
    else:
        languages = Languages.train(args.tokenizer, pairs.train, args.vocab_size, args.min_count, args.joint)
    train_ids, val_ids = languages.encode(pairs.train), languages.encode(pairs.val)
    sizes = languages.source.vocab_size, languages.target.vocab_size
    say(f"pairs      {pairs.name}: {len(pairs.train):,} to train on, {len(pairs.val):,} to validate")
    say(f"           {pairs.source}")
    say(f"tokenizer  {languages.name}, {sizes[0]:,} and {sizes[1]:,} tokens")
    device = choose_device(args.device)
    args.threads = choose_threads(saved and args.threads)

    torch.manual_seed(args.seed)
    settings = {field.name: getattr(args, field.name) for field in fields(EncoderDecoderConfig)[1:]}
    config = EncoderDecoderConfig(sizes, **settings)
    model = EncoderDecoder(config).to(device)
    optimizer = make_optimizer(model, args)
    loader = PairBatches(train_ids, args.batch_size, args.seed)
    if not saved:  # what is decided by measuring is decided here, once, on a copy
        trial = copy.deepcopy(model)
        trial_step = partial(train_step, trial, make_optimizer(trial, args), loader.typical(), args, device)
        seconds_per_step = settle(args, device, loader.steps_per_epoch, trial_step)
        del trial, trial_step
        args.warmup = min(args.warmup, -(-args.steps // 10))  # a short run should not spend itself on it
    parameters = sum(parameter.numel() for parameter in model.parameters())
    size = f"{config.num_layers} + {config.num_layers} layer(s) of {config.embedding_dim}"
    say(f"model      encoder-decoder, {size}, {parameters:,} parameters")
    show_choice(device, args.precision)

    step, seconds, tokens, losses, val_losses = 0, 0.0, 0, [], []
    untrained = loss_of(model, val_ids[:200])
    if saved:
        restore(saved, model, optimizer, loader)
        step, seconds, tokens, untrained = (saved[name] for name in ("step", "seconds", "tokens", "untrained"))
        losses, val_losses = saved["losses"], saved["val_losses"]
        trim_metrics(folder, step)
        say(f"resumes    at step {step:,} of {args.steps:,}")
    else:
        start_run(folder)
        torch.manual_seed(args.seed)
        say(f"trains     {args.steps:,} steps, {args.steps / loader.steps_per_epoch:.1f} passes over the pairs, about "
            f"{duration(args.steps * seconds_per_step)}")  # fmt: skip
        say(f"untrained  {untrained:.3f} nats per token; ln(V) = {math.log(sizes[1]):.3f}")
    training = {"lesson": LESSON, "config": asdict(config), "tokenizer": languages, "settings": plain(args)}
    every, progress = max(1, -(-args.steps // 10)), Progress(args.steps, step)
    with CtrlC() as ctrl_c:
        while step < args.steps:
            start, batch = time.perf_counter(), next(loader)
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * share_of_rate(step, args)
            losses.append(train_step(model, optimizer, batch, args, device, args.precision))
            step, seconds, tokens = step + 1, seconds + time.perf_counter() - start, tokens + batch.tokens
            check_finite(losses[-1], step, folder)
            progress.update(step, losses[-1], batch.tokens)
            if step % every == 0 or step == args.steps:
                result, sample = evaluation(model, languages, pairs, val_ids)
                check_finite(result["val_loss"], step, folder)
                train_loss, losses = sum(losses) / len(losses), []
                log_metrics(folder, step=step, train_loss=train_loss, **result)
                with open(folder / "samples.txt", "a", encoding="utf-8", newline="\n") as file:
                    file.write(f"--- step {step:,}, validation loss {result['val_loss']:.4f}\n{sample}\n\n")
                progress.clear()
                say(f"\nstep {step:,}: training {train_loss:.4f}, validation {describe(result)}\n{sample}")
                val_losses.append(result["val_loss"])
                if min(val_losses) == val_losses[-1]:
                    save_checkpoint(folder / "best.pt", LESSON, model, asdict(config), languages, result=result,
                                    dataset=args.dataset)  # fmt: skip
            if step % every == 0 or step == args.steps or ctrl_c.pressed:
                save_training(folder, "last.pt", training, model, optimizer, loader, step=step, seconds=seconds,
                              tokens=tokens, losses=losses, val_losses=val_losses, untrained=untrained,
                              dataset=args.dataset)  # fmt: skip
            if ctrl_c.pressed and step < args.steps:
                go_on = f"python {relative(FOLDER / 'train_translation.py')} --resume{out_flag(folder, FOLDER)}"
                say(f"\nstopped and saved at step {step:,}; go on with: {go_on}")
                return

    finish(folder, FOLDER, args, pairs, languages, model, seconds, tokens, untrained)
    record("06 translation/train_translation")


if __name__ == "__main__":
    run(main)
