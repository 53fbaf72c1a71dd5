"""Sentence pairs as ids and as batches: nothing is lost, little is padded, and a loader goes on where it stopped."""

import random
from itertools import pairwise

import pytest
import torch

from shared.console import LearnerError
from shared.data.sentence_pairs import BEGIN, END, PAD, SPECIAL, Languages, PairBatches, collate


@pytest.mark.parametrize("name", ["word", "bpe", "unigram"])
def test_languages_come_back_from_a_checkpoint(name):
    pairs = [("Ein Hund, der bellt.", "A dog that barks."), ("Ein Hund bellt.", "A dog barks.")] * 3
    languages = Languages.train(name, pairs, vocab_size=300, min_count=1)
    again = Languages.from_dict(languages.to_dict())
    for source, target in pairs:
        ids = again.source.encode(f"  {source.replace(' ', '  ')} ")
        assert ids == languages.source.encode(source) and ids[-1] == END
        assert again.source.decode(ids) == source and again.target.decode(again.target.encode(target)) == target
        assert len(again.source.pieces(source)) == len(ids) and again.source.pieces(source)[-1] == "<end>"
        assert min(ids[:-1]) >= SPECIAL and max(ids) < again.source.vocab_size


def test_rare_words_become_unk_and_pieces_keep_them():
    languages = Languages.train("word", [("a a b", "x x y"), ("a c", "x z")], vocab_size=9, min_count=2)
    source = languages.source
    assert [i == source.unk_id for i in source.encode("a b q.")] == [False, True, True, True, False]
    assert source.pieces("a b q.") == ["a", "b", "q", ".", "<end>"]


def test_joint_languages_are_one():
    pairs = [("ein Hund bellt", "a dog barks"), ("ein Hund", "a dog")]
    languages = Languages.train("word", pairs, vocab_size=0, min_count=1, joint=True)
    again = Languages.from_dict(languages.to_dict())
    for source, target in (languages, again):
        assert source.vocab_size == target.vocab_size
        for sentence in ("ein Hund bellt", "a dog barks"):
            ids = source.encode(sentence)
            assert ids == target.encode(sentence) and source.unk_id not in ids


def test_batches_hold_every_pair_once_a_pass_with_little_padding():
    draw = random.Random(11)
    rows = [[i % 300 + 3] * draw.randint(1, 30) + [END] for i in range(700)]
    loader = PairBatches([(row, row) for row in rows], 16, seed=5)
    passes = [[next(loader) for _ in range(loader.steps_per_epoch)] for _ in range(2)]
    for batches in passes:
        assert sorted(i.tolist() for b in batches for i in b.targets[:, 0]) == sorted(row[0] for row in rows)
        places, tokens = sum(b.targets.numel() for b in batches), sum(b.tokens for b in batches)
        assert tokens == sum(map(len, rows)) and places < 1.1 * tokens
    assert passes[0][0].source.tolist() != passes[1][0].source.tolist()
    widths = [b.targets.shape[1] for b in passes[0]]
    assert any(a > b for a, b in pairwise(widths)) and any(a < b for a, b in pairwise(widths))


def test_batches_go_on_where_they_stopped():
    pairs = [([i, END], [i, END]) for i in range(3, 103)]
    loader, again = (PairBatches(pairs, 8, seed=2) for _ in range(2))
    for _ in range(20):  # into the second pass
        next(loader)
    again.load_state_dict(loader.state_dict())
    for _ in range(15):
        assert all(torch.equal(a, b) for a, b in zip(next(loader), next(again), strict=True))
    with pytest.raises(LearnerError, match="batch_size"):
        PairBatches(pairs, 4, seed=2).load_state_dict(loader.state_dict())


def test_the_decoder_reads_one_token_behind_what_it_says():
    batch = collate([([7, END], [4, 5, END]), ([8, 9, END], [6, END])])
    assert batch.inputs.tolist() == [[BEGIN, 4, 5], [BEGIN, 6, PAD]]
    assert batch.targets.tolist() == [[4, 5, END], [6, END, PAD]]
    assert batch.lengths.tolist() == [2, 3] and batch.tokens == 5
