"""What the experiments change and count, on cases that one can check by hand. Run: pytest model-06-transformer"""

import copy
import json
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from shared.console import LearnerError
from shared.data.corpora import Corpus
from shared.data.fables import RecallPoint
from shared.data.tokens import Tokens
from shared.lessons import load
from shared.presets import keep_summary
from shared.tokenizers import CharTokenizer

EXPERIMENTS = Path(__file__).resolve().parent / "experiments"
TEXT = "the cat sat on the mat, and the dog sat on the log. " * 40
TINY = {"context_length": 8, "embedding_dim": 8, "num_heads": 2, "num_layers": 2, "batch_size": 4, "steps": 3}


@pytest.fixture
def lesson(tmp_path, monkeypatch) -> Path:
    """A folder for the results."""
    folder = tmp_path / EXPERIMENTS.parent.name
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["some_experiment.py"])
    return folder


def tiny_tokens() -> Tokens:
    """A small corpus instead of Shakespeare."""
    tokenizer = CharTokenizer.train(TEXT)
    ids = torch.tensor(tokenizer.encode(TEXT))
    return Tokens(Corpus("text", TEXT[:1500], TEXT[1500:], None, "made here"), tokenizer, ids[:1500], ids[1500:])


def run_main(module, monkeypatch, folder: Path, *flags: str, **settings) -> dict:
    """main() with these flags and module-wide settings, its results in a folder: result files by name."""
    monkeypatch.setattr(sys, "argv", ["some_experiment.py", *flags])
    for name, value in ({"LESSON": folder} | settings).items():
        monkeypatch.setattr(module, name, value)
    module.main()
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (folder / "results").glob("*.json")}


# ablations.py


@pytest.fixture
def ablations(monkeypatch):
    module, tokens = load(EXPERIMENTS / "ablations.py"), tiny_tokens()
    for name in ("new_model", "train"):  # from the same small settings
        monkeypatch.setattr(module, name, smaller(getattr(module, name)))
    monkeypatch.setattr(module, "shakespeare", lambda: tokens)
    return module


def smaller(function):
    return lambda *args, **changes: function(*args, **TINY | changes)


def test_without_residual_a_block_is_its_two_sublayers(ablations):
    model = ablations.new_model(tiny_tokens())
    before = [weight.std().item() for weight in model.blocks[1].parameters() if weight.dim() == 2]
    ablations.without_residual(model)
    block, x = model.blocks[1], torch.randn(2, 5, 8)
    seen, _ = block.attention(block.norm1(x))
    torch.testing.assert_close(block(x)[0], block.feed_forward(block.norm2(seen)))
    after = [weight.std().item() for weight in block.parameters() if weight.dim() == 2]
    assert after == pytest.approx(before, rel=0.3)
    logits, state = model(torch.zeros(1, 5, dtype=torch.int64))
    torch.testing.assert_close(model(torch.zeros(1, 5, dtype=torch.int64), None)[0], logits)
    assert len(state) == 3


def test_without_scale_the_scores_are_the_products(ablations):
    model, x = ablations.new_model(tiny_tokens()), torch.randn(1, 4, 8)
    ablations.without_scale(model)
    for block in model.blocks:
        query, key, _ = block.attention.project(x, None, None, None)
        future = torch.full((4, 4), -torch.inf).triu(1)
        torch.testing.assert_close(block.attention.look(x), (query @ key.transpose(2, 3) + future).softmax(dim=3))


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary", "none"])
def test_longer_windows_are_read_by_the_same_weights(ablations, kind):
    tokens = tiny_tokens()
    model = ablations.new_model(tokens, positions=kind).eval()
    other = ablations.longer(model, 4).eval()
    assert other.config.context_length == 32
    logits, _ = other(tokens.val[None, :20])
    torch.testing.assert_close(logits[:, :8], model(tokens.val[None, :8])[0])
    hidden, _ = other.read(tokens.val[None, :20], [None] * 2, tokens.val[None, :0])
    torch.testing.assert_close(logits, other.lm_head(hidden))  # nothing was forgotten on the way


