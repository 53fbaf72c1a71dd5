"""One good answer to exercise 1."""

import math

from torch import Tensor


def half_life(forget_bias: float) -> float:
    return math.log(2) / math.log1p(math.exp(-forget_bias))  # -ln sigmoid(b) = ln(1 + e^-b)


def bias_for(steps: float) -> float:
    f = 2 ** (-1 / steps)
    return math.log(f / (1 - f))


def with_forget_bias(bias_ih: Tensor, bias_hh: Tensor, forget_bias: float) -> tuple[Tensor, Tensor]:
    bias_ih, bias_hh = bias_ih.clone(), bias_hh.clone()
    bias_ih.chunk(4)[1].fill_(forget_bias)  # a chunk is a view: what is written into it stands in the whole
    bias_hh.chunk(4)[1].zero_()
    return bias_ih, bias_hh
