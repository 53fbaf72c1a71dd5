"""GPT-2's own weights in this lesson's model: from_gpt2(state_dict), a state dict of Hugging Face's GPT-2.

    from transformers import GPT2LMHeadModel
    model = from_gpt2(GPT2LMHeadModel.from_pretrained("gpt2").state_dict())     (Radford et al. 2019; 124M parameters)

What there is to do: other names, and its Conv1D keeps a matrix as (inputs, outputs), nn.Linear as (outputs, inputs).
All else is as here: queries, keys and values in one matrix, pre-norm, GELU by tanh, eps 1e-5, lm_head tied.
"""

from model import TransformerConfig, TransformerLM
from torch import Tensor

NAMES = {  # in a block; Hugging Face's name, ours
    "ln_1": "norm1",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.output",
    "ln_2": "norm2",
    "mlp.c_fc": "feed_forward.up",
    "mlp.c_proj": "feed_forward.down",
}


def from_gpt2(state_dict: dict[str, Tensor], num_heads: int | None = None) -> TransformerLM:
    """The model, in eval mode and of the weights' dtype. All sizes but num_heads are read off the weights; in each
    published GPT-2 a head has 64 channels. Raises ValueError where the weights are not those of a GPT-2."""
    theirs = {name.removeprefix("transformer."): weight for name, weight in state_dict.items()}
    try:
        (vocab_size, embedding_dim), context_length = theirs["wte.weight"].shape, len(theirs["wpe.weight"])
        ours = {"embedding.weight": theirs["wte.weight"], "position_embedding.weight": theirs["wpe.weight"]}
        num_layers = 1 + max(int(name.split(".")[1]) for name in theirs if name.startswith("h."))
        for part in ("weight", "bias"):
            ours[f"norm.{part}"] = theirs[f"ln_f.{part}"]
            for layer in range(num_layers):
                for their_name, our_name in NAMES.items():
                    weight = theirs[f"h.{layer}.{their_name}.{part}"]
                    ours[f"blocks.{layer}.{our_name}.{part}"] = weight.t() if weight.dim() == 2 else weight
    except (KeyError, ValueError) as error:
        raise ValueError(f"these are not the weights of a GPT-2: {error}") from None
    ours["lm_head.weight"] = ours["embedding.weight"]
    config = TransformerConfig(
        vocab_size, context_length, embedding_dim, num_layers, num_heads or embedding_dim // 64,
        activation="gelu_tanh", tied=True,
    )  # fmt: skip
    model = TransformerLM(config).to(theirs["wte.weight"].dtype)
    model.load_state_dict(ours)
    return model.eval()
