"""What our client costs beside `dicomweb-client` and `curl`, of the same server in the same run."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import data, link, measure, processes, slide
from bench.measure import Cost, Deed, Figure, Target
from bench.processes import Server
from bench.scale import Bench

GROUP: Final = "client"
INCUMBENT: Final = "dicomweb-client"
_WHOLE: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_FRAMES: Final = 'multipart/related; type="application/octet-stream"'
_MANY: Final = Target(wall=1 / 5)
_ONE: Final = Target(wall=1 / 0.7)
_DESCRIBED: Final = 500

_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every caller fetches, each in its own way."""

    words: str
    deed: str
    names: Sequence[str]
    frames: Sequence[int] = ()
    path: str
    accept: str
    to_incumbent: Target = measure.NO_TARGET
    to_curl: Target = measure.NO_TARGET


class Caller:
    """A process of `bench.client_turns` that waits for its next turn."""

    def __init__(self, process: subprocess.Popen[str], scratch: Path) -> None:
        self._process = process
        self._scratch = scratch

    def turn(self, task: Task) -> Deed:
        """The same again and again, each into a folder of its own."""

        def fetch() -> Cost:
            folder = self._scratch / f"fetched{next(_numbers)}"
            order = {"deed": task.deed, "names": task.names, "frames": task.frames, "folder": str(folder)}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            if not answer:
                raise SystemExit(f"a caller ended while it fetched {task.words}")
            return Cost(**json.loads(answer))

        return fetch


