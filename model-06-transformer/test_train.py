"""Lesson 06's train.py: resuming, the run folder, accumulation, schedules, presets. Run: pytest model-06-transformer"""

import json
import math
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from shared.console import LearnerError
from shared.data.batching import RandomWindows
from shared.lessons import load
from shared.tests.training import TEXT, check_resume_is_bit_for_bit, check_run_folder, losses
from shared.tests.training import train as run_train

LESSON = Path(__file__).resolve().parent
SMALL = ("--embedding-dim", "8", "--num-heads", "2", "--num-layers", "1", "--context-length", "8", "--batch-size", "4")
MORE = [("--dropout", "0.3", "--attention-dropout", "0.2", "--decay", "linear"),
        ("--preset", "modern", "--accumulate", "2", "--bigrams", "50"),
        ("--preset", "mini", "--accumulate", "3", "--weight-decay", "0.1")]  # fmt: skip


@pytest.mark.parametrize("more", MORE)
def test_resume_is_bit_for_bit(tmp_path, monkeypatch, more):
    check_resume_is_bit_for_bit(LESSON, tmp_path, monkeypatch, *SMALL, *more)


def test_run_folder(tmp_path, monkeypatch, capsys):
    """Both numbers of the validation split, by their definition, from the weights of best.pt."""
    summary = check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--preset", "modern", "--bigrams", "50")
    assert summary["context_policy"] == "consecutive windows of 8" and summary["sliding_stride"] == 4
    assert summary["tokens_seen"] == 12 * 4 * 8
    model, tokenizer = load(LESSON / "generate.py").load(tmp_path / "run" / "best.pt")
    val_ids = torch.tensor(tokenizer.encode(TEXT[int(0.9 * len(TEXT)) :]))
    windows = by_definition(model, val_ids, [(start, start, 8) for start in range(0, len(val_ids) - 1, 8)])
    assert summary["val_loss"] == pytest.approx(windows, abs=1e-5)
    overlapping = [(0, 0, 8)] + [(start, start + 4, 8) for start in range(4, len(val_ids) - 9, 4)]
    rest = overlapping[-1][0] + 8
    overlapping.append((len(val_ids) - 9, rest, 8))
    assert summary["val_loss_sliding"] == pytest.approx(by_definition(model, val_ids, overlapping), abs=1e-5)
    shown = capsys.readouterr().out
    assert f"sliding window  {summary['val_loss_sliding']:.4f} nats per token" in shown
    assert f"validation loss {summary['val_loss']:.4f} nats per token" in shown


@torch.no_grad()
def by_definition(model, token_ids, windows) -> float:
    """The mean loss, from windows (where it begins, the first token whose successor is scored in it, length)."""
    total, count = 0.0, 0
    for start, first, length in windows:
        window = token_ids[start : start + length + 1]
        losses = -model(window[None, :-1])[0][0].log_softmax(dim=1).gather(1, window[1:, None])[:, 0]
        total, count = total + float(losses[first - start :].double().sum()), count + len(losses) - (first - start)
    assert count == len(token_ids) - 1
    return total / count


def test_tinystories_trains_from_disk_by_flags_alone(tmp_path, monkeypatch):
    """And goes on after a stop with the file of token ids that is there."""
    folder = tmp_path / "data" / "tinystories"
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text(TEXT.replace(".", ".\n<|endoftext|>"), encoding="utf-8")
    (folder / "validation.txt").write_text(TEXT[:500], encoding="utf-8")
    flags = ["--dataset", "tinystories", "--tokenizer", "bpe", "--vocab-size", "280", "--data-dir", tmp_path / "data"]
    flags += ["--steps", "3", "--precision", "float32", *SMALL, "--out", tmp_path / "run"]
    run_train(LESSON, monkeypatch, *flags, press_after=1)
    [written] = folder.glob("*.npy")
    when = written.stat().st_mtime_ns
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] < 3
    run_train(LESSON, monkeypatch, "--resume", "--out", tmp_path / "run")
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["step"] == 3
    assert list(folder.glob("*.npy")) == [written] and written.stat().st_mtime_ns == when
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["dataset"], summary["tokenizer"]) == ("tinystories", "bpe") and summary["val_bits_per_char"] > 0


def test_a_loss_that_is_no_number_stops_the_run_and_says_why(tmp_path, monkeypatch):
    with pytest.raises(LearnerError, match="learning rate"):
        check_run_folder(LESSON, tmp_path, monkeypatch, *SMALL, "--lr", "1e30", "--clip", "0", "--norm", "none")


