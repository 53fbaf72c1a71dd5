"""The presets of train.py: which flags it takes where the command line names none."""

BASE = {"learning_rate": 4e-3, "weight_decay": 0.1, "warmup": 100, "clip": 1.0, "evaluations": 10, "batch_size": 16,
        "context_length": 128, "embedding_dim": 192, "num_layers": 4, "num_heads": 4,
        "positions": "rotary"}  # fmt: skip
PRESETS = {  # "expected": nats per token, around what results/presets.json has
    "default": BASE | {"steps": 3200, "learning_rate": 3e-3, "init_std": 0.08, "dropout": 0.15,
                       "expected": (1.49, 1.55)},
    "quick": BASE | {"steps": 700, "batch_size": 32, "context_length": 64, "embedding_dim": 96, "num_layers": 3,
                     "init_std": 0.08, "expected": (1.69, 1.75)},
    # Vaswani et al. 2017, sections 3 and 5; the decoder alone. Scaled to a CPU: 4 layers of 192 and 6 heads instead of
    # 6 of 512 and 8; 1,600 steps instead of 100,000, 200 of warm-up instead of 4,000; a rate below that formula's 5e-3.
    "mini": BASE | {"steps": 1600, "learning_rate": 1e-3, "warmup": 200, "decay": "inverse_sqrt", "weight_decay": 0.0,
                    "batch_size": 32, "label_smoothing": 0.1, "clip": 0.0, "dropout": 0.1, "num_heads": 6,
                    "positions": "sinusoidal", "post_norm": True, "activation": "relu", "tied": True,
                    "expected": (1.71, 1.78)},
    # Radford et al. 2019; dropout as in their first GPT (2018). For a GPU: --embedding-dim 768 --num-layers 12
    # --num-heads 12 --context-length 1024 --tokenizer bpe --vocab-size 50257 --lr 6e-4 is GPT-2, of 124 million
    # parameters; --embedding-dim 384 --num-heads 6 --batch-size 64 --steps 5000 --lr 1e-3 --dropout 0.2 is nanoGPT's
    # for Shakespeare. The rate here is for fewer channels, and fewer steps.
    "gpt": BASE | {"steps": 4000, "learning_rate": 3e-3, "context_length": 256, "embedding_dim": 256, "num_layers": 6,
                   "num_heads": 8, "positions": "learned", "activation": "gelu_tanh", "dropout": 0.1,
                   "attention_dropout": 0.1, "tied": True},
    "modern": BASE | {"steps": 2500, "learning_rate": 3e-3, "optimizer": "normuon", "muon_lr": 0.015, "decay": "linear",
                      "batch_size": 4, "context_length": 512, "grow_from": 128, "embedding_dim": 128, "num_heads": 2,
                      "dropout": 0.05, "norm": "rms", "qk_norm": True, "activation": "squared_relu", "no_bias": True,
                      "zero_init": True, "bigrams": 5000, "token_shift": True, "expected": (1.43, 1.47)},
    "ladder": BASE | {"steps": 16000, "batch_size": 8, "dataset": "fables", "context_length": 256, "embedding_dim": 80,
                      "num_layers": 3, "init_std": 0.1},
}  # fmt: skip
