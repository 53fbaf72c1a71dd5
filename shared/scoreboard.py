"""python -m shared.scoreboard: all six lessons beside one another, what is committed and your own runs.

    python -m shared.scoreboard                 a table for each corpus, and for the fables recall by distance
    python -m shared.scoreboard fables --all    one corpus; every preset and every run instead of the main ones
    python -m shared.scoreboard --figures       docs/figures/scoreboard_*.png and the tables in docs/scoreboard.md
    python -m shared.scoreboard --time          docs/results/speed.json: how fast each model writes, on this machine

Committed are results/summaries/PRESET.json of each lesson, or else the rows of its results/presets.json; your own are
the summary.json in its checkpoints. What makes a comparison unfair is no reason to hide it: a letter behind the row
leads to a line that says what differs. The memory of a model is measured on a network built for it, untrained unless it
is yours, and --time needs no trained weights either.
"""

import argparse
import json
import math
import re
import statistics
import time
from collections import Counter
from dataclasses import fields
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch

from shared import lessons
from shared.console import LearnerError, nearest, run, say, warn
from shared.data import load_corpus
from shared.files import relative, write_json
from shared.recall import map_state
from shared.runs import machine
from shared.sampling import generate, start_token
from shared.tokenizers import train_tokenizer
from shared.visualize import figure, save

MODELS = {  # of each lesson: its name, what its classes begin with, its colour (Okabe & Ito, as in docs/figures)
    "01": ("n-gram", "NGram", "#56B4E9"),
    "02": ("MLP", "MLP", "#0072B2"),
    "03": ("RNN", "RNN", "#009E73"),
    "04": ("GRU", "GRU", "#E69F00"),
    "05": ("LSTM", "LSTM", "#D55E00"),
    "06": ("Transformer", "Transformer", "#CC79A7"),
}
MAIN = {"shakespeare": "default", "fables": "ladder"}  # the preset by which the lessons compare on a corpus
OF_THE_LADDER = {"01": ["10-gram"]}  # which row of results/recall.json is the ladder's, where there are several
LENGTH = 1024  # tokens read to see how far a state grows
TOKENS, ROUNDS, WARM_UP = 512, 5, 32  # tokens written when timing, how often, and before
ABOUT = {
    "shakespeare": "Preset default: as much network and training as 5 to 10 minutes of two cores allow (lesson 01: a "
    "second), so neither parameters nor training tokens are equal.",
    "fables": "Preset ladder: equal training tokens, parameters within 10 %, chunks or windows of 256 characters.",
}
LEGEND = (
    "Single runs. Bits and nats: the whole validation split. Above floor: nats per character more than the text's "
    "exact entropy. State: what a model remembers of one text, at its largest, and by how much it grows with a token "
    "until then. Write: tokens per second of one text"
)
HEADINGS = {  # as in Markdown: in the terminal, a line for each word
    "lesson": "lesson", "preset": "preset", "bits per character": "bits/ char", "nats per token": "nats/ token",
    "nats above floor": "above floor", "parameters": "para- meters", "training, minutes": "train min",
    "training, tokens/s": "train tok/s", "writing, tokens/s": "write tok/s", "state": "state",
    "grows per token": "per token", "marks": "marks",
}  # fmt: skip


# What has been measured


class Run(NamedTuple):
    """A trained model of a lesson. summary: as in summary.json, empty where nothing has been measured yet."""

    lesson: Path
    preset: str
    summary: dict
    folder: Path | None = None  # of your own run; None: committed with the course
    of: int = 1  # the best of so many runs like it


