"""Exercise 4, the core of the lesson: the backward pass of an LSTM, by hand, through h and through c.

Forward, for t = 1 ... T, where h and c are those of the step before:

    a_i, a_f, a_g, a_o = x W^T + b + h U^T + d, cut into four
    i = sigmoid(a_i)      f = sigmoid(a_f)      g = tanh(a_g)      o = sigmoid(a_o)
    c_t = f * c + i * g
    h_t = o * tanh(c_t)

Backward: dh_t and dc_t are the gradients of the loss L with respect to h_t and c_t. Two of them now travel back in
time. dh_t is grad_outputs_t, which comes straight from L, plus what the step after sends back (for the last step grad_h
instead). dc_t is what the step after sends back (for the last step grad_c). Through one step:

    to o       from dh_t, times tanh(c_t) and the slope of sigmoid
    to c_t     dc_t gets an addition: dh_t * o * (slope of tanh at c_t). Do this before anything else is made of it
    to i       from dc_t, times g;       to f   times the old c;       to g   times i;       each times its slope
    to c       dc_t * f, and that is all: no matrix. Where f = 1, it arrives unharmed
    to h       from all four d(a), through U

What each weight gets is a sum over all steps and rows. Your gradients must equal autograd's to 1e-10.

Fill in the two functions, in order, then run:   python -m shared.exercises 05
"""

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
    """One step: dh and dc (B, H) with respect to the h and c after it, without what h hands on to c within the step;
    c_before and c_after, i, f, g, o (B, H) as in forward.

    -> da (B, 4H), the gradients with respect to a_i, a_f, a_g, a_o side by side, and the gradients with respect to the
    h and the c before it (B, H).
    """
    raise NotImplementedError


def backward(
    x: Tensor, h: Tensor, c: Tensor, i: Tensor, f: Tensor, g: Tensor, o: Tensor, weight_ih: Tensor, weight_hh: Tensor,
    grad_outputs: Tensor, grad_h: Tensor, grad_c: Tensor,
):  # fmt: skip
    """All steps: x (B, T, D), the six results of forward, grad_outputs (B, T, H), grad_h and grad_c (B, H) -> seven
    gradients: dx (B, T, D), dh0, dc0 (B, H), dweight_ih (4H, D), dweight_hh (4H, H), dbias_ih, dbias_hh (4H,).
    """
    raise NotImplementedError
