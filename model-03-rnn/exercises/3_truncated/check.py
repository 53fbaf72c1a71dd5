"""Checks exercise 3: clipping on numbers one can follow, the gradients of each chunk against autograd on it alone."""

from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from shared.lessons import load


def check_clip(module) -> None:
    """A gradient of norm 5 in two tensors, one of norm 0, and one that is short enough."""
    for largest, expected in ((1.0, [0.6, 0.8]), (10.0, [3.0, 4.0]), (2.5, [1.5, 2.0])):
        given = [torch.tensor([[3.0]]), torch.tensor([4.0, 0.0])]
        got = module.clip(given, largest)
        what = f"clip([[[3]], [4, 0]], {largest:g})"
        assert isinstance(got, (list, tuple)) and len(got) == 2, f"{what}: expected two tensors, got {got!r}"
        assert [g.shape for g in got] == [g.shape for g in given], f"{what}: expected the shapes to stay, got {got}"
        values = [got[0].item(), got[1][0].item()]
        close = all(abs(value - right) < 1e-5 for value, right in zip(values, expected, strict=True))
        assert close, f"{what}: expected 3 and 4 to become {expected}, got {[round(value, 4) for value in values]}"
        assert given[0].item() == 3, f"{what}: expected the tensors handed in to stay as they are, got {given}"
    zero = module.clip([torch.zeros(3)], 1.0)[0]
    assert torch.equal(zero, torch.zeros(3)), f"clip of a gradient that is all zero: expected zeros, got {zero}"


def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    check_clip(module)
    lesson = load(Path(__file__).parents[2] / "model.py")
    for num_layers, length, chunk_length in ((1, 13, 4), (2, 13, 6), (1, 9, 20)):
        torch.manual_seed(num_layers)
        model = lesson.RNNLM(lesson.RNNConfig(11, embedding_dim=5, hidden_size=6, num_layers=num_layers)).double()
        with torch.no_grad():
            model.lm_head.weight.mul_(20)
        names = [name for name, _ in model.named_parameters()]
        token_ids, state, right = torch.randint(11, (3, length)), None, []
        for start in range(0, length - 1, chunk_length):
            stop = min(start + chunk_length, length - 1)
            logits, state = model(token_ids[:, start:stop], state)
            loss = cross_entropy(logits.flatten(0, 1), token_ids[:, start + 1 : stop + 1].flatten())
            right.append(torch.autograd.grad(loss, list(model.parameters())))
            state = lesson.detach_state(state)
        result = module.chunk_gradients(model, token_ids, chunk_length)
        what = f"chunk_gradients of {num_layers} layer(s), {length} tokens, chunks of {chunk_length}"
        assert isinstance(result, tuple) and len(result) == 2, f"{what}: expected gradients and state, got {result!r}"
        got, final = result
        assert len(got) == len(right), f"{what}: expected {len(right)} chunks, got {len(got)}"
        for number, (mine, theirs) in enumerate(zip(got, right, strict=True), start=1):
            assert len(mine) == len(theirs), f"{what}: expected {len(theirs)} gradients a chunk, got {len(mine)}"
            for name, one, other in zip(names, mine, theirs, strict=True):
                apart = (one - other).abs().max().item()
                where = f"{what}, chunk {number}: the gradient of {name}"
                assert apart < 1e-10, f"{where}: expected autograd's on that chunk, got others (off by {apart:.2g})"
        assert final is not None and len(final) == num_layers, f"{what}: expected a state of {num_layers}, got {final}"
        for one, other in zip(final, state, strict=True):
            assert not one.requires_grad, f"{what}: expected the final state without history, got {one.grad_fn}"
            assert torch.allclose(one, other), f"{what}: expected the state after the last chunk, got another"
