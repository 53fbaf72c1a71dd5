"""The fables: the same for everyone, told in one way only, with an exact floor and recall points that are certain."""

import ast
import hashlib
import math
import os
import random
import re
import sys
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.data import fables
from shared.data.fables import FABLES, RULES, WORDS, Grammar, Telling, draw_fables, fable_nll, parse_fable, splits

TOY = r"""
fable
2|{opening} {end}
1|Once {a hero=animal} met {a guest=animal}, and then {a guest=animal}. {end}
opening
3|{A hero=animal} heard {number=number} {s sound=sound}: {repeat sound number} {after}
1|{This folk=folk} {!was folk} {sleepy}.
1|They {say, sing} {aside}.
after
2|{!His hero} {ear, tail} shook.
1|"That is {!number}," said the {!hero}.
aside
1|({rumour}{deeper}
2|[{rumour}{deeper}
deeper
3|)
1| ({rumour}))
rumour = or so, as ever
sleepy = sleepy, late, lost
end
1|"We say, `{rumour}.` So!"\n
4|The end.\n
"""
TOY_WORDS = {name: words[:1] + words[-2:] for name, words in WORDS.items()} | {"number": WORDS["number"]}


@pytest.fixture(scope="module")
def corpus():
    return splits()


@pytest.fixture(scope="module")
def some():
    return draw_fables(seed=11, characters=300_000)


# ---------------------------------------------------------------------------------------------------------------------
# The same for everyone


def test_the_standard_draw_is_pinned(corpus):
    for name, size in (("train", 1_000_000), ("val", 111_000), ("test", 111_000)):
        text = corpus[name].text
        assert hashlib.sha256(text.encode("utf-8")).hexdigest() == fables.SHA256[name]
        assert size <= len(text) < size + 5_000
        assert text.endswith("\n\n")


def test_splits_share_no_fable(corpus):
    told = [{part.text[f.start : f.end] for f in part.fables} for part in corpus.values()]
    assert all(not a & b for a, b in combinations(told, 2))


def test_only_the_standard_library():
    tree = ast.parse(open(fables.__file__, encoding="utf-8").read())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_a_draw_is_its_fables(some):
    assert some.fables[0].start == 0 and some.fables[-1].end == len(some.text) >= 300_000
    assert all(a.end == b.start for a, b in pairwise(some.fables))
    assert some.fables[-1].start < 300_000  # no fable too many
    assert math.isclose(some.nll, sum(fable.nll for fable in some.fables), rel_tol=1e-12)
    assert some.floor == some.nll / len(some.text)
    assert some == draw_fables(seed=11, characters=300_000) != draw_fables(seed=12, characters=300_000)