def read(path: Path) -> dict:
    """An object from a JSON file; empty where there is none, or where it is damaged: then one line says so."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found
    except (ValueError, OSError) as error:
        warn(f"{relative(path)} cannot be read ({error}): it is left out")
        return {}


def committed(lesson: Path) -> list[Run]:
    """The results that came with the course, of each preset that was trained."""
    table, found = read(lesson / "results" / "presets.json"), {}
    for values in table.get("rows", []):
        row = dict(zip(table["columns"], values, strict=False))
        found[row["preset"]] = from_row(row, table)
    for path in sorted(lesson.glob("results/summaries/*.json")):
        summary, row = read(path), found.get(path.stem)
        if says_enough(summary) and (row is None or round(summary["val_loss"], 4) == row["val_loss"]):
            found[path.stem] = summary  # else it is that of a run before
    return [Run(lesson, preset, summary) for preset, summary in found.items() if says_enough(summary)]


def says_enough(summary: dict) -> bool:
    """Is this the summary of a trained model: a text, and a loss that is a number?"""
    return isinstance(summary.get("dataset"), str) and isinstance(summary.get("val_loss"), (int, float))


def from_row(row: dict, table: dict) -> dict:
    """A row of results/presets.json under the names that a summary has; it does not say as much."""
    minutes = float(row["minutes"]) if "minutes" in row else float(row["seconds"]) / 60
    return {
        "dataset": row["corpus"], "tokenizer": row["tokens"], "val_loss": row["loss, nats per token"],
        "val_bits_per_char": row["bits per character"], "val_perplexity": row["perplexity"],
        "floor": row["floor, nats"], "parameters": row.get("parameters", row.get("distinct n-grams")),
        "train_seconds": 60 * minutes, "threads": row.get("threads", table.get("threads")),
        "processor": table.get("processor"), "steps of the schedule": row.get("steps"), "only a row": True,
    }  # fmt: skip


def own(lesson: Path) -> list[Run]:
    """Your own runs, wherever they lie in the checkpoints of a lesson; earlier ones, moved aside, count too."""
    found = [(path.parent, read(path)) for path in sorted(lesson.glob("checkpoints*/**/summary.json"))]
    return [Run(lesson, str(summary.get("preset")), summary, folder) for folder, summary in found
            if says_enough(summary)]  # fmt: skip


def bits(run: Run) -> float:
    """Bits per character, infinite where there are none: in words."""
    value = run.summary.get("val_bits_per_char")
    return math.inf if value is None else value


def chosen(corpus: str, runs: list[Run], everything: bool = False) -> list[Run]:
    """The rows of a corpus' table. For each lesson the preset by which lessons compare, also where it has not been
    measured, and those that you trained, your best beside what is committed; or everything that there is."""
    rows = []
    for lesson in lessons.all_lessons():
        here = [run for run in runs if run.lesson == lesson and run.summary["dataset"] == corpus]
        presets = [MAIN[corpus]] if corpus in MAIN else []
        presets += [run.preset for run in here if run.folder or everything or corpus not in MAIN]
        for preset in dict.fromkeys(presets):
            ours = [run for run in here if run.preset == preset and not run.folder]
            if not ours and preset == MAIN.get(corpus):
                ours = [Run(lesson, preset, {})]
            yours = sorted((run for run in here if run.preset == preset and run.folder), key=bits)
            rows += ours + (yours if everything else [best._replace(of=len(yours)) for best in yours[:1]])
    return rows


# The networks: what they remember, how fast they write


@cache
def train_of(lesson: Path):
    """The train.py of a lesson as a module. None where that cannot be imported; a line says so."""
    try:
        return lessons.load(lesson / "train.py")
    except Exception as error:  # a learner may be in the middle of changing it
        warn(f"{relative(lesson / 'train.py')} cannot be imported ({type(error).__name__}: {error}): no state of it")
        return None


def number(lesson: Path) -> str:
    """model-01-ngram -> 01"""
    return lesson.name.split("-")[1]


def config_of(lesson: Path) -> type:
    """The lesson's config class, such as NGramConfig."""
    return getattr(train_of(lesson), MODELS[number(lesson)][1] + "Config")


def untrained(lesson: Path, preset: str, vocab_size: int = 65):
    """A lesson's model as a preset has it, with the weights it starts from."""
    settings, names = train_of(lesson).PRESETS[preset], [field.name for field in fields(config_of(lesson))[1:]]
    config = config_of(lesson)(vocab_size, **{name: settings[name] for name in names if name in settings})
    return getattr(train_of(lesson), MODELS[number(lesson)][1] + "LM")(config).eval()


