"""Four ways to cut text into tokens, behind one small interface.

    tokenizer.name          "char", "word", "bpe" or "unigram"
    tokenizer.vocab_size    number of token ids; ids are 0 ... vocab_size - 1
    tokenizer.lossless      True where decode(encode(text)) == text for everything that can be encoded
    tokenizer.encode(text)  list of ids; UnknownCharacter where a character has no token
    tokenizer.decode(ids)   text
    tokenizer.token_text(id)  one token as a human reads it: a space is shown as ␣, a newline as \\n
    tokenizer.unknown(text) the distinct characters of text that cannot be encoded, in order
    tokenizer.to_dict(), from_dict(d)   plain data, which goes into the checkpoint

BPE and Unigram are trained by Hugging Face `tokenizers` (which is not this module: ours is `shared.tokenizers`).
"""

import codecs
import json
import re
from collections import Counter

import numpy as np

from shared.console import LearnerError, nearest

SURROGATES = re.compile("[\ud800-\udfff]")  # halves of a UTF-16 pair: legal in a Python string, not in UTF-8


class UnknownCharacter(LearnerError, ValueError):
    """encode() met a character for which there is no token."""

    def __init__(self, character, position):
        where = f"{character!r} (position {position})"
        super().__init__(f"the tokenizer has never seen {where}: take it out, or train on a text that has it")


class _Tokenizer:
    """to_dict() gives the arguments of __init__, and the name."""

    @classmethod
    def from_dict(cls, d):
        return cls(**{key: value for key, value in d.items() if key != "name"})


