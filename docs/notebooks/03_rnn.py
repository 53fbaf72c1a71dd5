# %% [markdown]
# # 03: one vector for everything
#
# [Lesson 02](02-mlp.ipynb) ended at the edge of its window, and with weights for every place in it. Here there is no
# window. The same small network reads one character after another, and what it wants to know later it has to write into
# one vector, h, now.
#
# This goes with [lesson 03](../../model-03-rnn/README.md). At the end we measure how far back h really reaches. Guess
# now: how many characters?

# %%
import copy
import math
from itertools import accumulate

import torch
from page import draw, result_figure, result_table, wrapped
from torch.nn.functional import cross_entropy

from shared.data import load_corpus
from shared.data.batching import ContiguousStreams
from shared.evaluation import token_losses
from shared.lessons import find_lesson, load
from shared.recall import by_distance, recall
from shared.sampling import generate
from shared.tokenizers import train_tokenizer
from shared.visualize import plot_lines, plot_recall, plot_text_heatmap

torch.set_num_threads(1)
corpus = load_corpus("fables")
tokenizer = train_tokenizer("char", corpus.train)
train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
LESSON = find_lesson("03")
lesson = load(LESSON / "model.py")

# %% [markdown]
# ## One step
#
# Two products, a sum, a tanh: that is all there is. `embedding` turns a character into numbers, `weight_ih` reads them,
# `weight_hh` reads what is known so far.

# %%
HIDDEN = 128
torch.manual_seed(1)
model = lesson.RNNLM(lesson.RNNConfig(tokenizer.vocab_size, 64, HIDDEN, num_layers=1, lm_head_std=0.1))
untrained = copy.deepcopy(model)
layer = model.layers[0]

text = "the hen found a key"
with torch.no_grad():
    h = torch.zeros(HIDDEN)
    for token in tokenizer.encode(text):
        x = model.embedding.weight[token]
        h = torch.tanh(layer.weight_ih @ x + layer.bias_ih + layer.weight_hh @ h + layer.bias_hh)
    logits, state = model(torch.tensor([tokenizer.encode(text)]))

print(f"after {len(text)} steps h has {len(h)} numbers, as many as after one")
print(f"by hand and by the model, largest difference: {(h - state[0][0]).abs().max().item():.1e}")

# %% [markdown]
# ## Train it
#
# The text is read as 32 streams side by side, 64 characters at a time. The state goes on from chunk to chunk; its
# *history* does not: `detach_state` cuts it, so that the gradient ends where the chunk began.
#
# **Guess first:** what happens on the second step if one forgets to cut?

# %%
torch.manual_seed(1)
trial, streams, state = copy.deepcopy(model), ContiguousStreams(train_ids, 4, 16), None
try:
    for step in (1, 2):
        batch = next(streams)
        logits, state = trial(batch.inputs, state)
        cross_entropy(logits.flatten(0, 1), batch.targets.flatten()).backward()
        print(f"step {step}: fine")
except RuntimeError as error:
    print(f"step {step}: {str(error).split('(')[0]}...")

# %% [markdown]
# Now rightly.

# %%
STEPS = 2000


def write(model, stateless=False, prompt="\nOnce upon a time there was a ", length=130):
    generator = torch.Generator().manual_seed(1)
    ids = list(generate(model, tokenizer.encode(prompt), length, generator=generator, stateless=stateless))
    return wrapped(prompt.strip() + " | " + tokenizer.decode(ids))


def train(model, steps, rate=4e-3):
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
        if step + 1 in (50, 300, steps):
            print(f"step {step + 1}, training loss {sum(losses[-25:]) / 25:.3f}\n{write(model)}\n")
    return losses


losses = train(model, STEPS)
smooth = [sum(losses[i : i + 25]) / 25 for i in range(0, STEPS - 24, 25)]
draw(plot_lines, {"training loss": (list(range(25, 25 * len(smooth) + 1, 25)), smooth)}, "One short training", "step",
     "nats per character", {"floor": corpus.floor["val"]})  # fmt: skip

# %% [markdown]
# ## What is in h?
#
# Each unit is a number between -1 and 1 (blue and red) that changes with every character. For some properties of a
# text, here is the unit that goes with it most.
#
# **Guess first:** will there be one for vowels? For being inside a quotation?

# %%
READ, SHOWN = 20_000, 288
text = corpus.val[:READ]
PROPERTIES = {
    "a vowel": [character in "aeiou" for character in text],
    "inside a word": [character.isalpha() for character in text],
    "inside a quotation": [quotes % 2 for quotes in accumulate(character == '"' for character in text)],
}
with torch.no_grad():
    hidden = layer(model.embedding(val_ids[None, :READ]))[0][0]  # (READ, H)
standard = (hidden - hidden.mean(dim=0)) / hidden.std(dim=0)
start, rows = text.index("\n", 3000) + 1, {}
for name, values in PROPERTIES.items():
    values = torch.tensor(values, dtype=torch.float)
    correlation = standard.T @ ((values - values.mean()) / values.std()) / READ
    unit = int(correlation.abs().argmax())
    print(f"{name:20} unit {unit:3}: correlation {correlation[unit]:+.2f}, of all units the middle one "
          f"{correlation.abs().median():.2f}")  # fmt: skip
    rows[f"unit {unit}: {name}"] = hidden[start : start + SHOWN, unit].tolist()
