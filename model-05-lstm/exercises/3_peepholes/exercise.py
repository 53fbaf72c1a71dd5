"""Exercise 3: peepholes. A gate that wants to know the cell can only look at h, and h may show nothing of it.

Where the output gate is 0, h is 0, whatever stands in the cell. The gates of the next step cannot tell a full cell from
an empty one. Gers & Schmidhuber (2000) let them look in: Graves 2013, equations 7 to 11.

    i = sigmoid(x W_i^T + b_i + h U_i^T + d_i + p_i * c)              looks at the old c
    f = sigmoid(x W_f^T + b_f + h U_f^T + d_f + p_f * c)              looks at the old c
    g =    tanh(x W_g^T + b_g + h U_g^T + d_g)                        does not look
    new c = f * c + i * g
    o = sigmoid(x W_o^T + b_o + h U_o^T + d_o + p_o * new c)          looks at the NEW c
    new h = o * tanh(new c)

Each unit looks at its own cell only, so p_i, p_f and p_o are (H,) each: weight_cell (3, H) has them in this order. The
other weights are those of exercise 2: weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H,), bias_hh (4H,).

Fill in the two functions, in order, then run:   python -m shared.exercises 05
"""

from torch import Tensor


def step_with_peepholes(
    x: Tensor, h: Tensor, c: Tensor,
    weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor, weight_cell: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The new h and c (B, H), new tensors."""
    raise NotImplementedError


def counts_up_to(limit: int) -> tuple[Tensor, Tensor]:
    """One unit (H = 1) that counts to `limit` and stays there, with its output gate shut all the time.

    -> bias_ih (4,) and weight_cell (3, 1), for W, U and bias_hh of zero. From c = 0 on, c has to be 1, 2, 3 ... limit,
    limit, limit ... to within 0.01 for 100 steps and any limit from 1 to 50, while h stays below 0.01.
    """
    raise NotImplementedError
