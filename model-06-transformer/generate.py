"""Write text with a trained Transformer: python generate.py --prompt "ROMEO:" --length 500"""

import argparse
from pathlib import Path

import torch
from model import TransformerConfig, TransformerLM

from shared.console import run, sampling_flags, say, warn
from shared.progress import record
from shared.runs import load_checkpoint
from shared.sampling import generate, start_token
from shared.tokenizers import keep_known, stream_text, tokenizer_from_dict

LESSON = Path(__file__).resolve().parent


def load(path: Path):
    """The model and its tokenizer, from a checkpoint that train.py wrote."""
    checkpoint = load_checkpoint(path, LESSON.name, TransformerConfig)
    model = TransformerLM(TransformerConfig(**checkpoint["config"]))
    model.load_state_dict(checkpoint["weights"])
    return model.eval(), tokenizer_from_dict(checkpoint["tokenizer"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LESSON / "checkpoints" / "best.pt")
    parser.add_argument("--prompt", default="", help="the text to go on from; \\n is a new line")
    sampling_flags(parser)
    args = parser.parse_args()
    model, tokenizer = load(args.checkpoint)
    prompt, unknown = keep_known(tokenizer, args.prompt.replace("\\n", "\n"))
    if unknown:
        warn(f"the model never saw {' '.join(map(repr, unknown))}: left out of the prompt")
    token_ids = tokenizer.encode(prompt) if prompt else [start_token(tokenizer)]
    drawn = generate(model, token_ids, args.length, temperature=args.temperature, top_k=args.top_k, top_p=args.top_p,
                     greedy=args.greedy, stateless=args.stateless,
                     generator=torch.Generator().manual_seed(args.seed))  # fmt: skip
    say(prompt, end="")
    for piece in stream_text(tokenizer, drawn, token_ids[-1]):
        say(piece, end="")
    say()
    record("06 generate")


if __name__ == "__main__":
    run(main)
