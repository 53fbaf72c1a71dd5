"""The built-in corpus: short fables drawn from a small probabilistic grammar, so that its exact entropy is known.

The grammar is data: WORDS and RULES below. A small engine tells a text from it and needs somebody to make its choices.
A random generator makes them and so draws a fable; a parser makes them by looking at a fable and so recovers what was
drawn; an odometer makes them all, one way after another, and lists every text (of a small grammar, in the tests).

    fables = draw_fables(seed=1, characters=2000)
    print(fables.text, fables.floor, fables.points[0])

`floor`, in nats per character, is what the grammar itself pays for this text. No honest model of fables pays less on
average. `points` are the places where the story so far leaves one word only. The same text on every Python (SHA256).
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
# The words that a story draws and then remembers, each list with equal chances. A word has forms: {hero} is "fox",
# {a hero} "a fox", {he hero} "he", {His hero} "His" ...


def _words(words: str, **forms: str) -> list[dict[str, str]]:
    listed = []
    for word in words.split():
        of = {"a": ("an " if word[0] in "aeiou" else "a ") + word} | {k: v.format(word) for k, v in forms.items()}
        listed.append({"": word} | of | {form.capitalize(): text.capitalize() for form, text in of.items()})
    return listed


WORDS = {
    "animal": _words("fox bear goat donkey", he="he", him="him", his="his")
    + _words("owl hen cat turtle", he="she", him="her", his="her")
    + _words("mouse lamb ant snail", he="it", him="it", his="its"),
    "object": _words("lantern key bell drum rope umbrella spoon candle whistle fiddle teapot mirror"),
    "place": _words("mill orchard bridge cave harbour tower garden lake forge island quarry village"),
    "folk": _words("miller tailor widow cobbler", this="this {}", was="was", has="has")
    + _words("sisters children weavers pilgrims", this="these {}", was="were", has="have"),
    "number": _words("two three four five six"),
    "sound": _words("knock tap bang thump", s="{}s"),
}

# ---------------------------------------------------------------------------------------------------------------------
# The rules. Under a rule's name stand its alternatives, each WEIGHT|TEXT. In a text
#     {weather}            goes on with one of the alternatives of the rule "weather"
#     {noon, dawn}         goes on with one of these words, the first the likeliest: word k has the weight 1 / (k + 2);
#                          NAME = noon, dawn makes a rule of such a list
#     {a hero=animal}      draws an animal that no name holds now, calls it hero, and says it in the form "a"
#     {hero}, {he hero}    says the word, or a form of it
#     {!hero}, {!he hero}  the same, and marks a recall point: whoever knows the story so far knows this word. Its kind
#                          is "pronoun", "agreement", the name (hero), or what is given: {!owner:guest}
#     {repeat sound number}  says "knock, knock, knock."
#     " and ` open and close double and single quotation marks; ( and [ open a bracket, ) closes the innermost one.
#     Every closing mark is a recall point, too. \n is a new line.
# Wherever there is a choice, the text that follows tells the alternatives apart: no text can be told in two ways.

RULES = r"""
fable
1|{opening} {find}\n{unit} {unit} {unit}{more}
more
5| {unit}{more}
2|\n{unit}{more}
3|\n{ending}\n{moral}\n\n

opening
4|Once upon a time there was {a hero=animal}. The {!hero} lived {by} the {place=place}{company}
3|Long ago, when {olden}, {a hero=animal} had a {small} house {by} the {place=place}{company}
3|{A hero=animal} and {a guest=animal} were once friends, and the {!hero} lived {by} the {place=place}.
1|Not long ago there was {a hero=animal}, known to all as the {!hero} of the {place=place}.
2|In the days of {the old king, the great flood}, {a hero=animal} came to live {by} the {place=place}{company}
2|Far from the {land=place}, but close to the {place=place}, there lived {a hero=animal}. The {!hero} was {trait} but {virtue}.
2|Next door to {a guest=animal}, {by} the {place=place}, lived {a hero=animal}. The {!hero} was {mood}.
by = by, behind, near, below
olden = the hills were young, nobody was in a hurry, kings baked bread
small = small, crooked, green
trait = proud, idle, greedy, stubborn
virtue = kind, honest, patient, curious, happy
company
3|, and the {!place} was {small, old, quiet}.
4|. The {!hero} was {trait} but {virtue}.
2|. People came to the {!place} to see the {!hero}.
2|, with {a guest=animal} for a neighbour. The {!hero} never {asked, knew} why.
2|, far from the {land=place}, and went no further than the {!place}.
1|, and went no further than the {!place}.

