"""This side of the load generator: what to send, and the cost of it to the server that answered."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import Cost, Deed
from bench.processes import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests of one kind. `paths` are taken in turn; `bodies` are spans of `file`, one for each request."""

    paths: Sequence[str]
    accept: str = "*/*"
    method: str = "GET"
    content_type: str = ""
    file: Path | None = None
    bodies: Sequence[tuple[int, int]] = ()
    expected: int = 200
    coding: str = ""
    """Accept-Encoding."""
    tags: Sequence[str] = ()
    """Entity tags that the caller has, one for each path."""

    def heads(self, server: Server) -> list[str]:
        """The requests' headers as they go out."""
        length = f"Content-Type: {self.content_type}\r\nContent-Length: {self.bodies[0][1]}\r\n" if self.bodies else ""
        length += f"Accept-Encoding: {self.coding}\r\n" if self.coding else ""
        known = [f"If-None-Match: {tag}\r\n" for tag in self.tags] or [""] * len(self.paths)
        return [
            f"{self.method} {server.root}{path} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
            f"Accept: {self.accept}\r\n{length}{tag}\r\n"
            for path, tag in zip(self.paths, known, strict=True)
        ]

    def again(self, server: Server) -> Requests:
        """The same by a caller who has all of it already."""
        with closing(http.client.HTTPConnection(server.host, server.port)) as connection:
            tags = []
            for path in self.paths:
                connection.request("HEAD", server.root + path, headers={"Accept": self.accept})
                answer = connection.getresponse()
                answer.read()
                tags.append(answer.headers["ETag"])
        return replace(self, tags=tags, expected=304)


class Caller:
    """A running load generator."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.received = 0  # bytes of the last call's answers, headers included

    def call(self, server: Server, requests: Requests, count: int, connections: int) -> Cost:
        """Send so many requests; the cost is that of all of them."""
        order = {
            "host": server.host,
            "port": server.port,
            "connections": connections,
            "requests": count,
            "heads": requests.heads(server),
            "file": str(requests.file) if requests.file else "",
            "bodies": list(requests.bodies),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = server.cpu()
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        cpu = server.cpu() - before
        if not answer:
            raise SystemExit("the load generator ended")
        said = json.loads(answer)
        if said["statuses"] != {str(requests.expected): count}:
            raise SystemExit(f"expected {count} answers with {requests.expected}, saw {said['statuses']}")
        self.received = said["received"]
        return Cost(cpu, said["wall"], said["cpu"])

    def turn(self, server: Server, requests: Requests, count: int, connections: int) -> Deed:
        """A turn of so many requests; its cost is that of one of them."""
        return lambda: self.call(server, requests, count, connections) / count


@contextmanager
def started() -> Iterator[Caller]:
    """A load generator that ends with the block."""
    command = [sys.executable, "-m", "bench.load"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield Caller(process)
