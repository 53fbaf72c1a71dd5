# %% [markdown]
# # 06: look back at everything
#
# [Lesson 05](05-lstm.ipynb) still squeezed the past into vectors of one size, one step after the other. Here nothing is
# squeezed and nobody waits: every character is kept, as a key and a value, and each new one looks back at all of them.
#
# This goes with [lesson 06](../../model-06-transformer/README.md). What you see here you measure yourself, on a small
# network.

# %%
import math
from argparse import Namespace

import torch
from page import draw, result_table, wrapped
from torch.nn.functional import cross_entropy

from shared.data import load_corpus
from shared.data.batching import RandomWindows
from shared.lessons import find_lesson, load
from shared.recall import by_distance, recall
from shared.sampling import generate
from shared.tokenizers import train_tokenizer
from shared.visualize import plot_attention, plot_bars, plot_lines, plot_recall

torch.set_num_threads(1)
corpus = load_corpus("fables")
tokenizer = train_tokenizer("char", corpus.train)
train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
LESSON = find_lesson("06")
lesson, attention = load(LESSON / "model.py"), load(LESSON / "attention.py")

# %% [markdown]
# ## Attention, by hand
#
# Eight characters, a query, a key and a value for each. How well does each query fit each key? What comes later is
# forbidden: those scores become minus infinity. A softmax makes weights of them, and what a character sees is a mean of
# the values.
#
# **Guess first:** the first row of the weights, before you run this.

# %%
TEXT, SIZE = "to be or", 16
torch.manual_seed(3)
query, key, value = torch.randn(3, len(TEXT), SIZE)

scores = query @ key.T / math.sqrt(SIZE)
mask = torch.full((len(TEXT), len(TEXT)), -torch.inf).triu(1)
weights = (scores + mask).softmax(dim=-1)
seen = weights @ value

by_lesson, _ = attention.scaled_dot_product_attention(query, key, value, mask)
print(f"by hand and by the lesson, largest difference: {(seen - by_lesson).abs().max().item():.1e}\n")
print("      " + "".join(f"{character!r:>6}" for character in TEXT))
for character, row in zip(TEXT, weights.tolist(), strict=True):
    print(f"{character!r:>6}" + "".join(f"{weight:6.2f}" if weight else "     ." for weight in row))

# %% [markdown]
# Each row sums to 1; the dots are exactly zero. There is no loop in this: all eight asked at once.
#
# Why divide by sqrt(d)? A product of two vectors of d numbers is a sum of d terms, and grows with d. **Guess first:**
# without the division, how much of a row's weight falls on the single largest, at d = 256?

# %%
sizes, lines = (4, 16, 64, 256, 1024), {"not divided": [], "divided by sqrt(d)": []}
for size in sizes:
    query, key = torch.randn(2, 400, 32, size)
    scores = query @ key.transpose(1, 2)
    for name, scale in (("not divided", 1), ("divided by sqrt(d)", 1 / math.sqrt(size))):
        lines[name].append((scores * scale).softmax(dim=-1).max(dim=-1).values.mean().item())
draw(plot_lines, {name: (sizes, line) for name, line in lines.items()}, "How much the largest weight of 32 takes",
     "d, numbers in a query and a key", "mean largest weight", {"all alike": 1 / 32}, log_x=True)  # fmt: skip

# %% [markdown]
# A softmax that gives everything to one place passes no gradient to the others.
#
# ## Train one
#
# Two blocks with four heads each, and a window of 128 characters. Training is on windows from random places, each from
# no state, as in lesson 02; so there is no state to carry, and no history to cut.
#
# The network is a plain GPT. It begins slowly, for it must first find out that there is an order in a text. So that a
# minute shows something, the blocks' matrices are trained by Muon, an optimiser of 2024 that is one of the lesson's
# flags.

# %%
STEPS, WINDOW, LAYERS, HEADS = 1200, 128, 2, 4
training = load(LESSON / "train.py")


def write(model, stateless=False, prompt="\nOnce upon a time there was a ", length=200):
    generator = torch.Generator().manual_seed(1)
    ids = list(generate(model, tokenizer.encode(prompt), length, generator=generator, stateless=stateless))
    return wrapped(prompt.strip() + " | " + tokenizer.decode(ids))


