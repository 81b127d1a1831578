"""An application for tests of what is below it: it counts bodies, takes its time, or gives much."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

LARGE = 32 << 20


@dataclass
class Small:
    """`/large` gives 32 MiB, `/early` reads nothing, `/hold` reads when it is let; the rest count the body."""

    came: list[int] = field(default_factory=list)  # bytes of a body, at each step
    left: list[str] = field(default_factory=list)  # paths whose caller has gone, or could be let go
    running: int = 0
    most_running: int = 0
    may_go: bool = False

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await self._answer(scope, receive, send)
        finally:
            self.running -= 1

    async def _answer(self, scope, receive, send):
        path = scope["path"]
        while path.startswith("/hold") and not self.may_go:
            await asyncio.sleep(0.01)
        if path == "/large":
            await self._give(send)
            self.left.append(path)
            return
        if path == "/broken":
            raise RuntimeError
        seen = 0 if path == "/early" else await self._count(receive)
        if seen is None:
            self.left.append(path)
            return
        said = [scope["http_version"], scope["method"], scope["raw_path"].decode(), scope["query_string"].decode()]
        fields = [f"{name.decode()}={value.decode('latin-1')}" for name, value in scope["headers"]]
        body = " ".join([str(seen), *said, *fields]).encode("latin-1")
        headers = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 304 if path == "/304" else 200, "headers": headers})
        is_bare = path == "/304" or scope["method"] == "HEAD"
        await send({"type": "http.response.body", "body": b"" if is_bare else body})

    async def _count(self, receive) -> int | None:
        seen, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            seen += len(message.get("body", b""))
            self.came.append(seen)
            more = message.get("more_body", False)
        return seen

    async def _give(self, send) -> None:
        length = (b"content-length", b"%d" % LARGE)
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for _ in range(LARGE >> 18):
            await send({"type": "http.response.body", "body": bytes(1 << 18), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
