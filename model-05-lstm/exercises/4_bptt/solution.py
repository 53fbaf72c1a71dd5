"""One good answer to exercise 4."""

import torch
from torch import Tensor


def forward(x: Tensor, h0: Tensor, c0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor):
    """x (B, T, D), h0, c0 (B, H), weight_ih (4H, D), weight_hh (4H, H), bias_ih, bias_hh (4H,), in the order i, f, g, o
    -> h and c (B, T + 1, H): h0 and c0, then what each step leaves; and i, f, g, o, each (B, T, H). (Given.)"""
    h, c, gates = [h0], [c0], []
    for x_t in x.unbind(1):
        a_i, a_f, a_g, a_o = (x_t @ weight_ih.t() + bias_ih + h[-1] @ weight_hh.t() + bias_hh).chunk(4, dim=1)
        i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
        c.append(f * c[-1] + i * g)
        h.append(o * torch.tanh(c[-1]))
        gates.append((i, f, g, o))
    kept = torch.stack(h, dim=1), torch.stack(c, dim=1)
    return *kept, *(torch.stack(gate, dim=1) for gate in zip(*gates, strict=True))


def step_backward(
    dh: Tensor, dc: Tensor, c_before: Tensor, c_after: Tensor, i: Tensor, f: Tensor, g: Tensor, o: Tensor,
    weight_hh: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    s = torch.tanh(c_after)
    dc = dc + dh * o * (1 - s * s)  # c acts on the loss through h of this step, too
    da_i = dc * g * i * (1 - i)
    da_f = dc * c_before * f * (1 - f)
    da_g = dc * i * (1 - g * g)
    da_o = dh * s * o * (1 - o)
    da = torch.cat([da_i, da_f, da_g, da_o], dim=1)
    return da, da @ weight_hh, dc * f


def backward(
    x: Tensor, h: Tensor, c: Tensor, i: Tensor, f: Tensor, g: Tensor, o: Tensor, weight_ih: Tensor, weight_hh: Tensor,
    grad_outputs: Tensor, grad_h: Tensor, grad_c: Tensor,
):  # fmt: skip
    (batch, steps, _), hidden_size = x.shape, h.shape[2]
    da, dh, dc = x.new_empty(batch, steps, 4 * hidden_size), grad_h, grad_c
    for t in range(steps - 1, -1, -1):
        gates = i[:, t], f[:, t], g[:, t], o[:, t]
        da[:, t], dh, dc = step_backward(dh + grad_outputs[:, t], dc, c[:, t], c[:, t + 1], *gates, weight_hh)
    dx = da @ weight_ih
    every = da.flatten(0, 1)  # (B * T, 4H): the sum over steps and rows is one product
    dweight_ih = every.t() @ x.flatten(0, 1)
    dweight_hh = every.t() @ h[:, :-1].flatten(0, 1)
    dbias = every.sum(0)
    return dx, dh, dc, dweight_ih, dweight_hh, dbias, dbias.clone()
