"""Sentences through a model that translates, and back into text; what the translate.py of lessons 04 and 06 shows."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from shared.beam import beam_search, greedy
from shared.console import LearnerError, positive_int, say, warn
from shared.data.sentence_pairs import END, Languages, collate_source
from shared.files import relative
from shared.runs import load_checkpoint


class Translation(NamedTuple):
    """A translated sentence and how it came about."""

    text: str
    source: list[str]  # the tokens read, <end> last
    target: list[str]  # the tokens written, <end> last
    weights: Tensor | None  # (target, source) of the attention
    copied: list[str]  # the source words that stand where the model wrote <unk>


def load_translator(path: Path, folder: Path, model_class: type, config_class: type):
    """The model, its languages, and the checkpoint, from a run folder's file; `folder` is the translation folder."""
    if not path.exists():
        script = relative(folder / "train_translation.py")
        raise LearnerError(f"no checkpoint at {relative(path)}: train first (python {script}) or give --checkpoint")
    checkpoint = load_checkpoint(path, mark(folder))
    model = model_class(config_class(**checkpoint["config"]))
    model.load_state_dict(checkpoint["weights"])
    return model.eval(), Languages.from_dict(checkpoint["tokenizer"]), checkpoint


def mark(folder: Path) -> str:
    """What the checkpoints of a translation folder are marked with: model-04-gru/translation."""
    return f"{folder.parent.name}/{folder.name}"


def translate(model: nn.Module, languages: Languages, sentences: list[str], beam: int = 1, alpha: float = 1.0,
              batch_size: int = 64) -> list[Translation]:  # fmt: skip
    """Every sentence translated, in the order given; those of like length are read together."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    rows = [languages.source.encode(sentence) for sentence in sentences]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: list = [None] * len(rows)
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        source, lengths = (part.to(device) for part in collate_source([rows[i] for i in places]))
        search = greedy(model, source, lengths) if beam == 1 else beam_search(model, source, lengths, beam, alpha)
        for i, output in zip(places, search, strict=True):
            found[i] = finished(output, languages, sentences[i])
    model.train(training)
    return found


def finished(output, languages: Languages, sentence: str) -> Translation:
    """The text of an output. With attention the source word most looked at takes the place of each <unk>."""
    target, source, copied = languages.target, languages.source.pieces(sentence), []
    text, pieces = target.decode(output.token_ids), [target.token_text(i) for i in output.token_ids]
    if output.weights is not None and len(source) > 1:
        for t, i in enumerate(output.token_ids):
            if i == target.unk_id:
                pieces[t] = source[int(output.weights[t, :-1].argmax())]  # the end of the source is no word
                copied.append(pieces[t])
                text = text.replace("<unk>", pieces[t], 1)
    return Translation(text, source, pieces, output.weights, copied)


def show_alignment(translation: Translation) -> None:
    """The attention's weights as a paper draws them: a row for each target token, a column for each source token."""
    if translation.weights is None:
        say("  no alignment: this model has one vector for the whole sentence (--attention none)")
        return
    encoding = (sys.stdout.encoding or "").lower()
    shades = " ░▒▓█" if "utf" in encoding else " .+*#"  # a weight below 0.1, up to 0.3, 0.5, 0.7, and above
    label, height = max(map(len, translation.target)), max(map(len, translation.source))
    columns = max(1, (shutil.get_terminal_size().columns - label - 4) // 2)
    for start in range(0, len(translation.source), columns):  # a long sentence is cut into several maps
        words = translation.source[start : start + columns]
        for line in range(height):  # the source words stand upright
            letters = [word.rjust(height)[line] for word in words]
            say(f"  {'':<{label}}  {' '.join(letters)}".rstrip())
        for piece, row in zip(translation.target, translation.weights.tolist(), strict=True):
            cells = [shades[sum(weight >= limit for limit in (0.1, 0.3, 0.5, 0.7))] for weight in row]
            say(f"  {piece:>{label}}  {''.join(2 * cell for cell in cells[start : start + columns])}".rstrip())


def show(model: nn.Module, languages: Languages, sentence: str, args) -> None:
    """One sentence: what the model never saw of it, its translation, what was copied, the alignment."""
    known = languages.source.encode(sentence)
    if known == [END]:
        raise LearnerError('there is nothing to translate: python translate.py "a sentence"')
    if characters := languages.source.tokenizer.unknown(sentence):
        warn(f"the model never saw {' '.join(map(repr, characters))}: left out")
    pieces = languages.source.pieces(sentence)
    if words := [piece for piece, i in zip(pieces, known, strict=True) if i == languages.source.unk_id]:
        warn(f"the model never saw {', '.join(words)}: read as <unk>")
    translation = translate(model, languages, [sentence], args.beam, args.alpha)[0]
    say(translation.text)
    if translation.copied:
        say(f"  copied from the source, where the model wrote <unk>: {', '.join(translation.copied)}")
    show_alignment(translation)


def search_flags(parser: argparse.ArgumentParser, folder: Path) -> None:
    """The flags of translate.py and evaluate.py in a translation folder."""
    add = parser.add_argument
    add("--checkpoint", type=Path, default=folder / "checkpoints" / "best.pt")
    add("--beam", type=positive_int, default=4, help="beginnings kept at each step; 1 is greedy (%(default)s)")
    add("--alpha", type=float, default=1.0, help="log P is divided by length^alpha (%(default)s)")


def sentence_flags(parser: argparse.ArgumentParser, folder: Path) -> None:
    """The flags of translate.py."""
    parser.add_argument("sentence", nargs="?", help="what to translate")
    parser.add_argument("--file", type=Path, help="UTF-8 text, one sentence a line")
    search_flags(parser, folder)


def answer(model: nn.Module, languages: Languages, args) -> None:
    """What translate.py was asked for: one sentence, a file of them, or what is typed."""
    if args.file:
        try:
            lines = args.file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LearnerError(f"{relative(args.file)} cannot be read as UTF-8 text: {error}") from error
        for line, translation in zip(lines, translate(model, languages, lines, args.beam, args.alpha), strict=True):
            say(translation.text if line.strip() else "")
    elif args.sentence is not None:
        show(model, languages, args.sentence, args)
    else:
        terminal = sys.stdin.isatty() and sys.stdout.isatty()
        say("Type a sentence and it is translated; Ctrl-D leaves.")
        while True:
            try:
                sentence = input("> " if terminal else "")
            except EOFError:
                break
            try:
                if sentence.strip():
                    show(model, languages, sentence, args)
            except LearnerError as error:
                say(f"error: {error}")
