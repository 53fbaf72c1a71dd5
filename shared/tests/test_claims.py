"""A claim's numbers are those of its result file; an address that fits nothing, or two places, is an error."""

import json
import tomllib

import pytest

from shared import claims
from shared.claims import claims_table, number, slug
from shared.console import LearnerError
from shared.lessons import ROOT
from shared.results import BLOCK


@pytest.fixture
def result(tmp_path):
    """A result file of a lesson of its own."""
    path = tmp_path / "model-04-gru" / "results" / "study.json"
    path.parent.mkdir(parents=True)
    rows = [["GRU", "before", 4.1669, "h", 9], ["GRU", "after", 1.7415, "h", 1047], ["LSTM", "after", 1.5, "c", 2],
            ["LSTM", "after", 1.6, "c, alone", None]]  # fmt: skip
    columns = ["network", "training", "loss | nats", "at", "steps"]
    more = {"prices": {"64": 0.12345}, "curve": [[1, 2], [3, 4]], "script": "experiments/study.py"}
    path.write_text(json.dumps({"columns": columns, "rows": rows} | more), encoding="utf-8")
    return path


@pytest.mark.parametrize(("address", "value"), [
    ("GRU & before | steps", 9),
    ("GRU & after | steps", 1047),
    ("LSTM & c | steps", 2),
    ("LSTM & after & c | steps", 2),
    ("LSTM & c, alone | training", "after"),
    ("GRU & after | loss | nats", 1.7415),
    ("prices.64", 0.12345),
    ("curve.1.0", 3),
])  # fmt: skip
def test_a_number_is_found(result, address, value):
    assert number(result, address) == value


@pytest.mark.parametrize("address", [
    "GRU | steps",  # two rows
    "RNN & after | steps",
    "after | steps",  # not the first cell
    "GRU & after & before | steps",
    "GRU & after | loss",
    "prices.32",
    "curve.5",
])  # fmt: skip
def test_an_address_without_one_number_is_refused(result, address):
    with pytest.raises(LearnerError, match="no number, or several"):
        number(result, address)


def test_columns_of_one_name(result):
    content = json.loads(result.read_text(encoding="utf-8"))
    content["columns"][4] = "at"
    result.write_text(json.dumps(content), encoding="utf-8")
    assert number(result, "GRU & after | at #2") == 1047 and number(result, "GRU & after | at #1") == "h"
    with pytest.raises(LearnerError):
        number(result, "GRU & after | at")
    with pytest.raises(LearnerError):
        number(result, "GRU & after | at #3")


def test_a_table_of_claims(result, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "find_lesson", lambda name: tmp_path / "model-04-gru")
    path = tmp_path / "docs" / "claims.toml"
    path.parent.mkdir()
    measured = "{GRU & after | steps} steps, {prices.64 as .2f} nats, {04/study: LSTM & c | steps}"
    claim = {"claim": "It holds.", "measured": measured, "result": "04/study", "section": "Two `x`, one"}

    def write(**changes):
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in (claim | changes).items())
        path.write_text(f"[[one]]\n{lines}\n", encoding="utf-8")

    write()
    row = claims_table(path, "one").splitlines()[2]
    assert row == ("| It holds. | 1,047 steps, 0.12 nats, 2 | [Two `x`, one](../model-04-gru/README.md#two-x-one) | "
                   "[`experiments/study.py`](../model-04-gru/experiments/study.py) | - |")  # fmt: skip
    result.with_name("study.png").touch()
    assert claims_table(path, "one").endswith("| [figure](../model-04-gru/results/study.png) |\n")
    write(figure="other.png", document="translation/README.md")
    table = claims_table(path, "one")
    assert "results/other.png" in table and "../model-04-gru/translation/README.md#two-x-one" in table
    with pytest.raises(LearnerError, match="no claims called 'two'"):
        claims_table(path, "two")
    write(result="04/nothing")
    with pytest.raises(LearnerError, match="which is not there"):
        claims_table(path, "one")


@pytest.mark.parametrize(("heading", "anchor"), [
    ("Where it breaks, and why that calls for lesson 02", "where-it-breaks-and-why-that-calls-for-lesson-02"),
    ("What one vector costs (`experiments/length.py`)", "what-one-vector-costs-experimentslengthpy"),
    ("One trap: x[:, t]", "one-trap-x-t"),
    ("A [link](to/it.md) - and snake_case", "a-link---and-snake_case"),
])  # fmt: skip
def test_anchors_are_those_of_github(heading, anchor):
    assert slug(heading) == anchor


def test_every_list_of_claims_is_shown():
    lists = tomllib.loads((ROOT / "docs" / "claims.toml").read_text(encoding="utf-8"))
    shown = BLOCK.findall((ROOT / "docs" / "experiments.md").read_text(encoding="utf-8"))
    assert [name for _, name, _ in shown] == [f"claims.toml#{name}" for name in lists]


def test_the_five_findings_about_state_have_numbers_and_figures():
    lists = tomllib.loads((ROOT / "docs" / "claims.toml").read_text(encoding="utf-8"))
    assert len(lists["state"]) == 5
    for row in claims_table(ROOT / "docs" / "claims.toml", "state").splitlines()[2:]:
        _, measured, _, _, figure = row.strip("| ").split(" | ")
        assert any(character.isdigit() for character in measured) and figure.startswith("[figure]")
