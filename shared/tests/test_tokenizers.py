import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared import tokenizers as ours
from shared.console import LearnerError
from shared.tokenizers import keep_known, stream_text, tokenizer_from_dict, train_tokenizer

settings.register_profile("unhurried", deadline=None)  # first calls import and compile
settings.load_profile("unhurried")

# what breaks tokenizers: the metaspace, NUL, combining marks, CR LF, odd spaces, emoji
ODD = ["▁", "\0", "e\u0301", "\r\n", "\t", "\u00a0", "\u2028", "\ufeff", "\ufffd"]
ODD += ["👩‍👩‍👧", "ß", "İ", "你好", "\x1c", "\x85", "  "]
TEXT = " ".join(["The king said, “don't (ever) go”; the queen said: go!\n\n"] * 30 + ODD + ["the▁king", "_x_", "42"])
CHARACTERS = sorted(set(TEXT))
NAMES = ["char", "word", "bpe", "unigram"]
any_unicode = st.text(st.characters(exclude_categories=["Cs"]))
seen_text = st.lists(st.sampled_from([*CHARACTERS, *ODD, " king", "the ", "\n\n", "  "])).map("".join)


@pytest.fixture(scope="module")
def trained():
    return {name: train_tokenizer(name, TEXT, vocab_size=300, min_count=1) for name in NAMES}


@given(text=any_unicode | seen_text)
def test_bpe_gives_back_any_text(trained, text):
    bpe = trained["bpe"]
    assert bpe.unknown(text) == []
    assert bpe.decode(bpe.encode(text)) == text


@given(text=seen_text)
@pytest.mark.parametrize("name", ["char", "unigram"])
def test_seen_characters_come_back(trained, name, text):
    tokenizer = trained[name]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(text=any_unicode | st.text("ab\0 \n", max_size=50), more=st.integers(0, 5))
@example(text="aaaaaaaa", more=5)  # two that the library does not bear: one piece, and no room beside the characters
@example(text="aba", more=0)
@pytest.mark.parametrize("name", ["char", "unigram"])
def test_trained_on_any_text_gives_it_back(name, text, more):
    if text:
        tokenizer = train_tokenizer(name, text, vocab_size=len(set(text)) + more)
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert tokenizer.vocab_size <= len(set(text)) + more


@given(text=any_unicode | seen_text, lowercase=st.booleans())
def test_word_gives_back_what_it_was_trained_on(text, lowercase):
    if text:
        word = train_tokenizer("word", text, min_count=1, lowercase=lowercase)
        ids = word.encode(text)
        assert word.unk_id not in ids
        assert word.decode(ids) == (text.lower() if lowercase else text)


@given(words=st.lists(st.sampled_from(["The", "king", "don't", ",", "(", " ", "  ", "\n", "\t", "“", "42"])))
def test_word_gives_back_any_arrangement_of_seen_words(trained, words):
    text = "".join(words)
    word = trained["word"]
    ids = word.encode(text)
    if word.unk_id not in ids:  # "kingking" is a word of its own
        assert word.decode(ids) == text


def test_word_tokens_are_the_classic_ones(trained):
    word = trained["word"]
    ids = word.encode("The king said, don't go!\n")
    assert [word.token_text(i) for i in ids] == ["The", "king", "said", ",", "don't", "go", "!", "\\n"]
    assert [word.token_text(i) for i in word.encode("(ever")] == ["(", "<join>", "ever"]
    assert word.decode(word.encode("the zebra said")) == "the <unk> said"


def test_word_min_count_and_lower_case():
    word = train_tokenizer("word", "Once twice Twice.\n", min_count=2, lowercase=True)
    assert word.words == ["<unk>", "<join>", " ", "twice"]
    assert word.decode(word.encode("TWICE once")) == "twice <unk>"
    assert not word.lossless


@given(text=any_unicode | seen_text)
@pytest.mark.parametrize("name", NAMES)
def test_unknown_is_exactly_what_encode_refuses(trained, name, text):
    tokenizer = trained[name]
    unknown = tokenizer.unknown(text)
    kept, left_out = keep_known(tokenizer, text)
    assert left_out == unknown and not set(kept) & set(unknown)
    tokenizer.encode(kept)
    if unknown:
        with pytest.raises(ValueError, match="position"):
            tokenizer.encode(text)


@pytest.mark.parametrize("name", ["char", "unigram"])
def test_unknown_character_is_named_with_its_position(trained, name):
    with pytest.raises(LearnerError, match=r"'☃' \(position 3\)"):
        trained[name].encode("The☃")


def test_lone_surrogates():
    bpe = train_tokenizer("bpe", "abc", vocab_size=256)
    assert bpe.unknown("a\ud800b\udfff") == ["\ud800", "\udfff"]
    with pytest.raises(ValueError, match="position 1"):
        bpe.encode("a\ud800b")
    with pytest.raises(LearnerError):
        train_tokenizer("unigram", "a\ud800b")
    char = train_tokenizer("char", "a\ud800\udfff")
    assert char.decode(char.encode("\ud800\udfffa")) == "\ud800\udfffa"


