"""One good answer to exercise 3."""

import torch
from torch import Tensor


def step_with_peepholes(
    x: Tensor, h: Tensor, c: Tensor,
    weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, weight_cell: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    sums = x @ weight_ih.t() + bias_ih + h @ weight_hh.t() + bias_hh
    a_i, a_f, a_g, a_o = sums.chunk(4, dim=1)
    p_i, p_f, p_o = weight_cell
    i, f = torch.sigmoid(a_i + p_i * c), torch.sigmoid(a_f + p_f * c)
    c = f * c + i * torch.tanh(a_g)
    o = torch.sigmoid(a_o + p_o * c)  # the new c
    return o * torch.tanh(c), c


def counts_up_to(limit: int) -> tuple[Tensor, Tensor]:
    steep = 100.0  # at c = limit - 1 the input gate sees +50, at c = limit it sees -50
    bias_ih = torch.tensor([steep * (limit - 0.5), 100.0, 100.0, -100.0])
    return bias_ih, torch.tensor([[-steep], [0.0], [0.0]])
