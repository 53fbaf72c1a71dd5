"""The built-in pairs: the same for everyone, of the lengths asked for, and with one right translation each."""

import ast
import hashlib
import re
import sys
from collections import Counter
from functools import cache
from itertools import combinations

import pytest

from shared.data import load_pairs, synchronous
from shared.data.synchronous import (
    ENDINGS,
    GRAMMAR,
    LEXICON,
    LONGEST,
    SHORTEST,
    SIZES,
    WORDS,
    draw_pairs,
    translate,
)

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def pairs():
    return load_pairs("grammar")


def lengths(pairs, side):
    return [len(pair[side].split()) for pair in pairs]


# ---------------------------------------------------------------------------------------------------------------------
# What is drawn


def test_the_standard_draw_is_pinned(pairs):
    assert pairs.name == "grammar" and "Velu" in pairs.source
    for name in SPLITS:
        drawn = getattr(pairs, name)
        text = "".join(f"{velu}\t{english}\n" for velu, english in drawn)
        assert hashlib.sha256(text.encode("utf-8")).hexdigest() == synchronous.SHA256[name]
        assert len(drawn) == SIZES[name]


def test_no_sentence_twice(pairs):
    for side in (0, 1):
        sentences = [pair[side] for name in SPLITS for pair in getattr(pairs, name)]
        assert len(set(sentences)) == len(sentences) == sum(SIZES.values())


def test_lengths(pairs):
    for name in SPLITS:
        velu, english = (lengths(getattr(pairs, name), side) for side in (0, 1))
        number = Counter(velu)
        assert set(number) == set(range(SHORTEST, LONGEST + 1)) and max(number.values()) - min(number.values()) <= 1
        assert SHORTEST <= min(english) and max(english) <= LONGEST
    assert min(Counter(lengths(pairs.test, 0)).values()) >= 100


def test_words(pairs):
    for side in (0, 1):
        text = {name: " ".join(pair[side] for pair in getattr(pairs, name)) for name in SPLITS}
        number = Counter(text["train"].split())
        assert len(number) == (409, 608)[side]
        assert min(number.values()) >= 200
        assert all(re.fullmatch("[a-z]+", word) for word in number)
        assert all(set(text[name].split()) <= set(number) for name in SPLITS)


def test_content_words_are_drawn_evenly(pairs):
    number = Counter(" ".join(velu for velu, _ in pairs.train).split())
    for kind in ("noun.ms", "noun.fs", "noun.ns", "noun.os", "adj.n", "iv.b", "tv.b", "dv.b", "cv.b"):
        counts = [number[velu] for velu, _ in LEXICON[kind]]
        assert max(counts) < 1.3 * min(counts), kind


def sentences_of(symbol, length, memo):
    """How many different Velu sentences (or phrases) of that length there are."""
    if symbol in LEXICON:
        return len(LEXICON[symbol]) * (length == 1)
    if (symbol, length) not in memo:
        spare = {rule: length - len(rule.items) + len(rule.symbols) for rule in GRAMMAR[symbol]}
        memo[symbol, length] = sum(ways(rule.symbols, left, memo) for rule, left in spare.items())
    return memo[symbol, length]


def ways(symbols, length, memo):
    if not symbols:
        return int(length == 0)
    firsts = range(1, length - len(symbols) + 2)
    return sum(n * ways(symbols[1:], length - k, memo) for k in firsts if (n := sentences_of(symbols[0], k, memo)))


def test_short_sentences_are_not_exhausted(pairs):
    number = [sentences_of("sentence", length, {}) for length in range(6)]
    assert number == [0, 0, 0, 16_200, 939_600, 42_768_000]
    drawn = Counter(length for name in SPLITS for length in lengths(getattr(pairs, name), 0))
    assert number[3] > 5 * drawn[3]


def test_lengths_beyond_training():
    drawn = draw_pairs(seed=4, lengths=[60, 41, 50, 3], longest=60)
    assert lengths(drawn, 0) == [60, 41, 50, 3] and max(lengths(drawn, 1)) <= 60
    assert all(translate(velu) == english for velu, english in drawn)


def test_a_draw_is_its_seed():
    assert draw_pairs(7, [5] * 50) == draw_pairs(7, iter([5] * 50)) != draw_pairs(8, [5] * 50)


def test_what_is_to_be_avoided():
    first = draw_pairs(7, [3] * 50)
    again = draw_pairs(7, [3] * 50, avoid=[velu for velu, _ in first])
    assert not set(first) & set(again) and len(set(first + again)) == 100


def test_what_cannot_be_drawn():
    for length in (-1, 0, 2, 41):
        with pytest.raises(ValueError, match=f"got {length}"):
            draw_pairs(1, [length])
    everything = [f"{noun} {verb} {end}" for kind in ("noun.ms", "noun.fs", "noun.ns") for noun, _ in LEXICON[kind]
                  for verb, _ in LEXICON["iv.b"] for end in "du dui ra rai fe fei".split()]  # fmt: skip
    assert len(everything) == 16_200
    with pytest.raises(ValueError, match="sentences of 3 words left"):
        draw_pairs(1, [3], avoid=everything)


