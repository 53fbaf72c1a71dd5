"""The built-in corpus: short fables drawn from a small probabilistic grammar, so that its exact entropy is known.

The grammar is data: the word lists and the RULES below. One small engine reads it and needs somebody to make its
choices. A random generator makes them and draws a fable; a parser makes them by looking at a text and so recovers what
was drawn; an odometer makes them all, one after another, and lists every text (for small grammars, in the tests).

    >>> fables = draw_fables(seed=1, characters=2000)
    >>> print(fables.text, fables.floor, fables.points[0])

Nobody can predict this text better, on average, than the grammar that made it: `floor`, in nats per character, is the
loss that no honest model goes below. `points` are the places where a word is certain for whoever remembers the story.
Standard library only; the same text on every machine and every Python (`SHA256`).
"""

import math
import random
import re
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

# ---------------------------------------------------------------------------------------------------------------------
# The words that a story draws once and then remembers. All members of a list are equally likely. A word has forms:
# {hero} "fox", {a hero} "a fox", {he hero} "he", {His hero} "His" ...


def _forms(word: str, **forms: str) -> dict[str, str]:
    forms = {"": word, "a": ("an " if word[0] in "aeiou" else "a ") + word} | forms
    return forms | {name.capitalize(): form.capitalize() for name, form in forms.items() if name}


def _animals(he: str, she: str, it: str) -> list[dict[str, str]]:
    return (
        [_forms(word, he="he", him="him", his="his") for word in he.split()]
        + [_forms(word, he="she", him="her", his="her") for word in she.split()]
        + [_forms(word, he="it", him="it", his="its") for word in it.split()]
    )


def _folk(one: str, many: str) -> list[dict[str, str]]:
    return [_forms(word, this=f"this {word}", was="was", has="has", does="does") for word in one.split()] + [
        _forms(word, this=f"these {word}", was="were", has="have", does="do") for word in many.split()
    ]


WORDS = {
    "animal": _animals("fox bear goat donkey rooster", "owl hen cat magpie turtle", "mouse lamb ant duckling snail crab"),
    "object": [_forms(w) for w in "lantern key bell drum rope acorn umbrella spoon candle whistle jug fiddle "
               "mirror needle teapot quilt".split()],
    "place": [_forms(w) for w in "mill orchard bridge cave harbour tower garden lake forge island palace quarry "
              "rock stable village wharf".split()],
    "folk": _folk("miller tailor widow cobbler", "sisters children weavers pilgrims"),
    "number": [_forms(w) for w in "two three four five six".split()],
    "sound": [_forms(w, s=w + "s") for w in "knock tap bang thump".split()],
}

# ---------------------------------------------------------------------------------------------------------------------
# The rules. Under a rule's name stand its alternatives, WEIGHT|TEXT (no weight means 1), or on one line the words of a
# list, commonest first (word k of them has weight 1/(k + 1), k = 1, 2, ...). In a text
#     {rule}            goes on with one of that rule's alternatives
#     {a hero=animal}   draws an animal that no other name holds now, calls it hero, and says it in the form "a"
#     {he hero}         says the form "he" of the hero; {hero} says the plain word
#     {!hero}           the same, and marks it as a recall point: whoever knows the story so far knows this word.
#                       Its kind is the name (hero), "pronoun", "agreement", or given: {!owner:guest}
#     {repeat sound number}  "knock, knock, knock."
#     " and ` open and close double and single quotation marks, ( and [ open a bracket, ) closes the innermost one:
#     each closing mark is a recall point, too. \n is a new line.
# At every choice the text that follows tells the alternatives apart, so no text has two derivations.

