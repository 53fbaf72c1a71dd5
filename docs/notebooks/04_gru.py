# %% [markdown]
# # 04: what to keep
#
# The network of [lesson 03](03-rnn.ipynb) wrote its whole memory anew with every character. The GRU (Cho and others,
# 2014) may say *leave this as it is*. That takes two gates; and since the memory now lasts, it matters whether anybody
# hands it on. Half of this notebook is about a network that was trained without a fault, and is used wrongly.
#
# This goes with [lesson 04](../../model-04-gru/README.md).

# %%
import copy
import math

import torch
from page import draw, result_figure, result_table, show, wrapped
from torch.nn.functional import cross_entropy

from shared.data import load_corpus
from shared.data.batching import ContiguousStreams
from shared.lessons import find_lesson, load
from shared.recall import by_distance, recall
from shared.sampling import generate
from shared.tokenizers import train_tokenizer
from shared.visualize import COLOURS, figure, plot_lines, plot_recall, plot_text_heatmap

torch.set_num_threads(1)
corpus = load_corpus("fables")
tokenizer = train_tokenizer("char", corpus.train)
train_ids, val_ids = (torch.tensor(tokenizer.encode(text)) for text in (corpus.train, corpus.val))
LESSON = find_lesson("04")
lesson = load(LESSON / "model.py")

# %% [markdown]
# ## Gates set by hand
#
# `h = z * h + (1 - z) * candidate`, unit by unit. The update gate z says how much of the old value stays. We build a
# layer of three units and choose their weights ourselves. It reads two numbers at each step: a value, and 1 where the
# value is to be written down.
#
# - unit 0 keeps, always: z is 1;
# - unit 1 never keeps: z is 0;
# - unit 2 keeps until it is told to write: z is 1 - write.
#
# **Guess first:** draw the three lines.

# %%
hand_made = lesson.GRULayer(input_size=2, hidden_size=3)
with torch.no_grad():
    for parameter in hand_made.parameters():
        parameter.zero_()
    _, update_bias, _ = hand_made.bias_ih.chunk(3)  # reset gate, update gate, candidate lie one under another
    _, update, candidate = hand_made.weight_ih.chunk(3)
    update_bias.copy_(torch.tensor([20.0, -20.0, 20.0]))  # sigmoid(20) is 1, sigmoid(-20) is 0
    update[2, 1] = -40.0  # unit 2 listens to the second number
    candidate[:, 0] = 1.0  # all three would like to write tanh(value)

    generator = torch.Generator().manual_seed(4)
    value = torch.randn(30, generator=generator)
    write_it = torch.tensor([float(step in (4, 12, 21)) for step in range(30)])
    outputs, _ = hand_made(torch.stack([value, write_it], dim=1)[None], torch.full((1, 3), 0.5))

fig, axes = figure(9, 3.2, panels=3)
for unit, (ax, name) in enumerate(zip(axes, ("always keeps", "never keeps", "keeps until told"), strict=True)):
    ax.step(range(30), value.tanh(), where="mid", color="#bbbbbb", label="what comes in")
    ax.step(range(30), outputs[0, :, unit], where="mid", color=COLOURS[unit], linewidth=2, label="h")
    for step in write_it.nonzero().flatten().tolist() if unit == 2 else ():
        ax.axvline(step, color="#555555", linestyle=":", linewidth=1)
    ax.set(title=f"unit {unit}: {name}", xlabel="step", ylim=(-1.05, 1.05))
axes[0].legend(loc="lower center", fontsize=8, edgecolor="white", framealpha=0.9)
show(fig)

# %% [markdown]
# Unit 1 is lesson 03. Unit 2 is a note on a piece of paper. And where z is 1, the factor from step to step is 1, for h
# and for its gradient. In between:

# %%
for z in (0.5, 0.9, 0.99, 0.999):
    print(f"z = {z}: half of a value is left after {math.log(2) / -math.log(z):.0f} steps")

# %% [markdown]
# **Change it:** let unit 2 write only half (`update[2, 1] = -20.0`). What does it become?
#
# ## Train it
#
# The loop is that of lesson 03. Only the layer is another.

# %%
STEPS = 1200


def write(model, stateless=False, prompt="\nOnce upon a time there was a ", length=200):
    generator = torch.Generator().manual_seed(1)
    ids = list(generate(model, tokenizer.encode(prompt), length, generator=generator, stateless=stateless))
    return wrapped(prompt.strip() + " | " + tokenizer.decode(ids))


def train(model, steps, rate=8e-3):
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
model = lesson.GRULM(lesson.GRUConfig(tokenizer.vocab_size, 64, 128, num_layers=1, lm_head_std=0.1))
untrained = copy.deepcopy(model)
losses = train(model, STEPS)
smooth = [sum(losses[i : i + 25]) / 25 for i in range(0, STEPS - 24, 25)]
draw(plot_lines, {"training loss": (list(range(25, 25 * len(smooth) + 1, 25)), smooth)}, "One short training", "step",
     "nats per character", {"floor": corpus.floor["val"]})  # fmt: skip

# %% [markdown]
# ## Look at the gates
#
# First all units: how much does each keep, on average over a text? Before training all stand near one half.
#
# **Guess first:** what will the picture be after training?

# %%
READ, SHOWN = 20_000, 288
with torch.no_grad():
    _, before, _ = untrained.layers[0].gates(untrained.embedding(val_ids[None, :READ]))
    _, update, _ = (values[0] for values in model.layers[0].gates(model.embedding(val_ids[None, :READ])))
fig, ax = figure(7, 3)
bins = [i / 40 for i in range(41)]
ax.hist(before[0].mean(dim=0).tolist(), bins, color="#bbbbbb", label="untrained")
ax.hist(update.mean(dim=0).tolist(), bins, color=COLOURS[0], alpha=0.8, label="trained")
ax.set(title="The update gates of all units", xlabel="mean of z (1: keeps)", ylabel="units")
ax.legend(frameon=False)
show(fig)

