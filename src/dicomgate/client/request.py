"""What is asked of a server and what it answers, and how patiently it is asked again (PS3.18 §8.4, §8.5)."""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate import errors

LONGEST_ANSWER: Final = 64 << 20
"""Bytes of an answer that is held whole, where nothing else is said."""
_WARNING: Final = re.compile(r"^\s*\d{3}\s+\S+\s*")
_MOST_WARNINGS: Final = 8
_LONGEST_WARNING: Final = 300
Pairs = Mapping[str, str | int] | Sequence[tuple[str, str | int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often to try, and how long to pause in between; a server's Retry-After is obeyed up to `longest` seconds."""

    tries: int = 6
    first: float = 0.5
    longest: float = 60.0

    def pause(self, number: int, retry_after: str | None) -> float:
        """Seconds before the next try; a little different each time, so that many callers do not come back at once."""
        said = _parse_retry_after(retry_after or "")
        if said is not None:
            return min(said, self.longest)
        return min(self.first * (1 << min(number, 60)) * random.uniform(0.7, 1.3), self.longest)  # noqa: S311


def _parse_retry_after(text: str) -> float | None:
    """Seconds from now (RFC 9110 §10.2.3); None for what is neither a number nor a date to come."""
    if text.isascii() and text.isdigit():
        return float(text[:6])
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked; `path` is below the service root, or a whole address. `body` is called anew for each try.

    `is_about_a_thing`: 404 and 410 say that the thing is not there (NotFound, Gone), else that the service is not.
    `may_be_kept`: the answer may be looked for in, and put into, the cache on disk.
    """

    method: str = "GET"
    path: str
    headers: Mapping[str, str]
    parameters: Pairs | None = None
    body: Callable[[], AsyncIterator[bytes]] | None = None
    is_about_a_thing: bool = False
    may_be_kept: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. `headers`: by lower-case name."""

    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer whose body comes as it is read. `chunks` may be asked for once; UpstreamFailed when it breaks off."""

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    headers: Mapping[str, str]


class Lost(errors.UpstreamFailed):
    """The server cannot be reached, also when asked again: going on makes no sense."""


class Busy(errors.UpstreamFailed):
    """The server says that it cannot now (408, 425, 429, 503), or has no room left (507): not due to what was sent."""


class BrokenOff(errors.UpstreamFailed):
    """A body that ended before its end: the same again may come whole."""


def warnings_of(headers: Mapping[str, str]) -> list[str]:
    """What an answer warns of (PS3.18 §8.3.4.4), to be shown: short, of printable characters, at most a few."""
    found = re.split(r",\s*(?=\d{3} )", headers.get("warning", ""))[:_MOST_WARNINGS]
    texts = [_WARNING.sub("", one).strip().strip('"') for one in found]
    return ["".join(sign if sign.isprintable() else "?" for sign in text[:_LONGEST_WARNING]) for text in texts if text]


def media_type_of(content_type: str) -> str:
    """The media type alone, in lower case."""
    return content_type.partition(";")[0].strip().lower()
