# %% [markdown]
# # 01: counting
#
# A language model reads a text and says what may come next. The simplest one looks up what came next all the other
# times. It does nothing that you could not do with a pencil, and the next two lessons have to work hard to beat it.
#
# This goes with [lesson 01](../../model-01-ngram/README.md), which says why; here you try it out. Run the cells in
# order. Where it says **Guess first**, guess before you run the cell. Where it says **Change it**, change a number, run
# the cell again, and see whether what comes out is what you thought.

# %%
import math
import re
from collections import Counter

import torch
from page import draw, result_figure, result_table, show, wrapped

from shared.data import load_corpus
from shared.lessons import find_lesson, load
from shared.recall import by_distance, recall
from shared.sampling import generate
from shared.tokenizers import train_tokenizer
from shared.visualize import figure, plot_lines, plot_recall, plot_text_heatmap

torch.set_num_threads(1)
corpus = load_corpus("fables")
tokenizer = train_tokenizer("char", corpus.train)
train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
print(wrapped(corpus.train[: corpus.train.index("\n", 500)]), "...\n")
print(f"{len(train_ids):,} characters to learn from, {len(val_ids):,} others to be tested on, "
      f"{tokenizer.vocab_size} different ones")  # fmt: skip

# %% [markdown]
# These fables are drawn from a grammar, so they are the same for everybody, and it is known how well anything can ever
# predict them. Remember that; it is the dashed line in the figures below.
#
# ## With a pencil
#
# What follows a given piece of text? Look for every place where it stands, and count.
#
# **Guess first:** how many different letters will you find after `q`? After `the f`? And what becomes of the counts as
# the piece gets longer?

# %%
def followers(context):
    return Counter(re.findall(f"(?={re.escape(context)}(.))", corpus.train, re.DOTALL))


for context in ("q", "f", "e f", "the f", "near the f", "lived near the f"):
    found = followers(context)
    shown = "  ".join(f"{letter!r} {count:,}" for letter, count in found.most_common(7))
    print(f"{context!r:>20}  {found.total():>6,} times, {len(found):2} different:  {shown}")

# %% [markdown]
# Two things happen at once. The longer the piece, the surer the guess; and the fewer the places from which it is made.
# All of this lesson is about that bargain.
#
# Here are all pairs of letters at once. A row is a letter, and the colours say what comes after it: a model with a
# memory of one character, complete.

# %%
letters = [letter for letter, _ in Counter(corpus.train).most_common(34)]
pairs = Counter(zip(corpus.train, corpus.train[1:], strict=False))
rows = torch.tensor([[pairs[first, second] for second in letters] for first in letters], dtype=torch.float)
fig, ax = figure(6.6, 6.2)
names = ["⏎" if letter == "\n" else "␣" if letter == " " else letter for letter in letters]
image = ax.imshow((rows / rows.sum(dim=1, keepdim=True)) ** 0.5, cmap="OrRd")
ax.set_xticks(range(len(names)), names, fontsize=8, family="DejaVu Sans Mono")
ax.set_yticks(range(len(names)), names, fontsize=8, family="DejaVu Sans Mono")
ax.grid(visible=False)
ax.set(title="What comes after what (the darker, the likelier)", xlabel="the next character", ylabel="this one")
show(fig)

# %% [markdown]
# Find the row of `q`. Find a letter that may be followed by nearly anything. Which column is dark almost everywhere?
#
# ## The lesson's model
#
# Every model of this course is called in one way, `logits, state = model(token_ids, state)`. The state is what it
# remembers. For an n-gram that is the last n-1 tokens, and nothing else.

# %%
lesson = load(find_lesson("01") / "model.py")


def fit(order, smoothing="kneser-ney"):
    model = lesson.NGramLM(lesson.NGramConfig(tokenizer.vocab_size, order, smoothing))
    model.fit(train_ids)
    return model


model = fit(5, "none")
logits, state = model(torch.tensor([tokenizer.encode("Once upon a time there lived near the f")]))
print("remembers", repr(tokenizer.decode(state[0].tolist())))

found = followers(tokenizer.decode(state[0].tolist()))
for letter, count in found.most_common(4):
    probability = logits[0, -1, tokenizer.encode(letter)[0]].exp().item()
    print(f"  {letter!r}   counted {count / found.total():.4f}   the model says {probability:.4f}")

# %% [markdown]
# Without smoothing (`"none"`) it is the pencil, only faster. With Kneser-Ney smoothing it takes a little from every
# count and gives it to the shorter piece, so that what was never seen is not impossible.
#
# ## How far back should one look?
#
# **Guess first:** the loss is what a character costs on average, in nats; lower is better. We try every memory from no
# character at all to 11 of them. Where will it stop getting better? And how many of the test's characters will plain
# counting call impossible?

# %%
ORDERS = range(1, 13)
loss, models = {}, {}
print(" n   loss, nats   characters that plain counting calls impossible   numbers stored")
for n in ORDERS:
    models[n] = fit(n)
    loss[n] = -models[n].log_prob(val_ids).mean().item()
    impossible = fit(n, "none").log_prob(val_ids).isinf().sum().item()
    print(f"{n:2}   {loss[n]:10.4f}   {impossible:47,}   {sum(models[n].config.sizes):14,}")

