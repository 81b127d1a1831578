"""Tests of texts and names as the index keeps them: single values, lists, wildcards, words (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from dicomgate.index import values
from dicomgate.index.asked import Test
from dicomgate.index.sql import json_list

_MOST_TRIGRAMS = 12
_LONGEST_PIECE = 32
_LONG_PIECE = re.compile(rf"[^*]{{{_LONGEST_PIECE + 1},}}")
_ANY = re.compile(r"[*?]*\*[*?]*")


def one_of(column: int, texts: tuple[str, ...]) -> Test:
    """The value is one of these texts."""
    if len(texts) == 1:
        return Test(column, "{v}.text = ?", texts, exact=texts[0])
    return Test(column, "{v}.text IN (SELECT value FROM json_each(?))", (json_list(texts),))


def between(column: int, low: str, high: str) -> Test:
    """The value lies between two texts, both included."""
    return Test(column, "{v}.text BETWEEN ? AND ?", (low, high))


def any_of(tests: list[Test]) -> Test:
    """The value passes one of several tests of its column."""
    if len(tests) == 1:
        return tests[0]
    sql = " OR ".join(f"({test.sql})" for test in tests)
    parameters = tuple(text for test in tests for text in test.parameters)
    return Test(tests[0].column, f"({sql})", parameters, is_searched=all(test.is_searched for test in tests))


def glob(column: int, pattern: str) -> Test:
    """`*` and `?` are GLOB's too; its bracket is taken as it stands. The pattern is collapsed."""
    sql, parameters = "{v}.text GLOB ?", (pattern.replace("[", "[[]"),)
    prefix = pattern[: min(pattern.find(sign) % (len(pattern) + 1) for sign in "*?")]
    if prefix:  # the range finds them by the index; GLOB alone would read every text of the column
        return Test(column, f"{{v}}.text >= ? AND {{v}}.text < ? AND {sql}", (prefix, _after(prefix), *parameters))
    return Test(column, sql, parameters, trigrams=_trigrams(pattern), is_searched=False)


def beginning(column: int, words: Iterable[str]) -> tuple[Test, ...]:
    """For each word one test of values that begin with it, the one that most likely finds few first.

    Words are not in the table of three-letter pieces, so a word that begins with `*` reads every word of the column.
    """
    by_length = sorted(words, key=lambda word: (-len(word.partition("*")[0].partition("?")[0]), word))
    return tuple(replace(glob(column, f"{word}*"), trigrams="") for word in by_length)


def collapsed(pattern: str) -> str:
    """The same pattern with no more signs than it needs."""
    return _ANY.sub(_bare_run, pattern)


def eased(pattern: str) -> str:
    """A pattern that finds what this one finds, perhaps more, in time that hardly grows with the pattern.

    GLOB takes the product of a text's length and that of a piece between two `*`, and nothing interrupts it: with long
    texts a statement would not notice that its time is up.
    """
    return _LONG_PIECE.sub(lambda found: found[0][:_LONGEST_PIECE] + "*", pattern)


def _bare_run(found: re.Match[str]) -> str:
    """Any number of `*` is one, and `?` among them may come first."""
    return "?" * found[0].count("?") + "*"


def _after(prefix: str) -> str:
    """Behind every text that begins with the prefix (texts compare by their UTF-8 bytes, as code points do)."""
    return prefix + "\U0010ffff"


def _trigrams(pattern: str) -> str:
    """A full text query for the three-letter pieces; empty for patterns with none, which it would answer wrongly."""
    runs = pattern.replace("?", "*").split("*")
    pieces = dict.fromkeys(run[start : start + 3] for run in runs for start in range(len(run) - 2))
    quoted = ('"' + piece.replace('"', '""') + '"' for piece in list(pieces)[:_MOST_TRIGRAMS])
    return " AND ".join(quoted)


def is_searchable(text: str, longest: int = values.LONGEST) -> bool:
    """False for what no stored text can fit: too long, or with characters that no stored text has (T17)."""
    return values.is_storable(text) and len(text) <= longest
