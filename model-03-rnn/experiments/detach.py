"""What forgetting `detach` costs, and what detaching loses.

    python experiments/detach.py

Part 1 carries the state from chunk to chunk without detach_state. As the loop stands, that ends at the second chunk in
an error; so does the first remedy that comes to mind, retain_graph=True, once the weights have moved. With it, and
weights that stand still, each backward pass runs through all chunks so far: milliseconds, megabytes held, per chunk.
Part 2 trains with gradients that end after 8, 16, 32, 64 or 128 steps: the same number of steps and of tokens in each,
since the batch is larger where the chunk is shorter. Beside it the same with the state dropped, too.
"""

import sys
import time
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from model import detach_state
from short_run import carried_loss, new_model, reset_loss, shakespeare, train
from torch.nn.functional import cross_entropy

from shared.console import run
from shared.data.batching import ContiguousStreams
from shared.results import Result
from shared.visualize import plot_lines

CHUNKS = 30
TOKENS_PER_STEP, LENGTHS, STEPS = 2048, (8, 16, 32, 64, 128), 1000


class Held:
    """A tensor that autograd holds for a backward pass to come; counts the bytes meanwhile, each place once."""

    holders: dict[int, int] = {}
    bytes = 0

    def __init__(self, tensor):
        self.tensor = tensor
        place, known = tensor.data_ptr(), Held.holders
        Held.bytes += 0 if known.get(place) else tensor.nbytes
        known[place] = known.get(place, 0) + 1

    def __del__(self):
        place, known = self.tensor.data_ptr(), Held.holders
        known[place] -= 1
        Held.bytes -= 0 if known[place] else self.tensor.nbytes


def carry_on(tokens, detach: bool, chunks: int, retain: bool = False, learn: bool = False) -> list[tuple[float, float]]:
    """Read chunks with the state carried; (milliseconds, megabytes held before the backward pass) of each."""
    model = new_model(tokens)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader, state, costs = ContiguousStreams(tokens.train, 32, 64), None, []
    for _ in range(chunks):
        batch, start = next(loader), time.perf_counter()
        logits, state = model(batch.inputs, state)
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        held = Held.bytes / 1e6
        loss.backward(retain_graph=retain)
        if learn:
            optimizer.step()
        if detach:
            state = detach_state(state)
        costs.append((1000 * (time.perf_counter() - start), held))
    return costs


def message(tokens, **how) -> str:
    """The first sentence of the error that it ends in."""
    try:
        carry_on(tokens, detach=False, chunks=3, **how)
    except RuntimeError as error:
        return str(error).split(". ")[0]
    raise AssertionError("expected autograd to refuse")


def main() -> None:
    tokens = shakespeare()
    errors = {"as it stands": message(tokens, learn=True)}
    errors["retain_graph=True"] = message(tokens, learn=True, retain=True)
    columns = ["gradient ends after", "batch", "state carried: loss, nats", "state dropped too: loss, nats"]
    result = Result(LESSON, "detach", columns, 1337)
    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        costs = {"detached": carry_on(tokens, detach=True, chunks=CHUNKS)}
        costs["not detached"] = carry_on(tokens, detach=False, chunks=CHUNKS, retain=True)
    number = list(range(1, CHUNKS + 1))
    for i, (name, unit) in enumerate((("time", "milliseconds"), ("memory", "megabytes held for the backward pass"))):
        lines = {how: (number, [cost[i] for cost in rows]) for how, rows in costs.items()}
        plot_lines(result.path(f"_{name}.png"), lines, "What forgetting detach costs", "chunk", unit)
    for length in LENGTHS:
        changes = {"chunk_length": length, "batch_size": TOKENS_PER_STEP // length, "steps": STEPS}
        losses = []
        for carry in (True, False):
            model = new_model(tokens)
            train(model, tokens, carry=carry, **changes)
            losses.append(carried_loss(model, tokens.val) if carry else reset_loss(model, tokens.val, length))
        result.add(length, changes["batch_size"], *losses)
    rounded = {how: [[round(x, 2) for x in cost] for cost in rows] for how, rows in costs.items()}
    result.save(errors=errors, milliseconds_and_megabytes=rounded)


if __name__ == "__main__":
    run(main)
