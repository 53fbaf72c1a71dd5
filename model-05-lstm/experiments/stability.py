"""What makes a training stable? AdamW against RMSProp, Xavier against orthogonal recurrence, from slow to far too fast.

    python experiments/stability.py             about 6 minutes on one core

600 steps of the small network, one seed, clipped at 1, warmed up over 50 steps and let down along a cosine in the same
way. No weight decay: AdamW's is a thing apart (decoupled), RMSProp's is not. "diverged": the loss became no number, or
is at the end above what the frequencies of the characters alone give. "largest jump": how far a single step's loss rose
above the mean of the 20 before it; a training can end well and have been close to the edge.
"""

import math

import torch
from short_run import LESSON, at_the_end, carried_loss, new_model, shakespeare, train

from shared.console import run
from shared.results import Result
from shared.visualize import plot_lines

STEPS, RATES, INITS = 600, (2e-3, 8e-3, 32e-3, 128e-3), ("xavier", "orthogonal")
OPTIMISERS = {
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, betas=(0.9, 0.99), weight_decay=0.0),
    "RMSProp": lambda parameters: torch.optim.RMSprop(parameters, alpha=0.99),
}


def largest_jump(losses: list[float], before: int = 20) -> float:
    """How far one loss lies above the mean of so many before it, at most (nats)."""
    return max(losses[i] - sum(losses[i - before : i]) / before for i in range(before, len(losses)))


def main() -> None:
    tokens = shakespeare()
    shares = torch.bincount(tokens.train) / len(tokens.train)
    unigram = -(shares * shares.clamp(min=1e-9).log()).sum().item()
    columns = ["optimiser", "recurrence", "learning rate", "training loss, last 100 steps", "validation loss, nats",
               "largest jump, nats", "diverged"]  # fmt: skip
    result, lines = Result(LESSON, "stability", columns, 1337), {}
    for optimiser, make in OPTIMISERS.items():
        for init in INITS:
            ends = []
            for rate in RATES:
                changes = {"init": init, "learning_rate": rate, "steps": STEPS}
                model = new_model(tokens, **changes)
                losses = train(model, tokens, make(model.parameters()), **changes)
                finite, end = math.isfinite(losses[-1]), at_the_end(losses)
                validation = carried_loss(model, tokens.val) if finite else None
                ends.append(end if finite else None)
                result.add(optimiser, init, f"{rate:g}", ends[-1], validation,
                           largest_jump(losses) if finite else None, not finite or end > unigram)  # fmt: skip
            lines[f"{optimiser}, {init}"] = (RATES, ends)
    plot_lines(result.path(".png"), lines, "How fast is too fast?", "learning rate", "training loss at the end, nats",
               {"frequencies of the characters": unigram}, log_x=True)  # fmt: skip
    result.save(unigram=unigram, steps=STEPS)


if __name__ == "__main__":
    run(main)
