"""Exercise 1, a warm-up: one step of a recurrent network, and a loop around it. That is the whole architecture.

    h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)

x_t is what is read now, h_{t-1} what is known of everything before it. The same weights do this at every step. In code
a batch of B sequences is read at once, one in each row, so the vectors stand on the left: x_t W_ih^T.

Shapes: x (B, I), h (B, H), weight_ih (H, I), weight_hh (H, H), bias (H,).

Fill in the two functions, then run:   python -m shared.exercises 03
"""

from torch import Tensor


def one_step(x: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> Tensor:
    """The new h (B, H), from this step's input x (B, I) and the h before it (B, H)."""
    raise NotImplementedError


def read(inputs: Tensor, h: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """All steps of inputs (B, T, I) in order, from the state h (B, H).

    Returns outputs (B, T, H), which is h after every step, and the last h (B, H): the state to go on from. The tensors
    handed in must stay as they are, since a caller may go on from the same h twice. Where T is 0 nothing is read:
    then outputs is (B, 0, H), and the state is h.
    """
    raise NotImplementedError
