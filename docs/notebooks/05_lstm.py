# %% [markdown]
# # 05: what it knows, and what it says
#
# In [lesson 04](04-gru.ipynb) one vector was both memory and output. The LSTM (Hochreiter and Schmidhuber, 1997) has
# two: a cell c, which is only scaled and added to, and h, which is what it shows of the cell.
#
# This goes with [lesson 05](../../model-05-lstm/README.md).

# %%
import math

import torch
from page import draw, result_figure, result_table, show, wrapped
from torch.nn.functional import cross_entropy

from shared.data import load_corpus
from shared.data.batching import ContiguousStreams
from shared.evaluation import token_losses
from shared.lessons import find_lesson, load
from shared.recall import by_distance, recall
from shared.sampling import generate
from shared.tokenizers import train_tokenizer
from shared.visualize import COLOURS, figure, plot_lines, plot_recall, plot_text_heatmap

torch.set_num_threads(1)
corpus = load_corpus("fables")
tokenizer = train_tokenizer("char", corpus.train)
train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
LESSON = find_lesson("05")
lesson, gru = load(LESSON / "model.py"), load(find_lesson("04") / "model.py")

# %% [markdown]
# ## It can count
#
# `c = forget_gate * c + input_gate * candidate`, and `h = output_gate * tanh(c)`. We set the gates of two cells by
# hand. Both forget nothing and write 1 for every `o` of a text: they count. The first one shows what it has, the second
# one keeps quiet. Beside them a unit of the GRU, which does what it can: it takes in a tenth of each `o`.
#
# **Guess first:** the three lines. What does h of the first cell look like after the third `o`?

# %%
TEXT = "the fox took a spoon of good onion broth to the old tortoise"
hears = torch.tensor([[[float(character == "o")] for character in TEXT]])  # (1, T, 1)
with torch.no_grad():
    cells, unit = lesson.LSTMLayer(1, 2), gru.GRULayer(1, 1)
    for parameter in (*cells.parameters(), *unit.parameters()):
        parameter.zero_()
    input_bias, forget_bias, _, output_bias = cells.bias_ih.chunk(4)  # one under another: i, f, candidate, o
    input_bias.fill_(20.0)  # sigmoid(20) is 1
    forget_bias.fill_(20.0)
    output_bias.copy_(torch.tensor([20.0, -20.0]))
    cells.weight_ih.chunk(4)[2].fill_(20.0)  # the candidate: tanh(20) is 1
    _, forget, _, c, h = cells.gates(hears)

    _, update_bias, _ = unit.bias_ih.chunk(3)
    _, update, candidate = unit.weight_ih.chunk(3)
    update_bias.fill_(20.0)
    update.fill_(math.log(0.9 / 0.1) - 20.0)  # at an o z is 0.9, else 1
    candidate.fill_(20.0)
    heard = unit(hears)[0]

fig, axes = figure(10.5, 3.2, panels=2)
places = range(len(TEXT))
axes[0].step(places, c[0, :, 0], where="mid", color=COLOURS[0], label="c, both cells")
axes[1].step(places, h[0, :, 0], where="mid", color=COLOURS[0], label="h of the first cell")
axes[1].step(places, h[0, :, 1], where="mid", color=COLOURS[1], label="h of the second cell")
axes[1].step(places, heard[0, :, 0], where="mid", color=COLOURS[2], label="h of the GRU's unit")
for ax, title in zip(axes, ("what they know", "what they show"), strict=True):
    ax.set_xticks(places, TEXT, fontsize=6, family="DejaVu Sans Mono")
    ax.set_title(title)
    ax.legend(frameon=False, fontsize=8)
show(fig)
print(f"{TEXT.count('o')} times o in the text, {c[0, -1, 0].item():.0f} in the cell")

# %% [markdown]
# The cell leaves the range from -1 to 1; no h ever does. Nobody hears of what the second cell knows, until its output
# gate opens.
#
# ## How open should the forget gate be?
#
# Before training every gate stands near one half, and half of every cell is gone after one step. So one gives the
# forget gate a bias.
#
# **Guess first:** with a bias of 1, how many steps until half is gone? And which bias keeps half for a hundred steps?

# %%
for bias in (0, 1, 2, 3, 5):
    gate = 1 / (1 + math.exp(-bias))
    print(f"bias {bias}: the gate is {gate:.3f}, half is left after {math.log(2) / -math.log(gate):.1f} steps")

# %% [markdown]
# ## Train it
#
# The loop is that of lessons 03 and 04. The state is now a pair, (h, c).

# %%
STEPS = 1200


def train(model, steps, rate=1e-2):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99))
    streams, state, losses = ContiguousStreams(train_ids, 32, 64, seed=1), None, []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        batch = next(streams)
        logits, state = model(batch.inputs, state)
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state = lesson.detach_state(state)
        losses.append(loss.item())
    return losses


torch.manual_seed(1)
model = lesson.LSTMLM(lesson.LSTMConfig(tokenizer.vocab_size, 64, 128, num_layers=1, init="orthogonal"))
losses = train(model, STEPS)
smooth = [sum(losses[i : i + 25]) / 25 for i in range(0, STEPS - 24, 25)]
draw(plot_lines, {"training loss": (list(range(25, 25 * len(smooth) + 1, 25)), smooth)}, "One short training", "step",
     "nats per character", {"floor": corpus.floor["val"]})  # fmt: skip
