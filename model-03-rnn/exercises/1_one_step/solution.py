"""One good answer to exercise 1."""

import torch
from torch import Tensor


def one_step(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    return torch.tanh(x @ weight_ih.t() + h @ weight_hh.t() + bias)


def read(inputs: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    outputs = inputs.new_empty(*inputs.shape[:2], h.shape[1])
    for t, x in enumerate(inputs.unbind(1)):
        h = one_step(x, h, weight_ih, weight_hh, bias)
        outputs[:, t] = h
    return outputs, h
