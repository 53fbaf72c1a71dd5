"""One good answer to exercise 2."""

import torch
from torch import Tensor


def log_probs(logits: Tensor) -> Tensor:
    z = logits - logits.max(dim=1, keepdim=True).values
    return z - z.exp().sum(dim=1, keepdim=True).log()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return -log_probs(logits)[torch.arange(len(targets)), targets].mean()


def cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    gradient = log_probs(logits).exp()
    gradient[torch.arange(len(targets)), targets] -= 1
    return gradient / len(targets)


def tanh_layer_gradients(x: Tensor, weight: Tensor, bias: Tensor, dh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    h = torch.tanh(x @ weight.T + bias)
    dz = dh * (1 - h**2)
    return dz @ weight, dz.T @ x, dz.sum(dim=0)
