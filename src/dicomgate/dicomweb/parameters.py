"""The query part of a URI: names and values, as every service reads them (PS3.18 §8.3.1)."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from dicomgate import errors

MOST = 1000

Pairs = list[tuple[str, str]]


def parse(text: str | bytes) -> Pairs:
    """The pairs of a raw query, in order, percent-decoded; `+` is a blank, as browsers' scripts and Python write it.

    Malformed when a part is not UTF-8, holds a NUL or another control character, or there are too many (T17).
    """
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    pieces = [piece for piece in raw.split(b"&", MOST + 1) if piece]
    if len(pieces) > MOST:
        raise errors.Malformed(f"query: more than {MOST} parameters")
    pairs = []
    for number, piece in enumerate(pieces, 1):
        name, _, value = piece.partition(b"=")
        pairs.append((_decode(name, number), _decode(value, number)))
    return pairs


def check(pairs: Pairs) -> None:
    """Malformed when a part of pairs that somebody else decoded could not have come from here (T17)."""
    if len(pairs) > MOST:
        raise errors.Malformed(f"query: more than {MOST} parameters")
    for number, pair in enumerate(pairs, 1):
        for text in pair:
            _check(text, number)


def values(pairs: Pairs, name: str) -> list[str]:
    """Every value of the parameter, in order."""
    return [value for key, value in pairs if key == name]


def find_single(pairs: Pairs, name: str) -> str | None:
    """The value of a parameter that may come once. Malformed when it comes again."""
    found = values(pairs, name)
    if len(found) > 1:
        raise errors.Malformed(f"parameter {name}: expected once, came {len(found)} times")
    return found[0] if found else None


def _decode(raw: bytes, number: int) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise errors.Malformed(f"query: parameter {number} is not UTF-8") from None
    _check(text, number)
    return text


def _check(text: str, number: int) -> None:
    if text.isprintable():
        return
    if any(character < " " or "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff" for character in text):
        raise errors.Malformed(f"query: parameter {number} holds a control character")
