"""The scripts, as a learner runs them: train.py, generate.py and what they say when something is wrong.

What must be seen from outside starts a process; the rest calls the same main in this one, which is much faster.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shared import console
from shared.evaluation import token_losses
from shared.lessons import load
from shared.runs import read_metrics, save_checkpoint
from shared.tokenizers import tokenizer_from_dict, train_tokenizer

LESSON = Path(__file__).resolve().parent
SMOOTHINGS = load(LESSON / "smoothing.py").SMOOTHINGS
RUN_FILES = ["best.pt", "last.pt", "loss.png", "metrics.jsonl", "samples.txt", "summary.json"]
SUMMARY_KEYS = {
    "dataset", "tokenizer", "parameters", "steps", "tokens_seen", "train_seconds", "tokens_per_second", "val_loss",
    "val_loss_last", "val_bits_per_char", "floor", "context_policy", "seed", "device", "precision", "threads",
    "processor", "torch_version", "git_commit", "preset", "argv",
}  # fmt: skip


def tiny_text(sentences: int = 300) -> str:
    draw = random.Random(1)
    words = "the cat sat on a mat and saw one dog by the river under old trees while rain fell".split()
    return "".join(" ".join(draw.choices(words, k=6)).capitalize() + ".\n" for _ in range(sentences))


@pytest.fixture(scope="session")
def work(tmp_path_factory) -> Path:
    """A working directory far from the lesson, with a tiny text in it."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "tiny.txt").write_text(tiny_text(), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def kept_from_the_learner(work, monkeypatch):
    """Progress goes elsewhere, relative paths begin at `work`, and nothing of the caller's data or network is used."""
    monkeypatch.chdir(work)
    monkeypatch.setenv("LM_PROGRESS", str(work / "progress.json"))
    (work / "no-data").mkdir(exist_ok=True)
    monkeypatch.setenv("LM_DATA_DIR", str(work / "no-data"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there: a machine without network
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")


def start(script: str, *argv) -> subprocess.CompletedProcess:
    """Run a script in a process of its own."""
    command = [sys.executable, str(LESSON / script), *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a script's main in this process: (exit status, standard output, standard error)."""

    def run(script: str, *argv):
        monkeypatch.setattr(sys, "argv", [script, *map(str, argv)])
        status = 0
        try:
            console.run(load(LESSON / script).main)
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def trained(work) -> Path:
    """The checkpoint of a small run on the tiny text."""
    env = os.environ | {"LM_PROGRESS": str(work / "progress.json")}
    command = [sys.executable, str(LESSON / "train.py"), "--dataset", "tiny.txt", "--out", "trained", "--order", "4"]
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a run with nothing amiss has no notes"
    (work / "said.txt").write_text(done.stdout, encoding="utf-8")
    return work / "trained" / "best.pt"


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


# train.py


def test_a_run_writes_its_files_and_every_key_of_the_summary(work, trained):
    folder = trained.parent
    assert sorted(file.name for file in folder.iterdir()) == RUN_FILES
    summary = read_json(folder / "summary.json")
    assert summary.keys() >= SUMMARY_KEYS
    text = tiny_text()
    assert summary["tokens_seen"] == int(0.9 * len(text)) and summary["floor"] is None
    assert (summary["dataset"], summary["tokenizer"], summary["order"]) == ("tiny", "char", 4)
    assert summary["argv"] == ["--dataset", "tiny.txt", "--out", "trained", "--order", "4"]
    assert (summary["preset"], summary["seed"], summary["device"], summary["steps"]) == ("default", 1337, "cpu", 1)
    assert summary["val_loss"] == summary["val_loss_last"] and 0.5 < summary["val_loss"] < 1.2
    scored = len(text) - int(0.9 * len(text)) - 1
    nats = summary["val_bits_per_char"] * scored * 0.6931471805599453
    assert nats == pytest.approx(summary["val_loss"] * scored)
    (row,) = read_metrics(folder)
    assert row["val_loss"] == summary["val_loss"] and row["order"] == 4
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder / "samples.txt").read_text(encoding="utf-8")) > 400


def test_a_run_says_what_it_does_and_what_to_type_next(work, trained):
    said = (work / "said.txt").read_text(encoding="utf-8")
    for words in ("corpus     tiny", "tokenizer  char", "4-gram, kneser-ney", "untrained", "bits per character"):
        assert words in said
    assert "\x1b" not in said and "\r" not in said
    sample = (trained.parent / "samples.txt").read_text(encoding="utf-8")
    assert sample in said
    next_line = said.splitlines()[-1]
    assert next_line.startswith("next ") and "ROMEO" not in next_line, "a prompt that this corpus cannot spell"
    checkpoint = os.path.join("trained", "best.pt")
    assert next_line.count(f"--checkpoint {checkpoint}") == 2
    for word in next_line.split():
        assert not word.endswith((".py", ".pt")) or (work / word).exists(), f"{word} is not there"


def test_a_checkpoint_is_plain_data(trained):
    checkpoint = torch.load(trained, weights_only=True)
    assert checkpoint["lesson"] == "model-01-ngram" and checkpoint["config"]["order"] == 4
    tokenizer = tokenizer_from_dict(checkpoint["tokenizer"])
    assert tokenizer.decode(tokenizer.encode("cat")) == "cat"
    assert (trained.parent / "last.pt").read_bytes() == trained.read_bytes()


def test_the_learners_progress_is_noted(work, trained):
    assert "01 run" in read_json(work / "progress.json")["events"]


def test_a_second_run_moves_the_first_aside(work, call):
    flags = ("--dataset", "tiny.txt", "--out", "twice", "--order")
    assert call("train.py", *flags, 2)[0] == 0
    first = (work / "twice" / "best.pt").read_bytes()
    status, said, _ = call("train.py", *flags, 3)
    (aside,) = work.glob("twice-*")
    assert status == 0 and f"earlier run moved to {aside.name}\n" in said
    assert sorted(file.name for file in aside.iterdir()) == RUN_FILES
    assert (aside / "best.pt").read_bytes() == first
    assert read_json(aside / "summary.json")["order"] == 2 and read_json(work / "twice" / "summary.json")["order"] == 3


def test_sweep_scores_every_order_with_every_smoothing(work, call):
    status, said, notes = call("train.py", "--dataset", "tiny.txt", "--out", "sweep", "--order", 3, "--sweep")
    assert (status, notes) == (0, "")
    rows = {(row["order"], row["smoothing"]): row["val_loss"] for row in read_metrics(work / "sweep")}
    assert rows[3, "none"] is None and "    3  none            inf\n" in said  # JSON has no infinity
    assert rows.keys() == {(order, name) for order in (1, 2, 3) for name in SMOOTHINGS} and len(rows) == 15
    assert rows[3, "kneser-ney"] < rows[2, "kneser-ney"] < rows[1, "kneser-ney"]
    for (order, name), loss in rows.items():
        if (order, name) != (3, "kneser-ney") and loss is not None:  # that one is the run itself
            assert f"{order:5}  {name:<15} {loss:.4f}" in said
    assert read_json(work / "sweep" / "summary.json")["val_loss"] == rows[3, "kneser-ney"]
    assert (work / "sweep" / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_save_log_probs_agrees_with_the_contract(work, call):
    status, *_ = call("train.py", "--dataset", "tiny.txt", "--out", "logs", "--order", 5, "--save-log-probs")
    saved = torch.load(work / "logs" / "log_probs.pt", weights_only=True)
    model, tokenizer = load(LESSON / "generate.py").load(work / "logs" / "best.pt")
    text = tiny_text()
    val_ids = torch.tensor(tokenizer.encode(text[int(0.9 * len(text)) :]))
    assert status == 0 and (saved["dataset"], saved["tokenizer"]) == ("tiny", "char")
    assert saved["log_probs"].shape == (len(val_ids) - 1,)
    torch.testing.assert_close(saved["log_probs"], -token_losses(model, val_ids), atol=1e-5, rtol=0)
    assert read_json(work / "logs" / "summary.json")["val_loss"] == pytest.approx(-float(saved["log_probs"].mean()))


@pytest.mark.parametrize("tokenizer", ["word", "bpe", "unigram"])
def test_every_tokenizer_trains_and_writes(work, call, tokenizer):
    flags = ("--dataset", "tiny.txt", "--out", tokenizer, "--tokenizer", tokenizer, "--vocab-size", 280, "--order", 3)
    status, said, notes = call("train.py", *flags)
    summary = read_json(work / tokenizer / "summary.json")
    assert (status, notes) == (0, "") and summary["tokenizer"] == tokenizer
    if tokenizer == "word":
        assert "perplexity" in said and "unknown words" in said and "bits" not in said
        assert summary["val_bits_per_char"] is None and summary["val_perplexity"] > 1
    else:
        assert "bits per character" in said and "perplexity" not in said
        assert 0.5 < summary["val_bits_per_char"] < 2.5
    flags = ("--checkpoint", work / tokenizer / "best.pt", "--length", 8, "--prompt", "The cat")
    status, text, notes = call("generate.py", *flags)
    assert (status, notes) == (0, "") and text.startswith("The cat") and len(text) > len("The cat") + 8


def test_without_smoothing_the_loss_is_infinite_and_nothing_breaks(work, call, recwarn):
    flags = ("--dataset", "tiny.txt", "--out", "none", "--smoothing", "none", "--order", 5)
    status, said, notes = call("train.py", *flags)
    assert (status, notes) == (0, "") and "validation loss inf" in said
    assert [str(warning.message) for warning in recwarn if warning.category is RuntimeWarning] == []
    assert (work / "none" / "loss.png").exists()


def test_no_data_and_no_network_goes_on_with_fables(work):
    done = start("train.py", "--preset", "quick", "--out", "fallback")
    assert done.returncode == 0, done.stderr
    (note,) = done.stderr.splitlines()
    assert note.startswith("note: shakespeare is not here") and "fables" in note and "download" in note
    summary = read_json(work / "fallback" / "summary.json")
    assert summary["dataset"] == "fables" and 0 < summary["floor"] < summary["val_loss"]
    assert "no model can go below" in done.stdout


def test_help_and_a_wrong_flag_answer(work):
    shown = start("train.py", "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    flags = "dataset data-dir tokenizer preset epochs steps minutes lr batch-size seed device precision out resume"
    for flag in f"{flags} order smoothing sweep".split():
        assert f"--{flag}" in shown.stdout
    wrong = start("generate.py", "--lenght", "5")
    assert wrong.returncode == 2 and "--lenght" in wrong.stderr and "Traceback" not in wrong.stderr


# generate.py


@pytest.fixture
def write(call, trained):
    """generate.py with the trained checkpoint: (exit status, text, notes)."""
    return lambda *argv: call("generate.py", "--checkpoint", trained, "--length", 80, *argv)


def test_same_seed_same_text(write):
    texts = [write("--seed", seed)[1] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2] and len(texts[0]) == 81


def test_greedy_ignores_the_seed_and_stateless_forgets(write):
    flags = ("--prompt", "The c")
    texts = [write(*flags, "--greedy", "--seed", seed)[1] for seed in (1, 2)]
    assert texts[0] == texts[1] == write(*flags, "--temperature", 0)[1] == write(*flags, "--top-k", 1)[1]
    assert texts[0].startswith("The ca")
    assert write(*flags, "--greedy", "--stateless")[1] != texts[0]


def test_prompts(write):
    status, text, notes = write("--prompt", "The é€ cat")
    assert status == 0 and text.startswith("The  cat") and len(text) == len("The  cat") + 81
    assert notes == "note: the model never saw 'é' '€': left out of the prompt\n"
    status, text, notes = write("--prompt", "")
    assert (status, notes, len(text)) == (0, "", 81)
    status, text, notes = write("--prompt", "ééé")  # nothing left of it: begins like a text without a prompt
    assert status == 0 and text == write("--prompt", "")[1]
    assert write("--prompt", r"fell.\nThe")[1].startswith("fell.\nThe")


def test_generate_from_outside(trained):
    done = start("generate.py", "--checkpoint", trained, "--length", 20, "--prompt", "The cat")
    assert (done.returncode, done.stderr) == (0, "") and len(done.stdout) == len("The cat") + 21


# interactive.py (the shell itself is tested in shared/tests/test_repl.py)


@pytest.mark.parametrize(("smoothing", "what"), [("kneser-ney", "it backs off"), ("none", "every token is as likely")])
def test_state_after_a_context_that_was_never_seen(work, call, monkeypatch, smoothing, what):
    flags = ("--dataset", "tiny.txt", "--out", f"state-{smoothing}", "--order", 4, "--smoothing", smoothing)
    assert call("train.py", *flags)[0] == 0
    flags = ("--checkpoint", work / f"state-{smoothing}" / "best.pt", "--length", 1, "--top-k", 1)
    lines = iter(["TWb", "/state", "/quit"])
    monkeypatch.setattr("builtins.input", lambda prompt="": next(lines))
    status, said, notes = call("interactive.py", *flags)
    assert (status, notes) == (0, "")
    remembers, never, *contexts = said[said.index("  remembers") :].splitlines()[:-1]  # the last says bye
    assert remembers.startswith("  remembers up to 3 tokens: W b ")
    assert "never occurred in training" in never and what in never
    assert len({line.index(" times") for line in contexts}) == 1, "the columns stand under one another"
    total = int(0.9 * len(tiny_text()))
    assert contexts[-1].split()[:3] == ["(any)", f"{total:,}", "times,"]


# What a learner could mend


@pytest.fixture
def broken(work, trained) -> dict[str, Path]:
    """Files that are not what they should be."""
    tokenizer = train_tokenizer("char", "abc")
    save_checkpoint(work / "other.pt", "model-02-mlp", torch.nn.Linear(1, 1), {}, tokenizer)
    (work / "half.pt").write_bytes(trained.read_bytes()[: trained.stat().st_size // 2])
    (work / "text.pt").write_text("this is no checkpoint", encoding="utf-8")
    torch.save({"weights": {}}, work / "foreign.pt")
    (work / "latin.txt").write_bytes("die Größe der Städte\n".encode("latin-1") * 100)
    (work / "empty.txt").write_bytes(b"")
    (work / "short.txt").write_bytes(b"short")
    (work / "folder.txt").mkdir(exist_ok=True)
    return work


TINY = ("--dataset", "tiny.txt", "--out", "never")
WRONG = {
    "train.py": [
        (("--dataset", "shakespear"), "did you mean shakespeare?"),
        (("--dataset", "nowhere.txt"), "there is no file"),
        (("--dataset", "shakespeare"), "shakespeare is not here"),
        (("--dataset", "latin.txt"), "not UTF-8"),
        (("--dataset", "empty.txt"), "is empty"),
        (("--dataset", "short.txt"), "holds only 5 characters"),
        (("--dataset", "folder.txt"), "is a folder"),
        ((*TINY, "--preset", "quikc"), "did you mean quick?\n"),
        ((*TINY, "--preset", "zzzz"), "there are default, quick, "),
        ((*TINY, "--smoothing", "kneserney"), "did you mean kneser-ney?\n"),
        ((*TINY, "--smoothing", "zzzz"), f"there are {', '.join(SMOOTHINGS)}\n"),
        ((*TINY, "--tokenizer", "chr"), "did you mean char?"),
        ((*TINY, "--tokenizer", "bpe", "--vocab-size", 10), "at least 256"),
        ((*TINY, "--resume"), "without --resume"),
        (("--dataset", "tiny.txt", "--out", "tiny.txt"), "is a file, not a folder"),
    ],
    "generate.py": [
        (("--checkpoint", "nowhere.pt"), "train first"),
        (("--checkpoint", "other.pt"), "belongs to model-02-mlp"),
        (("--checkpoint", "half.pt"), "cannot be read as a checkpoint"),
        (("--checkpoint", "text.pt"), "cannot be read as a checkpoint"),
        (("--checkpoint", "foreign.pt"), "not a checkpoint of this course"),
        (("--checkpoint", "folder.txt"), "folder.txt"),
        (("--checkpoint", "trained/best.pt", "--temperature", -1), "--temperature -1.0"),
        (("--checkpoint", "trained/best.pt", "--top-p", 0), "--top-p 0.0"),
        (("--checkpoint", "trained/best.pt", "--top-k", 0), "--top-k 0"),
    ],
    "interactive.py": [
        (("--checkpoint", "nowhere.pt"), "train first"),
        (("--checkpoint", "other.pt"), "belongs to model-02-mlp"),
        (("--checkpoint", "trained/best.pt", "--top-p", 1.5), "--top-p 1.5"),
    ],
}


@pytest.mark.parametrize(
    ("script", "argv", "words"), [(script, argv, words) for script, rows in WRONG.items() for argv, words in rows]
)
def test_one_line_and_status_2(broken, call, script, argv, words):
    status, text, error = call(script, *argv)
    assert status == 2
    assert error.startswith("error: ") and error.count("\n") == 1 and words in error
    assert not (broken / "never").exists()


def test_an_error_from_outside(broken):
    done = start("generate.py", "--checkpoint", "half.pt")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: half.pt cannot be read") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(("script", "argv"), [
    ("generate.py", ("--length", 0)),
    ("generate.py", ("--temperature", "warm")),
    ("train.py", ("--order", 0)),
    ("train.py", ("--add-k", -1)),
    ("train.py", ("--seed", -1)),
    ("generate.py", ("--seed", 2**63)),
    ("interactive.py", ("--seed", -1)),
    ("interactive.py", ("--nonsense",)),
])  # fmt: skip
def test_argparse_refuses(call, script, argv):
    status, text, error = call(script, *argv)
    assert status == 2 and text == ""
    assert "error: " in error.splitlines()[-1] and argv[0] in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (("--steps", 5, "--lr", 0.1), ["steps", "learning_rate"]),
        (("--epochs", 1, "--minutes", 0.5, "--batch-size", 2), ["epochs", "minutes", "batch_size"]),
        (("--device", "cuda", "--precision", "bf16"), ["device", "precision"]),
        (("--device", "cpu", "--precision", "float32"), ["device", "precision"]),
        (("--device", "auto", "--precision", "auto", "--seed", 3), []),
    ],
)
def test_flags_that_change_nothing_get_a_note(work, call, flags, names):
    status, _, note = call("train.py", "--dataset", "tiny.txt", "--out", "note", "--order", 1, *flags)
    assert status == 0 and read_json(work / "note" / "summary.json")["device"] == "cpu"
    if names:
        assert note.startswith("note: ") and note.count("\n") == 1
        assert f": {', '.join(names)} changes nothing here\n" in note
    else:
        assert note == ""
