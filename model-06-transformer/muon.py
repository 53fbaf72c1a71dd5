"""Muon: momentum for matrices, made orthogonal before it is added (Jordan et al. 2024).

    momentum = beta momentum + gradient                 for each matrix W of (m, n)
    step     = gradient + beta momentum                 Nesterov's
    W       -= learning rate sqrt(max(1, m/n)) U V^T    where step = U S V^T, its singular value decomposition

A gradient of a matrix is often nearly of low rank: a few directions are large, and SGD, or Adam with its own step size
for each entry, follow those. U V^T has the same directions, all of size one. It comes without a decomposition, from
matrix products only: five Newton-Schulz iterations, each a polynomial of the singular values that moves them towards 1.

The method is for matrices between layers. Embeddings, lm_head, gains and biases stay with AdamW (train.py).

NorMuon (Li et al. 2025) adds one thing. The rows of U V^T, one for each unit that the matrix feeds, are of different
lengths where there are more rows than columns or the iterations stop early, so some units would learn faster than
others. Each row is divided by the root of a running mean of its squares; then the whole is made as large as it was.
"""

import math

import torch
from torch import Tensor

# Jordan's own (kellerjordan.github.io/posts/muon): small singular values grow fast; all end between about 0.7 and 1.2.
COEFFICIENTS = 3.4445, -4.7750, 2.0315


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """U V^T, nearly, of each matrix U S V^T of (..., m, n).

    One iteration takes each singular value s to a s + b s^3 + c s^5: (X X^T) X has the same U and V, and s^3.
    """
    a, b, c = COEFFICIENTS
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT  # the products X X^T are then the smaller ones
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # no singular value is above 1
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(torch.get_autocast_dtype(x.device.type))  # once, not for each product
    shape, x = x.shape, x.reshape(-1, *x.shape[-2:])  # baddbmm: beta * its first + alpha * the product of the others
    for _ in range(iterations):
        squared = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(squared, squared, squared, beta=b, alpha=c), x, beta=a)
    return x.view(shape) if wide else x.view(shape).mT


class Muon(torch.optim.Optimizer):
    """The optimiser for matrices. Those of a group have one shape and are taken together. Its "parts": so many matrices
    lie one under another in each, and are apart. row_decay: of NorMuon's running means, 0.95 in the paper; 0: Muon."""

    def __init__(self, params, lr: float = 0.02, momentum: float = 0.95, weight_decay: float = 0.0, row_decay=0.0):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "row_decay": row_decay, "parts": 1}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self) -> None:
        """One step from the gradients that are there."""
        for group in self.param_groups:
            weights, steps = [weight for weight in group["params"] if weight.grad is not None], []
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight)
                momentum = self.state[weight]["momentum"].mul_(group["momentum"]).add_(weight.grad)
                steps.append(weight.grad + group["momentum"] * momentum)
            steps = orthogonalised(torch.stack(steps).unflatten(1, (group["parts"], -1)))  # (weights, parts, m, n)
            steps = steps.to(weights[0].dtype)
            if group["row_decay"]:
                steps = self.evened(steps, weights, group["row_decay"])
            size = math.sqrt(max(1, steps.shape[2] / steps.shape[3]))
            for weight, step in zip(weights, steps.flatten(1, 2), strict=True):
                weight.mul_(1 - group["lr"] * group["weight_decay"])  # as in AdamW
                weight.add_(step, alpha=-group["lr"] * size)

    def evened(self, steps: Tensor, weights: list, decay: float) -> Tensor:
        """Steps (weights, parts, m, n), each as large as before, but no row larger than others for long (NorMuon)."""
        squares, means = steps.square().mean(dim=3, keepdim=True), []
        for weight, square in zip(weights, squares, strict=True):
            before = self.state[weight].setdefault("rows", torch.zeros_like(square))  # a constant factor is no matter
            means.append(before.lerp_(square, 1 - decay))
        even = steps / (torch.stack(means).sqrt() + 1e-10)
        before, after = (x.norm(dim=(2, 3), keepdim=True) for x in (steps, even))
        return even * (before / (after + 1e-10))


class Together:
    """Several optimisers, each with parameters of its own, used as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer):
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict:
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state: dict) -> None:
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def matrices_of(model) -> tuple[list[dict], list[Tensor]]:
    """The matrices in the blocks of a TransformerLM, as groups for Muon, and all its other parameters.

    W_q, W_k and W_v lie one under another, and so do SwiGLU's gate and value.
    """
    blocks = model.blocks
    gated = blocks[0].feed_forward.activation == "swiglu"
    groups = [
        {"params": [block.attention.qkv.weight for block in blocks], "parts": 3},
        {"params": [block.attention.output.weight for block in blocks], "parts": 1},
        {"params": [block.feed_forward.up.weight for block in blocks], "parts": 2 if gated else 1},
        {"params": [block.feed_forward.down.weight for block in blocks], "parts": 1},
    ]
    chosen = {id(weight) for group in groups for weight in group["params"]}
    return groups, [weight for weight in model.parameters() if id(weight) not in chosen]