@given(text=any_unicode | seen_text)
@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_blocks_do_not_change_the_ids(trained, name, text):
    tokenizer = trained[name]
    text, _ = keep_known(tokenizer, text)
    blocks = list(ours._blocks(text, size=1))
    assert "".join(blocks) == text
    assert [i for block in blocks for i in tokenizer.encode(block)] == tokenizer.encode(text)


def test_long_text_is_cut_into_blocks():
    assert len(list(ours._blocks(TEXT * 100, size=5000))) > 20


@given(data=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_stream_adds_up_to_decode(trained, name, data):
    tokenizer = trained[name]
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1)))
    assert "".join(stream_text(tokenizer, iter(ids))) == tokenizer.decode(ids)
    if name != "bpe" and ids:
        rest = "".join(stream_text(tokenizer, ids[1:], previous=ids[0]))
        assert tokenizer.decode(ids[:1]) + rest == tokenizer.decode(ids)


def test_stream_holds_back_half_a_character():
    bpe = train_tokenizer("bpe", "abc", vocab_size=256)
    pieces = list(stream_text(bpe, bpe.encode("a€")))
    assert pieces == ["a", "", "", "€", ""]


@pytest.mark.parametrize("name", NAMES)
def test_dict_is_json_and_safe_in_a_checkpoint(trained, name):
    tokenizer = trained[name]
    file = io.BytesIO()
    torch.save(tokenizer.to_dict(), file)
    file.seek(0)
    for d in (json.loads(json.dumps(tokenizer.to_dict())), torch.load(file, weights_only=True)):
        again = tokenizer_from_dict(d)
        assert (again.name, again.vocab_size, again.lossless) == (name, tokenizer.vocab_size, tokenizer.lossless)
        assert again.encode(TEXT) == tokenizer.encode(TEXT)
        assert again.to_dict() == tokenizer.to_dict()


@pytest.mark.parametrize("name", NAMES)
def test_every_id_is_below_vocab_size_and_readable(trained, name):
    tokenizer = trained[name]
    assert 0 <= min(tokenizer.encode(TEXT)) and max(tokenizer.encode(TEXT)) < tokenizer.vocab_size
    texts = [tokenizer.token_text(i) for i in range(tokenizer.vocab_size)]
    assert all(text.isprintable() and text and " " not in text for text in texts)
    assert tokenizer.encode("") == [] and tokenizer.decode([]) == ""
    assert tokenizer.decode(torch.tensor(tokenizer.encode("The king"))) == "The king"


def many_words(count):
    consonants, vowels = "bcdfghjklmnpqrstvwxyz", "aeiou"
    syllables = [c + v for c in consonants for v in vowels]
    return " ".join(syllables[i % 105] + syllables[i * i % 101] + syllables[i // 7 % 105] for i in range(count))


def test_unigram_words_carry_the_space_before_them_and_newlines_stand_alone():
    words = many_words(3000)
    unigram = train_tokenizer("unigram", words + "\n" + words.replace(" ", "\n"), vocab_size=400)
    texts = [unigram.decode([i]) for i in range(unigram.vocab_size)]
    assert any(text[0] == " " and len(text) > 1 for text in texts)
    assert not [text for text in texts if len(text) > 1 and ("\n" in text or " " in text[1:])]


@pytest.mark.parametrize(("name", "size"), [("bpe", 256), ("bpe", 700), ("unigram", 30), ("unigram", 500)])
def test_vocab_size_is_exact(name, size):
    assert train_tokenizer(name, many_words(6000), vocab_size=size).vocab_size == size


@pytest.mark.parametrize(("name", "size"), [("bpe", 255), ("unigram", 3)])
def test_vocab_size_too_small(name, size):
    with pytest.raises(LearnerError, match=f"--vocab-size {size}"):
        train_tokenizer(name, "one two three", vocab_size=size)


def test_training_is_the_same_in_every_process():
    text = many_words(2000) + TEXT * 3
    script = (
        "import json, sys; from shared.tokenizers import train_tokenizer; text = sys.stdin.buffer.read().decode()\n"
        "print(json.dumps([train_tokenizer(n, text, vocab_size=400).to_dict() for n in ('word', 'bpe', 'unigram')]))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, env=environment, input=text.encode(), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    here = [train_tokenizer(name, text, vocab_size=400).to_dict() for name in ("word", "bpe", "unigram")]
    assert json.loads(run.stdout) == here


@pytest.mark.parametrize("name", ["char", "unigram"])
def test_characters_of_another_text_can_be_asked_for(name):
    tokenizer = train_tokenizer(name, many_words(500), vocab_size=100, also="Ω ▁!")
    assert tokenizer.decode(tokenizer.encode("bebe Ω▁!")) == "bebe Ω▁!"
    assert tokenizer.unknown("é") == ["é"]


def test_wrong_names_and_empty_text():
    with pytest.raises(LearnerError, match="unigram"):
        train_tokenizer("unigrams", "abc")
    with pytest.raises(LearnerError, match="char"):
        tokenizer_from_dict({"name": "chars"})
    with pytest.raises(LearnerError, match="empty"):
        train_tokenizer("char", "")
