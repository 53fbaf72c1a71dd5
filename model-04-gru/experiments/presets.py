"""What each preset gives, and what it writes with and without its state.

    python experiments/presets.py                              default, quick, ladder and astra-alpha, one after another
    python experiments/presets.py --minutes 15 astra-gamma     a budget instead of the full schedule; the table says so
    python experiments/presets.py --device cuda astra-beta astra-gamma scribe-alpha scribe-beta scribe-gamma
    python experiments/presets.py --no-training quick          only the table, from the run in checkpoints/

From the checkpoints of the six published sizes come results/<preset>/stateful.txt and stateless.txt: the same weights,
prompts and seeds, one reading with its state and one that drops it before every token. The samples that the default
writes on its way, from the first evaluation to the last, go to results/samples.md.
"""

import json
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from train import PRESETS

from shared.console import run
from shared.evaluation import describe_loss
from shared.presets import folder_of, tabulate, write_samples
from shared.sampling import generate

USUAL = ("default", "quick", "ladder", "astra-alpha")
SAMPLINGS = {"greedy": {"greedy": True}, "temperature 0.8": {"temperature": 0.8}, "top-k 30": {"top_k": 30}}
PROMPT, LENGTH, SEED = "ROMEO:\n", 600, 1337


def write_texts(name: str, folder: Path, summary: dict) -> None:
    """results/<preset>/stateful.txt and stateless.txt, from one checkpoint."""
    model, tokenizer = load(folder / "best.pt")
    (LESSON / "results" / name).mkdir(parents=True, exist_ok=True)
    for policy, how in (("stateful", "state carried"), ("stateless", "state dropped before every token")):
        full = PRESETS[name]["steps"]
        lines = [f"{name}: validation loss {describe_loss(summary)}; {summary['steps']:,} of {full:,} steps; {how}"]
        for sampling, settings in SAMPLINGS.items():
            drawn = generate(model, tokenizer.encode(PROMPT), LENGTH, stateless=policy == "stateless",
                             generator=torch.Generator().manual_seed(SEED), **settings)  # fmt: skip
            lines += ["", f"--- {sampling}", PROMPT + tokenizer.decode(list(drawn))]
        text = "\n".join(lines).rstrip("\n") + "\n"
        (LESSON / "results" / name / f"{policy}.txt").write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    for name in tabulate(LESSON, PRESETS, __doc__, USUAL):
        folder = folder_of(LESSON, name)
        if name == "default":
            write_samples(LESSON)
        if "-" in name:
            write_texts(name, folder, json.loads((folder / "summary.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    run(main)
