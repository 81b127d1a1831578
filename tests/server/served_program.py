"""A program that serves a small application with a number of workers; run by test_run.py."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from dicomgate.server.run import Manner, serve

RELEASE = Path(os.environ["SERVED_PROGRAM_RELEASE"])


def say(line: str) -> None:
    """A line in one write: several processes share standard output."""
    os.write(1, f"{line}\n".encode())


class Small:
    """`/` tells the process, `/slow` ends when the file of that name is there, `/hang` never, `/die` ends the process.

    Bodies are counted. Who is to be waited for tells `begun` on standard output.
    """

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    say("closed")
                    return
        body = b"%d" % os.getpid()
        match scope["path"]:
            case "/slow":
                say("begun")
                while not RELEASE.exists():
                    await asyncio.sleep(0.01)
            case "/hang":
                say("begun")
                await asyncio.sleep(1000)
            case "/die":
                os._exit(3)
            case "/count":
                seen, more = 0, True
                while more:
                    message = await receive()
                    if not seen and message.get("body"):
                        say("begun")
                    seen += len(message.get("body", b""))
                    more = message.get("more_body", False)
                body = b"%d" % seen
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def broken() -> Small:
    raise SystemExit(7)


def make() -> Small:
    return Small()


class Late(Small):
    """Tells `starting` and takes its time before it serves."""

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            say("starting")
            await asyncio.sleep(1.0)
        await super().__call__(scope, receive, send)


def late() -> Small:
    return Late()


MAKERS = {"make": make, "broken": broken, "late": late}


if __name__ == "__main__":
    workers, seconds, maker = int(sys.argv[1]), float(sys.argv[2]), MAKERS[sys.argv[3]]
    serve(
        maker,
        port=0,
        workers=workers,
        manner=Manner(stop_seconds=seconds),
        on_ready=lambda host, port: say(f"ready {host} {port}"),
    )
    say("returned")
