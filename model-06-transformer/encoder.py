"""The encoder-only Transformer: the blocks of model.py, which here look both ways, and BERT's task for them.

    To be, or not _o be        some tokens are masked, and the model says what stood there, from both sides

Devlin et al. 2019, section 3.1, task 1. A token that sees the text on both sides of it also sees the answer to "what
comes next?", through any neighbour. So another question is asked: 15 % of the tokens are chosen, and

    80 % of these are replaced by a mask, a token of its own    the loss is that of the chosen ones alone,
    10 % by any token, 10 % stay as they are                    given everything that is left

(A model that saw masks only would learn nothing about the tokens themselves, and a text to be read has no masks.)

It is not a language model. It gives no probability of a text, for P(this | all others) are not factors of one; it
cannot write on; and there is no state to carry, since what comes later changes what was said of the earlier.

Shapes: B texts, T tokens, V = vocab_size, without the two tokens of the encoder's own: mask_id = V, pad_id = V + 1.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from model import TransformerConfig, TransformerLM
from torch import Tensor, nn

from shared.console import LearnerError
from shared.files import relative
from shared.runs import load_checkpoint
from shared.tokenizers import tokenizer_from_dict

LESSON = Path(__file__).resolve().parent
IGNORED = -100  # a target that cross_entropy leaves out
SHORT = 0.1  # of the training texts are shorter than context_length, so that short ones are known, too (as in BERT)


@dataclass
class EncoderConfig(TransformerConfig):
    masked: float = 0.15  # share of the tokens that are to be told

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.masked < 1:
            raise LearnerError(f"--masked {self.masked}: must be above 0 and below 1")


class TransformerEncoder(nn.Module):
    """logits, _ = encoder(token_ids): (B, T) -> (B, T, V), what stands at each place. T <= context_length.

    Called as a language model is, so that train.py's step serves it; None takes the place of a state. Texts shorter
    than others have pad_id behind them, which no token sees.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.mask_id, self.pad_id = config.vocab_size, config.vocab_size + 1
        # embedding, positions, blocks, norm and lm_head of model.py; only what is done with them differs
        self.transformer = TransformerLM(replace(config, vocab_size=config.vocab_size + 2))

    def forward(self, token_ids: Tensor) -> tuple[Tensor, None]:
        x, rotation = self.transformer.embed(token_ids, token_ids[:, :0])
        for block in self.transformer.blocks:
            x, _ = block(x, causal=False, mask=token_ids != self.pad_id, rotation=rotation)
        logits = self.transformer.lm_head(self.transformer.norm(x))[..., : self.config.vocab_size]
        return logits.to(self.transformer.lm_head.weight.dtype), None


def corrupt(token_ids: Tensor, config: EncoderConfig, generator: torch.Generator | None = None):
    """Texts (B, T) -> what the encoder gets to read (B, T), and the targets (B, T), IGNORED where none was chosen.

    A tenth of the texts are cut to a random length. Of each text a share of config.masked is chosen, one token or more.
    """
    (B, T), V = token_ids.shape, config.vocab_size
    lengths = torch.randint(1, T + 1, (B, 1), generator=generator)
    lengths = torch.where(torch.rand(B, 1, generator=generator) < SHORT, lengths, T)
    inside = torch.arange(T) < lengths
    order = torch.rand(B, T, generator=generator).masked_fill(~inside, 2.0).argsort(dim=1).argsort(dim=1)
    chosen = order < (config.masked * lengths).round().clamp(min=1)
    fate, any_token = torch.rand(B, T, generator=generator), torch.randint(V, (B, T), generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), V, token_ids)  # mask_id
    inputs = torch.where(chosen & (fate >= 0.9), any_token, inputs)
    return torch.where(inside, inputs, V + 1), torch.where(chosen, token_ids, IGNORED)  # pad_id


@torch.no_grad()
def fill(model: TransformerEncoder, token_ids: Tensor, places: Tensor, alone: bool = False) -> Tensor:
    """What may stand at some places (P,), one or more, of a text (N,)? Log-probabilities (P, V), float64, on the CPU.

    All the places are masked, and each is told from both sides, for itself; alone=True masks one place at a time. Of a
    text longer than context_length each place sees the window around it.
    """
    n, device = min(model.config.context_length, len(token_ids)), next(model.parameters()).device
    text = token_ids.clone()
    text[places] = model.mask_id
    training, found = model.training, []
    model.eval()
    for some in places.split(max(1, 2048 // n)):
        starts = (some - n // 2).clamp(0, len(token_ids) - n)
        rows, inside = torch.arange(len(some)), some - starts
        windows = (token_ids if alone else text)[starts[:, None] + torch.arange(n)]
        windows[rows, inside] = model.mask_id
        logits = model(windows.to(device))[0].cpu()[rows, inside]
        found.append(logits.double().log_softmax(dim=-1))
    model.train(training)
    return torch.cat(found)


def load_encoder(path: Path):
    """The encoder and its tokenizer, from a checkpoint that train_encoder.py wrote."""
    if not path.exists():
        script = relative(LESSON / "train_encoder.py")
        raise LearnerError(f"no checkpoint at {relative(path)}: train first (python {script}) or give --checkpoint")
    checkpoint = load_checkpoint(path, LESSON.name, EncoderConfig)
    model = TransformerEncoder(EncoderConfig(**checkpoint["config"]))
    model.load_state_dict(checkpoint["weights"])
    return model.eval(), tokenizer_from_dict(checkpoint["tokenizer"])
