"""Data: corpora, sentence pairs, and how they become batches."""

from .corpora import NAMES, Corpus, load_corpus
from .pairs import Pairs, load_pairs

__all__ = ["NAMES", "Corpus", "Pairs", "load_corpus", "load_pairs"]
