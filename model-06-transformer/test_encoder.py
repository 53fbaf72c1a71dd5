"""The encoder: encoder.py, train_encoder.py, fill.py, experiments/fill.py. Run: pytest model-06-transformer"""

import json
import math
import re
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from shared.console import LearnerError
from shared.data.corpora import Corpus
from shared.from_the_left import COLUMNS, from_the_left, places_in
from shared.lessons import load
from shared.repl import converse
from shared.runs import save_checkpoint
from shared.tests import training
from shared.tests.networks import random_ids
from shared.tests.shell import environment
from shared.tokenizers import train_tokenizer

LESSON = Path(__file__).resolve().parent
lesson, trainer = load(LESSON / "encoder.py"), load(LESSON / "train_encoder.py")
SMALL = ("--embedding-dim", "8", "--num-heads", "2", "--num-layers", "1", "--context-length", "8", "--batch-size", "4")
TEXT = training.TEXT


def new_model(vocab_size=7, context_length=6, embedding_dim=8, num_layers=2, num_heads=2, **changes):
    """A small encoder in float64 and eval mode, whose heads look at something."""
    config = lesson.EncoderConfig(vocab_size, context_length, embedding_dim, num_layers, num_heads, **changes)
    model = lesson.TransformerEncoder(config).double().eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return model


@st.composite
def models(draw):
    torch.manual_seed(draw(st.integers(0, 1000)))
    return new_model(
        context_length=draw(st.integers(2, 9)),
        num_layers=draw(st.integers(1, 2)),
        positions=draw(st.sampled_from(("learned", "sinusoidal", "rotary", "none"))),
        norm=draw(st.sampled_from(("layer", "rms"))),
        post_norm=draw(st.booleans()),
        activation=draw(st.sampled_from(("gelu", "relu", "swiglu"))),
        tied=draw(st.booleans()),
        dropout=0.5,
        bigrams=draw(st.sampled_from((0, 50))),
        token_shift=draw(st.booleans()),
    )


# The model


@given(models(), st.integers(0, 1000), st.integers(0, 8))
@settings(max_examples=40, deadline=None)
@torch.no_grad()
def test_it_is_not_causal(model, seed, place):
    """Another last token changes the logits of every place, and so does another first one."""
    length = model.config.context_length
    token_ids = random_ids(seed, 7, 2, length)
    logits, state = model(token_ids)
    assert logits.shape == (2, length, 7) and state is None
    for changed_place in (0, min(place, length - 1), length - 1):
        changed = token_ids.clone()
        changed[:, changed_place] = (changed[:, changed_place] + 1) % 7
        assert ((model(changed)[0] - logits).abs().amax(dim=2) > 0).all()