find
3|One {morning, evening, day, winter, market day} {!he hero} found {a object=object}{claim}
2|{!He hero} owned nothing but {a object=object}{claim}
2|{!He hero} wanted {a ware=object}, but all {!he hero} had was {a object=object}{claim}
2|For {!his hero} birthday {a friend, an aunt, the old king} sent {!him hero} {a object=object}{claim}
2|Under the floor, {hidden, asleep} in straw, lay {a object=object}{claim}
spot = under a hedge, in the grass, by the road, in an old boot
claim
4|. The {!object} was {small, old, cracked} but loved.
3|. The {!object} had been lost {spot}.
2|, and {!he hero} was {mood}.
2|, better than {a ware=object}, and the {!object} was never far away.
2|, the only one at the {!place}.
1|, and nobody in the world was as {mood} as the {!hero}.
mood = happy, content, sleepy, puzzled

unit
3|{weather}
5|{chores}
2|{crowd}
2|{knocking}
2|{rumour}
5|{visit}
3|{fair}
14|{memory}
2|{saying}

weather
3|All {night} the {wind} {blew, sang, whispered} {over} the {fields}.
3|{Rain, Snow, Moonlight} fell {softly} {over} the {fields}.
2|A {thin, red, cold} moon rose {softly} {over} the {fields}.
2|By {noon, dawn} the {fields} were {bright} again.
1|Then the {wind} came {softly} {over} the {fields} and was gone by {noon, dawn}.
night = night, day, week, summer
wind = wind, rain, storm
over = over, behind, across
softly = softly, slowly, without a sound
fields = fields, hills, roofs, woods, chimneys
bright = bright, silver, white, quiet

chores
4|The {!hero} {mended} the {fence} and {painted} the {walls}.
2|Every {night} the {!hero} {painted} the {!object}, {sang} and {slept, went to bed}.
1|{!He hero} {sang} and {slept, went to bed}.
1|After that {!he hero} {sang}.
1|When all was {quiet, white, cold}, {!he hero} {mended} the {fence} and {sang}.
mended = mended, swept, scrubbed
painted = painted, counted, washed
fence = fence, roof, chairs, floor
walls = walls, windows, stairs
sang = baked bread, wrote a letter, fed the fire, washed {!his hero} hands, sang an old song

crowd
3|{This folk=folk} {beside} {!was folk} {busy}.
2|They say that {this folk=folk} {beside} {!has folk} {never, always, not once} {laughed, told the truth}.
1|Even {this folk=folk} {beside} {!was folk} {busy}, and that means {nothing at all, rain, snow}.
1|How {happy, idle, quiet} {this folk=folk} {beside} {!was folk}!
beside = by the gate, with the red hats, from the next valley, at the windows, across the river, among the trees
busy = never in a hurry, half asleep, too busy to look up, full of questions, fond of soup

knocking
2|Then came {number=number} {s sound=sound} at the {door}: {repeat sound number} {after}
1|Somewhere {by} the stairs there were {number=number} {s sound=sound}: {repeat sound number} {after}
door = door, window, wall
after
2|Nobody was there.
2|"That makes {!number}," {!he hero} {whispered, said}.
1|Not one more, not one less: just {!number}.
1|{!He hero} {waited, listened}, but after those {!number} there was only the {wind}.