@torch.no_grad()
def state_bytes(model) -> tuple[int, int]:
    """Of the state of one text: its bytes when it is largest, within LENGTH tokens, and those that the second token
    adds to it (0 where its size is fixed)."""
    sizes, state, position = [], None, 0
    window = getattr(model.config, "context_length", 1)
    for stop in sorted({2**k for k in range(LENGTH.bit_length())} | {window}):
        _, state = model(torch.zeros(1, stop - position, dtype=torch.int64), state)
        tensors, position = [], stop
        map_state(state, tensors.append)
        sizes.append(sum(tensor.numel() * tensor.element_size() for tensor in tensors))
    return max(sizes), sizes[1] - sizes[0]


@cache
def state_of_preset(lesson: Path, preset: str) -> tuple[int, int]:
    """state_bytes of an untrained model: no weight changes them."""
    return state_bytes(untrained(lesson, preset))


def state_of(run: Run) -> tuple[int, int] | None:
    """state_bytes of a run's model; None where it cannot be built."""
    try:
        if run.folder:
            return state_bytes(lessons.load(run.lesson / "generate.py").load(run.folder / "best.pt")[0])
        return state_of_preset(run.lesson, run.preset) if train_of(run.lesson) else None
    except LearnerError:  # no checkpoint (any more), or one of another kind of model
        return None
    except Exception as error:  # a learner may be in the middle of changing the model
        warn(f"the state of {run.lesson.name}, {run.preset} is not measured ({type(error).__name__}: {error})")
        return None


def speed_file() -> Path:
    """Where --time writes."""
    return lessons.ROOT / "docs" / "results" / "speed.json"


def time_writing() -> None:
    """Write docs/results/speed.json: tokens/s at which the model of each lesson writes one text, for each main preset.

    Batch 1, one thread, with the state carried, drawing included. The models take turns, so that what slows the
    machine down for a while slows all of them. Networks have the weights they start from; the n-gram model has counted
    the text, since a look-up takes longer the more there is to look among.
    """
    torch.set_num_threads(1)
    models, rates = {}, {}
    for name, preset in MAIN.items():
        corpus = load_corpus(name)
        tokenizer = train_tokenizer("char", corpus.train, also=corpus.val)
        for lesson in filter(train_of, lessons.all_lessons()):
            torch.manual_seed(0)
            model = untrained(lesson, preset, tokenizer.vocab_size)
            if hasattr(model, "fit"):
                model.fit(torch.tensor(tokenizer.encode(corpus.train)))
            models[lesson.name, preset] = model, [start_token(tokenizer)]
    for _ in range(ROUNDS):
        for key, (model, prompt) in models.items():
            drawn = generate(model, prompt, WARM_UP + TOKENS, generator=torch.Generator().manual_seed(0))
            list(islice(drawn, WARM_UP))
            start = time.perf_counter()
            count = len(list(drawn))
            rates.setdefault(key, []).append(count / (time.perf_counter() - start))
    rows = [[*key, *(round(f(rate)) for f in (statistics.median, min, max))] for key, rate in rates.items()]
    columns = ["lesson", "preset", "tokens/s", "slowest", "fastest"]
    speed_file().parent.mkdir(parents=True, exist_ok=True)
    about = {"script": "python -m shared.scoreboard --time", "seed": 0, **machine()}
    write_json(speed_file(), {**about, "tokens": TOKENS, "rounds": ROUNDS, "columns": columns, "rows": rows})
    for row in rows:
        say(f"{row[0]:<22} {row[1]:<8} {row[2]:>7,} tokens/s ({row[3]:,} to {row[4]:,})")
    say(f"written to {relative(speed_file())}; python -m shared.scoreboard --figures puts it into docs/scoreboard.md")


# What makes a comparison unfair


def usual_of(rows: list[Run], corpus: str) -> dict:
    """What most of the committed networks of a table have in common."""
    there = [run.summary for run in rows if not run.folder and run.preset == MAIN.get(corpus) and not counts(run)]
    there = [summary for summary in there if summary]
    usual = {}
    for key in ("device", "threads", "precision", "processor", "tokens_seen"):
        values = Counter(summary[key] for summary in there if summary.get(key) is not None)
        usual[key] = values.most_common(1)[0][0] if values else None
    usual["parameters"] = statistics.median(summary["parameters"] for summary in there) if there else None
    return usual


