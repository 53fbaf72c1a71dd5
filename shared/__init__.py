"""Plumbing that the six lessons share: tokenizers, data, sampling, run folders, the console. No model lives here."""
