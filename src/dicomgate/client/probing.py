"""Words of a check: what is asked of a server, what came back, and what is found (PS3.18 §8)."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx2
import orjson

from dicomgate import __version__, errors
from dicomgate.client.identity import Identity
from dicomgate.dicomweb import media_types, multipart

JSON: Final = media_types.DICOM_JSON
XML: Final = 'multipart/related; type="application/dicom+xml"'
DICOM: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS: Final = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
_LARGEST: Final = 64 << 20


class Severity(enum.StrEnum):
    """How strongly the standard, or a client that is in use, asks for it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Verdict(enum.StrEnum):
    """What became of a probe."""

    PASSED = "ok"
    FAILED = "FAIL"
    ADVICE = "advice"  # a SHOULD that is not met
    NOT_OFFERED = "not offered"  # a MAY that is not there
    SKIPPED = "skipped"  # nothing on the server to probe it with


class Unexpected(Exception):  # noqa: N818 - what a server did otherwise
    """The server did something else; the message says what was seen."""


class Silent(Unexpected):
    """It did not answer in time."""


class Lacking(Exception):  # noqa: N818 - no fault of anybody
    """What a probe needs is not on the server; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request. `path`: below the service root, or a whole address; words in braces are those of the subject."""

    path: str = ""
    method: str = "GET"
    accept: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    is_anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart answer."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> media_types.MediaType:
        """Its Content-Type."""
        return _parsed(self.headers.get("content-type", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, whole. `fields`: as they were sent."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """A field's value, of several joined; None without it."""
        found = [value for key, value in self.fields if key.lower() == name.lower()]
        return ", ".join(found) if found else None

    @property
    def media_type(self) -> media_types.MediaType:
        """Its Content-Type."""
        return _parsed(self.header("Content-Type") or "")

    def datasets(self) -> list[dict[str, Any]]:
        """The data sets of a DICOM JSON answer; none of 204."""
        if self.status == 204:
            return []
        found = self.json()
        if not isinstance(found, list) or not all(_is_dataset(one) for one in found):
            raise Unexpected("JSON that is no array of data sets")
        return found

    def json(self) -> Any:
        """The content as JSON."""
        if self.status not in (200, 202, 206, 409):
            raise Unexpected(f"{self.status}")
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Unexpected(f"{self.status} with something that is no JSON") from None

    def parts(self) -> list[Part]:
        """The parts of a multipart answer."""
        if self.status not in (200, 206):
            raise Unexpected(f"{self.status}")
        if self.media_type.type != media_types.MULTIPART:
            raise Unexpected(f"{self.status} with {_shortened(self.media_type.type) or 'no media type'}, not in parts")
        try:
            return list(_parts(self.body, self.media_type))
        except errors.Fault as fault:
            raise Unexpected(f"parts that cannot be read: {fault.message}") from None


def _parts(body: bytes, content_type: media_types.MediaType) -> Iterator[Part]:
    parser = multipart.Parser(multipart.boundary_of(content_type))
    headers: dict[str, str] = {}
    pieces: list[bytes] = []
    for event in parser.feed(body):
        if isinstance(event, multipart.PartBegin):
            headers, pieces = event.headers, []
        elif isinstance(event, multipart.PartData):
            pieces.append(bytes(event.data))
        else:
            yield Part(headers, b"".join(pieces))
    parser.finish()


def _parsed(text: str) -> media_types.MediaType:
    try:
        return media_types.parse(text)
    except errors.Malformed:
        return media_types.MediaType("")


def _is_dataset(found: object) -> bool:
    """Attributes are objects, and their values arrays."""
    return isinstance(found, dict) and all(
        isinstance(element, dict) and isinstance(element.get("Value", []), list) for element in found.values()
    )


def _shortened(text: str) -> str:
    return text[:60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One thing to find out. `item`: of the project's list of the standard's rules, or of what clients need (V1...).

    `asks` and `expects` are for people. `run` raises Unexpected when the server does otherwise, Lacking when there is
    nothing to probe it with.
    """

    item: str
    severity: Severity
    asks: str
    expects: str
    run: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A probe with what became of it. `saw`: what the server did instead, or why the probe was left out.

    `is_silent`: no answer came in time.
    """

    probe: Probe
    verdict: Verdict
    saw: str
    seconds: float
    is_silent: bool = False

    @property
    def is_failure(self) -> bool:
        """What the standard demands is not so."""
        return self.verdict is Verdict.FAILED


class Asker:
    """Asks one server, bounded in time and size for each question; a context manager.

    Who we are is told to the server's own address alone, whatever addresses its answers name. Malformed when a file
    that says it cannot be read.
    """

    def __init__(self, root: str, *, identity: Identity | None = None, seconds: float = 20.0) -> None:
        self.root = root.rstrip("/")
        self.seconds = seconds
        self._until = math.inf
        self._known = _caller(identity or Identity(), seconds)
        self._stranger = _caller(Identity(authorities=identity.authorities if identity else ""), seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._known.close()
        self._stranger.close()

    def begin(self) -> None:
        """From now on, all questions together have as long as one, until this is called again."""
        self._until = time.monotonic() + self.seconds

    def address(self, path: str) -> str:
        """The whole address of a path below the root."""
        return path if path.startswith(("http://", "https://")) else self.root + path

    def ask(self, ask: Ask) -> Reply:
        """The answer, read whole. Unexpected when none comes in time, or one without end."""
        start = time.monotonic()
        until = min(self._until, start + self.seconds)
        if until <= start:
            raise Silent(f"no answer within {self.seconds:g} seconds")
        address = self.address(ask.path)
        headers = {**({} if ask.accept is None else {"Accept": ask.accept}), **ask.headers}
        try:
            with self._caller(ask, address).stream(
                ask.method, address, headers=headers, content=ask.body, timeout=until - start
            ) as response:
                body = self._read(response, until)
                fields = tuple(
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw
                )
                return Reply(status=response.status_code, fields=fields, body=body)
        except httpx2.TimeoutException:
            raise Silent(f"no answer within {self.seconds:g} seconds") from None
        except (httpx2.TransportError, httpx2.InvalidURL) as fault:
            raise Unexpected(f"no answer: {type(fault).__name__}") from None

    def _caller(self, ask: Ask, address: str) -> httpx2.Client:
        is_known = not ask.is_anonymous and _origin(address) == _origin(self.root)
        return self._known if is_known else self._stranger

    def _read(self, response: httpx2.Response, until: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > _LARGEST:
                raise Unexpected(f"an answer of more than {_LARGEST >> 20} MiB")
            if time.monotonic() > until:
                raise Silent(f"an answer that is not whole after {self.seconds:g} seconds")
        return bytes(body)


def _caller(identity: Identity, seconds: float) -> httpx2.Client:
    """Follows no redirect, unpacks nothing, and says no more than it is told."""
    timeout = httpx2.Timeout(seconds, connect=min(seconds, 10.0))
    caller = httpx2.Client(timeout=timeout, trust_env=False, **identity.arguments())
    del caller.headers["Accept"]
    caller.headers["Accept-Encoding"] = "identity"
    caller.headers["User-Agent"] = f"dicomgate/{__version__}"
    return caller


def _origin(address: str) -> tuple[str, str]:
    """Scheme, host and port; of what is no address, none that is anybody's."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def settle(probe: Probe, subject: Any) -> Finding:
    """Run a probe; whatever a server does is a finding, not a fault."""
    start = time.monotonic()
    verdict, saw, is_silent = Verdict.PASSED, "", False
    try:
        probe.run(subject)
    except Lacking as lacking:
        verdict, saw = Verdict.SKIPPED, str(lacking)
    except Unexpected as unexpected:
        verdict, saw, is_silent = _FAILED[probe.severity], str(unexpected), isinstance(unexpected, Silent)
    except errors.Fault as fault:
        verdict, saw = _FAILED[probe.severity], f"something that cannot be read: {fault.message}"
    return Finding(probe, verdict, saw, time.monotonic() - start, is_silent)


_FAILED: Final = {
    Severity.MUST: Verdict.FAILED,
    Severity.SHOULD: Verdict.ADVICE,
    Severity.MAY: Verdict.NOT_OFFERED,
}
