"""Exercise 2: the loss, and what it sends back. Two gradients by hand, held against autograd.

    p = softmax(logits)              p_v = e^{z_v} / sum_u e^{z_u}
    loss = mean of -ln p[target]     over the N examples
    dloss/dlogits                    (p - onehot(target)) / N        what was guessed, minus what came

and one layer below, for h = tanh(x W^T + b), given dh = dloss/dh (docs/math/02-mlp.md, section 2):

    dz = dh * (1 - h^2)      dW = dz^T x      db = dz summed over the examples      dx = dz W

Plain tensor arithmetic only: no cross_entropy, softmax or log_softmax of torch, no autograd. Logits may be as large as
1000, where e^z is infinite; subtracting the largest logit of each row changes no probability.

Fill in the three functions, then run:   python -m shared.exercises 02
"""

from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """logits (N, V), targets (N,) int64 -> the mean loss, a tensor with one number, in nats."""
    raise NotImplementedError


def cross_entropy_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """dloss/dlogits, (N, V)."""
    raise NotImplementedError


def tanh_layer_gradients(x: Tensor, weight: Tensor, bias: Tensor, dh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """x (N, I), weight (H, I), bias (H,), dh (N, H) -> dx (N, I), dweight (H, I), dbias (H,)."""
    raise NotImplementedError