class CharTokenizer(_Tokenizer):
    """One token per character; ids follow the order of the code points."""

    name = "char"
    lossless = True

    def __init__(self, characters):
        self.characters = list(characters)
        self.vocab_size = len(self.characters)
        self._codes = np.array([ord(c) for c in self.characters], dtype=np.uint32)
        self._ids = np.full(0x110000, -1, dtype=np.int32)  # code point -> id
        self._ids[self._codes] = np.arange(self.vocab_size)

    @classmethod
    def train(cls, text):
        return cls(sorted(set(text)))

    def encode(self, text):
        ids = self._ids[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")]
        if (ids < 0).any():
            position = int(np.argmax(ids < 0))
            raise UnknownCharacter(text[position], position)
        return ids.tolist()

    def decode(self, ids):
        codes = self._codes[np.array([int(i) for i in ids], dtype=np.int64)]
        return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")

    def token_text(self, id):
        return _visible(self.characters[id])

    def unknown(self, text):
        return [c for c in dict.fromkeys(text) if self._ids[ord(c)] < 0]

    def to_dict(self):
        return {"name": self.name, "characters": self.characters}


UNK, JOIN = "<unk>", "<join>"


class WordTokenizer(_Tokenizer):
    """Words, with every other character (punctuation, newline, tab) a token of its own.

    The space before a word is implied: `decode` writes it unless the token before is white space or there is none.
    Where the text departs from that, the tokenizer says so: an explicit " " token is a space that the rule would not
    write, "<join>" takes away one that it would. So text made of known words comes back exactly (lower-cased, if so
    asked). Anything seen less than `min_count` times becomes <unk>; hence `lossless` is False.
    """

    name = "word"
    lossless = False
    _pieces = re.compile(r" ?\w+(?:['’]\w+)*|\s|[^\w\s]")

    def __init__(self, words, lowercase=False):
        self.words = list(words)
        self.lowercase = lowercase
        self.vocab_size = len(self.words)
        self._ids = {word: i for i, word in enumerate(self.words)}
        self.unk_id = self._ids[UNK]

    @classmethod
    def train(cls, text, min_count=2, lowercase=False):
        counts = Counter(cls._split(text.lower() if lowercase else text))
        kept = [w for w in counts if counts[w] >= min_count and w not in (JOIN, " ")]
        kept.sort(key=lambda w: (-counts[w], w))
        return cls([UNK, JOIN, " "] + kept, lowercase)

    @classmethod
    def _split(cls, text):
        tokens = []
        for piece in cls._pieces.findall(text):
            word = piece[1:] if len(piece) > 1 and piece[0] == " " else piece
            if _is_word(word):
                implied = bool(tokens) and not tokens[-1].isspace()
                if implied != (word != piece):
                    tokens.append(JOIN if implied else " ")
            tokens.append(word)
        return tokens

    def encode(self, text):
        return [self._ids.get(t, self.unk_id) for t in self._split(text.lower() if self.lowercase else text)]

    def decode(self, ids):
        parts = []
        before = "\n"
        for token in (self.words[int(i)] for i in ids):
            if (_is_word(token) or token == UNK) and not before.isspace() and before != JOIN:
                parts.append(" ")
            if token != JOIN:
                parts.append(token)
            before = token
        return "".join(parts)

    def token_text(self, id):
        return _visible(self.words[id])

    def unknown(self, text):
        return []  # whatever was not seen becomes <unk>

    def to_dict(self):
        return {"name": self.name, "words": self.words, "lowercase": self.lowercase}


def _is_word(token):
    return token[0].isalnum() or token[0] == "_"


class BPETokenizer(_Tokenizer):
    """Byte-level byte-pair encoding (Sennrich et al. 2016; on bytes, with its regular expression, as in GPT-2, 2019).

    The 256 bytes are all in the vocabulary, so every text can be encoded and comes back exactly. The only strings it
    refuses are those that have no UTF-8 form: lone surrogates.
    """

    name = "bpe"
    lossless = True

    def __init__(self, library):
        from tokenizers import Tokenizer

        self._library = Tokenizer.from_str(library)  # the library's own JSON
        self.vocab_size = self._library.get_vocab_size()
        byte_of = {character: byte for byte, character in enumerate(_byte_characters())}
        tokens = [self._library.id_to_token(i) for i in range(self.vocab_size)]
        self._bytes = [bytes(byte_of[c] for c in token) for token in tokens]

    @classmethod
    def train(cls, text, vocab_size=1000):
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        if vocab_size < 256:
            raise LearnerError(f"--vocab-size {vocab_size}: bpe needs at least 256, one token for each byte")
        _refuse(SURROGATES.search(text))
        library = Tokenizer(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
        library.train_from_iterator(_blocks(text), trainer)
        return cls(library.to_str())

    def encode(self, text):
        _refuse(SURROGATES.search(text))
        return [i for block in _blocks(text) for i in self._library.encode(block).ids]

    def decode(self, ids):
        """Bytes that are no UTF-8 (a model may write such) become U+FFFD."""
        return b"".join(self._bytes[int(i)] for i in ids).decode("utf-8", "replace")

    def token_bytes(self, id):
        return self._bytes[id]

    def token_text(self, id):
        return _visible(self._bytes[id].decode("utf-8", "backslashreplace"))

    def unknown(self, text):
        return list(dict.fromkeys(SURROGATES.findall(text)))

    def to_dict(self):
        return {"name": self.name, "library": self._library.to_str()}


def _byte_characters():
    """The printable character that stands for each byte in byte-level BPE: its own where it has a shape."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) if byte in shown else chr(256 + hidden.index(byte)) for byte in range(256)]


class UnigramTokenizer(_Tokenizer):
    """Unigram language model over pieces (Kudo 2018), cut as SentencePiece cuts: a word carries the space before it.

    Inside, a space is written ▁ (U+2581). A literal ▁ is written as a space, so the two change places and every text
    comes back exactly. Newlines stand alone. Each character of the training text is a piece; there is no <unk>.
    """

    name = "unigram"
    lossless = True
    _swap = {ord(" "): "▁", ord("▁"): " "}

    def __init__(self, pieces, scores):
        from tokenizers import Tokenizer, models

        self.pieces = list(pieces)
        self.scores = list(scores)  # log-probabilities, in nats
        self.vocab_size = len(self.pieces)
        self._texts = [piece.translate(self._swap) for piece in self.pieces]
        self._library = Tokenizer(models.Unigram(list(zip(self.pieces, self.scores, strict=True))))
        self._library.pre_tokenizer = self._pre_tokenizer()
        self._characters = {text for text in self._texts if len(text) == 1}

    @staticmethod
    def _pre_tokenizer():
        from tokenizers import pre_tokenizers

        newlines = pre_tokenizers.Split("\n", "isolated")
        return pre_tokenizers.Sequence([newlines, pre_tokenizers.Split("▁", "merged_with_next")])

    @classmethod
    def train(cls, text, vocab_size=1000):
        from tokenizers import Tokenizer, models, trainers

        _refuse(SURROGATES.search(text))
        swapped = Counter(text.translate(cls._swap))
        if vocab_size < len(swapped):
            raise LearnerError(
                f"--vocab-size {vocab_size}: unigram needs at least {len(swapped)} here, one piece for each character"
            )
        library = Tokenizer(models.Unigram())
        library.pre_tokenizer = cls._pre_tokenizer()
        alphabet = sorted(swapped)
        size = max(vocab_size, 2 * len(alphabet) + 16)  # asked for little more than the alphabet, it may never return
        trainer = trainers.UnigramTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
        library.train_from_iterator((block.translate(cls._swap) for block in _blocks(text)), trainer)
        vocabulary = json.loads(library.to_str())["model"]["vocab"]
        scores = {piece: score or 0.0 for piece, score in vocabulary}  # NaN, hence null, if there is only one piece
        return cls(*_settle(scores, swapped, vocab_size))

    def encode(self, text):
        unknown = self.unknown(text)
        if unknown:
            raise UnknownCharacter(unknown[0], text.index(unknown[0]))
        blocks = _blocks(text)
        return [i for block in blocks for i in self._library.encode(block.translate(self._swap)).ids]

    def decode(self, ids):
        return "".join(self._texts[int(i)] for i in ids)

    def token_text(self, id):
        return _visible(self._texts[id])

    def unknown(self, text):
        return [c for c in dict.fromkeys(text) if c not in self._characters]

    def to_dict(self):
        return {"name": self.name, "pieces": self.pieces, "scores": self.scores}


def _settle(scores, counts, vocab_size):
    """Pieces and scores as the library trained them, made the same in every run and no more than `vocab_size`.

    The library leaves two things to the order of a hash table: the last digits of each score, and which of the
    characters that training pruned (they come back with a score below every other) is listed first.
    """
    long = [piece for piece in scores if len(piece) > 1]
    floor = min((scores[piece] for piece in long), default=float("inf")) + 1e-4 * len(counts)
    rare = sorted((p for p in scores if len(p) == 1 and scores[p] < floor), key=lambda p: (-counts[p], p))
    scores = scores | dict(zip(rare, sorted((scores[p] for p in rare), reverse=True), strict=True))
    scores = {piece: round(score, 6) for piece, score in scores.items()}
    long = sorted(long, key=lambda p: (-scores[p], p))[: vocab_size - len(counts)]
    pieces = sorted([*counts, *long], key=lambda p: (-scores[p], p))
    return pieces, [scores[p] for p in pieces]


TOKENIZERS = {t.name: t for t in (CharTokenizer, WordTokenizer, BPETokenizer, UnigramTokenizer)}


def _named(name):
    if name not in TOKENIZERS:
        raise LearnerError(f"--tokenizer {name}: there is no such tokenizer;{nearest(str(name), TOKENIZERS)}")
    return TOKENIZERS[name]


def train_tokenizer(name, text, vocab_size=1000, min_count=2, lowercase=False, also=""):
    """The tokenizer called `name` ("char", "word", "bpe", "unigram"), trained on `text`. Same text, same tokenizer.

    also: text whose characters char and unigram must be able to encode too (the validation split, say). vocab_size is
    for bpe and unigram (reached exactly where the text has enough different pieces); min_count and lowercase are for
    word. Raises LearnerError for an unknown name, an empty text, or a vocab_size too small.
    """
    kind = _named(name)
    if not text:
        raise LearnerError("the training text is empty: there is nothing to build a tokenizer from")
    if kind is WordTokenizer:
        return kind.train(text, min_count, lowercase)
    if kind in (CharTokenizer, UnigramTokenizer):
        text += "".join(sorted(set(also) - set(text)))
    return kind.train(text) if kind is CharTokenizer else kind.train(text, vocab_size)


def tokenizer_from_dict(d):
    """The tokenizer whose to_dict() gave `d`."""
    return _named(d.get("name")).from_dict(d)


def keep_known(tokenizer, text):
    """(text without the characters that cannot be encoded, list of those characters): for prompts, with a warning."""
    unknown = tokenizer.unknown(text)
    return "".join(c for c in text if c not in unknown), unknown


def stream_text(tokenizer, ids, previous=None):
    """Yield the text of each id as it comes; the pieces add up to tokenizer.decode of all ids.

    A BPE token may end inside a character, whose bytes are then held back until it is whole. previous: the id just
    before the first, usually the last of the prompt (a word needs it to know whether a space goes before it).
    """
    if tokenizer.name == "bpe":
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for id in ids:
            yield decoder.decode(tokenizer.token_bytes(id))
        yield decoder.decode(b"", final=True)
        return
    before = [] if previous is None else [previous]
    for id in ids:
        yield tokenizer.decode([*before, id])[len(tokenizer.decode(before)) :]
        before = [id]


_border = re.compile(r"\S(?=[ \n])")


def _blocks(text, size=50_000):
    """Cut a long text into blocks of about `size` characters, only where BPE and Unigram would cut in any case.

    Both begin a new piece at a space or newline that follows anything but white space, so that encoding the blocks
    one by one gives the ids of the whole text, with little memory.
    """
    start = 0
    while start < len(text):
        border = _border.search(text, start + size)
        end = border.end() if border else len(text)
        yield text[start:end]
        start = end


def _refuse(surrogate):
    if surrogate:
        raise UnknownCharacter(surrogate.group(), surrogate.start())


def _visible(text):
    return "".join("␣" if c == " " else c if c.isprintable() else repr(c)[1:-1] for c in text)
