"""Make the notebooks: each .ipynb from the plain-text source beside it, executed, its outputs kept small.

    python -m pip install -e ".[docs]"
    python docs/notebooks/build.py               all of them
    python docs/notebooks/build.py 03 05         these
    python docs/notebooks/build.py --check       execute nothing: does each .ipynb say what its source says?

A source is a Python file in the percent format: "# %% [markdown]" begins a cell of text, its lines written as comments;
"# %%" begins one of code. It runs as a plain script, too. No number of a notebook is typed by hand; its cells print
them. A notebook may take SECONDS of processor time; a machine that has other things to do takes longer by the clock.
"""

import argparse
import hashlib
import json
import platform
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 180
LARGEST = 300_000  # bytes of a notebook
PATIENCE = 3600  # seconds by the clock that a cell may take, on a machine that does other things beside it
RESULT = re.compile(r'result_(figure|table)\("([\w-]+)", "(\w+)"')
PRIVATE = re.compile(r"(?<![\w.])(/(root|work|tmp|home|Users|usr|opt|var|mnt|private)\b|[A-Z]:\\)|file://")  # paths
HOST = rf"(?<![\w-]){re.escape(platform.node())}(?![\w-])" if re.search(r"\d|.{10}", platform.node()) else "(?!)"


class BuildError(Exception):
    """One line: which notebook, which cell, what is wrong."""


def sources() -> list[Path]:
    """The sources, in the order of their lessons."""
    return sorted(HERE.glob("0[1-6]_*.py"))


def notebook_of(source: Path) -> Path:
    """03_rnn.py -> 03-rnn.ipynb."""
    return source.with_name(source.stem.replace("_", "-") + ".ipynb")


