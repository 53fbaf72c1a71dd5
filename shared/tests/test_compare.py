"""The shell's two policies, state carried and state dropped: /stateless in the middle of a text, and /compare."""

import pytest
import torch
from torch import nn

from shared.repl import Repl, wrapped
from shared.sampling import generate
from shared.tests.shell import TEXT, new_session
from shared.tokenizers import WordTokenizer


class Remembering(nn.Module):
    """A random linear recurrence: what it writes next depends on far more than the last token."""

    def __init__(self, vocab_size: int, size: int = 16):
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.embedding = torch.randn(vocab_size, size, generator=draw)
        self.turn = torch.linalg.qr(torch.randn(size, size, generator=draw))[0]
        self.bias = torch.zeros(vocab_size)

    def forward(self, token_ids, state=None):
        h, logits = torch.zeros(len(token_ids), self.turn.shape[0]) if state is None else state, []
        for tokens in token_ids.unbind(1):
            h = 0.9 * h @ self.turn + self.embedding[tokens]
            logits.append(h @ self.turn @ self.embedding.t() + self.bias)
        return torch.stack(logits, dim=1), h


@pytest.fixture
def session():
    return new_session(lambda tokenizer: Remembering(tokenizer.vocab_size))


@pytest.fixture
def run_lines(session, shown_by):
    """Type lines into a shell around the session: what it showed."""
    return lambda *lines: shown_by(Repl(session, show_state=print), *lines)


# /stateless


def test_stateless_in_the_middle_of_a_text(session, run_lines):
    """On: every token from the last one only. Off again: as if the whole text had been read with its state carried."""
    shown = run_lines("/greedy on", "the dog", "/stateless on", "", "/stateless off", "")
    assert shown.count("  stateless on\n") == shown.count("  stateless off\n") == 1
    tokens, model, start = session.token_ids, session.model, len("the dog")
    assert len(tokens) == start + 3 * 60
    parts = [tokens[: start + 60 * part] for part in range(3)]
    with torch.no_grad():
        after_each = model(torch.tensor(tokens)[:, None])[0][:, 0].argmax(dim=-1).tolist()  # each a text of its own
    assert tokens[start + 60 : start + 120] == after_each[start + 59 : start + 119]
    for part in (0, 2):
        written = tokens[len(parts[part]) : len(parts[part]) + 60]
        assert written == list(generate(model, parts[part], 60, greedy=True))
        assert written != list(generate(model, parts[part], 60, greedy=True, stateless=True))


def test_stateless_says_what_it_is_and_refuses_the_rest(session, run_lines):
    shown = run_lines("/stateless", "/stateless on", "/stateless", "/stateless perhaps", "/stateless")
    off, *on, error, still = shown.splitlines()
    assert off == "  stateless off" and on == ["  stateless on"] * 2 and still == "  stateless on"
    assert error == "error: type /stateless on or /stateless off"
    assert session.token_ids == []


def test_off_when_it_was_off_reads_nothing_again(session, run_lines):
    run_lines("the dog")
    sampler = session.sampler
    run_lines("/stateless off")
    assert session.sampler is sampler


def test_off_before_any_text(session, run_lines):
    assert run_lines("/stateless on", "/stateless off", "/probs").count("entropy") == 1


def test_ctrl_c_while_the_text_is_read_again_loses_nothing(session, run_lines):
    run_lines("the dog", "/stateless on", "")
    text, state, forward = list(session.token_ids), session.sampler.state, session.model.forward
    session.model.forward = stop = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt())
    assert "[stopped]" in run_lines("/stateless off") and session.model.forward is stop
    session.model.forward = forward
    assert session.token_ids == text and session.sampler.state is state
    assert run_lines("/stateless") == "  stateless on\n"


# /compare


def columns_of(shown: str, width: int = 38) -> tuple[list[str], list[str]]:
    """The rows of both columns from the heading on; every row has them in their places."""
    shown = shown[shown.index("state carried") :]
    assert all(row[width : width + 3] == " | " for row in shown.splitlines()), shown
    rows = [(row[:width].rstrip(), row[width + 3 :].rstrip()) for row in shown.splitlines()]
    return tuple(map(list, zip(*rows, strict=True)))