def counts(run: Run) -> bool:
    """Is this lesson 01, which counts and does not train?"""
    return number(run.lesson) == "01"


def marks_of(run: Run, corpus: str, usual: dict) -> list[str]:
    """What to know before comparing a row with the others, a line each."""
    summary, found = run.summary, []
    if run.folder:
        found.append(f"your run in {relative(run.folder)}" + f", the best of {run.of}" * (run.of > 1))
    if summary.get("tokenizer") == "word":
        perplexity = float(summary.get("val_perplexity") or math.nan)  # in a row of a table it is text
        found.append(f"words: perplexity {perplexity:.1f}; nats are per word, bits would not compare")
    elif summary.get("tokenizer") != "char":
        found.append(f"{summary.get('tokenizer')} tokens: bits per character compare, what is per token does not")
    policy = summary.get("context_policy") or "unknown"
    if policy not in ("carried state", "unknown"):
        sliding = summary.get("val_loss_sliding")
        found.append(f"loss in {policy}, the others' state is carried through the whole split"
                     + (f"; in sliding windows {sliding:.4f} nats" if sliding else ""))  # fmt: skip
    if counts(run):
        found.append("counts once and trains nothing: n-grams for parameters; minutes and tokens/s are of counting")
    found += changes(run)
    if corpus == "fables" and usual["parameters"] and not counts(run):
        if not 0.9 <= summary.get("parameters", 0) / usual["parameters"] <= 1.1:
            found.append("larger or smaller by more than 10 % than the networks of the ladder")
        if usual["tokens_seen"] and summary.get("tokens_seen") not in (None, usual["tokens_seen"]):
            tokens, usually = short(summary["tokens_seen"]), short(usual["tokens_seen"])
            found.append(f"has read {tokens} tokens in training, the ladder's networks {usually}")
    other = [key for key in ("processor", "device", "threads", "precision")
             if usual[key] and summary.get(key) not in (None, usual[key])]  # fmt: skip
    if other and not counts(run):
        differs = ", ".join(f"{key} {summary[key]} instead of {usual[key]}" for key in other)
        found.append(f"trained with {differs}: minutes and training tokens/s do not compare")
    floor = summary.get("floor")
    if floor and summary["val_loss"] < floor - 0.01:
        found.append("below the floor, which no honest model can reach: something leaks")
    if summary.get("only a row"):
        found.append("results/presets.json does not tell context policy, precision and training tokens/s")
    return found


def changes(run: Run) -> list[str]:
    """Whether a run kept to its preset, as that is now: one line, or none."""
    have = run.summary.get("settings", run.summary)
    if run.summary.get("only a row"):
        cut_short = run.summary["steps of the schedule"] or ""
        return [f"not as its preset: steps {cut_short}"] if "of" in cut_short or "batch" in cut_short else []
    if train_of(run.lesson) is None or run.preset not in train_of(run.lesson).PRESETS:
        return []
    before = {field.name: field.default for field in fields(config_of(run.lesson))[1:] if field.name != "sizes"}
    wanted = before | train_of(run.lesson).PRESETS[run.preset]
    said = []
    for name in wanted.keys() - {"dataset", "expected"}:
        found = have.get(name, before.get(name, wanted[name]))  # a setting that is newer than the run
        said += [f"{name} {found} instead of {wanted[name]}"] if found != wanted[name] else []
    said.sort()
    said += [f"a budget of {have['minutes']:g} minutes"] if have.get("minutes") else []
    if not said and have.get("as_preset") is False:
        said = ["other flags"]
    return ["not as its preset: " + ", ".join(said)] if said else []


# Tables


def short(value: float) -> str:
    """1685185 -> 1.69M, 872748 -> 873k"""
    if value < 1000:
        return f"{value:.0f}"
    return f"{value / 1e3:.0f}k" if value < 999_500 else f"{value / 1e6:.3g}M"


def size(value: int) -> str:
    """Bytes: 2560 -> 2.5 KiB"""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024 or unit == "MiB":
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024