def cells_of(source: str) -> list[tuple[str, str]]:
    """The cells of a source in order: ("markdown" or "code", its text)."""
    cells = []
    for block in re.split(r"^(?=# %%)", source, flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        lines = body.strip("\n").split("\n")
        if head == "# %% [markdown]":
            cells.append(("markdown", "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)))
        elif head == "# %%":
            cells.append(("code", "\n".join(lines)))
        else:
            raise BuildError(f'"{head}" begins no cell: "# %%" or "# %% [markdown]"')
    return cells


def new_notebook(cells: list[tuple[str, str]]) -> dict:
    """A notebook of format 4.5 without outputs."""
    made = []
    for number, (kind, text) in enumerate(cells, start=1):
        cell = {"cell_type": kind, "id": f"cell-{number:02}", "metadata": {}, "source": text.splitlines(keepends=True)}
        made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def execute(name: str, notebook: dict) -> float:
    """Run all cells in a kernel of the running interpreter, and fill in what they show; returns seconds of processor
    time. BuildError where a cell raises."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    clock = new_notebook([("code", "import time as _time\nprint(_time.process_time())")])["cells"][0] | {"id": "clock"}
    running = nbformat.reads(json.dumps(notebook | {"cells": notebook["cells"] + [clock]}), as_version=4)
    kernels = KernelSpecManager(kernel_dirs=[])  # no installed kernel: the interpreter that runs this
    client = NotebookClient(running, km=AsyncKernelManager(kernel_spec_manager=kernels), timeout=PATIENCE,
                            record_timing=False, extra_arguments=["--HistoryManager.enabled=False", "--log-level=40"],
                            resources={"metadata": {"path": str(HERE)}})  # fmt: skip
    at = []
    client.on_cell_execute = lambda cell, cell_index: at.append(cell["id"])
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        reason = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else str(error)
        reason = reason.strip().split("\n")[0]
        raise BuildError(f"{name}: {at[-1]}: {reason}") from error
    *cells, clock = running.cells
    pairs = [(cell, ran) for cell, ran in zip(notebook["cells"], cells, strict=True) if cell["cell_type"] == "code"]
    for count, (cell, ran) in enumerate(pairs, start=1):
        cell["execution_count"], cell["outputs"] = count, small(ran.outputs)
    return float(clock.outputs[0].text)


def small(outputs: list) -> list[dict]:
    """What a cell showed, without what varies from run to run: its printed text, its figures, its value."""
    kept = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stdout":
            if kept and kept[-1]["output_type"] == "stream":
                kept[-1]["text"] += output.text
            else:
                kept.append({"name": "stdout", "output_type": "stream", "text": output.text})
        elif output.output_type == "stream":
            print(f"left out: {output.text.strip()}", file=sys.stderr)
        elif "image/png" in output.data:
            image = {"image/png": "".join(output.data["image/png"].split())}
            kept.append({"data": image, "metadata": {}, "output_type": "display_data"})
        elif "text/plain" in output.data:
            value = {"text/plain": output.data["text/plain"].splitlines(keepends=True)}
            kept.append({"data": value, "metadata": {}, "output_type": "display_data"})
    for output in kept:
        if output["output_type"] == "stream":
            output["text"] = output["text"].splitlines(keepends=True)
    return kept


def problems(name: str, notebook: dict, size: int) -> list[str]:
    """What must not be committed: too much, and what tells of the machine that built it."""
    found = [f"{name}: {size:,} bytes, more than {LARGEST:,}"] if size > LARGEST else []
    for cell in [*notebook["cells"], {"id": "metadata", "source": json.dumps(notebook["metadata"])}]:
        for text in ["".join(cell["source"]), *printed(cell)]:
            if private := PRIVATE.search(text) or re.search(HOST, text):
                found.append(f"{name}: {cell['id']} tells of this machine: {private[0]}")
    return found


def printed(cell: dict) -> list[str]:
    """The texts among a cell's outputs."""
    outputs = cell.get("outputs", [])
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    return ["".join(text) for text in texts]


def results_shown(source: str) -> dict[str, str]:
    """The committed results that a source shows: path -> SHA-256."""
    paths = (f"{lesson}/results/{name}.{'png' if kind == 'figure' else 'json'}"
             for kind, lesson, name in RESULT.findall(source))  # fmt: skip
    return {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in paths if (ROOT / path).exists()}


def build(source: Path) -> None:
    """Write the notebook of a source, executed. BuildError, and nothing is written, where something is wrong."""
    name, text = source.name, source.read_text(encoding="utf-8")
    notebook, start = new_notebook(cells_of(text)), time.perf_counter()
    seconds = execute(name, notebook)
    notebook["metadata"]["results"] = results_shown(text)
    data = (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
    found = problems(name, notebook, len(data))
    if seconds > SECONDS:
        found.append(f"{name}: {seconds:.0f} s of processor time, more than {SECONDS}")
    took = f"{seconds:.0f} s of processor time, {time.perf_counter() - start:.0f} s by the clock, {len(data):,} bytes"
    print(f"{name}: {took}", flush=True)
    if found:
        raise BuildError("; ".join(found))
    notebook_of(source).write_bytes(data)


def check(source: Path) -> None:
    """BuildError where a notebook is missing or its cells are not those of the source. A line where it shows results
    that have changed since."""
    path, text = notebook_of(source), source.read_text(encoding="utf-8")
    again = f"python docs/notebooks/build.py {source.name[:2]}"
    if not path.exists():
        raise BuildError(f"{path.name} is not there: {again}")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]] != cells_of(text):
        raise BuildError(f"{path.name} is not what {source.name} says: {again}")
    if notebook["metadata"]["results"] != results_shown(text):
        print(f"note: {path.name} shows results that were measured again since: {again}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="01 ... 06 (default: all)")
    parser.add_argument("--check", action="store_true", help="execute nothing, compare")
    args, failed = parser.parse_args(), 0
    found = {source.name[:2]: source for source in sources()}
    if wrong := [lesson for lesson in args.lessons if lesson not in found]:
        parser.error(f"no lesson {wrong[0]}: there are {', '.join(found)}")
    for lesson in args.lessons or found:
        try:
            (check if args.check else build)(found[lesson])
        except BuildError as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