# %% [markdown]
# Now over a text: the three units that keep longest, among those that do not always do the same. White is z = 1, where
# the unit keeps what it has; the redder, the more it writes.

# %%
moving = torch.where(update.std(dim=0) > 0.1, update.mean(dim=0), 0.0)
start = corpus.val.index("\n", 3000) + 1
rows = {}
for unit in moving.argsort(descending=True)[:3].tolist():
    z = update[:, unit]
    rows[f"unit {unit}: 1 - z is {1 - z.mean():.2f} on average"] = (1 - z[start : start + SHOWN]).tolist()
draw(plot_text_heatmap, corpus.val[start : start + SHOWN], rows, "Where they write", columns=72)

# %% [markdown]
# Where does each of them write? That is where it found something worth a note. (It may well be a note that nobody ever
# reads.)
#
# ## The same weights, used rightly and wrongly
#
# Training is over, and there was one training loss. Now somebody writes the code that *uses* the network, token by
# token. Four ways to hand on the state; none of them crashes.
#
# **Guess first:** put a loss beside each of the four. And which would you notice?

# %%
USES = {
    "carried": lambda state, step: state,
    "dropped every 64 characters": lambda state, step: None if step % 64 == 63 else state,
    "of the wrong row": lambda state, step: [h.roll(1, dims=0) for h in state],
    "dropped before every character": lambda state, step: None,
}
rows = val_ids[: 16 * 1200].view(16, -1)  # sixteen texts side by side


@torch.no_grad()
def used(handed_on):
    state, found = None, []
    for step in range(rows.shape[1]):
        logits, state = model(rows[:, step : step + 1], state)
        state = handed_on(state, step)
        found.append(logits)
    return torch.cat(found, dim=1)


with torch.no_grad():
    whole, _ = model(rows)
print(f"{'the state is':32} training loss   this text   differs from reading at once by")
for name, handed_on in USES.items():
    logits = used(handed_on)
    loss = cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()).item()
    print(f"{name:32} {sum(losses[-50:]) / 50:13.4f}   {loss:9.4f}   {(logits - whole).abs().max().item():.1e}")

counting = load(find_lesson("01") / "model.py")
table = counting.NGramLM(counting.NGramConfig(tokenizer.vocab_size, 2))
table.fit(train_ids)
print(f"{'(a table of pairs, lesson 01)':32} {'-':>13}   {-table.log_prob(val_ids).mean().item():9.4f}")

# %% [markdown]
# The second column cannot tell the four apart. The last one can: that is chunk invariance, the test that every model of
# this course has to pass, and that your own code around a model should pass, too.
#
# Dropped before every character, a network is a function of one character, whatever its size. No such function can be
# much better than a table of pairs.
#
# **Change it:** add a use of your own to `USES`. Half of the state? An old one, of ten steps ago?

# %%
print(f"the state carried:\n{write(model)}\n")
print(f"the state dropped before every character:\n{write(model, stateless=True)}")

# %% [markdown]
# Does a larger network, or more training, make up for it? The lesson measured it on Tiny Shakespeare, five sizes, in
# bits per character:

# %%
shown = ["preset", "steps", "of", "carried, bits per character", "price, bits per character"]
result_table("model-04-gru", "policies", shown)

# %% [markdown]
# ## What does it use of the past?
#
# Read only the last k characters, from an empty state. What does that cost, compared with having read everything? The
# function is that of the lesson's experiment.

# %%
stateless = load(LESSON / "experiments" / "stateless.py")
prices = stateless.prices(model, val_ids[:30_000])
draw(plot_lines, {"price": (list(prices), list(prices.values()))}, "The price of forgetting",
     "k, characters read from an empty state", "nats more per character", log_x=True)  # fmt: skip

# %% [markdown]
# ## Does the gradient get through?
#
# The same measurement as in lesson 03, on this network.

# %%
gradients = load(LESSON / "experiments" / "gradients.py")
curves = {name: gradients.gradient_norms(network, val_ids)[:121]
          for name, network in (("untrained", untrained), ("trained", model))}  # fmt: skip
for name, norms in curves.items():
    print(f"{name}: under a tenth at {gradients.first_below(norms, 0.1)}, under a hundredth at "
          f"{gradients.first_below(norms, 0.01)}")  # fmt: skip
draw(plot_lines, {name: (list(range(len(norms))), norms) for name, norms in curves.items()},
     "What arrives of a gradient", "d, characters back", "norm, of that at d = 0", log_y=True)  # fmt: skip

# %% [markdown]
# And side by side with the RNN, on Tiny Shakespeare, from the lesson's results:

# %%
result_figure("model-04-gru", "gradients")

# %% [markdown]
# ## What it recalls
#
# **Guess first:** in that figure the GRU's gradient reaches much further than the RNN's. Do the names, too?

# %%
bands = by_distance(recall(model, tokenizer, corpus.val, corpus.points["val"]))
draw(plot_recall, {"this network": bands}, "What this network recalls")

# %% [markdown]
# After the longer training that all lessons share, beside the models before it:

# %%
result_table("model-04-gru", "recall")

# %% [markdown]
# That a memory *could* last does not mean that training finds out what to put into it.
#
# ## What is left to wish for
#
# - **One vector is memory and output.** What a unit keeps for later is heard at every step until then.
# - **It cannot add up.** h is a mean of the old value and something between -1 and 1; a counter wants a sum.
#
# [Lesson 05](05-lstm.ipynb) takes the two apart. Before you go: `python -m shared.exercises 04`. The second exercise is
# the bug of this notebook, three times.
