"""Train the encoder of encoder.py to fill in what is masked, in the way of train.py, into checkpoints/encoder.

    python train_encoder.py                     as large and as long as train.py's default
    python train_encoder.py --preset quick      a small one
    python fill.py --text "To be, or not to b_"

The presets are those of train.py, with their rotary positions: with learned ones (--positions learned, as BERT has
them) the encoder would have to find out first which places are neighbours, and it is told less in a step than a
language model, one token in seven instead of each.

Its loss is nats per masked token, and beside it stands how often the likeliest token is the right one. Both are
measured on the validation split in consecutive windows. In each window all places are dealt out to 7 passes (1 /
--masked), at random but always alike, and a pass masks its places all at once; so every token is masked once, and told
by what 6 of 7 others say. While training, only the first pass is read; at the end all seven. Then also single tokens,
each masked alone, in the middle of a window.
"""

import argparse
import copy
import math
import time
from dataclasses import asdict, fields
from functools import partial

import torch
import train
from encoder import EncoderConfig, TransformerEncoder, corrupt, fill
from torch import Tensor

from shared.compute import choose_device, choose_threads, compiled, settle, show_choice
from shared.console import CtrlC, Progress, duration, run, say
from shared.data.batching import Batch, RandomWindows
from shared.data.tokens import load_tokens
from shared.files import relative
from shared.from_the_left import places_in, scores
from shared.progress import record
from shared.runs import (
    check_finite,
    load_checkpoint,
    log_metrics,
    out_flag,
    plain,
    read_metrics,
    restore,
    save_checkpoint,
    save_training,
    start_run,
    trim_metrics,
    write_summary,
)
from shared.tokenizers import stream_text, tokenizer_from_dict
from shared.visualize import plot_lines

LESSON = train.LESSON
PRESETS = {name: train.PRESETS[name] for name in ("default", "quick", "modern")}
ALONE = 1000  # tokens that are masked one at a time, at the end


def passes(config: EncoderConfig) -> int:
    """In how many parts the places of a window are masked."""
    return max(1, round(1 / config.masked))


