"""What an instance was before it was corrected or superseded: an extension (STOW-18, RET-09).

GET .../instances/{instance}/versions       a JSON array, the oldest first; the last is the one that is served
GET .../instances/{instance}/versions/{n}   that file, as an instance is retrieved
"""

from __future__ import annotations

import time
from typing import Any, Final

import orjson

from dicomgate import errors
from dicomgate.dicomweb import negotiation, resources
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Version, Versions
from dicomgate.server import caching, parts, retrieve, whole
from dicomgate.server.answers import Answer
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_JSON: Final = "application/json"


def read(request: Request, resource: Resource) -> Answer:
    """The list, or one file. NotFound where the origin keeps no versions."""
    origin = request.door.origin.versions
    if origin is None:
        raise errors.NotFound("no versions are kept here")
    return _file(request, origin, resource) if resource.version else _list(request, origin, resource)


def _list(request: Request, origin: Versions, resource: Resource) -> Answer:
    assert resource.target is not None, "versions are of an instance"
    link = resources.link(request.root, resource.target)
    found = origin.versions(resource.target)
    body = orjson.dumps([_describe(version, f"{link}/versions/{version.number}") for version in found])
    return whole.answer(request, [field("content-type", _JSON), caching.CHANGING], [body])


def _describe(version: Version, link: str) -> dict[str, Any]:
    return {
        "version": version.number,
        "url": link,
        "current": not version.why,
        "why": version.why or None,
        "received": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(version.received)),
        "transferSyntax": version.transfer_syntax,
        "size": version.size,
        "sha256": version.digest,
    }


def _file(request: Request, origin: Versions, resource: Resource) -> Answer:
    assert resource.target is not None, "versions are of an instance"
    instance = origin.version(resource.target, resource.version)
    wanted = request.wishes()
    offer = negotiation.choose(wanted, retrieve.file_offers(instance, wanted))
    location = resources.format_resource(request.root, resource)
    if not offer.is_multipart:
        return retrieve.single(request, instance, offer, location)
    tag = caching.format_tag(instance.facts.version, f"version {retrieve.variant(request, offer)}")
    part = retrieve.part(request, instance, offer, location)
    return parts.answer_tagged(request, offer.media_type, [part], tag, lifetime=caching.CHANGING)
