"""Lesson 04: the gated recurrent unit. At each step it decides, unit by unit, what to keep and what to write anew.

    reset_gate  = sigmoid(W_r x_t + U_r h_{t-1} + b)     how much of the old state the candidate may look at
    update_gate = sigmoid(W_z x_t + U_z h_{t-1} + b)     how much of the old state stays
    candidate   = tanh(W_n x_t + U_n (reset_gate * h_{t-1}) + b)
    h_t         = update_gate * h_{t-1} + (1 - update_gate) * candidate       (Cho et al. 2014, equations 5 to 8)

New against lesson 03: there h was overwritten at every step. Here a unit whose update gate is 1 keeps its value, to the
last digit, and passes its gradient on unharmed, for as long as the gate stays there (docs/math/04-gru.md).

reset_after=True is the variant of PyTorch and cuDNN, candidate = tanh(W_n x_t + b + reset_gate * (U_n h_{t-1} + b')):
the reset comes after the product, so that one product with h_{t-1} serves all three.

Shapes: B sequences, T tokens, V = vocab_size, C = embedding_dim, H = hidden_size, L = num_layers.
"""

import math
from dataclasses import dataclass

import torch
from bptt import ResetAfter, ResetBefore, step_without_gradient
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass
class GRUConfig:
    vocab_size: int
    embedding_dim: int = 128
    hidden_size: int = 256
    num_layers: int = 2
    dropout: float = 0.0
    reset_after: bool = False  # PyTorch's variant instead of Cho's
    residual: bool = False  # add a layer's inputs to its outputs, where both have the same size
    init: str = "uniform"  # or "xavier", "orthogonal"
    lm_head_std: float = 0.0  # standard deviation of lm_head's weights at the start; 0: a tenth of PyTorch's
    backward: str = "bptt"  # by hand (bptt.py), or "autograd"