print(f"validation: {token_losses(model, val_ids).mean().item():.4f} nats per character")

# %% [markdown]
# ## Two vectors are handed on. Which one matters?
#
# The same weights, token by token, with both vectors handed on, one of them, or neither. And the test that tells right
# from wrong.
#
# **Guess first:** which loss is the worst of the four? Is it worse to lose what it knows, or what it said?

# %%
zero = torch.zeros_like
USES = {
    "both carried": lambda state: state,
    "c lost, h carried": lambda state: [(h, zero(c)) for h, c in state],
    "h lost, c carried": lambda state: [(zero(h), c) for h, c in state],
    "both lost": lambda state: None,
}
rows = val_ids[: 16 * 1200].view(16, -1)  # sixteen texts side by side
with torch.no_grad():
    whole, _ = model(rows)
    for name, handed_on in USES.items():
        state, found = None, []
        for step in range(rows.shape[1]):
            logits, state = model(rows[:, step : step + 1], state)
            state = handed_on(state)
            found.append(logits)
        logits = torch.cat(found, dim=1)
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()).item()
        print(f"{name:20} {loss:.4f} nats, differs from reading at once by {(logits - whole).abs().max().item():.1e}")

# %% [markdown]
# The gates of the next step see of the past nothing but h. What stands in c, h has yet to say.

# %%
def write(stateless, prompt="\nOnce upon a time there was a ", length=200):
    generator = torch.Generator().manual_seed(1)
    ids = list(generate(model, tokenizer.encode(prompt), length, generator=generator, stateless=stateless))
    return wrapped(prompt.strip() + " | " + tokenizer.decode(ids))


print(f"both carried:\n{write(False)}\n\nboth lost:\n{write(True)}")

# %% [markdown]
# ## Cells that follow something
#
# For some properties of the text: which cell goes with it most? Looked for in the first half of a text, measured in the
# second, because among so many cells one always fits a little by chance. (The functions are those of the lesson's
# experiment.)
#
# **Guess first:** what would you keep in a cell, if you had to write fables one character at a time?

# %%
tools, PIECES = load(LESSON / "experiments" / "cells.py"), 32
pieces = val_ids[: len(val_ids) // PIECES * PIECES].view(PIECES, -1)
c = tools.read_cells(model, pieces)
text, rows = tokenizer.decode(pieces.flatten().tolist()), {}
start = text.index('"', len(text) // 2) - 60
for name, values in tools.properties(text).items():
    unit, there, elsewhere = tools.find(c, torch.tensor(values).view(PIECES, -1))
    print(f"{name:20} cell {unit:3}: correlation {there:+.2f} where it was looked for, {elsewhere:+.2f} elsewhere")
    if name in ("inside a quotation", "inside a word"):
        rows[f"cell {unit}: {name}"] = c.flatten(0, 1)[start : start + 288, unit].tolist()
draw(plot_text_heatmap, text[start : start + 288], rows, "Two cells over a text: red above 0, blue below", columns=72,
     centre=True)  # fmt: skip

# %% [markdown]
# Read along one of them. Does it do what its name says, or something that only goes with it? A correlation is no
# explanation.
#
# ## Does it close what it opens?
#
# A quotation mark or a bracket has to be remembered until it is closed. We let the network write, and count what became
# of each.
#
# **Guess first:** the share closed right among those that stand open for 40 characters and more.

# %%
closing = load(LESSON / "experiments" / "closing.py")
generator, texts, length = torch.Generator().manual_seed(1), 48, 1500
with torch.no_grad():
    ids, state = [torch.full((texts, 1), tokenizer.encode("\n")[0])], None
    for _ in range(length):
        logits, state = model(ids[-1], state)
        ids.append(torch.multinomial(logits[:, 0].softmax(dim=1), 1, generator=generator))
written = [tokenizer.decode(row) for row in torch.cat(ids, dim=1).tolist()]
found, _ = closing.marks("\n".join(text[: text.rindex("\n") + 1] for text in written))
for name, marks in closing.groups(found).items():
    if marks:
        print(f"{name:16} {len(marks):4} opened, {sum(mark.closed for mark in marks) / len(marks):4.0%} closed right")

# %% [markdown]
# ## Two ways back
#
# Why should a cell help to learn? A gradient goes back by two ways. Through h it meets matrices and slopes, as ever.
# Through c it meets forget gates alone. The lesson's experiment takes the two apart:

# %%
result_figure("model-05-lstm", "gradients_paths")

# %% [markdown]
# ## What it recalls

# %%
bands = by_distance(recall(model, tokenizer, corpus.val[:80_000],
                           [point for point in corpus.points["val"] if point.start < 80_000]))  # fmt: skip
draw(plot_recall, {"this network": bands}, "What this network recalls")

# %% [markdown]
# After the longer training that all lessons share, beside the models before it:

# %%
result_table("model-05-lstm", "recall")

# %% [markdown]
# **Change it:** `forget_bias=3.0` in the network's settings. More memory at the start: does it show in the loss, and in
# the names it recalls?
#
# ## What is left to wish for
#
# - **One step after the other.** h needs the h before it, and a thousand processors wait.
# - **One size for all pasts.** (h, c) has as many numbers after 10,000 characters as after 10.
#
# What if one kept every step, and looked back at all of them? [Lesson 06](06-transformer.ipynb). Before you go:
# `python -m shared.exercises 05`.
