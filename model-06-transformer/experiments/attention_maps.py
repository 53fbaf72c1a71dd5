"""Where do the heads look? Every head's weights over a text, and a score for what some heads are known to do.

    python experiments/presets.py default                           first
    python experiments/attention_maps.py                            the default's network
    python experiments/attention_maps.py --checkpoint checkpoints/ladder/best.pt

    previous token   the mean weight on the token one place before
    first token      on the first token of the window, whatever it is: a place to rest where nothing is looked for
    same token       on the token that is equal to this one, one repetition earlier
    induction        on the one that came *after* that: in "A B ... A" on B, which is what comes next (Olsson et al.
                     2022, In-context learning and induction heads; they call it prefix matching)

The first two are measured on windows of the validation text, the last two on random tokens, repeated: R random ones and
the same R again, so that nothing but looking back can tell what comes next. The row "even" is a head that looks at all
places alike: what a score has to be compared with. With induction heads, the second half of such a sequence can be
predicted from the first one; the losses of both halves say whether the network does it.

    results/attention_maps.png               all heads over one piece of text
    results/attention_maps_previous.png      the head with the highest score for the previous token, over the same text
    results/attention_maps_induction.png     that with the highest induction score, over a repeated sequence

Those of another run are called by its folder: attention_maps_ladder.png, attention_maps_ladder_previous.png, ...
"""

import argparse
from pathlib import Path

import torch
from short_run import LESSON, load
from torch import Tensor

from shared.console import LearnerError, run, say
from shared.data import load_corpus
from shared.files import relative
from shared.results import Result
from shared.visualize import plot_attention, save

NAME, SEED, WINDOWS, SEQUENCES, SHOWN = "attention_maps", 1337, 16, 16, 48
SCORES = ("previous token", "first token", "same token", "induction")


def back_by(maps: Tensor, distance: int, first: int) -> Tensor:
    """maps (N, L, heads, T, T) -> (L, heads): the mean weight so many places back, for the tokens from `first` on."""
    return maps.diagonal(-distance, dim1=3, dim2=4)[..., first - distance :].mean(dim=(0, 3))


def text_scores(maps: Tensor) -> dict[str, Tensor]:
    """Of texts, from the second half of the window on, where there is much else to look at: (L, heads) each."""
    half = maps.shape[3] // 2
    return {"previous token": back_by(maps, 1, half), "first token": maps[..., half:, 0].mean(dim=(0, 3))}


def repetition_scores(maps: Tensor) -> dict[str, Tensor]:
    """Of random tokens, repeated: (L, heads) each, for the second half."""
    length = maps.shape[3] // 2
    return {"same token": back_by(maps, length, length), "induction": back_by(maps, length - 1, length)}


def even(length: int) -> dict[str, float]:
    """The scores of a head that looks at all it can see alike, in windows of so many tokens."""
    maps = torch.ones(length, length).tril()[None, None, None]
    maps = maps / maps.sum(dim=4, keepdim=True)
    return {name: score.item() for name, score in (text_scores(maps) | repetition_scores(maps)).items()}


def repeated(vocab_size: int, length: int, count: int) -> Tensor:
    """Random tokens, and the same again: (count, 2 * length)."""
    once = torch.randint(vocab_size, (count, length), generator=torch.Generator().manual_seed(SEED))
    return torch.cat([once, once], dim=1)


@torch.no_grad()
def half_losses(model, token_ids: Tensor) -> tuple[float, float]:
    """Nats per token in the first half and in the second, of all whose predecessor was read."""
    log_probs = model(token_ids[:, :-1])[0].log_softmax(dim=2)
    losses = -log_probs.gather(2, token_ids[:, 1:, None])[..., 0]
    half = token_ids.shape[1] // 2
    return losses[:, : half - 1].mean().item(), losses[:, half:].mean().item()