def test_only_the_standard_library():
    tree = ast.parse(open(synchronous.__file__, encoding="utf-8").read())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


# ---------------------------------------------------------------------------------------------------------------------
# How Velu differs, and what agrees


VELU = {english: velu for text in WORDS.values() for velu, english in map(str.split, text.split(","))}


def in_velu(gloss):
    """The Velu sentence of a gloss in which nouns, verbs, adjectives ... are English."""
    said, ending = [], ""
    for word in gloss.split():
        velu = VELU.get(word, word)
        if velu.endswith(tuple(ENDINGS.values())) and velu != word:
            ending = velu[-1]  # a noun's
        said.append(velu + ending if (velu + "o", word) in LEXICON["adj.m"] else velu)
    return " ".join(said)


IN_THE_DOCSTRING = re.findall(r"^    (.+?)  +(.+?)(?:  +.*)?$", synchronous.__doc__, re.MULTILINE)[:8]


@pytest.mark.parametrize(
    "gloss, english",
    [
        *IN_THE_DOCSTRING,
        ("king owl old blue small ta admire du", "the king admires the small blue old owl"),  # a chain, mirrored
        ("king na queen na owl wait du", "the owl of the queen of the king waits"),
        ("king admire du ke owl wait du", "the owl that the king admires waits"),
        ("today king wait du", "the king waits today"),
        ("king owl ta queen lo show du", "the king shows the owl to the queen"),
        ("king me queen mo wait dui", "the king and the queen wait"),
        ("king wait ra and queen wait fe", "the king waited and the queen will wait"),
        ("king owl ta admire pa mill ne near wait du", "the king admires the owl and waits near the mill"),
        ("king slowly wait du vo", "the king does not slowly wait"),
    ],
)
def test_reordering(gloss, english):
    assert translate(in_velu(gloss)) == english


def test_the_docstring_has_the_examples():
    assert [english for _, english in IN_THE_DOCSTRING][-1] == "the queen waited because the king waits"


@pytest.mark.parametrize(
    "marks, english",
    [
        ("ta ne du", "the old king admires the owl and hopes that the boy waits and works near his lamp"),
        ("ta ne dui", "the old kings admire the owl and hope that the boy waits and work near their lamp"),
        ("tai nei ra", "the old king admired the owls and hoped that the boy waits and worked near his lamps"),
        ("ta ne fei", "the old kings will admire the owl and hope that the boy waits and work near their lamp"),
        ("ta ne du vo", "the old king does not admire the owl and hope that the boy waits and work near his lamp"),
        ("ta ne dui ka", "do the old kings admire the owl and hope that the boy waits and work near their lamp"),
        ("ta ne ra ka", "did the old king admire the owl and hope that the boy waits and work near his lamp"),
    ],
)
def test_agreement_over_the_whole_sentence(marks, english):
    """The end tells the number of the very first noun, the form of three verbs, and whose lamp it is."""
    objects, places, end = marks.split(maxsplit=2)
    gloss = f"king old owl {objects} admire pa boy wait du zu hope pa lamp su {places} near work {end}"
    assert translate(in_velu(gloss)) == english


@pytest.mark.parametrize(
    "gloss, english",
    [
        ("king lamp su ta paint du", "the king paints his lamp"),
        ("queen lamp su ta paint du", "the queen paints her lamp"),
        ("owl lamp su ta paint du", "the owl paints its lamp"),
        ("owl lamp su ta paint dui", "the owls paint their lamp"),
        ("lamp su ta paint ke king queen tai greet du", "the king who paints his lamp greets the queens"),
        ("lamp su ta paint ke king queen tai greet dui", "the kings who paint their lamp greet the queens"),
        ("king lamp this ta paint du", "the king paints this lamp"),
        ("king lamp this tai paint du", "the king paints these lamps"),
        ("king lamp two tai paint du", "the king paints two lamps"),
    ],
)
def test_agreement(gloss, english):
    assert translate(in_velu(gloss)) == english


@pytest.mark.parametrize(
    "wrong",
    ["", "du", "terdo", "terdo daven", "terdo daven du du", "the king waits"]
    + ["tebru daven du"]  # the lamp waits
    + ["terdo tozova daven du"]  # a feminine ending on what goes with the king
    + ["terdo tebru sim ta fizlan du"],  # ta, of one, after two lamps
)
def test_what_is_no_velu(wrong):
    with pytest.raises(ValueError, match="0 ways"):
        translate(wrong)


# ---------------------------------------------------------------------------------------------------------------------
# One right answer each


def test_a_parser_finds_the_target_from_the_source_alone(pairs):
    for velu, english in pairs.test[:76]:  # two of each length
        assert translate(velu) == english


def test_a_velu_word_has_one_meaning():
    kinds = {}
    for kind, words in LEXICON.items():
        assert len({velu for velu, _ in words}) == len({english for _, english in words}) == len(words)
        for velu, _ in words:
            kinds.setdefault(velu, set()).add(kind[:-1] if kind.startswith("noun") else kind.partition(".")[0])
    assert all(len(those) == 1 for those in kinds.values())
    particles = {item for rules in GRAMMAR.values() for rule in rules for item in rule.items}
    particles -= {*GRAMMAR, *LEXICON}
    assert particles == set("ta tai na nai lo loi ne nei me mei mo moi du dui ra rai fe fei vo ka ke zu pa su".split())
    assert not particles & set(kinds)


