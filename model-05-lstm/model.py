"""Lesson 05: long short-term memory. Beside h there is now a cell c, which is only added to and scaled, unit by unit.

    input_gate  = sigmoid(W_i x_t + U_i h_{t-1} + b)     how much of the candidate is written
    forget_gate = sigmoid(W_f x_t + U_f h_{t-1} + b)     how much of the old cell stays
    candidate   = tanh(W_g x_t + U_g h_{t-1} + b)
    output_gate = sigmoid(W_o x_t + U_o h_{t-1} + b)     how much of the cell is shown
    c_t         = forget_gate * c_{t-1} + input_gate * candidate
    h_t         = output_gate * tanh(c_t)      (Hochreiter & Schmidhuber 1997; the forget gate is of Gers et al. 2000)

New against lesson 04: there one vector was both memory and output, so it had to stay within -1 and 1, and whatever a
unit kept, all others and the layer above had to look at, at every step. The LSTM separates what it remembers, c, which
may count without bound, from what it shows of it, h (docs/math/05-lstm.md).

peepholes=True lets the gates look at the cell itself, each unit at its own: input and forget gate at c_{t-1}, output
gate at c_t (Graves 2013, equations 7 to 11).

Shapes: B sequences, T tokens, V = vocab_size, C = embedding_dim, H = hidden_size, L = num_layers.
"""

import math
from dataclasses import dataclass

import torch
from bptt import Recurrence, step_without_gradient
from torch import Tensor, nn
from torch.nn.functional import linear


@dataclass
class LSTMConfig:
    vocab_size: int
    embedding_dim: int = 128
    hidden_size: int = 256
    num_layers: int = 2
    dropout: float = 0.0
    peepholes: bool = False  # the gates look at the cell, too
    forget_bias: float = 1.0  # the forget gates' bias at the start: above 0, a cell at first keeps more than it loses
    residual: bool = False  # from the second layer on, add what comes in to what goes out
    init: str = "uniform"  # or "xavier", "orthogonal"
    backward: str = "bptt"  # by hand (bptt.py), or "autograd"; peepholes always by autograd