def draw_all(path: Path, pieces: list[str], maps: Tensor) -> None:
    """All heads' weights (L, heads, T, T) over one text, small."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import PowerNorm

    layers, heads = maps.shape[:2]
    size = 1.6 * heads, 1.75 * layers + 0.4
    fig, axes = plt.subplots(layers, heads, figsize=size, dpi=110, squeeze=False, layout="constrained")
    for layer in range(layers):
        for head in range(heads):
            ax = axes[layer, head]
            ax.imshow(maps[layer, head], cmap="OrRd", norm=PowerNorm(0.5, 0, 1))
            ax.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8)
            ax.set(xticks=[], yticks=[])
    fig.suptitle(f"Where each head looks: {''.join(pieces)}", fontsize=8, parse_math=False)
    save(fig, path)


def load_any(checkpoint: Path):
    """A network of this lesson, its tokenizer, and the validation text of the corpus whose characters it knows."""
    model, tokenizer = load(checkpoint)
    corpora = (load_corpus(name) for name in ("shakespeare", "fables"))
    corpus = next((corpus for corpus in corpora if not tokenizer.unknown(corpus.val)), None)
    if corpus is None:
        raise LearnerError(f"{relative(checkpoint)} was trained on neither Shakespeare nor fables: give another one")
    if model.config.context_length < 8:
        raise LearnerError(f"{relative(checkpoint)} sees {model.config.context_length} tokens: too few to look back")
    return model, tokenizer, torch.tensor(tokenizer.encode(corpus.val))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    args = parser.parse_args()
    model, tokenizer, val_ids = load_any(args.checkpoint)
    length = model.config.context_length // 2 * 2
    windows = val_ids.unfold(0, length, length)
    windows = windows[torch.linspace(0, len(windows) - 1, min(WINDOWS, len(windows))).long()]
    sequences = repeated(tokenizer.vocab_size, length // 2, SEQUENCES)
    maps = model.attention_maps(windows)
    of_sequences = model.attention_maps(sequences)
    scores = text_scores(maps) | repetition_scores(of_sequences)
    folder = args.checkpoint.resolve().parent.name
    name = NAME if folder == "checkpoints" else f"{NAME}_{folder}"
    result = Result(LESSON, name, ["layer", "head", *SCORES], SEED)
    best = {}
    for layer in range(maps.shape[1]):
        for head in range(maps.shape[2]):
            row = {name: scores[name][layer, head].item() for name in SCORES}
            result.add(layer + 1, head + 1, *row.values())
            for name, score in row.items():
                best[name] = max(best.get(name, (0.0, 0, 0)), (score, layer, head))
    result.add("even", None, *(even(length)[name] for name in SCORES))

    def pieces_of(token_ids: Tensor) -> list[str]:
        return [tokenizer.token_text(token) for token in token_ids.tolist()]

    shown = min(SHOWN, length)
    draw_all(result.path(".png"), pieces_of(windows[0, :shown]), maps[0, :, :, :shown, :shown])
    score, layer, head = best["previous token"]
    title = f"Layer {layer + 1}, head {head + 1}: previous token, {score:.0%} of the weight"
    plot_attention(result.path("_previous.png"), pieces_of(windows[0, :shown]),
                   maps[0, layer, head, :shown, :shown], title)  # fmt: skip
    score, layer, head = best["induction"]
    short = repeated(tokenizer.vocab_size, shown // 2, 1)
    title = f"Layer {layer + 1}, head {head + 1}: random tokens, twice; induction, {score:.0%}"
    plot_attention(result.path("_induction.png"), pieces_of(short[0]),
                   model.attention_maps(short)[0, layer, head], title)  # fmt: skip
    first, second = half_losses(model, sequences)
    say(f"random tokens: {first:.4f} nats each the first time, {second:.4f} the second time")
    found = {name: {"score": score, "layer": i + 1, "head": j + 1} for name, (score, i, j) in best.items()}
    result.save(checkpoint=relative(args.checkpoint), length=length, losses=[first, second], best=found)


if __name__ == "__main__":
    run(main)
