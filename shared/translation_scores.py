"""How good translations are: loss, exact match, BLEU, by the length of the source; what each evaluate.py prints."""

import argparse
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from shared.console import LearnerError, say
from shared.data.pairs import Pairs, load_pairs
from shared.data.sentence_pairs import PAD, Languages, clean, collate
from shared.translation import search_flags, translate

BANDS = ((1, 5), (6, 10), (11, 15), (16, 20), (21, 25), (26, 30), (31, 40), (41, 1000))  # words of the source
TRANSLATED = 200  # sentences of the validation split that are translated at each evaluation while training


@torch.no_grad()
def loss_of(model: nn.Module, ids: list[tuple[list[int], list[int]]], batch_size: int = 64) -> float:
    """Nats per target token (the end counted) over all pairs, each token read after the right ones before it."""
    training, device, total, tokens = model.training, next(model.parameters()).device, 0.0, 0
    model.eval()
    ids = sorted(ids, key=lambda pair: (len(pair[0]), len(pair[1])))
    for start in range(0, len(ids), batch_size):
        batch = collate(ids[start : start + batch_size]).to(device)
        logits = model(batch.source, batch.lengths, batch.inputs).flatten(0, 1).double()
        total += cross_entropy(logits, batch.targets.flatten(), ignore_index=PAD, reduction="sum").item()
        tokens += batch.tokens
    model.train(training)
    return total / tokens


def exact_match(outputs: list[str], references: list[str]) -> float:
    """The share of outputs that are the reference, word for word."""
    same = [clean(output) == clean(reference) for output, reference in zip(outputs, references, strict=True)]
    return sum(same) / len(same)


def bleu(outputs: list[str], references: list[str]) -> tuple[float, str]:
    """BLEU (Papineni et al. 2002) from 0 to 100, detokenised and cased, and its signature (Post 2018).

    Raises LearnerError where sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics import BLEU
    except ImportError as error:
        raise LearnerError("BLEU needs sacrebleu: type  python -m pip install sacrebleu") from error
    metric = BLEU()
    return metric.corpus_score(outputs, [references]).score, str(metric.get_signature())


def bleu_or_none(outputs: list[str], references: list[str]) -> float | None:
    """BLEU, or None where sacrebleu is not installed."""
    try:
        return bleu(outputs, references)[0]
    except LearnerError:
        return None


def by_length(pairs: list[tuple[str, str]], outputs: list[str], bands=BANDS) -> list[dict]:
    """Exact match and BLEU for each band of source lengths (words) in which there are sentences."""
    rows = []
    for low, high in bands:
        inside = [i for i, (source, _) in enumerate(pairs) if low <= len(source.split()) <= high]
        if inside:
            texts, references = [outputs[i] for i in inside], [pairs[i][1] for i in inside]
            rows.append({"low": low, "high": high, "sentences": len(inside), "exact": exact_match(texts, references),
                         "bleu": bleu_or_none(texts, references)})  # fmt: skip
    return rows


def outputs_of(model, languages: Languages, pairs: list[tuple[str, str]], beam: int = 1, alpha: float = 1.0):
    """The translations of the pairs' sources."""
    return translate(model, languages, [source for source, _ in pairs], beam, alpha)


def evaluation(model, languages: Languages, pairs: Pairs, val_ids) -> tuple[dict, str]:
    """Loss over the whole validation split; exact match and BLEU (greedy) of its first sentences; three of them."""
    some = pairs.val[:TRANSLATED]
    texts = [translation.text for translation in outputs_of(model, languages, some)]
    references = [target for _, target in some]
    result = {"val_loss": loss_of(model, val_ids), "val_exact": exact_match(texts, references),
              "val_bleu": bleu_or_none(texts, references)}  # fmt: skip
    shown = list(zip(some, texts, strict=True))[4:25:10]
    return result, "\n".join(f"{source}\n  = {target}\n  > {text}" for (source, target), text in shown)


def describe(result: dict) -> str:
    """An evaluation as part of a line."""
    score = "" if result["val_bleu"] is None else f", BLEU {result['val_bleu']:.1f}"
    return f"{result['val_loss']:.4f} nats per token, exact match {result['val_exact']:.1%}{score}"


def evaluation_flags(parser: argparse.ArgumentParser, folder: Path) -> None:
    """The flags of the evaluate.py in a translation folder."""
    parser.add_argument("--split", choices=("test", "val"), default="test", help="%(default)s")
    parser.add_argument("--data-dir", type=Path, help="folder of downloaded corpora")
    search_flags(parser, folder)


def report(model, languages: Languages, dataset: str, args) -> None:
    """Translate a whole split, and print its loss, exact match and BLEU, by length and in all."""
    data = load_pairs(dataset, args.data_dir)
    pairs = getattr(data, args.split)
    translations = outputs_of(model, languages, pairs, args.beam, args.alpha)
    texts, references = [translation.text for translation in translations], [target for _, target in pairs]
    copied = sum(len(translation.copied) for translation in translations)
    say(f"{data.name}, {args.split}: {len(pairs):,} sentences, beam {args.beam}, alpha {args.alpha}")
    say(f"loss         {loss_of(model, languages.encode(pairs)):.4f} nats per token")
    say(f"copied       {copied} words of the source, where the model wrote <unk>")
    say("\nsource words  sentences  exact match   BLEU")
    for row in by_length(pairs, texts):
        score = "    -" if row["bleu"] is None else f"{row['bleu']:5.1f}"
        say(f"{row['low']:>5} to {row['high']:<4}  {row['sentences']:>9}  {row['exact']:>11.1%}  {score}")
    say(f"\nexact match  {exact_match(texts, references):.1%}")
    try:
        say("BLEU         {:.1f}   ({})".format(*bleu(texts, references)))
    except LearnerError as error:
        say(f"             {error}")