RATES = {"learning_rate": 1e-3, "muon_lr": 0.02, "muon_momentum": 0.9, "weight_decay": 0.1}


# Accumulation


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "normuon"])
def test_two_batches_of_8_make_the_step_of_one_of_16(optimizer):
    """And four of 4; dropout off, in float64."""
    train, results = load(LESSON / "train.py"), []
    batch = next(RandomWindows(torch.randint(7, (500,)), 16, 6))
    args = SimpleNamespace(optimizer=optimizer, **RATES)
    for accumulate in (1, 2, 4):
        torch.manual_seed(0)
        model = train.TransformerLM(train.TransformerConfig(7, 6, 8, 2, 2)).double()
        step = train.train_step, model, train.make_optimizer(model, args), batch, accumulate, 1.0, 0.1
        loss = [step[0](*step[1:], torch.device("cpu"), "float32") for _ in range(3)]
        results.append((torch.tensor(loss), list(model.parameters())))
    for loss, weights in results[1:]:
        torch.testing.assert_close(loss, results[0][0], rtol=0, atol=1e-6)
        for weight, expected in zip(weights, results[0][1], strict=True):
            torch.testing.assert_close(weight, expected, rtol=0, atol=1e-6)


def test_a_run_that_accumulates_sees_what_one_with_larger_batches_sees(tmp_path, monkeypatch):
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    found = []
    for name, flags in (("one", ("--batch-size", "8")), ("two", ("--batch-size", "4", "--accumulate", "2"))):
        command = ["--dataset", tmp_path / "tiny.txt", "--steps", "5", "--precision", "float32", *SMALL, *flags]
        run_train(LESSON, monkeypatch, *command, "--lr", "0.1", "--dropout", "0", "--out", tmp_path / name)
        found.append([[row["train_loss"], row["val_loss"]] for row in losses(tmp_path / name)])
        summary = json.loads((tmp_path / name / "summary.json").read_text(encoding="utf-8"))
        assert summary["tokens_seen"] == 5 * 8 * 8
    torch.testing.assert_close(*map(torch.tensor, found), rtol=0, atol=1e-3)


# Windows that grow


def test_windows_grow_when_half_of_what_was_left_is_done():
    """And hold the same tokens in the same order; without the flag they are whole."""
    train = load(LESSON / "train.py")
    batch = next(RandomWindows(torch.arange(500), 3, 16))
    for done, length in ((0, 4), (0.49, 4), (0.5, 8), (0.74, 8), (0.75, 16), (0.99, 16), (1 - 1e-9, 16)):
        pieces = train.in_pieces(batch, done, SimpleNamespace(context_length=16, grow_from=4))
        assert pieces.inputs.shape == pieces.targets.shape == (3 * 16 // length, length)
        assert torch.equal(pieces.inputs.flatten(), batch.inputs.flatten())
        assert torch.equal(pieces.targets, pieces.inputs + 1)
        whole = train.in_pieces(batch, done, SimpleNamespace(context_length=16, grow_from=0))
        assert torch.equal(whole.inputs, batch.inputs) and torch.equal(whole.targets, batch.targets)


CUTS = [(24, 3, 3), (24, 4, 6), (24, 1, 3), (24, 13, 24), (8, 128, 8), (7, 2, 7), (8, -4, 8)]


@pytest.mark.parametrize(("whole", "at_least", "first"), CUTS)
def test_windows_are_halved_while_so_many_tokens_are_left(whole, at_least, first):
    """A preset's --grow-from fits any --context-length."""
    batch = next(RandomWindows(torch.arange(500), 3, whole))
    settings = SimpleNamespace(context_length=whole, grow_from=at_least)
    assert load(LESSON / "train.py").in_pieces(batch, 0, settings).inputs.shape == (3 * whole // first, first)


# The optimiser


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "normuon"])
def test_only_matrices_decay_and_muon_has_those_of_the_blocks(optimizer):
    train = load(LESSON / "train.py")
    model = train.TransformerLM(train.TransformerConfig(7, 6, 8, 2, 2, norm="rms"))
    args = SimpleNamespace(optimizer=optimizer, **RATES)
    made, seen = train.make_optimizer(model, args), []
    for group in made.param_groups:
        in_muon = "parts" in group
        for weight in group["params"]:
            name = next(name for name, other in model.named_parameters() if other is weight)
            seen.append(name)
            assert in_muon == (optimizer != "adamw" and weight.dim() == 2 and name.startswith("blocks."))
            assert group["weight_decay"] == (0.1 if weight.dim() == 2 else 0.0)
            assert group["lr"] == (0.02 if in_muon else 1e-3) and group.get("momentum", 0.9) == 0.9
    assert sorted(seen) == sorted(name for name, _ in model.named_parameters())


