"""Documents say what is so: tables equal their result files, links lead somewhere, lessons keep to themselves."""

import re

import pytest

from shared.lessons import ROOT, all_lessons
from shared.results import BLOCK, documents, filled

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|!\[[^\]]*\]\(([^)\s]+)\)")
MARKDOWN = sorted({*documents(), *ROOT.glob("shared/**/*.md"), *ROOT.glob("model-*/**/*.md")})


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tables_equal_the_results_they_show(document):
    assert filled(document) == document.read_text(encoding="utf-8"), "run: python -m shared.results"


def test_every_table_block_is_closed_and_found():
    for document in documents():
        text = document.read_text(encoding="utf-8")
        assert text.count("<!-- table: ") == len(BLOCK.findall(text)), document


@pytest.mark.parametrize("document", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(document):
    if "checkpoints" in document.parts:
        pytest.skip("the learner's own")
    for groups in LINK.findall(document.read_text(encoding="utf-8")):
        target = groups[0] or groups[1]
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), f"{document.name} links to {target}, which is not there"


@pytest.mark.parametrize("lesson", all_lessons(), ids=lambda path: path.name)
def test_a_lesson_stands_alone(lesson):
    others = [other.name for other in all_lessons() if other != lesson]
    framework = r"nn\.(RNN|GRU|LSTM|MultiheadAttention|Transformer)\w*\("
    framework += r"|(F|functional)(\.| import[^\n]*)scaled_dot_product_attention"  # lesson 06 has one of its own
    for file in lesson.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for other in others:
            assert not re.search(rf"(import|sys\.path|spec_from|load\().*{other}", text), f"{file} reaches into {other}"
        if not file.name.startswith(("test_", "check", "benchmark")):
            assert not re.search(framework, text), f"{file} uses a layer of the framework"
