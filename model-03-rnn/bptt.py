"""Backpropagation through time, written out by hand: the recurrence of RNNLayer with its own backward pass.

The numbers in the comments are the equations of docs/math/03-bptt.md. Autograd would arrive at the same gradients by
recording every operation of every time step; by hand, all that need not wait for its neighbour leaves the loop:

    forward    the product with the inputs, for all time steps at once; in the loop only h_{t-1} W_hh^T and tanh
    backward   in the loop only the product that carries the gradient from step t to step t-1; the gradients of the
               weights, which autograd adds up step by step, are one matrix product each after it

Inside, time comes first: (T, B, H), so that the B rows of one time step lie side by side in memory.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

activate_ = {"tanh": torch.tanh_, "relu": torch.relu_}  # in place


def multiply_by_slope_(gradient: Tensor, h: Tensor, nonlinearity: str) -> Tensor:
    """gradient * phi'(z), in place, for h = phi(z): 1 - h^2 for tanh; for ReLU 1 where h > 0 and else 0."""
    if nonlinearity == "tanh":
        return torch.ops.aten.tanh_backward.grad_input(gradient, h, grad_input=gradient)
    return torch.ops.aten.threshold_backward.grad_input(gradient, h, 0, grad_input=gradient)


class Recurrence(torch.autograd.Function):
    """outputs, state = Recurrence.apply(inputs, h0, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity)

    inputs (B, T, I), h0 (B, H), weight_ih (H, I), weight_hh (H, H), biases (H,), nonlinearity "tanh" or "relu"
    -> outputs (B, T, H), every h_t, and the last of them as a tensor of its own (B, H). T is at least 1.
    """

    @staticmethod
    def forward(ctx, inputs, h0, weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity):
        (batch, steps, _), hidden_size = inputs.shape, len(weight_hh)
        x = inputs.transpose(0, 1).reshape(steps * batch, -1)
        h = inputs.new_empty(steps + 1, batch, hidden_size)  # h[0] is the state before the first step
        h[0] = h0
        z = h[1:].view(steps * batch, hidden_size)  # each z_t in the place that h_t will take
        torch.addmm(bias_ih + bias_hh, x, weight_ih.t(), out=z)  # (1) all but W_hh h_{t-1}
        h_steps, weight_hh_t = h.unbind(0), weight_hh.t()
        for h_before, h_t in zip(h_steps[:-1], h_steps[1:], strict=True):
            h_t.addmm_(h_before, weight_hh_t)  # (1)
            activate_[nonlinearity](h_t)  # (2)
        ctx.save_for_backward(x, h, weight_ih, weight_hh)
        ctx.nonlinearity = nonlinearity
        return h[1:].transpose(0, 1), h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs, grad_state):
        x, h, weight_ih, weight_hh = ctx.saved_tensors
        steps, batch, hidden_size = h[1:].shape
        dz = grad_outputs.transpose(0, 1).clone(memory_format=torch.contiguous_format)  # (4) dL/dh_t, the direct part
        dz[-1] += grad_state  # (4) for t = T
        dz_steps = dz.unbind(0)
        h_steps = h.unbind(0)
        for t in range(steps - 1, -1, -1):
            multiply_by_slope_(dz_steps[t], h_steps[t + 1], ctx.nonlinearity)  # (5)
            if t > 0:
                dz_steps[t - 1].addmm_(dz_steps[t], weight_hh)  # (4) the part that comes back through time
        dh0 = dz_steps[0] @ weight_hh  # (6)
        dz = dz.view(steps * batch, hidden_size)
        dx = (dz @ weight_ih).view(steps, batch, -1).transpose(0, 1)  # (7)
        dweight_ih = dz.t() @ x  # (8)
        dweight_hh = dz.t() @ h[:-1].view(steps * batch, hidden_size)  # (9)
        dbias = dz.sum(0)  # (10)
        return dx, dh0, dweight_ih, dweight_hh, dbias, dbias, None
