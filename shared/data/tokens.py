"""A corpus as token ids: what every train.py begins with."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from shared.console import say, warn
from shared.tokenizers import train_tokenizer

from .corpora import Corpus, load_corpus
from .large import ids_on_disk


class Tokens(NamedTuple):
    """A corpus, its tokenizer, and the token ids of its training and validation split, (N,) int64.

    Those of a large training split are an array that stays on disk, uint16 or uint32: draw from it with a loader.
    """

    corpus: Corpus
    tokenizer: object
    train: Tensor | np.memmap
    val: Tensor


def load_tokens(args, tokenizer=None, on_disk: bool = True) -> Tokens:
    """Read what the flags name (--dataset --data-dir --tokenizer --vocab-size), say so in two lines.

    tokenizer: that of a checkpoint to go on from; else one is trained on the training split. Where no dataset was asked
    for, and that of the preset (Shakespeare, if it names none) cannot be had, the built-in fables take its place, and a
    line says so. on_disk=False: of a large corpus only the beginning, in memory.
    """
    corpus = load_corpus(args.dataset or "shakespeare", args.data_dir, fallback=not args.dataset_given)
    if corpus.notice:
        warn(corpus.notice)
    file = corpus.train_file if on_disk else None
    if tokenizer is None:
        also = corpus.val
        if file and args.tokenizer in ("char", "unigram"):  # they know no character that they have not seen
            also += "".join(sorted(file.characters()))
        tokenizer = train_tokenizer(args.tokenizer, corpus.train, also=also, vocab_size=args.vocab_size)
    val = torch.tensor(tokenizer.encode(corpus.val))
    train = ids_on_disk(file, tokenizer) if file else torch.tensor(tokenizer.encode(corpus.train))
    say(f"corpus     {corpus.name}: {len(train):,} training and {len(val):,} validation tokens")
    say(f"           {corpus.source}")
    say(f"tokenizer  {tokenizer.name}, {tokenizer.vocab_size:,} tokens")
    return Tokens(corpus, tokenizer, train, val)
