"""What is reckoned and fitted, against counts made otherwise. Run: pytest model-06-transformer"""

import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from shared.console import LearnerError
from shared.data.corpora import Corpus
from shared.data.tokens import Tokens
from shared.lessons import load
from shared.tokenizers import CharTokenizer

LESSON = Path(__file__).resolve().parent
EXPERIMENTS = LESSON / "experiments"
TEXT = "the cat sat on the mat, and the dog sat on the log. " * 40
cost, model_file = load(EXPERIMENTS / "cost_of_gpt2.py"), load(LESSON / "model.py")


@pytest.fixture
def here(tmp_path) -> Path:
    """A lesson's folder for the results."""
    (tmp_path / LESSON.name).mkdir()
    return tmp_path / LESSON.name


def run_main(module, monkeypatch, *flags: str) -> None:
    monkeypatch.setattr(sys, "argv", [Path(module.__file__).name, *flags])
    module.main()


def result(folder: Path, name: str) -> dict:
    return json.loads((folder / "results" / f"{name}.json").read_text(encoding="utf-8"))


def gpt2_like(size) -> torch.nn.Module:
    """The lesson's network of this Size."""
    sizes = size.vocab_size, size.context, size.width, size.layers, size.heads
    return model_file.TransformerLM(model_file.TransformerConfig(*sizes, tied=True))


def loss_of(model, token_ids, precision="float32") -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        logits, _ = model(token_ids[:, :-1])
    return cross_entropy(logits.flatten(0, 1), token_ids[:, 1:].flatten())


# cost_of_gpt2.py


def test_parameters_are_those_of_the_published_sizes_and_of_the_lessons_model():
    assert cost.parameters(cost.GPT2) == 124_439_808
    assert cost.parameters(cost.LARGER["GPT-2 XL"]) == 1_557_611_200
    small = cost.Size(3, 20, 4, 24, 31)
    assert cost.parameters(small) == sum(weight.numel() for weight in gpt2_like(small).parameters())


def test_operations_by_hand():
    """One layer of 2 channels, windows of 3, 5 tokens: 48 weights in the block, 10 in lm_head, 6 operations each; and
    for each of 3 places 2 multiply-adds per channel in scores and sums, 2 operations each, three times over."""
    tiny = cost.Size(1, 2, 1, 3, 5)
    assert cost.in_blocks(tiny) == 3 * 4 + 4 + 8 * 4 == 48
    assert cost.attention_operations(tiny) == 3 * (3 * 2 * 2 * 2) == 72
    assert cost.operations(tiny) == 6 * (48 + 10) + 72


