"""Who is cancelled, or killed, in the midst of it leaves nothing half written; the next run brings the rest, once."""

from __future__ import annotations

import asyncio
import collections
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dicomgate
from dicomgate import assembly, config
from dicomgate.cli import local
from dicomgate.client import fetch
from dicomgate.client.async_archive import AsyncArchive
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.cache import Cache
from dicomgate.client.in_process import ADDRESS, InProcess
from dicomgate.client.request import Request
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

pytestmark = pytest.mark.slow

COUNT = 5
TAGS = ("0020000D", "0020000E", "00080018")


class Archiving:
    """An application with one series that sends half of an instance and then nothing, where and as long as it is told."""

    def __init__(self, *, stalls: str) -> None:
        self.stalls, self.asked = stalls, collections.Counter[str]()
        self.stalled = asyncio.Event()
        first = instances.new_target()
        targets = [first, *(instances.new_target(first.study, first.series) for _ in range(COUNT - 1))]
        self.contents = {target: instances.make(target, rows=64, columns=64) for target in targets}
        self.series = Target(first.study, first.series)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        words = scope["path"].removeprefix("/d/").split("/")
        self.asked[words[-1]] += 1
        if len(words) % 2:  # a search
            depth = {"series": 2, "instances": 3}[words[-1]]
            every = {(one.study, one.series, one.instance)[:depth] for one in self.contents}
            found = [{tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(TAGS, one, strict=False)} for one in every]
            body = json.dumps(found if b"offset=0" in scope["query_string"] else []).encode()
            await self.answer(send, b"application/dicom+json", body, stalls=self.stalls == words[-1])
            return
        wanted = [content for one, content in self.contents.items() if len(words) == 4 or one.instance == words[-1]]
        parts = b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in wanted)
        kind = b'multipart/related; type="application/dicom"; boundary=x'
        await self.answer(send, kind, parts + b"--x--\r\n", stalls=self.stalls == "files")

    async def answer(self, send: Any, kind: bytes, body: bytes, *, stalls: bool) -> None:
        headers = [(b"content-type", kind), (b"etag", b'"a"')]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if stalls:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            self.stalled.set()
            await asyncio.Event().wait()
        await send({"type": "http.response.body", "body": body})


def landed(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.rglob("*.dcm")}


@pytest.mark.parametrize("stalls", ["files", "instances", "series"])
def test_a_download_that_is_cancelled_ends_at_once_and_is_gone_on_with(tmp_path: Path, stalls: str) -> None:
    folder = tmp_path / "out"

    async def cancel_and_go_on() -> None:
        served = Archiving(stalls=stalls)
        async with AsyncArchive(AsyncCaller(f"{ADDRESS}/d", transport=InProcess(served), timeout=10_000)) as archive:
            others = asyncio.all_tasks()
            task = asyncio.create_task(archive.download(served.series.study, folder))
            await served.stalled.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            expected = {one.instance: content for one, content in served.contents.items()}
            before = landed(folder)
            assert before.items() <= expected.items()
            assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".dcm"]
            assert asyncio.all_tasks() == others
            served.stalls = ""
            (outcome,) = await archive.download(served.series.study, folder)
            assert (outcome.there, outcome.fetched) == (len(before), COUNT - len(before))
            assert landed(folder) == expected

    asyncio.run(asyncio.wait_for(cancel_and_go_on(), 100))


def test_an_array_that_is_cancelled_ends_at_once() -> None:
    async def cancel() -> None:
        served = Archiving(stalls="metadata")

        async def stall(scope: Any, receive: Any, send: Any) -> None:
            await served.answer(send, b"application/dicom+json", b"[{}]", stalls=True)

        async with AsyncArchive(AsyncCaller(f"{ADDRESS}/d", transport=InProcess(stall), timeout=10_000)) as archive:
            for asking in (archive.volume(Target("1.2", "1.3")), anext(archive.frames(Target("1.2", "1.3", "1.4")))):
                served.stalled.clear()
                task = asyncio.ensure_future(asking)
                await served.stalled.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    asyncio.run(asyncio.wait_for(cancel(), 100))


def test_a_file_that_is_cancelled_is_discarded() -> None:
    told: list[str] = []

    class Sink:
        def write(self, data: bytes | memoryview) -> None:
            told.append("write")

        def finish(self) -> None:
            told.append("finish")

        def discard(self) -> None:
            told.append("discard")

    async def cancel() -> None:
        served = Archiving(stalls="files")
        async with AsyncCaller(f"{ADDRESS}/d", transport=InProcess(served)) as calls:
            only = next(iter(served.contents))
            task = asyncio.create_task(fetch.files(calls, only, "*", Sink))
            await served.stalled.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(asyncio.wait_for(cancel(), 100))
    assert "finish" not in told
    assert told.count("discard") == ("write" in told)


def test_an_answer_that_is_cancelled_is_not_kept(tmp_path: Path) -> None:
    async def cancel() -> None:
        served = Archiving(stalls="files")
        cache = Cache(tmp_path / "kept")
        async with AsyncCaller(f"{ADDRESS}/d", transport=InProcess(served), cache=cache) as calls:
            path = f"/studies/{served.series.study}/series/{served.series.series}"
            request = Request(path=path, headers={}, may_be_kept=True)
            task = asyncio.create_task(calls.send(request))
            await served.stalled.wait()
            while not list(cache.folder.glob("*")):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert list(cache.folder.glob("*")) == []

    asyncio.run(asyncio.wait_for(cancel(), 100))


CHILD = """
import sys, dicomgate
with dicomgate.connect(sys.argv[1]) as archive:
    archive.download(sys.argv[2], sys.argv[3], jobs=2, tell=lambda count: print(count, flush=True))
"""


@pytest.mark.crash
def test_a_process_that_is_killed_leaves_whole_files_and_the_next_brings_the_rest(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    study = instances.new_target().study
    expected = {}
    for _ in range(4):
        series = instances.new_target(study).series
        for _ in range(10):
            target = instances.new_target(study, series)
            expected[target.instance] = instances.make(target, rows=256, columns=256)
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive:
        for _ in local.keep_contents(archive, list(expected.values())):
            pass
    folder = tmp_path / "out"
    with serving(assembly.application(config.Settings(), data=tmp_path / "data")) as served:
        root = f"{served.url}/dicomweb"
        for _ in range(6):
            command = [sys.executable, "-c", CHILD, root, study, str(folder)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                for _ in range(chance.randrange(8)):
                    process.stdout.readline()
                process.kill()
            assert landed(folder).items() <= expected.items()
        before = len(landed(folder))
        with dicomgate.connect(root) as archive:
            outcomes = archive.download(study, folder)
            assert sum(one.there for one in outcomes) == before
            assert sum(one.fetched for one in outcomes) == len(expected) - before
            assert landed(folder) == expected
            assert sum(one.fetched for one in archive.download(study, folder)) == 0
    assert not list(folder.glob(".dicomgate*"))