def train(model, steps, optimizer="muon", rate=6e-3):
    settings = Namespace(optimizer=optimizer, learning_rate=rate, muon_lr=0.02, muon_momentum=0.95, weight_decay=0.01)
    optimizer = training.make_optimizer(model, settings)
    rates = [group["lr"] for group in optimizer.param_groups]
    windows, losses = RandomWindows(train_ids, 16, WINDOW, seed=1), []
    for step in range(steps):
        for group, highest in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = highest * min(1, (step + 1) / 100) * (1 - step / steps)
        batch = next(windows)
        logits, _ = model(batch.inputs)
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step + 1 in (100, 300, steps):
            print(f"step {step + 1}, training loss {sum(losses[-25:]) / 25:.3f}\n{write(model)}\n")
    return losses


torch.manual_seed(1)
config = lesson.TransformerConfig(tokenizer.vocab_size, WINDOW, 64, LAYERS, HEADS)
model = lesson.TransformerLM(config)
losses = train(model, STEPS)
smooth = [sum(losses[i : i + 25]) / 25 for i in range(0, STEPS - 24, 25)]
draw(plot_lines, {"training loss": (list(range(25, 25 * len(smooth) + 1, 25)), smooth)}, "One short training", "step",
     "nats per character", {"floor": corpus.floor["val"]})  # fmt: skip
print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters")

# %% [markdown]
# **Change it:** `optimizer="adamw"`, as GPT-2 had. How far does it come in as many steps? And with
# `positions="rotary", token_shift=True` among the settings of the network?
#
# ## Where do the heads look?
#
# A row is a character, and the colours of the row are where it looks. (Weak weights are made visible.)
#
# **Guess first:** a line beside the diagonal, a vertical stripe, scattered spots. What does each mean?

# %%
maps = load(LESSON / "experiments" / "attention_maps.py")
start = corpus.val.index("\n", 3000) + 1
piece = val_ids[None, start : start + 48]
with torch.no_grad():
    looks = model.attention_maps(piece)[0]  # (layers, heads, T, T)
draw(maps.draw_all, [tokenizer.token_text(token) for token in piece[0].tolist()], looks)

# %% [markdown]
# Some of this can be given a number: how much of its weight does a head give to the character just before? To the first
# of the window? And, in a random text that comes twice, to what came *after* the same character the first time? (The
# last one is called induction; such a head can copy. "all alike" is a head that looks everywhere in the same way.)

