"""Exercise 3: the GRU of the paper, the GRU of PyTorch, and a sign. Three networks under one name.

Cho et al. (2014) reset h before the product with U_n. cuDNN, and so PyTorch, resets after it, which lets all products
with h be one, and needs a third bias inside the brackets:

    before      n = tanh(x W_n^T + b_n + (r * h) U_n^T)
    after       n = tanh(x W_n^T + b_n + r * (h U_n^T + c_n))

These are two different functions: in general no weights of the one make it the other. Both have

    r = sigmoid(x W_r^T + b_r + h U_r^T + c_r)       z = sigmoid(x W_z^T + b_z + h U_z^T + c_z)
    the new h = z * h + (1 - z) * n

The third network is that of Chung et al. (2014), where the new h = (1 - z) * h + z * n. That *is* the same function,
in other weights.

Weights stand one below the other in the order reset, update, candidate: weight_ih (3H, I), weight_hh (3H, H), bias_ih
(3H,), and bias_hh (2H,) before (c_r, c_z) or (3H,) after (c_r, c_z, c_n).

Fill in the four functions, then run:   python -m shared.exercises 04
"""

from torch import Tensor, nn


def step_before(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """One step, reset before the product: x (B, I), h (B, H) -> the new h (B, H). (Exercise 1, if you like.)"""
    raise NotImplementedError


def step_after(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """One step, reset after the product: x (B, I), h (B, H) -> the new h (B, H)."""
    raise NotImplementedError


def read_like_torch(module: nn.GRU, inputs: Tensor, h: Tensor) -> Tensor:
    """What PyTorch's own module puts out for inputs (B, T, I) from the state h (B, H): (B, T, H), by your step_after.

    Calling the module is not the answer: take its weights, module.weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0.
    They are in this lesson's order, and its z is ours. (One layer, batch first.)
    """
    raise NotImplementedError


def from_chung(weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> tuple[Tensor, ...]:
    """Weights of a network whose new h is (1 - z) * h + z * n -> the four with which ours computes the same.

    Either form: bias_hh is (2H,) or (3H,). The tensors handed in stay as they are.
    """
    raise NotImplementedError
