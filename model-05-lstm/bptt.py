"""Backpropagation through time by hand: the recurrence of LSTMLayer (without peepholes) with its own backward pass.

The numbers in the comments are the equations of docs/math/05-lstm.md. As in lesson 04, all that need not wait for its
neighbour leaves the loop over time. There is one function for each part, in the order in which they run:

    inputs_part       the products with the inputs, for all time steps at once
    forward_loop
    factors           what the gradients of h_t and c_t are multiplied with on their way into the gates
    backward_loop
    all_steps         the gradients of inputs and weights, for all time steps at once

Inside, time comes first: (T, B, ...). The four that share a product lie side by side, in PyTorch's order: input gate i,
forget gate f, candidate n (PyTorch's g), output gate o. At the end stands the same step for generation, which needs no
gradient.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # gradient * y * (1 - y), where y = sigmoid(a)
tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient * (1 - y * y), where y = tanh(a)
MINUS_ONE = torch.tensor(-1.0)
# PyTorch multiplies float32 with MKL, but has oneDNN on board, which nn.LSTM uses and which is often the quicker.
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
ONEDNN_TYPES = [torch.float32] + [torch.bfloat16] * (ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def precision(x: Tensor) -> dict:
    """What autocast is set to now, as arguments to set it so again: a backward pass runs outside of it."""
    kind = x.device.type
    return {"device_type": kind, "dtype": torch.get_autocast_dtype(kind), "enabled": torch.is_autocast_enabled(kind)}


def takes_onednn(x: Tensor, rows: int) -> bool:
    """Is a product with so many rows of this device and dtype one for oneDNN? (For a single one it is not worth it.)"""
    return ONEDNN and rows > 1 and x.dtype in ONEDNN_TYPES and x.device.type == "cpu"


def packed(weight: Tensor, rows: int) -> Tensor:
    """A weight in the order in which oneDNN reads it, for many products with so many rows each."""
    return torch.ops.mkldnn._reorder_linear_weight(weight, rows) if takes_onednn(weight, rows) else weight


def in_loop(weight: Tensor, rows: int) -> Tensor:
    """A weight as the loop wants it: in what autocast is set to, and packed."""
    kind = weight.device.type
    return packed(weight.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else weight, rows)


def product(x: Tensor, weight: Tensor, plus: Tensor | None = None) -> Tensor:
    """x W^T, plus a bias or a tensor of the result's shape. Where the weight is of less precision, as in_loop makes it,
    the product is, too; the sum is not."""
    if x.dtype != weight.dtype:
        y = product(x.to(weight.dtype), weight)
        return y.to(x.dtype) if plus is None else plus + y
    if takes_onednn(x, len(x)):
        if plus is None or plus.dim() == 1:
            return torch.ops.mkldnn._linear_pointwise(x, weight, plus, "none", [], "")
        return torch.ops.mkldnn._linear_pointwise.binary(x, plus, weight, None, "add")
    out = x.new_empty(len(x), len(weight))
    return torch.mm(x, weight.t(), out=out) if plus is None else torch.addmm(plus, x, weight.t(), out=out)


def all_steps(x: Tensor, weight: Tensor) -> Tensor:
    """x W^T where the rows are those of all steps."""
    return x @ weight.t() if torch.is_autocast_enabled(x.device.type) else product(x, weight)


def inputs_part(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W^T + b for all steps at once, as all_steps: x (T * B, D) -> (T * B, 4H)."""
    if torch.is_autocast_enabled(x.device.type):
        return bias + x @ weight.t()
    return product(x, weight, bias)


def candidate_twice(weight: Tensor) -> Tensor:
    """A copy of a weight or bias, with the candidate's rows doubled. It is tanh that wants twice the sum: see below."""
    weight = weight.clone()
    weight.chunk(4)[2].mul_(2)
    return weight


def tanh_after_sigmoid_(y: Tensor) -> Tensor:
    """tanh(a) = 2 sigmoid(2a) - 1, in place of sigmoid(2a). On a CPU torch.tanh takes several times as long."""
    return torch.add(MINUS_ONE, y, alpha=2, out=y)


