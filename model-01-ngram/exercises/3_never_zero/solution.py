"""One good answer to exercise 3."""


def add_k(counts: dict[str, int], vocabulary: list[str], k: float) -> dict[str, float]:
    total = sum(counts.values()) + k * len(vocabulary)
    return {word: (counts.get(word, 0) + k) / total for word in vocabulary}


def absolute_discounting(counts: dict[str, int], lower: dict[str, float], discount: float) -> dict[str, float]:
    total = sum(counts.values())
    if total == 0:
        return dict(lower)
    left = discount * len(counts) / total  # what was taken away, as a share of the whole
    return {word: max(counts.get(word, 0) - discount, 0) / total + left * lower[word] for word in lower}
