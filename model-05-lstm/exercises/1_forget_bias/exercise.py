"""Exercise 1, a warm-up: how long does a cell remember before it has learnt anything?

    c_t = f * c_{t-1} + i * candidate                f = sigmoid(what is read, weighted, + bias)

An untrained network reads noise, so f is close to sigmoid(bias). After t steps f^t is left of what was in the cell, and
of the gradient that comes back. At bias 0 that is half at every step: nothing that lies ten steps back gets a chance to
be learnt. So one lets the forget gates begin with a positive bias (Gers et al. 2000; Jozefowicz et al. 2015).

Fill in the three functions, in order, then run:   python -m shared.exercises 05
"""

from torch import Tensor


def half_life(forget_bias: float) -> float:
    """The number of steps t (not a whole number in general) after which f^t = 1/2, where f = sigmoid(forget_bias)."""
    raise NotImplementedError


def bias_for(steps: float) -> float:
    """The other way round: the forget_bias with that half-life, for steps above 0."""
    raise NotImplementedError


def with_forget_bias(bias_ih: Tensor, bias_hh: Tensor, forget_bias: float) -> tuple[Tensor, Tensor]:
    """New bias_ih and bias_hh, (4H,) each, in PyTorch's order: input gate, forget gate, candidate, output gate.

    Both are added up inside each gate. So that sum, for the forget gate, has to be forget_bias. All other entries, and
    the tensors handed in, stay as they are.
    """
    raise NotImplementedError
