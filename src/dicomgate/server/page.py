"""The built-in page: the viewer room's static files, read once, at the server's top (T15)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources as package_resources
from importlib.resources.abc import Traversable
from typing import Final

from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
    "webmanifest": "application/manifest+json",
    "json": "application/json",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}
"""What is served; files of other kinds are not."""

_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    b"font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'self'"
)
SECURITY: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", _POLICY),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""The page runs its own scripts and talks to its own server, nothing else."""


class Page:
    """The files by path; a folder's `index.html` also answers for the folder."""

    def __init__(self, package: str = "dicomgate.viewer") -> None:
        self._files: dict[str, tuple[bytes, list[Header], str]] = {}
        for path, content in _read(package_resources.files(package), "/"):
            tag = caching.format_tag(hashlib.sha256(content).hexdigest(), path)
            kind = _TYPES[path.rpartition(".")[2]]
            headers = [field("content-type", kind), field("etag", tag), (b"cache-control", b"no-cache")]
            self._files[path] = (content, headers, tag)
            if path.endswith("/index.html"):
                self._files[path.removesuffix("index.html")] = self._files[path]

    def find(self, request: Request) -> Answer | None:
        """The file of that path, if there is one."""
        found = self._files.get(request.path)
        if found is None:
            return None
        content, headers, tag = found
        if caching.is_known(request, tag):
            return caching.not_modified(headers)
        return Answer(headers=list(headers), chunks=[content], size=len(content))


def _read(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{path}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            yield path + entry.name, entry.read_bytes()