@torch.no_grad()
def masked_scores(model: TransformerEncoder, token_ids: Tensor, only_first: bool = False) -> tuple[Tensor, Tensor]:
    """Of each token of a text (N,), masked as it says above: its loss (nats), and whether the likeliest was right.

    (N,) float64 and (N,) bool; with only_first only those of the first pass, in their order. The split into passes
    depends on nothing but N, context_length and their number.
    """
    (N,), c, device = token_ids.shape, model.config, next(model.parameters()).device
    windows = token_ids.new_full((math.ceil(N / c.context_length), c.context_length), model.pad_id)
    windows.view(-1)[:N] = token_ids
    draw = torch.rand(windows.shape, generator=torch.Generator().manual_seed(0))
    turns = (draw.argsort(dim=1) % passes(c)).masked_fill(windows == model.pad_id, -1)
    losses, right = torch.zeros(windows.shape, dtype=torch.float64), torch.zeros(windows.shape, dtype=torch.bool)
    training, some = model.training, max(1, 2048 // c.context_length)
    model.eval()
    for turn in range(1 if only_first else passes(c)):
        for rows in torch.arange(len(windows)).split(some):
            chosen = turns[rows] == turn
            logits, _ = model(windows[rows].masked_fill(chosen, model.mask_id).to(device))
            places = rows[chosen.nonzero()[:, 0]], chosen.nonzero()[:, 1]
            losses[places], right[places] = scores(logits.cpu()[chosen], windows[places])
    model.train(training)
    scored = (turns.flatten() == 0)[:N] if only_first else slice(N)
    return losses.flatten()[:N][scored], right.flatten()[:N][scored]


def alone_scores(model: TransformerEncoder, token_ids: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """The same of the tokens at some places (P,) of a text (N,), one masked at a time: (P,) and (P,)."""
    return scores(fill(model, token_ids, places, alone=True), token_ids[places])


def measured(losses: Tensor, right: Tensor, name: str = "") -> dict:
    """As entries of metrics and summary."""
    return {f"val_loss{name}": float(losses.mean()), f"val_accuracy{name}": float(right.double().mean())}


def describe(result: dict, name: str = "") -> str:
    """The same as part of a line."""
    return f"{result[f'val_loss{name}']:.4f} nats per masked token, {result[f'val_accuracy{name}']:.1%} right"


def sample(model: TransformerEncoder, tokenizer, token_ids: Tensor) -> str:
    """The beginning of a text (N,), every fifth token masked, and as the encoder fills it in."""
    token_ids = token_ids[: model.config.context_length]
    places = torch.arange(4, len(token_ids), 5)
    filled = token_ids.clone()
    filled[places] = fill(model, token_ids, places).argmax(dim=1)
    pieces, masked = list(stream_text(tokenizer, token_ids.tolist())), set(places.tolist())
    holes = "".join("_" if place in masked else piece for place, piece in enumerate(pieces))
    return f"{holes}\n=>\n{tokenizer.decode(filled.tolist())}"


def train_step(model, optimizer, batch: Batch, config: EncoderConfig, *more) -> float:
    """train.py's, with the question of an encoder: inputs with masks, targets where there was a choice."""
    return train.train_step(model, optimizer, Batch(*corrupt(batch.inputs, config), batch.restart), *more)


def main() -> None:
    args = train.arguments(EncoderConfig, PRESETS, __doc__)
    folder = args.out or LESSON / "checkpoints" / "encoder"
    saved = load_checkpoint(folder / "last.pt", LESSON.name, EncoderConfig) if args.resume else None
    if saved:  # the flags of that run, and what it decided at its start
        args = argparse.Namespace(**saved["settings"])
    corpus, tokenizer, train_ids, val_ids = load_tokens(args, saved and tokenizer_from_dict(saved["tokenizer"]))
    device = choose_device(args.device)
    args.threads = choose_threads(saved and args.threads)

    torch.manual_seed(args.seed)
    settings = {field.name: getattr(args, field.name) for field in fields(EncoderConfig)[1:]}
    config = EncoderConfig(tokenizer.vocab_size, **settings)
    model = TransformerEncoder(config).to(device)
    network = compiled(model, device) if args.compile else model  # the same weights; it is only trained with
    optimizer = train.make_optimizer(model.transformer, args)
    windows, more = args.batch_size * args.accumulate, (config, args.accumulate, args.clip, args.label_smoothing)
    loader = RandomWindows(train_ids, windows, args.context_length, args.seed)
    if not saved:  # what is decided by measuring is decided here, once, on a copy
        trial, batch = copy.deepcopy(network), next(RandomWindows(train_ids, windows, args.context_length))
        batch = train.in_pieces(batch, 0.5, args)
        trial_step = partial(train_step, trial, train.make_optimizer(trial.transformer, args), batch, *more, device)
        seconds_per_step = settle(args, device, loader.steps_per_epoch, trial_step)
        del trial, trial_step
    parameters = sum(parameter.numel() for parameter in model.parameters())
    say(f"model      encoder, {config.num_layers} layer(s) of {config.embedding_dim}, {parameters:,} parameters")
    show_choice(device, args.precision)

    step, seconds, losses, val_losses = 0, 0.0, [], []
    untrained = masked_scores(model, val_ids[:4096])[0].mean().item()
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
        say(f"untrained  {untrained:.3f} nats per masked token; ln(V) = {math.log(tokenizer.vocab_size):.3f}")
    training = {"lesson": LESSON.name, "config": asdict(config), "tokenizer": tokenizer, "settings": plain(args)}
    every, progress = max(1, -(-args.steps // args.evaluations)), Progress(args.steps, step)
    with CtrlC() as ctrl_c:
        while step < args.steps:
            start = time.perf_counter()
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * train.share_of_rate(step, args)
            batch = train.in_pieces(next(loader), step / args.steps, args)
            losses.append(train_step(network, optimizer, batch, *more, device, args.precision))
            step, seconds = step + 1, seconds + time.perf_counter() - start
            check_finite(losses[-1], step, folder)
            progress.update(step, losses[-1], windows * args.context_length)
            if step % every == 0 or step == args.steps:
                result = measured(*masked_scores(model, val_ids, only_first=True))
                check_finite(result["val_loss"], step, folder)
                train_loss, losses = sum(losses) / len(losses), []
                log_metrics(folder, step=step, train_loss=train_loss, **result)
                filled = sample(model, tokenizer, val_ids)
                with open(folder / "samples.txt", "a", encoding="utf-8", newline="\n") as file:
                    file.write(f"--- step {step:,}, validation loss {result['val_loss']:.4f}\n{filled}\n\n")
                progress.clear()
                say(f"\nstep {step:,}: training {train_loss:.4f}, validation {describe(result)}\n{filled}")
                val_losses.append(result["val_loss"])
                if min(val_losses) == val_losses[-1]:
                    save_checkpoint(folder / "best.pt", LESSON.name, model, asdict(config), tokenizer, result=result)
            if step % every == 0 or step == args.steps or ctrl_c.pressed:
                save_training(folder, "last.pt", training, model, optimizer, loader, step=step, seconds=seconds,
                              losses=losses, val_losses=val_losses, untrained=untrained)  # fmt: skip
            if ctrl_c.pressed and step < args.steps:
                go_on = f"python train_encoder.py --resume{out_flag(folder, LESSON)}"
                say(f"\nstopped and saved at step {step:,}; go on with: {go_on}")
                return

    last = measured(*masked_scores(model, val_ids))
    model.load_state_dict(load_checkpoint(folder / "best.pt", LESSON.name)["weights"])
    result = measured(*masked_scores(model, val_ids)) if min(val_losses) < val_losses[-1] else last
    places = places_in(len(val_ids), ALONE)
    result |= measured(*alone_scores(model, val_ids, places), "_alone")
    rows, tokens_seen, count = read_metrics(folder), args.steps * windows * args.context_length, passes(config)
    lines = {"validation, first pass": "val_loss", "training": "train_loss"}
    lines = {name: ([row["step"] for row in rows], [row[key] for row in rows]) for name, key in lines.items()}
    plot_lines(folder / "loss.png", lines, "Loss of this run", "step", "nats per masked token")
    write_summary(
        folder, lesson=LESSON.name, dataset=corpus.name, tokenizer=tokenizer.name, parameters=parameters,
        steps=args.steps, tokens_seen=tokens_seen, train_seconds=seconds, tokens_per_second=tokens_seen / seconds,
        **result, val_loss_last=last["val_loss"], val_accuracy_last=last["val_accuracy"], val_bits_per_char=None,
        val_alone_tokens=len(places), val_passes=count, train_loss=rows[-1]["train_loss"], first_loss=untrained,
        floor=None, context_policy=f"consecutive windows of {args.context_length}, each token masked in 1 of {count} "
        "passes", seed=args.seed, device=device.type, precision=args.precision, preset=args.preset,
        settings=plain(args),
    )  # fmt: skip
    where = "" if folder == LESSON / "checkpoints" / "encoder" else f" --checkpoint {relative(folder / 'best.pt')}"
    say(f"\nvalidation {describe(result)}, 1 in {count} masked at a time")
    say(f"           {describe(result, '_alone')}, each of {len(places):,} masked alone")
    say(f"files      {relative(folder)}")
    say(f"next       python {relative(LESSON / 'fill.py')}{where}")
    record("06 train_encoder")


if __name__ == "__main__":
    run(main)
