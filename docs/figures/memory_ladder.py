"""Draw the memory ladder: python docs/figures/memory_ladder.py writes memory_ladder.png beside this file.

For each of the six models: how often it still knows which hero, object or place was named, by how many characters ago
that was (forced choice, on the fables), and how far its loss lies above the exact floor. Read from
model-*/results/recall.json, nothing is trained; a model that has no such file yet gets an empty rung.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from shared.console import run, say  # noqa: E402
from shared.files import relative  # noqa: E402
from shared.ladder import rows_before  # noqa: E402
from shared.lessons import all_lessons  # noqa: E402
from shared.results import read_result  # noqa: E402
from shared.scoreboard import MODELS, OF_THE_LADDER, above_chance  # noqa: E402

PNG = Path(__file__).with_name("memory_ladder.png")
FULL = 0.72  # of a rung's height: where 100 % lies
EDGES = (5, 20, 40, 80, 160, 320, 640)
GREY, PALE = "#666666", "#f0f0f0"


def draw_rung(ax, height: int, bands: list[dict], colour: str) -> None:
    """One model: a bar for each band of distances, in its colour where it recalls more than guessing explains."""
    for band in bands:
        low, high, accuracy, error = (band[key] for key in ("low", "high", "accuracy", "error"))
        known = above_chance(band)
        middle, top = (low * high) ** 0.5, height + FULL * accuracy
        across = {"width": high - low, "align": "edge", "edgecolor": "white", "linewidth": 2}
        ax.bar(low, FULL, bottom=height, color=PALE, **across)
        ax.bar(low, FULL * accuracy, bottom=height, color=colour if known else "#bdbdbd", **across)
        ax.errorbar(middle, top, FULL * error, color="black", linewidth=1, capsize=2.5, capthick=1)
        lift = FULL * error + 0.03
        ax.text(middle, top + lift, f"{accuracy:.0%}", ha="center", va="bottom", fontsize=11 if known else 10,
                weight="bold" if known else "normal", color="black" if known else GREY)  # fmt: skip


def main() -> None:
    fig, (ax, side) = plt.subplots(1, 2, figsize=(10, 7.2), dpi=160, sharey=True, width_ratios=(3.3, 1),
                                   layout="constrained")  # fmt: skip
    names, costs, floor = [], [], 0.0
    for height, lesson in enumerate(all_lessons()):
        number = lesson.name.split("-")[1]
        name, _, colour = MODELS[number]
        names.append(f"{number} {name}")
        rows = list(rows_before({lesson.name: OF_THE_LADDER.get(number)}))
        if not rows:
            ax.text(57, height + FULL / 2, "not measured yet", ha="center", va="center", color=GREY, style="italic")
            continue
        _, _, _, above, bands = rows[0]
        draw_rung(ax, height, bands, colour)
        guess = height + FULL * bands[0]["chance"]
        ax.hlines(guess, EDGES[0], EDGES[-1], color="black", linestyle=(0, (2, 2)), linewidth=1)
        side.barh(height + FULL / 2, above, height=0.42, color=colour)
        side.text(above + 0.004, height + FULL / 2, f"{above:.3f}", va="center", fontsize=11)
        costs.append(above)
        floor = read_result(lesson.name, "recall")["floor"]

    for axes in (ax, side):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    ax.set_yticks([height + FULL / 2 for height in range(len(names))], names, fontsize=13, weight="bold")
    ax.set(xscale="log", xlim=(EDGES[0] * 0.97, EDGES[-1] * 1.03), ylim=(-0.06, len(names) - 0.02))
    ax.set_xticks(EDGES, [str(edge) for edge in EDGES], fontsize=11)
    ax.set_xticks([], minor=True)
    ax.set_xlabel("characters since the word was named", fontsize=12)
    ax.set_title("How often it still knows the hero, the object, the place", fontsize=13, loc="left")
    side.axvline(0, color="black", linewidth=2)
    side.set_xlim(0, 1.35 * max(costs))
    side.tick_params(axis="x", labelsize=11)
    side.xaxis.set_major_locator(matplotlib.ticker.MultipleLocator(0.05))
    side.set_xlabel("nats per character", fontsize=12)
    side.set_title("Loss above the floor", fontsize=13, loc="left")
    fig.suptitle("The memory ladder", fontsize=19, weight="bold", x=0.01, ha="left")
    fig.supxlabel("Fables, preset ladder, one run each. Dotted: a guess, 1 in 12; grey: not clearly better than that. "
                  f"Lines on the bars: one standard error.\nThe floor is exact: no model can pay less than {floor:.4f} "
                  "nats per character of these texts.", fontsize=9.5, color=GREY, x=0.01, ha="left")  # fmt: skip
    fig.savefig(PNG, metadata={"Software": None})
    say(f"written to {relative(PNG)}")


if __name__ == "__main__":
    run(main)
