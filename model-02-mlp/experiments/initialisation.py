"""What a bad start costs: first loss, dead units and the loss after 500 steps, for each part of the start alone.

    python experiments/initialisation.py

Tiny Shakespeare, 8 characters of context, 256 tanh units. 'Naive' draws weights of size 1. One part is spoilt at a
time: the output layer (its first guesses are sure and wrong), the hidden layer (its units sit at -1 or 1, where tanh is
flat), both, and the hidden layer behind BatchNorm, which minds it less. A unit is saturated at a place of the text if
|h| > 0.97, where its slope is below 0.06; it is dead if that is so everywhere. z is what goes into tanh; its predicted
size (standard deviation) is sqrt(inputs) * size of the weights, for inputs of size 1.
"""

import math
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import MLPConfig
from training import SEED, characters, new_model, train_short

from shared.console import run
from shared.evaluation import first_loss, token_losses
from shared.results import Result
from shared.visualize import COLOURS, save

STEPS, LENGTH = 500, 4096
STARTS = (  # name, hidden layer naive, output layer naive, batch_norm
    ("scaled", False, False, False),
    ("naive output layer", False, True, False),
    ("naive hidden layer", True, False, False),
    ("naive, both", True, True, False),
    ("naive hidden layer, BatchNorm", True, False, True),
)


def start(config: MLPConfig, hidden: bool, output: bool):
    """A model with the lesson's own start, but for the parts that are to be naive."""
    model = new_model(config)
    if hidden:
        torch.nn.init.normal_(model.layers[0].linear.weight)
    if output:
        torch.nn.init.normal_(model.lm_head.weight)
    return model


@torch.no_grad()
def activations(model, token_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What goes into tanh and what comes out, for every unit at every place of a text, as in training."""
    layer = model.layers[0]
    x, _ = model.windows(token_ids[None], None)
    z = layer.linear(x)[0]
    if layer.norm is not None:
        size = (z.var(0, unbiased=False) + layer.norm.eps).sqrt()  # this text is the batch
        z = layer.norm.weight * (z - z.mean(0)) / size + layer.norm.bias
    return z, torch.tanh(z)


def draw(path: Path, before: dict, after: dict) -> None:
    """Histograms of the tanh outputs, before and after training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, len(before), figsize=(3 * len(before), 4.6), dpi=110, layout="constrained", sharex=True)
    for row, (when, values) in enumerate((("before training", before), (f"after {STEPS} steps", after))):
        for ax, (name, h) in zip(axes[row], values.items(), strict=True):
            ax.hist(h.flatten().numpy(), bins=50, range=(-1, 1), density=True, color=COLOURS[row])
            ax.spines[["top", "right"]].set_visible(False)
            ax.set_title(f"{name}\n{when}", fontsize=9)
            ax.set_yticks([])
    fig.supxlabel("h = tanh(z)")
    save(fig, path)


def main() -> None:
    _, tokenizer, train_ids, val_ids = characters("shakespeare")
    columns = ["start", "first loss", "ln V", "size of z", "predicted", "saturated", "dead",
               "saturated, trained", f"loss after {STEPS} steps"]  # fmt: skip
    result, before, after = Result(LESSON, "initialisation", columns, SEED), {}, {}
    text = val_ids[:LENGTH]
    for name, hidden, output, batch_norm in STARTS:
        config = MLPConfig(tokenizer.vocab_size, 8, 24, 256, batch_norm=batch_norm)
        model = start(config, hidden, output)
        first = first_loss(model, val_ids)
        z, before[name] = activations(model, text)
        weights = model.layers[0].linear.weight
        predicted = 1.0 if batch_norm else weights.shape[1] ** 0.5 * weights.std().item()
        dead = (before[name].abs() > 0.97).all(0).double().mean().item()
        train_short(model, train_ids, STEPS)
        after[name] = activations(model, text)[1]
        saturated = [(h.abs() > 0.97).double().mean().item() for h in (before[name], after[name])]
        result.add(name, first, math.log(tokenizer.vocab_size), z.std().item(), predicted, f"{saturated[0]:.0%}",
                   f"{dead:.0%}", f"{saturated[1]:.0%}", token_losses(model, val_ids).mean().item())  # fmt: skip
    draw(result.path(".png"), before, after)
    result.save()


if __name__ == "__main__":
    run(main)