def test_vocabulary(some):
    assert set(some.text) <= set(" \n.,;:'\"()[]?!-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert 50 <= len(set(some.text)) <= 65
    assert 250 <= len(set(re.findall("[a-z]+", some.text.lower()))) <= 400


# ---------------------------------------------------------------------------------------------------------------------
# Told in one way only


def test_ten_thousand_fables_are_parsed_back():
    rng = random.Random(5)
    for _ in range(10_000):
        told = FABLES.draw(rng)
        parsed = FABLES.parse(told.text)
        assert parsed.choices == told.choices
        assert abs(parsed.nll - told.nll) < 1e-9
        assert parsed.points == told.points


def openings(grammar, steps):
    """What these steps may begin with, as far as the first choice or remembered word (any word of its list)."""
    begun = ""
    for step in steps:
        match step:
            case ("text" | "open", piece):
                begun += piece
                continue
            case ("rule", name):
                ways = {text for option in grammar.rules[name].options for text in openings(grammar, option)}
            case ("draw", _, category, form):
                ways = {word[form] for word in grammar.words[category]}
            case ("say", name, form, _):
                category = LISTS.get(name, name)
                ways = {word[form] for word in grammar.words[category]}
            case ("repeat", _, _):
                ways = {word[""] for word in grammar.words["sound"]}
            case ("close", mark):
                ways = {mark} if mark else {")", "]"}
        return {begun + way for way in ways}
    return {begun}


LISTS = {name: "animal" for name in ("hero", "guest", "rival")} | {"ware": "object", "goods": "object", "land": "place"}


def tell_apart(grammar, one, two):
    """Do the alternatives, where they part, part for certain? And do they part before either makes a choice?"""
    while one and two and one[0] == two[0] and one[0][0] not in ("rule", "draw"):
        one, two = one[1:], two[1:]
    if one and two and one[0][0] == two[0][0] == "say" and {one[0][1], two[0][1]} == {"ware", "goods"}:
        return True  # names that are drawn together hold two different words
    if one and two and one[0][0] == two[0][0] == "text":
        same = len(os.path.commonprefix([one[0][1], two[0][1]]))
        if 0 < same:
            one, two = ((("text", steps[0][1][same:]), *steps[1:]) for steps in (one, two))
            return tell_apart(grammar, *(steps[steps[0][1] == "" :] for steps in (one, two)))
    pairs = [(a, b) for a in openings(grammar, one) for b in openings(grammar, two)]
    return not any(a.startswith(b) or b.startswith(a) for a, b in pairs)


def test_at_every_choice_the_alternatives_can_be_told_apart():
    """With this, by induction over the choices, no text whatever can be told in two ways."""
    for grammar in (FABLES, Grammar(TOY, TOY_WORDS)):
        for name, rule in grammar.rules.items():
            for one, two in combinations(rule.options, 2):
                assert tell_apart(grammar, one, two), (name, one, two)
        for category, words in grammar.words.items():
            for form in words[0]:
                drawn = f"{form} " if form else ""
                if re.search(rf"\{{{drawn}\w+={category}\}}", RULES + TOY):
                    for one, two in combinations([word[form] for word in words], 2):
                        assert not one.startswith(two) and not two.startswith(one), (category, one, two)


def test_an_ambiguous_grammar_is_found_out():
    grammar = Grammar("fable\n1|{a, ab}{c, bc}.\n", {})  # "abc." in two ways
    rule = grammar.rules["a, ab"]
    assert not tell_apart(grammar, *rule.options)
    with pytest.raises(ValueError):
        grammar.parse("abc.")


@pytest.mark.parametrize(
    "wrong",
    ["", "\n\n", "Once upon a time", "Once upon a time a wolf lived by the mill.", "x" * 1000],
)
def test_what_is_no_fable_raises_value_error(wrong):
    with pytest.raises(ValueError):
        parse_fable(wrong)
    with pytest.raises(ValueError):
        fable_nll(wrong)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_a_changed_fable_is_another_fable_or_none(seed, data):
    text = FABLES.draw(random.Random(seed)).text
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.sampled_from(["", "e", " ", "s", ")", "'", "the "])) + text[at + 1 :]
    try:
        parsed = FABLES.parse(changed)
    except ValueError:
        return
    assert parsed.text == changed


def test_a_wrong_word_at_a_recall_point_is_no_fable(some):
    for fable in some.fables[:20]:
        text = some.text[fable.start : fable.end]
        for point in (p for p in some.points if fable.start <= p.start < fable.end):
            start, end = point.start - fable.start, point.start - fable.start + len(point.answer)
            for word in point.candidates:
                if word != point.answer:
                    with pytest.raises(ValueError):
                        parse_fable(text[:start] + word + text[end:])


# ---------------------------------------------------------------------------------------------------------------------
# The floor is exact