def test_learned_positions_end_with_the_window(ablations):
    assert ablations.longer(ablations.new_model(tiny_tokens(), positions="learned"), 4) is None


def test_every_row_of_the_ablations_trains(ablations, monkeypatch, lesson):
    parts = run_main(ablations, monkeypatch, lesson, RATES=(3e-3,))["ablations"]
    assert len(parts["rows"]) == sum(map(len, ablations.GROUPS.values()))
    for _, _, loss, best, _ in parts["rows"]:
        assert best == loss and 1 < best < 4
    rows = {row[0]: row for row in parts["rows"]}
    assert rows["positions: learned"][-1] is None and 1 < rows["as it is"][-1] < 4
    assert (lesson / "results" / "ablations.png").stat().st_size > 1000
    with pytest.raises(LearnerError, match="did you mean norms"):
        run_main(ablations, monkeypatch, lesson, "norm")


def test_a_loss_that_is_no_number_has_no_entry(ablations, monkeypatch, lesson):
    found = run_main(ablations, monkeypatch, lesson, "positions", RATES=(1e-3, 1e30))["ablations"]
    for name, _, first, second, best, beyond in found["rows"]:
        assert second is None and best == first and (beyond is None) == ("learned" in name)


def test_rows_of_other_groups_stay_where_they_are(ablations, monkeypatch, lesson):
    groups = {"one": {"a": ({}, None), "b": ({"bias": True}, None)}, "two": {"c": ({}, None)}}
    monkeypatch.setattr(ablations, "GROUPS", groups)
    monkeypatch.setattr(ablations, "measure", lambda *args: (ablations.new_model(args[0]), calls.pop(0), float("nan")))
    calls = [1.0, 2.0, 3.0]
    whole = run_main(ablations, monkeypatch, lesson, RATES=(1e-3,))["ablations"]
    calls[:] = [4.0, 5.0]
    again = run_main(ablations, monkeypatch, lesson, "one", RATES=(1e-3,))["ablations"]
    assert [[row[0], row[3]] for row in whole["rows"]] == [["a", 1.0], ["b", 2.0], ["c", 3.0]]
    assert [[row[0], row[3]] for row in again["rows"]] == [["a", 4.0], ["b", 5.0], ["c", 3.0]]
    assert again["minutes"] >= whole["minutes"] and again["processor"] == whole["processor"]


# attention_maps.py


