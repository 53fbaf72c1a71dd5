"""Exercise 3: BatchNorm, which has two ways of working, and its backward pass.

While training, each of the H units is given mean 0 and variance 1 over the N examples of the batch, then a gain and a
bias that are learnt (Ioffe & Szegedy 2015, algorithm 1):

    xhat = (x - mean) / sqrt(variance + EPS)        y = gain * xhat + bias

On the way it keeps running statistics. When the model is used there may be a batch of one, and an answer must not
depend on what else is in the batch: so they take the place of the batch's own.

    running = 0.9 * running + 0.1 * of this batch   mean and variance alike

One trap: the variance that normalises divides by N, the one that goes into the running variance divides by N - 1.

Fill in the three functions, then run:   python -m shared.exercises 02
"""

from torch import Tensor

EPS, MOMENTUM = 1e-5, 0.1


def forward_train(x: Tensor, gain: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor):
    """x (N, H), the others (H,) -> y (N, H), new running mean, new running variance. Changes nothing in place."""
    raise NotImplementedError


def forward_eval(x: Tensor, gain: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor) -> Tensor:
    """x (N, H) -> y (N, H), each row as if it were alone."""
    raise NotImplementedError


def backward_train(x: Tensor, gain: Tensor, dy: Tensor) -> Tensor:
    """dloss/dx (N, H) from dy = dloss/dy (N, H), while training: mean and variance depend on x as well.

    With g = gain * dy, and means over the batch:   dx = (g - mean(g) - xhat * mean(g * xhat)) / sqrt(variance + EPS)
    """
    raise NotImplementedError
