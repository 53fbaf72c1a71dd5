"""Train the LSTM that looks back at its own past (attention.py), in the way of train.py, into checkpoints/attention.

    python train_attention.py                       as many parameters as train.py's default, dot-product attention
    python train_attention.py --attention additive  the other kind; dearer, since every pair costs a row of sigmoids
    python train_attention.py --preset quick        half a minute
    python train_attention.py --preset ladder --out checkpoints/attention-ladder-dot
    python generate.py --checkpoint checkpoints/attention/best.pt

The presets are those of train.py but for what stands here. As there, a gradient goes back to the start of the chunk;
the keys and values of the chunks before it are looked at, too, but they are given.
"""

from functools import partial

import train
from attention import LSTMAttentionConfig, LSTMAttentionLM

from shared.console import run

OWN = {"expected": None}  # what a preset of train.py is expected to reach is not what this one is
PRESETS = {  # hidden_size: such that there are about as many parameters as in train.py's preset, and not more
    "default": train.PRESETS["default"] | OWN | {"embedding_dim": 296, "hidden_size": 296},
    "quick": train.PRESETS["quick"] | OWN | {"hidden_size": 215},
    "ladder": train.PRESETS["ladder"] | OWN | {"hidden_size": 110, "attention_size": 32, "context_length": 256},
}

main = partial(train.main, LSTMAttentionLM, LSTMAttentionConfig, PRESETS, train.LESSON / "checkpoints" / "attention",
               __doc__)  # fmt: skip

if __name__ == "__main__":
    run(main)
