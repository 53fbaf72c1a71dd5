"""The scoreboard: what is read, what is marked as unfair, what is measured; on made-up lessons and on the real ones."""

import json
import math
import re
import sys
from types import SimpleNamespace

import pytest
import torch

from shared import ladder, lessons, presets, results, scoreboard
from shared.console import run
from shared.data.corpora import Corpus
from shared.scoreboard import Run

TRAIN = """
from dataclasses import dataclass
import torch

@dataclass
class {kind}Config:
    vocab_size: int
    hidden_size: int = 8
    context_length: int = 1

class {kind}LM(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.bias = torch.nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, token_ids, state=None):
        return self.bias.expand(*token_ids.shape, -1), torch.zeros(len(token_ids), self.config.hidden_size)

PRESETS = {{"default": {{"steps": 100, "hidden_size": 16, "expected": (1.0, 2.0)}}, "quick": {{"steps": 10}},
           "ladder": {{"steps": 100, "dataset": "fables"}}}}
"""
NAMES = ("model-01-ngram", "model-02-mlp", "model-03-rnn", "model-04-gru", "model-05-lstm", "model-06-transformer")
BANDS = [{"low": 5, "high": 20, "accuracy": 0.9, "error": 0.02, "points": 200, "chance": 1 / 12},
         {"low": 20, "high": 40, "accuracy": 0.1, "error": 0.03, "points": 100, "chance": 1 / 12}]  # fmt: skip


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Six lessons with a train.py each, and no results yet."""
    for name, (_, kind, _) in zip(NAMES, scoreboard.MODELS.values(), strict=True):
        (tmp_path / name / "results").mkdir(parents=True)
        (tmp_path / name / "train.py").write_text(TRAIN.format(kind=kind), encoding="utf-8")
    for module in (lessons, ladder, results):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def summary(**changed) -> dict:
    """The summary of a run that kept to the preset `default`, as train.py writes it."""
    settings = {"steps": 100, "hidden_size": 16, "batch_size": 32, "minutes": None, "as_preset": True}
    settings |= changed.pop("settings", {})
    return {
        "lesson": "model-03-rnn", "dataset": "shakespeare", "tokenizer": "char", "parameters": 1000, "steps": 100,
        "tokens_seen": 6400, "train_seconds": 60.0, "tokens_per_second": 5000.0, "val_loss": 1.5,
        "val_bits_per_char": 1.5 / math.log(2), "floor": None, "context_policy": "carried state", "seed": 1337,
        "device": "cpu", "precision": "bf16", "threads": 2, "processor": "a chip", "preset": "default",
        "settings": settings, **changed,
    }  # fmt: skip


def put(path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def runs() -> list[Run]:
    return [one for lesson in lessons.all_lessons() for one in scoreboard.committed(lesson) + scoreboard.own(lesson)]


def marks(number: str, corpus: str = "shakespeare", yours: bool = False) -> str:
    """What is said below the table of the first committed, or own, run of a lesson."""
    rows = scoreboard.chosen(corpus, runs(), everything=True)
    one = next(row for row in rows if row.lesson.name[6:8] == number and bool(row.folder) == yours)
    return "; ".join(scoreboard.marks_of(one, corpus, scoreboard.usual_of(rows, corpus)))


def output(monkeypatch, capsys, *words) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["scoreboard", *words])
    run(scoreboard.main)
    return capsys.readouterr()


# What is read


def test_a_row_is_all_there_is_until_a_summary_is_kept(course):
    table = {"columns": presets.COLUMNS, "processor": "a chip", "rows": [
        ["default", "shakespeare", "char", 1000, 1.5, 2.164, None, None, 1.4, "90 of 100, batch 16", "1.0", 2],
    ]}  # fmt: skip
    put(course / NAMES[2] / "results" / "presets.json", table)
    (one,) = runs()
    assert one.summary["train_seconds"] == 60 and one.summary["val_bits_per_char"] == 2.164
    assert "steps 90 of 100, batch 16" in marks("03") and "does not tell context policy" in marks("03")

    presets.keep_summary(course / NAMES[2], "default", summary(val_loss=1.50004))
    (one,) = runs()
    assert one.summary["tokens_per_second"] == 5000 and marks("03") == ""
    presets.keep_summary(course / NAMES[2], "default", summary(val_loss=1.6))  # of a run before the row's
    assert runs()[0].summary["val_loss"] == 1.5


def test_lesson_01_has_columns_of_its_own(course):
    columns = ["preset", "corpus", "tokens", "order n", "loss, nats per token", "bits per character", "perplexity",
               "floor, nats", "distinct n-grams", "seconds"]  # fmt: skip
    rows = [["ladder", "fables", "char", 10, 0.25, 0.36, None, 0.12, 175459, "0.6"]]
    put(course / NAMES[0] / "results" / "presets.json", {"columns": columns, "rows": rows, "threads": 2})
    (one,) = runs()
    assert one.summary["parameters"] == 175459 and one.summary["train_seconds"] == pytest.approx(0.6)
    table = scoreboard.scores("fables", runs())
    row = dict(zip(table.headings, table.rows[0], strict=True))
    assert row["nats above floor"] == "0.1300" and row["training, minutes"] == "0.01" and row["parameters"] == "175k"
    assert "counts once" in marks("01", "fables") and "not as its preset" not in marks("01", "fables")


def test_what_is_the_machines_own_is_not_kept(course):
    secret = {"out": "/home/me/out", "data_dir": "/home/me/data", "resume": False}
    whole = summary(argv=["--out", "/home/me/out"], git_commit="abc+", settings=secret)
    presets.keep_summary(course / NAMES[1], "default", whole)
    text = (course / NAMES[1] / "results" / "summaries" / "default.json").read_text(encoding="utf-8")
    assert "/home/me" not in text and "abc" not in text and whole["settings"]["out"] == "/home/me/out"
    assert json.loads(text)["settings"]["hidden_size"] == 16


@pytest.mark.parametrize("broken", ["{", "[1]", "\xff\xfe"], ids=["cut off", "no object", "nonsense"])
def test_a_broken_file_is_one_line(course, capsys, broken):
    put(course / NAMES[2] / "checkpoints" / "summary.json", broken)
    put(course / NAMES[2] / "checkpoints" / "quick" / "summary.json", summary(preset="quick", val_loss=None))
    put(course / NAMES[3] / "results" / "presets.json", broken)
    assert runs() == []
    err = capsys.readouterr().err
    assert err.count("\n") == 2 and "model-03-rnn/checkpoints/summary.json cannot be read" in err.replace("\\", "/")


# Which rows there are


def test_not_measured_yet(course, monkeypatch, capsys):
    presets.keep_summary(course / NAMES[2], "default", summary())
    out, _ = output(monkeypatch, capsys)
    assert out.count("not measured yet") == 5 + 6 + 6  # Shakespeare, fables, recall
    rows = scoreboard.scores("shakespeare", runs()).rows
    assert [row[0] for row in rows] == [f"{n} {name}" for n, (name, _, _) in scoreboard.MODELS.items()]
    assert rows[2][2:4] == ["2.164", "1.500"] and rows[3][-1] == "not measured yet"


def test_your_runs_beside_the_reference(course, monkeypatch, capsys):
    lesson = course / NAMES[2]
    presets.keep_summary(lesson, "default", summary())
    presets.keep_summary(lesson, "quick", summary(preset="quick", val_loss=1.9))
    put(lesson / "checkpoints" / "summary.json", summary(val_loss=1.7, val_bits_per_char=2.45))
    put(lesson / "checkpoints-20260101" / "summary.json", summary(val_loss=1.6, val_bits_per_char=2.31))
    table = scoreboard.scores("shakespeare", runs())
    assert [row[2] for row in table.rows[2:4]] == ["2.164", "2.310"] and table.yours[2:4] == [False, True]
    assert len(table.rows) == 7  # the quick preset was not trained here: it is not asked for
    assert "your run in checkpoints-20260101, the best of 2" in "".join(table.marks.values()).replace(
        f"{NAMES[2]}/", "").replace(f"{NAMES[2]}\\", "")  # fmt: skip
    out, _ = output(monkeypatch, capsys, "shakespeare")
    assert re.search(r"^   yours +default +2\.310 ", out, re.MULTILINE) and "2.450" not in out
    out, _ = output(monkeypatch, capsys, "shakespeare", "--all")
    assert "2.450" in out and re.search(r"^03 RNN +quick ", out, re.MULTILINE)
    put(lesson / "checkpoints" / "quick" / "summary.json", summary(preset="quick", val_loss=1.8))
    assert [row[1] for row in scoreboard.scores("shakespeare", runs()).rows[2:6]] == ["default"] * 2 + ["quick"] * 2


def test_other_corpora_and_unknown_ones(course, monkeypatch, capsys):
    put(course / NAMES[1] / "checkpoints" / "summary.json", summary(dataset="names"))
    assert scoreboard.scores("names", runs()).yours == [True]
    out, _ = output(monkeypatch, capsys, "names")
    assert "yours" in out and "06 Transformer" not in out
    with pytest.raises(SystemExit) as stop:
        output(monkeypatch, capsys, "name")
    assert stop.value.code == 2 and "did you mean names?" in capsys.readouterr().err


# What is marked


@pytest.mark.parametrize("changed, said", [
    ({}, ""),
    ({"tokenizer": "bpe"}, "bpe tokens: bits per character compare"),
    ({"tokenizer": "word", "val_bits_per_char": None, "val_perplexity": 80.2}, "words: perplexity 80.2"),
    ({"context_policy": "consecutive windows of 128", "val_loss_sliding": 1.4},
     "loss in consecutive windows of 128.*; in sliding windows 1.4000 nats"),
    ({"threads": 1}, "threads 1 instead of 2: minutes and training tokens/s do not compare"),
    ({"device": "cuda", "precision": "float32"}, "device cuda instead of cpu, precision float32 instead of bf16"),
    ({"processor": "another chip"}, "processor another chip instead of a chip"),
    ({"settings": {"steps": 40, "minutes": 3.0}}, "steps 40 instead of 100, a budget of 3 minutes"),
    ({"settings": {"hidden_size": 4}}, "not as its preset: hidden_size 4 instead of 16"),
    ({"settings": {"context_length": 2}}, "not as its preset: context_length 2 instead of 1"),
    ({"settings": {"as_preset": False}}, "not as its preset: other flags"),
])  # fmt: skip
def test_what_differs_is_marked(course, changed, said):
    for name in NAMES[1:4]:
        presets.keep_summary(course / name, "default", summary())
    presets.keep_summary(course / NAMES[4], "default", summary(**changed))
    assert re.search(said, marks("05")) and (said or marks("05") == "")
    assert marks("03") == ""
    table = scoreboard.scores("shakespeare", runs())
    assert table.rows[4][-1] == ("a" if said else "") and list(table.marks) == (["a"] if said else [])


def test_a_setting_that_is_newer_than_the_run(course):
    old = summary()
    del old["settings"]["hidden_size"], old["settings"]["steps"]  # one that its config has by default, one it has not
    presets.keep_summary(course / NAMES[2], "default", old)
    assert marks("03") == "not as its preset: hidden_size 8 instead of 16"


def test_on_the_fables_the_ladder_is_held_to_its_terms(course):
    equal = {"dataset": "fables", "preset": "ladder", "floor": 0.12, "settings": {"hidden_size": 8}}
    for name in NAMES[1:5]:
        presets.keep_summary(course / name, "ladder", summary(**equal))
    assert marks("03", "fables") == ""
    presets.keep_summary(course / NAMES[4], "ladder", summary(**equal | {"parameters": 1200, "tokens_seen": 9000}))
    assert "more than 10 %" in marks("05", "fables") and "has read 9k tokens" in marks("05", "fables")
    presets.keep_summary(course / NAMES[4], "ladder", summary(**equal | {"parameters": 850}))
    assert "more than 10 %" in marks("05", "fables") and "has read" not in marks("05", "fables")
    put(course / NAMES[4] / "checkpoints" / "summary.json", summary(**equal | {"val_loss": 0.1}))
    assert "something leaks" in marks("05", "fables", yours=True)
    assert "leaks" not in marks("05", "fables")


def test_letters_never_meet():
    assert len({scoreboard.letter(index) for index in range(100)}) == 100
    assert [scoreboard.letter(index) for index in (0, 25, 26)] == ["a", "z", "aa"]


@pytest.mark.parametrize("value, shown", [(48, "48 B"), (1023, "1023 B"), (2560, "2.5 KiB"), (481_280, "470 KiB"),
                                          (3 * 2**20, "3.0 MiB"), (2**31, "2048 MiB")])  # fmt: skip
def test_sizes(value, shown):
    assert scoreboard.size(value) == shown


@pytest.mark.parametrize("value, shown", [(999, "999"), (1000, "1k"), (872_748, "873k"), (1_685_185, "1.69M"),
                                          (999_499, "999k"), (999_999, "1M")])  # fmt: skip
def test_short_numbers(value, shown):
    assert scoreboard.short(value) == shown


# The networks


def model_with(state_of, context_length: int = 1):
    """A model whose state is state_of(number of tokens read), of any kind."""

    def call(token_ids, state=None):
        read = token_ids.shape[1] + (0 if state is None else state["read"])
        return None, {"read": read, "kept": state_of(read)}

    call.config = SimpleNamespace(context_length=context_length)
    return call


@pytest.mark.parametrize("state_of, expected", [
    (lambda read: [torch.zeros(1, 5), (torch.zeros(1, 3), None)], (32, 0)),  # h, c: as large from the first token on
    (lambda read: torch.zeros(1, min(read, 6), dtype=torch.int64), (48, 8)),  # the last six ids
    (lambda read: [torch.zeros(1, 2, read, 3)], (scoreboard.LENGTH * 24, 24)),  # a cache without an end
    (lambda read: torch.zeros(1, read if read <= 100 else 50 + read % 50), (400, 4)),  # half is forgotten when full
])  # fmt: skip
def test_the_bytes_of_a_state(state_of, expected):
    assert scoreboard.state_bytes(model_with(state_of, context_length=100)) == expected


def test_a_lesson_that_cannot_be_imported_is_one_line(course, capsys):
    (course / NAMES[2] / "train.py").write_text("import no_such_module_at_all", encoding="utf-8")
    presets.keep_summary(course / NAMES[2], "default", summary())
    table = scoreboard.scores("shakespeare", runs())
    row = dict(zip(table.headings, table.rows[2], strict=True))
    assert row["state"] == "-" and row["bits per character"] == "2.164"
    assert capsys.readouterr().err.count("cannot be imported") == 1


def test_the_state_of_your_own_model(course):
    lesson = course / NAMES[2]
    put(lesson / "checkpoints" / "summary.json", summary())
    put(lesson / "generate.py", "from train import RNNLM, RNNConfig\n\n\ndef load(path):\n"
                                "    return RNNLM(RNNConfig(5, hidden_size=300)), None\n")  # fmt: skip
    row = scoreboard.scores("shakespeare", runs()).rows[-4]
    assert row[0] == "   yours" and "1.2 KiB" in row and "no" in row


def test_timing(course, monkeypatch, capsys, one_thread):
    text = "abc abd\n" * 20
    monkeypatch.setattr(scoreboard, "load_corpus", lambda name: Corpus(name, text, text, None, "", None))
    monkeypatch.setattr(scoreboard, "TOKENS", 5)
    monkeypatch.setattr(scoreboard, "ROUNDS", 2)
    presets.keep_summary(course / NAMES[2], "default", summary())
    out, _ = output(monkeypatch, capsys, "--time")
    found = json.loads(scoreboard.speed_file().read_text(encoding="utf-8"))
    assert [row[:2] for row in found["rows"]] == [[n, preset] for preset in ("default", "ladder") for n in NAMES]
    assert all(0 < row[3] <= row[2] <= row[4] for row in found["rows"]) and found["threads"] == 1
    assert out.count("tokens/s") == 12
    table = scoreboard.scores("shakespeare", runs())
    row = dict(zip(table.headings, table.rows[2], strict=True))
    assert row["writing, tokens/s"] == f"{found['rows'][2][2]:,}" and row["state"] == "64 B"
    assert "not timed yet" not in table.about[-1]


# Terminal, page, figures


def test_recall(course, monkeypatch, capsys):
    put(course / NAMES[0] / "results" / "recall.json", {"bands": {"3-gram": BANDS, "10-gram": BANDS}})
    put(course / NAMES[3] / "results" / "recall.json", {"bands": {"GRU, 2 x 140": BANDS}})
    put(course / NAMES[3] / "checkpoints" / "ladder" / "summary.json", summary(dataset="fables", preset="ladder"))
    put(course / NAMES[3] / "checkpoints" / "ladder" / "recall.json", {"bands": BANDS})
    table = scoreboard.recalled(runs())
    assert table.headings == ["lesson", "model", "5-20", "20-40"]
    assert table.rows[0] == ["01 n-gram", "10-gram", "90%", "(10%)"] and len(table.rows) == 7
    assert table.rows[1] == ["02 MLP", "not measured yet", "", ""]
    assert table.rows[4][0] == "   yours" and table.yours == [False] * 4 + [True] + [False] * 2
    assert "(10%)" in output(monkeypatch, capsys, "fables")[0]


def test_above_chance_is_by_more_than_luck():
    assert scoreboard.above_chance({"accuracy": 0.15, "chance": 1 / 12, "points": 228})
    assert not scoreboard.above_chance({"accuracy": 0.15, "chance": 1 / 12, "points": 50})
    assert not scoreboard.above_chance({"accuracy": 0.02, "chance": 1 / 12, "points": 10_000})


def test_the_page(course):
    presets.keep_summary(course / NAMES[2], "default", summary(threads=1))
    page = "before\n<!-- scoreboard: shakespeare -->\nold\n<!-- /scoreboard -->\nafter\n"
    new = scoreboard.filled(page, runs())
    assert new.startswith("before\n<!--") and new.endswith("<!-- /scoreboard -->\nafter\n") and "old" not in new
    assert "| 03 RNN | default | 2.164 | 1.500 |" in new and new.count("not measured yet") == 5
    assert scoreboard.filled(new, runs()) == new


def test_figures(course):
    fables = {"dataset": "fables", "preset": "ladder", "floor": 0.12, "val_loss": 0.2}
    for name in NAMES[1:4]:
        presets.keep_summary(course / name, "default", summary())
        presets.keep_summary(course / name, "ladder", summary(**fables))
    presets.keep_summary(course / NAMES[2], "quick", summary(preset="quick", train_seconds=5.0))
    put(course / "docs" / "scoreboard.md", "<!-- scoreboard: fables -->\n<!-- /scoreboard -->\n")
    scoreboard.publish()
    assert {path.name for path in (course / "docs" / "figures").iterdir()} == {
        "scoreboard_minutes.png", "scoreboard_state.png"}  # fmt: skip
    assert "0.0800" in (course / "docs" / "scoreboard.md").read_text(encoding="utf-8")


def test_the_memory_ladder_has_a_rung_for_each_lesson(course, monkeypatch, tmp_path):
    import matplotlib.pyplot as plt

    script = lessons.load(scoreboard.Path(scoreboard.__file__).parents[1] / "docs" / "figures" / "memory_ladder.py")
    monkeypatch.setattr(script, "PNG", tmp_path / "rungs.png")
    columns = ["model", "nats above the floor"]
    for name in NAMES[:5]:
        model = "10-gram" if name == NAMES[0] else name
        found = {"columns": columns, "rows": [[model.removesuffix("-gram"), 0.25]], "bands": {model: BANDS}}
        found["floor"] = 0.12
        put(course / name / "results" / "recall.json", found)
    for missing in (1, 0):
        script.main()
        ax, side = plt.gcf().axes
        shown = [text.get_text() for text in ax.texts]
        assert shown.count("not measured yet") == missing and shown.count("90%") == 6 - missing
        assert [text.get_text() for text in side.texts] == ["0.250"] * (6 - missing)
        assert (tmp_path / "rungs.png").stat().st_size > 10_000
        plt.close("all")
        put(course / NAMES[5] / "results" / "recall.json", found)


# What is committed


def test_six_rows_each_of_what_is_committed():
    ours = [one for lesson in lessons.all_lessons() for one in scoreboard.committed(lesson)]
    for corpus, preset in scoreboard.MAIN.items():
        rows = scoreboard.chosen(corpus, ours)
        assert [(row.lesson.name, row.preset) for row in rows] == [(name, preset) for name in NAMES]
        assert all(row.summary for row in rows[:5])
        table = scoreboard.scores(corpus, ours)
        states = [dict(zip(table.headings, row, strict=True))["state"] for row in table.rows]
        assert all(re.fullmatch(r"[\d.]+ (B|KiB)", state) for state in states[:5])
    assert len(scoreboard.recalled(ours).rows) == 6


def test_the_page_shows_what_is_committed():
    ours = [one for lesson in lessons.all_lessons() for one in scoreboard.committed(lesson)]
    page = (lessons.ROOT / "docs" / "scoreboard.md").read_text(encoding="utf-8")
    assert scoreboard.filled(page, ours) == page, "run: python -m shared.scoreboard --figures"


def test_no_path_of_a_machine_is_kept():
    for path in lessons.ROOT.glob("model-*/results/summaries/*.json"):
        found = json.loads(path.read_text(encoding="utf-8"))
        assert not {"argv", "git_commit"} & set(found) and not {"out", "data_dir"} & set(found.get("settings", ()))


def test_it_fits_into_a_hundred_columns_without_colour(monkeypatch, capsys):
    monkeypatch.setattr(scoreboard, "own", lambda lesson: [])
    out, err = output(monkeypatch, capsys, "--all")
    assert max(map(len, out.splitlines())) <= 100 and out.isascii() and "\x1b" not in out and err == ""
    headings = [line for line in out.splitlines() if line.startswith("lesson ")]
    assert len(headings) == 4 and len(set(headings)) > 1  # Shakespeare, fables, recall, names