def test_compare_is_one_text_under_two_policies_from_one_seed(session, run_lines):
    left, right = columns_of(run_lines("/temperature 0.7", "/top-k 5", "/compare the dog"))
    assert (left[0], right[0]) == ("state carried", "state dropped")
    texts = []
    for stateless in (False, True):
        settings = {"temperature": 0.7, "top_k": 5, "generator": torch.Generator().manual_seed(1337)}
        drawn = generate(session.model, session.tokenizer.encode("the dog"), 60, stateless=stateless, **settings)
        texts.append("the dog" + session.tokenizer.decode(list(drawn)))
    assert texts[0] != texts[1] and texts[0][:8] == texts[1][:8]  # the first token is drawn by both from the whole text
    for lines, text in ((left[1:], texts[0]), (right[1:], texts[1])):
        assert max(map(len, lines)) <= 38
        assert "".join("".join(lines).split()) == "".join(text.split())


def test_compare_leaves_the_session_alone(session, run_lines):
    once = run_lines("the dog", "").splitlines()
    session.reset()
    run_lines("/seed 1337")
    again = run_lines("the dog", "/compare quick", "/compare fox", "").splitlines()
    assert once[0] == again[0] and once[-1] == again[-1]
    assert len(session.token_ids) == 7 + 120
    assert run_lines("/stateless") == "  stateless off\n"


def test_compare_follows_the_seed_and_the_length(session, run_lines):
    first = run_lines("/compare the dog")
    assert run_lines("", "/compare the dog").endswith(first)  # what was drawn meanwhile changes nothing
    assert run_lines("/seed 5", "/compare the dog") != first
    assert run_lines("/seed 1337", "/compare the dog") == first
    left, right = columns_of(run_lines("/length 3", "/compare over\\nthe"))
    assert left[1] == right[1] == "over" and left[2].startswith("the") and right[2].startswith("the")


@pytest.mark.parametrize("line", ["/compare", "/compare   ", "/compare ÄÖÜ"])
def test_compare_needs_a_text(run_lines, line):
    assert run_lines(line) == "error: /compare needs a text to go on from: /compare ROMEO:\n"


def test_compare_puts_spaces_between_words(run_lines, session):
    session.tokenizer = WordTokenizer.train(TEXT)
    session.model = Remembering(session.tokenizer.vocab_size)
    session.model.bias[session.tokenizer.encode("fox")[0]] = 1e6
    left, right = columns_of(run_lines("/length 3", "/compare the dog"))
    assert left[1:] == right[1:] == ["the dog fox fox fox"]


def test_ctrl_c_stops_a_comparison(session, run_lines, monkeypatch):
    run_lines("the dog")
    text, forward, calls = list(session.token_ids), session.model.forward, []

    def stop_after_100(*inputs):
        calls.append(inputs)
        if len(calls) > 100:
            raise KeyboardInterrupt
        return forward(*inputs)

    session.model.forward = stop_after_100
    shown = run_lines("/length 100000", "/compare the dog")
    session.model.forward = forward
    assert shown.endswith("[stopped]\n") and shown.count(" | ") >= 2
    assert session.token_ids == text


@pytest.mark.parametrize(("text", "width", "lines"), [
    ("the quick brown fox", 9, ["the quick", "brown fox"]),
    ("the quick brown fox", 10, ["the quick", "brown fox"]),
    ("one\n\ntwo\n", 9, ["one", "", "two", ""]),
    ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
    ("a\tb", 9, ["a b"]),
    ("", 9, [""]),
])  # fmt: skip
def test_wrapped(text, width, lines):
    assert list(wrapped(text, width)) == lines
    assert list(wrapped([text[:3], text[3:]], width)) == lines


def test_a_line_comes_as_soon_as_it_is_whole():
    def pieces():
        yield from ("one ", "two", "\n", "thr")
        raise AssertionError("read on, although a line was whole")

    assert next(wrapped(pieces(), 20)) == "one two"
