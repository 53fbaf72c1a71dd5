"""Lesson 03: the recurrent network. It remembers everything it has read in one vector h, renewed at each step.

    h_t      = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)                    (Elman 1990; Mikolov et al. 2010)
    logits_t = W_out h_t + b_out

New against lesson 02: the MLP looked at a window of context_length tokens and at nothing before it. Here there is no
window. The same weights read one token at a time, and whatever is known of the past has to be in h; how far back that
reaches is no longer set by us but learnt (or not: gradients vanish, docs/math/03-bptt.md).

Shapes: B sequences, T tokens, V = vocab_size, C = embedding_dim, H = hidden_size, L = num_layers.
"""

import math
from dataclasses import dataclass

import torch
from bptt import Recurrence
from torch import Tensor, nn


@dataclass
class RNNConfig:
    vocab_size: int
    embedding_dim: int = 128
    hidden_size: int = 256
    num_layers: int = 2
    dropout: float = 0.0
    nonlinearity: str = "tanh"  # or "relu"
    init: str = "uniform"  # or "xavier", "orthogonal"
    residual: bool = False  # add a layer's inputs to its outputs, where both have the same size
    lm_head_std: float = 0.0  # standard deviation of lm_head's weights at the start; 0: a tenth of PyTorch's
    backward: str = "bptt"  # by hand (bptt.py), or "autograd"


class RNNLayer(nn.Module):
    """outputs, state = layer(inputs, state=None): inputs (B, T, input_size) -> outputs (B, T, H), state h (B, H)."""

    def __init__(self, input_size: int, hidden_size: int, nonlinearity="tanh", init="uniform", backward="bptt"):
        super().__init__()
        self.nonlinearity, self.backward = nonlinearity, backward
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(hidden_size))
        self.initialise(init)

    def initialise(self, init: str) -> None:
        """All within 1/sqrt(H), as PyTorch does ("uniform"); else W_ih Xavier, W_hh by the name given, biases zero."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(len(parameter)), 1 / math.sqrt(len(parameter)))
        if init != "uniform":
            nn.init.xavier_uniform_(self.weight_ih)
            {"xavier": nn.init.xavier_uniform_, "orthogonal": nn.init.orthogonal_}[init](self.weight_hh)
            nn.init.zeros_(self.bias_ih)
            nn.init.zeros_(self.bias_hh)

    def cell(self, x: Tensor, h: Tensor) -> Tensor:
        """One time step: x (B, input_size), h (B, H) -> the new h (B, H)."""
        z = x @ self.weight_ih.t() + self.bias_ih + h @ self.weight_hh.t() + self.bias_hh
        return getattr(torch, self.nonlinearity)(z)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = inputs.new_zeros(len(inputs), len(self.weight_hh)) if state is None else state
        if self.backward == "bptt":
            weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
            return Recurrence.apply(inputs, h, *weights, self.nonlinearity)
        outputs = []
        for x in inputs.unbind(1):  # once: the gradient of each inputs[:, t] would be as large as all of inputs
            h = self.cell(x, h)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h

    @classmethod
    def from_torch(cls, module: nn.Module, backward: str = "bptt") -> "RNNLayer":
        """This layer with the weights and dtype of PyTorch's own; ValueError if that is not one plain layer."""
        if getattr(module, "mode", None) not in ("RNN_TANH", "RNN_RELU"):
            raise ValueError(f"expected PyTorch's RNN module, got {type(module).__name__}")
        if module.num_layers != 1 or module.bidirectional or not module.batch_first or not module.bias:
            raise ValueError("expected num_layers=1, bidirectional=False, batch_first=True, bias=True")
        layer = cls(module.input_size, module.hidden_size, module.nonlinearity, backward=backward)
        layer.to(module.weight_ih_l0)
        layer.load_state_dict({name.removesuffix("_l0"): weight for name, weight in module.state_dict().items()})
        return layer


class RNNLM(nn.Module):
    """logits, state = model(token_ids, state=None): the state is a list of h (B, H), one for each layer."""

    def __init__(self, config: RNNConfig):
        super().__init__()
        self.config = c = config
        self.embedding = nn.Embedding(c.vocab_size, c.embedding_dim)
        sizes = [c.embedding_dim] + [c.hidden_size] * (c.num_layers - 1)
        self.layers = nn.ModuleList(RNNLayer(size, c.hidden_size, c.nonlinearity, c.init, c.backward) for size in sizes)
        self.dropout = nn.Dropout(c.dropout)
        self.lm_head = nn.Linear(c.hidden_size, c.vocab_size)
        with torch.no_grad():
            self.lm_head.weight.mul_(0.1)  # whatever the layers hand up at first, the first loss is close to ln V
        if c.lm_head_std:
            nn.init.normal_(self.lm_head.weight, std=c.lm_head_std)

    def forward(self, token_ids: Tensor, state: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """token_ids (B, T) -> logits (B, T, V) for the token after each, and the state after the last, L x (B, H)."""
        hidden, new_state = self.embedding(token_ids), []
        for layer, h in zip(self.layers, state or [None] * len(self.layers), strict=True):
            outputs, h = layer(hidden, h)
            outputs = self.dropout(outputs)
            hidden = hidden + outputs if self.config.residual and hidden.shape == outputs.shape else outputs
            new_state.append(h)
        logits = self.lm_head(hidden)
        return logits.to(self.lm_head.weight.dtype), new_state  # float32 also where autocast computes in less


def detach_state(state: list[Tensor]) -> list[Tensor]:
    """The same state without its history: the next chunk goes on from it, its gradient stops here (truncated BPTT)."""
    return [h.detach() for h in state]
