"""Built-in sentence pairs: a language of our own, Velu, and English, drawn together from one synchronous grammar.

The rules of a synchronous grammar have two right-hand sides. Whatever is drawn is written on both, on each in its own
order, so every sentence comes with its translation. Grammar and words are data, below. What is different in Velu (with
the nouns, verbs and adjectives in English, so that you can read it):

    king owl ta admire du               the king admires the owl                      the verb comes after the object
    king owl old blue ta admire du      the king admires the blue old owl             adjectives follow, reversed
    king mill ne near wait du           the king waits near the mill                  postpositions
    king na owl wait du                 the owl of the king waits                     the owner comes first
    owl ta admire ke king wait du       the king who admires the owl waits            relative clause before its noun
    queen king wait ra zu hope du       the queen hopes that the king waited          what is hoped, before the verb
    king wait du ka                     does the king wait                            a question shows at its end
    king wait du because queen wait ra  the queen waited because the king waits       clauses change places

A Velu noun looks the same whether it is one or many, and a Velu verb never changes. What governs them tells, and it
comes later: ta after one object, tai after several, na and nai after owners; du, ra, fe (present, past, future) after
what one does, dui, rai, fei after what several do. So the second word of "the kings hoped that ..." waits for the last
word of the source. In turn English says his, her, its or their for Velu su, by a subject that may be far away.

    pairs = draw_pairs(seed=1, lengths=[5, 20, 40])     # of exactly so many Velu words
    translate(pairs[1][0]) == pairs[1][1]               # the one right answer, from the Velu sentence alone
"""

import random
import re
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import accumulate, cycle, islice, product
from math import prod
from typing import NamedTuple

# ---------------------------------------------------------------------------------------------------------------------
# The words: Velu English. There are four classes of nouns, with an ending each: men -o, women -a, animals -e, things
# -u. Adjectives take the ending of their noun.

WORDS = {
    "noun.m": """
        terdo king, zidro uncle, borvo monk, dermo prince, rorvo duke, gikro lord, lolko knight, molto shepherd,
        belto brother, gitro father, kindo son, bitro grandfather, zedro nephew, baklo groom, ketro wizard,
        ronzo emperor, sibro squire, ferto abbot, teglo butler, lelto friar, pervo sultan, falto baron, bipro bachelor,
        nuglo boy, zelto husband, pilmo grandson, ralko godfather, kapro tsar, saklo pharaoh, gesmo hermit""",
    "noun.f": """
        fanza queen, kerva aunt, dolta nun, gezla maid, dimba sister, fosta mother, benta daughter, manza grandmother,
        gigra niece, falma bride, borna widow, mokla nurse, duska witch, bulka princess, tanda duchess, kuzla lady,
        pelda empress, rotra heroine, rikla milkmaid, nakla mermaid, rolva girl, milma governess, duzla ballerina,
        legla fairy, kolva granddaughter, megra stepmother, lelka goddess, baska countess, perka actress,
        firna godmother""",
    "noun.n": """
        berve goat, gorte owl, potre bear, rakre fox, kivre hen, neske cat, lilve dog, sunze horse, tikre donkey,
        perne lion, gusme tiger, zokre rabbit, ferde turtle, ralve snail, linke frog, derde eagle, derke raven,
        nasme pigeon, nolte cow, seple pig, purve otter, nopre badger, zende hedgehog, gilte camel, noste swan,
        zikre duck, vevre squirrel, tizle whale, pirve spider, disme crow""",
    "noun.o": """
        tebru lamp, zimbu table, lombu bridge, pesmu tower, fuplu mill, dilvu garden, rabru river, rostu barn,
        tatru boat, zeplu church, nudru well, dabru village, miklu castle, kalvu harbour, virdu hill, pokru forest,
        silmu field, rendu road, savru market, malmu ship, munzu cave, diglu island, turku gate, dontu wall,
        ravru window, zildu door, ferku ladder, danku bench, purtu chest, rikru basket, lalmu mirror, pusmu blanket,
        fentu kettle, felvu drum, vandu rope, zontu wagon, delmu stone, pirku letter, tardu candle, narmu carpet""",
    "adj": """
        tozov old, kabad young, buzim red, korid blue, zozab green, makav white, sural black, bitan tall, malub small,
        tasar big, zaren kind, gilud proud, tuzat lazy, dezir happy, nonab sad, vodef angry, rurep brave, gibel clever,
        runin strange, nakud noisy, leziv rich, zerut poor, zutuf thin, bekep dirty, bubag famous, donuk ugly,
        gamek gentle, vikel wild, nosag honest, geton lucky""",
    "iv": """
        zifon walk, daven wait, gurun laugh, niban work, bedan rest, demun listen, pegin whisper, leten cough,
        bisun yawn, peton sneeze, mitin dance, dumon smile, keden tremble, fedun wander, galen return, nefon climb,
        nivun sail, zalon limp, momon shiver, serun stumble, lapan sigh, buzan snore, folan pray, fikon dream,
        diden kneel, rugin arrive, safun cry, gazon wink, nupon bow, fapen grumble""",
    "tv": """
        nulvan admire, gartan avoid, duklan blame, galdan call, bapran chase, nobran clean, voglan count, niplan cover,
        lolvan doubt, tondan examine, pentan fear, revran follow, budran greet, zunkan guard, bulman help,
        rubran ignore, matran join, repran kick, malvan lift, momban love, rutran move, liplan need, nerman notice,
        rurnan obey, rirkan own, fizlan paint, goplan praise, nertan pull, burkan remember, bundan save, sipran touch,
        moldan trust, sabran visit, torlan want, ganzan warn, dirkan welcome""",
    "dv": """
        kuren offer, gaden show, moben present, loten promise, vazen deliver, binen hand, puven award,
        dafen recommend""",
    "cv": """
        gitor believe, silar claim, bidir hope, rokor declare, divor suspect, denir learn, tatir expect, gomir insist,
        fipar agree, nunur explain""",
    "adv": """
        normis slowly, raltis quietly, dosmis gladly, pondis quickly, ralmis calmly, kikris proudly, fegris loudly,
        sundis kindly, mopris eagerly, butris boldly""",
    "post": """
        zol near, bal behind, fal under, kil above, gul inside, gil beside, bol beyond, sol around, mol over,
        kol below, pul past, vol opposite""",
    "time": """
        kikel today, munel again, ladel together, rulel alone, mikel abroad, vorel upstairs, bovel everywhere,
        parel outside""",
    "join": "pes and, bos but, bes so",
    "sub": "zunder because, gurmer when, sarter if, dirner although, nurker until, dalmer while",
    "det.s": "lom this, bim every, som another, mem my, vem your, lum our",
    "det.p": "lom these, mem my, vem your, lum our, sim two, pem three, zom four, bem five, dem six, sem many",
}

