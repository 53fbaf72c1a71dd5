"""A corpus as token ids: what every train.py begins with."""

from typing import NamedTuple

import torch
from torch import Tensor

from shared.console import say, warn
from shared.tokenizers import train_tokenizer

from .corpora import Corpus, load_corpus


class Tokens(NamedTuple):
    """A corpus, its tokenizer, and the token ids of its training and validation split, (N,) int64."""

    corpus: Corpus
    tokenizer: object
    train: Tensor
    val: Tensor


def load_tokens(args, tokenizer=None) -> Tokens:
    """Read what the flags name (--dataset --data-dir --tokenizer --vocab-size), say so in two lines.

    tokenizer: that of a checkpoint to go on from; else one is trained on the training split. Where no dataset was asked
    for, and that of the preset (Shakespeare, if it names none) cannot be had, the built-in fables take its place, and a
    line says so.
    """
    corpus = load_corpus(args.dataset or "shakespeare", args.data_dir, fallback=not args.dataset_given)
    if corpus.notice:
        warn(corpus.notice)
    if tokenizer is None:
        tokenizer = train_tokenizer(args.tokenizer, corpus.train, also=corpus.val, vocab_size=args.vocab_size)
    train, val = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
    say(f"corpus     {corpus.name}: {len(train):,} training and {len(val):,} validation tokens")
    say(f"           {corpus.source}")
    say(f"tokenizer  {tokenizer.name}, {tokenizer.vocab_size:,} tokens")
    return Tokens(corpus, tokenizer, train, val)