@given(models(), st.integers(0, 1000), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
@torch.no_grad()
def test_padding_changes_nothing(model, seed, length):
    """A text alone, and beside longer ones with padding behind it."""
    whole = model.config.context_length
    length = min(length, whole)
    token_ids = random_ids(seed, 7, 2, whole)
    padded = token_ids.clone()
    padded[0, length:] = model.pad_id
    logits = model(padded)[0]
    torch.testing.assert_close(logits[0, :length], model(token_ids[:1, :length])[0][0], rtol=0, atol=1e-10)
    torch.testing.assert_close(logits[1], model(token_ids)[0][1], rtol=0, atol=1e-10)


@torch.no_grad()
def test_it_is_the_lessons_parts_without_the_causal_mask():
    """One layer, written out with MultiHeadAttention."""
    torch.manual_seed(0)
    model, token_ids = new_model(num_layers=1), random_ids(0, 7, 2, 6)
    parts, block = model.transformer, model.transformer.blocks[0]
    x = parts.embedding(token_ids) + parts.position_embedding.weight
    x = x + block.attention(block.norm1(x), causal=False)[0]
    x = x + block.feed_forward(block.norm2(x))
    logits = (parts.norm(x) @ parts.lm_head.weight.t())[..., :7]
    torch.testing.assert_close(model(token_ids)[0], logits, rtol=0, atol=1e-10)


def test_its_own_two_tokens_are_read_and_never_told():
    model = new_model()
    assert model.transformer.embedding.num_embeddings == 9 and (model.mask_id, model.pad_id) == (7, 8)
    assert model(torch.tensor([[model.mask_id, 0, model.pad_id]]))[0].shape == (1, 3, 7)


def test_a_share_out_of_range_is_one_line():
    for masked in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(LearnerError, match="--masked .*: must be above 0 and below 1"):
            lesson.EncoderConfig(7, masked=masked)


# The task


def test_what_is_chosen_and_what_becomes_of_it():
    """15 % of every text, 80/10/10 of these; lengths are full but for one in ten."""
    V, config = 50, lesson.EncoderConfig(50, context_length=100)
    token_ids = random_ids(0, V, 4000, 100)
    inputs, targets = lesson.corrupt(token_ids, config, torch.Generator().manual_seed(1))
    chosen, padding = targets != lesson.IGNORED, inputs == V + 1
    lengths = (~padding).sum(dim=1)
    assert not (chosen & padding).any() and torch.equal(targets[chosen], token_ids[chosen])
    assert torch.equal(padding, torch.arange(100) >= lengths[:, None])  # only behind
    assert torch.equal(chosen.sum(dim=1), (0.15 * lengths).round().clamp(min=1).long())
    assert (lengths < 100).double().mean() == pytest.approx(0.1, abs=0.02)
    assert lengths[lengths < 100].double().mean() == pytest.approx(50, abs=5) and lengths.min() >= 1
    assert torch.equal(inputs[~chosen & ~padding], token_ids[~chosen & ~padding])
    told, read = token_ids[chosen], inputs[chosen]
    assert (read == V).double().mean() == pytest.approx(0.8, abs=0.01)
    assert (read == told).double().mean() == pytest.approx(0.1 + 0.1 / V, abs=0.01)
    other = read[(read != V) & (read != told)]
    assert len(other) / len(read) == pytest.approx(0.1, abs=0.01) and torch.bincount(other, minlength=V).min() > 50
    places = chosen[lengths == 100].double().mean(dim=0)  # every place as often as any other
    assert places.min() > 0.1 and places.max() < 0.2


@given(st.integers(1, 12), st.floats(0.01, 0.99), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_every_text_has_a_question(length, masked, seed):
    config = lesson.EncoderConfig(7, masked=masked)
    targets = lesson.corrupt(random_ids(seed, 7, 5, length), config, torch.Generator().manual_seed(seed))[1]
    assert ((targets != lesson.IGNORED).sum(dim=1) >= 1).all()


def test_the_loss_is_that_of_the_chosen_only(monkeypatch):
    """Of train.py's step, with another answer at every place that was not chosen, and nothing else."""
    torch.manual_seed(0)
    model, found = new_model(), []
    batch = trainer.Batch(random_ids(0, 7, 4, 6), random_ids(1, 7, 4, 6), True)
    for _ in range(2):
        torch.manual_seed(5)
        frozen = torch.optim.SGD(model.parameters(), lr=0.0)
        more = model.config, 1, 0.0, 0.0, torch.device("cpu"), "float32"
        found.append(trainer.train_step(model, frozen, batch, *more))
        batch = batch._replace(targets=random_ids(2, 7, 4, 6))  # the next tokens, which are not asked for
    torch.manual_seed(5)
    inputs, targets = lesson.corrupt(batch.inputs, model.config)
    log_probs = model(inputs)[0].log_softmax(dim=-1)
    losses = [-log_probs[row, place, targets[row, place]].item() for row, place in (targets >= 0).nonzero().tolist()]
    assert 4 <= len(losses) < 24 and found == pytest.approx([sum(losses) / len(losses)] * 2, abs=1e-9)


def test_it_learns_by_heart_what_stands_where():
    torch.manual_seed(0)
    model = lesson.TransformerEncoder(lesson.EncoderConfig(8, 12, 32, 2, 4, masked=0.3))
    token_ids = random_ids(0, 8, 4, 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(300):
        inputs, targets = lesson.corrupt(token_ids.repeat(4, 1), model.config)
        loss = cross_entropy(model(inputs)[0].flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = torch.stack([lesson.fill(model, row, torch.arange(12), alone=True).argmax(dim=1) for row in token_ids])
    assert (found == token_ids).sum() >= 46  # of 48; by chance it would be 6


# fill, and the evaluation


@torch.no_grad()
def by_definition(model, token_ids, places, masked) -> torch.Tensor:
    """Log-probabilities at each place from the window around it, all of `masked` (and the place itself) masked."""
    n, found = min(model.config.context_length, len(token_ids)), []
    for place in places:
        start = min(max(0, place - n // 2), len(token_ids) - n)
        window = [model.mask_id if i == place or i in masked else int(token_ids[i]) for i in range(start, start + n)]
        found.append(model(torch.tensor([window]))[0][0, place - start].log_softmax(dim=0))
    return torch.stack(found)


@given(st.integers(1, 30), st.integers(0, 1000), st.sets(st.integers(0, 29), min_size=1))
@settings(max_examples=40, deadline=None)
def test_fill_by_its_definition(length, seed, places):
    torch.manual_seed(seed)
    model, token_ids = new_model(), random_ids(seed, 7, 1, length)[0]
    places, before = sorted({place % length for place in places}), token_ids.clone()
    together = lesson.fill(model, token_ids, torch.tensor(places))
    torch.testing.assert_close(together, by_definition(model, token_ids, places, places), rtol=0, atol=1e-10)
    alone = lesson.fill(model, token_ids, torch.tensor(places), alone=True)
    torch.testing.assert_close(alone, by_definition(model, token_ids, places, []), rtol=0, atol=1e-10)
    assert torch.equal(token_ids, before) and torch.allclose(alone.exp().sum(dim=1), torch.ones(len(places)).double())


@pytest.mark.parametrize("length", [5, 6, 7, 40])
@torch.no_grad()
def test_every_token_is_masked_once_among_one_in_seven(monkeypatch, length):
    """The loss of each is that of its window with the tokens of its pass masked; windows do not see each other."""
    torch.manual_seed(0)
    model, token_ids, seen = new_model(context_length=6, masked=0.3), random_ids(0, 7, 1, length)[0], []
    assert trainer.passes(model.config) == 3
    forward = model.forward
    monkeypatch.setattr(model, "forward", lambda inputs: seen.append(inputs) or forward(inputs))
    losses, right = trainer.masked_scores(model, token_ids)
    again = trainer.masked_scores(model, token_ids)
    assert torch.equal(losses, again[0]) and torch.equal(right, again[1])
    assert len(seen) == 6 and losses.shape == right.shape == (length,)
    count = torch.zeros(length, dtype=torch.int64)
    for number, inputs in enumerate(seen[:3]):
        masked = (inputs == model.mask_id).flatten()[:length]
        assert inputs.shape == (math.ceil(length / 6), 6) and not (inputs.flatten()[length:] < model.pad_id).any()
        assert torch.equal(inputs.flatten()[:length][~masked], token_ids[~masked])
        if length >= 6:
            assert (inputs[0] == model.mask_id).sum() == 2
        count += masked
        for place in masked.nonzero().flatten().tolist():
            start = place - place % 6
            window = torch.where(masked, model.mask_id, token_ids)[None, start : start + 6]
            log_probs = model(window)[0][0, place - start].log_softmax(dim=0)
            assert losses[place].item() == pytest.approx(-log_probs[token_ids[place]].item(), abs=1e-10)
            assert right[place] == (log_probs.argmax() == token_ids[place])
        if number == 0:
            first = trainer.masked_scores(model, token_ids, only_first=True)
            assert torch.equal(first[0], losses[masked]) and torch.equal(first[1], right[masked])
    assert (count == 1).all()


def test_alone_is_one_at_a_time():
    torch.manual_seed(0)
    model, token_ids = new_model(), random_ids(0, 7, 1, 40)[0]
    places = places_in(40, 11)
    losses, right = trainer.alone_scores(model, token_ids, places)
    log_probs = by_definition(model, token_ids, places.tolist(), [])
    torch.testing.assert_close(losses, -log_probs[range(11), token_ids[places]], rtol=0, atol=1e-10)
    assert torch.equal(right, log_probs.argmax(dim=1) == token_ids[places])


# train_encoder.py


@pytest.fixture
def train(monkeypatch):
    """What shared.tests.training does with train.py, with train_encoder.py instead."""

    def run(_, monkeypatch, *flags, press_after=10**9):
        training.run_main(load(LESSON / "train_encoder.py"), monkeypatch, *flags, press_after=press_after)

    monkeypatch.setattr(training, "train", run)
    return partial(run, LESSON, monkeypatch)


@pytest.mark.parametrize("more", [("--dropout", "0.3", "--masked", "0.4"), ("--preset", "modern", "--accumulate", "2")])
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, capsys, train, more):
    training.check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)
    assert "go on with: python train_encoder.py --resume --out" in capsys.readouterr().out


def test_run_folder_and_what_reads_it(tmp_path, monkeypatch, capsys, train):
    """Summary and metrics are what best.pt gives; fill.py reads it, the lesson's other scripts do not."""
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    run, more = tmp_path / "run", ("--steps", "40", "--lr", "0.03", "--warmup", "5", "--precision", "float32")
    train("--dataset", tmp_path / "tiny.txt", "--out", run, *SMALL, *more)
    shown, summary = capsys.readouterr().out, json.loads((run / "summary.json").read_text(encoding="utf-8"))
    for name in ("best.pt", "last.pt", "metrics.jsonl", "summary.json", "loss.png", "samples.txt"):
        assert (run / name).stat().st_size > 0, name
    model, tokenizer = lesson.load_encoder(run / "best.pt")
    val_ids = torch.tensor(tokenizer.encode(TEXT[int(0.9 * len(TEXT)) :]))
    rows = training.losses(run)
    first = trainer.measured(*trainer.masked_scores(model, val_ids, only_first=True))
    assert min(row["val_loss"] for row in rows) == pytest.approx(first["val_loss"], abs=1e-6)
    expected = trainer.measured(*trainer.masked_scores(model, val_ids))
    expected |= trainer.measured(*trainer.alone_scores(model, val_ids, places_in(len(val_ids), 1000)), "_alone")
    assert {key: summary[key] for key in expected} == pytest.approx(expected, abs=1e-6)
    assert summary["val_passes"] == 7 and summary["val_alone_tokens"] == len(val_ids) - 1
    assert summary["context_policy"] == "consecutive windows of 8, each token masked in 1 of 7 passes"
    assert summary["first_loss"] == pytest.approx(math.log(tokenizer.vocab_size), abs=0.3)
    assert rows[-1]["val_loss"] < summary["first_loss"] - 0.2 and summary["tokens_seen"] == 40 * 4 * 8
    assert f"{summary['val_loss']:.4f} nats per masked token, {summary['val_accuracy']:.1%} right, 1 in 7" in shown
    assert "untrained  3." in shown and "python" in shown.splitlines()[-1] and "fill.py" in shown.splitlines()[-1]
    samples = (run / "samples.txt").read_text(encoding="utf-8").split("--- step ")
    assert len(samples) == 11 and "the _uic\n=>\nthe " in samples[1]
    for script, flags in (("generate.py", ("--checkpoint", run / "best.pt")), ("train.py", ("--resume", "--out", run))):
        monkeypatch.setattr(sys, "argv", [script, *map(str, flags)])
        with pytest.raises(LearnerError, match="another kind of model"):
            load(LESSON / script).main()


def test_a_tokenizer_of_words_and_one_of_pieces(tmp_path, train, capsys):
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    for flags in (("--tokenizer", "word"), ("--tokenizer", "bpe", "--vocab-size", "270")):
        command = ["--dataset", tmp_path / "tiny.txt", "--steps", "3", "--precision", "float32", *SMALL, *flags]
        train(*command, "--out", tmp_path / flags[1])
        assert "1 in 7 masked at a time" in capsys.readouterr().out
        filler = new_filler(*lesson.load_encoder(tmp_path / flags[1] / "best.pt"))
        filler.show("the _ brown _")
        assert capsys.readouterr().out.startswith("  _ 1   ")


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, train):
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    with pytest.raises(LearnerError, match="learning rate"):
        train("--dataset", tmp_path / "tiny.txt", "--steps", "12", "--out", tmp_path / "run", *SMALL, "--lr", "1e30",
              "--clip", "0", "--norm", "none")  # fmt: skip


def test_presets_are_those_of_train(monkeypatch):
    """As large as the language model, but for the two tokens more."""
    for name in trainer.PRESETS:
        monkeypatch.setattr(sys, "argv", ["train_encoder.py", "--preset", name])
        args = trainer.train.arguments(lesson.EncoderConfig, trainer.PRESETS)
        changes = {field: getattr(args, field) for field in asdict(lesson.EncoderConfig(65)) if field != "vocab_size"}
        with torch.device("meta"):
            model = lesson.TransformerEncoder(lesson.EncoderConfig(65, **changes))
            del changes["masked"]
            other = trainer.train.TransformerLM(trainer.train.TransformerConfig(65, **changes))
        sizes = [sum(weight.numel() for weight in each.parameters()) for each in (model, other)]
        assert args.masked == 0.15 and sizes[0] - sizes[1] == 2 * 2 * args.embedding_dim


# fill.py


def new_filler(model, tokenizer):
    return load(LESSON / "fill.py").Filler(model, tokenizer)


@pytest.fixture
def filler():
    torch.manual_seed(0)
    tokenizer = train_tokenizer("char", TEXT)
    return new_filler(new_model(tokenizer.vocab_size, context_length=16), tokenizer)


def test_fill_shows_the_likeliest_for_each_blank(filler, capsys):
    text = "the d_g _nd the fox jumps"
    filler.show(text)
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3
    token_ids = torch.tensor(filler.tokenizer.encode(text.replace("_", "e")))
    places = [place for place, character in enumerate(text) if character == "_"]
    probs, filled = by_definition(filler.model, token_ids, places, places).exp(), list(text)
    for number, place in enumerate(places):
        found = re.findall(r"(\S+) ([\d.]+)%", shown[number])
        best = probs[number].topk(5)
        assert shown[number].startswith(f"  _ {number + 1}   ") and len(found) == 5
        assert [piece for piece, _ in found] == [filler.tokenizer.token_text(i) for i in best.indices.tolist()]
        assert [float(share) for _, share in found] == pytest.approx((100 * best.values).tolist(), abs=0.051)
        filled[place] = filler.tokenizer.decode([int(best.indices[0])])
    assert shown[2] == "  " + "".join(filled)


def test_the_shell_of_fill(filler, monkeypatch, capsys, typed):
    """Commands, empty input, unknown characters, Ctrl-C, the end of input: one line each, and it goes on."""
    monkeypatch.setenv("NO_COLOR", "1")
    typed("", "no blank", "/top 2", "/top", "/top many", "/tip", "/help", "th_ é dog", KeyboardInterrupt(),
                  "_", "the\\n_")  # fmt: skip
    converse(["hello"], filler.answer)
    shown, errors = capsys.readouterr()
    expected = [r"hello", r"error: put a _ .*", r"error: put a _ .*", r"  top 2", r"  top 2",
                r"error: /top needs a whole number above zero, not 'many'",
                r"error: no command is called /tip: did you mean /top\?", r"  /top N .*", r"  /help .*", r"  /quit .*",
                r"  _ 1   (\S+ [\d.]+% *){2}", r"  th.  dog", r"", r"\(Ctrl-D or /quit leaves\)",
                r"  _ 1   (\S+ [\d.]+% *){2}", r"  .?",
                r"  _ 1   (\S+ [\d.]+% *){2}", r"  the", r".?", r"bye"]  # fmt: skip
    rows = shown.splitlines()
    assert len(rows) in (len(expected), len(expected) + 1)
    for row, pattern in zip(rows, expected, strict=False):
        assert re.fullmatch(pattern, row), (row, pattern)
    assert "the model never saw 'é': left out" in errors


def test_fill_as_a_program(filler, tmp_path):
    model, tokenizer = filler.model.float(), filler.tokenizer
    save_checkpoint(tmp_path / "best.pt", LESSON.name, model, asdict(model.config), tokenizer)

    def run(*flags: str, given="", returncode=0):
        done = subprocess.run([sys.executable, LESSON / "fill.py", *flags], input=given, text=True, encoding="utf-8",
                              cwd=tmp_path, env=environment(tmp_path), capture_output=True, timeout=120)  # fmt: skip
        assert done.returncode == returncode and "Traceback" not in done.stderr, done.stderr
        return done.stdout, done.stderr

    shown, errors = run("--checkpoint", "best.pt", given="the d_g\n\n/quit\n")
    rows = shown.splitlines()
    assert rows[0].startswith("Encoder, 2 layer(s) of 8 with 2 head(s), 16 tokens") and rows[-1] == "bye"
    assert rows[3].startswith("  _ 1   ") and rows[4].startswith("  the d") and "error: put a _" in rows[5]
    assert errors == "" and "06 fill" in (tmp_path / "progress.json").read_text(encoding="utf-8")


def test_fill_without_a_checkpoint_and_without_a_blank_are_one_line(filler, tmp_path, monkeypatch):
    module, model = load(LESSON / "fill.py"), filler.model
    save_checkpoint(tmp_path / "best.pt", LESSON.name, model, asdict(model.config), filler.tokenizer)
    for name, text, wrong in (("none.pt", "a_", "train_encoder.py"), ("best.pt", "a", "put a _")):
        monkeypatch.setattr(sys, "argv", ["fill.py", "--checkpoint", str(tmp_path / name), "--text", text])
        with pytest.raises(LearnerError, match=wrong):
            module.main()


# experiments/fill.py


def test_the_experiment_sets_both_sides_beside_the_left(tmp_path, monkeypatch, filler):
    """Its numbers, on a tiny text, are those of the functions it names; lessons 01 and 05 are taken over."""
    experiment, lm = load(LESSON / "experiments" / "fill.py"), load(LESSON / "model.py")
    tokenizer, encoder = filler.tokenizer, filler.model.float()
    torch.manual_seed(0)
    model = lm.TransformerLM(lm.TransformerConfig(tokenizer.vocab_size, 8, 8, 1, 2)).eval()
    tmp_path = tmp_path / "model-00-tiny"
    for name, each in (("best.pt", model), ("encoder/best.pt", encoder)):
        (tmp_path / "checkpoints" / name).parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(tmp_path / "checkpoints" / name, LESSON.name, each, asdict(each.config), tokenizer)
    val = TEXT[:300]
    monkeypatch.setattr(experiment, "LESSON", tmp_path)
    monkeypatch.setattr(experiment, "load_corpus", lambda name: Corpus(name, TEXT, val, None, "a test"))
    rows = {"model-01-ngram": ["7-gram", 1.5, "50.00%", 1.4, "51.00%"], "model-05-lstm": ["LSTM", 1.4, "55.00%", 1.3,
            "56.00%"]}  # fmt: skip
    monkeypatch.setattr(experiment, "read_result", lambda lesson, name: {"columns": COLUMNS, "rows": [rows[lesson]]})
    monkeypatch.setattr(sys, "argv", ["experiments/fill.py"])
    experiment.main()
    found = json.loads((tmp_path / "results" / "fill.json").read_text(encoding="utf-8"))
    assert found["columns"] == ["model", "sees", *COLUMNS[1:]] and (tmp_path / "results" / "fill.png").exists()
    assert found["rows"][:2] == [[name, "left", *rest] for name, *rest in rows.values()]
    token_ids = torch.tensor(tokenizer.encode(val))
    losses, right = from_the_left(model, token_ids)
    masked, masked_right = trainer.masked_scores(encoder, token_ids)
    alone, alone_right = trainer.alone_scores(encoder, token_ids, places_in(300))
    expected = [
        ["TransformerLM", "left", losses, right],
        ["encoder, 1 in 7 masked", "both sides", masked[1:], masked_right[1:]],
        ["encoder, 1 masked", "both sides", alone, alone_right],
    ]
    for row, (name, sees, loss, hit) in zip(found["rows"][2:], expected, strict=True):
        assert row[:2] == [name, sees] and row[4:] == [round(loss.mean().item(), 4), f"{hit.double().mean():.2%}"]
        assert row[2:4] == ([None, None] if name == "encoder, 1 masked" else row[4:])  # 299 places: all but the first


def test_the_experiment_refuses_another_text(tmp_path):
    experiment = load(LESSON / "experiments" / "fill.py")
    with pytest.raises(LearnerError, match="train it again .python train_encoder.py"):
        experiment.validation_ids(train_tokenizer("char", "abc"), "the dog", "train_encoder.py")
