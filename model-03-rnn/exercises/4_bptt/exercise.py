"""Exercise 4, the core of the lesson: the backward pass of a recurrence, by hand. Autograd is switched off.

Forward, for t = 1 ... T:              z_t = x_t W_ih^T + h_{t-1} W_hh^T + b          h_t = tanh(z_t)

The loss L looks at every h_t (the gradient that comes straight from it is grad_outputs[:, t - 1]) and perhaps at the
last one once more, as the state handed on (grad_state). h_t acts on the loss as an output, AND through the next step:

    dh_t = grad_outputs_t + dz_{t+1} W_hh          (at the last step grad_state instead of the second term)
    dz_t = dh_t * (1 - h_t^2)

from the last step to the first; what each weight gets is a sum over all steps. The derivation, with figures, is in
docs/math/03-bptt.md. Your gradients must equal autograd's to 1e-10.

Fill in the two functions, in order, then run:   python -m shared.exercises 03
"""

import torch
from torch import Tensor


def forward(x: Tensor, h0: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    """x (B, T, I), h0 (B, H) -> h (B, T + 1, H): h0, then h after each step. (Given.)"""
    h = [h0]
    for x_t in x.unbind(1):
        h.append(torch.tanh(x_t @ weight_ih.t() + h[-1] @ weight_hh.t() + bias))
    return torch.stack(h, dim=1)


def through_tanh(dh: Tensor, h: Tensor) -> Tensor:
    """dL/dz from dL/dh, where h = tanh(z), all of one shape."""
    raise NotImplementedError


def backward(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, grad_outputs: Tensor, grad_state: Tensor):
    """x (B, T, I), h (B, T + 1, H) from forward, grad_outputs (B, T, H), grad_state (B, H)
    -> five gradients: dx (B, T, I), dh0 (B, H), dweight_ih (H, I), dweight_hh (H, H), dbias (H,).
    """
    raise NotImplementedError
