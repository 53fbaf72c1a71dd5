"""Exercise 2: the LSTM cell, and two settings of its gates (Hochreiter & Schmidhuber 1997, Gers et al. 2000).

    input gate      i = sigmoid(x W_i^T + b_i + h U_i^T + d_i)             how much of the candidate is written
    forget gate     f = sigmoid(x W_f^T + b_f + h U_f^T + d_f)             how much of the cell is kept
    candidate       g =    tanh(x W_g^T + b_g + h U_g^T + d_g)             what could be added
    output gate     o = sigmoid(x W_o^T + b_o + h U_o^T + d_o)             how much of the cell is shown
    the new c       f * c + i * g
    the new h       o * tanh(new c)

x is what is read now, (B, D). h and c are what the step before left behind, (B, H) each. The weights stand one below
the other, in PyTorch's order i, f, g, o: weight_ih (4H, D) has W, weight_hh (4H, H) has U, bias_ih (4H,) has b, bias_hh
(4H,) has d.

Fill in the three functions, in order, then run:   python -m shared.exercises 05
"""

from torch import Tensor


def one_step(
    x: Tensor, h: Tensor, c: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor
) -> tuple[Tensor, Tensor]:
    """The new h and c (B, H), new tensors: a caller may go on from the old ones twice."""
    raise NotImplementedError


def keeps_the_cell(bias_ih: Tensor) -> Tensor:
    """Another bias_ih (4H,), with which one_step gives back the c that it was given, whatever x, h and c are.

    (Whatever they are within reason: no sum in a gate, without your bias, is larger than 20.) Yet h still depends on x:
    how much is shown is decided anew at each step. The tensor handed in stays as it is.
    """
    raise NotImplementedError


def counts_the_steps(bias_ih: Tensor) -> Tensor:
    """Another bias_ih (4H,), with which every unit's c becomes larger by 1 at each step, whatever is read.

    No unit of a GRU can do that: its h is an average of numbers between -1 and 1.
    """
    raise NotImplementedError
