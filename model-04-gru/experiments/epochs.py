"""One epoch used rightly against many epochs used wrongly: can longer training make up for a lost state?

    python experiments/epochs.py

The same network, trained for 1, 2, 4 and 8 passes over the text, each with a schedule of its own from the first step to
the last, one seed. Each is then used in two ways: the state carried, or dropped before every character. Read the last
row's last column against the first row's carried one. The bigram of lesson 01 sees one character, too.
"""

from inference import DROPPED, bigram_loss, loss_under
from short_run import LESSON, SETTINGS, at_the_end, carried_loss, new_model, shakespeare, train

from shared.console import run
from shared.data.batching import ContiguousStreams
from shared.results import Result
from shared.visualize import plot_lines

EPOCHS = (1, 2, 4, 8)


def main() -> None:
    tokens, bigram = shakespeare(), bigram_loss()
    columns = ["epochs", "steps", "training loss", "validation loss, state carried", "dropped before each character"]
    result = Result(LESSON, "epochs", columns, SETTINGS["seed"])
    per_epoch = ContiguousStreams(tokens.train, SETTINGS["batch_size"], SETTINGS["chunk_length"]).steps_per_epoch
    for epochs in EPOCHS:
        model, steps = new_model(tokens), epochs * per_epoch
        training = at_the_end(train(model, tokens, steps=steps))
        result.add(epochs, steps, training, carried_loss(model, tokens.val), loss_under(DROPPED, model, tokens.val))
    _, _, _, carried, dropped = zip(*result.rows, strict=True)
    lines = {"state dropped before each character": (EPOCHS, dropped), "state carried": (EPOCHS, carried)}
    plot_lines(result.path(".png"), lines, "Longer training, and a lost state", "passes over the text",
               "validation loss, nats per character", {"bigram of lesson 01": bigram})  # fmt: skip
    result.save(bigram=bigram)


if __name__ == "__main__":
    run(main)