def test_how_the_learning_rate_goes():
    train = load(LESSON / "train.py")

    def rates(decay: str, steps: tuple) -> list[float]:
        return [train.share_of_rate(step, SimpleNamespace(warmup=100, steps=1000, decay=decay)) for step in steps]

    assert rates("cosine", (0, 99, 500, 1000)) == pytest.approx([0.01, 0.9772, 0.525, 0.05], abs=1e-3)
    assert rates("linear", (0, 99, 500, 999)) == pytest.approx([0.01, 0.901, 0.5, 0.001])
    assert rates("inverse_sqrt", (0, 49, 99, 399, 899)) == pytest.approx([0.01, 0.5, 1.0, 0.5, 1 / 3])
    paper = [min((step + 1) ** -0.5, (step + 1) * 100**-1.5) for step in range(1000)]  # Vaswani et al. 2017, (3)
    assert rates("inverse_sqrt", range(1000)) == pytest.approx([rate / max(paper) for rate in paper])


def test_every_group_follows_its_own_rate(tmp_path, monkeypatch):
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    flags = ["--optimizer", "muon", "--lr", "0.01", "--muon-lr", "0.5", "--decay", "linear", "--warmup", "1"]
    run_train(LESSON, monkeypatch, "--dataset", tmp_path / "tiny.txt", "--steps", "4", *SMALL, *flags, "--out",
              tmp_path / "run")  # fmt: skip
    saved = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["optimizer"]["optimizers"]
    adamw, muon = ([group["lr"] for group in state["param_groups"]] for state in saved)
    assert adamw == pytest.approx([0.01 / 4] * 2) and muon == pytest.approx([0.5 / 4] * 4)


# --compile


