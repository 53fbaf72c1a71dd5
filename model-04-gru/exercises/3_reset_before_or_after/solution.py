"""One good answer to exercise 3."""

import torch
from torch import Tensor, nn


def step_before(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    x_r, x_z, x_n = (x @ weight_ih.t() + bias_ih).chunk(3, dim=1)
    u_r, u_z, u_n = weight_hh.chunk(3)
    c_r, c_z = bias_hh.chunk(2)
    r, z = torch.sigmoid(x_r + h @ u_r.t() + c_r), torch.sigmoid(x_z + h @ u_z.t() + c_z)
    n = torch.tanh(x_n + (r * h) @ u_n.t())
    return z * h + (1 - z) * n


def step_after(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    x_r, x_z, x_n = (x @ weight_ih.t() + bias_ih).chunk(3, dim=1)
    h_r, h_z, h_n = (h @ weight_hh.t() + bias_hh).chunk(3, dim=1)  # one product: the reset gate is not needed for it
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return z * h + (1 - z) * n


def read_like_torch(module: nn.GRU, inputs: Tensor, h: Tensor) -> Tensor:
    outputs = []
    for x in inputs.unbind(1):
        h = step_after(x, h, module.weight_ih_l0, module.weight_hh_l0, module.bias_ih_l0, module.bias_hh_l0)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


def from_chung(weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> tuple[Tensor, ...]:
    hidden_size, turned = weight_hh.shape[1], []
    for weight in (weight_ih, weight_hh, bias_ih, bias_hh):
        weight = weight.clone()
        weight[hidden_size : 2 * hidden_size] *= -1  # 1 - sigmoid(a) = sigmoid(-a)
        turned.append(weight)
    return tuple(turned)
