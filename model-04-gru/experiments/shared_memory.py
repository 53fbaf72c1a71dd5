"""One memory shared by all layers, against one for each: the bug that one writes first.

    python experiments/shared_memory.py                  three minutes
    python experiments/shared_memory.py --steps 100      short runs: to see what it does, not to believe it

`for layer in layers: hidden, h = layer(hidden, h)` runs, learns, and is wrong. Two layers of 128, equal weights and
budget (600 steps, one seed), in three ways:

- one h for each layer, as in model.py;
- one h through both layers, token by token: h goes up the layers, and on from the last layer to the next token;
- one h through both layers, chunk by chunk: the second layer begins with what the first one knows *after* the chunk,
  that is, of the very characters that it is to predict. Whether training can make use of that leak, the table shows.

Read in chunks of 64 characters, as in training, and token by token, as in writing. A sound model gives the same number
twice (chunk invariance): that, and not the training loss, shows which network can be used.
"""

import argparse

import torch
from inference import stream_loss
from model import GRULM
from short_run import LESSON, SETTINGS, at_the_end, new_model, parameters, shakespeare, train

from shared.console import positive_int, run
from shared.results import Result
from shared.visualize import plot_lines

STEPS, LAYERS, SMOOTH = 600, 2, 20


class ByChunk(GRULM):
    """One h: what a layer knows after all the tokens that it was given is where the next layer begins."""

    def forward(self, token_ids, state=None):
        hidden, h = self.embedding(token_ids), state[0] if state else None
        for layer in self.layers:
            hidden, h = layer(hidden, h)
        return self.lm_head(hidden), [h]


class ByToken(ByChunk):
    """The same, one token at a time: nothing is known before it was read."""

    def forward(self, token_ids, state=None):
        logits = []
        for token in token_ids.split(1, dim=1):
            predicted, state = super().forward(token, state)
            logits.append(predicted)
        return torch.cat(logits, dim=1), state


WAYS = {"one for each layer": GRULM, "one for all, token by token": ByToken, "one for all, chunk by chunk": ByChunk}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=positive_int, default=STEPS, help="of each training (%(default)s)")
    steps = parser.parse_args().steps
    tokens, length = shakespeare(), SETTINGS["chunk_length"]
    columns = ["memory", "parameters", "training loss"]
    columns += [f"validation loss, read in chunks of {length}", "token by token"]
    result, lines = Result(LESSON, "shared_memory", columns, SETTINGS["seed"]), {}
    for name, kind in WAYS.items():
        changes = {"num_layers": LAYERS, "steps": steps}
        model = new_model(tokens, kind, **changes)
        losses = train(model, tokens, **changes)
        read = [stream_loss(model, tokens.val, chunk_length=chunk) for chunk in (length, 1)]
        result.add(name, parameters(model), at_the_end(losses), *read)
        means = [sum(losses[i : i + SMOOTH]) / SMOOTH for i in range(0, len(losses) - SMOOTH + 1, SMOOTH)]
        lines[name] = ([SMOOTH * (i + 1) for i in range(len(means))], means)
    plot_lines(result.path(".png"), lines, "Training loss: which of these networks can be used?", "step",
               "nats per character")  # fmt: skip
    result.save(steps=steps)


if __name__ == "__main__":
    run(main)
