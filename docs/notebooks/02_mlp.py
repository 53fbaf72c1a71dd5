# %% [markdown]
# # 02: similar things
#
# [Lesson 01](01-ngram.ipynb) left a wish. To a table, "the old fox" and "the old bear" have nothing in common: two
# keys, two numbers. Bengio and others (2003) gave every word a *vector*, and let the network find out which ones it
# needs. It works for characters, too.
#
# This goes with [lesson 02](../../model-02-mlp/README.md). **Guess first** and **Change it** mean what they say.

# %%
import math

import torch
from page import draw, result_figure, result_table, show, wrapped
from torch.nn.functional import cross_entropy

from shared.data import load_corpus
from shared.data.batching import RandomWindows
from shared.evaluation import token_losses
from shared.lessons import find_lesson, load
from shared.recall import by_distance, recall
from shared.sampling import generate
from shared.tokenizers import train_tokenizer
from shared.visualize import COLOURS, figure, plot_bars, plot_lines, plot_recall

torch.set_num_threads(1)
corpus = load_corpus("fables")
tokenizer = train_tokenizer("char", corpus.train)
train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
lesson = load(find_lesson("02") / "model.py")

# %% [markdown]
# ## The model, in four lines
#
# The last 8 characters, each replaced by 16 numbers from a matrix; laid side by side; one hidden layer; a number for
# each character that may come next. Here it is by hand, from the weights of an untrained model, and beside it what the
# model itself says.

# %%
CONTEXT, NUMBERS, HIDDEN = 8, 16, 256
torch.manual_seed(1)
model = lesson.MLPLM(lesson.MLPConfig(tokenizer.vocab_size, CONTEXT, NUMBERS, HIDDEN))
torch.nn.init.normal_(model.embedding.weight, std=0.1)

window = torch.tensor(tokenizer.encode("the hen "))
with torch.no_grad():
    x = model.embedding.weight[window].flatten()
    h = torch.tanh(model.layers[0].linear.weight @ x + model.layers[0].linear.bias)
    by_hand = model.lm_head.weight @ h + model.lm_head.bias
    logits, state = model(window[None])

print(f"{len(window)} characters -> {len(x)} numbers -> {len(h)} hidden units -> {len(by_hand)} logits")
print(f"by hand and by the model, largest difference: {(by_hand - logits[0, -1]).abs().max().item():.1e}")
print(f"{sum(parameter.numel() for parameter in model.parameters()):,} numbers to be learnt")

# %% [markdown]
# **Guess first:** what should the loss be before any training? The model knows nothing, so every character should be
# about equally likely.

# %%
print(f"loss of the untrained model: {token_losses(model, val_ids).mean().item():.3f} nats per character")
print(f"ln({tokenizer.vocab_size}) = {math.log(tokenizer.vocab_size):.3f}")

# %% [markdown]
# That is worth a look before every training. A first loss that is much higher means a bad start; one that is lower
# means that the model has seen something it should not.
#
# ## Train it
#
# The whole loop. At a few steps we stop to let it write.

# %%
STEPS = 3000
WATCH = (0, 100, 500, STEPS)


def write(model, prompt="\nOnce upon a time there was a ", length=100):
    generator = torch.Generator().manual_seed(1)
    ids = list(generate(model, tokenizer.encode(prompt), length, generator=generator))
    return wrapped(prompt.strip() + " | " + tokenizer.decode(ids))


def train(model, steps, watch=lambda step: None, rate=1.5e-2):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99))
    windows, losses = RandomWindows(train_ids, 16, 64, seed=1), []
    for step in range(steps):
        watch(step)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        batch = next(windows)
        logits, _ = model(batch.inputs)
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    watch(steps)
    return losses


def look(step):
    if step in WATCH:
        print(f"step {step}, {token_losses(model, val_ids).mean().item():.3f} nats\n{write(model)}\n")


losses = train(model, STEPS, look)

# %% [markdown]
# Is that good? A 9-gram of lesson 01 sees the same 8 characters. It is the bar; below the floor nobody comes.

# %%
counting = load(find_lesson("01") / "model.py")
table = counting.NGramLM(counting.NGramConfig(tokenizer.vocab_size, CONTEXT + 1))
table.fit(train_ids)
of_table, of_network = -table.log_prob(val_ids), token_losses(model, val_ids)
print(f"network, {sum(p.numel() for p in model.parameters()):7,} numbers: {of_network.mean().item():.4f} nats")
print(f"9-gram,  {sum(table.config.sizes):7,} numbers: {of_table.mean().item():.4f} nats")