def test_compile_without_a_compiler_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    (tmp_path / "tiny.txt").write_text(TEXT, encoding="utf-8")
    with pytest.raises(LearnerError, match="^--compile needs a C\\+\\+ compiler .*leave --compile out$"):
        run_train(LESSON, monkeypatch, "--dataset", tmp_path / "tiny.txt", "--compile", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Compiled(torch.nn.Module):
    """Stands in for what torch.compile makes of a model, and is for training only."""

    calls = 0

    def __init__(self, model):
        super().__init__()
        self._orig_mod = model

    def __getattr__(self, name):
        return super().__getattr__(name) if name == "_orig_mod" else getattr(self._orig_mod, name)

    def forward(self, token_ids):
        assert self._orig_mod.training and torch.is_grad_enabled()
        Compiled.calls += 1
        return self._orig_mod(token_ids)


def test_compile_is_for_training_only_and_trains_the_same_weights(tmp_path, monkeypatch, one_thread):
    for name in ("tiny.txt", "Python.h"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("shared.compute.torch.compile", Compiled)
    monkeypatch.setattr("shared.compute.shutil.which", lambda name: name)
    monkeypatch.setattr("shared.compute.sysconfig.get_path", lambda name: tmp_path)
    found = []
    for name, flags in (("plain", ()), ("compiled", ("--compile",))):
        command = ["--dataset", tmp_path / "tiny.txt", "--steps", "3", "--precision", "float32", *SMALL, *flags]
        run_train(LESSON, monkeypatch, *command, "--optimizer", "muon", "--out", tmp_path / name)
        found.append(torch.load(tmp_path / name / "last.pt", weights_only=True)["weights"])
        assert (Compiled.calls > 3) == (name == "compiled")
    for name, weight in found[0].items():
        assert torch.equal(found[1][name], weight), name


# The presets


def arguments(monkeypatch, *flags: str):
    """train.py and what it reads from a command line."""
    train = load(LESSON / "train.py")
    monkeypatch.setattr("sys.argv", ["train.py", *flags])
    return train, train.arguments()


def parameters(train, args, vocab_size: int) -> int:
    """Of the model that the command line builds."""
    settings = {field.name: getattr(args, field.name) for field in fields(train.TransformerConfig)[1:]}
    with torch.device("meta"):  # shapes without numbers
        model = train.TransformerLM(train.TransformerConfig(vocab_size, **settings))
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_default_is_a_plain_gpt(monkeypatch):
    train, args = arguments(monkeypatch)
    assert (args.positions, args.norm, args.post_norm, args.activation) == ("rotary", "layer", False, "gelu")
    assert not (args.tied or args.no_bias or args.qk_norm or args.bigrams or args.token_shift)
    assert (args.optimizer, args.accumulate, args.compile, args.decay) == ("adamw", 1, False, "cosine")
    assert parameters(train, args, 65) == 1_829_376 - 128 * 192  # no vectors for positions


def test_mini_is_of_2017(monkeypatch):
    train, args = arguments(monkeypatch, "--preset", "mini")
    assert args.post_norm and args.tied and args.norm == "layer"
    assert (args.positions, args.activation, args.decay) == ("sinusoidal", "relu", "inverse_sqrt")
    assert (args.dropout, args.label_smoothing, args.weight_decay) == (0.1, 0.1, 0.0)  # sections 5.3 and 5.4
    assert parameters(train, args, 65) == 1_791_936


@pytest.mark.parametrize(
    ("flags", "name", "value"),
    [
        (("--no-token-shift",), "token_shift", False),
        (("--no-qk-norm",), "qk_norm", False),
        (("--bias",), "no_bias", False),
        (("--no-zero-init",), "zero_init", False),
        (("--bigrams", "0"), "bigrams", 0),
        (("--norm", "layer"), "norm", "layer"),
        (("--optimizer", "adamw"), "optimizer", "adamw"),
    ],
)
def test_each_part_of_modern_can_be_taken_away(monkeypatch, flags, name, value):
    _, modern = arguments(monkeypatch, "--preset", "modern")
    train, args = arguments(monkeypatch, "--preset", "modern", *flags)
    assert vars(args) == vars(modern) | {name: value, "as_preset": False} and getattr(modern, name) != value
    parameters(train, args, 65)


def test_gpt_at_full_size_is_gpt2(monkeypatch):
    sizes = "--embedding-dim 768 --num-layers 12 --num-heads 12 --context-length 1024".split()
    train, args = arguments(monkeypatch, "--preset", "gpt", *sizes)
    assert parameters(train, args, 50_257) == 124_439_808
    train, args = arguments(monkeypatch, "--preset", "gpt")
    assert parameters(train, args, 65) == 4_821_248


def test_ladder_compares_with_the_other_lessons(monkeypatch):
    """As many tokens as they get, within 10 % of the 253,115 parameters of lesson 03 (fables have 59 characters)."""
    train, args = arguments(monkeypatch, "--preset", "ladder")
    assert args.dataset == "fables" and args.steps * args.batch_size * args.context_length == 32_768_000
    assert args.context_length >= 256
    assert parameters(train, args, 59) == pytest.approx(253_115, rel=0.1)


@pytest.mark.parametrize("preset", ["default", "quick", "mini", "gpt", "modern", "ladder"])
def test_an_untrained_model_of_every_preset_knows_nothing(monkeypatch, preset):
    """Its loss is that of 65 tokens, each as likely as any other."""
    train, args = arguments(monkeypatch, "--preset", preset)
    torch.manual_seed(args.seed)
    settings = {field.name: getattr(args, field.name) for field in fields(train.TransformerConfig)[1:]}
    model = train.TransformerLM(train.TransformerConfig(65, **settings))
    assert train.first_loss(model, torch.randint(65, (300,))) == pytest.approx(math.log(65), abs=0.3)


def test_no_such_choice_is_one_line(monkeypatch):
    train, args = arguments(monkeypatch, "--positions", "rotari")
    with pytest.raises(LearnerError, match="rotari: no such choice: did you mean rotary"):
        parameters(train, args, 65)


# benchmark.py


def test_the_benchmark_compares_models_that_compute_the_same():
    benchmark = load(LESSON / "benchmark.py")
    config = benchmark.TransformerConfig(7, context_length=6, embedding_dim=8, num_layers=2, num_heads=2)
    times = benchmark.measure_step(config, batch_size=3, pairs=2)
    speeds = benchmark.measure_generation(config, tokens=9, pairs=2)
    assert len(times) == len(speeds) == 2 and min(times + speeds) > 0


def test_without_the_cache_the_benchmark_writes_the_same_text():
    """Beyond the window, too."""
    benchmark = load(LESSON / "benchmark.py")
    torch.manual_seed(1)
    model = benchmark.TransformerLM(benchmark.TransformerConfig(29, 6, 8, 2, 2)).double().eval()
    for name, weight in model.named_parameters():
        if "norm" not in name:  # a norm's bias would make it one character for ever
            torch.nn.init.normal_(weight, std=0.8)
    (_, without), (_, cached) = (benchmark.write(model, 40, cache) for cache in (False, True))
    assert without == cached and len(set(cached)) > 3