RULES = r"""
fable
|{opening} {find}\n{unit} {unit} {unit}{more}
more
5| {unit}{more}
2|\n{unit}{more}
3|\n{ending}

opening
4|Once upon a time {a hero=animal} lived {by} the {place=place}{company}
3|Long ago, when {olden}, {a hero=animal} had a {small} house {by} the {place=place}{company}
2|There was once {a hero=animal}, known to all as the {!hero} of the {place=place}.
2|In the days of {elder}, {a hero=animal} came to live {by} the {place=place}{company}
1|Far from the {land=place}, but close to the {place=place}, there lived {a hero=animal}.
1|Next door to {a guest=animal}, {by} the {place=place}, lived {a hero=animal}, {trait} but {virtue}.
by = by, behind, near, below
company
3|.
3|, {trait} but {virtue}.
2|, with {a guest=animal} for a neighbour.
2|, and went no further than the {!place}.
1|, and all the songs there were about the {!hero}.
olden = the hills were young, bread was sweeter, nobody was in a hurry
small = small, crooked, green, leaky
worn = small, old, cracked
trait = proud, idle, greedy, stubborn, timid
virtue = kind, honest, patient, curious, happy
elder = our grandmothers, the old king, the great flood

find
3|One {morning} {!he hero} found {a object=object} {spot}{claim}
2|{!He hero} owned nothing but {a object=object}{claim}
2|For {!his hero} birthday a cousin sent {!him hero} {a object=object}{claim}
1|Under the floor, {wrapped} in straw, lay {a object=object}{claim}
morning = morning, evening, day, winter, market day
spot = under a hedge, in the grass, by the road, in an old boot
claim
4|.
2|, and {!he hero} was {mood}.
2|, {worn} but loved, and the {!object} was never far away.
1|, and nobody in the world was as {mood} as the {!hero}.
mood = happy, content, sleepy, puzzled
wrapped = hidden, asleep

unit
5|{weather}
4|{chores}
4|{crowd}
3|{knocking}
3|{rumour}
5|{visit}
3|{fair}
10|{memory}
2|{saying}

weather
2|All {night} the {wind} {blew} {over} the {fields}.
2|{Rain} fell {softly} on the {fields}.
1|A {thin} moon rose {softly} {over} the {fields}.
1|By {noon} the {fields} were {bright} again.
night = night, day, week, summer
wind = wind, rain, storm
blew = blew, sang, whispered
over = over, behind, across, under
softly = softly, slowly, for hours, without a sound
fields = fields, hills, roofs, woods, chimneys
Rain = Rain, Snow, Moonlight
thin = thin, red, cold
noon = noon, dawn
bright = bright, silver, white, quiet

chores
3|{!He hero} {mended} the {fence} and {painted} the {stairs}.
2|Every {night} {!he hero} {mended} the {fence}, {sang} and {slept}.
1|After that {!he hero} {sang}.
mended = mended, swept, scrubbed
painted = painted, counted, washed
fence = fence, roof, chairs, floor
stairs = stairs, windows, walls
sang = baked bread, wrote a letter, fed the fire, washed {!his hero} hands, sang an old song
slept = slept, went to bed

crowd
2|{This folk=folk} {beside} {!was folk} {busy}.
1|They say that {this folk=folk} {beside} {!has folk} {never} {laughed}.
1|Even {this folk=folk} {beside} {!was folk} {busy}, and that means {trouble}.
beside = by the gate, with the red hats, from the next valley, at the windows, across the river, among the trees
busy = never in a hurry, half asleep, too busy to look up, full of questions, fond of soup
never = never, always, not once
laughed = laughed, told the truth, gone home early
trouble = trouble, rain, nothing at all

knocking
2|Then came {number=number} {s sound=sound} at the {door}: {repeat sound number} {after}
1|Somewhere below there were {number=number} {s sound=sound}: {repeat sound number} {after}
door = door, window, wall
after
2|Nobody was there.
2|"That makes {!number}," {!he hero} whispered.
1|Not one more, not one less: just {!number}.
1|{!He hero} {waited}, but after those {!number} there was only the {wind}.
waited = waited, listened

rumour
1|Nobody slept well that {night} {aside}.
1|People said the {fields} were full of ghosts {aside}.
1|Such things happen {aside}.
1|The road home was long {aside}.
aside
2|({hearsay}{aside2}
1|[{hearsay}{aside2}
aside2
3|)
1| ({hearsay}{aside3})
1| [{hearsay}{aside3})
aside3
2|)
1| ({hearsay}))
1| [{hearsay}))
hearsay = or so they say, my aunt was there, as everyone knows, I never asked why, the cook told me so, a long story

visit
1|{arrival} {request} {reply}
arrival
3|Soon {a guest=animal} {came} by with {a ware=object} from the {land=place}.
2|Down the road {came} {a guest=animal}, {a ware=object} on {!his guest} back, all the way from the {land=place}.
1|At the gate stood {a guest=animal}, just back from the {land=place}, with {a ware=object}.
came = came, walked, danced, wandered
request
2|"Will you {trade}?" asked the {!guest}.
1|"I would give my {!ware} for {yours}," said the {!guest}.
1|"What do you {keep} in there?" asked the {!guest}.
1|The {!guest} {looked} in at the {door}.
trade = trade, walk with me, sing with me
yours = a crust of bread, a bed, yours, one kind word
keep = keep, hide
looked = looked, laughed, whispered
reply
3|"{no}, for {why}," {answered}
1|But {!he hero} only {shook} {!his hero} head.
no = Not today, Thank you, Perhaps tomorrow, Certainly not
why
2|the {!object} stays here
2|I have {all}
1|winter is near
all = all I need, work to do, no time
answered
2|answered the {!hero}.
1|{!he hero} said.
shook = shook, scratched

fair
2|At the fair {a guest=animal} {had} {a ware=object} and {a rival=animal} {had} {a goods=object}. {query}
1|Two strangers passed: {a guest=animal} with {a ware=object}, and {a rival=animal} with {a goods=object}. {query}
had = had, sold, bought, lost
query
1|"Whose is the {ware}?" asked {a_child}. "The {!owner:guest} knows," said {the_cook}.
1|"Whose is the {goods}?" asked {a_child}. "The {!owner:rival} knows," said {the_cook}.
a_child = a child, a soldier, a beggar
the_cook = the cook, the judge, the old king

memory
2|All the while the {!hero} {dreamt} of home.
2|Still the {!hero} kept the {!object} {safe}.
2|Back at the {!place} the {lamps} were {bright}.
1|Word of the {!object} had reached {the_cook}.
1|Home was still the {!place}, {come_what_may}.
1|Only the {!hero} {knew} better.
1|Inside, the {!object} lay {safe}.
dreamt = dreamt, thought, spoke, sang
safe = safe, close, dry, under the bed
lamps = lamps, windows, walls, trees
come_what_may = come what may, rain or shine
knew = knew, slept

saying
1|"{proverb}," {the_cook} used to say.
1|"My father used to say, `{proverb}.`" sighed {a_child}.
proverb
2|{Patience} is worth more than {gold}
1|{Small} {gifts} go far
1|He who {shares} is never {poor}
1|What is {kept} too long grows {cold}
1|Never {sell} {a_friend} for {gold}
Patience = Patience, Kindness, A friend, Sleep, An honest word
Small = Small, Slow, Gentle
gifts = gifts, feet, words
gold = gold, a full purse, ten kings, a song
shares = shares, listens, sings
poor = poor, alone, lost
kept = kept, hidden, wanted
cold = cold, heavy, old
sell = sell, trade
a_friend = a friend, a promise, your sleep

ending
3|So in the end it was the {!hero} who kept the {!object}, {at_last}.\n{moral}
2|To this day the {!object} hangs at the {!place}, where the {!hero} left it.\n{moral}
2|If you pass the {!place} you may still hear the {!hero}, {at_last}.\n{moral}
1|Nobody else wanted the {!object}, so it stayed with the {!hero}.\n{moral}
at_last = and nobody minded, old and content, as was only right, singing
moral
1|Moral: {proverb}.\n\n
1|{proverb}.\n\n
"""

