"""Checks exercise 2: heads on numbers one can follow, then the whole against torch.nn.MultiheadAttention's weights."""

import torch
from torch import nn

SIZES = ((2, 3, 5, 2, 2), (2, 4, 6, 3, 2), (3, 5, 2, 2, 4), (2, 4, 4, 1, 6), (1, 1, 1, 1, 1))  # B, T, S, heads, d


def tensor_of(what: str, got, shape: tuple) -> torch.Tensor:
    """Assert that an answer is a tensor of this shape."""
    assert isinstance(got, torch.Tensor), f"{what}: expected a tensor, got {got!r}"
    assert got.shape == shape, f"{what}: expected shape {shape}, got {tuple(got.shape)}"
    return got


def check_split_and_join(module) -> None:
    """Entry (b, t, c) is 100 b + 10 t + c, so that each number says where it belongs."""
    for B, T, _, heads, d in SIZES:
        C = heads * d
        x = (100 * torch.arange(B)[:, None, None] + 10 * torch.arange(T)[:, None] + torch.arange(C)).double()
        given, what = x.clone(), f"split of ({B}, {T}, {C}) into {heads} head(s)"
        parts = tensor_of(what, module.split(given, heads), (B, heads, T, d))
        for i in range(heads):
            right, got = x[-1, T - 1, i * d : (i + 1) * d].tolist(), parts[-1, i, T - 1].tolist()
            line = f"{what}: expected head {i} of token {T - 1} to have channels {i * d} to {(i + 1) * d - 1}, {right}"
            assert torch.equal(parts[:, i], x[..., i * d : (i + 1) * d]), f"{line}, got {got}"
        heads_first = x.view(B, T, heads, d).transpose(1, 2)
        for layout in (heads_first, heads_first.contiguous()):
            what = f"join of ({B}, {heads}, {T}, {d})"
            joined = tensor_of(what, module.join(layout.clone()), (B, T, C))
            right, got = x[-1, T - 1].tolist(), joined[-1, T - 1].tolist()
            assert torch.equal(joined, x), f"{what}: expected token {T - 1} to be {right} again, got {got}"
        assert torch.equal(given, x), f"{what}: expected what is handed in to stay as it is, it was changed"


def check_multi_head(module) -> None:
    """Self-attention, causal and not, and cross-attention."""
    for B, T, S, heads, d in SIZES:
        C = heads * d
        theirs = nn.MultiheadAttention(C, heads, batch_first=True).double()
        for weight in theirs.parameters():
            nn.init.normal_(weight, std=0.7)
        weights = theirs.in_proj_weight, theirs.in_proj_bias, theirs.out_proj.weight, theirs.out_proj.bias
        inputs, other = torch.randn(B, T, C).double(), torch.randn(B, S, C).double()
        future = torch.full((T, T), -torch.inf).double().triu(1)
        for name, memory, mask in (("self", inputs, None), ("causal", inputs, future), ("cross", other, None)):
            what = f"multi_head, {name}, B = {B}, T = {T}, S = {memory.shape[1]}, {heads} head(s) of {d}"
            handed = inputs.clone(), memory.clone()
            got = module.multi_head(*handed, heads, mask, *(weight.clone() for weight in weights))
            assert isinstance(got, (tuple, list)) and len(got) == 2, f"{what}: expected (Y, weights), got {got!r}"
            right, looked = theirs(inputs, memory, memory, attn_mask=mask, average_attn_weights=False)
            mine = tensor_of(f"{what}, weights", got[1], tuple(looked.shape))
            apart = (mine - looked).abs().max().item()
            line = f"{what}: expected the weights of torch.nn.MultiheadAttention, got others (off by up to {apart:.2g})"
            assert apart < 1e-10, line + "; are Q and K made of the right thirds, Q of X, K of M?"
            mine = tensor_of(f"{what}, Y", got[0], tuple(right.shape))
            apart, plain = (mine - right).abs().max().item(), right - theirs.out_proj.bias
            line = f"{what}: expected the Y of torch.nn.MultiheadAttention, got others (off by up to {apart:.2g})"
            hint = "; out_bias is missing" if torch.allclose(mine, plain) else "; the weights are right: V, join, W_o?"
            assert apart < 1e-10, line + hint
            untouched = torch.equal(handed[0], inputs) and torch.equal(handed[1], memory)
            assert untouched, f"{what}: expected inputs and memory to stay as they are, they were changed"


@torch.no_grad()
def check(module) -> None:
    """Raise AssertionError with one line where the answer is not right yet."""
    torch.manual_seed(0)
    check_split_and_join(module)
    check_multi_head(module)
