"""Two models that are wrong in different places are better together: this lesson's MLP and lesson 01's n-gram, mixed.

    python experiments/mixture.py

Bengio et al. 2003 (section 4) report that averaging the probabilities of the network and of an interpolated trigram
does better than either alone. The n-gram's log-probabilities come as a file that lesson 01 writes; the MLP is the
checkpoint of this lesson. P = w P_mlp + (1 - w) P_ngram. The weight w is chosen on the first half of the validation
split; what counts is the loss on the second half, which had no say.
"""

import argparse
import json
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load

from shared.console import LearnerError, run, say
from shared.data import load_corpus
from shared.evaluation import token_losses
from shared.results import Result
from shared.visualize import plot_lines

WEIGHTS = [step / 20 for step in range(21)]
FILE = LESSON.parent / "model-01-ngram" / "checkpoints" / "log_probs.pt"


def ngram_log_probs(path: Path) -> dict:
    """What lesson 01 saved: log P of each validation token but the first (nats), and what of."""
    if not path.exists():
        raise LearnerError(f"no file {path}: python model-01-ngram/train.py --save-log-probs writes it")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if saved["dataset"] == "fables" or saved["tokenizer"] != "char":
        what = f"{saved['dataset']} in {saved['tokenizer']} tokens"
        raise LearnerError(f"{path} is of {what}: write it again, without other flags")
    summary = path.with_name("summary.json")  # how many n-grams lesson 01 counted
    counted = json.loads(summary.read_text(encoding="utf-8"))["parameters"] if summary.exists() else None
    return saved | {"parameters": counted}


def mix(mlp: torch.Tensor, ngram: torch.Tensor, weight: float) -> float:
    """Mean loss of weight * P_mlp + (1 - weight) * P_ngram from the two log-probabilities of each token."""
    if weight in (0.0, 1.0):
        return -(mlp if weight else ngram).mean().item()
    share = torch.tensor([weight, 1 - weight], dtype=torch.float64).log()
    return -torch.logaddexp(mlp + share[0], ngram + share[1]).mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    parser.add_argument("--log-probs", type=Path, default=FILE, help="from lesson 01 (default: its checkpoints folder)")
    args = parser.parse_args()
    saved = ngram_log_probs(args.log_probs)
    model, tokenizer = load(args.checkpoint)
    val_ids = torch.tensor(tokenizer.encode(load_corpus(saved["dataset"]).val))
    mlp, ngram = -token_losses(model, val_ids), saved["log_probs"].double()
    if len(mlp) != len(ngram):
        raise LearnerError(f"{len(mlp):,} tokens here, {len(ngram):,} in lesson 01: train both on the same corpus")

    half = len(mlp) // 2
    first = [mix(mlp[:half], ngram[:half], weight) for weight in WEIGHTS]
    second = [mix(mlp[half:], ngram[half:], weight) for weight in WEIGHTS]
    best = WEIGHTS[first.index(min(first))]
    name = f"{saved['order']}-gram, {saved['smoothing']}"
    columns = ["model", "weight of the MLP", "loss, second half", "first half", "whole split", "numbers stored"]
    result, whole = Result(LESSON, "mixture", columns), [mix(mlp, ngram, weight) for weight in WEIGHTS]
    stored = {0.0: saved["parameters"], 1.0: sum(p.numel() for p in model.parameters())}
    shown = {f"{name}, alone": 0.0, "MLP alone": 1.0, "equal parts": 0.5, "best of first half": best}
    for label, weight in shown.items():
        place = WEIGHTS.index(weight)
        result.add(label, f"{weight:.2f}", second[place], first[place], whole[place], stored.get(weight))
    better = (mlp > ngram).double().mean().item()
    oracle = -torch.maximum(mlp, ngram)
    limits = [part.mean().item() for part in (oracle[half:], oracle[:half], oracle)]
    result.add("whichever is right (a limit, no model)", None, *limits, None)
    say(f"the MLP gives the right token more probability than the n-gram at {better:.0%} of the places")
    lines = {"first half (chooses)": (WEIGHTS, first), "second half (is scored)": (WEIGHTS, second)}
    plot_lines(result.path(".png"), lines, "A mixture of network and counts", "weight of the MLP", "nats per character")
    result.save(weights=WEIGHTS, second_half=second, mlp_is_better_at=better)


if __name__ == "__main__":
    run(main)
