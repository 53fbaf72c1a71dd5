"""python -m shared.checklist: the graduation checklists, what is done and what comes next.

A lesson's checklist stands in its README.md. Each item names the evidence that ticks it, or none: then by hand only.

    <!-- checklist -->
    - [ ] **01.1** I trained a model below 1.7 nats. <!-- evidence: run dataset=shakespeare val_loss<=1.7 -->
    - [ ] **01.2** I passed the first exercise. <!-- evidence: exercise 1_count_pairs -->
    - [ ] **01.3** I can explain perplexity to a friend.
    <!-- /checklist -->

Evidence is an event that a script reported, `record("01 exercise 1_count_pairs")`, and for `run` also a summary.json in
a checkpoints folder of the lesson that meets every condition (=, <=, >=). `expected` is a run of any preset as it is
whose loss is where train.py says that it should be. An item may name several: then it needs all.

Ticks and events are kept in progress.json, the learner's own, which git ignores (LM_PROGRESS names another file).
"""

import argparse
import json
import re
from pathlib import Path
from typing import NamedTuple

from shared import lessons
from shared.console import LearnerError, nearest, run, say, warn
from shared.files import relative
from shared.progress import change_progress, now, progress_file, read_progress


class Item(NamedTuple):
    """One line of a checklist."""

    id: str
    text: str
    evidence: list[str]
    lesson: Path


def read_checklist(lesson: Path) -> list[Item]:
    """The items between the checklist marks of the lesson's README.md; none where there is no list."""
    readme = lesson / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    items = []
    for block in re.findall(r"<!-- checklist -->(.*?)<!-- /checklist -->", text, re.DOTALL):
        for item in re.findall(r"^- \[.\] .*(?:\n[ \t]+.*)*", block, re.MULTILINE):
            words = re.sub(r"<!--.*?-->", "", " ".join(item.split()))
            match = re.fullmatch(r"- \[.\] \*\*(\S+)\*\* (.+)", words.strip())
            if match is None:
                raise LearnerError(f"{readme}: not a checklist item, '- [ ] **01.1** text' is: {words}")
            items.append(Item(match[1], match[2].strip(), re.findall(r"<!-- evidence: (.+?) -->", item), lesson))
    return items


def number(lesson: Path) -> str:
    """model-01-ngram -> 01"""
    return lesson.name.split("-")[1]


def missing(item: Item, events: dict) -> list[str]:
    """The evidence that an item still waits for."""
    return [evidence for evidence in item.evidence if not _found(evidence, item.lesson, events)]


def _found(evidence: str, lesson: Path, events: dict) -> bool:
    if f"{number(lesson)} {evidence}" in events:
        return True
    kind, *conditions = evidence.split()
    if kind != "run":
        return False
    for path in lesson.glob("checkpoints*/**/summary.json"):  # earlier runs, moved aside, count too
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if all(_meets(summary, condition) for condition in conditions):
            return True
    return False


def _meets(summary: dict, condition: str) -> bool:
    name, sign, wanted = re.fullmatch(r"(\w+)(<=|>=|=)(.+)", condition).groups()
    value = summary.get(name)
    if sign == "=":
        return str(value) == wanted
    return isinstance(value, (int, float)) and (value <= float(wanted) if sign == "<=" else value >= float(wanted))


def what_to_type(item: Item, evidence: list[str]) -> str:
    """The command that brings the first evidence that is missing, or the one that ticks by hand."""
    if not evidence:
        return f"python -m shared.checklist --tick {item.id}"
    kind, name = (evidence[0].split() + [""])[:2]
    if kind == "exercise":
        return f"python -m shared.exercises {number(item.lesson)} {name}"
    script = item.lesson / {"run": "train.py", "expected": "train.py"}.get(kind, f"{kind}.py")
    if kind == "experiment":  # those of a second part lie in a folder of it
        script = next(item.lesson.rglob(f"experiments/{name}.py"), item.lesson / "experiments" / f"{name}.py")
    return f"python {relative(script)}   (ticks itself on: {evidence[0]})"


def show(chosen: list[Path], progress: dict) -> None:
    """Print the checklists of some lessons, and the first item that is still open."""
    ticks, todo = progress["ticks"], None
    for lesson in chosen:
        items = read_checklist(lesson)
        say(f"{lesson.name}: {sum(item.id in ticks for item in items)} of {len(items)}")
        for item in items:
            say(f"  [{'x' if item.id in ticks else ' '}] {item.id} {item.text}")
            todo = todo or (None if item.id in ticks else item)
    if todo is None:
        say("\nall done. Well earned.")
    else:
        say(f"\nnext: {todo.id} {todo.text}\n      {what_to_type(todo, missing(todo, progress['events']))}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser("python -m shared.checklist", description="What is done, and what comes next.")
    parser.add_argument("lesson", nargs="?", help="01, ngram ... (default: the lesson you are in, or all)")
    parser.add_argument("--tick", metavar="ID", nargs="+", default=[], help="tick items by hand, for example 01.3")
    parser.add_argument("--untick", metavar="ID", nargs="+", default=[], help="take ticks back")
    args = parser.parse_args()

    try:
        chosen = [lessons.find_lesson(args.lesson)]
    except LearnerError:  # no such lesson, or outside of any
        if args.lesson is not None:
            raise
        chosen = lessons.all_lessons()
    every = {item.id: item for lesson in lessons.all_lessons() for item in read_checklist(lesson)}
    chosen = [lesson for lesson in chosen if any(item.lesson == lesson for item in every.values())]
    if not chosen:
        raise LearnerError(f"no checklist in {args.lesson or 'any lesson'} yet")
    for name in args.tick + args.untick:
        if name not in every:
            raise LearnerError(f"no item is called {name!r}:{nearest(name, every)}")

    progress = read_progress()
    proven = {item.id for item in every.values() if item.evidence and not missing(item, progress["events"])}
    for name in args.untick:
        if name in proven:
            raise LearnerError(f"{name} stays ticked: there is evidence for it ({', '.join(every[name].evidence)})")
    new = {name: now() for name in every if name in proven | set(args.tick) and name not in progress["ticks"]}

    def change(progress: dict) -> None:
        progress["ticks"] = new | progress["ticks"]
        for name in args.untick:
            progress["ticks"].pop(name, None)

    change(progress)
    if new or args.untick:
        try:
            change_progress(change)
        except OSError as error:
            warn(f"{progress_file()} cannot be written ({error.strerror}): what is new is not kept")
    show(chosen, progress)


if __name__ == "__main__":
    run(main)
