"""Checks exercise 1."""

from pathlib import Path

import torch

from shared.lessons import load


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    trials = (([5, 8, 2, 8], 3, 9), ([4, 4, 1], 1, 7), ([3], 4, 6), ([1, 0, 2, 2, 0, 1, 1], 5, 3), ([], 2, 3))
    for text, n, padding in trials:
        expected = []
        for t in range(len(text)):
            expected.append([text[i] if i >= 0 else padding for i in range(t - n + 1, t + 1)])
        got = module.windows(list(text), n, padding)
        what = f"windows({text}, n={n}, padding={padding})"
        assert isinstance(got, list), f"{what}: expected a list of lists, got {got!r}"
        assert [list(window) for window in got] == expected, f"{what}: expected {expected}, got {got}"

    lesson = load(Path(__file__).parents[2] / "model.py")
    for n, dim in ((1, 3), (3, 2), (4, 5)):
        torch.manual_seed(n)
        model = lesson.MLPLM(lesson.MLPConfig(vocab_size=6, context_length=n, embedding_dim=dim, hidden_size=2)).eval()
        text = [2, 0, 5, 5, 1, 3, 4]
        window_ids = torch.tensor([([6] * n + text)[t + 1 : t + 1 + n] for t in range(len(text))])
        table = model.embedding.weight.detach().clone()
        right = model.windows(torch.tensor([text]), None)[0][0].detach()
        got = module.look_up(window_ids.clone(), table)
        what = f"look_up of windows {tuple(window_ids.shape)} in a table {tuple(table.shape)}"
        assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
        assert got.shape == right.shape, f"{what}: expected the shape {tuple(right.shape)}, got {tuple(got.shape)}"
        for t in range(len(text)):
            assert torch.equal(got[t], right[t]), (
                f"{what}: at position {t} expected {right[t].tolist()} (as MLPLM has it), got {got[t].tolist()}"
            )