@contextmanager
def calling(name: str, server: Server, scratch: Path) -> Iterator[Caller]:
    """One of `client_turns.CALLERS`, ready."""
    command = [sys.executable, "-m", "bench.client_turns", name, _address(server)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", f"{name} did not start"
        try:
            yield Caller(process, scratch)
        finally:
            process.kill()


def curl(task: Task, server: Server, scratch: Path) -> Deed:
    """The answer goes as it is into one file: what comes is neither looked at nor taken apart."""

    def fetch() -> Cost:
        file = scratch / f"curl{next(_numbers)}"
        words = ["curl", "-sf", "--noproxy", "*", "-H", f"Accept: {task.accept}", "-o", str(file)]
        before = time.perf_counter()
        process = os.posix_spawnp("curl", [*words, _address(server) + task.path], os.environ)
        _, status, used = os.wait4(process, 0)
        wall = time.perf_counter() - before
        if status:
            raise SystemExit(f"curl failed at {task.words}")
        return Cost(used.ru_utime + used.ru_stime, wall)

    return fetch


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    yield from _of_an_archive(bench)
    yield from _of_a_slide(bench)


def _of_an_archive(bench: Bench) -> Iterator[Figure]:
    with processes.dicomgate(bench.scratch / "kept") as server:
        for tasks in (_small, _slices, _described, _large):
            for task in tasks(bench, server):
                yield from _compared(bench, server, task)
        yield from _one_by_one(bench, server)


def _compared(bench: Bench, server: Server, task: Task) -> Iterator[Figure]:
    with calling("ours", server, bench.scratch) as ours, calling(INCUMBENT, server, bench.scratch) as incumbent:
        yield measure.compare(
            ours.turn(task),
            incumbent.turn(task),
            turns=bench.scale.turns,
            group=GROUP,
            operation=task.words,
            limit=INCUMBENT,
            target=task.to_incumbent,
        )
        if not task.path or shutil.which("curl") is None:
            return
        yield measure.compare(
            ours.turn(task),
            curl(task, server, bench.scratch),
            turns=bench.scale.turns,
            group=GROUP,
            operation=task.words,
            limit="curl, to one file",
            target=task.to_curl,
        )


def _small(bench: Bench, server: Server) -> Iterator[Task]:
    """Many small things: each costs what a caller does once for each of them."""
    template = data.small_ct(data.PATIENT, "BENCH0001")
    yield from _series(server, bench.scratch, template, bench.scale.slices, 1, "small CT (64 x 64)")


def _slices(bench: Bench, server: Server) -> Iterator[Task]:
    yield from _series(server, bench.scratch, data.ct(), bench.scale.slices, 2, "CT (512 x 512)")


def _series(
    server: Server, scratch: Path, template: data.Template, count: int, series: int, words: str
) -> Iterator[Task]:
    names = _store(server, scratch, template, count, series)
    path = f"/studies/{names[0]}/series/{names[1]}"
    yield Task(
        words=f"a series of {count} {words}, as data sets",
        deed="data sets",
        names=names,
        path=path,
        accept=_WHOLE,
        to_incumbent=_MANY if series == 1 else measure.NO_TARGET,
    )
    yield Task(
        words=f"a series of {count} {words}, to a folder",
        deed="files",
        names=names,
        path=path,
        accept=_WHOLE,
    )


def _one_by_one(bench: Bench, server: Server) -> Iterator[Figure]:
    """Some instances here, some there: each is a request, and each request a round trip."""
    study, series = data.study_uid(1), data.series_uid(11)
    names = [(study, series, data.instance_uid(10_000 + number)) for number in range(bench.scale.slices)]
    for seconds, words in ((0.0, "on this machine"), (0.005, "over a link of 10 ms"), (0.02, "over a link of 40 ms")):
        with link.to(server, seconds) as there:
            task = Task(
                words=f"{len(names)} small instances asked for one by one, to a folder, {words}",
                deed="each file",
                names=[name for each in names for name in each],
                path="",
                accept=_WHOLE,
                to_incumbent=_MANY if seconds else measure.NO_TARGET,
            )
            yield from _compared(bench, there, task)


def _described(bench: Bench, server: Server) -> Iterator[Task]:
    names = _store(server, bench.scratch, data.ct(), _DESCRIBED, 3)
    yield Task(
        words=f"metadata of {_DESCRIBED} CT of {data.CT_ELEMENTS} elements",
        deed="metadata",
        names=names,
        path=f"/studies/{names[0]}/series/{names[1]}/metadata",
        accept="application/dicom+json",
        to_incumbent=_MANY,
    )


def _large(bench: Bench, server: Server) -> Iterator[Task]:
    folder = bench.scratch / "large"
    folder.mkdir()
    data.write_large(folder / "large.dcm", bench.scale.large).renumber(1)
    _store_folder(server, folder)
    names = (data.study_uid(1), data.series_uid(1), data.instance_uid(1))
    yield Task(
        words=f"one instance of {bench.scale.large // 1_000_000} MB, to a folder",
        deed="files",
        names=names,
        path="/studies/{}/series/{}/instances/{}".format(*names),
        accept=_WHOLE,
        to_curl=_ONE,
    )


def _of_a_slide(bench: Bench) -> Iterator[Figure]:
    folder = bench.scratch / "slides"
    folder.mkdir()
    place, _, count = slide.make(folder / "slide.dcm", bench.scale.slide)
    assert place.study
    assert place.series
    assert place.instance
    numbers = [1 + number * count // bench.scale.frames for number in range(bench.scale.frames)]
    path = f"/studies/{place.study}/series/{place.series}/instances/{place.instance}/frames/"
    with processes.dicomgate_folder(folder) as server:
        slide.wait_until_read(server, f"{path}1")
        task = Task(
            words=f"{len(numbers):,} frames of a slide",
            deed="frames",
            names=(place.study, place.series, place.instance),
            frames=numbers,
            path=path + ",".join(map(str, numbers)),
            accept=_FRAMES,
            to_incumbent=_MANY,
        )
        yield from _compared(bench, server, task)


def _store(server: Server, scratch: Path, template: data.Template, count: int, series: int) -> tuple[str, str]:
    folder = scratch / f"made{series}"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.dcm").write_bytes(template.instance(1, 10 + series, series * 10_000 + number))
    _store_folder(server, folder)
    return data.study_uid(1), data.series_uid(10 + series)


def _store_folder(server: Server, folder: Path) -> None:
    command = [sys.executable, "-m", "dicomgate", "store", _address(server), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _address(server: Server) -> str:
    return f"http://{server.host}:{server.port}{server.root}"
