"""Sentence pairs as token ids, and batches of them with little padding.

Each language has a tokenizer of its own (shared.tokenizers) and three special ids before that one's: padding, the
beginning of a sentence, and its end. Source and target both close with the end. B sentences, S and T tokens.
"""

import random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from shared.console import LearnerError
from shared.tokenizers import WordTokenizer, keep_known, tokenizer_from_dict, train_tokenizer

PAD, BEGIN, END = range(3)
SPECIAL = 3


class Language:
    """The tokens of one side: ids 0 to 2 are padding, beginning and end, the tokenizer's own come after them."""

    def __init__(self, tokenizer):
        self.tokenizer, self.vocab_size = tokenizer, SPECIAL + tokenizer.vocab_size
        self.unk_id = SPECIAL + tokenizer.unk_id if tokenizer.name == "word" else None

    def encode(self, sentence: str) -> list[int]:
        """The ids of a sentence, and the end. Characters for which there is no token are left out."""
        known, _ = keep_known(self.tokenizer, clean(sentence))
        return [SPECIAL + i for i in self.tokenizer.encode(known)] + [END]

    def decode(self, ids: list[int]) -> str:
        """The text of ids, on one line, without the special ones."""
        return clean(self.tokenizer.decode([i - SPECIAL for i in ids if i >= SPECIAL]))

    def pieces(self, sentence: str) -> list[str]:
        """The text of each token of encode(sentence); unknown words as they stand in it, the end as <end>."""
        if self.tokenizer.name == "word":
            own = WordTokenizer.train(clean(sentence), min_count=1)  # knows every word
            return [own.token_text(i) for i in own.encode(clean(sentence))] + ["<end>"]
        return [self.token_text(i) for i in self.encode(sentence)]

    def token_text(self, i: int) -> str:
        """One token as a human reads it."""
        return ("<pad>", "<begin>", "<end>")[i] if i < SPECIAL else self.tokenizer.token_text(i - SPECIAL)


class Languages(NamedTuple):
    """Both sides. Goes into a checkpoint where other lessons put their tokenizer."""

    source: Language
    target: Language

    @property
    def name(self) -> str:
        return self.source.tokenizer.name

    def encode(self, pairs: list[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """Pairs of sentences -> pairs of ids."""
        return [(self.source.encode(source), self.target.encode(target)) for source, target in pairs]

    def to_dict(self) -> dict:
        return {"source": self.source.tokenizer.to_dict(), "target": self.target.tokenizer.to_dict()}

    @classmethod
    def from_dict(cls, d: dict) -> "Languages":
        return cls(*(Language(tokenizer_from_dict(d[side])) for side in ("source", "target")))

    @classmethod
    def train(cls, name: str, pairs: list[tuple[str, str]], vocab_size: int, min_count: int, joint: bool = False):
        """A tokenizer for each side, from the training pairs; min_count is for words, vocab_size for subwords.

        joint: one tokenizer for both sides, from both.
        """
        texts = ["\n".join(map(clean, side)) for side in zip(*pairs, strict=True)]
        if joint:
            language = Language(train_tokenizer(name, "\n".join(texts), vocab_size, min_count))
            return cls(language, language)
        return cls(*(Language(train_tokenizer(name, text, vocab_size, min_count)) for text in texts))


def clean(sentence: str) -> str:
    """The sentence with single spaces, and none at its ends."""
    return " ".join(sentence.split())


class Batch(NamedTuple):
    """Sentence pairs, padded. The decoder reads `inputs` and is to say `targets`, which is one token ahead."""

    source: Tensor  # (B, S) int64
    lengths: Tensor  # (B,) int64, tokens in each source
    inputs: Tensor  # (B, T) int64, BEGIN first
    targets: Tensor  # (B, T) int64, END last

    @property
    def tokens(self) -> int:
        """Target tokens, without padding: those that are scored."""
        return int((self.targets != PAD).sum())

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(part.to(device) for part in self))


def collate(pairs: list[tuple[list[int], list[int]]]) -> Batch:
    """Pairs of ids -> a batch."""
    source, lengths = collate_source([source for source, _ in pairs])
    targets = pad([target for _, target in pairs])
    inputs = pad([[BEGIN, *target[:-1]] for _, target in pairs])
    return Batch(source, lengths, inputs, targets)


def collate_source(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows of ids -> padded (B, S), and their lengths (B,)."""
    return pad(rows), torch.tensor([len(row) for row in rows])


def pad(rows: list[list[int]]) -> Tensor:
    """Rows of ids -> (B, longest) int64, PAD behind the shorter ones."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


class PairBatches:
    """Batches of pairs without end. Each pass is in a new order, in which pairs of like lengths meet.

    A pass shuffles all pairs, sorts every POOL batches of them by length, cuts batches, and shuffles those. All follows
    from the seed and the pass, so the position is two numbers, and a resumed run sees the batches it would have seen.
    """

    POOL = 50

    def __init__(self, pairs: list[tuple[list[int], list[int]]], batch_size: int, seed: int = 0):
        if not pairs:
            raise LearnerError("there are no pairs to train on")
        self.pairs, self.batch_size, self.seed = pairs, batch_size, seed
        self.epoch, self.step = 0, 0  # of the next batch
        self.order = self.batches(0)
        self.steps_per_epoch = len(self.order)

    def batches(self, epoch: int) -> list[list[int]]:
        """The batches of a pass, as positions of their pairs."""
        draw, places, batches = random.Random(f"{self.seed} {epoch}"), list(range(len(self.pairs))), []
        draw.shuffle(places)
        for start in range(0, len(places), self.POOL * self.batch_size):
            pool = sorted(places[start : start + self.POOL * self.batch_size], key=self.lengths)
            batches += [pool[i : i + self.batch_size] for i in range(0, len(pool), self.batch_size)]
        draw.shuffle(batches)
        return batches

    def lengths(self, place: int) -> tuple[int, int]:
        """Target and source tokens of a pair."""
        source, target = self.pairs[place]
        return len(target), len(source)

    def __iter__(self):
        return self

    def __next__(self) -> Batch:
        batch = collate([self.pairs[place] for place in self.order[self.step]])
        self.step += 1
        if self.step == self.steps_per_epoch:
            self.epoch, self.step = self.epoch + 1, 0
            self.order = self.batches(self.epoch)
        return batch

    def typical(self) -> Batch:
        """A full batch whose sentences are of middling length: one step's time is measured on it."""
        places = sorted(range(len(self.pairs)), key=self.lengths)
        start = max(0, (len(places) - self.batch_size) // 2)
        return collate([self.pairs[place] for place in places[start : start + self.batch_size]])

    def _made_of(self) -> dict:
        return {"pairs": len(self.pairs), "batch_size": self.batch_size, "seed": self.seed}

    def state_dict(self) -> dict:
        return self._made_of() | {"epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there. Raises LearnerError if that loader had other pairs, batch size or seed."""
        for key, value in self._made_of().items():
            if state.get(key) != value:
                raise LearnerError(f"cannot go on in the data: its {key} was {state.get(key)}, now it is {value}; use "
                                   "the same, or start anew without --resume")  # fmt: skip
        self.epoch, self.step = state["epoch"], state["step"]
        self.order = self.batches(self.epoch)