class GRULayer(nn.Module):
    """outputs, state = layer(inputs, state=None): inputs (B, T, input_size) -> outputs (B, T, H), state h (B, H).

    The three gates lie one under another, as in PyTorch: reset, update, candidate. Before the reset the candidate needs
    no bias beside h (one bias serves both), so bias_hh is (2H,); after it, it is (3H,).
    """

    def __init__(self, input_size: int, hidden_size: int, reset_after=False, init="uniform", backward="bptt"):
        super().__init__()
        self.hidden_size, self.reset_after, self.backward = hidden_size, reset_after, backward
        # Transposed, they lie row by row in memory: much the quicker order where one token at a time is read.
        self.weight_ih = nn.Parameter(torch.empty(input_size, 3 * hidden_size).t())
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, 3 * hidden_size).t())
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty((3 if reset_after else 2) * hidden_size))
        self.initialise(init)

    def initialise(self, init: str) -> None:
        """All within 1/sqrt(H), as PyTorch does ("uniform"); else W Xavier, U by the name given, biases zero."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(self.hidden_size), 1 / math.sqrt(self.hidden_size))
        if init != "uniform":
            for weight_ih, weight_hh in zip(self.weight_ih.chunk(3), self.weight_hh.chunk(3), strict=True):
                nn.init.xavier_uniform_(weight_ih)
                {"xavier": nn.init.xavier_uniform_, "orthogonal": nn.init.orthogonal_}[init](weight_hh)
            nn.init.zeros_(self.bias_ih)
            nn.init.zeros_(self.bias_hh)

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One time step: x (B, input_size), h (B, H) -> reset gate, update gate, candidate, each (B, H)."""
        x_gates = linear(x, self.weight_ih, self.bias_ih).to(h.dtype)  # autocast computes the products in less
        x_reset, x_update, x_candidate = x_gates.chunk(3, dim=1)
        if self.reset_after:
            h_reset, h_update, h_candidate = linear(h, self.weight_hh, self.bias_hh).chunk(3, dim=1)
            reset_gate, update_gate = torch.sigmoid(x_reset + h_reset), torch.sigmoid(x_update + h_update)
            return reset_gate, update_gate, torch.tanh(x_candidate + reset_gate * h_candidate)
        weight_gates, weight_candidate = self.weight_hh.split([2 * self.hidden_size, self.hidden_size])
        h_reset, h_update = linear(h, weight_gates, self.bias_hh).chunk(2, dim=1)
        reset_gate, update_gate = torch.sigmoid(x_reset + h_reset), torch.sigmoid(x_update + h_update)
        return reset_gate, update_gate, torch.tanh(x_candidate + linear(reset_gate * h, weight_candidate))

    def cell(self, x: Tensor, h: Tensor) -> Tensor:
        """One time step: x (B, input_size), h (B, H) -> the new h (B, H)."""
        _, update_gate, candidate = self.step(x, h)
        return torch.lerp(candidate, h, update_gate)  # update_gate * h + (1 - update_gate) * candidate

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = inputs.new_zeros(len(inputs), self.hidden_size) if state is None else state
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        if inputs.shape[1] == 1 and not torch.is_grad_enabled():  # generation: the same step, as light as it can be
            h = step_without_gradient(inputs.squeeze(1), h, *weights, self.reset_after)
            return h.unsqueeze(1), h
        if self.backward == "bptt":
            return (ResetAfter if self.reset_after else ResetBefore).apply(inputs, h, *weights)
        outputs = []
        for x in inputs.unbind(1):  # once: the gradient of each inputs[:, t] would be as large as all of inputs
            h = self.cell(x, h)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h

    def gates(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """To look inside: the reset gate, the update gate and h at each step, each (B, T, H)."""
        h, steps = inputs.new_zeros(len(inputs), self.hidden_size) if state is None else state, []
        for x in inputs.unbind(1):
            reset_gate, update_gate, candidate = self.step(x, h)
            h = torch.lerp(candidate, h, update_gate)
            steps.append(torch.stack([reset_gate, update_gate, h]))
        return torch.stack(steps, dim=2).unbind()

    @classmethod
    def from_torch(cls, module: nn.Module, backward: str = "bptt") -> "GRULayer":
        """This layer, reset_after, with the weights and dtype of PyTorch's; ValueError if it is not one plain layer."""
        if getattr(module, "mode", None) != "GRU":
            raise ValueError(f"expected PyTorch's GRU module, got {type(module).__name__}")
        if module.num_layers != 1 or module.bidirectional or not module.batch_first or not module.bias:
            raise ValueError("expected num_layers=1, bidirectional=False, batch_first=True, bias=True")
        layer = cls(module.input_size, module.hidden_size, reset_after=True, backward=backward)
        layer.to(module.weight_ih_l0)
        layer.load_state_dict({name.removesuffix("_l0"): weight for name, weight in module.state_dict().items()})
        return layer


class GRULM(nn.Module):
    """logits, state = model(token_ids, state=None): the state is a list of h (B, H), one for each layer."""

    def __init__(self, config: GRUConfig):
        super().__init__()
        self.config = c = config
        self.embedding = nn.Embedding(c.vocab_size, c.embedding_dim)
        sizes = [c.embedding_dim] + [c.hidden_size] * (c.num_layers - 1)
        self.layers = nn.ModuleList(GRULayer(size, c.hidden_size, c.reset_after, c.init, c.backward) for size in sizes)
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
            outputs = self.dropout(outputs) if self.training else outputs
            hidden = hidden + outputs if self.config.residual and hidden.shape == outputs.shape else outputs
            new_state.append(h)
        logits = self.lm_head(hidden)
        return logits.to(self.lm_head.weight.dtype), new_state  # float32 also where autocast computes in less


def detach_state(state: list[Tensor]) -> list[Tensor]:
    """The same state without its history: the next chunk goes on from it, its gradient stops here (truncated BPTT)."""
    return [h.detach() for h in state]
