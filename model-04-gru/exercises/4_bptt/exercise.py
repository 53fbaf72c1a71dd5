"""Exercise 4, the core of the lesson: the backward pass of a GRU, by hand. Autograd is switched off.

Forward, for t = 1 ... T (reset before the product, Cho et al. 2014):

    a_r = x W_r^T + b_r + h U_r^T + c_r                 r = sigmoid(a_r)
    a_z = x W_z^T + b_z + h U_z^T + c_z                 z = sigmoid(a_z)
    a_n = x W_n^T + b_n + (r * h) U_n^T                 n = tanh(a_n)
    h_t = z * h + (1 - z) * n                           where h is h_{t-1}

Backward: dh_t is the gradient of the loss L with respect to h_t. It is grad_outputs_t, which comes straight from L,
plus what comes back from the step after (for the last step grad_state instead). Through one step it goes

    to n       d(a_n) = dh_t * (1 - z) * (slope of tanh)
    to z       d(a_z) = dh_t * (h - n) * (slope of sigmoid)         since h_t = n + z * (h - n)
    to r       from d(a_n), back through U_n and the product r * h, then the slope of sigmoid
    to h       by FOUR ways: straight through z * h, through r * h, through U_r and through U_z

The first of the four is the reason for all this: where z = 1 the gradient arrives at h_{t-1} unharmed. What each weight
gets is a sum over all steps and rows. Your gradients must equal autograd's to 1e-10.

Fill in the two functions, in order, then run:   python -m shared.exercises 04
"""

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
    """One step: dh (B, H) with respect to the h after it; h (B, H) is the one before it; r, z, n (B, H) as in forward.

    -> da (B, 3H), the gradients with respect to a_r, a_z, a_n side by side, and the gradient with respect to h (B, H).
    """
    raise NotImplementedError


def backward(
    x: Tensor, h: Tensor, r: Tensor, z: Tensor, n: Tensor, weight_ih: Tensor, weight_hh: Tensor,
    grad_outputs: Tensor, grad_state: Tensor,
):  # fmt: skip
    """All steps: x (B, T, I), the four results of forward, grad_outputs (B, T, H), grad_state (B, H)
    -> six gradients: dx (B, T, I), dh0 (B, H), dweight_ih (3H, I), dweight_hh (3H, H), dbias_ih (3H,), dbias_hh (2H,).
    """
    raise NotImplementedError