def cells(run: Run, speeds: dict) -> list[str]:
    """A row of the table but for its marks; '-' for what is not known."""
    summary, known = run.summary, {}
    name = f"{number(run.lesson)} {MODELS[number(run.lesson)][0]}" if not run.folder else "   yours"
    if not summary:
        return [name, run.preset] + [""] * (len(HEADINGS) - 3)
    if summary.get("val_bits_per_char") is not None:
        known["bits per character"] = f"{bits(run):.3f}"
    known["nats per token"] = f"{summary['val_loss']:.3f}"
    if summary.get("floor") and summary.get("tokenizer") == "char":
        known["nats above floor"] = f"{summary['val_loss'] - summary['floor']:.4f}"
    if summary.get("parameters"):
        known["parameters"] = short(summary["parameters"])
    if summary.get("train_seconds"):
        minutes = summary["train_seconds"] / 60
        known["training, minutes"] = f"{minutes:.1f}" if minutes >= 0.95 else f"{minutes:.2f}"
    if summary.get("tokens_per_second"):
        known["training, tokens/s"] = f"{summary['tokens_per_second']:,.0f}"
    if not run.folder and (run.lesson.name, run.preset) in speeds:
        known["writing, tokens/s"] = f"{speeds[run.lesson.name, run.preset]:,}"
    if state := state_of(run):
        known["state"], known["grows per token"] = size(state[0]), size(state[1]) if state[1] else "no"
    return [name, run.preset, *[known.get(heading, "-") for heading in list(HEADINGS)[2:-1]]]


class Table(NamedTuple):
    """What a table shows: headings, rows of text, which of them are yours; below it the marks and what to know."""

    headings: list[str]
    rows: list[list[str]]
    yours: list[bool]
    marks: dict[str, str]
    about: list[str]


def scores(corpus: str, runs: list[Run], everything: bool = False) -> Table:
    """The table of a corpus: what each model reaches, costs and remembers."""
    chosen_runs, speed = chosen(corpus, runs, everything), read(speed_file())
    speeds = {tuple(row[:2]): row[2] for row in speed.get("rows", [])}
    usual, letters, rows = usual_of(chosen_runs, corpus), {}, []
    for one in chosen_runs:
        texts = marks_of(one, corpus, usual) if one.summary else []
        here = " ".join(letters.setdefault(text, letter(len(letters))) for text in texts)
        rows.append([*cells(one, speeds), here if one.summary else "not measured yet"])
    timed = f" on {speed['processor']}, {speed['threads']} thread" if speed else ": not timed yet (--time)"
    processors = sorted({run.summary["processor"] for run in chosen_runs if run.summary.get("processor")})
    about = [ABOUT[corpus]] if corpus in ABOUT else []
    about += [LEGEND + timed + (f". Trained on {'; '.join(processors)}" if processors else "") + "."]
    headings = list(HEADINGS)
    if all(row[4] in ("-", "") for row in rows):  # no floor is known of this text
        headings, rows = headings[:4] + headings[5:], [row[:4] + row[5:] for row in rows]
    marks = {mark: text for text, mark in letters.items()}
    return Table(headings, rows, [run.folder is not None for run in chosen_runs], marks, about)


