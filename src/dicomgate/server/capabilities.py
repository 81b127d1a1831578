"""OPTIONS: what may be done here, as a capabilities description, and `Allow` (PS3.18 §8.9; CAP-01, CAP-05)."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from dicomgate.dicomweb import capabilities, media_types, negotiation, wadl
from dicomgate.dicomweb.capabilities import Methods
from dicomgate.dicomweb.resources import Resource
from dicomgate.dicomweb.wadl import Element
from dicomgate.server import caching
from dicomgate.server.answers import Answer
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request


class Capabilities:
    """The descriptions of one door, made when they are first asked for."""

    def __init__(self, methods: Methods, views: Sequence[str] = ()) -> None:
        self._methods = methods
        self._views = views
        self._describe = functools.lru_cache(maxsize=64)(self._make)

    def studies(self, request: Request, resource: Resource | None = None) -> Answer:
        """The studies service, or what of it begins at a resource."""
        below = "" if resource is None else capabilities.template_of(resource)
        allowed = () if resource is None else self._methods(resource)
        return _answer(request, self._describe(request.root, below), allowed)

    def uri(self, request: Request, path: str, allowed: Sequence[str]) -> Answer:
        """The URI service."""
        base = request.root.removesuffix(request.door.settings.root)
        return _answer(request, capabilities.describe_wado_uri(base, path.removeprefix("/")), allowed)

    def _make(self, root: str, below: str) -> Element:
        return capabilities.describe(root, capabilities.transactions(self._methods), below, self._views)


def _answer(request: Request, description: Element, allowed: Sequence[str]) -> Answer:
    offer = negotiation.choose(request.wishes(), capabilities.OFFERS)
    is_wadl = offer.media_type == capabilities.WADL
    body = wadl.write_xml(description) if is_wadl else wadl.write_json(description)
    tag = caching.format_tag(body.decode(), offer.media_type)
    headers = [
        field("allow", ", ".join((*allowed, "OPTIONS"))),
        field("content-type", capabilities.WADL if is_wadl else media_types.JSON),
        field("etag", tag),
        caching.CHANGING,
        caching.VARY,
    ]
    if caching.is_known(request, tag):
        return caching.not_modified(headers)
    return Answer(headers=headers, chunks=[body], size=len(body))