ENDINGS = {"m": "o", "f": "a", "n": "e", "o": "u"}
AGREEING = {  # words that English has to choose by someone mentioned: one man, woman, animal, or several
    "who": {"m": "who", "f": "who", "n": "that"},
    "own": {"m": "his", "f": "her", "n": "its", "p": "their"},
    "does": {"m": "does", "f": "does", "n": "does", "p": "do"},
}

# ---------------------------------------------------------------------------------------------------------------------
# The rules. Under a symbol stand its alternatives: WEIGHT | VELU | ENGLISH. Capitals are features: a rule holds for all
# their values, the same letter the same value everywhere. A value that stands twice below is drawn twice as often.
#     C, D  class of a noun         G, H  class of someone alive        N, M  number: s one, p several
#     A     agreement, with one man, woman or animal (m f n) or with several (p)
#     Y     English form of a verb: s "sees", b "see", d "saw"
# ta~N is ta, or tai for several. The digits of np1 and np2 tell two np of one rule apart.

VALUES = {"C": "mfno", "D": "mfno", "G": "mfn", "H": "mfn", "N": "ssp", "M": "ssp", "A": "mfnppp", "Y": "sbd"}

RULES = """
sentence
3 | part | part
3 | part1 join part2 | part1 join part2
1 | part1 join1 part2 join2 part3 | part1 join1 part2 join2 part3

part
8 | claim | claim
2 | time claim | claim time
2 | claim1 sub claim2 | claim2 sub claim1
2 | question | question

claim
4 | subject.G chain.Gs du | subject.G chain.Gs
4 | subject.p chain.pb dui | subject.p chain.pb
8 | subject.A chain.Ad ra~A | subject.A chain.Ad
2 | subject.A chain.Ab fe~A | subject.A will chain.Ab
1 | subject.A chain.Ab du~A vo | subject.A does.A not chain.Ab
1 | subject.A chain.Ab ra~A vo | subject.A did not chain.Ab
1 | subject.A chain.Ab fe~A vo | subject.A will not chain.Ab

question
1 | subject.A chain.Ab du~A ka | does.A subject.A chain.Ab
1 | subject.A chain.Ab ra~A ka | did subject.A chain.Ab
1 | subject.A chain.Ab fe~A ka | will subject.A chain.Ab

subject.G
1 | np.Gs | np.Gs
subject.p
4 | np.Gp | np.Gp
1 | np1.GN me~N np2.HM mo~M | np1.GN and np2.HM

chain.AY
3 | vp.AY | vp.AY
1 | vp.AY pa chain.AY | vp.AY and chain.AY

vp.AY
1 | iv.Y | iv.Y
1 | adv iv.Y | adv iv.Y
3 | where.A iv.Y | iv.Y where.A
6 | object.A tv.Y | tv.Y object.A
2 | object.A adv tv.Y | adv tv.Y object.A
4 | object.A where.A tv.Y | tv.Y object.A where.A
3 | object.A np.GN lo~N dv.Y | dv.Y object.A to np.GN
4 | inner zu cv.Y | cv.Y that inner

object.A
12 | np.CN ta~N | np.CN
1 | core.CN su ta~N | own.A core.CN
2 | both tai | both
both
1 | np1.CN me~N np2.DM mo~M | np1.CN and np2.DM

where.A
12 | thing.oN ne~N post | post thing.oN
1 | core.oN su ne~N post | post own.A core.oN

np.CN
5 | thing.CN | thing.CN
1 | doer.A tv.d ra~A ke core.CN | the core.CN that doer.A tv.d
1 | doer.G tv.s du ke core.CN | the core.CN that doer.G tv.s
1 | doer.p tv.b dui ke core.CN | the core.CN that doer.p tv.b
np.Gs
3 | deed.Gs ke core.Gs | the core.Gs who.G deed.Gs
np.Gp
3 | deed.pb ke core.Gp | the core.Gp who.G deed.pb

inner
2 | doer.G deed.Gs du | doer.G deed.Gs
2 | doer.p deed.pb dui | doer.p deed.pb
4 | doer.A deed.Ad ra~A | doer.A deed.Ad
1 | doer.A deed.Ab fe~A | doer.A will deed.Ab

doer.G
1 | thing.Gs | thing.Gs
doer.p
1 | thing.Gp | thing.Gp

deed.AY
6 | iv.Y | iv.Y
6 | where.A iv.Y | iv.Y where.A
9 | thing.CN ta~N tv.Y | tv.Y thing.CN
1 | core.CN su ta~N tv.Y | tv.Y own.A core.CN

thing.CN
4 | base.CN | base.CN
1 | base.DM na~M thing.CN | thing.CN of base.DM

base.CN
4 | core.CN | the core.CN
3 | core.CN det.N | det.N core.CN

core.CN
4 | noun.CN | noun.CN
3 | noun.CN adj.C | adj.C noun.CN
2 | noun.CN adj1.C adj2.C | adj2.C adj1.C noun.CN
1 | noun.CN adj1.C adj2.C adj3.C | adj3.C adj2.C adj1.C noun.CN
"""

