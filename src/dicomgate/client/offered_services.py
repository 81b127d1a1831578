"""What a server says it offers: its capabilities description, as far as it has one (PS3.18 §8.9, Annex H)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from dicomgate import errors
from dicomgate.client import quirks
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.request import Request

_DEEPEST: Final = 32
_QUERY: Final = re.compile(r"\{[?&][^{}]*\}|\?.*$")
_PARAMETER: Final = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What is known of a server.

    `offered`: methods with templates of addresses, ("GET", "studies/{}/metadata"), in which parameters have no names;
    None where it does not describe itself. `product`: what it calls itself, empty when it does not. `quirk`: what is
    known of servers like it.
    """

    offered: frozenset[tuple[str, str]] | None
    product: str
    quirk: quirks.Quirk | None

    def offers(self, method: str, template: str) -> bool | None:
        """Whether it offers something; None when that is not known. What parameters are called does not matter."""
        return None if self.offered is None else (method, _plain(template)) in self.offered


async def read_capabilities(calls: AsyncCaller) -> Capabilities:
    """Ask a server. What is no description it could be read from counts as none."""
    if not quirks.has(calls.root, "capabilities"):
        return Capabilities(offered=None, product="", quirk=quirks.find(calls.root))
    request = Request(method="OPTIONS", path="/", headers={"Accept": "application/dicom+json"})
    try:
        answer = await calls.send(request)
    except errors.UpstreamFailed:
        return Capabilities(offered=None, product="", quirk=quirks.find(calls.root))
    offered = _offered(answer.body) if answer.status == 200 else None
    return Capabilities(offered=offered, product=answer.headers.get("server", ""), quirk=quirks.find(calls.root))


def _offered(body: bytes) -> frozenset[tuple[str, str]] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    application = said.get("application") if isinstance(said, dict) else None
    if not isinstance(application, dict):
        return None
    found = [pair for resources in _list(application.get("resources")) for pair in _walk(resources, "", 0)]
    return frozenset(found) or None


def _walk(element: dict[str, Any], above: str, depth: int) -> Iterator[tuple[str, str]]:
    """The methods of a resource and of those below it."""
    path = "/".join(part for part in (above, str(element.get("@path", "")).strip("/")) if part)
    for method in _list(element.get("method")):
        yield str(method.get("@name", "")), _plain(path)
    if depth < _DEEPEST:
        for below in _list(element.get("resource")):
            yield from _walk(below, path, depth + 1)


def _plain(template: str) -> str:
    """A template without its query and the names of its parameters."""
    return _PARAMETER.sub("{}", _QUERY.sub("", template)).strip("/")


def _list(found: Any) -> list[dict[str, Any]]:
    several = found if isinstance(found, list) else [found]
    return [one for one in several if isinstance(one, dict)]
