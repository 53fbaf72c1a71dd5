"""From logits to text: one sampler for all six lessons.

Everything rests on the contract `logits, state = model(token_ids, state)`: read the prompt once, then feed one token at
a time with the state carried along.
"""

import math
from collections.abc import Iterator

import torch

from shared.console import LearnerError


def check_settings(temperature=1.0, top_k=None, top_p=None):
    """Raise LearnerError, naming the flag, for a value that makes no distribution."""
    if not (temperature >= 0 and math.isfinite(temperature)):
        raise LearnerError(f"--temperature {temperature}: must be 0 (always the most probable token) or above")
    if top_k is not None and top_k < 1:
        raise LearnerError(f"--top-k {top_k}: must be 1 or more")
    if top_p is not None and not 0 < top_p <= 1:
        raise LearnerError(f"--top-p {top_p}: must be above 0 and at most 1")


def filter_logits(logits, temperature=1.0, top_k=None, top_p=None):
    """(..., V) logits -> (..., V) float64 logits, -inf for what must not be drawn. Softmax gives the distribution.

    In this order: divide by the temperature (0 keeps only the largest logit); keep the top_k largest; of those, keep
    the smallest set whose probability, among those, is at least top_p (Holtzman et al. 2020), and always one. Among
    equals the lowest id comes first. The result is shifted so that its largest entry is 0; what was -inf stays so.
    Raises LearnerError as check_settings does.
    """
    check_settings(temperature, top_k, top_p)
    logits = logits.to(torch.float64)
    best = logits.max(dim=-1, keepdim=True).values
    logits = logits - best.masked_fill(best.isinf(), 0.0)
    if temperature == 0:
        top_k, top_p = 1, None
    else:
        logits = logits / temperature
    if top_k is None and top_p is None:
        return logits

    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    drop = torch.zeros_like(ordered, dtype=torch.bool)
    if top_k is not None:
        drop[..., top_k:] = True
    if top_p is not None and top_p < 1:
        probabilities = ordered.masked_fill(drop, -math.inf).softmax(dim=-1)
        before = probabilities.cumsum(dim=-1) - probabilities  # probability of all that is likelier
        drop |= before >= top_p - 1e-12  # the cumulative sum of float64 rounds at about 1e-16 a term
        drop[..., 0] = False
    return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), -math.inf)


class Sampler:
    """A model in the middle of a text: what it remembers, and what it would write next.

    read() takes tokens in, next() draws one. A drawn token is read only when the following one is asked for, and
    everything changes in one assignment after the model has answered: stopped at any moment (Ctrl-C), the sampler goes
    on exactly where it was. The settings are plain attributes and may be changed at any time.

    stateless=True drops the state before each step, so that after the prompt the model sees nothing but the last token.
    That is no way to use a model; the course shows what it does.
    """

    def __init__(
        self, model, *, temperature=1.0, top_k=None, top_p=None, greedy=False, generator=None, stateless=False,
        state=None, device="cpu",
    ):  # fmt: skip
        """generator: a torch.Generator on the CPU, or None for torch's own. device: where the model lives.

        Raises LearnerError as check_settings does.
        """
        check_settings(temperature, top_k, top_p)
        self.model, self.device, self.generator = model, device, generator
        self.temperature, self.top_k, self.top_p, self.greedy = temperature, top_k, top_p, greedy
        self.stateless = stateless
        self.state = state
        self.logits = None  # (V,) after the last token read; None before the first
        self.pending = []  # drawn, but not yet read

    def read(self, token_ids):
        """Read what is pending, then token_ids (a list of int). The model is in eval mode meanwhile."""
        token_ids = self.pending + [int(i) for i in token_ids]
        if not token_ids:
            return
        training = getattr(self.model, "training", False)
        if training:
            self.model.eval()
        try:
            with torch.inference_mode():
                inputs = torch.tensor([token_ids], dtype=torch.int64, device=self.device)  # (1, T)
                logits, state = self.model(inputs, None if self.stateless else self.state)
        finally:
            if training:
                self.model.train()
        self.logits, self.state, self.pending = logits[0, -1], state, []

    def distribution(self):
        """(V,) float64 probabilities of the next token, under the present settings.

        Raises LearnerError where the model gives none: all logits -inf (no token has a probability), or NaN.
        """
        self.read([])
        if self.logits is None:
            raise ValueError("the sampler has read nothing yet: read a prompt, or start_token(tokenizer)")
        logits = self.logits.to("cpu", torch.float64)
        if logits.isnan().any():
            raise LearnerError("the model's logits are not numbers (NaN): use a checkpoint from before it diverged")
        if logits.max() == -math.inf:
            raise LearnerError("the model gives no token any probability here: use a model with smoothing")
        temperature = 0.0 if self.greedy else self.temperature
        return filter_logits(logits, temperature, self.top_k, self.top_p).softmax(dim=-1)

    def next(self):
        """Draw the next token id."""
        drawn = torch.multinomial(self.distribution(), 1, generator=self.generator).item()
        self.pending = [drawn]
        return drawn


def generate(model, token_ids, max_new_tokens, **settings) -> Iterator[int]:
    """Yield max_new_tokens ids as they are drawn, after the prompt token_ids (a list of int, not empty).

    settings: those of Sampler. Same model, prompt, settings and generator seed: same ids. Raises LearnerError for a
    setting out of range or max_new_tokens below 1, at the call.
    """
    if max_new_tokens < 1:
        raise LearnerError(f"--length {max_new_tokens}: must be 1 or more")
    if not len(token_ids):
        raise ValueError("the prompt is empty: begin with start_token(tokenizer)")
    sampler = Sampler(model, **settings)

    def draw():
        sampler.read(token_ids)
        for _ in range(max_new_tokens):
            yield sampler.next()

    return draw()


def start_token(tokenizer):
    """The id to begin with when there is no prompt: a newline where that is one token, else 0."""
    if not tokenizer.unknown("\n"):
        ids = tokenizer.encode("\n")
        if len(ids) == 1 and tokenizer.decode(ids) == "\n":
            return ids[0]
    return 0
