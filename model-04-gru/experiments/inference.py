"""What the experiments share about using a trained network: what is handed on from one token to the next.

The weights never differ, and nothing is trained here. No experiment by itself: it writes nothing.
"""

import re
import sys
from pathlib import Path

LESSON = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LESSON))

import torch
from generate import load
from short_run import carried_loss, reset_loss
from torch import Tensor

from shared.console import LearnerError
from shared.data import load_corpus
from shared.data.tokens import Tokens
from shared.evaluation import bits_per_character
from shared.files import relative
from shared.results import read_result
from shared.runs import read_metrics
from shared.sampling import filter_logits
from shared.text_metrics import real_word_share, repetition

CARRIED, RESET = "carried", "dropped every 128 tokens"
WRONG, DROPPED = "of the wrong row", "dropped before every token"
POLICIES = (CARRIED, RESET, WRONG, DROPPED)
ALPHA = "python train.py --preset astra-alpha --out checkpoints/astra-alpha"
BATCH = 64  # texts that are read side by side
TEXTS, LENGTH, SEED = 16, 500, 1337  # how many texts are written, of so many characters


def hand_on(policy: str, state: list[Tensor] | None, position: int) -> list[Tensor] | None:
    """The state with which the token at this position is read, given the state after the token before it."""
    if state is None or policy == DROPPED or (policy == RESET and position % 128 == 0):
        return None
    if policy == WRONG:  # row i goes on from what row i - 1 remembers
        return [h.roll(1, dims=0) for h in state]
    return state


def loss_under(policy: str, model, token_ids: Tensor) -> float:
    """Nats per token over a whole text under a policy."""
    if policy == CARRIED:
        return carried_loss(model, token_ids)
    if policy == WRONG:
        return stream_loss(model, token_ids, WRONG)
    return reset_loss(model, token_ids, every={RESET: 128, DROPPED: 1}[policy])


@torch.no_grad()
def stream_loss(model, token_ids: Tensor, policy: str = CARRIED, chunk_length: int = 1) -> float:
    """Nats per token, the text read as BATCH streams, so many tokens a call; up to BATCH tokens are cut."""
    model.eval()
    length = (len(token_ids) - 1) // BATCH
    inputs = token_ids[: BATCH * length].view(BATCH, length)
    targets = token_ids[1 : BATCH * length + 1].view(BATCH, length)
    state, total = None, 0.0
    for position in range(0, length, chunk_length):
        chunk = slice(position, position + chunk_length)
        logits, state = model(inputs[:, chunk], hand_on(policy, state, position))
        log_probs = torch.log_softmax(logits.double(), dim=-1)
        total -= log_probs.gather(2, targets[:, chunk, None]).sum().item()
    return total / targets.numel()


def bits(loss: float, tokens: Tokens) -> float:
    """Nats per token of the validation split -> bits per character, which compare between tokenizers."""
    first = tokens.tokenizer.decode([int(tokens.val[0])])  # is not scored
    return bits_per_character(loss * (len(tokens.val) - 1), len(tokens.corpus.val) - len(first))


@torch.no_grad()
def write(policy: str, model, tokenizer) -> list[str]:
    """TEXTS texts, written side by side after a blank line, temperature 0.8, top-k 30, each of LENGTH characters."""
    model.eval()
    generator, drawn, state = torch.Generator().manual_seed(SEED), [], None
    read = torch.tensor([tokenizer.encode("\n\n")] * TEXTS)
    for position in range(LENGTH):  # a token is at least one character
        logits, state = model(read, hand_on(policy, state, position))
        probabilities = filter_logits(logits[:, -1], temperature=0.8, top_k=30).softmax(dim=-1)
        read = torch.multinomial(probabilities, 1, generator=generator)
        drawn.append(read)
    return [tokenizer.decode(row)[:LENGTH] for row in torch.cat(drawn, dim=1).tolist()]


def lines_in_a_turn(text: str) -> float:
    """Share of the lines that stand in a well-formed turn: SPEAKER: by itself, then speech, then a blank line."""
    blocks = [block.split("\n") for block in re.split(r"\n\n+", text.strip("\n"))]
    good = [block for block in blocks if len(block) > 1 and re.fullmatch(r"[A-Z][A-Za-z' ]*:", block[0])]
    return sum(map(len, good)) / sum(map(len, blocks))


def judge(texts: list[str], training_text: str) -> tuple[float, float, float]:
    """Of texts, taken together: share of lines in a turn, of real words, of four-word sequences that stood before."""
    text = "\n\n".join(texts)
    return lines_in_a_turn(text), real_word_share(text, training_text), repetition(text)


def load_run(checkpoint: Path) -> tuple[object, Tokens]:
    """A trained network and Tiny Shakespeare in its tokens. LearnerError if it was trained on another text."""
    model, tokenizer = load(checkpoint)
    corpus = load_corpus("shakespeare")
    if tokenizer.unknown(corpus.val):
        raise LearnerError(f"{relative(checkpoint)} was not trained on Shakespeare: type {ALPHA}")
    return model, Tokens(corpus, tokenizer, *(torch.tensor(tokenizer.encode(t)) for t in (corpus.train, corpus.val)))


def training_row(checkpoint: Path, carried: float) -> dict:
    """The evaluation (train_loss, step ...) of the run at which this checkpoint, with this loss, was saved."""
    rows = read_metrics(checkpoint.parent)
    if not rows:
        why = f"no metrics.jsonl beside {relative(checkpoint)}, so its training loss is not known"
        raise LearnerError(f"{why}: give a checkpoint in the folder of its run, or train one with {ALPHA}")
    return min(rows, key=lambda row: abs(row["val_loss"] - carried))


def bigram_loss() -> float:
    """Nats per character of lesson 01's bigram, which sees one character, as a network without a state does."""
    orders = read_result("model-01-ngram", "orders")
    return next(row for row in orders["rows"] if row[0] == 2)[orders["columns"].index("kneser-ney")]