def test_scores_of_heads_made_by_hand():
    """One head for each score, which looks where it should and nowhere else."""
    maps, T = load(EXPERIMENTS / "attention_maps.py"), 12
    weights = torch.zeros(3, 1, 4, T, T)
    for head, back in enumerate((1, None, T // 2, T // 2 - 1)):
        for t in range(T):
            weights[:, 0, head, t, 0 if back is None else max(0, t - back)] = 1
    scores = maps.text_scores(weights) | maps.repetition_scores(weights)
    for head, name in enumerate(maps.SCORES):
        expected = [float(other == head) for other in range(4)]
        if name == "first token":
            expected[2] = 1 / 6  # t = 6 looks back by 6, to the first
        if name == "same token":
            expected[1] = 1 / 6
        assert scores[name][0].tolist() == pytest.approx(expected), name


def test_the_even_head():
    maps = load(EXPERIMENTS / "attention_maps.py")
    expected = sum(1 / (t + 1) for t in range(4, 8)) / 4
    assert set(maps.even(8)) == set(maps.SCORES)
    assert list(maps.even(8).values()) == pytest.approx([expected] * 4)


def test_half_losses_are_of_what_can_be_known():
    """A model that says "as before, R tokens earlier" pays nothing in the second half, and ln V in the first."""
    maps = load(EXPERIMENTS / "attention_maps.py")
    token_ids = maps.repeated(5, 6, 3)
    assert token_ids.shape == (3, 12) and torch.equal(token_ids[:, :6], token_ids[:, 6:])

    def model(read):
        logits = torch.zeros(3, 11, 5)
        logits[:, 6:].scatter_(2, read[:, 1:6, None], 100.0)
        return logits, None

    assert maps.half_losses(model, token_ids) == pytest.approx((torch.tensor(5.0).log().item(), 0.0), abs=1e-6)


@pytest.mark.parametrize(("checkpoint", "name"), [("checkpoints/any.pt", "attention_maps"),
                                                  ("checkpoints/ladder/best.pt", "attention_maps_ladder")])  # fmt: skip
def test_attention_maps_draws_and_writes(monkeypatch, lesson, checkpoint, name):
    maps, short_run = load(EXPERIMENTS / "attention_maps.py"), load(EXPERIMENTS / "short_run.py")
    tokens = tiny_tokens()
    model = short_run.new_model(tokens, **TINY | {"context_length": 16})
    for weight in model.blocks.parameters():
        torch.nn.init.normal_(weight)  # else all heads look about evenly
    monkeypatch.setattr(maps, "load_any", lambda checkpoint: (model.eval(), tokens.tokenizer, tokens.val))
    found = run_main(maps, monkeypatch, lesson, "--checkpoint", checkpoint)[name]
    assert [row[:2] for row in found["rows"]] == [[1, 1], [1, 2], [2, 1], [2, 2], ["even", None]]
    for column, name in enumerate(maps.SCORES, start=2):
        best = max(found["rows"][:-1], key=lambda row: row[column])
        assert best[:2] == [found["best"][name]["layer"], found["best"][name]["head"]]
    assert len(list((lesson / "results").glob("*.png"))) == 3
    assert all(loss > 0 for loss in found["losses"])


# name_heads.py


def test_places_that_are_asked_about():
    heads = load(EXPERIMENTS / "name_heads.py")
    point = partial(RecallPoint, answer="owl", candidates=("owl", "fox"))
    good = [point("hero", 300, distance=20), point("place", 400, distance=120)]
    bad = [point("pronoun", 300, distance=40), point("hero", 300, distance=19), point("hero", 300, distance=121),
           point("hero", 255, distance=40)]  # fmt: skip
    assert heads.places(good + bad, 256) == good
    many = heads.places([point("hero", 300 + i, distance=40) for i in range(2000)], 256)
    assert len(many) == 500 and many[1].start - many[0].start == 4


def test_weight_on_the_name_by_hand():
    """A name of three letters 6 characters back, in a window of 16: one head looks at it, one at what stands behind."""
    heads = load(EXPERIMENTS / "name_heads.py")
    weights = torch.zeros(2, 1, 2, 16)
    weights[0, 0, 0, 10], weights[1, 0, 0, 12], weights[1, 0, 0, 9] = 1.0, 0.5, 0.5
    weights[:, 0, 1, 13] = 1
    points = [RecallPoint("hero", start, "owl", ("owl", "fox"), 6) for start in (20, 40)]
    assert heads.on_the_name(weights, points).tolist() == [[0.75, 0.0]]


def test_the_window_ends_before_the_name():
    heads, short_run = load(EXPERIMENTS / "name_heads.py"), load(EXPERIMENTS / "short_run.py")
    tokens = tiny_tokens()
    model = short_run.new_model(tokens, **TINY | {"context_length": 16}).eval()
    point = RecallPoint("hero", 30, "owl", ("owl", "fox"), 6)
    expected = model.attention_maps(tokens.val[None, 14:30])[0, :, :, 15]
    assert torch.equal(heads.weights_before(model, tokens.val, [point])[0], expected)


def test_a_head_that_is_taken_out_says_nothing():
    """Nothing that it looks at or copies matters any more; the other head's does; the model itself stays as it is."""
    heads, short_run = load(EXPERIMENTS / "name_heads.py"), load(EXPERIMENTS / "short_run.py")
    tokens = tiny_tokens()
    model = short_run.new_model(tokens, **TINY | {"num_heads": 2}).eval()
    before, read = {name: weight.clone() for name, weight in model.state_dict().items()}, tokens.val[None, :8]
    other = heads.without(model, 1, 0)
    logits, size = other(read)[0], model.config.embedding_dim // 2
    for head, same in ((0, True), (1, False)):
        changed = copy.deepcopy(other)
        _, _, value = changed.blocks[1].attention.qkv.weight.detach().chunk(3)
        value[head * size : (head + 1) * size].normal_()
        assert torch.equal(changed(read)[0], logits) == same
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


# share_of_peak.py


def test_operations_by_the_second_are_those_of_a_token_times_tokens(monkeypatch, lesson):
    share, size = load(EXPERIMENTS / "share_of_peak.py"), (1, 16, 2)
    found = run_main(share, monkeypatch, lesson, SIDE=256, TIMES=2, NETWORKS={"the default": size})["share_of_peak"]
    peak, row = (dict(zip(found["columns"], row, strict=True)) for row in found["rows"])
    assert peak["GFLOP/s"] == pytest.approx(2 * 256**3 / peak["milliseconds"] / 1e6, rel=0.1, abs=1)
    assert row["GFLOP/s"] == pytest.approx(row["tokens per second"] * row["million operations a token"] / 1e3, abs=1)
    products = 12 * 16**2 + share.VOCAB_SIZE * 16
    assert row["million operations a token"] == pytest.approx((6 * products + 12 * 16 * 128) / 1e6, rel=0.01)


# compiled.py


def test_steps_are_timed_in_turn_and_compiling_apart(monkeypatch, lesson):
    """Time is what a clock of our own says: 10 seconds for the step that compiles, then 4 as it is and 2 compiled."""
    module, tokens = load(EXPERIMENTS / "compiled.py"), tiny_tokens()
    spent, order = iter([10_000.0] + 4 * [4.0, 2.0]), []

    def milliseconds(work):
        order.append(work())  # the training loss, so the steps do train
        return next(spent)

    found = run_main(module, monkeypatch, lesson, PAIRS=2, NETWORKS={"tiny": TINY}, milliseconds=milliseconds,
                     compiled=lambda model, device: model, shakespeare=lambda: tokens,
                     choose_precision=lambda *_: "float32")["compiled"]  # fmt: skip
    assert found["rows"] == [["tiny", "float32", 4.0, 2.0, 0.5, 10.0, 5000]]
    assert len(order) == 9 and order[0] > order[-1] > 0


# gradients.py


@pytest.mark.parametrize("post_norm", [False, True])
def test_gradient_norms_by_hand(monkeypatch, post_norm):
    """Gradients of one row after the other, with respect to what embed gives, from the whole model."""
    gradients, short_run = load(EXPERIMENTS / "gradients.py"), load(EXPERIMENTS / "short_run.py")
    monkeypatch.setattr(gradients, "FURTHEST", 5)
    monkeypatch.setattr(gradients, "AT_ONCE", 2)
    tokens = tiny_tokens()
    model = short_run.new_model(tokens, **TINY | {"context_length": 16, "post_norm": post_norm})
    for weight in model.blocks.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    rows = torch.stack([tokens.val[start : start + 9] for start in (0, 3, 7)])
    by_distance, by_depth = gradients.gradient_norms(model, rows)
    model, last, first, end = model.double(), torch.zeros(6), 0.0, 0.0
    for row in rows:
        kept = []
        hooks = [block.register_forward_hook(lambda module, given, out, kept=kept: kept.append((given[0], out[0])))
                 for block in model.blocks]  # fmt: skip
        losses = cross_entropy(model(row[None, :-1])[0][0], row[1:], reduction="none")
        (there,) = torch.autograd.grad(losses[-1], kept[0][0], retain_graph=True)
        last += torch.stack([there[0, 7 - d].norm() for d in range(6)])
        start, stop = torch.autograd.grad(losses.sum(), [kept[0][0], kept[-1][1]])
        first, end = first + start[0].norm(dim=1).sum(), end + stop[0].norm(dim=1).sum()
        for hook in hooks:
            hook.remove()
    assert by_distance == pytest.approx((last / last[0]).tolist(), rel=1e-5) and by_distance[0] == 1
    assert len(by_depth) == 3 and by_depth[-1] == 1 and by_depth[0] == pytest.approx((first / end).item(), rel=1e-5)


def test_gradients_draws_beside_the_lessons_before(monkeypatch, lesson):
    gradients = load(EXPERIMENTS / "gradients.py")
    for name, value in (("STRETCHES", 4), ("LENGTH", 12), ("FURTHEST", 9), ("BLOCKS", 2), ("shakespeare", tiny_tokens)):
        monkeypatch.setattr(gradients, name, value)
    monkeypatch.setattr(gradients, "SETTINGS", TINY | {"context_length": 16, "num_layers": 2})
    earlier = {"curves": {curve: [0.5**d for d in range(10)] for _, curve in gradients.BEFORE.values()}}
    monkeypatch.setattr(gradients, "read_result", lambda lesson, name: earlier)
    found = run_main(gradients, monkeypatch, lesson, "--steps", "3")["gradients"]
    assert [row[3] for row in found["rows"][:3]] == [4, 4, 4] and len(found["rows"]) == 7
    assert {len(curve) for curve in found["curves"].values()} == {10}
    assert {len(curve) for curve in found["by_depth"].values()} == {3}
    assert len(list((lesson / "results").glob("*.png"))) == 2


# context.py, cost.py, recall.py, presets.py


def summary(**more) -> dict:
    return {"train_seconds": 12.0, "steps": 6, "threads": 1} | more


def test_context_trains_what_is_missing_with_equally_many_characters(monkeypatch, lesson):
    context, commands = load(EXPERIMENTS / "context.py"), []

    def train(command, **kwargs):
        commands.append(command)
        out = Path(command[command.index("--out") + 1])
        out.mkdir(parents=True)
        (out / "summary.json").write_text(json.dumps(summary()), encoding="utf-8")

    bands = [{"low": 5, "high": 20, "accuracy": 0.5, "error": 0.1, "points": 9, "chance": 0.1}]
    measured = {"steps": 6, "parameters": 100, "above the floor": 0.5, "floor": 1.0, "bands": bands}
    monkeypatch.setattr(context, "subprocess", SimpleNamespace(run=train, DEVNULL=None))
    monkeypatch.setattr(context, "load", lambda path: (path.parent.name, None))
    monkeypatch.setattr(context, "measure", lambda name, _, folder: measured)
    flags = ("64", "256", "--checkpoints", str(lesson / "runs"), "--steps", "6")
    found = run_main(context, monkeypatch, lesson, *flags)["context"]
    assert [Path(command[-1]).name for command in commands] == ["context-64", "ladder"]
    usual = context.LADDER["batch_size"]
    for command, batch in zip(commands, (4 * usual, usual), strict=True):
        assert command[command.index("--batch-size") + 1] == str(batch) and command[command.index("--steps") + 1] == "6"
    assert [row[0] for row in found["rows"]] == [64, 256, "floor; chance"] and found["rows"][0][4:] == ["50%"]
    assert found["minutes"] == 0.4  # of both trainings
    run_main(context, monkeypatch, lesson, *flags)
    assert len(commands) == 2  # both are there


def test_cost(monkeypatch, lesson):
    cost = load(EXPERIMENTS / "cost.py")
    monkeypatch.setattr(cost, "read_result", lambda *_: {"rows": [[4, 0.2, 8.0, "40"], [9, 0.2, 9.0, "45"]]})
    tiny = {"POSITIONS": (4, 9), "AROUND": 2, "READINGS": 1, "CONTEXT": 16}
    monkeypatch.setattr(cost, "PRESETS", {"default": cost.PRESETS["default"] | {"embedding_dim": 16, "num_layers": 2}})
    found = run_main(cost, monkeypatch, lesson, **tiny)["cost"]
    assert [row[:2] for row in found["rows"]] == [[4, 2 * (12 * 256 + 128)], [9, 2 * (12 * 256 + 288)]]
    model = cost.new_model(16)
    _, state = model(torch.zeros(1, 9, dtype=torch.int64))
    assert cost.megabytes(state) == pytest.approx((2 * 2 * 16 * 9 * 4 + 9 * 8) / 1e6)


def test_presets_writes_what_a_step_costs(monkeypatch, lesson):
    presets = load(EXPERIMENTS / "presets.py")
    about = {"parameters": 7, "val_loss_sliding": 1.5, "tokens_seen": 60, "device": "cpu", "precision": "float32"}
    keep_summary(lesson, "quick", summary(**about, processor="a chip"))
    monkeypatch.setattr(presets, "LESSON", lesson)
    presets.write_costs()
    found = json.loads((lesson / "results" / "preset_cost.json").read_text(encoding="utf-8"))
    steps = presets.PRESETS["quick"]["steps"]
    assert found["rows"] == [["quick", 7, 1.5, 10, 2.0, steps, found["rows"][0][6], "cpu", 1, "float32", "a chip"]]
    assert set(presets.USUAL) < set(presets.PRESETS)


def test_recall_adds_its_row_to_those_before(monkeypatch, lesson):
    recall = load(EXPERIMENTS / "recall.py")
    bands = [{"low": 5, "high": 20, "accuracy": 0.5, "error": 0.1, "points": 9, "chance": 0.1}]
    measured = {"steps": 6, "parameters": 100, "above the floor": 0.5, "floor": 1.0, "loss": 1.5, "bands": bands}
    model = SimpleNamespace(config=SimpleNamespace(num_layers=3, embedding_dim=80))
    monkeypatch.setattr(recall, "load_run", lambda folder, dataset: (model, SimpleNamespace(tokenizer=None)))
    monkeypatch.setattr(recall, "measure", lambda *_: measured)
    monkeypatch.setattr("shared.ladder.rows_before", lambda lessons: [("LSTM, 2 x 128", 6, 99, 0.6, bands)])
    found = run_main(recall, monkeypatch, lesson)["recall"]
    assert [row[0] for row in found["rows"]] == ["LSTM, 2 x 128", "Transformer, 3 x 80", "floor; chance"]
    assert list(found["bands"]) == ["Transformer, 3 x 80"]
    monkeypatch.setattr("shared.ladder.of_seed", lambda lesson, seed: measured | {"above the floor": seed / 1000})
    found = run_main(recall, monkeypatch, lesson, "--seeds")["recall_seeds"]
    assert [row[0] for row in found["rows"]] == ["RNN", "GRU", "LSTM", "Transformer", "floor; chance"]
    assert found["rows"][3][4] == "1.3370 to 1.3390"


# overtake.py


@pytest.fixture
def overtake():
    return load(EXPERIMENTS / "overtake.py")


def test_the_text_is_a_part_of_the_corpus(overtake, monkeypatch):
    tokens = tiny_tokens()._replace(val=tiny_tokens().val[:50])
    monkeypatch.setattr(overtake.transformer, "in_characters", lambda name: tokens)
    found = overtake.train_one("Transformer", "shakespeare", 1 / 4, "small", 3)
    assert found["characters"] == 1500 / 4 and found["read"] == 3 * 2048
    assert [step for step, _ in found["curve"]] == [1, 2, 3] and overtake.lowest(found) < found["curve"][0][1]


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_both_networks_are_of_one_size(overtake, size, monkeypatch):
    tokens = tiny_tokens()._replace(val=tiny_tokens().val[:50])
    monkeypatch.setattr(overtake.transformer, "in_characters", lambda name: tokens)
    lstm, ours = (overtake.train_one(kind, "shakespeare", 1, size, 1)["parameters"] for kind in overtake.ALIKE)
    assert lstm == pytest.approx(ours, rel=0.05)


def test_pairs_that_are_finished_stand_in_the_table_and_are_not_done_again(overtake, monkeypatch, lesson):
    done = []

    def found(kind, name, share, size, steps) -> dict:
        done.append(kind)
        curve = [[1, 3.0], [2, 2.0 if kind == "LSTM" else 2.25], [3, 2.5]]  # the best is not the last
        return {"curve": curve, "seconds": 60.0, "parameters": 10, "characters": 100 * share, "read": steps,
                "floor": 0.5 if name == "fables" else None}  # fmt: skip

    results = run_main(overtake, monkeypatch, lesson, "text", "--factor", "0.01", train_one=found)["overtake"]
    assert [row[1] for row in results["rows"]] == [12.5, 25, 50, 100]
    assert [row[5:8] for row in results["rows"]] == [[2.0, 2.25, "+0.2500"]] * 4 and len(done) == 8
    results = run_main(overtake, monkeypatch, lesson, "reading", "--factor", "0.01", train_one=found)["overtake"]
    assert [row[5] for row in results["rows"]] == [2.0] * 4 + [1.5] * 3 and len(done) == 14
    assert [row[2] for row in results["rows"]] == [15] * 4 + [10, 20, 40]
    assert results["minutes"] == 14 and (lesson / "results" / "overtake.png").stat().st_size > 1000
    run_main(overtake, monkeypatch, lesson, "--factor", "0.01", train_one=found)  # all: of "parameters" two are new
    assert len(done) == 18
    with pytest.raises(LearnerError, match="did you mean text"):
        run_main(overtake, monkeypatch, lesson, "texts")


# budgets.py


def test_budgets_keeps_the_rows_of_other_budgets_and_on_what_they_were_made(monkeypatch, lesson):
    budgets = load(EXPERIMENTS / "budgets.py")

    def train(budget, seed) -> dict:
        about = {"parameters": 7, "val_loss": seed / 1000, "val_loss_sliding": 1.5, "precision": "float32"}
        return summary(**about, wall=60.0, processor="a chip" if budget == "75 s" else "another")

    monkeypatch.setattr(budgets, "train", train)
    run_main(budgets, monkeypatch, lesson, "75 s", "--seeds", "3")
    found = run_main(budgets, monkeypatch, lesson, "20 s")["budgets"]
    assert [row[0] for row in found["rows"]] == ["20 s", "75 s"]  # in order of time
    assert found["rows"][1][5:8] == [1.338, "1.3370 to 1.3390", "1.3370, 1.3380, 1.3390"]
    assert found["processor"] == "another and a chip" and found["minutes"] == 4
    with pytest.raises(LearnerError, match="did you mean 75 s"):
        run_main(budgets, monkeypatch, lesson, "75")


# seeds.py


def test_seeds_stand_beside_the_one_that_is_kept(monkeypatch, lesson):
    seeds, commands = load(EXPERIMENTS / "seeds.py"), []

    def train(command, **kwargs):
        seed, out = int(command[command.index("--seed") + 1]), Path(command[command.index("--out") + 1])
        commands.append(seed)
        out.mkdir(parents=True)
        about = {"val_loss": seed / 1000, "val_loss_sliding": 1.5, "train_loss": 1.25, "processor": "a chip"}
        (out / "summary.json").write_text(json.dumps(summary(**about)), encoding="utf-8")

    monkeypatch.setattr(seeds, "subprocess", SimpleNamespace(run=train, DEVNULL=None))
    with pytest.raises(LearnerError, match=r"presets\.py default"):
        run_main(seeds, monkeypatch, lesson)
    kept = {"val_loss": 1.334, "val_loss_sliding": 1.5, "train_loss": 1.25, "processor": "another"}
    keep_summary(lesson, "default", summary(**kept))
    found = run_main(seeds, monkeypatch, lesson, "1338")["seeds"]
    assert [row[0] for row in found["rows"]] == ["1337", "1338", "mean", "highest less lowest"] and commands == [1338]
    found = run_main(seeds, monkeypatch, lesson)["seeds"]
    assert commands == [1338, 1339] and found["processor"] == "another and a chip"
    assert [row[1] for row in found["rows"]] == [1.334, 1.338, 1.339, 1.337, 0.005]
