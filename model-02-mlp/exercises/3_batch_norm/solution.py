"""One good answer to exercise 3."""

from torch import Tensor

EPS, MOMENTUM = 1e-5, 0.1


def forward_train(x: Tensor, gain: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor):
    mean, variance = x.mean(0), x.var(0, unbiased=False)
    y = gain * (x - mean) / (variance + EPS).sqrt() + bias
    new_mean = (1 - MOMENTUM) * running_mean + MOMENTUM * mean
    new_var = (1 - MOMENTUM) * running_var + MOMENTUM * x.var(0, unbiased=True)
    return y, new_mean, new_var


def forward_eval(x: Tensor, gain: Tensor, bias: Tensor, running_mean: Tensor, running_var: Tensor) -> Tensor:
    return gain * (x - running_mean) / (running_var + EPS).sqrt() + bias


def backward_train(x: Tensor, gain: Tensor, dy: Tensor) -> Tensor:
    size = (x.var(0, unbiased=False) + EPS).sqrt()
    xhat, g = (x - x.mean(0)) / size, gain * dy
    return (g - g.mean(0) - xhat * (g * xhat).mean(0)) / size
