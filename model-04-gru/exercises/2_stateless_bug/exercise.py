"""Exercise 2: three ways to spoil a state without noticing. Find the bugs.

Say the model was trained perfectly. What is wrong is how it is used, and nothing crashes: the numbers are a little
worse, the text a little sillier, and one blames the training. Each of the three functions has one bug. The test that
finds them: however a text is cut into pieces, and whatever other texts are read beside it, one and the same thing must
come out.

    logits, state = model(token_ids, state)        token_ids (B, T), logits (B, T, V)
    state                                          None at the start of a text, else a list of h (B, H), one a layer

Mend the three functions, then run:   python -m shared.exercises 04
"""

import torch
from torch import Tensor


@torch.no_grad()
def log_probs(model, token_ids: Tensor, piece_length: int) -> Tensor:
    """ln P of each token but the first, (B, N - 1), given all that stand before it in its row. token_ids (B, N).

    The model reads at most piece_length tokens of each row in one call.
    """
    found, state = [], None
    for start in range(0, token_ids.shape[1] - 1, piece_length):
        piece = token_ids[:, start : start + piece_length + 1]  # one more: the last is only a target
        logits, state = model(piece, state)
        scores = torch.log_softmax(logits[:, :-1], dim=-1)
        found.append(scores.gather(2, piece[:, 1:, None])[:, :, 0])
    return torch.cat(found, dim=1)


@torch.no_grad()
def step(model, tokens: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """One token for each row, (B,), through the layers by hand: logits (B, V) and the new state.

    The list and the tensors handed in stay as they are. model has embedding, layers (each with cell(x, h) -> the new h)
    and lm_head, and neither dropout nor connections around its layers.
    """
    hidden = model.embedding(tokens)
    for layer, h in zip(model.layers, state, strict=True):
        h = layer.cell(hidden, h)
        hidden = h
    return model.lm_head(hidden), state


@torch.no_grad()
def generate(model, prompts: Tensor, stop: int, max_new_tokens: int) -> list[list[int]]:
    """Goes on from several prompts at once, (B, T): for each the likeliest tokens, up to and with `stop`.

    At most max_new_tokens (1 or more) for each. A text that has reached `stop` leaves the batch, which saves work.
    """
    logits, state = model(prompts)
    tokens = logits[:, -1].argmax(dim=-1)
    rows, texts = list(range(len(prompts))), [[] for _ in prompts]  # rows: which text each row of the batch belongs to
    for _ in range(max_new_tokens):
        for row, token in zip(rows, tokens.tolist(), strict=True):
            texts[row].append(token)
        goes_on = tokens != stop  # (rows,) bool
        rows = [row for row, on in zip(rows, goes_on.tolist(), strict=True) if on]
        if not rows:
            break
        tokens, state = tokens[goes_on], [h[: len(rows)] for h in state]
        logits, state = step(model, tokens, state)
        tokens = logits.argmax(dim=-1)
    return texts