def letter(index: int) -> str:
    """a ... z, aa ... zz"""
    return "abcdefghijklmnopqrstuvwxyz"[index % 26] * (index // 26 + 1)


def above_chance(band: dict) -> bool:
    """Does a model recall more in this band of distances than by guessing, beyond three standard errors of that?"""
    guessing = math.sqrt(band["chance"] * (1 - band["chance"]) / band["points"])
    return band["accuracy"] > band["chance"] + 3 * guessing


def recalled(runs: list[Run]) -> Table:
    """Recall by distance on the fables, of results/recall.json and of what shared.ladder wrote into your runs."""
    rows, yours, headings = [], [], ["lesson", "model"]

    def add(name: str, model: str, bands: list[dict], is_yours: bool) -> None:
        found = [f"{band['accuracy']:.0%}" if above_chance(band) else f"({band['accuracy']:.0%})" for band in bands]
        rows.append([name, model, *found])
        yours.append(is_yours)
        headings[2:] = [f"{band['low']}-{band['high']}" for band in bands]

    for lesson in lessons.all_lessons():
        name, table = f"{number(lesson)} {MODELS[number(lesson)][0]}", read(lesson / "results" / "recall.json")
        found = table.get("bands", {})
        for model in OF_THE_LADDER.get(number(lesson), found):
            if model in found:
                add(name, model, found[model], False)
        if not found:
            rows.append([name, "not measured yet"])
            yours.append(False)
        for one in runs:
            if one.lesson == lesson and one.folder and (bands := read(one.folder / "recall.json").get("bands")):
                add("   yours", relative(one.folder), bands, True)
    rows = [row + [""] * (len(headings) - len(row)) for row in rows]
    about = ["Forced choice among twelve heroes, objects or places (chance 8 %), by the characters since it was named; "
             "(8%): not more than guessing would bring, within three standard errors."]  # fmt: skip
    return Table(headings, rows, yours, {}, about)


def show(title: str, table: Table) -> None:
    """A table in the terminal; on paper or in a pipe 100 columns wide."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False)
    console = Console(highlight=False, width=max(console.width, 100) if console.is_terminal else 100)
    drawn = RichTable(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for heading in table.headings:
        left = heading in ("lesson", "preset", "model", "marks")
        drawn.add_column(HEADINGS.get(heading, heading).replace(" ", "\n"), justify="left" if left else "right",
                         no_wrap=heading != "marks")  # fmt: skip
    for row, yours in zip(table.rows, table.yours, strict=True):
        drawn.add_row(*[Text(cell) for cell in row], style="cyan" if yours else None)
    console.print(Text(f"\n{title}\n", style="bold"))
    console.print(drawn)
    console.print()
    for line in [*[f"{mark}  {text}" for mark, text in table.marks.items()], *table.about]:
        console.print(Text(line))


def markdown(table: Table) -> str:
    """A table and what is below it in Markdown."""
    lines = ["| " + " | ".join(table.headings) + " |", "|" + " ---: |" * len(table.headings)]
    lines += ["| " + " | ".join(cell.strip() for cell in row) + " |" for row in table.rows]
    lines += ["", *[f"- **{mark}**: {text}" for mark, text in table.marks.items()]]
    return "\n".join([*lines, *[f"\n{line}" for line in table.about], ""])


def filled(text: str, runs: list[Run]) -> str:
    """A Markdown text with every block <!-- scoreboard: CORPUS --> ... <!-- /scoreboard --> made anew; recall is one,
    too."""

    def block(match: re.Match) -> str:
        table = recalled(runs) if match[2] == "recall" else scores(match[2], runs)
        return match[1] + markdown(table) + match[3]

    return re.sub(r"(<!-- scoreboard: (\S+) -->\n).*?(<!-- /scoreboard -->)", block, text, flags=re.DOTALL)


# Figures


def draw_minutes(runs: list[Run], path: Path) -> None:
    """Bits per character on Shakespeare against the minutes of training: each lesson's quick preset and its default."""
    fig, ax = figure(8, 5)
    points, names = [], []
    for lesson in lessons.all_lessons():
        name, _, colour = MODELS[number(lesson)]
        found = {run.preset: (run.summary["train_seconds"] / 60, bits(run)) for run in runs
                 if run.lesson == lesson and run.summary["dataset"] == "shakespeare"}  # fmt: skip
        if "default" in found:
            both = [found[preset] for preset in ("quick", "default") if preset in found]
            ax.plot(*zip(*both, strict=True), color=colour, linewidth=2, zorder=2)
            ax.scatter(*both[0], s=45, facecolor="white", edgecolor=colour, linewidth=2, zorder=3)
            ax.scatter(*both[-1], s=70, color=colour, zorder=3)
            points.append(both[-1])
            names.append(f"{number(lesson)} {name}  {both[-1][1]:.2f}")
    ax.set_xscale("log")
    low, high = ax.get_ylim()
    below = {}  # the heights of labels, from the lowest point up, so that none covers another
    for (x, y), name in sorted(zip(points, names, strict=True), key=lambda pair: pair[0][1]):
        side = x > 1
        below[side] = max(y, below.get(side, -math.inf) + 0.052 * (high - low))
        ax.annotate(name, (x, y), (1.25 * x, below[side]), va="center", fontsize=11)
    ticks = {1 / 60: "1 s", 0.1: "6 s", 0.5: "30 s", 1: "1 min", 2: "2 min", 5: "5 min", 10: "10 min"}
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xticks([], minor=True)
    ax.set_xlim(0.003, 130)
    ax.set(xlabel="training on one core or two (docs/scoreboard.md says which)", ylabel="bits per character")
    ax.set_title("Tiny Shakespeare: what a minute buys\n", fontsize=13, loc="left")
    ax.text(0, 1.02, "open: preset quick, full: preset default; whole validation split, single runs",
            transform=ax.transAxes, fontsize=10, color="#555555")  # fmt: skip
    save(fig, path)


def draw_state(runs: list[Run], path: Path) -> None:
    """The loss of the main presets against the bytes of a text's state: a line from the first token to the largest.

    The Transformer's loss is that in sliding windows, the nearest to the others', whose state is carried.
    """
    fig, axes = figure(10, 4.6, panels=2)
    what = {"shakespeare": ("Tiny Shakespeare, preset default", "bits per character"),
            "fables": ("Fables, preset ladder", "nats per character above the floor")}  # fmt: skip
    for ax, (corpus, preset) in zip(axes, MAIN.items(), strict=True):
        for one in runs:
            if one.summary["dataset"] == corpus and one.preset == preset and (state := state_of(one)):
                (largest, grows), (name, _, colour) = state, MODELS[number(one.lesson)]
                loss = one.summary.get("val_loss_sliding", one.summary["val_loss"])
                value = loss / math.log(2) if corpus == "shakespeare" else loss - one.summary["floor"]  # characters
                ax.plot([grows or largest, largest], [value, value], color=colour, linewidth=3, alpha=0.5)
                ax.scatter(largest, value, s=210, color=colour, edgecolor="white", zorder=3,
                           label=f"{number(one.lesson)} {name}, {size(largest)}")  # fmt: skip
                ax.annotate(number(one.lesson)[1], (largest, value), ha="center", va="center_baseline", fontsize=10,
                            weight="bold", color="white", zorder=4)  # fmt: skip
        ax.set_xscale("log", base=2)
        ax.set_xlim(2**2.5, 2**21)
        ax.set_xticks([2**3, 2**8, 2**13, 2**18], ["8 B", "256 B", "8 KiB", "256 KiB"])
        ax.margins(y=0.15)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.5 * (high - low))  # room for the names
        ax.legend(frameon=False, loc="upper right", markerscale=0.6)
        ax.set_title(what[corpus][0], fontsize=12, loc="left")
        ax.set(xlabel="memory of one text: from its first token to the largest", ylabel=what[corpus][1])
    save(fig, path)


