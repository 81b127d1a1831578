"""WADO-RS: an instance, a frame, a whole series beside nginx that sends the same bytes from files; stalled readers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import data, measure, processes, store
from bench.caller import Requests
from bench.measure import NO_TARGET, Amount, Figure, Target
from bench.processes import Server
from bench.scale import Bench

NGINX = "nginx"
STUDY = SERIES = 900_000
_FIRST = 900_001
_LARGE = 990_000
_TWICE = Target(cpu=2, wall=2)


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them; what is beside nginx only where it is."""
    with ExitStack() as stack:
        server = stack.enter_context(processes.dicomgate(bench.scratch / "retrieved"))
        _fill(bench, server)
        idle = server.memory()
        server.forget_most_memory()
        for limit, static in limits(bench, stack):
            yield from _small(bench, server, static, limit)
            yield from _series(bench, server, static, limit)
        yield Amount(
            group="memory",
            operation="most while these were retrieved, over idle",
            unit="MB",
            ours=server.most_memory() - idle,
        )
        yield from _stalled(bench, server)


def limits(bench: Bench, stack: ExitStack) -> Iterator[tuple[str, Server]]:
    """Servers of the same bytes from files."""
    if bench.has_nginx:
        yield NGINX, stack.enter_context(processes.nginx(bench.scratch))
    if bench.scale.has_bare:
        yield "bare uvicorn", stack.enter_context(processes.bare_uvicorn(bench.scratch, files_of(bench)))


def files_of(bench: Bench) -> Path:
    return bench.scratch / "nginx" / "files"


def _fill(bench: Bench, server: Server) -> None:
    bodies = bench.scratch / "series"
    parts = [data.ct().instance(STUDY, SERIES, _FIRST + number) for number in range(bench.scale.slices)]
    with bodies.open("wb") as file:
        for part in parts:
            file.write(store.BEFORE + part + b"\r\n")
        file.write(store.AFTER[2:])
    bench.caller.call(server, store.post(bodies, [(0, bodies.stat().st_size)]), 1, 1)
    large = data.write_large(bench.scratch / "large-retrieved", bench.scale.large, store.BEFORE, store.AFTER)
    large.renumber(_LARGE)
    bench.caller.call(server, store.post(large.path, [(0, large.path.stat().st_size)]), 1, 1)
    files = files_of(bench)
    files.mkdir(parents=True)
    (files / "instance").write_bytes(parts[0])
    (files / "frame").write_bytes(data.noise(data.FRAME_SIZE))
    bodies.rename(files / "series")  # as long as the answer, but for the parts' headers


def _small(bench: Bench, server: Server, static: Server, limit: str) -> Iterator[Figure]:
    series = f"/studies/{data.study_uid(STUDY)}/series/{data.series_uid(SERIES)}"
    instances = [
        f"{series}/instances/{data.instance_uid(_FIRST + number)}" for number in range(min(16, bench.scale.slices))
    ]
    paths = [f"{path}/frames/1" for path in instances]
    wholes = Requests(paths=instances, accept="application/dicom; transfer-syntax=*")
    frames = Requests(paths=paths, accept="application/octet-stream")
    parts = Requests(paths=paths, accept='multipart/related; type="application/octet-stream"')
    wishes = (
        ("one instance of 512 KB", wholes, Requests(paths=["/instance"]), Target(cpu=2), 400),
        ("one frame of 512 KB", frames, Requests(paths=["/frame"]), _TWICE, 400),
        ("one frame of 512 KB as multipart", parts, Requests(paths=["/frame"]), _TWICE, 400),
    )
    for name, ours, files, target, many in wishes:
        yield from _beside(bench, (server, ours), (static, files), (name, limit), target, many)
    if limit == NGINX:  # the bare library knows no entity tags
        known, files = frames.again(server), Requests(paths=["/frame"]).again(static)
        name = "304 for a frame that the caller has"
        yield from _beside(bench, (server, known), (static, files), (name, limit), Target(cpu=5, wall=5), 2000)


def _beside(
    bench: Bench,
    ours: tuple[Server, Requests],
    files: tuple[Server, Requests],
    words: tuple[str, str],
    target: Target,
    many: int,
) -> Iterator[Figure]:
    name, limit = words
    for connections in (1, 8):
        count = bench.scale.requests(many)
        yield measure.compare(
            bench.caller.turn(*ours, count, connections),
            bench.caller.turn(*files, count, connections),
            turns=bench.scale.turns,
            group="retrieve",
            operation=f"{name}, {connections} at a time",
            limit=f"{limit}, the same file",
            target=target if limit == NGINX else NO_TARGET,
        )


def _series(bench: Bench, server: Server, static: Server, limit: str) -> Iterator[Figure]:
    path = f"/studies/{data.study_uid(STUDY)}/series/{data.series_uid(SERIES)}"
    requests = Requests(paths=[path], accept='multipart/related; type="application/dicom"; transfer-syntax=*')
    size = data.ct().size * bench.scale.slices / 1e6
    for connections in (1, 8):
        yield measure.compare(
            bench.caller.turn(server, requests, connections, connections),
            bench.caller.turn(static, Requests(paths=["/series"]), connections, connections),
            turns=bench.scale.turns,
            group="retrieve",
            operation=f"a series of {size:.0f} MB as multipart, {connections} at a time",
            limit=f"{limit}, the same bytes",
            target=Target(cpu=2) if limit == NGINX else NO_TARGET,
        )


def _stalled(bench: Bench, server: Server) -> Iterator[Figure]:
    """Callers that ask for much and read nothing."""
    series = f"/studies/{data.study_uid(STUDY)}"
    large = "/".join(
        (
            "",
            "studies",
            data.study_uid(_LARGE),
            "series",
            data.series_uid(_LARGE),
            "instances",
            data.instance_uid(_LARGE),
        )
    )
    wishes = (
        (f"one instance of {bench.scale.large / 1e6:.0f} MB", large, "application/dicom; transfer-syntax=*"),
        ("a series", series, 'multipart/related; type="application/dicom"; transfer-syntax=*'),
    )
    for name, path, accept in wishes:
        before = server.memory()
        head = Requests(paths=[path], accept=accept).heads(server)[0].encode()
        with ExitStack() as stack:
            for _ in range(3):
                caller = stack.enter_context(socket.create_connection((server.host, server.port)))
                caller.sendall(head)
            time.sleep(bench.scale.stalled)
            after = server.memory()
        yield Amount(
            group="memory",
            operation=f"3 stalled downloads of {name}, over idle",
            unit="MB",
            ours=after - before,
            most=16,
            target="< 16 MB over idle",
        )
