"""Backpropagation through time by hand: the recurrence of GRULayer, in both variants, with its own backward pass.

The numbers in the comments are the equations of docs/math/04-gru.md. As in lesson 03, all that need not wait for its
neighbour leaves the loop over time:

    forward    the products with the inputs, for all time steps at once
    backward   the gradients of the weights; and what dL/dh_t is multiplied with on its way into the gates (slopes,
               gates, old state minus candidate), because all of that is known after the forward pass

Inside, time comes first: (T, B, ...). Gates that share a product lie side by side, in PyTorch's order: reset gate r,
update gate z, candidate n. At the end stands the same step for generation, which needs no gradient.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input  # gradient * y * (1 - y), where y = sigmoid(a)
tanh_backward = torch.ops.aten.tanh_backward.grad_input  # gradient * (1 - y * y), where y = tanh(a)
MINUS_ONE = torch.tensor(-1.0)


def precision(x: Tensor) -> dict:
    """What autocast is set to now, as arguments to set it so again: a backward pass runs outside of it."""
    kind = x.device.type
    return {"device_type": kind, "dtype": torch.get_autocast_dtype(kind), "enabled": torch.is_autocast_enabled(kind)}


def inputs_part(x: Tensor, weight: Tensor, bias: Tensor, out: Tensor, times: int = 1) -> None:
    """out = times (x W^T + b), for all steps at once. Under autocast the product is one of bf16; the loop never is."""
    if torch.is_autocast_enabled(x.device.type):
        torch.add(bias, x @ weight.t(), out=out).mul_(times)
    else:
        torch.addmm(bias, x, weight.t(), beta=times, alpha=times, out=out)


def tanh_of_half_(twice_a: Tensor) -> Tensor:
    """tanh(a) = 2 sigmoid(2a) - 1, in place of 2a. On a CPU torch.tanh takes several times as long as sigmoid."""
    return torch.add(MINUS_ONE, twice_a.sigmoid_(), alpha=2, out=twice_a)


def direct_part(grad_outputs: Tensor, grad_state: Tensor) -> Tensor:
    """dL/dh_0 to dL/dh_T, (T + 1, B, H), but for what comes back through time. h_0 is no output."""
    batch, steps, hidden_size = grad_outputs.shape
    dh = grad_outputs.new_empty(steps + 1, batch, hidden_size)
    dh[0] = 0.0
    dh[1:] = grad_outputs.transpose(0, 1)  # (5)
    dh[-1] += grad_state  # (5) for t = T
    return dh


def blend_factors(h_before: Tensor, z: Tensor, n: Tensor, da: Tensor, dz: Tensor) -> None:
    """Write into da and dz what dL/dh_t will be multiplied with, element by element, to become them."""
    torch.sub(1, z, out=da)
    tanh_backward(da, n, grad_input=da)  # (6)
    torch.sub(h_before, n, out=dz)
    sigmoid_backward(dz, z, grad_input=dz)  # (7)


class ResetBefore(torch.autograd.Function):
    """outputs, state = ResetBefore.apply(inputs, h0, weight_ih, weight_hh, bias_ih, bias_hh)

    inputs (B, T, I), h0 (B, H), weight_ih (3H, I), weight_hh (3H, H), bias_ih (3H,), bias_hh (2H,)
    -> outputs (B, T, H), every h_t, and the last of them as a tensor of its own (B, H). T is at least 1.
    """

    @staticmethod
    def forward(ctx, inputs, h0, weight_ih, weight_hh, bias_ih, bias_hh):
        (batch, steps, _), H = inputs.shape, h0.shape[1]
        x = inputs.transpose(0, 1).reshape(steps * batch, -1)
        h = x.new_empty(steps + 1, batch, H)  # h[0] is the state before the first step
        h[0] = h0
        rz, n, q = (x.new_empty(steps, batch, width) for width in (2 * H, H, H))  # q = r * h_{t-1}
        (weight_rz, weight_n), (bias_rz, bias_n) = weight_ih.split([2 * H, H]), bias_ih.split([2 * H, H])
        inputs_part(x, weight_rz, bias_rz + bias_hh, rz.view(-1, 2 * H))  # (1)
        inputs_part(x, weight_n, bias_n, n.view(-1, H), times=2)  # (2), twice of it
        weight_rz, weight_n = weight_hh.t().split([2 * H, H], dim=1)
        r, z = rz.chunk(2, dim=2)
        for h_before, h_t, rz_t, r_t, z_t, n_t, q_t in zip(h[:-1], h[1:], rz, r, z, n, q, strict=True):
            rz_t.addmm_(h_before, weight_rz).sigmoid_()  # (1)
            torch.mul(r_t, h_before, out=q_t)
            tanh_of_half_(n_t.addmm_(q_t, weight_n, alpha=2))  # (2), (3)
            torch.lerp(n_t, h_before, z_t, out=h_t)  # (4)
        ctx.precision = precision(x)
        ctx.save_for_backward(x, h, rz, n, q, weight_ih, weight_hh)
        return h[1:].transpose(0, 1), h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs, grad_state):
        x, h, rz, n, q, weight_ih, weight_hh = ctx.saved_tensors
        (steps, batch, H), (r, z) = n.shape, rz.chunk(2, dim=2)
        dh = direct_part(grad_outputs, grad_state)
        dgates = h.new_empty(steps, batch, 3, H)
        dr, dz, da = dgates.unbind(2)  # at first only the factors
        blend_factors(h[:-1], z, n, da, dz)
        sigmoid_backward(h[:-1], r, grad_input=dr)  # (9)
        drz, dza = dgates[:, :, :2].flatten(2), dgates[:, :, 1:]
        weight_rz, weight_n = weight_hh.split([2 * H, H])
        dq = h.new_empty(batch, H)
        back = zip(*(reversed(a.unbind()) for a in (dh[:-1], dh[1:], r, z, dr, da, drz, dza)), strict=True)
        for dh_before, dh_t, r_t, z_t, dr_t, da_t, drz_t, dza_t in back:
            dza_t.mul_(dh_t.unsqueeze(1))  # (6), (7)
            torch.mm(da_t, weight_n, out=dq)  # (8)
            dr_t.mul_(dq)  # (9)
            dh_before.addcmul_(dh_t, z_t).addcmul_(dq, r_t).addmm_(drz_t, weight_rz)  # (10)
        dgates, dh0 = dgates.view(steps * batch, 3 * H), dh[0].clone()
        drz, da = dgates.split([2 * H, H], dim=1)
        with torch.autocast(**ctx.precision):
            dx = (dgates @ weight_ih).view(steps, batch, -1).transpose(0, 1)  # (14)
            dweight_ih = (x.t() @ dgates).t()  # (15)
            dweight_hh = torch.cat([h[:-1].view(-1, H).t() @ drz, q.view(-1, H).t() @ da], dim=1).t()  # (16)
        dbias_ih = dgates.sum(0)  # (17)
        return dx, dh0, dweight_ih, dweight_hh, dbias_ih, dbias_ih[: 2 * H].clone()


class ResetAfter(torch.autograd.Function):
    """As ResetBefore, but bias_hh (3H,): PyTorch's variant, whose reset gate comes after the product with weight_hh."""

    @staticmethod
    def forward(ctx, inputs, h0, weight_ih, weight_hh, bias_ih, bias_hh):
        (batch, steps, _), H = inputs.shape, h0.shape[1]
        x = inputs.transpose(0, 1).reshape(steps * batch, -1)
        h = x.new_empty(steps + 1, batch, H)
        h[0] = h0
        rzc, n = x.new_empty(steps, batch, 3 * H), x.new_empty(steps, batch, H)  # c: what r is multiplied with
        (weight_rz, weight_n), (bias_rz, bias_n) = weight_ih.split([2 * H, H]), bias_ih.split([2 * H, H])
        rz, c = rzc.split([2 * H, H], dim=2)
        inputs_part(x, weight_rz, bias_rz + bias_hh[: 2 * H], rz.flatten(0, 1))  # (1)
        inputs_part(x, weight_n, bias_n, n.view(-1, H), times=2)  # (11), twice of it
        c.copy_(bias_hh[2 * H :])
        weight_h, (r, z) = weight_hh.t(), rz.chunk(2, dim=2)
        for h_before, h_t, rzc_t, rz_t, r_t, z_t, c_t, n_t in zip(h[:-1], h[1:], rzc, rz, r, z, c, n, strict=True):
            rzc_t.addmm_(h_before, weight_h)  # (1), (11)
            rz_t.sigmoid_()  # (1)
            tanh_of_half_(n_t.addcmul_(r_t, c_t, value=2))  # (11), (3)
            torch.lerp(n_t, h_before, z_t, out=h_t)  # (4)
        ctx.precision = precision(x)
        ctx.save_for_backward(x, h, rzc, n, weight_ih, weight_hh)
        return h[1:].transpose(0, 1), h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_outputs, grad_state):
        x, h, rzc, n, weight_ih, weight_hh = ctx.saved_tensors
        (steps, batch, H), (r, z, c) = n.shape, rzc.chunk(3, dim=2)
        dh = direct_part(grad_outputs, grad_state)
        dgates = h.new_empty(steps, batch, 3, H)
        dr, dz, dc = dgates.unbind(2)  # at first only the factors
        da = torch.empty_like(n)
        blend_factors(h[:-1], z, n, da, dz)
        torch.mul(da, c, out=dr)
        sigmoid_backward(dr, r, grad_input=dr)  # (12)
        torch.mul(da, r, out=dc)  # (12)
        back = zip(*(reversed(a.unbind()) for a in (dh[:-1], dh[1:], z, dgates, dgates.flatten(2))), strict=True)
        for dh_before, dh_t, z_t, dgates_t, flat_t in back:
            dgates_t.mul_(dh_t.unsqueeze(1))  # (7), (12)
            dh_before.addcmul_(dh_t, z_t).addmm_(flat_t, weight_hh)  # (13)
        flat, dh0 = dgates.view(steps * batch, 3 * H), dh[0].clone()
        with torch.autocast(**ctx.precision):
            dweight_hh = (h[:-1].view(-1, H).t() @ flat).t()  # (16)
        dbias_hh = flat.sum(0)  # (17)
        torch.mul(da, dh[1:], out=dc)  # (6), where dc stood: from here on these are the gradients on the inputs' side
        with torch.autocast(**ctx.precision):
            dx = (flat @ weight_ih).view(steps, batch, -1).transpose(0, 1)  # (14)
            dweight_ih = (x.t() @ flat).t()  # (15)
        dbias_ih = torch.cat([dbias_hh[: 2 * H], flat[:, 2 * H :].sum(0)])  # (17)
        return dx, dh0, dweight_ih, dweight_hh, dbias_ih, dbias_hh


def step_without_gradient(x, h, weight_ih, weight_hh, bias_ih, bias_hh, reset_after) -> Tensor:
    """One step, x (B, I) and h (B, H) -> the new h (B, H), as far as possible in place: all that generation does."""
    gates = linear(x, weight_ih, bias_ih)
    if gates.dtype != h.dtype:  # autocast computes the products in less
        gates = gates.to(h.dtype)
    r, z, n = gates.chunk(3, dim=1)
    gates_only = 2 * h.shape[1]
    if reset_after:
        h_r, h_z, c = linear(h, weight_hh, bias_hh).chunk(3, dim=1)
    else:
        h_r, h_z = linear(h, weight_hh[:gates_only], bias_hh).chunk(2, dim=1)
    r.add_(h_r).sigmoid_()  # (1)
    z.add_(h_z).sigmoid_()  # (1)
    if reset_after:
        n.addcmul_(r, c)  # (11)
    else:
        n.addmm_(r.mul_(h), weight_hh[gates_only:].t())  # (2)
    return torch.lerp(n.tanh_(), h, z)  # (3), (4)