@pytest.mark.parametrize("size", [cost.Size(1, 8, 2, 6, 11), cost.Size(3, 12, 3, 16, 7)])
def test_operations_are_what_pytorch_counts(size):
    model, token_ids = gpt2_like(size), torch.randint(size.vocab_size, (2, size.context + 1))
    with FlopCounterMode(display=False) as counter:
        loss_of(model, token_ids).backward()
    assert counter.get_total_flops() == cost.operations(size) * 2 * size.context


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_what_is_kept_is_what_autograd_keeps(precision):
    """All tensors saved for the backward pass but the weights. Not reckoned: two numbers a token and norm, the ids."""
    size, batch = cost.Size(2, 24, 2, 16, 50), 3
    model, token_ids, saved = gpt2_like(size), torch.randint(50, (3, 17)), {}
    for parameter in model.parameters():
        saved[parameter.untyped_storage().data_ptr()] = None

    def keep(tensor):
        storage = tensor.untyped_storage()
        saved.setdefault(storage.data_ptr(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = loss_of(model, token_ids, precision)
    found = sum(storage.nbytes() for storage in saved.values() if storage is not None)
    tokens, norms = batch * size.context, 2 * size.layers + 1
    small = tokens * (8 * norms + 8) + token_ids.nbytes + 4  # norms, targets, inputs, the number of targets
    copies = 2 * (cost.in_blocks(size) + size.vocab_size * size.width) if precision == "bf16" else 0
    assert loss.isfinite() and found == tokens * cost.kept(size, precision) + small + copies


def test_without_attentions_weights_less_is_kept():
    for precision, bytes_each in (("float32", 4), ("bf16", 2)):
        less = cost.kept(cost.GPT2, precision) - cost.kept(cost.GPT2, precision, weights_kept=False)
        assert less == bytes_each * 12 * 12 * 1024


def test_published_laws():
    assert cost.hoffmann(1, 1) == pytest.approx(1.69 + 406.4 + 410.7)
    assert cost.hoffmann(math.inf, math.inf) == 1.69 and cost.besiroglu(math.inf, math.inf) == 1.8172
    assert cost.hoffmann(70e9, 1.4e12) == pytest.approx(1.936, abs=0.002)  # Chinchilla
    assert cost.kaplan(6.4e13, math.inf) == 1.0
    assert cost.kaplan(8.5e7, math.inf) == pytest.approx((6.4e13 / 8.5e7) ** 0.076)


def test_time_is_work_by_speed():
    seconds = cost.seconds(cost.GPT2, 1000, peak=1e12, used=0.5, cards=4)
    assert seconds * 4 * 0.5e12 == pytest.approx(1000 * cost.operations(cost.GPT2))
    assert cost.days(3600) == "1 h 00 min" and cost.days(86_400 * 2.5) == "2.5 days"


def test_the_committed_tables_are_what_the_formulas_say(here, monkeypatch):
    monkeypatch.setattr(cost, "LESSON", here)
    run_main(cost, monkeypatch)
    written = sorted(path.name for path in (here / "results").iterdir())
    assert written == [f"gpt2_{name}.json" for name in ("memory", "network", "sharding", "task", "time")]
    for name in written:
        old, new = (result(folder, name.removesuffix(".json")) for folder in (LESSON, here))
        assert (old["columns"], old["rows"]) == (new["columns"], new["rows"]), f"{name}: run cost_of_gpt2.py again"


def test_the_page_says_what_the_tables_say():
    """Its text repeats some of their numbers."""
    page = (LESSON.parent / "docs" / "scaling.md").read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<!-- table.*?/table -->", "", page, flags=re.DOTALL).split())
    n = cost.parameters(cost.GPT2)
    for said in (f"{n:,}", f"{cost.gigabytes(16 * n)}", f"{-(-cost.TOKENS // cost.BATCH):,} steps"):
        assert said in text, said


# scaling.py


@pytest.fixture
def scaling(monkeypatch, here):
    """The script with two tiny networks, a small text, and a folder of its own."""
    module, tokenizer = load(EXPERIMENTS / "scaling.py"), CharTokenizer.train(TEXT)
    ids = torch.tensor(tokenizer.encode(TEXT))
    tokens = Tokens(Corpus("text", TEXT[:1500], TEXT[1500:], None, "made here"), tokenizer, ids[:1500], ids[1500:])
    tiny = {"NETWORKS": {"1x8": (1, 8, 2), "1x12": (1, 12, 2), "1x16": (1, 16, 2)}, "LARGEST": "1x16", "LESSON": here}
    tiny |= {"shakespeare": lambda: tokens, "BASE": module.BASE | {"context_length": 8, "batch_size": 4, "warmup": 2}}
    for name, value in tiny.items():
        monkeypatch.setattr(module, name, value)
    return module


@settings(deadline=None, max_examples=30)
@given(st.floats(0.5, 2.0), st.floats(0.05, 1.0), st.floats(0.3, 2.0), st.integers(4, 12), st.booleans())
def test_a_fit_recovers_known_constants(floor, b, height, count, limit):
    module = load(EXPERIMENTS / "scaling.py")
    floor = floor if limit else 0.0
    x = np.geomspace(1e4, 1.5e6, count)
    a = height * 1e4**b
    points = [(value, floor + a * value**-b) for value in x]
    found = module.power_law(points, limit)
    assert found == pytest.approx((floor, a, b), rel=1e-3)
    assert module.spread(points, limit) == pytest.approx((b, b), rel=1e-3) or count == 4


def test_a_fit_is_the_nearest_one_and_has_no_negative_limit():
    module, generator = load(EXPERIMENTS / "scaling.py"), np.random.default_rng(0)
    x = np.geomspace(1e4, 1e6, 8)
    y = 1.3 + 40 * x**-0.4 + generator.normal(0, 0.01, 8)
    error = [sum((floor + a * x**-b - y) ** 2) for floor, a, b in
             (module.power_law(list(zip(x, y, strict=True)), limit) for limit in (True, False))]  # fmt: skip
    assert error[0] < error[1]
    best = module.power_law(list(zip(x, y, strict=True)), True)
    for change in ((0.01, 1, 1), (0, 1.02, 1), (0, 1, 1.01), (0, 0.98, 1), (0, 1, 0.99)):
        other = best[0] + change[0] + best[1] * change[1] * x ** (-best[2] * change[2])
        assert sum((other - y) ** 2) > error[0]
    low, high = module.spread(list(zip(x, y, strict=True)), True)
    assert low < best[2] < high
    falling = [(value, 3 - 0.1 * np.log(value)) for value in x]  # steeper and steeper: no limit above zero
    assert module.power_law(falling, True)[0] == 0.0


def test_the_frontier_by_hand():
    module = load(EXPERIMENTS / "scaling.py")
    curves = [[[0, 1, 3.0], [0, 2, 2.5], [0, 4, 2.4]], [[0, 2, 2.8], [0, 4, 2.2], [0, 8, 2.3]]]
    assert module.frontier([{"curve": curve} for curve in curves]) == [(1, 3.0), (2, 2.5), (4, 2.2)]
    assert module.lowest({"curve": curves[1]}) == 2.2


def test_places_are_even_on_a_logarithmic_axis_and_end_with_the_run():
    module = load(EXPERIMENTS / "scaling.py")
    assert module.places(600) == [75, 94, 119, 150, 189, 238, 300, 378, 476, 600]
    assert module.places(1) == [1] and module.places(3)[-1] == 3


def test_the_networks_are_of_the_sizes_that_are_said():
    module = load(EXPERIMENTS / "scaling.py")
    sizes = [cost.in_blocks(cost.Size(layers, width, 1)) for layers, width, _ in module.NETWORKS.values()]
    assert sizes[0] > 10_000 and 1_400_000 < sizes[-1] < 1_600_000
    ratios = [math.log10(b / a) for a, b in zip(sizes, sizes[1:], strict=False)]
    assert all(0.4 < ratio < 0.6 for ratio in ratios)
    assert all(width % heads == 0 for _, width, heads in module.NETWORKS.values())


def test_a_run_is_what_it_says(scaling):
    """Its last loss is that of the network that reads so many characters; its operations are counted for each."""
    tokens = scaling.shakespeare()
    found = scaling.train_one(tokens, "1x8", 0.5, 1e-2, 6)
    assert found["characters"] == 750 and found["curve"][-1][0] == 6 * 4 * 8
    size = cost.Size(1, 8, 2, 8, tokens.tokenizer.vocab_size)
    assert all(spent == read * cost.operations(size) for read, spent, _ in found["curve"])
    shorter = scaling.train_one(tokens, "1x8", 0.5, 1e-2, 3)  # the schedule knows nothing of the end
    at_three = next(point for point in found["curve"] if point[0] == 3 * 4 * 8)
    assert shorter["curve"][-1] == pytest.approx(at_three, rel=1e-6)


def test_finished_runs_are_not_done_again_and_the_rest_is_named(scaling, monkeypatch, here, capsys):
    done, train_one = [], scaling.train_one

    def counted(tokens, *about):
        done.append(about)
        return train_one(tokens, *about)

    monkeypatch.setattr(scaling, "train_one", counted)
    run_main(scaling, monkeypatch, "1x8", "data", "--steps", "4")
    assert [network for network, *_ in done] == ["1x8"] * 2
    assert "still to be done: python experiments/scaling.py 1x12 1x16 data" in capsys.readouterr().out
    assert not (here / "results").exists()
    run_main(scaling, monkeypatch, "--steps", "4")
    assert len(done) == 2 * 3 + 3
    run_main(scaling, monkeypatch, "--steps", "4")
    assert len(done) == 2 * 3 + 3
    runs, laws = result(here, "scaling"), result(here, "scaling_laws")
    assert [row[0] for row in runs["rows"]] == ["1x8", "1x12", "1x16"] + ["1x16"] * 3
    assert [row[2] for row in runs["rows"]] == [1500] * 3 + [187, 375, 750]
    assert [row[0] for row in laws["rows"]] == ["parameters"] * 2 + ["data"] * 2 + ["compute"] * 2
    assert [float(row[6]) for row in laws["rows"]] == [0.076, 0.34, 0.095, 0.28, 0.05, 0.154]
    assert (here / "results" / "scaling.png").stat().st_size > 1000
    with pytest.raises(LearnerError, match="did you mean 1x16"):
        run_main(scaling, monkeypatch, "1x16b")


# token_kinds.py


def test_token_kinds_compares_bits_and_gives_words_none(monkeypatch, here):
    module, commands = load(EXPERIMENTS / "token_kinds.py"), []
    tokenizer = CharTokenizer.train(TEXT)

    def train(command, **kwargs):
        commands.append(command)
        flag = dict(zip(command[2::2], command[3::2], strict=True))
        word, rate = flag["--tokenizer"] == "word", float(flag["--lr"])
        about = {"val_loss": 1.5 + rate, "val_bits_per_char": None if word else 2 + rate, "tokens_seen": 2 * len(TEXT)}
        about |= {"parameters": 9, "steps": 7, "train_seconds": 30.0, "settings": {"learning_rate": rate}}
        out = Path(flag["--out"])
        out.mkdir(parents=True)
        text = json.dumps(about | ({"val_unknown_share": 0.123} if word else {}))
        (out / "summary.json").write_text(text, encoding="utf-8")

    corpus = Corpus("text", TEXT, TEXT[:100], None, "made here")
    patches = {"LESSON": here, "load": lambda path: (None, tokenizer), "load_corpus": lambda name: corpus}
    for name, value in patches.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=train, DEVNULL=None))
    run_main(module, monkeypatch, "char", "word", "--minutes", "0.5")
    assert len(commands) == 4
    assert all(command[command.index("--minutes") + 1] == "0.5" and "quick" in command for command in commands)
    rows = result(here, "token_kinds")["rows"]
    assert [row[0] for row in rows] == ["char", "word"]  # the others are not there yet
    char, word = rows
    assert (char[4], char[8], char[9], char[10], char[12]) == ("0.001", 1.501, 2.001, 2.003, None)
    assert char[7] == "2.0" and char[2] == "1.00"
    assert word[9] is word[10] is None and word[12] == "12.3%" and word[11] == f"{math.exp(1.501):.1f}"
    run_main(module, monkeypatch, "bpe-512", "--minutes", "0.5")
    assert len(commands) == 6 and "512" in commands[-1]
    rows = result(here, "token_kinds")["rows"]
    assert [row[0] for row in rows] == ["char", "bpe-512", "word"]
    with pytest.raises(LearnerError, match="did you mean bpe-512"):
        run_main(module, monkeypatch, "bpe-51")
