"""Checklists: parsed, ticked by hand and by evidence, and never a tick lost."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared import checklist, exercises, lessons, progress
from shared.console import LearnerError, run

README = """# A lesson

- [ ] not an item of the checklist

<!-- checklist -->
- [ ] **01.1** A run
  of two lines. <!-- evidence: run dataset=shakespeare val_loss<=1.6 -->
- [ ] **01.2** Text and an exercise. <!-- evidence: generate --> <!-- evidence: exercise 1_first -->
- [ ] **01.3** I can explain it.
<!-- /checklist -->
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A repository with one lesson and its checklist, and a progress file of its own."""
    monkeypatch.setattr(lessons, "ROOT", tmp_path)
    monkeypatch.delenv("LM_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    lesson = tmp_path / "model-01-toy"
    lesson.mkdir()
    (lesson / "README.md").write_text(README, encoding="utf-8")
    return lesson


def command(capsys, monkeypatch, *words):
    """Exit status and output of python -m shared.checklist WORDS."""
    monkeypatch.setattr(sys, "argv", ["checklist", *words])
    try:
        run(checklist.main)
        status = 0
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out + err


def ticks():
    return sorted(progress.read_progress()["ticks"])


def test_reads_items_and_evidence(lesson):
    items = checklist.read_checklist(lesson)
    assert [item.id for item in items] == ["01.1", "01.2", "01.3"]
    assert [item.text for item in items] == ["A run of two lines.", "Text and an exercise.", "I can explain it."]
    assert items[0].evidence == ["run dataset=shakespeare val_loss<=1.6"]
    assert items[1].evidence == ["generate", "exercise 1_first"]
    assert items[2].evidence == []
    (lesson / "README.md").write_text("<!-- checklist -->\n- [ ] no id\n<!-- /checklist -->", encoding="utf-8")
    with pytest.raises(LearnerError, match="no id"):
        checklist.read_checklist(lesson)


def test_ticks_by_hand(lesson, capsys, monkeypatch):
    status, out = command(capsys, monkeypatch)
    assert status == 0 and "model-01-toy: 0 of 3" in out and "next: 01.1 A run of two lines." in out
    assert not progress.progress_file().exists()
    status, out = command(capsys, monkeypatch, "toy", "--tick", "01.3", "01.1")
    assert status == 0 and "[x] 01.3" in out and "[x] 01.1" in out and "[ ] 01.2" in out and "next: 01.2" in out
    assert ticks() == ["01.1", "01.3"]
    status, out = command(capsys, monkeypatch, "--untick", "01.3")
    assert status == 0 and "[ ] 01.3" in out and ticks() == ["01.1"]
    status, out = command(capsys, monkeypatch, "--tick", "01.2", "01.3")
    assert "3 of 3" in out and "all done" in out and "next" not in out


def test_an_unknown_id_names_the_nearest(lesson, capsys, monkeypatch):
    for flag in ("--tick", "--untick"):
        status, out = command(capsys, monkeypatch, flag, "01.33")
        assert status == 2 and out.count("\n") == 1 and "did you mean 01.3?" in out
    assert command(capsys, monkeypatch, "02")[0] == 2
    assert not progress.progress_file().exists()


def summary(lesson, folder, **values):
    (lesson / folder).mkdir(parents=True)
    (lesson / folder / "summary.json").write_text(json.dumps(values), encoding="utf-8")


def test_a_run_inside_the_band_ticks(lesson, capsys, monkeypatch):
    summary(lesson, "results", dataset="shakespeare", val_loss=1.5)  # the course's own, not the learner's
    summary(lesson, "checkpoints", dataset="fables", val_loss=0.9)
    summary(lesson, "checkpoints-1", dataset="shakespeare", val_loss=1.61)
    summary(lesson, "checkpoints-2", dataset="shakespeare")
    summary(lesson, "checkpoints-3")
    (lesson / "checkpoints-3" / "summary.json").write_text('{"cut', encoding="utf-8")
    out = command(capsys, monkeypatch)[1]
    assert "[ ] 01.1" in out and re.search(r"train.py +\(ticks itself on: run dataset=shakespeare val_loss<=1.6\)", out)
    summary(lesson, "checkpoints/other", dataset="shakespeare", val_loss=1.6)
    assert "[x] 01.1" in command(capsys, monkeypatch)[1] and ticks() == ["01.1"]
    status, out = command(capsys, monkeypatch, "--untick", "01.1")
    assert status == 2 and "stays ticked" in out
    (lesson / "checkpoints" / "other" / "summary.json").unlink()
    assert "[x] 01.1" in command(capsys, monkeypatch)[1]  # a tick outlives its evidence
    assert "[ ] 01.1" in command(capsys, monkeypatch, "--untick", "01.1")[1]


def test_events_tick_when_all_are_there(lesson, capsys, monkeypatch):
    progress.record("01 generate")
    progress.record("02 exercise 1_first")
    progress.record("01 run")  # some run, which may have been any good or not
    assert "[ ] 01.1" in command(capsys, monkeypatch)[1]
    command(capsys, monkeypatch, "--tick", "01.1")
    out = command(capsys, monkeypatch)[1]
    assert "[ ] 01.2" in out and "python -m shared.exercises 01 1_first" in out
    progress.record("01 exercise 1_first")
    out = command(capsys, monkeypatch)[1]
    assert "[x] 01.2" in out and "python -m shared.checklist --tick 01.3" in out


def test_an_event_keeps_its_first_time(lesson, monkeypatch):
    monkeypatch.setattr(progress, "now", lambda: "first")
    progress.record("01 generate")
    monkeypatch.setattr(progress, "now", lambda: "second")
    progress.record("01 generate")
    assert progress.read_progress()["events"] == {"01 generate": "first"}


@pytest.mark.parametrize("content", [b'{"ticks": {"01.3"', b"", b"\xff\xfe", b"[1]", b'{"ticks": []}'])
def test_a_damaged_file_is_kept_aside(lesson, capsys, monkeypatch, content):
    progress.progress_file().write_bytes(content)
    (lesson.parent / "progress-damaged.json").write_bytes(b"older")
    status, out = command(capsys, monkeypatch, "--tick", "01.3")
    assert status == 0 and out.count("is damaged: it is now progress-damaged-2.json") == 1
    assert (lesson.parent / "progress-damaged.json").read_bytes() == b"older"
    assert (lesson.parent / "progress-damaged-2.json").read_bytes() == content
    assert ticks() == ["01.3"]


def test_a_file_saved_by_an_editor_is_read(lesson):
    progress.progress_file().write_text('{"ticks": {"01.3": "x"}, "log": "mine"}', encoding="utf-8-sig")
    progress.record("01 generate")
    assert ticks() == ["01.3"] and progress.read_progress()["log"] == "mine"


def test_many_at_once_lose_nothing(lesson):
    events = [f"01 event {i}" for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(progress.record, events))
    assert sorted(progress.read_progress()["events"]) == sorted(events)
    assert [file.name for file in lesson.parent.glob("progress*")] == ["progress.json"]


def test_the_lock_of_a_killed_process_is_passed(lesson, monkeypatch):
    (lesson.parent / "progress.json.lock").touch()
    monkeypatch.setattr(progress.time, "sleep", lambda seconds: None)
    progress.record("01 generate")
    assert "01 generate" in progress.read_progress()["events"]
    assert not (lesson.parent / "progress.json.lock").exists()


def test_where_nothing_can_be_written_nothing_breaks(lesson, capsys, monkeypatch):
    (lesson.parent / "file").touch()
    monkeypatch.setenv("LM_PROGRESS", str(lesson.parent / "file" / "progress.json"))
    progress.record("01 generate")
    status, out = command(capsys, monkeypatch, "--tick", "01.3")
    assert status == 0 and "[x] 01.3" in out and "cannot be written" in out


def test_without_a_checklist_says_so(lesson, capsys, monkeypatch):
    (lesson / "README.md").unlink()
    assert "no checklist" in command(capsys, monkeypatch)[1]
    status, out = command(capsys, monkeypatch, "01")
    assert status == 2 and out.count("\n") == 1


def test_the_checklists_of_the_course(monkeypatch):
    """Ids are unique and fit the lesson; whatever an item asks for exists."""
    monkeypatch.chdir(lessons.ROOT)
    items = [item for lesson in lessons.all_lessons() for item in checklist.read_checklist(lesson)]
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert item.id.startswith(checklist.number(item.lesson) + ".")
        for kind, *rest in map(str.split, item.evidence):
            if kind == "run":
                assert all(re.fullmatch(r"\w+(=\S+|[<>]=[\d.]+)", condition) for condition in rest), item
            elif kind == "exercise":
                assert rest[0] in [folder.name for folder in exercises.exercises_of(item.lesson)], item
            else:
                script = checklist.what_to_type(item, [" ".join([kind, *rest])]).split()[1]
                assert (lessons.ROOT / script).exists(), item
