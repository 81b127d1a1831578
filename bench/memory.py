"""Memory of a server that has nothing to do, beside its HTTP library with nothing behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench import processes
from bench.caller import Requests
from bench.measure import Amount, Figure
from bench.processes import Server
from bench.scale import Bench

_SETTLE_SECONDS = 1.0


def figures(bench: Bench) -> Iterator[Figure]:
    """The one."""
    files = bench.scratch / "small"
    files.mkdir()
    (files / "answer").write_bytes(b"ok")
    with processes.bare_uvicorn(bench.scratch, files) as server:
        bare = _idle(bench, server, Requests(paths=["/answer"]))
    with processes.dicomgate(bench.scratch / "idle") as server:
        ours = _idle(bench, server, Requests(paths=["/studies"], expected=204))
    yield Amount(
        group="memory",
        operation="idle, one worker",
        unit="MB",
        ours=ours,
        limit="bare uvicorn",
        raw=bare,
        most=3 * bare,
        target="<= 3x",
    )


def _idle(bench: Bench, server: Server, requests: Requests) -> float:
    bench.caller.call(server, requests, 1, 1)
    time.sleep(_SETTLE_SECONDS)
    return server.memory()
