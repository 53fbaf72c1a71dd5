"""Small committed results, and the tables in the Markdown files that are made from them.

An experiment writes results/NAME.json with columns and rows. A document shows it between two comments,

    <!-- table: results/NAME.json -->
    <!-- /table -->

and `python -m shared.results` fills every such block in; a test holds document and file equal. A block
`<!-- table: claims.toml#SECTION -->` shows claims with their numbers: shared/claims.py.
"""

import json
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from shared.console import LearnerError, duration, run, say
from shared.files import relative, write_json
from shared.lessons import ROOT
from shared.progress import record
from shared.runs import machine

STARTED = time.perf_counter()  # of the script that imports this: what it does before it makes a Result counts, too
BLOCK = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- /table -->)", re.DOTALL)


class Result:
    """The result of one experiment while it runs: `rows` grows, `save` writes the file and prints the table."""

    def __init__(self, lesson: Path, name: str, columns: list[str], seed: int | None = None):
        self.lesson, self.name, self.columns, self.seed = lesson, name, columns, seed
        self.rows: list[list] = []
        (lesson / "results").mkdir(exist_ok=True)

    def path(self, suffix: str = ".json") -> Path:
        """results/NAME and a suffix, of the lesson."""
        return self.lesson / "results" / (self.name + suffix)

    def add(self, *row) -> None:
        """Add a row and print it. Floats are rounded to four places in the file."""
        row = [round(value, 4) if isinstance(value, float) else value for value in row]
        self.rows.append(row)
        say("  ".join(f"{text(value)}" for value in row))

    def add_earlier(self, names: Iterable[str]) -> None:
        """Beside the rows made now those of the file as it is, if there is one; all in the order of these names, which
        are their first cells. A row made now stands in place of its earlier one."""
        earlier = json.loads(self.path().read_text(encoding="utf-8"))["rows"] if self.path().exists() else []
        rows = {row[0]: row for row in [*earlier, *self.rows]}
        self.rows = [rows[name] for name in names if name in rows]

    def save(self, **more) -> None:
        """Write results/NAME.json, with how long the script took, on what, and whatever else is given (which wins)."""
        about = {"script": relative_script(self.lesson), "seed": self.seed}
        about |= {"minutes": round((time.perf_counter() - STARTED) / 60, 2), **machine()}
        write_json(self.path(), {**about, "columns": self.columns, "rows": self.rows, **more})
        say(f"written to {relative(self.path())}")
        record(f"{self.lesson.name.split('-')[1]} experiment {Path(sys.argv[0]).stem}")


def each_once(names: Iterable[str]) -> str:
    """'A and B': the processors of runs that were made on several machines."""
    return " and ".join(dict.fromkeys(names))


def read_result(lesson: str, name: str) -> dict:
    """results/NAME.json of any lesson, such as model-01-ngram. LearnerError where it is not there."""
    path = ROOT / lesson / "results" / f"{name}.json"
    if not path.exists():
        script = relative(ROOT / lesson / "experiments" / f"{name}.py")
        raise LearnerError(f"{relative(path)} is not there: run its experiment first (python {script})")
    return json.loads(path.read_text(encoding="utf-8"))


def relative_script(lesson: Path) -> str:
    """The running script as one names it from its lesson: experiments/orders.py."""
    script = Path(sys.argv[0]).resolve()
    return script.relative_to(lesson).as_posix() if lesson in script.parents else script.name


def text(value) -> str:
    """A value as it stands in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def markdown(path: Path) -> str:
    """The result file as a Markdown table, with a line that names script, machine, seed and minutes."""
    if not path.exists():
        raise LearnerError(f"a document shows {path}, which is not there: run its experiment first")
    result = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| " + " | ".join(result["columns"]) + " |", "|" + " ---: |" * len(result["columns"])]
    lines += ["| " + " | ".join(text(value) for value in row) + " |" for row in result["rows"]]
    seed = "" if result["seed"] is None else f", seed {result['seed']}"
    took = duration(60 * result["minutes"])
    threads = {None: "", 1: ", 1 thread"}.get(result["threads"], f", {result['threads']} threads")
    lines += ["", f"`{result['script']}`, {took} on {result['processor']}{threads}{seed}.", ""]
    return "\n".join(lines)


def filled(document: Path) -> str:
    """The text of a Markdown file with every table block made anew from its result file."""
    from shared.claims import claims_table  # here: it reads results

    def table(block: re.Match) -> str:
        name, _, section = block[2].partition("#")
        path = document.parent / name
        return block[1] + (claims_table(path, section) if section else markdown(path)) + block[3]

    return BLOCK.sub(table, document.read_text(encoding="utf-8"))


def documents() -> list[Path]:
    """The Markdown files of the course that may show results."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("model-*/**/README.md"))]


def main() -> None:
    for document in documents():
        if document.exists() and (new := filled(document)) != document.read_text(encoding="utf-8"):
            document.write_text(new, encoding="utf-8", newline="\n")
            say(f"tables made anew in {relative(document)}")


if __name__ == "__main__":
    run(main)
