"""In which character set a rendered text leaves: what the caller would take, and the one chosen (PS3.18 §8.8, D)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dicomgate import errors

_MOST: Final = 100
_LONGEST: Final = 4096
ANY: Final = "*"

_CODECS: Final[dict[str, str]] = {
    "UTF-8": "utf_8",
    "US-ASCII": "ascii",
    **{f"ISO-8859-{number}": f"iso8859_{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "TIS-620": "tis_620",
    "ISO-2022-JP": "iso2022_jp",
    "ISO-2022-KR": "iso2022_kr",
    "GB18030": "gb18030",
    "GBK": "gbk",
}
"""Names of Table D-1 (IANA's preferred ones) and the codecs that write them; ISO-2022-CN has none and is let be."""
NAMES: Final = tuple(_CODECS)
_BY_NAME: Final = {name.lower(): name for name in _CODECS} | {"utf8": "UTF-8", "latin1": "ISO-8859-1"}


@dataclass(frozen=True, slots=True)
class TextCharset:
    """A character set by its IANA name."""

    name: str

    def encode(self, text: str) -> bytes:
        """The text in it. NotAcceptable when it has not all the characters (§8.8.5)."""
        try:
            return text.encode(_CODECS[self.name])
        except UnicodeEncodeError as fault:
            raise errors.NotAcceptable(
                f"the text has characters that {self.name} has not, the first at {fault.start}; ask for charset=UTF-8",
                see=("UTF-8",),
            ) from None


UTF_8: Final = TextCharset("UTF-8")


def choose(of_media_type: str | None, query: str | None, header: str | None) -> TextCharset:
    """The first supported one of the media type's own, the query's list, Accept-Charset; else UTF-8 (GEN-13).

    What is not known, or cannot be read, is ignored.
    """
    for text in (of_media_type, query, header):
        for name in _ranked(text or ""):
            if name == ANY:
                return UTF_8
            known = _BY_NAME.get(name)
            if known is not None:
                return TextCharset(known)
    return UTF_8


def _ranked(text: str) -> Iterable[str]:
    """The names of a list with weights, in lower case, the best first; those that weigh nothing are left out."""
    weighted: list[tuple[float, str]] = []
    for member in text[:_LONGEST].split(",", _MOST)[:_MOST]:
        name, _, rest = member.partition(";")
        weight = _weight(rest)
        if name.strip() and weight > 0:
            weighted.append((weight, name.strip().strip('"').lower()))
    return [name for _, name in sorted(weighted, key=lambda pair: -pair[0])]


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value) if len(value) <= 16 else math.nan
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
