"""One good answer to exercise 2."""

import torch
from torch import Tensor


def one_step(
    x: Tensor, h: Tensor, c: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor
) -> tuple[Tensor, Tensor]:
    sums = x @ weight_ih.t() + bias_ih + h @ weight_hh.t() + bias_hh
    a_i, a_f, a_g, a_o = sums.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c + torch.sigmoid(a_i) * torch.tanh(a_g)
    return torch.sigmoid(a_o) * torch.tanh(c), c


def keeps_the_cell(bias_ih: Tensor) -> Tensor:
    b_i, b_f, b_g, b_o = bias_ih.chunk(4)
    return torch.cat([torch.full_like(b_i, -100.0), torch.full_like(b_f, 100.0), b_g, b_o])  # write nothing, keep all


def counts_the_steps(bias_ih: Tensor) -> Tensor:
    b_i, b_f, b_g, b_o = bias_ih.chunk(4)
    opened = torch.full_like(b_i, 100.0)
    return torch.cat([opened, opened, opened, b_o])  # i = 1, f = 1, and tanh(100) = 1 is what is added