smooth = [sum(losses[i : i + 25]) / 25 for i in range(0, STEPS - 24, 25)]
draw(plot_lines, {"training loss": (list(range(25, 25 * len(smooth) + 1, 25)), smooth)}, "One short training", "step",
     "nats per character", {"9-gram": of_table.mean().item(), "floor": corpus.floor["val"]})  # fmt: skip

# %% [markdown]
# ## What has it learnt about letters?
#
# Here is a smaller sister of it, with 2 numbers for each character instead of 16, so that we can draw them as they are.
# Nobody told it what a vowel is, or a capital.
#
# **Guess first:** which characters will lie together? Think of *what they are followed by*.

# %%
def kind(character):
    if character.isalpha():
        return "capitals" if character.isupper() else "vowels" if character in "aeiou" else "consonants"
    return "marks, space, end of line"


torch.manual_seed(1)
sister = lesson.MLPLM(lesson.MLPConfig(tokenizer.vocab_size, CONTEXT, 2, 128))
torch.nn.init.normal_(sister.embedding.weight, std=0.1)  # small, so that what we see was learnt
pictures = {}


def keep(step):
    if step in (0, 100, 600):
        pictures[step] = sister.embedding.weight.detach()[:-1].clone()  # the last row stands before the text


train(sister, 600, keep, rate=1e-2)
KINDS = ("vowels", "consonants", "capitals", "marks, space, end of line")
often = [token for token in range(tokenizer.vocab_size) if (train_ids == token).sum() > 1000]
fig, axes = figure(10.5, 4.2, panels=3)
for ax, (step, vectors) in zip(axes, pictures.items(), strict=True):
    points = vectors[often]
    for token, point in zip(often, points.tolist(), strict=True):
        text = tokenizer.decode([token])
        ax.text(*point, {"\n": "⏎", " ": "␣"}.get(text, text), color=COLOURS[KINDS.index(kind(text))], ha="center",
                va="center", fontsize=12, family="DejaVu Sans Mono")  # fmt: skip
    (left, low), (right, high) = points.min(dim=0).values.tolist(), points.max(dim=0).values.tolist()
    margin = 0.06 * max(right - left, high - low)
    ax.set(xlim=(left - margin, right + margin), ylim=(low - margin, high + margin), xticks=[], yticks=[],
           title=f"after {step} steps")  # fmt: skip
for name, colour in zip(KINDS, COLOURS, strict=False):
    axes[0].plot([], [], "s", color=colour, label=name)
fig.legend(loc="outside lower center", ncols=4, frameon=False)
show(fig)

# %% [markdown]
# **Change it:** another seed. Which groups come back, and which were chance?
#
# ## What is that good for?
#
# To a table, a context in which one letter is wrong is another context, and most likely one that it has never seen.
# Then it must fall back on what stands after the mistake. To the network it lies somewhere near the right one.
#
# **Guess first:** without a mistake the table is the better one (see above). And with one wrong letter, some characters
# ago?

# %%
generator = torch.Generator().manual_seed(1)
starts = torch.randint(len(val_ids) - 13, (3000,), generator=generator)
rows = torch.stack([val_ids[start : start + 13] for start in starts])
small_letters = torch.tensor(tokenizer.encode("abcdefghijklmnopqrstuvwxyz"))
wrong = small_letters[torch.randint(26, (len(rows),), generator=generator)]


@torch.no_grad()
def with_mistake(model, back):
    contexts = rows[:, :-1].clone()
    if back:
        contexts[:, -back] = wrong
    return cross_entropy(model(contexts)[0][:, -1], rows[:, -1]).item()


print(f"without: table {with_mistake(table, 0):.2f} nats, network {with_mistake(model, 0):.2f}")
places = list(range(1, CONTEXT + 2))
fig, ax = figure(7, 3.6)
for name, one, colour in (("9-gram", table, COLOURS[0]), ("network", model, COLOURS[1])):
    ax.plot(places, [with_mistake(one, back) for back in places], marker="o", label=name, color=colour)
ax.set(title="One wrong letter", xlabel="how many characters ago it stands", ylabel="nats for the next one")
ax.set_yscale("log")
ax.set_yticks((0.3, 0.5, 1, 2, 4), ("0.3", "0.5", "1", "2", "4"))
ax.minorticks_off()
ax.legend(frameon=False)
show(fig)

# %% [markdown]
# Right behind the mistake both are lost, and the network, which is surer of itself, more than the table. Some
# characters later it is the other way round, though not by much.
#
# ## The horizon
#
# Replace one character of the past by another, and see how far the guess moves (in bits), by how long ago it stood.
#
# **Guess first:** which of the last 12 characters matters most, and which ones matter not at all? Not hardly: not at
# all.