SHA256 = {"train": "", "val": "", "test": ""}  # of the texts of splits()

# ---------------------------------------------------------------------------------------------------------------------
# What is drawn


@dataclass(frozen=True, slots=True)
class RecallPoint:
    """A place in the text where the grammar leaves one word only, which the story so far determines.

    kind        hero, object, place (named at the start), guest, ware (the latest visitor), owner (who has what?),
                pronoun, agreement, number, count (does the list go on?), quote, bracket
    start       index in the text of the word's first character
    answer      the word
    candidates  all members of its category that a model can be asked to choose from, the answer among them; no one of
                them begins another
    distance    characters back from start to the start of the latest mention that determines the answer
    """

    kind: str
    start: int
    answer: str
    candidates: tuple[str, ...]
    distance: int


class Span(NamedTuple):
    """One fable: text[start:end], and the negative log-probability in nats with which it was drawn."""

    start: int
    end: int
    nll: float


@dataclass(frozen=True)
class Fables:
    """Text with what is known about it. nll: nats, exact, of all that was drawn."""

    text: str
    nll: float
    fables: list[Span] = field(repr=False)
    points: list[RecallPoint] = field(repr=False)

    @property
    def floor(self) -> float:
        """The exact negative log-probability of this text in nats per character."""
        return self.nll / len(self.text)