class LSTMLayer(nn.Module):
    """outputs, state = layer(inputs, state=None): inputs (B, T, input_size) -> outputs (B, T, H), state (h, c), (B, H).

    The four lie one under another, as in PyTorch: input gate, forget gate, candidate, output gate. The peepholes, if
    there are any, are weight_cell (3, H): a number for each unit of the input, the forget and the output gate.
    """

    def __init__(
        self, input_size: int, hidden_size: int, peepholes=False, forget_bias=1.0, init="uniform", backward="bptt"
    ):
        super().__init__()
        self.hidden_size, self.peepholes = hidden_size, peepholes
        self.backward = "autograd" if peepholes else backward
        # Transposed, they lie row by row in memory: much the quicker order where one token at a time is read.
        self.weight_ih = nn.Parameter(torch.empty(input_size, 4 * hidden_size).t())
        self.weight_hh = nn.Parameter(torch.empty(hidden_size, 4 * hidden_size).t())
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))
        if peepholes:
            self.weight_cell = nn.Parameter(torch.empty(3, hidden_size))
        self.initialise(init, forget_bias)

    def initialise(self, init: str, forget_bias: float) -> None:
        """All within 1/sqrt(H), as PyTorch does ("uniform"); else W Xavier, U by the name given, biases and peepholes
        zero. Then the two biases of the forget gate, which only act as their sum, become forget_bias and zero."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(self.hidden_size), 1 / math.sqrt(self.hidden_size))
        if init != "uniform":
            for weight_ih, weight_hh in zip(self.weight_ih.chunk(4), self.weight_hh.chunk(4), strict=True):
                nn.init.xavier_uniform_(weight_ih)
                {"xavier": nn.init.xavier_uniform_, "orthogonal": nn.init.orthogonal_}[init](weight_hh)
            for parameter in (self.bias_ih, self.bias_hh, *([self.weight_cell] if self.peepholes else [])):
                nn.init.zeros_(parameter)
        nn.init.constant_(self.bias_ih.chunk(4)[1], forget_bias)
        nn.init.zeros_(self.bias_hh.chunk(4)[1])

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One time step: x (B, input_size), h, c (B, H) -> input gate, forget gate, candidate, output gate, new c."""
        x_gates = linear(x, self.weight_ih, self.bias_ih).to(h.dtype)  # autocast computes the products in less
        gates = x_gates + linear(h, self.weight_hh, self.bias_hh)
        a_input, a_forget, a_candidate, a_output = gates.chunk(4, dim=1)
        if self.peepholes:
            see_input, see_forget, see_output = self.weight_cell
            a_input, a_forget = a_input + see_input * c, a_forget + see_forget * c
        input_gate, forget_gate = torch.sigmoid(a_input), torch.sigmoid(a_forget)
        candidate = torch.tanh(a_candidate)
        c = forget_gate * c + input_gate * candidate
        output_gate = torch.sigmoid(a_output + see_output * c if self.peepholes else a_output)
        return input_gate, forget_gate, candidate, output_gate, c

    def cell(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """One time step: x (B, input_size), h, c (B, H) -> the new h and c (B, H)."""
        *_, output_gate, c = self.step(x, h, c)
        return output_gate * torch.tanh(c), c

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = self.start(inputs) if state is None else state
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        if inputs.shape[1] == 1 and not torch.is_grad_enabled() and not self.peepholes:
            h, c = step_without_gradient(inputs.squeeze(1), h, c, *weights)  # generation: as light as it can be
            return h.unsqueeze(1), (h, c)
        if self.backward == "bptt":
            outputs, h, c = Recurrence.apply(inputs, h, c, *weights)
            return outputs, (h, c)
        outputs = []
        for x in inputs.unbind(1):  # once: the gradient of each inputs[:, t] would be as large as all of inputs
            h, c = self.cell(x, h, c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h, c)

    def start(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """h and c at the start of a text: zeros."""
        zeros = inputs.new_zeros(len(inputs), self.hidden_size)
        return zeros, zeros

    def gates(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        """To look inside: input gate, forget gate, output gate, c and h at each step, each (B, T, H)."""
        (h, c), steps = self.start(inputs) if state is None else state, []
        for x in inputs.unbind(1):
            input_gate, forget_gate, _, output_gate, c = self.step(x, h, c)
            h = output_gate * torch.tanh(c)
            steps.append(torch.stack([input_gate, forget_gate, output_gate, c, h]))
        return torch.stack(steps, dim=2).unbind()

    @classmethod
    def from_torch(cls, module: nn.Module, backward: str = "bptt") -> "LSTMLayer":
        """This layer with the weights and dtype of PyTorch's; ValueError if it is not one plain layer."""
        if getattr(module, "mode", None) != "LSTM":
            raise ValueError(f"expected PyTorch's LSTM module, got {type(module).__name__}")
        if module.num_layers != 1 or module.bidirectional or not module.batch_first or not module.bias:
            raise ValueError("expected num_layers=1, bidirectional=False, batch_first=True, bias=True")
        if module.proj_size:
            raise ValueError("expected proj_size=0")
        layer = cls(module.input_size, module.hidden_size, backward=backward)
        layer.to(module.weight_ih_l0)
        layer.load_state_dict({name.removesuffix("_l0"): weight for name, weight in module.state_dict().items()})
        return layer


def drop(x: Tensor, share: float) -> Tensor:
    """Dropout (Srivastava et al. 2014): a random share of x is zero, the rest larger by as much. The same as F.dropout,
    which takes nearly twice as long to draw what it leaves out on a CPU."""
    return x * (torch.rand_like(x) > share) / (1 - share) if share else x


class LSTMLM(nn.Module):
    """logits, state = model(token_ids, state=None): the state is a list of (h, c), one pair for each layer, (B, H)."""

    def __init__(self, config: LSTMConfig):
        super().__init__()
        self.config = c = config
        self.embedding = nn.Embedding(c.vocab_size, c.embedding_dim)
        sizes = [c.embedding_dim] + [c.hidden_size] * (c.num_layers - 1)
        settings = c.hidden_size, c.peepholes, c.forget_bias, c.init, c.backward
        self.layers = nn.ModuleList(LSTMLayer(size, *settings) for size in sizes)
        self.lm_head = nn.Linear(c.hidden_size, c.vocab_size)
        nn.init.normal_(self.lm_head.weight, std=0.1)  # h is small at first; smaller, and training begins more slowly

    def forward(self, token_ids: Tensor, state: list[tuple] | None = None) -> tuple[Tensor, list[tuple]]:
        """token_ids (B, T) -> logits (B, T, V) for the token after each, and the state after the last, L x (h, c)."""
        hidden, new_state = self.embedding(token_ids), []
        for layer, h_c in zip(self.layers, state or [None] * len(self.layers), strict=True):
            outputs, h_c = layer(hidden, h_c)
            outputs = drop(outputs, self.config.dropout) if self.training else outputs
            hidden = hidden + outputs if self.config.residual and new_state else outputs
            new_state.append(h_c)
        logits = self.lm_head(hidden)
        return logits.to(self.lm_head.weight.dtype), new_state  # float32 also where autocast computes in less


def detach_state(state: list[tuple]) -> list[tuple]:
    """The same state without its history: the next chunk goes on from it, its gradient stops here (truncated BPTT)."""
    return [(h.detach(), c.detach()) for h, c in state]
