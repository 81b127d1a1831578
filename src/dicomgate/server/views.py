"""Which view of what is stored a request is about: by the service root, or by a parameter (LC-34; PS3.4 C.3.4).

The standard has Query/Retrieve View (0008,0053) for DIMSE only; here it is a parameter of any request that reads, and
each view has a root of its own, so that a client that knows of neither can be pointed at one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dicomgate import errors
from dicomgate.server.requests import VIEW_PARAMETERS, Door, Request

_MAY_NAME: Final = (b"View", b"00080053", b"%")


class Views:
    """The doors of all views, by name: `enhanced`, `classic`."""

    def __init__(self, root: str, doors: Mapping[str, Door]) -> None:
        self._root = root
        self._doors = doors

    def choose(self, request: Request) -> str:
        """Lead the request to its view; its path as it would be without one.

        Malformed for a view that there is not, and when root and parameter name two.
        """
        path = request.path
        if not self._doors:
            return path
        named, rest = self._by_root(path)
        said = _said(request)
        if said and said not in self._doors:
            expected = " or ".join(name.upper() for name in self._doors)
            raise errors.Malformed(f"QueryRetrieveView: expected {expected}")
        if said and named and said != named:
            raise errors.Malformed("QueryRetrieveView names another view than the address")
        if chosen := named or said:
            request.enter(self._doors[chosen])
        return rest

    def _by_root(self, path: str) -> tuple[str, str]:
        for name in self._doors:
            prefix = f"{self._root}/{name}"
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in {"", "/"}:
                return name, self._root + path[len(prefix) :]
        return "", path


def _said(request: Request) -> str:
    if not any(text in request.query_string for text in _MAY_NAME):
        return ""
    found = {value.strip().lower() for name, value in request.pairs if name in VIEW_PARAMETERS} - {""}
    if len(found) > 1:
        raise errors.Malformed("QueryRetrieveView: expected once")
    return next(iter(found), "")
