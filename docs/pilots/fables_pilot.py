"""Can the recall points of the fables be learnt, and do they tell models apart? Run before the grammar was frozen.

Trains stand-ins from PyTorch's own layers (this is a pilot, not a lesson) for some minutes each on the training draw:
an LSTM, and a causal Transformer that sees 256 characters. Then measures on the validation draw the loss above the
floor, and the forced choice at recall points by distance. Writes fables_pilot.json.

    python docs/pilots/fables_pilot.py --minutes 10 --points 60
"""

import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from shared.data.batching import ContiguousStreams
from shared.data.fables import splits
from shared.files import write_json
from shared.runs import machine

BANDS = [(20, 40), (40, 80), (80, 160), (160, 320), (320, 640)]
KINDS = ["hero", "object", "place", "owner"]


class Recurrent(nn.Module):
    def __init__(self, vocab_size: int, context_length: int):
        super().__init__()
        self.context_length = context_length
        self.embedding = nn.Embedding(vocab_size, 64)
        self.lstm = nn.LSTM(64, 256, batch_first=True)
        self.lm_head = nn.Linear(256, vocab_size)
        nn.init.uniform_(self.lstm.bias_ih_l0.data[256:512], 1, 5)  # forget gates that keep 73 % to 99 % at first

    def forward(self, token_ids: torch.Tensor, state=None, with_state: bool = False):
        outputs, state = self.lstm(self.embedding(token_ids), state)
        return (self.lm_head(outputs), state) if with_state else self.lm_head(outputs)


class Attention(nn.Module):
    def __init__(self, vocab_size: int, context_length: int):
        super().__init__()
        self.context_length = context_length
        self.embedding = nn.Embedding(vocab_size, 96)
        self.position = nn.Embedding(context_length, 96)
        layer = nn.TransformerEncoderLayer(96, 4, 288, 0.0, "gelu", batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.lm_head = nn.Linear(96, vocab_size)
        for parameter in self.parameters():  # PyTorch's own start is too large for embeddings
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.05)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        T = token_ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(T)
        hidden = self.embedding(token_ids) + self.position.weight[:T]
        return self.lm_head(self.blocks(hidden, mask=mask, is_causal=True))


def train(model: nn.Module, ids: torch.Tensor, minutes: float, learning_rate: float, seed: int) -> int:
    generator = torch.Generator().manual_seed(seed)
    T = model.context_length
    rows = (1536 if isinstance(model, Recurrent) else 3072) // T
    streams, state = ContiguousStreams(ids, rows, T, seed), None
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    start, step = time.process_time(), 0
    while (share := (time.process_time() - start) / 60 / minutes) < 1:
        for group in optimizer.param_groups:  # warm up for 100 steps, then down in a straight line over the minutes
            group["lr"] = learning_rate * min(1, (step + 1) / 100) * (1 - share)
        if isinstance(model, Recurrent):  # state carried from chunk to chunk, in float32: bf16 blurs a long memory
            inputs, targets, restart = next(streams)
            logits, state = model(inputs, None if restart else state, with_state=True)
            state = tuple(part.detach() for part in state)
        else:
            begin = torch.randint(len(ids) - T, (rows, 1), generator=generator)
            window = ids[begin + torch.arange(T + 1)]
            inputs, targets = window[:, :-1], window[:, 1:]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(inputs)
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"  step {step}  loss {loss.item():.3f}  {share * minutes:.1f} min", flush=True)
    return step


