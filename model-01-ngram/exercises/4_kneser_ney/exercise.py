"""Exercise 4, the core of the lesson: interpolated modified Kneser-Ney, of any order, on plain dictionaries.

model.py and smoothing.py do this with sorted arrays; here an n-gram is a tuple of token ids and a table is a dict. Your
log-probabilities must equal those of NGramLM. Three ideas, one function each (Chen & Goodman 1999, section 3.2):

    1  continuation counts   below the highest order a k-gram counts once for each *different* token seen before it:
                             "Francisco" is frequent, but comes after "San" only, and so says little on its own
    2  three discounts       D1, D2, D3+ for counts of 1, 2, and 3 or more, from how many k-grams occur 1, 2, 3, 4 times
    3  interpolation         P_k(w | context) = (c(context w) - D) / total + what D took / total * P_{k-1}(w | shorter)

count_ngrams, fit and log_probs are given. Fill in the other three, in order, then run:   python -m shared.exercises 01
"""

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
    raise NotImplementedError


def discounts(counts: Table) -> tuple[float, float, float]:
    """D1, D2, D3+ from n1, n2, n3, n4, where n_r is the number of n-grams in the table with a count of exactly r:

    Y = n1 / (n1 + 2 n2)     D1 = 1 - 2 Y n2 / n1     D2 = 2 - 3 Y n3 / n2     D3+ = 3 - 4 Y n4 / n3

    Where n1, n2 or n3 is 0, or a D_r is not above 0, or above r: (0.5, 1.0, 1.5), all three.
    """
    raise NotImplementedError


def probability(context: tuple, word: int, tables: list[Table], all_discounts: list, vocab_size: int) -> float:
    """P(word | context), where tables[k - 1] and all_discounts[k - 1] belong to the k-grams, and k is len(context) + 1.

    total is the sum of the counts of the k-grams that begin with the context. If it is 0 (nothing was ever seen after
    this context) the answer is that of the context without its first token; below the empty context is 1 / vocab_size.
    """
    raise NotImplementedError


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