# %%
@torch.no_grad()
def moved(model, places=400, back=12):
    generator = torch.Generator().manual_seed(1)
    starts = torch.randint(len(val_ids) - back, (places,), generator=generator)
    texts = torch.stack([val_ids[start : start + back] for start in starts])
    before = torch.log_softmax(model(texts)[0][:, -1], dim=1)
    bits = {}
    for distance in range(1, back + 1):
        changed = texts.clone()
        changed[:, -distance] = val_ids[torch.randint(len(val_ids), (places,), generator=generator)]
        after = torch.log_softmax(model(changed)[0][:, -1], dim=1)
        bits[str(distance)] = ((before.exp() * (before - after)).sum(dim=1).mean() / math.log(2)).item()
    return bits


bits = moved(model)
draw(plot_bars, bits, "How far the guess moves when one character is another", "how many characters ago", "bits")
print("beyond the window, exactly:", sorted({value for distance, value in bits.items() if int(distance) > CONTEXT}))

# %% [markdown]
# There is no path from there to the output. It is as if that character had never been.
#
# The other way round: inside the window nothing may get lost. Read in pieces, with the state (the last 8 ids) handed
# on, it must say the same as when it reads all at once.

# %%
with torch.no_grad():
    ids = val_ids[None, :5000]
    whole, state, carried, dropped = model(ids)[0], None, [], []
    for piece in ids.split(5, dim=1):
        logits, state = model(piece, state)
        carried.append(logits)
        dropped.append(model(piece)[0])
for name, pieces in (("carried", carried), ("dropped", dropped)):
    logits = torch.cat(pieces, dim=1)
    loss = cross_entropy(logits[0, :-1], ids[0, 1:]).item()
    print(f"state {name}: largest difference {(logits - whole).abs().max().item():.1e}, loss {loss:.4f} nats")

# %% [markdown]
# ## What it recalls
#
# The fables name a hero, a thing and a place, and name them again later. The network chooses among all twelve.

# %%
READ = 60_000
points = [point for point in corpus.points["val"] if point.start < READ]
bands = by_distance(recall(model, tokenizer, corpus.val[:READ], points))
draw(plot_recall, {f"MLP, {CONTEXT} characters": bands}, "What this network recalls")

# %% [markdown]
# The window is what decides. The lesson's experiment tries windows of 4 to 128 characters:

# %%
result_figure("model-02-mlp", "context")

# %% [markdown]
# A longer window is only a permission. Every place in it has weights of its own, which must be learnt from the same
# text.
#
# ## A bad start
#
# The same network with all weights of size 1 at the start.
#
# **Guess first:** its first loss? And does it catch up in 300 steps?

# %%
lines = {}
for init in ("scaled", "naive"):
    torch.manual_seed(1)
    trial = lesson.MLPLM(lesson.MLPConfig(tokenizer.vocab_size, CONTEXT, NUMBERS, HIDDEN, init=init))
    first = token_losses(trial, val_ids[:5000]).mean().item()
    with torch.no_grad():
        windows, _ = trial.windows(val_ids[None, :2000], None)
        flat = (trial.layers[0](windows).abs() > 0.97).double().mean().item()
    found = train(trial, 300)
    lines[init] = list(range(1, 301, 5)), found[::5]
    print(f"{init}: first loss {first:.2f}; {flat:.0%} of the hidden units sit at -1 or 1; after 300 steps "
          f"{sum(found[-20:]) / 20:.2f}")  # fmt: skip
draw(plot_lines, lines, "A good start and a bad one", "step", "training loss, nats", log_y=True)

# %% [markdown]
# ## Two wrong models
#
# On Tiny Shakespeare, too, counting beats the lesson's network. And yet:

# %%
result_table("model-02-mlp", "mixture", ["model", "weight of the MLP", "loss, second half", "whole split"])

# %% [markdown]
# They are wrong at different places, and there a mean of both is better than either.
#
# **Change it:** is it so here? In a cell of your own: `torch.logaddexp(-of_table, -of_network)` is the log of the sum
# of both probabilities; what is missing to the mean?
#
# ## What is left to wish for
#
# - **No horizon.** What stands before the window is gone.
# - **The same weights for every place.** "the" five characters ago and six characters ago are two things to learn here.
#
# [Lesson 03](03-rnn.ipynb) has one answer to both: read one character at a time, always with the same weights, and keep
# a vector of everything so far. Before you go: `python -m shared.exercises 02`.
