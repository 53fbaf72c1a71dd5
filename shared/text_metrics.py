"""What loss does not say about generated text: is it copied, does it go in circles, are its words words?"""

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(text):
    """Lower-case words of text: runs of letters, with apostrophes inside ("o'er")."""
    return _WORD.findall(text.lower())


def verbatim_share(text, training_text, span=30):
    """Share of the characters of text that lie in a stretch of `span` or more characters found in training_text.

    0 to 1; 0.0 for a text shorter than span. Exact, in one pass over training_text and little memory.
    """
    spans = {text[i : i + span] for i in range(len(text) - span + 1)}
    if not spans:
        return 0.0
    # a set intersection would do, but needs every span of the training text in memory
    copied = {s for i in range(len(training_text) - span + 1) if (s := training_text[i : i + span]) in spans}
    count = end = 0
    for i in range(len(text) - span + 1):
        if text[i : i + span] in copied:
            count += i + span - max(i, end)
            end = i + span
    return count / len(text)


def repetition(text, n=4):
    """Share of the sequences of n words that stood earlier in the same text, 0 to 1; 0.0 for fewer than n words."""
    found = words(text)
    sequences = [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]
    return 1 - len(set(sequences)) / len(sequences) if sequences else 0.0


def real_word_share(text, training_text):
    """Share of the words of text, in lower case, that occur in training_text, 0 to 1; 0.0 for a text without words."""
    found = words(text)
    known = set(words(training_text))
    return sum(word in known for word in found) / len(found) if found else 0.0


def describe(text, training_text):
    """The three shares and the number of characters they were measured on."""
    return {
        "characters": len(text),
        "verbatim_share": verbatim_share(text, training_text),
        "repetition": repetition(text),
        "real_word_share": real_word_share(text, training_text),
    }
