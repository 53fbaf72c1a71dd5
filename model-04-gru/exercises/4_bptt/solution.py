"""One good answer to exercise 4."""

import torch
from torch import Tensor


def forward(x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor):
    """x (B, T, I), h0 (B, H), weight_ih (3H, I), weight_hh (3H, H), bias_ih (3H,), bias_hh (2H,), in the order reset,
    update, candidate -> h (B, T + 1, H): h0, then h after each step; and r, z, n, each (B, T, H). (Given.)"""
    u_r, u_z, u_n = weight_hh.chunk(3)
    c_r, c_z = bias_hh.chunk(2)
    h, gates = [h0], []
    for x_t in x.unbind(1):
        x_r, x_z, x_n = (x_t @ weight_ih.t() + bias_ih).chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + h[-1] @ u_r.t() + c_r), torch.sigmoid(x_z + h[-1] @ u_z.t() + c_z)
        n = torch.tanh(x_n + (r * h[-1]) @ u_n.t())
        h.append(z * h[-1] + (1 - z) * n)
        gates.append((r, z, n))
    return torch.stack(h, dim=1), *(torch.stack(gate, dim=1) for gate in zip(*gates, strict=True))


def step_backward(dh: Tensor, h: Tensor, r: Tensor, z: Tensor, n: Tensor, weight_hh: Tensor) -> tuple[Tensor, Tensor]:
    u_r, u_z, u_n = weight_hh.chunk(3)
    da_n = dh * (1 - z) * (1 - n * n)
    da_z = dh * (h - n) * z * (1 - z)
    d_reset_h = da_n @ u_n  # with respect to r * h
    da_r = d_reset_h * h * r * (1 - r)
    dh_before = dh * z + d_reset_h * r + da_r @ u_r + da_z @ u_z
    return torch.cat([da_r, da_z, da_n], dim=1), dh_before


def backward(
    x: Tensor, h: Tensor, r: Tensor, z: Tensor, n: Tensor, weight_ih: Tensor, weight_hh: Tensor,
    grad_outputs: Tensor, grad_state: Tensor,
):  # fmt: skip
    (batch, steps, _), hidden_size = x.shape, h.shape[2]
    da, from_later = x.new_empty(batch, steps, 3 * hidden_size), grad_state
    for t in range(steps - 1, -1, -1):
        dh = grad_outputs[:, t] + from_later
        da[:, t], from_later = step_backward(dh, h[:, t], r[:, t], z[:, t], n[:, t], weight_hh)
    dx = da @ weight_ih
    every = da.flatten(0, 1)  # (B * T, 3H): the sum over steps and rows is one product
    h_before, gates = h[:, :-1].flatten(0, 1), 2 * hidden_size
    seen = r.flatten(0, 1) * h_before  # what the candidate was multiplied with
    dweight_ih = every.t() @ x.flatten(0, 1)
    dweight_hh = torch.cat([every[:, :gates].t() @ h_before, every[:, gates:].t() @ seen])
    dbias_ih = every.sum(0)
    return dx, from_later, dweight_ih, dweight_hh, dbias_ih, dbias_ih[:gates]
