"""One good answer to exercise 5."""

import torch
from torch import Tensor


def masked_softmax(energies: Tensor, lengths: Tensor) -> Tensor:
    padding = torch.arange(energies.shape[1]) >= lengths[:, None]  # (B, S)
    return energies.masked_fill(padding, -torch.inf).softmax(dim=1)  # before the softmax: e^-inf = 0, and the rest is 1


def attend(s: Tensor, h: Tensor, lengths: Tensor, W: Tensor, U: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    queries, keys = s @ W.t(), h @ U.t()  # (B, A), (B, S, A)
    weights = masked_softmax(torch.tanh(queries[:, None] + keys) @ v, lengths)
    return (weights[:, :, None] * h).sum(dim=1), weights


def energy_gradient(weights: Tensor, grad_weights: Tensor) -> Tensor:
    mean = (weights * grad_weights).sum(dim=1, keepdim=True)
    return weights * (grad_weights - mean)