LITTLE_WORDS = {name: words[:1] + words[-2:] for name, words in WORDS.items()}


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar(TOY, TOY_WORDS),
        Grammar(RULES, LITTLE_WORDS, start="fair"),  # the real rules with fewer words, from another start
        Grammar(RULES, LITTLE_WORDS, start="weather"),
        Grammar(RULES, LITTLE_WORDS, start="saying"),
    ],
    ids=["toy", "fair", "weather", "saying"],
)
def test_floor_against_brute_force(grammar):
    everything = list(grammar.texts())
    tellings = {telling.text: telling.nll for telling in everything}
    assert len(tellings) == len(everything) > 20  # every text in one way only
    assert math.isclose(math.fsum(math.exp(-nll) for nll in tellings.values()), 1, rel_tol=1e-12)
    for telling in everything[:: 1 + len(everything) // 2000]:
        parsed = grammar.parse(telling.text)
        assert parsed.choices == telling.choices and abs(parsed.nll - telling.nll) < 1e-9

    entropy = math.fsum(math.exp(-nll) * nll for nll in tellings.values())
    variance = math.fsum(math.exp(-nll) * (nll - entropy) ** 2 for nll in tellings.values())
    rng, draws = random.Random(3), 4000
    drawn = [grammar.draw(rng) for _ in range(draws)]
    assert all(abs(tellings[telling.text] - telling.nll) < 1e-9 for telling in drawn)
    assert abs(sum(telling.nll for telling in drawn) / draws - entropy) < 4 * math.sqrt(variance / draws)
    for text, count in Counter(telling.text for telling in drawn).most_common(5):
        share = math.exp(-tellings[text])
        assert abs(count / draws - share) < 5 * math.sqrt(share / draws)


def test_the_probability_by_hand():
    """Of three animals the first is drawn from 3, the second from 2 (not the first), the third from 1."""
    told = Grammar(TOY, TOY_WORDS).parse("Once a fox met a snail, and then an ant. The end.\n")
    assert math.isclose(told.nll, -math.log(1 / 3 * 1 / 3 * 1 / 2 * 1 / 1 * 4 / 5))
    assert told.choices == [("fable", 1), ("hero", "fox"), ("guest", "snail"), ("guest", "ant"), ("end", 1)]


# ---------------------------------------------------------------------------------------------------------------------
# The recall points


def test_points_say_what_the_text_says(some):
    assert [p.start for p in some.points] == sorted(p.start for p in some.points)
    for point in some.points:
        assert some.text.startswith(point.answer, point.start)
        assert point.answer in point.candidates and len(set(point.candidates)) == len(point.candidates) > 1
        assert not any(a != b and a.startswith(b) for a in point.candidates for b in point.candidates)
        assert point.distance > 0


def test_named_once_and_recalled(some):
    """From the latest mention to the recall the word does not occur, and the mention is in the same fable."""
    ends = iter(some.fables)
    fable = next(ends)
    for point in some.points:
        while point.start >= fable.end:
            fable = next(ends)
        mention = point.start - point.distance
        assert mention >= fable.start
        if point.kind in ("hero", "object", "place", "guest", "ware", "land", "owner", "number"):
            assert some.text.startswith(point.answer, mention)
            between = some.text[mention + len(point.answer) : point.start]
            assert not re.search(rf"\b{point.answer}\b", between)
            assert len(point.candidates) >= (5 if point.kind == "number" else 12)


class Enough(Exception):
    """The telling has come as far as the text that was asked about."""


def going_along(text, script, scripts):
    """Makes the choices of a script and then any that fits the text; leaves the others that fit in `scripts`."""
    made = []

    def choose(telling, rule):
        if telling.at >= len(text):
            raise Enough
        fits = [i for i, steps in enumerate(rule.options) if telling.fits(steps, text, telling.at)]
        if len(made) < len(script):
            fits = [script[len(made)]]
        scripts.extend([*made, other] for other in fits[1:])
        made.append(fits[0] if fits else 0)
        return made[-1]

    return choose


def can_go_on(text):
    """Is there a fable that begins like this? Tries every choice that fits."""
    scripts = [[]]
    while scripts:
        telling = Telling.__new__(Telling)
        try:
            telling.__init__(FABLES, going_along(text, scripts.pop(), scripts))
        except Enough:
            pass
        if telling.text.startswith(text):
            return True
    return False


def test_a_recalled_word_is_certain(some):
    """At a recall point every other candidate is impossible, given nothing but the text before it."""
    for fable in some.fables[:15]:
        for point in (p for p in some.points if fable.start <= p.start < fable.end):
            before = some.text[fable.start : point.start]
            for word in point.candidates:
                assert can_go_on(before + word) == (word == point.answer), (before[-60:], word)


def test_distances_cover_20_to_500_characters(corpus):
    for kind in ("hero", "object", "place"):
        distances = [p.distance for p in corpus["val"].points if p.kind == kind]
        for low, high in ((20, 40), (40, 80), (80, 160), (160, 320), (320, 640)):
            assert sum(low <= distance < high for distance in distances) >= 10, (kind, low)
    kinds = Counter(point.kind for point in corpus["val"].points)
    assert set(kinds) == set(
        "hero object place guest ware land owner pronoun agreement number count quote bracket".split()
    )
    assert min(kinds.values()) >= 15


@pytest.mark.parametrize("kind, category", [("hero", "animal"), ("object", "object"), ("place", "place")])
def test_neither_the_latest_nor_the_most_frequent_word_solves_it(some, kind, category):
    words = re.compile("|".join(rf"\b{word['']}\b" for word in WORDS[category]))
    points = [point for point in some.points if point.kind == kind and point.distance >= 160]
    latest = frequent = 0
    for point in points:
        fable = max(fable for fable in some.fables if fable.start <= point.start)
        before = words.findall(some.text, fable.start, point.start)
        latest += before[-1] == point.answer
        frequent += Counter(reversed(before)).most_common(1)[0][0] == point.answer  # of equals the latest
    assert len(points) > 200
    assert latest / len(points) < 0.45 and frequent / len(points) < 0.65, (latest / len(points), frequent / len(points))
