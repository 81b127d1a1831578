"""Person names as they are compared: whole groups folded, and single words for fuzzy matching (PS3.4 C.2.2.2.1.1).

The standard leaves to each server what "fuzzy" means. Here a name matches when every word that is asked for begins one
of its words, in any order and in any of its component groups.
"""

from __future__ import annotations

import re
import unicodedata

NAMELESS = "^"
"""What an empty name folds to."""

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


_ANY = "*?"
_ASCII_APART = {
    kept: {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) not in kept} for kept in ("", _ANY)
}
"""What stands between words that are plain ASCII, as most are."""
_MARKS = re.compile("[\u0300-\u036f]")


def fold(name: str) -> str:
    """A component group without case, accents and needless blanks, ending with one delimiter.

    Delimiters at the end mean nothing (PS3.5 §6.2.1); with always one, `Doe^*` finds also who has no given name.
    """
    return _bare(name).rstrip("^ ") + "^"


def fold_pattern(pattern: str) -> str:
    """The same of a pattern with wildcards: components at its end that may be anything may also be missing."""
    bare = _bare(pattern)
    if not bare.endswith("*"):
        return bare.rstrip("^ ") + "^"
    kept = bare
    while (shorter := kept.rstrip("*").rstrip("^")) != kept.rstrip("*") and kept.endswith("*"):
        kept = shorter
    return bare if kept == bare else kept + "^*"


def _bare(name: str) -> str:
    plain = name
    if not name.isascii():
        plain = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", name)))
    return "^".join(component.strip() for component in plain.casefold().split("^"))


def words(name: str) -> tuple[str, ...]:
    """The distinct folded words of a name, of any of its component groups, in the order of their first appearance."""
    return _words(name, "")


def wanted_words(text: str) -> tuple[str, ...]:
    """The words that a fuzzy question asks for; `*` and `?` stand in them for any characters and any one.

    Each word may always go on, so a `*` at its end says nothing; one that is only `*` is left out.
    """
    found = (word.rstrip("*") for word in _words(text, _ANY))
    return tuple(dict.fromkeys(word for word in found if word))


def _words(name: str, kept: str) -> tuple[str, ...]:
    if name.isascii():
        parted = name.casefold().translate(_LETTERS).translate(_ASCII_APART[kept])
        return tuple(dict.fromkeys(parted.split()))[:MOST_WORDS]
    plain = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(sign for sign in plain if unicodedata.category(sign) != "Mn" or sign in _KEPT_MARKS)
    composed = unicodedata.normalize("NFC", bare.translate(_LETTERS))
    parted = "".join(sign if sign in kept or _is_of_word(sign) else " " for sign in composed)
    return tuple(dict.fromkeys(parted.split()))[:MOST_WORDS]


def _is_of_word(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign) in {"Mc", "Mn"}  # vowel signs of Indic scripts stay
