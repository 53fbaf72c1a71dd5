"""What a lost state costs the six published sizes: characters and subwords, one to four layers.

    python experiments/presets.py astra-alpha     first; then astra-beta, scribe-alpha ... as many as there is time for
    python experiments/policies.py                goes over every checkpoints/<preset>/best.pt that is there

Each network is used twice, with its state carried and with it dropped before every token. Bits per character compare
between characters and subwords, nats per token do not. The text is judged as in stateless.py.
"""

from inference import ALPHA, CARRIED, DROPPED, SEED, bits, judge, load_run, loss_under, training_row, write
from short_run import LESSON
from train import PRESETS

from shared.console import LearnerError, run
from shared.results import Result
from shared.visualize import plot_bars

COLUMNS = ["preset", "steps", "of", "training loss, nats per token", "carried, nats per token", "dropped",
           "carried, bits per character", "dropped", "price, bits per character", "lines in a turn, carried", "dropped",
           "real words, carried", "dropped", "repeated, carried", "dropped"]  # fmt: skip


def main() -> None:
    names = [name for name in PRESETS if "-" in name and (LESSON / "checkpoints" / name / "best.pt").exists()]
    if not names:
        raise LearnerError(f"no checkpoint of a published size in checkpoints/<preset>/: train one first, with {ALPHA}")
    result = Result(LESSON, "policies", COLUMNS, SEED)
    for name in names:
        checkpoint = LESSON / "checkpoints" / name / "best.pt"
        model, tokens = load_run(checkpoint)
        carried, dropped = (loss_under(policy, model, tokens.val) for policy in (CARRIED, DROPPED))
        row, full = training_row(checkpoint, carried), PRESETS[name]["steps"]
        in_bits = [bits(loss, tokens) for loss in (carried, dropped)]
        texts = [write(policy, model, tokens.tokenizer) for policy in (CARRIED, DROPPED)]
        shares = zip(*[judge(text, tokens.corpus.train) for text in texts], strict=True)
        result.add(name, row["step"], full, row["train_loss"], carried, dropped, *in_bits, in_bits[1] - in_bits[0],
                   *[f"{share:.1%}" for pair in shares for share in pair])  # fmt: skip
    plot_bars(result.path(".png"), {row[0]: row[8] for row in result.rows}, "What dropping the state costs", "preset",
              "bits per character")  # fmt: skip
    result.save()


if __name__ == "__main__":
    run(main)