def draw_fables(seed: int, characters: int) -> Fables:
    """Draw whole fables until the text has at least that many characters."""
    rng = random.Random(seed)
    pieces, spans, points, at = [], [], [], 0
    while at < characters:
        fable = FABLES.draw(rng, at)
        pieces += fable.pieces
        points += fable.points
        spans.append(Span(at, fable.at, fable.nll))
        at = fable.at
    return Fables("".join(pieces), math.fsum(span.nll for span in spans), spans, points)


def splits(
    train_characters: int = 1_000_000, val_characters: int = 111_000, test_characters: int = 111_000
) -> dict[str, Fables]:
    """The corpus: "train", "val" and "test", three draws from seeds of their own. Each ends at the end of a fable."""
    sizes = {"train": train_characters, "val": val_characters, "test": test_characters}
    return {name: draw_fables(seed, sizes[name]) for seed, name in enumerate(sizes, start=1)}


def parse_fable(text: str) -> list[tuple[str, int | str]]:
    """The choices that made one fable, in order: (rule, number of the alternative) or (name, word drawn).

    Raises ValueError where the text is not a fable of this grammar.
    """
    return FABLES.parse(text).choices


def fable_nll(text: str) -> float:
    """The negative log-probability of one fable in nats, from its text alone. Raises ValueError as parse_fable does."""
    return FABLES.parse(text).nll


# ---------------------------------------------------------------------------------------------------------------------
# The engine

CLOSING = {"(": ")", "[": "]", '"': '"', "'": "'"}
PRONOUNS, VERBS = ("he", "him", "his", "He", "Him", "His"), ("was", "has", "does")


class Rule(NamedTuple):
    """options: a list of texts, each a tuple of steps; cumulative: running sums of their probabilities; nll: nats."""

    options: list[tuple]
    cumulative: list[float]
    nll: list[float]


def _rule(options: list[tuple], weights: list[float]) -> Rule:
    total = math.fsum(weights)
    cumulative = [share / total for share in accumulate(weights)]
    return Rule(options, cumulative[:-1] + [1.0], [math.log(total / weight) for weight in weights])


