"""Words of person names as fuzzy matching compares them: without case, diacritics and punctuation (PS3.4 C.2.2.2.1.1).

The standard leaves to each server what "fuzzy" means. Here a name matches when every word that is asked for begins one
of its words, in any order and in any of its component groups.
"""

from __future__ import annotations

import unicodedata

MOST_WORDS = 32
"""Words of one name that are looked at; no name has so many."""

_LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ı": "i",
        "ŧ": "t",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ŋ": "n",
        "ĸ": "k",
        "'": None,
        "’": None,
        "ʼ": None,
        "`": None,
        "´": None,
        "·": None,
    }
)
"""Letters that Unicode does not take apart, and signs within a word that people write or leave out."""
_KEPT_MARKS = frozenset({"\u3099", "\u309a"})  # Kana voicing marks make another letter


def words(name: str) -> tuple[str, ...]:
    """The distinct folded words of a name, of any of its component groups, in the order of their first appearance."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(sign for sign in plain if unicodedata.category(sign) != "Mn" or sign in _KEPT_MARKS)
    composed = unicodedata.normalize("NFC", bare.translate(_LETTERS))
    parted = "".join(sign if _is_of_word(sign) else " " for sign in composed)
    return tuple(dict.fromkeys(parted.split()))[:MOST_WORDS]


def _is_of_word(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign) in {"Mc", "Mn"}  # vowel signs of Indic scripts stay
