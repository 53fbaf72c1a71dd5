"""Exercise 2: the state must be carried. Find the bugs.

A recurrent network that was trained well can be used badly, and nothing crashes: the loss is a little higher, the text
a little sillier, and one blames the architecture. The two functions below work on any model of this course,

    logits, state = model(token_ids, state)         token_ids (B, T), logits (B, T, V), state None at the start of text

and both have bugs of a kind that is easy to write and hard to see. The test that finds them is chunk invariance:
however a text is cut into pieces, one and the same thing must come out.

Mend the two functions, then run:   python -m shared.exercises 03
"""

import torch
from torch import Tensor


@torch.no_grad()
def log_probs(model, token_ids: Tensor, piece_length: int) -> Tensor:
    """ln P of each token but the first, (N - 1,), given all that stand before it. token_ids (N,).

    The model reads at most piece_length tokens in one call, since a long text would not fit into memory at once.
    """
    found = []
    for start in range(0, len(token_ids) - 1, piece_length):
        inputs = token_ids[start : start + piece_length]
        targets = token_ids[start + 1 : start + piece_length + 1]
        logits, state = model(inputs[None, : len(targets)])
        scores = torch.log_softmax(logits[0], dim=-1)
        found.append(scores.gather(1, targets[:, None])[:, 0])
    return torch.cat(found)


@torch.no_grad()
def generate(model, prompt: list[int], length: int) -> list[int]:
    """The next `length` tokens after the prompt (at least one token), always the likeliest one."""
    logits, state = model(torch.tensor([prompt]))
    token, written = prompt[-1], []
    for _ in range(length):
        logits, _ = model(torch.tensor([[token]]), state)
        token = int(logits[0, -1].argmax())
        written.append(token)
    return written