class Grammar:
    """Rules and words, read from the notation above. start: the rule that every text begins with."""

    def __init__(self, rules: str, words: dict[str, list[dict[str, str]]], start: str = "fable"):
        self.words, self.start, self.rules = words, start, {}
        blocks: dict[str, list[tuple[float, str]]] = {}
        for line in filter(None, rules.splitlines()):
            if "|" in line:
                weight, text = line.split("|", 1)
                blocks[name].append((float(weight or 1), text.replace(r"\n", "\n")))
            elif " = " in line:
                name, options = line.split(" = ")
                blocks[name] = [(1 / (k + 1), word) for k, word in enumerate(options.split(", "), start=1)]
            else:
                name = line
                blocks[name] = []
        for name, lines in blocks.items():
            self.rules[name] = _rule([self._steps(text, blocks) for _, text in lines], [weight for weight, _ in lines])
        self.uniform = {n: _rule([()] * n, [1.0] * n) for n in range(1, 1 + max(map(len, words.values()), default=0))}

    def _steps(self, text: str, blocks: dict) -> tuple:
        """A rule's text as steps (what, ...)."""
        steps, quotes = [], []
        for slot, mark, piece in re.findall(r"\{(.*?)\}|([\"`(\[)])|([^{}\"`(\[)]+)", text):
            name, _, category = slot.partition("=")
            form, _, name = name.rpartition(" ")
            recall, form = form.startswith("!") or name.startswith("!"), form.removeprefix("!")
            kind, _, name = name.removeprefix("!").rpartition(":")
            if piece:
                steps.append(("text", piece))
            elif mark in ("(", "["):
                steps.append(("open", mark))
            elif mark == ")":
                steps.append(("close", None))
            elif mark and quotes and quotes[-1] == mark:
                steps.append(("close", quotes.pop().replace("`", "'")))
            elif mark:
                quotes.append(mark)
                steps.append(("open", mark.replace("`", "'")))
            elif category:
                steps.append(("draw", name, category, form))
            elif slot in blocks:
                steps.append(("rule", slot))
            elif slot.startswith("repeat "):
                steps.append(("repeat", form.removeprefix("repeat "), name))
            else:
                kind = kind or ("pronoun" if form in PRONOUNS else "agreement" if form in VERBS else name)
                steps.append(("say", name, form, kind if recall else None))
        return tuple(steps)

    def draw(self, rng: random.Random, at: int = 0) -> "Telling":
        """A random text; at: where it begins in a longer one."""
        return Telling(self, lambda telling, rule: bisect(rule.cumulative, rng.random()), at)

    def parse(self, text: str) -> "Telling":
        """The telling that gives this text. At every choice exactly one alternative may fit what follows."""

        def fitting(telling: Telling, rule: Rule) -> int:
            fits = [i for i, steps in enumerate(rule.options) if telling.fits(steps, text, telling.at)]
            if len(fits) != 1 or telling.at >= len(text):
                raise ValueError(f"not a text of this grammar from character {telling.at}: {text[telling.at:][:40]!r}")
            return fits[0]

        telling = Telling(self, fitting)
        if "".join(telling.pieces) != text:
            raise ValueError(f"not a text of this grammar: {text[:40]!r}...")
        return telling

    def texts(self) -> Iterator["Telling"]:
        """Every telling of the grammar, one after another (for small grammars)."""
        script: list[int] = []
        while True:
            made: list[tuple[int, int]] = []

            def next_choice(telling: Telling, rule: Rule) -> int:
                made.append((script[len(made)] if len(made) < len(script) else 0, len(rule.options)))
                return made[-1][0]

            yield Telling(self, next_choice)
            while made and made[-1][0] + 1 == made[-1][1]:
                made.pop()
            if not made:
                return
            script = [choice for choice, _ in made[:-1]] + [made[-1][0] + 1]