@torch.no_grad()
def validation_loss(model: nn.Module, ids: torch.Tensor) -> float:
    """Nats per character, each character predicted from at least half a context (a quarter of the split)."""
    T = model.context_length
    half = T // 2
    windows = ids[: len(ids) // 4].unfold(0, T + 1, half)
    losses = [
        F.cross_entropy(model(rows[:, :-1])[:, half:].flatten(0, 1), rows[:, 1 + half:].flatten(), reduction="none")
        for rows in windows.split(max(1, 16384 // T))
    ]
    return torch.cat(losses).mean().item()


@torch.no_grad()
def chosen(model: nn.Module, text: str, point, vocabulary: dict[str, int]) -> str:
    """The candidate with the greatest log-likelihood, scored with the character that follows the word."""
    room = 1 + max(map(len, point.candidates))
    before = [vocabulary[c] for c in text[max(0, point.start - model.context_length + room) : point.start]]
    after = text[point.start + len(point.answer)]
    first = model(torch.tensor([before]))[0, -1].log_softmax(-1).tolist()
    best, word = -math.inf, ""
    for candidate in sorted(point.candidates, key=lambda candidate: -first[vocabulary[candidate[0]]]):
        if first[vocabulary[candidate[0]]] <= best:
            break  # no word is likelier than its first character
        ids = torch.tensor([before + [vocabulary[c] for c in candidate + after]])
        logits = model(ids[:, :-1])[0, len(before) - 1 :]
        score = -F.cross_entropy(logits, ids[0, len(before) :], reduction="sum").item()
        if score > best:
            best, word = score, candidate
    return word


def recall(model: nn.Module, fables, vocabulary: dict[str, int], seed: int, most: int) -> dict:
    table = {}
    for kind in KINDS:
        for low, high in BANDS:
            points = [p for p in fables.points if p.kind == kind and low <= p.distance < high]
            points = random.Random(seed).sample(points, min(most, len(points)))
            if len(points) >= 10:
                right = sum(chosen(model, fables.text, point, vocabulary) == point.answer for point in points)
                table.setdefault(kind, {})[f"{low}-{high}"] = [round(right / len(points), 3), len(points)]
    return table


def table(models: dict) -> dict:
    """The rows that README.md shows: loss above the floor, and accuracy by band over all kinds but owner."""
    columns = ["model", "core minutes", "steps", "above the floor", *[f"{low}-{high}" for low, high in BANDS]]
    rows = []
    for name, found in models.items():
        shares = []
        for low, high in BANDS:
            cells = [found["recall"][kind].get(f"{low}-{high}", [0, 0]) for kind in KINDS if kind != "owner"]
            shares.append(f"{sum(share * n for share, n in cells) / max(1, sum(n for _, n in cells)):.0%}")
        rows.append([name, found["core_minutes"], found["steps"], found["above_floor"], *shares])
    minutes = sum(found["core_minutes"] for found in models.values())
    script = {"script": "docs/pilots/fables_pilot.py", "seed": models[name]["seed"], "minutes": minutes}
    return {"columns": columns, "rows": rows} | script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of one processor core, for training each model")
    parser.add_argument("--points", type=int, default=40, help="at most so many recall points per kind and band")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=["recurrent", "attention"])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    corpus = splits()
    vocabulary = {c: i for i, c in enumerate(sorted(set(corpus["train"].text)))}
    ids = {name: torch.tensor([vocabulary[c] for c in corpus[name].text]) for name in ("train", "val")}
    kinds = {
        "recurrent": (Recurrent, 192, 2e-3),
        "attention": (Attention, 256, 3e-3),
    }
    result = {"floor_val": round(corpus["val"].floor, 4), "chance": round(1 / 12, 4), "models": {}}
    if args.out.exists():  # models can be trained one at a time
        result = json.loads(args.out.read_text(encoding="utf-8"))
    for name in args.models:
        torch.manual_seed(args.seed)
        cls, context_length, learning_rate = kinds[name]
        model = cls(len(vocabulary), context_length)
        parameters = sum(p.numel() for p in model.parameters())
        print(f"{name}: {parameters:,} parameters, first loss about {math.log(len(vocabulary)):.2f}", flush=True)
        steps = train(model, ids["train"], args.minutes, learning_rate, args.seed)
        model.eval()
        loss = validation_loss(model, ids["val"])
        if name == "recurrent":
            model.context_length = 1024  # it may look back further than the chunks that it was trained on
        row = {"core_minutes": args.minutes, "seed": args.seed, "torch": torch.__version__, "parameters": parameters,
               "context_length": context_length, "learning_rate": learning_rate, "steps": steps,
               "val_loss": round(loss, 4), "above_floor": round(loss - corpus["val"].floor, 4),
               "recall": recall(model, corpus["val"], vocabulary, args.seed, args.points)}
        result["models"][name] = row
        print(json.dumps(row), flush=True)
        write_json(args.out, result | table(result["models"]) | machine())


if __name__ == "__main__":
    main()