# %%
with torch.no_grad():
    windows = val_ids[: 16 * WINDOW].view(16, WINDOW)
    twice = maps.repeated(tokenizer.vocab_size, WINDOW // 2, 16)
    scores = maps.text_scores(model.attention_maps(windows)) | maps.repetition_scores(model.attention_maps(twice))
    alike, (first, second) = maps.even(WINDOW), maps.half_losses(model, twice)
print(f"{'':20}" + "".join(f"{name:>16}" for name in scores))
for layer in range(LAYERS):
    for head in range(HEADS):
        values = "".join(f"{score[layer, head]:16.2f}" for score in scores.values())
        print(f"{f'layer {layer + 1}, head {head + 1}':20}{values}")
print(f"{'all alike':20}" + "".join(f"{alike[name]:16.2f}" for name in scores))
print(f"\nrandom characters: {first:.2f} nats each the first time, {second:.2f} when the same ones come again")

layer, head = divmod(int(scores["previous token"].argmax()), HEADS)
draw(plot_attention, [tokenizer.token_text(token) for token in piece[0, :32].tolist()], looks[layer, head, :32, :32],
     f"Layer {layer + 1}, head {head + 1}: the best at looking one back")  # fmt: skip

# %% [markdown]
# Did it learn to copy? The last line of numbers says so, whatever the names of the heads.
#
# ## The state is a cache
#
# By the mask nobody looks ahead, so keys and values never change once they are there. They are kept, and that is the
# state. The check of every lesson, over far more text than fits into the window:

# %%
counting = load(find_lesson("01") / "model.py")
pairs = counting.NGramLM(counting.NGramConfig(tokenizer.vocab_size, 2))
pairs.fit(train_ids)

with torch.no_grad():
    ids = val_ids[None, :2000]
    whole, _ = model(ids)
    for size in (7, 1):
        state, carried, dropped = None, [], []
        for piece in ids.split(size, dim=1):
            logits, state = model(piece, state)
            carried.append(logits)
            dropped.append(model(piece)[0])
        for name, pieces in (("carried", carried), ("dropped", dropped)):
            logits = torch.cat(pieces, dim=1)
            loss, apart = cross_entropy(logits[0, :-1], ids[0, 1:]).item(), (logits - whole).abs().max().item()
            print(f"pieces of {size}, state {name}: {loss:.4f} nats, differs from reading at once by {apart:.1e}")
print(f"(a table of pairs, lesson 01: {-pairs.log_prob(ids[0]).mean().item():.4f} nats)")

# %% [markdown]
# Compare the last two lines. A recurrent network whose state is dropped before every character is far worse than the
# table of pairs ([lesson 04](04-gru.ipynb)). This one is not: each of its training windows began from nothing, so it
# has learnt what to say there. What is lost is only the past.

# %%
print(f"the state carried:\n{write(model)}\n")
print(f"the state dropped before every character:\n{write(model, stateless=True)}")

# %% [markdown]
# ## What it keeps, and when it forgets
#
# **Guess first:** how many numbers does the state hold after 10 characters, 100, 128, 129, 1,000? Draw the line. Then
# compare: lessons 03 to 05 have networks whose states are flat lines.

# %%
def numbers(state):
    return sum(part.numel() for layer in state[:-1] for part in layer)


with torch.no_grad():
    held, kept, state = [], [], None
    for token in val_ids[:600]:
        _, state = model(token.view(1, 1), state)
        held.append(numbers(state))
        kept.append(state[-1].shape[1])
HIDDEN = 128
recurrent = {f"a GRU of {HIDDEN} units": HIDDEN, f"an LSTM of {HIDDEN} units": 2 * HIDDEN}
places = list(range(1, 601))
lines = {"this network": (places, held)} | {name: (places, [size] * 600) for name, size in recurrent.items()}
draw(plot_lines, lines, "Numbers in the state", "characters read", "numbers", log_y=True)
print(f"just before it forgets it sees {max(kept)} characters, just after {min(kept[WINDOW:])}")

# %% [markdown]
# The teeth are the lesson's rule: when the window is full, its older half is forgotten and the other half is read
# again. Nothing fades. A word is there, or it is not.
#
# ## What does one more character cost?
#
# The same text can be written without the cache, by reading everything again for each character. Measured on the
# lesson's default size:

# %%
result_table("model-06-transformer", "generation")

# %% [markdown]
# ## What it recalls
#
# A hero, a thing, a place, and how many characters ago it was named. All of the window is in view, word for word.
#
# **Guess first:** does this short training find that out?

# %%
READ = 60_000
points = [point for point in corpus.points["val"] if point.start < READ]
bands = by_distance(recall(model, tokenizer, corpus.val[:READ], points))
draw(plot_recall, {"this network": bands}, "What this network recalls")

# %% [markdown]
# Everything in the window is there, word for word. But that it *could* look does not mean that it has learnt to. [A
# pilot](../pilots/README.md), with PyTorch's own layers and a longer training, shows what is still to come.
#
# How much does this network use of what is in view? The loss of a character, by how many the window shows before it:

# %%
with torch.no_grad():
    windows = val_ids[: 400 * WINDOW + 1].unfold(0, WINDOW + 1, WINDOW)
    cost = -torch.log_softmax(model(windows[:, :-1])[0], dim=2).gather(2, windows[:, 1:, None])[..., 0].mean(dim=0)
bands = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63), (64, 128))
bars = {f"{a} to {b}" if a < b else f"{a}": cost[a - 1 : b].mean().item() for a, b in bands}
draw(plot_bars, bars, "The loss by what is in view", "characters in view", "nats per character")

# %% [markdown]
# **Change it:** `HEADS = 1`, or `positions="none"` among the settings of the network. Look at the maps again. What is
# lost first?
#
# ## Where it breaks
#
# - **It pays for its memory.** The line with the teeth, and each new character looks at all of it.
# - **It forgets at an edge**, where a recurrence fades.
# - **It must be taught that there is an order**, which a recurrence has by itself. That takes text.
#
# You have seen six models, one sentence for each: it counts; it finds what is alike; it carries a vector; it decides
# what to keep; it knows more than it says; it looks back at everything. [The learning path](../learning-path.md) says
# what there is to do in each of them. `python -m shared.exercises 06` ends with a GPT of your own.
