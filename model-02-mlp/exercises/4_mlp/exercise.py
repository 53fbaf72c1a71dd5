"""Exercise 4, the core of the lesson: the whole model from its tensors alone, and one step of learning.

You get the weights of an MLPLM as a dictionary, weights[name], and build what model.py builds with nn.Linear and the
rest:

    embedding.weight         (V + 1, C)   one row for each token; the last row stands before the text
    layers.0.linear.weight   (H, n C)     and layers.0.linear.bias (H,); then layers.1., layers.2. ..., of (H, H)
    lm_head.weight           (V, H)       and lm_head.bias (V,)
    direct.weight            (V, n C)     perhaps: the direct connections (Bengio et al. 2003)

    x = the vectors of the last n tokens, oldest first      h = tanh(x W^T + b)       logits = h U^T + c  (+ x D^T)

A second and third hidden layer have as many inputs as outputs, and *add* to what came in: h + tanh(h W^T + b).
(So does the first, should n C happen to equal H.)

Fill in the three functions, then run:   python -m shared.exercises 02
"""

from torch import Tensor


def look_up(weights: dict[str, Tensor], token_ids: Tensor, n: int) -> Tensor:
    """token_ids (B, T) int64, the start of a text -> x (B, T, n * C). Exercise 1, for a batch."""
    raise NotImplementedError


def forward(weights: dict[str, Tensor], token_ids: Tensor, n: int) -> Tensor:
    """token_ids (B, T) -> logits (B, T, V), equal to MLPLM's."""
    raise NotImplementedError


def descend(weights: dict[str, Tensor], inputs: Tensor, targets: Tensor, n: int, rate: float) -> dict[str, Tensor]:
    """One step of plain gradient descent on the mean cross-entropy of inputs, targets (B, T): the new weights.

    Here autograd may do the derivatives (requires_grad_, torch.autograd.grad), and torch the loss. No nn.Module, no
    optimiser. The weights that were handed in stay as they are.
    """
    raise NotImplementedError
