"""Checks exercise 2: chunk invariance of the scores, single steps against one call, many texts against each alone."""

from pathlib import Path

import torch

from shared.lessons import load

VOCAB_SIZE = 7


def models():
    """Small networks whose next token depends on far more than the last one, and five random texts for each."""
    lesson = load(Path(__file__).parents[2] / "model.py")
    for seed, num_layers in ((0, 1), (1, 2), (2, 3)):
        torch.manual_seed(seed)
        model = lesson.GRULM(lesson.GRUConfig(VOCAB_SIZE, 6, 16, num_layers)).double().eval()
        with torch.no_grad():
            model.lm_head.weight.mul_(100)
            for layer in model.layers:
                layer.weight_hh.mul_(4)
        yield model, torch.randint(VOCAB_SIZE, (5, 30))


def check_log_probs(module) -> None:
    """Pieces of any length give what one piece gives."""
    for model, token_ids in models():
        logits = torch.log_softmax(model(token_ids)[0][:, :-1], dim=-1)
        right = logits.gather(2, token_ids[:, 1:, None])[:, :, 0]
        for piece_length in (29, 100, 20, 7, 1):
            got = module.log_probs(model, token_ids, piece_length)
            what = f"log_probs in pieces of {piece_length}"
            assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
            shape = tuple(right.shape)
            assert got.shape == shape, f"{what}: expected numbers of shape {shape}, got {tuple(got.shape)}"
            wrong = ((got - right).abs() > 1e-9).any(dim=0).nonzero()[:, 0].tolist()
            place = f"the first of them for token {wrong[0] + 1}" if wrong else ""
            assert not wrong, f"{what}: expected the same as in one piece, got {len(wrong)} other columns, {place}"


def check_step(module) -> None:
    """Token by token gives what one call gives, and a state may be gone on from twice."""
    for model, token_ids in models():
        right, _ = model(token_ids)
        _, state = model(token_ids[:, :5])
        for t in range(5, 12):
            given, kept = list(state), [h.clone() for h in state]
            what = f"step number {t - 4} after a prompt of 5 tokens, {len(state)} layer(s)"
            result = module.step(model, token_ids[:, t], state)
            assert isinstance(result, tuple) and len(result) == 2, f"{what}: expected logits and state, got {result!r}"
            untouched = len(state) == len(given) and all(h is g for h, g in zip(state, given, strict=True))
            untouched = untouched and all(torch.equal(h, k) for h, k in zip(given, kept, strict=True))
            assert untouched, f"{what}: expected the state handed in to stay as it was, it was changed in place"
            logits, state = result
            assert logits.shape == right[:, t].shape, f"{what}: expected logits (B, V), got {tuple(logits.shape)}"
            apart = (logits - right[:, t]).abs().max().item()
            assert apart < 1e-9, f"{what}: expected the logits of one call on all, got others (off by {apart:.2g})"


def check_generate(module) -> None:
    """Every text of a batch is the one that comes out when it is alone, and everything is read again for each token."""
    for model, token_ids in models():
        prompts, kept = token_ids[:, :6], token_ids[:, :6].clone()
        alone = []
        for row in range(5):
            text = prompts[row].tolist()
            for _ in range(12):
                text.append(int(model(torch.tensor([text]))[0][0, -1].argmax()))
            alone.append(text[6:])
        for stop in range(VOCAB_SIZE):
            got = module.generate(model, prompts, stop, 12)
            what = f"generate from 5 prompts, stop = {stop}"
            assert isinstance(got, list) and len(got) == 5, f"{what}: expected a list of 5 texts, got {got!r}"
            assert torch.equal(prompts, kept), f"{what}: expected the prompts to stay as they are, got {prompts}"
            for row, text in enumerate(alone):
                right = text[: text.index(stop) + 1] if stop in text else text
                assert got[row] == right, f"{what}: expected text {row} as if it were alone, {right}, got {got[row]}"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    check_log_probs(module)
    check_step(module)
    check_generate(module)
