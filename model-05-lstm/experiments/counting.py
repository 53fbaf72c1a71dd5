"""Who can count? As many b as there were a, then a full stop: RNN, GRU and LSTM on short strings, then on longer ones.

    python experiments/counting.py                  about 4 minutes on one core
    python experiments/counting.py --steps 300      shorter trainings

The strings are a^n b^n . for n = 1 to 30, all at once in each step (Weiss et al. 2018, section 5, with larger n). One
layer of ten units of each kind, PyTorch's own (which the lessons' are equal to, by their tests), Adam, three seeds,
each at the better of two learning rates, by its training loss. How many a there will be nobody can know; but from the
first b on all that follows is certain. A string is right where at each of these places the likeliest character is the
right one: b, n - 1 times, then the full stop. n = 1 to 30 was trained on; nothing of n = 31 to 150 was ever seen.

The figure: the share of seeds that are right by n; and, of the first seed, the unit that followed (a read) - (b read)
most closely on the strings of training, now over a string of n = 90. Of an LSTM that is a cell, of the others h.
"""

import argparse
import statistics
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from shared.console import positive_int, run, say
from shared.results import Result
from shared.visualize import COLOURS, figure, save

LESSON = Path(__file__).resolve().parents[1]
KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
UNITS, TRAINED, ASKED, SHOWN = 10, 30, 150, 90
RATES, SEEDS, IGNORED = (3e-3, 1e-2), (1337, 1338, 1339), -100
A, B, STOP = range(3)


class Network(nn.Module):
    """Logits (N, T, 3) of what comes next, from token ids (N, T)."""

    def __init__(self, kind: str):
        super().__init__()
        self.layer, self.head = KINDS[kind](3, UNITS, batch_first=True), nn.Linear(UNITS, 3)

    def forward(self, token_ids: Tensor) -> Tensor:
        return self.head(self.layer(nn.functional.one_hot(token_ids, 3).float())[0])


def strings(lowest: int, highest: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets (N, T), a row for each n: a^n b^n and what comes next; behind its end a target counts for
    nothing. Every string begins after a full stop."""
    rows = [[STOP] + n * [A] + n * [B] + [STOP] for n in range(lowest, highest + 1)]
    inputs = torch.full((len(rows), 2 * highest + 1), STOP)
    targets = torch.full_like(inputs, IGNORED)
    for place, row in enumerate(rows):
        inputs[place, : len(row) - 1] = torch.tensor(row[:-1])
        targets[place, : len(row) - 1] = torch.tensor(row[1:])
    return inputs, targets


def train(kind: str, rate: float, seed: int, steps: int) -> tuple[Network, float]:
    """A network, and its loss over the strings that it was trained on, in nats per character."""
    torch.manual_seed(seed)
    network, (inputs, targets) = Network(kind), strings(1, TRAINED)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = cross_entropy(network(inputs).flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    say(f"{kind}, rate {rate:g}, seed {seed}: {loss.item():.4f} nats per character")
    return network, loss.item()


@torch.no_grad()
def right(logits: Tensor, inputs: Tensor, targets: Tensor) -> list[bool]:
    """Of each string: is the likeliest character the right one at every place from the first b on?"""
    certain = (inputs == B) & (targets != IGNORED)
    return ((logits.argmax(dim=2) == targets) | ~certain).all(dim=1).tolist()


def reaches(found: list[bool]) -> int:
    """The largest n up to which all strings are right."""
    return found.index(False) if False in found else len(found)


@torch.no_grad()
def remembered(network: Network, inputs: Tensor) -> Tensor:
    """What each unit keeps, (N, T, UNITS): the cells of an LSTM, of the others h."""
    x, state, kept = nn.functional.one_hot(inputs, 3).float(), None, []
    for place in range(inputs.shape[1]):
        _, state = network.layer(x[:, place : place + 1], state)
        kept.append(state[-1].squeeze(0) if isinstance(state, tuple) else state.squeeze(0))
    return torch.stack(kept, dim=1)


def height(inputs: Tensor) -> Tensor:
    """(a read) - (b read) after each character, (N, T)."""
    return (inputs == A).cumsum(dim=1) - (inputs == B).cumsum(dim=1)


def counter(network: Network) -> int:
    """The unit that follows the height most closely, over all strings of training."""
    inputs, targets = strings(1, TRAINED)
    kept, wanted = remembered(network, inputs)[targets != IGNORED], height(inputs)[targets != IGNORED].float()
    follows = [torch.corrcoef(torch.stack([unit, wanted]))[0, 1].nan_to_num().abs() for unit in kept.unbind(1)]
    return int(torch.stack(follows).argmax())


def draw(path: Path, shares: dict[str, list[float]], first: dict[str, Network]) -> None:
    """Left: by n, the share of seeds that are right. Right: what the counting unit keeps over one long string."""
    fig, (left, middle) = figure(11.0, 4.2, panels=2)
    inputs, _ = strings(SHOWN, SHOWN)
    for colour, (kind, network) in zip(COLOURS, first.items(), strict=False):
        left.plot(range(1, ASKED + 1), shares[kind], color=colour, label=kind)
        kept = remembered(network, inputs)[0, :, counter(network)]
        middle.plot(kept * kept[TRAINED].sign(), color=colour, label="LSTM, a cell" if kind == "LSTM" else f"{kind}, h")
    left.axvline(TRAINED, color="#555555", linestyle="--", linewidth=1)
    left.annotate(" trained up to here", (TRAINED, 0.5), color="#555555")
    left.set(title="As many b as a?", xlabel="n", ylabel="share of seeds that are right", ylim=(-0.03, 1.03))
    for place in (TRAINED, SHOWN):
        middle.axvline(place, color="#555555", linestyle="--", linewidth=1)
    middle.set(title=f"The unit that follows the count, n = {SHOWN}", xlabel="characters read", ylabel="its value")
    left.legend(frameon=False)
    middle.legend(frameon=False)
    save(fig, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=positive_int, default=3000, help="of each training (%(default)s)")
    args = parser.parse_args()
    columns = ["network", "learning rate", "training loss, nats", "right up to n, median", "of each seed",
               f"right of n = 1 to {TRAINED}", f"of n = {TRAINED + 1} to {ASKED}",
               "largest value of the unit"]  # fmt: skip
    result, shares, first = Result(LESSON, "counting", columns, seed=SEEDS[0]), {}, {}
    inputs, targets = strings(1, ASKED)
    for kind in KINDS:
        runs = {rate: [train(kind, rate, seed, args.steps) for seed in SEEDS] for rate in RATES}
        losses = {rate: statistics.mean(loss for _, loss in found) for rate, found in runs.items()}
        rate = min(losses, key=losses.get)
        networks = [network for network, _ in runs[rate]]
        first[kind] = networks[0]
        found = [right(network(inputs), inputs, targets) for network in networks]
        shares[kind] = [statistics.mean(map(float, seeds)) for seeds in zip(*found, strict=True)]
        far = [reaches(one) for one in found]
        largest = remembered(networks[0], inputs)[:, :, counter(networks[0])].abs().max().item()
        result.add(kind, rate, losses[rate], statistics.median(far), ", ".join(map(str, far)),
                   f"{statistics.mean(shares[kind][:TRAINED]):.0%}", f"{statistics.mean(shares[kind][TRAINED:]):.0%}",
                   largest)  # fmt: skip
    draw(result.path(".png"), shares, first)
    result.save(steps=args.steps, shares=shares)


if __name__ == "__main__":
    run(main)
