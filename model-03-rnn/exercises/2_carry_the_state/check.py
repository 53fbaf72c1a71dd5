"""Checks exercise 2: chunk invariance of the scores, and the text against reading everything again for each token."""

from pathlib import Path

import torch

from shared.lessons import load

VOCAB_SIZE = 7


def models():
    """Small networks whose next token depends on far more than the last one."""
    lesson = load(Path(__file__).parents[2] / "model.py")
    for seed, num_layers in ((0, 1), (1, 2), (2, 1)):
        torch.manual_seed(seed)
        config = lesson.RNNConfig(VOCAB_SIZE, embedding_dim=6, hidden_size=16, num_layers=num_layers, init="orthogonal")
        model = lesson.RNNLM(config).double().eval()
        with torch.no_grad():
            model.lm_head.weight.mul_(100)
            for layer in model.layers:
                layer.weight_hh.mul_(1.5)
        yield model, torch.randint(VOCAB_SIZE, (40,))


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    for model, token_ids in models():
        logits = torch.log_softmax(model(token_ids[None])[0][0, :-1], dim=-1)
        right = logits.gather(1, token_ids[1:, None])[:, 0]
        for piece_length in (39, 100, 20, 7, 1):
            got = module.log_probs(model, token_ids, piece_length)
            what = f"log_probs in pieces of {piece_length}"
            assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
            assert got.shape == right.shape, f"{what}: expected {len(right)} numbers, got shape {tuple(got.shape)}"
            wrong = [i for i, value in enumerate((got - right).abs().tolist()) if value > 1e-9]
            place = f"the first that differs is of token {wrong[0] + 1 if wrong else 0}"
            assert not wrong, f"{what}: expected the same as in one piece, got {len(wrong)} other numbers; {place}"

    for model, token_ids in models():
        for prompt in (token_ids[:1].tolist(), token_ids[:12].tolist()):
            text, given = list(prompt), list(prompt)
            for _ in range(30):
                text.append(int(model(torch.tensor([text]))[0][0, -1].argmax()))
            right = text[len(prompt) :]
            got = module.generate(model, given, 30)
            what = f"generate after a prompt of {len(prompt)} tokens"
            assert isinstance(got, list) and len(got) == 30, f"{what}: expected a list of 30 tokens, got {got!r}"
            assert given == prompt, f"{what}: expected the caller's prompt to stay as it is, got {given}"
            first = next((i for i in range(30) if got[i] != right[i]), None)
            same = "reading the whole text again for each token"
            assert first is None, f"{what}: expected the same as {same}, got another token at place {first + 1}"