def forward_loop(gates: Tensor, h0: Tensor, c0: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """gates (T, B, 4H), so far only the inputs' part: the gates in place of it. weight (4H, H) is a candidate_twice.

    -> h and c, both (T + 1, B, H) from the state before the first step on, and s = tanh(c) (T, B, H).
    """
    steps, (batch, H) = len(gates), h0.shape
    h, c = gates.new_empty(steps + 1, batch, H), gates.new_empty(steps + 1, batch, H)
    s = gates.new_empty(steps, batch, H)
    h[0], c[0] = h0, c0
    weight = in_loop(weight, batch)
    each = (part.unbind() for part in (h[:-1], h[1:], c[:-1], c[1:], s, gates, *gates.chunk(4, dim=2)))
    for h_before, h_t, c_before, c_t, s_t, gates_t, i_t, f_t, n_t, o_t in zip(*each, strict=True):
        torch.sigmoid(product(h_before, weight, gates_t), out=gates_t)  # (1)
        tanh_after_sigmoid_(n_t)  # (2)
        torch.mul(f_t, c_before, out=c_t).addcmul_(i_t, n_t)  # (3)
        tanh_after_sigmoid_(torch.mul(c_t, 2, out=s_t).sigmoid_())
        torch.mul(o_t, s_t, out=h_t)  # (4)
    return h, c, s


def factors(c: Tensor, s: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
    """What dL/dc_t (for o: dL/dh_t) is multiplied with, element by element, to become the gradients of the gates,
    (T, B, 4, H); and what dL/dh_t is multiplied with to become a part of dL/dc_t, (T, B, H)."""
    i, f, n, o = gates.chunk(4, dim=2)
    dgates = gates.new_empty(*s.shape[:2], 4, s.shape[2])
    di, df, dn, do = dgates.unbind(2)
    sigmoid_backward(s, o, grad_input=do)  # (6)
    sigmoid_backward(n, i, grad_input=di)  # (8)
    sigmoid_backward(c[:-1], f, grad_input=df)  # (9)
    tanh_backward(i, n, grad_input=dn)  # (10)
    return dgates, tanh_backward(o, s, grad_input=torch.empty_like(s))  # (7)


def backward_loop(
    dgates: Tensor, through: Tensor, f: Tensor, weight: Tensor, grad_outputs: Tensor, grad_h: Tensor, grad_c: Tensor
) -> tuple[Tensor, Tensor]:
    """dgates and through: the two results of factors; afterwards dgates (T, B, 4, H) has the gradients themselves.

    f (T, B, H), weight (4H, H), grad_outputs (B, T, H), grad_h and grad_c (B, H) -> the gradients of h0 and c0.
    """
    weight = in_loop(weight.t(), len(grad_h))
    *direct, last = grad_outputs.unbind(1)
    dh, dc = last + grad_h, grad_c.clone()  # (5) for t = T
    each = through, f, dgates[:, :, :3], dgates[:, :, 3], dgates.flatten(2)
    back = zip([None, *direct][::-1], *(part.unbind()[::-1] for part in each), strict=True)
    for direct_before, through_t, f_t, difn_t, do_t, dgates_t in back:
        dc.addcmul_(dh, through_t)  # (7)
        do_t.mul_(dh)  # (6)
        difn_t.mul_(dc.unsqueeze(1))  # (8), (9), (10)
        dc.mul_(f_t)  # (11)
        dh = product(dgates_t, weight, direct_before)  # (12), (5); h_0 is no output
    return dh, dc


class Recurrence(torch.autograd.Function):
    """outputs, h, c = Recurrence.apply(inputs, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh)

    inputs (B, T, D), h0 and c0 (B, H), weight_ih (4H, D), weight_hh (4H, H), bias_ih and bias_hh (4H,)
    -> outputs (B, T, H), every h_t, and the last h_t and c_t as tensors of their own (B, H). T is at least 1.
    """

    @staticmethod
    def forward(ctx, inputs, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh):
        batch, steps, _ = inputs.shape
        x = inputs.transpose(0, 1).reshape(steps * batch, -1)
        gates = inputs_part(x, candidate_twice(weight_ih), candidate_twice(bias_ih + bias_hh)).view(steps, batch, -1)
        h, c, s = forward_loop(gates, h0, c0, candidate_twice(weight_hh))
        ctx.precision = precision(x)
        ctx.save_for_backward(x, h, c, s, gates, weight_ih, weight_hh)
        return h[1:].transpose(0, 1), h[-1].clone(), c[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs, grad_h, grad_c):
        x, h, c, s, gates, weight_ih, weight_hh = ctx.saved_tensors
        (steps, batch, H), f = s.shape, gates.chunk(4, dim=2)[1]
        dgates, through = factors(c, s, gates)
        with torch.autocast(**ctx.precision):
            dh0, dc0 = backward_loop(dgates, through, f, weight_hh, grad_outputs, grad_h, grad_c)
        flat = dgates.view(steps * batch, 4 * H)
        with torch.autocast(**ctx.precision):
            dx = all_steps(flat, weight_ih.t()).view(steps, batch, -1).transpose(0, 1)  # (13)
            dweight_ih = all_steps(x.t(), flat.t()).t()  # (14)
            dweight_hh = all_steps(h[:-1].view(-1, H).t(), flat.t()).t()  # (15)
        dbias = flat.sum(0)  # (16)
        return dx, dh0, dc0, dweight_ih, dweight_hh, dbias, dbias.clone()


def step_without_gradient(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh) -> tuple[Tensor, Tensor]:
    """One step, x (B, D), h and c (B, H) -> the new h and c, as far as possible in place: all that generation does."""
    gates = linear(x, weight_ih, bias_ih)
    if gates.dtype != h.dtype:  # autocast computes the products in less
        gates = gates.to(h.dtype)
    gates.add_(linear(h, weight_hh, bias_hh))
    i, f, n, o = gates.chunk(4, dim=1)
    n = n.tanh()  # (2)
    gates.sigmoid_()  # (1)
    c = torch.mul(f, c).addcmul_(i, n)  # (3)
    return c.tanh().mul_(o), c  # (4)
