"""DELETE of a study, series or instance: an extension, offered where it is switched on (AMB-21, D7)."""

from __future__ import annotations

from dicomgate.dicomweb.resources import Resource
from dicomgate.server.answers import Answer
from dicomgate.server.requests import Request


def delete(request: Request, resource: Resource) -> Answer:
    """Remove what the address names: 204 when it is durably gone from view, later 410."""
    origin = request.door.origin
    assert origin.delete is not None, "the route is offered only then"
    assert resource.target is not None, "what can be deleted has a target"
    origin.delete.delete(resource.target)
    return Answer(status=204, size=0)
