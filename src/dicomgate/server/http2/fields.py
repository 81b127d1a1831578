"""The fields of a request as the application knows them from HTTP/1.1, and the other way (RFC 9113 §8.2, §8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate.server.answers import Header
from dicomgate.server.refusals import LONGEST_URL, Refusal
from dicomgate.server.settings import ConnectionLimits

_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_PATH: Final = re.compile(rb"/[\x21\x22\x24-\x7e]*")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(rb"[0-9]{1,19}")
_OF_CONNECTIONS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request's head; `headers` begin with the Host that `:authority` stands for."""

    method: str
    path: bytes
    query: bytes
    headers: list[Header]
    expects_continue: bool


def parse(fields: Sequence[Header], limits: ConnectionLimits) -> Asked:
    """What is asked. Refusal when it breaks a bound, or a rule that the protocol's library leaves to us."""
    size = sum(len(name) + len(value) for name, value in fields)
    if len(fields) > limits.header_fields or size > limits.header_bytes:
        raise Refusal(431, f"more than {limits.header_fields} fields or {limits.header_bytes} bytes")
    said = {name: value for name, value in fields if name.startswith(b":")}
    method = said.get(b":method", b"")
    if method == b"CONNECT":
        raise Refusal(405, "this is no proxy")
    path, _, query = _address(said.get(b":path", b""), method).partition(b"?")
    headers = [(bytes(name), bytes(value)) for name, value in fields if not name.startswith(b":")]
    _check(method, headers)
    return Asked(
        method=method.decode("ascii"),
        path=path,
        query=query,
        headers=_with_host(headers, said.get(b":authority")),
        expects_continue=any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers),
    )


def origin_of(fields: Iterable[Header]) -> str | None:
    """The web origin that a request comes from."""
    return next((value.decode("latin-1") for name, value in fields if name == b"origin"), None)


def of_answer(status: int, headers: Iterable[Header]) -> list[Header]:
    """The fields of an answer: its status, and what is not about a connection of HTTP/1.1 (§8.2.2)."""
    fields = [(b":status", b"%d" % status)]
    fields += [field for field in headers if field[0] not in _OF_CONNECTIONS]
    return fields


def _address(path: bytes, method: bytes) -> bytes:
    if len(path) > LONGEST_URL:
        raise Refusal(414, f"the address is longer than {LONGEST_URL} bytes")
    if not _PATH.fullmatch(path) and (path, method) != (b"*", b"OPTIONS"):
        raise Refusal(400, "expected a path that begins with a slash, without blanks, controls and fragment")
    return path


def _check(method: bytes, headers: Sequence[Header]) -> None:
    if not _METHOD.fullmatch(method):
        raise Refusal(400, "expected a method's name")
    lengths = [value for name, value in headers if name == b"content-length"]
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise Refusal(400, "Content-Length: expected one number")
    if any(_CONTROL.search(value) for _, value in headers):
        raise Refusal(400, "a field with control characters")


def _with_host(headers: list[Header], authority: bytes | None) -> list[Header]:
    """`:authority` stands where there is one; the library has seen that a Host beside it says the same (§8.3.1)."""
    if authority is not None:
        return [(b"host", authority), *(field for field in headers if field[0] != b"host")]
    if sum(name == b"host" for name, _ in headers) > 1:
        raise Refusal(400, "expected one Host field")
    return headers