draw(plot_text_heatmap, text[start : start + SHOWN], rows, "Hidden units over a text", columns=72, centre=True)

# %% [markdown]
# What is hardly there in any unit may be spread over many. And most units have no name that we would have for them.
#
# **Change it:** add a property of your own. The place in the line? A hero's name?
#
# ## The state must be handed on
#
# The check of every lesson, and three ways to use the same weights: the state carried, reset now and then, dropped
# before every character.
#
# **Guess first:** the loss of the last one. An untrained network would pay ln V.

# %%
with torch.no_grad():
    ids = val_ids[None, :3000]
    whole, state, carried, dropped = model(ids)[0], None, [], []
    for piece in ids.split(7, dim=1):
        logits, state = model(piece, state)
        carried.append(logits)
        dropped.append(model(piece)[0])
print("read at once and read in pieces of 7 characters, largest difference between the logits")
print(f"    the state carried: {(torch.cat(carried, dim=1) - whole).abs().max().item():.1e}")
print(f"    the state dropped: {(torch.cat(dropped, dim=1) - whole).abs().max().item():.1e}\n")

print(f"{'carried through the text':28} {token_losses(model, val_ids).mean().item():.4f} nats")
for every in (64, 16, 4, 1):
    loss = token_losses(model, val_ids[:40_000], chunk_length=every, reset=True).mean().item()
    print(f"{f'reset every {every}':28} {loss:.4f}")
print(f"{'untrained, ln V':28} {math.log(tokenizer.vocab_size):.4f}")

# %%
print(f"the state carried:\n{write(model)}\n")
print(f"the state dropped before every character:\n{write(model, stateless=True)}")

# %% [markdown]
# Same weights, same prompt, same dice. This is what to look for first when a recurrent network "does not work".
#
# How much of the past does it use at all? We let it begin anywhere, from an empty state, and look at what the 1st, 2nd,
# 4th ... character after that costs.

# %%
@torch.no_grad()
def after_reset(model, window=256):
    windows = val_ids.unfold(0, window + 1, 96)
    losses = -torch.log_softmax(model(windows[:, :-1])[0], dim=2).gather(2, windows[:, 1:, None])[..., 0].mean(dim=0)
    edges = [2**k for k in range(window.bit_length())]
    return edges[:-1], [losses[a - 1 : b - 1].mean().item() for a, b in zip(edges, edges[1:], strict=False)]


draw(plot_lines, {"loss": after_reset(model)}, "What the past is worth", "characters read since an empty state",
     "nats per character", {"carried": token_losses(model, val_ids).mean().item()}, log_x=True)  # fmt: skip

# %% [markdown]
# It *can* remember everything. Read off the figure what it does remember.
#
# ## Why so little?
#
# What a loss has to say must travel back, step by step, to the character that was worth remembering. At each step it is
# multiplied by `weight_hh` and by a slope of tanh. Here is how much arrives, d steps earlier; the function is that of
# the lesson's experiment.
#
# **Guess first:** after how many steps is a hundredth left? Does training help?

# %%
gradients = load(LESSON / "experiments" / "gradients.py")
curves = {}
for name, network in (("untrained", untrained), ("trained", model)):
    norms, slope = gradients.gradient_norms(network, val_ids)
    curves[name] = list(range(61)), norms[:61]
    print(f"{name}: under a tenth at {gradients.first_below(norms, 0.1)}, under a hundredth at "
          f"{gradients.first_below(norms, 0.01)}; mean slope of tanh {slope:.2f}")  # fmt: skip
draw(plot_lines, curves, "What arrives of a gradient", "d, characters back", "norm, of that at d = 0", log_y=True)

# %% [markdown]
# A straight line on this scale is a number below 1, multiplied by itself again and again. Where nothing arrives,
# nothing is learnt. The lesson's experiment tries three ways to start `weight_hh`, an orthogonal one among them, on
# Tiny Shakespeare:

# %%
result_table("model-03-rnn", "gradients", ["W_hh", "training", "mean slope of tanh", "under 1/10 at", "under 1/100 at"])

# %% [markdown]
# ## What it recalls
#
# The hero, the thing and the place of a fable, by how many characters ago they were named. Twelve to choose from.

# %%
points = corpus.points["val"]
bands = by_distance(recall(model, tokenizer, corpus.val, points))
draw(plot_recall, {"this network": bands}, "What this network recalls")

# %% [markdown]
# And after the longer training that all lessons share, beside what chance gives:

# %%
result_table("model-03-rnn", "recall")

# %% [markdown]
# Better words, better grammar; and no hero further back than before.
#
# ## What it is good for, all the same
#
# One step costs the same, however long the text is. Reading everything again for each new character does not:

# %%
result_figure("model-03-rnn", "cost_per_token")

# %% [markdown]
# **Change it:** in the training above, `HIDDEN = 256`, `rate=2e-3`, twice the steps. Does the last figure move to the
# right, or only up?
#
# ## What is left to wish for
#
# h is written anew at every step. There is no way to say *leave this as it is until it is needed*. If a unit could keep
# its value, the factor between two steps would be 1, and a gradient would pass. [Lesson 04](04-gru.ipynb) gives it that
# choice. Before you go: `python -m shared.exercises 03`.
