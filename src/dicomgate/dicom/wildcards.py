"""Wildcard matching in linear time: `*` is any run of characters, `?` any one (PS3.4 C.2.2.2.4)."""

from __future__ import annotations

from collections.abc import Callable

Test = Callable[[str], bool]


def prepare(pattern: str) -> Test:
    """A test of texts against the pattern. Case counts, and so does every other character."""
    if "*" not in pattern:
        return lambda text: len(text) == len(pattern) and _fits(text, pattern, 0)
    head, *middle, tail = pattern.split("*")
    finders = tuple((_finder(piece), len(piece)) for piece in middle if piece)
    shortest = len(pattern) - pattern.count("*")

    def test(text: str) -> bool:
        if len(text) < shortest or not (_fits(text, head, 0) and _fits(text, tail, len(text) - len(tail))):
            return False
        at, end = len(head), len(text) - len(tail)
        for find, size in finders:  # the first place is as good as any: what follows may be anywhere behind it
            at = find(text, at, end)
            if at < 0:
                return False
            at += size
        return True

    return test


def _fits(text: str, piece: str, at: int) -> bool:
    if "?" not in piece:
        return text.startswith(piece, at)
    return all(wanted in ("?", seen) for wanted, seen in zip(piece, text[at : at + len(piece)], strict=True))


def _finder(piece: str) -> Callable[[str, int, int], int]:
    """Finds a piece without `*` between two places of a text; below 0 when it is not there."""
    if "?" not in piece:
        return lambda text, at, end: text.find(piece, at, end)
    if not piece.strip("?"):
        return lambda _, at, end: at if end - at >= len(piece) else -1
    return _bitwise_finder(piece)


def _bitwise_finder(piece: str) -> Callable[[str, int, int], int]:
    """Bit n of `begun`: the n + 1 first characters of the piece fit what was just read (shift-and)."""
    any_one = sum(1 << at for at, sign in enumerate(piece) if sign == "?")
    fitting: dict[str, int] = {}
    for at, sign in enumerate(piece):
        if sign != "?":
            fitting[sign] = fitting.get(sign, any_one) | 1 << at
    last = 1 << len(piece) - 1

    def find(text: str, at: int, end: int) -> int:
        begun = 0
        for place in range(at, end):
            begun = (begun << 1 | 1) & fitting.get(text[place], any_one)
            if begun & last:
                return place - len(piece) + 1
        return -1

    return find
