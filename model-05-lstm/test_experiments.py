"""What the experiments count and find, on cases that one can check by hand. Run: pytest model-05-lstm"""

from collections import Counter
from pathlib import Path

import pytest
import torch

from shared.data.fables import draw_fables
from shared.lessons import load

EXPERIMENTS = Path(__file__).resolve().parent / "experiments"


# closing.py: (kind, depth, distance, closed) of every opening mark, in the order in which they are settled; strays


@pytest.mark.parametrize(("text", "expected", "strays"), [
    ("(a [b] c)", [("bracket", 2, 2, True), ("bracket", 1, 8, True)], 0),
    ("(a [b) c)", [("bracket", 2, 2, False), ("bracket", 1, 8, True)], 0),
    ('"well (so" a)', [("bracket", 2, 3, False), ("quote", 1, 9, True)], 1),
    ('("well) a"', [("quote", 2, 5, False), ("bracket", 1, 6, True), ("quote", 1, 1, False)], 0),
    ('"it is the owl\'s," a', [("quote", 1, 17, True)], 0),
    ("\"he said, 'go,'\" a", [("inner quote", 2, 4, True), ("quote", 1, 15, True)], 0),
    ("(a\nb)", [("bracket", 1, 2, False)], 1),
    ("a (b [c", [("bracket", 2, 2, False), ("bracket", 1, 5, False)], 0),
    ("a] b) c", [], 2),
    ("", [], 0),
])  # fmt: skip
def test_marks_by_hand(text, expected, strays):
    assert load(EXPERIMENTS / "closing.py").marks(text) == (expected, strays)


def test_the_fables_close_every_mark_where_the_grammar_says():
    """The generator notes every closing mark as a recall point, with its distance from the opening one."""
    closing, fables = load(EXPERIMENTS / "closing.py"), draw_fables(seed=4, characters=100_000)
    found, strays = closing.marks(fables.text)
    assert strays == 0 and all(mark.closed for mark in found)
    for kinds, point_kind in ((("bracket",), "bracket"), (("quote", "inner quote"), "quote")):
        distances = Counter(mark.distance for mark in found if mark.kind in kinds)
        assert distances == Counter(point.distance for point in fables.points if point.kind == point_kind)
    groups = closing.groups(found)
    assert sum(len(marks) for name, marks in groups.items() if name.startswith("after")) == len(found)
    assert sum(len(marks) for name, marks in groups.items() if not name.startswith("after")) == len(found)
    assert groups["bracket depth 2"] and groups["inner quote"]


# cells.py


