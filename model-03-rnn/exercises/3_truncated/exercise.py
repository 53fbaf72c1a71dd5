"""Exercise 3: truncated backpropagation through time, as train.py does it. Carry the state, cut its history, clip.

A text is read chunk after chunk. Each chunk goes on from the state that the one before left behind, but the gradient
ends at the start of the chunk: the state comes in as plain numbers (Williams & Peng 1990). Then, since the gradient may
be huge once in a while, it is scaled down where it is longer than allowed (Pascanu et al. 2013, section 3.2):

    if ||g|| > largest:   g <- g * largest / ||g||          g: the gradients of all weights, as ONE long vector

Fill in the two functions, then run:   python -m shared.exercises 03
"""

from torch import Tensor


def clip(gradients: list[Tensor], largest: float) -> list[Tensor]:
    """The gradients, scaled by one common factor so that their norm as one vector is at most `largest`.

    Shorter ones come back as they are. The tensors handed in are left alone.
    """
    raise NotImplementedError


def chunk_gradients(model, token_ids: Tensor, chunk_length: int) -> tuple[list[list[Tensor]], list[Tensor]]:
    """The gradients of every chunk's loss, and the state after the last chunk, without history.

    token_ids (B, N) holds B streams; chunk k has inputs k * chunk_length ... and the tokens one further as targets (the
    last chunk may be shorter). Its loss is the mean cross-entropy over all its B x T targets, in nats. For each chunk a
    list of gradients, one for each of model.parameters(), unclipped. The weights do not change here.

    logits, state = model(inputs, state)   state: None, or a list of tensors h (B, H), one for each layer
    torch.autograd.grad(loss, weights)     gives the gradients without touching anything
    """
    raise NotImplementedError