class Telling:
    """One text, told from a grammar. `choose(telling, rule)` makes every choice: it returns the number of an option."""

    def __init__(self, grammar: Grammar, choose: Callable[["Telling", Rule], int], at: int = 0):
        self.grammar, self.choose, self.at = grammar, choose, at
        self.pieces: list[str] = []
        self.nll = 0.0
        self.choices: list[tuple[str, int | str]] = []
        self.points: list[RecallPoint] = []
        self.held: dict[str, dict[str, str]] = {}  # name -> the word that it holds
        self.category: dict[str, str] = {}  # name -> the list that the word is from
        self.named: dict[str, int] = {}  # name -> where its word was said last
        self.mentioned: dict[str, int] = {}  # name -> where its word or pronoun was said last
        self.opened: list[tuple[str, int]] = []  # brackets and quotation marks, innermost last
        self.tell((("rule", grammar.start),))

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def tell(self, steps: tuple) -> None:
        """Go through the steps, writing."""
        for step in steps:
            match step:
                case ("text", piece):
                    self.write(piece)
                case ("rule", name):
                    rule = self.grammar.rules[name]
                    option = self.choose(self, rule)
                    self.nll += rule.nll[option]
                    self.choices.append((name, option))
                    self.tell(rule.options[option])
                case ("draw", name, category, form):
                    words = self.free(category)
                    uniform = self.grammar.uniform[len(words)]
                    word = words[self.choose(self, uniform._replace(options=[(("text", w[form]),) for w in words]))]
                    self.nll += uniform.nll[0]
                    self.choices.append((name, word[""]))
                    self.held[name], self.category[name] = word, category
                    self.named[name] = self.mentioned[name] = self.at + word[form].lower().index(word[""])
                    self.write(word[form])
                case ("say", name, form, kind):
                    self.say(name, form, kind)
                case ("open", mark):
                    self.opened.append((mark, self.at))
                    self.write(mark)
                case ("close", _):
                    mark, start = self.opened.pop()
                    kind, marks = ("bracket", (")", "]")) if mark in "([" else ("quote", ('"', "'"))
                    self.points.append(RecallPoint(kind, self.at, CLOSING[mark], marks, self.at - start))
                    self.write(CLOSING[mark])
                case ("repeat", sound, number):
                    self.repeat(self.held[sound][""], number)

    def write(self, piece: str) -> None:
        self.pieces.append(piece)
        self.at += len(piece)

    def free(self, category: str) -> list[dict[str, str]]:
        """The words of a list that no name holds now."""
        held = [id(word) for word in self.held.values()]
        return [word for word in self.grammar.words[category] if id(word) not in held]

    def say(self, name: str, form: str, kind: str | None) -> None:
        """A word that is known already."""
        answer = self.held[name][form]
        if kind:
            candidates = tuple(dict.fromkeys(word[form] for word in self.grammar.words[self.category[name]]))
            given = self.mentioned[name] if kind == "pronoun" else self.named[name]
            self.points.append(RecallPoint(kind, self.at, answer, candidates, self.at - given))
        if form == "":
            self.named[name] = self.mentioned[name] = self.at
        elif form in PRONOUNS:
            self.mentioned[name] = self.at
        self.write(answer)

    def repeat(self, sound: str, number: str) -> None:
        """'knock, knock, knock.': the last comma and the stop are recall points."""
        times = 2 + self.grammar.words["number"].index(self.held[number])
        for left in range(times - 1, -1, -1):
            self.write(sound)
            if left < 2:
                given = self.at - self.named[number]
                self.points.append(RecallPoint("count", self.at, ",." [left == 0], (",", "."), given))
            self.write(", " if left else ".")

    def fits(self, steps: tuple, text: str, at: int) -> bool:
        """Could the text go on like this from `at`? Looks as far as the first choice; past its end all is well."""
        for step in steps:
            match step:
                case ("text", piece):
                    pass
                case ("rule", name):
                    return any(self.fits(option, text, at) for option in self.grammar.rules[name].options)
                case ("draw", _, category, form):
                    return any(self.fits((("text", word[form]),), text, at) for word in self.free(category))
                case ("say", name, form, _):
                    piece = self.held[name][form]
                case ("open", piece):
                    pass
                case ("close", piece):
                    piece = piece or CLOSING[self.opened[-1][0]]
                case ("repeat", sound, _):
                    piece = self.held[sound][""]  # its first word; the rest is certain
            if not text.startswith(piece, at) and not piece.startswith(text[at:]):
                return False
            at += len(piece)
        return True


FABLES = Grammar(RULES, WORDS)
