"""Text by Specific Character Set, with and without code extensions (PS3.5 §6.1.2, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Decode = Callable[[bytes], str]
Charset = tuple[str, str] | Decode
"""How text becomes characters: a codec and what it does with errors, or, where one codec is not enough, a function."""

ASCII: Charset = ("ascii", "strict")
"""The default repertoire, and the only one that raises: UnicodeDecodeError for any byte from 80H on."""

_BY_NUMBER = {
    "100": "iso8859_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "144": "iso8859_5",
    "127": "iso8859_6",
    "126": "iso8859_7",
    "138": "iso8859_8",
    "148": "iso8859_9",
    "203": "iso8859_15",
    "13": "shift_jis",
    "166": "iso8859_11",
    "192": "utf_8",
    "149": "euc_kr",
    "58": "gb2312",
    "87": "ascii",  # these two only ever come after an escape sequence
    "159": "ascii",
    "6": "ascii",
}
_BY_NAME = {"GB18030": "gb18030", "GBK": "gbk", "GB2312": "gb18030", "UTF-8": "utf_8", "UTF8": "utf_8"}
_TERM = re.compile(r"ISO[ _-]*(?:2022[ _-]*)?(?:IR)?[ _-]*(\d{1,3})", re.IGNORECASE)

_ESCAPE = re.compile(rb"(\x1b(?:\$[()]?[A-Z@]|[()\-][A-Za-z]))")
_RIGHT_HALF = {
    b"\x1b-A": "iso8859_1",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-L": "iso8859_5",
    b"\x1b-G": "iso8859_6",
    b"\x1b-F": "iso8859_7",
    b"\x1b-H": "iso8859_8",
    b"\x1b-M": "iso8859_9",
    b"\x1b-b": "iso8859_15",
    b"\x1b-T": "iso8859_11",
    b"\x1b)I": "shift_jis",
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "gb2312",
}
"""Escape sequences for G1: bytes from 80H on change their meaning, ASCII stays."""
_LEFT_PAIRS = {b"\x1b$B": "iso2022_jp_2", b"\x1b$@": "iso2022_jp_2", b"\x1b$(D": "iso2022_jp_2"}
"""Escape sequences for G0: two bytes below 80H make a character, among them bytes that look like backslashes."""
_DELIMITER = re.compile(rb"[\\^=\r\n\f\t]")


def find_codec(term: str) -> str | None:
    """The codec for one value of Specific Character Set; common misspellings are read. None: not known."""
    term = term.strip(" \0")
    if not term:
        return "ascii"
    match = _TERM.fullmatch(term)
    return _BY_NUMBER.get(match[1]) if match else _BY_NAME.get(term.upper())


def guess(raw: bytes) -> str:
    """Text whose character set is not, or wrongly, declared: UTF-8 where it is valid, else Latin-1, which always is."""
    try:
        return raw.decode("utf_8")
    except UnicodeDecodeError:
        return raw.decode("iso8859_1")


@lru_cache(maxsize=256)
def find_charset(terms: tuple[str, ...]) -> Charset:
    """How text is read under these values of Specific Character Set; what is not known is guessed."""
    codecs = [find_codec(term) for term in terms]
    has_extensions = any("2022" in term for term in terms)
    if not has_extensions and all(codec == "ascii" for codec in codecs):
        return ASCII
    if len(codecs) == 1 and not has_extensions:
        return (codecs[0], "replace") if codecs[0] else guess
    return _extended(codecs[0] or "ascii")


def parse_charset(raw: bytes) -> Charset:
    """How text is read under the bytes of Specific Character Set."""
    return find_charset(tuple(raw.decode("latin-1").strip(" \0").split("\\")))


def decode(raw: bytes, charset: Charset) -> str:
    """Text under a character set; what is not ASCII although nothing else was declared is guessed."""
    if not isinstance(charset, tuple):
        return charset(raw)
    return guess(raw) if charset == ASCII else raw.decode(*charset)


def _extended(initial: str) -> Decode:
    def decode(raw: bytes) -> str:
        if b"\x1b" in raw:
            return _decode_extended(raw, initial)
        return guess(raw) if initial == "ascii" else raw.decode(initial, "replace")

    return decode


def _decode_extended(raw: bytes, initial: str) -> str:
    """Text with escape sequences (ISO/IEC 2022). Each holds until the next one or the end of a component."""
    pieces = _ESCAPE.split(raw)
    text = [_plain(pieces[0], initial)]
    right = initial
    for escape, run in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in _LEFT_PAIRS:
            text.append(_pairs(escape, run))
            continue
        right = _RIGHT_HALF.get(escape, right)
        text.append(_until_delimiter(run, right, initial))
    return "".join(text)


def _pairs(escape: bytes, run: bytes) -> str:
    """A run of two-byte characters; the codec wants its escape sequence back."""
    return (escape + run).decode(_LEFT_PAIRS[escape], "replace")


def _until_delimiter(run: bytes, right: str, initial: str) -> str:
    """A delimiter ends what an escape sequence began (PS3.5 §6.1.2.5.3), unless the initial set cannot be meant."""
    end = _DELIMITER.search(run)
    if end is None or right == initial:
        return _plain(run, right)
    rest = run[end.start() :]
    after = right if initial == "ascii" else initial
    return _plain(run[: end.start()], right) + _plain(rest, after)


def _plain(run: bytes, codec: str) -> str:
    return run.decode(codec, "replace")