def test_what_is_said_in_velu_is_said_in_english():
    for rules in GRAMMAR.values():
        for rule in rules:
            for side in (rule.velu, rule.english):
                assert sorted(re.findall(r"\{(\d)\}", side)) == [str(place) for place in range(len(rule.symbols))]
    assert sorted(LEXICON["tv.s"])[0] == ("bapran", "chases") and ("safun", "cried") in LEXICON["iv.d"]


def ambiguous(rules, start):
    """Can a text be derived in two ways? Exact, for rules that are recursive in their last item only.

    What is still to be read is a stack of items, and there are finitely many of those. So two derivations that read the
    same words side by side can be followed through all the pairs of stacks that they can reach.
    """

    @cache
    def moves(stack):
        """(word that is read, stack then, the rules chosen on the way)"""
        if not stack or stack[0] not in rules:
            return [(stack[0], stack[1:], ())] if stack else []
        chosen = enumerate(rules[stack[0]])
        return [(word, rest, (k, *how)) for k, rule in chosen for word, rest, how in moves((*rule, *stack[1:]))]

    todo = [((start,), (start,), False)]
    seen = set(todo)
    while todo:
        one, other, differ = todo.pop()
        if differ and not one and not other:
            return True
        for word, rest, how in moves(one):
            for same, rest_, how_ in moves(other):
                pair = (*sorted((rest, rest_)), differ or how != how_)
                if word == same and pair not in seen:
                    seen.add(pair)
                    todo.append(pair)
    return False


def test_ambiguity_is_found():
    assert ambiguous({"s": [("a", "b")], "a": [("x",), ("x", "x")], "b": [("x",), ("x", "x")]}, "s")
    assert ambiguous({"s": [("x", "s"), ("x", "x", "s"), ("y",)]}, "s")
    assert not ambiguous({"s": [("a", "y"), ("x", "z")], "a": [("x", "a"), ("x",)]}, "s")
    # king [owl ta admire pa hen ta need] ke boy ta greet du: or does the king admire the owl himself?
    chained = {**skeleton(), "deed": [*skeleton()["deed"], ("thing", "ta", "tv", "pa", "thing", "ta", "tv")]}
    assert ambiguous(chained, "part")


def bare(item):
    """Without its features; the ends of what is done are all "du"."""
    if item in GRAMMAR or item in LEXICON:
        return item.partition(".")[0]
    return {"ra": "du", "fe": "du"}.get(item.removesuffix("i"), item.removesuffix("i"))


def skeleton():
    """The Velu side of the grammar without features, and without adjectives, determiners and adverbs."""
    rules = {}
    for symbol, those in GRAMMAR.items():
        rules.setdefault(bare(symbol), set()).update(tuple(map(bare, rule.items)) for rule in those)
    return {symbol: sorted(r for r in those if not {"adj", "det", "adv"} & {*r}) for symbol, those in rules.items()}


def test_no_sentence_has_two_structures():
    """Of any length. An adjective or a determiner belongs to the noun before it and an adverb to the verb after it, so
    they are left out; "join" stands between parts and nowhere else, so one part is enough."""
    assert not ambiguous(skeleton(), "part")
    for word, places in {"adj": {"core"}, "det": {"base"}, "adv": {"vp"}, "join": {"sentence"}}.items():
        uses = {bare(symbol) for symbol, those in GRAMMAR.items() for r in those if word in map(bare, r.items)}
        assert uses == places


def undecided(grammar):
    """Pairs of rules of a symbol that neither a word nor the class of a noun tells apart, the structure being known.

    The class shows in a noun: np.ms is not np.fs. The number does not: np.ms may be np.mp.
    """

    def shown(item):
        name, _, features = item.partition(".")
        return features[:1] if name in ("np", "thing", "base", "core", "noun", "adj", "subject", "doer") else ""

    def apart(one, other):
        words = one not in grammar and one not in LEXICON and one != other
        classes = {shown(one), shown(other)}
        return words or (len(classes) == 2 and classes <= set("mfno"))

    return [
        (symbol, one, other)
        for symbol, rules in grammar.items()
        for one, other in combinations(rules, 2)
        if [*map(bare, one.items)] == [*map(bare, other.items)]
        and not any(map(apart, one.items, other.items))
    ]  # fmt: skip


def test_every_feature_shows():
    """From the top down, every rule is known from Velu words. With the test before: translation is a function."""
    assert undecided(GRAMMAR) == []


def test_a_feature_that_does_not_show_is_found():
    for hidden in ("ta", "na", "du"):
        singular = {hidden + "i": hidden}
        plain = {
            symbol: [rule._replace(items=[singular.get(item, item) for item in rule.items]) for rule in rules]
            for symbol, rules in GRAMMAR.items()
        }
        assert undecided(plain), hidden