floor = corpus.floor["val"]
draw(plot_lines, {"Kneser-Ney": (list(loss), list(loss.values()))}, "What a longer memory buys", "order n",
     "nats per character", {"floor": floor})  # fmt: skip

# %% [markdown]
# One single impossible character, and the mean is infinite: where that column is not 0, plain counting has no loss.
# With smoothing it falls and falls, and the table grows with it. There is a gap to the dashed line that no n of this
# figure closes. What is in the gap?
#
# **Change it:** `range(1, 17)`. Which of the two columns grows faster, what you gain or what you store?
#
# ## What it writes
#
# Draw the next character, append it, forget all but the last n-1, and so on.

# %%
PROMPT = "\nOnce upon a time there was a "
for n in (1, 2, 3, 5, 8, 12):
    generator = torch.Generator().manual_seed(1)
    written = tokenizer.decode(list(generate(models[n], tokenizer.encode(PROMPT), 230, generator=generator)))
    print(f"n = {n}\n{wrapped(PROMPT.strip() + ' | ' + written)}\n")

# %% [markdown]
# Read them in a row: letters, then syllables, then words, then phrases. In the last one each phrase is right. Now read
# it as a *story*: who is it about?
#
# ## Where is it surprised?
#
# Each character is painted by what it cost, in bits: white was expected, red was not.

# %%
start = corpus.val.index("\n\n") + 2  # the second fable; what stands before it is read first
BEFORE, TEXT = corpus.val[start - 20 : start], corpus.val[start : start + 360]
ids, bits = torch.tensor(tokenizer.encode(BEFORE + TEXT)), {}
for n in (2, 5, 12):
    bits[f"n = {n}"] = (-models[n].log_prob(ids)[-len(TEXT) :] / math.log(2)).clamp(max=8).tolist()
draw(plot_text_heatmap, TEXT, bits, "What each character cost (the reddest: 8 bits or more)", columns=72)

# %% [markdown]
# With n = 2 there is red everywhere. With n = 12 nearly all is white, and what is left stands at the beginning of
# words: places where the story makes a choice. Some of those are real choices, which nobody could have known. But a
# name that was said before is no choice. Find one that costs all the same.
#
# **Change it:** put a sentence of your own into `TEXT`. Use words of the fables, then one that is not among them.
#
# ## It remembers n-1 characters. Does it?
#
# A check that comes back in every lesson. Reading a text at once, or in pieces with the state handed on, must give the
# same numbers. Whoever forgets to hand it on gets another model, and no error.

# %%
model, ids = models[8], val_ids[None, :5000]
whole, _ = model(ids)
carried, dropped, state = [], [], None
for piece in ids.split(7, dim=1):
    logits, state = model(piece, state)
    carried.append(logits)
    dropped.append(model(piece)[0])


def cost(logits):
    return -logits[:, :-1].gather(2, ids[:, 1:, None]).mean().item()


print(f"largest difference, state carried: {(torch.cat(carried, dim=1) - whole).abs().max().item():.1e}")
print(f"largest difference, state dropped: {(torch.cat(dropped, dim=1) - whole).abs().max().item():.1e}")
print(f"loss: {cost(whole):.4f} nats at once, {cost(torch.cat(carried, dim=1)):.4f} carried, "
      f"{cost(torch.cat(dropped, dim=1)):.4f} dropped every 7 characters")  # fmt: skip

# %% [markdown]
# ## What no n can do
#
# A fable names its hero, something the hero owns, and a place; later it names them again. At each such place we let the
# model choose among all twelve heroes (things, places), and count how often it is right, by how many characters ago the
# word was said last.
#
# **Guess first:** draw the curve for n = 12 before you look. It remembers 11 characters. What is right of that?

# %%
READ = 40_000
points = [point for point in corpus.points["val"] if point.start < READ]
curves = {}
for n in (5, 8, 12, 16):
    models[n] = models.get(n) or fit(n)
    curves[f"n = {n}"] = by_distance(recall(models[n], tokenizer, corpus.val[:READ], points))
draw(plot_recall, curves, "What counting recalls")

# %% [markdown]
# A longer memory knows more of what is near, and of the rest nothing. To see 100 characters back one would need n =
# 101, and a text in which every hundred characters that matter have been seen before. There is none.
#
# ## Two results that take longer
#
# The lesson's experiments, on Tiny Shakespeare. First: of what a model writes, how much stands word for word in its
# training text?

# %%
result_figure("model-01-ngram", "copying")

# %% [markdown]
# The finest samples are copies. A nice text proves little, and neither does a low loss. Then: what more text would
# bring.

# %%
result_table("model-01-ngram", "data_size", ["characters", "loss, n = 3", "loss, n = 7", "contexts of 6 seen before"])

# %% [markdown]
# ## What is left to wish for
#
# - **Nothing is like anything else.** A table that knows "the old fox" learns nothing from it about "the old bear". To
#   a table, the two are two numbers.
# - **The horizon is hard**, and moving it costs a table that grows with the text.
#
# [Lesson 02](02-mlp.ipynb) begins with the first: let each character be a vector, and let similar ones have similar
# vectors. What must one pay for that? Before you go: `python -m shared.exercises 01`, the first two.
