"""What a caller asks: method, address, fields, and what we call ourselves towards him (PS3.18 §8.3, T16, T17)."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from dicomgate import errors
from dicomgate.dicomweb import negotiation, parameters
from dicomgate.origin import Origin
from dicomgate.representations.maker import Maker
from dicomgate.server.lifetimes import Lifetimes
from dicomgate.server.ready import Ready
from dicomgate.server.settings import Settings
from dicomgate.server.urls import Addresses
from dicomgate.server.walks import Walks

VIEW_PARAMETERS: Final = frozenset({"QueryRetrieveView", "00080053"})
"""What names a view, where there are views."""
_HEXADECIMAL: Final = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What every request meets: an origin, and how this door was set up."""

    origin: Origin
    settings: Settings
    addresses: Addresses
    maker: Maker
    lifetimes: Lifetimes
    ready: Ready
    walks: Walks = field(default_factory=Walks)
    is_view: bool = False
    """What it opens is a view of what another has."""


class Request:
    """One request, without its body. What is asked of it more than once is kept: every small answer passes here."""

    __slots__ = ("_fields", "_pairs", "_path", "_root", "_scope", "door", "method", "query_string", "raw_path")

    def __init__(self, door: Door, scope: MutableMapping[str, Any]) -> None:
        self.door = door
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self.query_string: bytes = scope["query_string"]
        self._scope = scope
        self._fields: dict[bytes, bytes] | None = None
        self._root: str | None = None
        self._path: str | None = None
        self._pairs: parameters.Pairs | None = None

    def enter(self, door: Door) -> None:
        """Go on at another door: a view's, whose root links begin with."""
        self.door = door
        self._root = None
        if self._pairs is not None:
            self._pairs = [pair for pair in self._pairs if pair[0] not in VIEW_PARAMETERS]

    def header(self, name: bytes) -> str | None:
        """A field's value; several of one name are joined as RFC 9110 §5.3 has it. None when it is not there."""
        fields = self._fields
        if fields is None:
            fields = self._fields = _joined(self._scope["headers"])
        value = fields.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """All fields as they came."""
        return list(self._scope["headers"])

    def has_extension(self, name: str) -> bool:
        """True when the connection can do more than every one: ASGI's extensions."""
        return name in self._scope.get("extensions", ())

    @property
    def is_personal(self) -> bool:
        """True when the caller says who he is: what he gets is for nobody else (RFC 9111 §3.5)."""
        return self.header(b"authorization") is not None or self.header(b"cookie") is not None

    @property
    def is_for_us(self) -> bool:
        """True when the caller means us by the name that he asks (T16)."""
        return self.door.addresses.answers_to(self.header(b"host"), self._scope)

    @property
    def root(self) -> str:
        """The address of the DICOMweb services, for links: absolute, without a slash at the end (V12)."""
        if self._root is None:
            self._root = self.door.addresses.base(self._scope) + self.door.settings.root
        return self._root

    @property
    def path(self) -> str:
        """The path, decoded. Malformed when it is not UTF-8 under its percent signs."""
        if self._path is None:
            self._path = decode(self.raw_path, what="path")
        return self._path

    @property
    def pairs(self) -> parameters.Pairs:
        """The query's names and values in order, decoded (GEN-04). Malformed when they cannot be (T17)."""
        if self._pairs is None:
            check_percent_signs(self.query_string, what="query")
            self._pairs = parameters.parse(self.query_string)
        return self._pairs

    @property
    def peer(self) -> str:
        """The address at the other end of the connection."""
        return self._scope["client"][0] if self._scope["client"] else ""

    @property
    def connection(self) -> tuple[str, int]:
        """Address and port at the other end: the same for every request of one connection."""
        return tuple(self._scope["client"]) if self._scope["client"] else ("", 0)

    @property
    def accept(self) -> str | None:
        """The Accept field."""
        return self.header(b"accept")

    @property
    def accept_query(self) -> str | None:
        """The `accept` parameter of the address, all of them (MT-05)."""
        return ",".join(value for name, value in self.pairs if name == "accept") or None

    def wishes(self, *, is_bulk: bool = False) -> tuple[negotiation.Wish, ...]:
        """What the caller would take (V1). NotAcceptable or Malformed where the door is strict."""
        strict = self.door.settings.strict
        return negotiation.wishes(self.accept, self.accept_query, strict=strict, is_bulk=is_bulk)

    @property
    def length(self) -> int | None:
        """The body's length as declared; None where the body is chunked or there is none."""
        declared = self.header(b"content-length")
        return int(declared) if declared is not None else None

    @property
    def has_body(self) -> bool:
        """True when a body comes or may come."""
        return bool(self.length) or self.header(b"transfer-encoding") is not None


def _joined(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields = dict(headers)
    if len(fields) < len(headers):
        fields = {}
        for name, value in headers:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def decode(raw: bytes, *, what: str) -> str:
    """Percent-encoded UTF-8 as text. Malformed for a stray percent sign, other encodings and NUL."""
    check_percent_signs(raw, what=what)
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as fault:
        raise errors.Malformed(f"{what}: not UTF-8 at byte {fault.start}") from fault
    if "\0" in text:
        raise errors.Malformed(f"{what}: holds a NUL")
    return text


def check_percent_signs(raw: bytes, *, what: str) -> None:
    """Malformed when a percent sign is not followed by two hexadecimal digits."""
    start = raw.find(b"%")
    while start >= 0:
        digits = raw[start + 1 : start + 3]
        if len(digits) < 2 or not _HEXADECIMAL.issuperset(digits):
            raise errors.Malformed(f"{what}: a percent sign at byte {start} without two hexadecimal digits")
        start = raw.find(b"%", start + 3)