def test_properties_start_again_with_every_line():
    found = load(EXPERIMENTS / "cells.py").properties('a "b"\n"c\n(d [e)')
    assert found["inside a quotation"] == [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    assert found["depth of brackets"] == [0] * 9 + [1, 1, 1, 2, 2, 1]
    assert found["place in the line"] == [1, 2, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 5, 6]


def test_the_cell_that_follows_is_found_and_judged_on_other_text():
    cells, generator = load(EXPERIMENTS / "cells.py"), torch.Generator().manual_seed(0)
    values = (torch.rand(4, 500, generator=generator) < 0.3).float()
    c = torch.randn(4, 500, 6, generator=generator)
    c[..., 1] = 5.0  # never moves
    c[..., 2] = -3 * values + 0.5 * c[..., 2]
    unit, there, elsewhere = cells.find(c, values)
    expected = [torch.corrcoef(torch.stack([c[rows, :, 2].flatten(), values[rows].flatten()]))[0, 1].item()
                for rows in (slice(2), slice(2, None))]  # fmt: skip
    assert unit == 2 and [there, elsewhere] == pytest.approx(expected, abs=1e-5) and there < -0.8
    assert cells.correlations(c[0], values[0])[1] == 0
    c[2:, :, 2] = torch.randn(2, 500, generator=generator)  # it followed by chance, and only in the first half
    unit, there, elsewhere = cells.find(c, values)
    assert unit == 2 and there < -0.8 and abs(elsewhere) < 0.2


# gradients.py


def test_through_the_cell_alone_the_gradient_is_multiplied_by_forget_gates(monkeypatch):
    gradients = load(EXPERIMENTS / "gradients.py")
    for name, value in {"STRETCHES": 1, "LENGTH": 12, "FURTHEST": 8}.items():
        monkeypatch.setattr(gradients, name, value)
    model_file = load(EXPERIMENTS.parent / "model.py")
    torch.manual_seed(0)
    model = model_file.LSTMLM(model_file.LSTMConfig(7, 3, 5, num_layers=1)).double()
    token_ids = torch.randint(7, (13,))
    _, forget, output, c, h = (part[0] for part in model.layers[0].gates(model.embedding(token_ids[None, :-1])))
    last = h[-1].detach().requires_grad_()
    loss = torch.nn.functional.cross_entropy(model.lm_head(last)[None], token_ids[-1:])
    (dh,) = torch.autograd.grad(loss, last)
    dc = [dh * output[-1] * (1 - torch.tanh(c[-1]) ** 2)]
    for f in forget.flip(0)[:8]:
        dc.append(dc[-1] * f)
    norms = torch.stack([gradient.norm() for gradient in dc])
    alone = gradients.gradient_norms(model, token_ids, only="c")["c"]
    assert alone == pytest.approx((norms / norms[0]).tolist(), rel=1e-9)
    everything = gradients.gradient_norms(model, token_ids)
    assert set(everything) == {"h", "c"} and everything["c"] != pytest.approx(alone, rel=1e-3)


# coherence.py and stability.py


def test_repetition_by_position():
    coherence, text = load(EXPERIMENTS / "coherence.py"), "a b c d a b c d e"
    assert coherence.repeated(text, 0, len(text)) == pytest.approx(1 / 6)  # "a b c d", the second time
    assert coherence.repeated(text, 8, len(text)) == pytest.approx(1 / 5)
    assert coherence.repeated(text, 0, 8) == 0
    assert coherence.whole_words("lo the grey cat sa") == "the grey cat"


def test_largest_jump():
    losses = [2.0] * 20 + [1.5, 4.5] + [1.0] * 10
    assert load(EXPERIMENTS / "stability.py").largest_jump(losses) == pytest.approx(4.5 - (19 * 2.0 + 1.5) / 20)


# counting.py


def test_strings_of_as_many_b_as_a():
    counting = load(EXPERIMENTS / "counting.py")
    a, b, stop, none = counting.A, counting.B, counting.STOP, counting.IGNORED
    inputs, targets = counting.strings(1, 2)
    assert inputs.tolist() == [[stop, a, b, stop, stop], [stop, a, a, b, b]]
    assert targets.tolist() == [[a, b, stop, none, none], [a, a, b, b, stop]]
    assert counting.height(inputs)[1].tolist() == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(("wrong", "expected"), [
    ([], [True, True]),
    ([(1, 2)], [True, True]),
    ([(1, 3)], [True, False]),
    ([(0, 2), (1, 4)], [False, False]),
    ([(0, 3)], [True, True]),
])  # fmt: skip
def test_right_is_where_all_that_is_certain_is_right(wrong, expected):
    """Which a is the last cannot be known, and behind the end nothing is asked."""
    counting = load(EXPERIMENTS / "counting.py")
    inputs, targets = counting.strings(1, 2)
    logits = torch.nn.functional.one_hot(targets.clamp(min=0), 3).float()
    for place in wrong:
        logits[place] = -logits[place]
    assert counting.right(logits, inputs, targets) == expected


def test_the_first_wrong_string_ends_the_reach():
    reaches = load(EXPERIMENTS / "counting.py").reaches
    assert [reaches([True, True]), reaches([True, False, True]), reaches([False, True])] == [2, 1, 0]


def test_the_unit_that_counts_is_found():
    """An LSTM with weights by hand: its fourth cell adds one for each a and takes one away for each b."""
    counting = load(EXPERIMENTS / "counting.py")
    torch.manual_seed(0)
    network, units = counting.Network("LSTM"), counting.UNITS
    with torch.no_grad():
        for weight in network.layer.parameters():
            weight.mul_(0.1)
        for gate, value in ((0, 50.0), (1, 50.0), (2, 0.0)):  # writes all, keeps all; the candidate
            for weight in network.layer.parameters():
                weight[gate * units + 3] = 0.0
            network.layer.bias_ih_l0[gate * units + 3] = value
        network.layer.weight_ih_l0[2 * units + 3] = torch.tensor([50.0, -50.0, 0.0])
    inputs, _ = counting.strings(4, 6)
    assert counting.counter(network) == 3
    assert torch.equal(counting.remembered(network, inputs)[:, :, 3], counting.height(inputs).float())
