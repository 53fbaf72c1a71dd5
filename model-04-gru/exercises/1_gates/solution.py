"""One good answer to exercise 1."""

import torch
from torch import Tensor


def one_step(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    x_r, x_z, x_n = (x @ weight_ih.t() + bias_ih).chunk(3, dim=1)
    u_r, u_z, u_n = weight_hh.chunk(3)
    c_r, c_z = bias_hh.chunk(2)
    reset_gate = torch.sigmoid(x_r + h @ u_r.t() + c_r)
    update_gate = torch.sigmoid(x_z + h @ u_z.t() + c_z)
    candidate = torch.tanh(x_n + (reset_gate * h) @ u_n.t())
    return update_gate * h + (1 - update_gate) * candidate


def copies_the_state(bias_ih: Tensor) -> Tensor:
    bias_r, bias_z, bias_n = bias_ih.chunk(3)
    return torch.cat([bias_r, torch.full_like(bias_z, 100.0), bias_n])  # z = 1: all is kept, whatever the others say


def forgets_the_state(bias_ih: Tensor) -> Tensor:
    bias_r, bias_z, bias_n = bias_ih.chunk(3)
    shut = torch.full_like(bias_z, -100.0)  # z = 0: h is replaced; r = 0: and what replaces it has not seen h
    return torch.cat([shut, shut, bias_n])
