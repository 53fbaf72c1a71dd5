"""Exercise 1, a warm-up: one step of a gated recurrent unit, and two settings of its gates (Cho et al. 2014).

    reset gate      r = sigmoid(x W_r^T + b_r + h U_r^T + c_r)             how much of h the candidate looks at
    update gate     z = sigmoid(x W_z^T + b_z + h U_z^T + c_z)             how much of h is kept
    candidate       n = tanh(x W_n^T + b_n + (r * h) U_n^T)                what h could become
    the new h       z * h + (1 - z) * n                                    unit by unit

h is what is known so far, (B, H), and x is what is read now, (B, I). The weights of the three stand one below the
other, in the order reset, update, candidate: weight_ih (3H, I) holds W_r, W_z, W_n, weight_hh (3H, H) holds U_r, U_z,
U_n, bias_ih (3H,) holds b_r, b_z, b_n, and bias_hh (2H,) holds c_r, c_z.

Fill in the three functions, in order, then run:   python -m shared.exercises 04
"""

from torch import Tensor


def one_step(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """The new h (B, H), a new tensor: a caller may go on from the old one twice."""
    raise NotImplementedError


def copies_the_state(bias_ih: Tensor) -> Tensor:
    """Another bias_ih (3H,), with which one_step gives back the h that it was given, whatever x and the weights are.

    (Whatever they are within reason: no sum in a gate is larger than 20.) The tensor handed in stays as it is.
    """
    raise NotImplementedError


def forgets_the_state(bias_ih: Tensor) -> Tensor:
    """Another bias_ih (3H,), with which the new h depends on x alone and not on h: a network without a memory."""
    raise NotImplementedError
