"""Exercise 5, for the second part of the lesson: look back at the source, and not at its padding.

Before it writes a word, the decoder, in the state s, takes a mean of all states h_j of the encoder, another mean each
time (Bahdanau et al. 2015, appendix A.1.2):

    energy_j   = v . tanh(W s + U h_j)           a number for each source token j: how much it matters now
    weights    = softmax(energy)                 over the tokens of the sentence
    context    = sum_j weights_j h_j

In a batch the sentences are padded to one length S. Whatever stands in h behind the end of a sentence is no part of it:
it gets the weight 0, exactly, and must change nothing. So a sentence gives the same alone, in a batch, and with more
padding, and that is how the test finds what is wrong.

Shapes: B sentences, s (B, H), h (B, S, K), lengths (B,) with 1 <= lengths <= S, W (A, H), U (A, K), v (A,). What is
handed in stays as it is.

Fill in the three functions, in order, then run:   python -m shared.exercises 04 5
"""

from torch import Tensor


def masked_softmax(energies: Tensor, lengths: Tensor) -> Tensor:
    """energies (B, S) -> weights (B, S): in row b a softmax over the first lengths[b] places, 0 on the others."""
    raise NotImplementedError


def attend(s: Tensor, h: Tensor, lengths: Tensor, W: Tensor, U: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """-> the contexts (B, K) and their weights (B, S)."""
    raise NotImplementedError


def energy_gradient(weights: Tensor, grad_weights: Tensor) -> Tensor:
    """How attention learns where to look: dL/dweights (B, S) -> dL/denergies (B, S), by hand.

    `weights` came from masked_softmax. What one token wins, the others lose: with a_j = e^(energy_j) / sum_k
    e^(energy_k), find da_k/denergy_j first, once for k = j and once for k != j.
    """
    raise NotImplementedError