# ---------------------------------------------------------------------------------------------------------------------
# What is drawn

SHORTEST, LONGEST = 3, 40  # words on either side of every pair of the splits
SIZES = {"train": 100_000, "val": 2_000, "test": 4_000}
SHA256 = {  # of the splits, as lines "Velu<tab>English"
    "train": "425df460c933ecd2c30257fa482daf5b92ef115bcdafee000d24e32069e398d2",
    "val": "0f280bfa08a39ccb14945efde45a21fbddd9742ca39112b700d617cf1abac513",
    "test": "735824eda328521209d2817ed006ab5fd96e5aebfed8bfecf68ed7b87f3dc488",
}


def splits() -> dict[str, list[tuple[str, str]]]:
    """Pairs (Velu, English) for train, val and test: equally many of each length, no Velu sentence twice anywhere."""
    drawn, seen = {}, set()
    for seed, name in enumerate(["test", "val", "train"], start=1):
        drawn[name] = draw_pairs(seed, islice(cycle(range(SHORTEST, LONGEST + 1)), SIZES[name]), avoid=seen)
        seen.update(velu for velu, _ in drawn[name])
    return {name: drawn[name] for name in SIZES}


def draw_pairs(
    seed: int, lengths: Iterable[int], longest: int = LONGEST, avoid: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """One pair (Velu, English) for each length, in this order; no Velu sentence twice, and none that is in `avoid`.

    lengths: Velu words, exactly; the English side has 3 to `longest`. draw_pairs(seed, range(41, 61), longest=60) goes
    beyond what is in the splits. Raises ValueError for a length below 3 or above `longest`, and where none is left.
    """
    random_, seen, drawn = random.Random(seed).random, set(avoid), []
    nodes = [_node("sentence", length) for length in range(longest + 1)]  # short ones first: so no recursion is deep
    for length in lengths:
        if not SHORTEST <= length <= longest:
            raise ValueError(f"a length must be {SHORTEST} to {longest} words, got {length}")
        for _ in range(100_000):
            velu, english = _grow(nodes[length], random_)
            if velu not in seen and english.count(" ") < longest:
                break
        else:
            raise ValueError(f"there are hardly any sentences of {length} words left that were not drawn before")
        seen.add(velu)
        drawn.append((velu, english))
    return drawn


def translate(velu: str) -> str:
    """The English of a Velu sentence, found from its words alone. Raises ValueError where it is no sentence of Velu."""
    words = velu.split()
    found = [english for end, english in _read(words, "sentence", 0, {}) if end == len(words)]
    if len(found) != 1:
        raise ValueError(f"there are {len(found)} ways to read {velu!r} in Velu")
    return found[0]


# ---------------------------------------------------------------------------------------------------------------------
# The engine


class Rule(NamedTuple):
    """One alternative of a symbol, its features filled in.

    weight: its probability among the alternatives. items: its Velu side, words and symbols. symbols: the symbols alone.
    velu, english: formats that put together what the symbols give.
    """

    weight: float
    items: tuple[str, ...]
    symbols: tuple[str, ...]
    velu: str
    english: str


def _inflect(word: str, ending: str) -> str:
    """An English word with the ending "s" or "ed"."""
    if word[-1] == "y" and word[-2] not in "aeiou":
        word = word[:-1] + "ie"
    elif word.endswith(("s", "x", "ch", "sh")) if ending == "s" else word[-1] != "e":
        word += "e"
    return word + ending[-1]


def _lexicon() -> dict[str, list[tuple[str, str]]]:
    """The words (Velu, English) of each kind, under the names that the rules use: "noun.ms", "adj.f", "tv.d" ..."""
    lexicon = {}
    for kind, text in WORDS.items():
        words = [tuple(entry.split()) for entry in text.split(",")]
        if kind.startswith("noun"):
            lexicon |= {kind + "s": words, kind + "p": [(velu, _inflect(english, "s")) for velu, english in words]}
        elif kind == "adj":
            lexicon |= {f"adj.{c}": [(velu + ENDINGS[c], english) for velu, english in words] for c in ENDINGS}
        elif kind in ("iv", "tv", "dv", "cv"):
            lexicon[f"{kind}.b"] = words
            for y, ending in ("s", "s"), ("d", "ed"):
                lexicon[f"{kind}.{y}"] = [(velu, _inflect(english, ending)) for velu, english in words]
        else:
            lexicon[kind] = words
    return lexicon


def _grammar(lexicon: Iterable[str]) -> dict[str, list[Rule]]:
    """The rules of each symbol, read from the notation above, for all values of their features."""
    found: dict[str, dict[tuple[str, str], float]] = {}  # symbol -> (Velu side, English side) -> weight
    for line in filter(None, RULES.split("\n")):
        if "|" not in line:
            head = line
            continue
        letters = [x for x in VALUES if x in head + line]
        share = prod(len(VALUES[x]) for x in letters if x not in head)
        for values in product(*(sorted(set(VALUES[x])) if x in head else VALUES[x] for x in letters)):
            fill = str.maketrans(dict(zip(letters, values, strict=True)))
            weight, velu, english = line.translate(fill).split(" | ")
            sides = re.sub("~(.)", lambda number: "i" if number[1] == "p" else "", velu), english
            alternatives = found.setdefault(head.translate(fill), {})
            alternatives[sides] = alternatives.get(sides, 0.0) + float(weight) / share
    grammar = {}
    for symbol, alternatives in found.items():
        *_, total = accumulate(alternatives.values())  # not sum(), whose rounding is not the same in every Python
        grammar[symbol] = [
            _rule(velu.split(), english.split(), weight / total, {*lexicon, *found})
            for (velu, english), weight in alternatives.items()
        ]
    return grammar


def _rule(velu: list[str], english: list[str], weight: float, names: set[str]) -> Rule:
    """names: of all symbols; what else stands in velu and english is a word."""
    items = [re.sub("[0-9]", "", item) for item in velu]  # np1.ms is an np.ms
    symbols = [item for item in items if item in names]
    marked = [item for item, plain in zip(velu, items, strict=True) if plain in names]
    places = {item: f"{{{place}}}" for place, item in enumerate(marked)}
    said = []
    for item in english:
        word, _, feature = item.partition(".")
        said.append(places[item] if item in places else AGREEING[word][feature] if feature else item)
    order = " ".join(places.get(item, item) for item in velu)
    return Rule(weight, tuple(items), tuple(symbols), order, " ".join(said))


LEXICON = _lexicon()
MEANINGS = {kind: dict(words) for kind, words in LEXICON.items()}
GRAMMAR = _grammar(LEXICON)


class Node(NamedTuple):
    """All that a symbol of some length can become: options (velu, english, parts) of probability weights / total.

    parts: what is said in the places of velu and english, a Node or the list of words of a kind. sums: running, to 1.
    """

    weights: list[float]
    total: float
    sums: list[float]
    options: list[tuple]


@cache
def _node(symbol: str, length: int) -> Node:
    """length: in Velu words. `total` is the probability that the symbol has this length."""
    weights, options = [], []
    for rule in GRAMMAR[symbol]:
        if rule.velu == rule.english == "{0}" and rule.symbols[0] in GRAMMAR:  # another symbol and no more
            other = _node(rule.symbols[0], length)
            weights += [rule.weight * weight for weight in other.weights]
            options += other.options
        else:
            for weight, parts in _shares(rule.symbols, length - len(rule.items) + len(rule.symbols)):
                weights.append(rule.weight * weight)
                options.append((rule.velu, rule.english, parts))
    *sums, total = accumulate(weights, initial=0.0)
    return Node(weights, total, [part / total for part in sums[1:]] + [1.0], options)


@cache
def _shares(symbols: tuple[str, ...], length: int) -> list[tuple[float, tuple]]:
    """All ways to share out so many words among symbols: (probability, parts)."""
    if not symbols:
        return [(1.0, ())] if length == 0 else []
    shares = []
    for first in range(1, length - len(symbols) + 2):
        if symbols[0] in LEXICON:
            part, weight = LEXICON[symbols[0]], float(first == 1)
        else:
            part = _node(symbols[0], first)
            weight = part.total
        if weight:
            shares += [(weight * more, (part, *parts)) for more, parts in _shares(symbols[1:], length - first)]
    return shares


def _grow(node: Node, random_: Callable[[], float]) -> tuple[str, str]:
    """One of all that a node can become, at random: (Velu, English)."""
    velu, english, parts = node.options[bisect(node.sums, random_())]
    grown = [part[int(random_() * len(part))] if type(part) is list else _grow(part, random_) for part in parts]
    ours, theirs = zip(*grown, strict=True)
    return velu.format(*ours), english.format(*theirs)


def _read(words: list[str], symbol: str, start: int, memo: dict) -> list[tuple[int, str]]:
    """Every way in which words[start:end] can be this symbol: (end, English)."""
    if symbol in MEANINGS:
        english = MEANINGS[symbol].get(words[start]) if start < len(words) else None
        return [(start + 1, english)] if english else []
    if (symbol, start) not in memo:
        memo[symbol, start] = [
            (end, rule.english.format(*parts))
            for rule in GRAMMAR[symbol]
            for end, parts in _read_all(words, rule.items, start, memo)
        ]
    return memo[symbol, start]


def _read_all(words: list[str], items: tuple[str, ...], start: int, memo: dict) -> Iterator[tuple[int, tuple]]:
    """Every way in which words[start:end] can be these words and symbols: (end, the English of each symbol)."""
    if not items:
        yield start, ()
    elif items[0] in GRAMMAR or items[0] in MEANINGS:
        for end, english in _read(words, items[0], start, memo):
            for last, more in _read_all(words, items[1:], end, memo):
                yield last, (english, *more)
    elif words[start : start + 1] == [items[0]]:
        yield from _read_all(words, items[1:], start + 1, memo)
