"""One good answer to exercise 3."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


def clip(gradients: list[Tensor], largest: float) -> list[Tensor]:
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt().item()
    factor = largest / norm if norm > largest else 1.0
    return [gradient * factor for gradient in gradients]


def chunk_gradients(model, token_ids: Tensor, chunk_length: int) -> tuple[list[list[Tensor]], list[Tensor]]:
    weights, state, found = list(model.parameters()), None, []
    for start in range(0, token_ids.shape[1] - 1, chunk_length):
        stop = min(start + chunk_length, token_ids.shape[1] - 1)
        logits, state = model(token_ids[:, start:stop], state)
        loss = cross_entropy(logits.flatten(0, 1), token_ids[:, start + 1 : stop + 1].flatten())
        found.append(list(torch.autograd.grad(loss, weights)))
        state = [h.detach() for h in state]
    return found, state