rumour
1|Nobody slept well that {night} {aside}.
1|People said the {fields} were full of ghosts {aside}.
1|Such things happen {aside}.
1|Long was the road to the {land=place} {aside}.
aside
2|({hearsay}{deeper}
1|[{hearsay}{deeper}
deeper
5|)
2| ({hearsay}{deeper})
1| [{hearsay}{deeper})
hearsay = or so they say, my aunt was there, as everyone knows, I never asked why, the cook told me so, a long story

visit
1|{arrival} {request} {reply}
arrival
4|Soon {a guest=animal} {came} by. The {!guest} had {a ware=object} from the {land=place}.
2|Down the road {came} {a guest=animal}, {a ware=object} on {!his guest} back, all the way from the {land=place}.
2|At the gate stood {a guest=animal}. The {!guest} was just back from the {land=place}, with {a ware=object}.
came = came, walked, danced, wandered
request
2|"Will you {trade, sing with me}?" asked the {!guest}.
3|"Will you come to the {!land} with me?" asked the {!guest}.
2|"I would give my {!ware} for {a crust of bread, a bed, one kind word}," said the {!guest}.
1|"What do you keep in there?" asked the {!guest}.
1|The {!guest} {looked, laughed, sang} in at the {door, window}.
reply
3|"{Not today, Thank you, Perhaps tomorrow, Certainly not}, for {why}," {answered}
1|But {!he hero} only {shook, scratched} {!his hero} head.
why
2|the {!object} stays here
2|I have {all I need, work to do, no time}
1|{winter, rain, the great flood} is near
answered
2|answered the {!hero}.
1|{!he hero} said.

fair
2|At the {land=place} fair {a guest=animal} {had} {a ware=object} and {a rival=animal} {had} {a goods=object}. {query}
1|Two strangers passed: {a guest=animal} with {a ware=object}, and {a rival=animal} with {a goods=object}. {query}
had = had, sold, bought, lost
query
1|"Whose is the {ware}?" asked {a_child}. "It is the {!owner:guest}'s," said {the_cook}.
1|"Whose is the {goods}?" asked {a_child}. "It is the {!owner:rival}'s," said {the_cook}.
a_child = a child, a soldier, a beggar
the_cook = the cook, the judge, the old king

memory
3|All the while the {!hero} {dreamt, thought, spoke, sang} of home.
3|Still the {!hero} kept the {!object} {safe}.
3|Back at the {!place} the {lamps, windows, walls, trees} were {bright}.
2|Word of the {!object} had reached {the_cook}.
3|Home was still the {!place}, {come what may, rain or snow}.
2|Only the {!hero} {knew, slept} better.
2|Inside, the {!object} lay {safe}.
2|Wherever {!he hero} went, the {!object} went too.
2|At {noon, dawn} {!he hero} was back at the {!place}.
3|In every dream the {!place} was {bright} and near.
2|Not even the {!hero} {knew, asked} why.
safe = safe, close, dry, under the bed

saying
1|"{proverb}," they say at the {land=place}.
1|"My father used to say, `{proverb},`" sighed {a_child}.
proverb
2|{Patience} is worth more than {gold}
1|{Small, Slow, Gentle} {gifts, feet, words} go far
1|He who {shares, listens, sings} is never {poor, alone, lost}
1|What is {kept, hidden, wanted} too long grows {cold, heavy, old}
1|Never {sell, trade} {a friend, a promise, your sleep} for {gold}
Patience = Patience, Kindness, A friend, Sleep, An honest word
gold = gold, a full purse, ten kings, a song

ending
3|So in the end it was the {!hero} who kept the {!object}, {and nobody minded, as was only right}.
2|To this day the {!object} hangs {by} the {!place}, where the {!hero} left it.
2|If you pass the {!place} you may still hear the {!hero}, {old and content, singing, half asleep}.
2|Nobody else wanted the {!object}, so it stayed with the {!hero}.
moral
1|Moral: {proverb}.
1|{proverb}.
"""  # noqa: E501

SHA256 = {  # of the texts of splits()
    "train": "8a0d59672ba08003676b7ebb1f63b3890bc80da75047db77ad3931e53ad3f001",
    "val": "19a466cb22b265b8c6318a7cdc5d791acc12c3f72164f6ceaf4c19d343d85721",
    "test": "564e868de6195870fc4213231f0b5a81e28b099d2d3ff2a048d5c3554084e7d2",
}

# ---------------------------------------------------------------------------------------------------------------------
# What is drawn


@dataclass(frozen=True, slots=True)
class RecallPoint:
    """A place in the text where the grammar leaves one word only, which the story so far determines.

    kind        hero, object, place (named at the start); guest, ware, land (the latest visitor, with what, from where);
                owner (who has what?), pronoun, agreement, number, count (does the list go on?), quote, bracket
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
    """Draw whole fables until the text has at least that many characters. Raises ValueError for less than one."""
    if characters < 1:
        raise ValueError(f"characters must be at least 1, got {characters}")
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
PRONOUNS, VERBS = ("he", "him", "his", "He", "His"), ("was", "has")
SLOT = r"(!)?(?:(\w+):)?(?:(.+) )?(\w+)(?:=(\w+))?"  # !kind:form name=category, most of it optional


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
        blocks = re.findall(r"^(\w+)(?: = (.*)|((?:\n.*\|.*)+))", rules, re.MULTILINE)
        self.words, self.start = words, start
        self.rules: dict[str, Rule] = {name: None for name, _, _ in blocks}  # all names first: rules name one another
        for name, listed, lines in blocks:
            if listed:
                self.rules[name] = self._list(listed)
            else:
                weights, texts = zip(*(line.split("|", 1) for line in lines.split("\n")[1:]), strict=True)
                self.rules[name] = _rule([self._steps(text) for text in texts], [float(weight) for weight in weights])
        self.candidates = {
            (category, form): tuple(dict.fromkeys(word[form] for word in listed))
            for category, listed in words.items()
            for form in listed[0]
        }
        self.uniform = {n: _rule([()] * n, [1.0] * n) for n in range(1, 1 + max(map(len, words.values()), default=0))}

    def _list(self, listed: str) -> Rule:
        options = listed.split(", ")
        return _rule([self._steps(option) for option in options], [1 / (k + 3) for k in range(len(options))])

    def _steps(self, text: str) -> tuple:
        """A text of the notation as steps: ("text", "One "), ("rule", "morning"), ("draw", ...) ..."""
        steps, quotes = [], []
        for slot, mark, piece in re.findall(r"\{(.*?)\}|([\"`(\[)])|([^{}\"`(\[)]+)", text):
            if piece:
                steps.append(("text", piece.replace(r"\n", "\n")))
            elif mark == ")":
                steps.append(("close", None))  # whichever bracket is open
            elif mark in quotes:
                quotes.remove(mark)
                steps.append(("close", mark.replace("`", "'")))
            elif mark:
                quotes += [mark] * (mark in '"`')
                steps.append(("open", mark.replace("`", "'")))
            elif slot in self.rules:
                steps.append(("rule", slot))
            elif ", " in slot:
                self.rules[slot] = self._list(slot)
                steps.append(("rule", slot))
            else:
                recall, kind, form, name, category = re.fullmatch(SLOT, slot).groups(default="")
                if category:
                    steps.append(("draw", name, category, form))
                elif form.startswith("repeat "):
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
            yield Telling(self, _follow(script, made))
            while made and made[-1][0] + 1 == made[-1][1]:
                made.pop()
            if not made:
                return
            script = [choice for choice, _ in made[:-1]] + [made[-1][0] + 1]


def _follow(script: list[int], made: list[tuple[int, int]]) -> Callable:
    """Makes the choices of a script, then the first one always. Notes each, with the number of options, in `made`."""

    def choose(telling: "Telling", rule: Rule) -> int:
        made.append((script[len(made)] if len(made) < len(script) else 0, len(rule.options)))
        return made[-1][0]

    return choose


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
            candidates = self.grammar.candidates[self.category[name], form]
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
            what = step[0]
            if what == "text" or what == "open":
                piece = step[1]
            elif what == "rule":
                return any(self.fits(option, text, at) for option in self.grammar.rules[step[1]].options)
            elif what == "draw":
                return any(self.fits((("text", word[step[3]]),), text, at) for word in self.free(step[2]))
            elif what == "close":
                piece = step[1] or CLOSING[self.opened[-1][0]]
            else:  # a word that is held, or several times a sound, of which the first will do
                piece = self.held[step[1]][step[2] if what == "say" else ""]
            start, at = at, at + len(piece)
            if not piece.startswith(text[start:at]):
                return False
        return True


FABLES = Grammar(RULES, WORDS)