def publish() -> None:
    """The figures and the tables in docs/scoreboard.md, from what is committed alone."""
    runs = [run for lesson in lessons.all_lessons() for run in committed(lesson)]
    docs = lessons.ROOT / "docs"
    draw_minutes(runs, docs / "figures" / "scoreboard_minutes.png")
    draw_state(runs, docs / "figures" / "scoreboard_state.png")
    page = docs / "scoreboard.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), runs), encoding="utf-8", newline="\n")
    say(f"written to {relative(docs / 'figures')}/scoreboard_*.png and {relative(page)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser("python -m shared.scoreboard", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("corpus", nargs="?", help="shakespeare, fables ... (default: all)")
    parser.add_argument("--all", action="store_true", help="every preset and every run")
    parser.add_argument("--figures", action="store_true", help="draw the figures, fill in the tables of the page")
    parser.add_argument("--time", action="store_true", help="time how fast each model writes")
    args = parser.parse_args()
    if args.time:
        return time_writing()
    if args.figures:
        return publish()
    runs = [run for lesson in lessons.all_lessons() for run in committed(lesson) + own(lesson)]
    corpora = list(dict.fromkeys([*MAIN, *sorted(run.summary["dataset"] for run in runs)]))
    if args.corpus and args.corpus not in corpora:
        raise LearnerError(f"no run is on {args.corpus!r}:{nearest(args.corpus, corpora)}")
    for corpus in [args.corpus] if args.corpus else corpora:
        show(corpus, scores(corpus, runs, args.all))
        if corpus == "fables":
            show("fables: recall by distance, in characters", recalled(runs))


if __name__ == "__main__":
    run(main)
