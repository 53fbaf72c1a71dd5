"""One good answer to exercise 4."""

import math

Table = dict[tuple[int, ...], int]  # n-gram -> count


def count_ngrams(tokens: list[int], length: int) -> Table:
    """How often each n-gram of this length occurs. (Given.)"""
    counts = {}
    for i in range(len(tokens) - length + 1):
        ngram = tuple(tokens[i : i + length])
        counts[ngram] = counts.get(ngram, 0) + 1
    return counts


def continuation_counts(longer: Table, first: tuple[int, ...]) -> Table:
    """For each k-gram, the number of different tokens before it.

    longer: the counts of all (k+1)-grams; the k-gram at the end of each has one more token before it.
    first:  the k-gram with which the text begins. The start of the text stands before it, and counts as one token more.
    """
    table = {first: 1}
    for ngram in longer:
        table[ngram[1:]] = table.get(ngram[1:], 0) + 1
    return table


def discounts(counts: Table) -> tuple[float, float, float]:
    """D1, D2, D3+ from n1, n2, n3, n4, where n_r is the number of n-grams in the table with a count of exactly r:

    Y = n1 / (n1 + 2 n2)     D1 = 1 - 2 Y n2 / n1     D2 = 2 - 3 Y n3 / n2     D3+ = 3 - 4 Y n4 / n3

    Where n1, n2 or n3 is 0, or a D_r is not above 0, or above r: (0.5, 1.0, 1.5), all three.
    """
    n1, n2, n3, n4 = (sum(count == r for count in counts.values()) for r in (1, 2, 3, 4))
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        if all(0 < d <= r for r, d in enumerate(found, start=1)):
            return found
    return 0.5, 1.0, 1.5


def probability(context: tuple, word: int, tables: list[Table], all_discounts: list, vocab_size: int) -> float:
    """P(word | context), where tables[k - 1] and all_discounts[k - 1] belong to the k-grams, and k is len(context) + 1.

    total is the sum of the counts of the k-grams that begin with the context. If it is 0 (nothing was ever seen after
    this context) the answer is that of the context without its first token; below the empty context is 1 / vocab_size.
    """
    table, d = tables[len(context)], (0.0, *all_discounts[len(context)])
    lower = probability(context[1:], word, tables, all_discounts, vocab_size) if context else 1 / vocab_size
    seen = [count for ngram, count in table.items() if ngram[:-1] == context]
    if not seen:
        return lower
    count = table.get((*context, word), 0)
    taken = sum(d[min(c, 3)] for c in seen)
    return (count - d[min(count, 3)] + taken * lower) / sum(seen)


def fit(tokens: list[int], order: int) -> tuple[list[Table], list]:
    """The table and the three discounts of each order, 1 to `order`. (Given.)"""
    tables = [count_ngrams(tokens, k) for k in range(1, order + 1)]
    for k in range(1, order):
        tables[k - 1] = continuation_counts(count_ngrams(tokens, k + 1), tuple(tokens[:k]))
    return tables, [discounts(table) for table in tables]


def log_probs(tokens: list[int], tables: list[Table], all_discounts: list, vocab_size: int) -> list[float]:
    """ln P of each token but the first, given those before it, as many as the highest order can see. (Given.)"""
    result = []
    for i in range(1, len(tokens)):
        context = tuple(tokens[max(0, i - len(tables) + 1) : i])
        result.append(math.log(probability(context, tokens[i], tables, all_discounts, vocab_size)))
    return result
