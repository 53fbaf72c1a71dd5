"""One good answer to exercise 4."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def look_up(weights: dict[str, Tensor], token_ids: Tensor, n: int) -> Tensor:
    table = weights["embedding.weight"]
    batch, length = token_ids.shape
    padding = torch.full((batch, n - 1), len(table) - 1)
    vectors = table[torch.cat([padding, token_ids], dim=1)]  # (B, n - 1 + T, C)
    return torch.cat([vectors[:, place : place + length] for place in range(n)], dim=2)


def forward(weights: dict[str, Tensor], token_ids: Tensor, n: int) -> Tensor:
    x = look_up(weights, token_ids, n)
    h, layer = x, 0
    while f"layers.{layer}.linear.weight" in weights:
        weight, bias = weights[f"layers.{layer}.linear.weight"], weights[f"layers.{layer}.linear.bias"]
        out = torch.tanh(h @ weight.T + bias)
        h = h + out if h.shape == out.shape else out
        layer += 1
    logits = h @ weights["lm_head.weight"].T + weights["lm_head.bias"]
    if "direct.weight" in weights:
        logits = logits + x @ weights["direct.weight"].T
    return logits


def descend(weights: dict[str, Tensor], inputs: Tensor, targets: Tensor, n: int, rate: float) -> dict[str, Tensor]:
    weights = {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}
    loss = cross_entropy(forward(weights, inputs, n).flatten(0, 1), targets.flatten())
    gradients = torch.autograd.grad(loss, list(weights.values()))
    return {name: (w - rate * g).detach() for (name, w), g in zip(weights.items(), gradients, strict=True)}
