"""Thumbnails: one small picture that stands for a study, series, instance or frame (PS3.18 §10.4.3.3.4, THM)."""

from __future__ import annotations

from dicomgate import errors
from dicomgate.dicomweb import negotiation, rendered_offers, rendering
from dicomgate.dicomweb.resources import Resource
from dicomgate.server.answers import Answer
from dicomgate.server.requests import Request


def retrieve(request: Request, resource: Resource) -> Answer:
    """NotAcceptable: pictures are not made here."""
    rendering.parse_thumbnail(request.pairs)
    negotiation.choose(request.wishes(), rendered_offers.THUMBNAIL)
    raise errors.NotAcceptable(f"pictures of a {resource.level.name.lower()} are not made here; ask for the instances")
