"""What arrives, on its way to where it gathers: memory by what is held, not by how it was cut or who is silent (T4)."""

from __future__ import annotations

import asyncio
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_origin import Made
from waiting import PATIENCE, until

from dicomgate.server.budget import Arriving, Budget
from dicomgate.server.threads import Threads
from dicomgate.server.writing import Writing, write_all
from dicomgate.spool import Pile, Spool
from dicomgate.testing.serving import Served, format_request

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def threads() -> Iterator[Threads]:
    running = Threads(2, "test")
    yield running
    running.close()


def written(pile: Pile, pieces: Iterator[bytes | memoryview], threads: Threads, arriving: Arriving) -> int:
    """How many bytes are in memory once all is written, and nothing was finished."""

    async def write() -> int:
        writing = Writing(pile, threads, arriving)
        tracemalloc.start()
        try:
            for piece in pieces:
                await writing.write(piece)
            left = await writing.rest()
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        write_all(pile, left)
        writing.release()
        return held

    return asyncio.run(write())


@pytest.mark.parametrize("size", [1, 100 * KIB])
def test_a_slice_does_not_keep_what_came_with_it(tmp_path: Path, threads: Threads, size: int) -> None:
    """Most of each piece was for others, who are gone or were refused."""
    pile = Spool(tmp_path).pile()
    pieces = (memoryview(bytes(256 * KIB))[7 : 7 + size] for _ in range(min(1000, 3 * MIB // size)))
    assert written(pile, pieces, threads, Arriving(MIB << 10)) < 5 * MIB


@pytest.mark.slow
def test_bytes_that_come_one_by_one_cost_no_more_than_others(tmp_path: Path, threads: Threads) -> None:
    pile = Spool(tmp_path).pile()
    pieces = (number.to_bytes(2) for number in range(60_000))
    assert written(pile, pieces, threads, Arriving(MIB << 10)) < MIB


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.tuples(st.sampled_from([0, 1, 17, 20 * KIB, 70 * KIB, 2 * MIB]), st.booleans()), max_size=6),
    limit=st.sampled_from([0, 100 * KIB, MIB << 10]),
)
@pytest.mark.slow
def test_any_pieces_gather_in_their_order(
    tmp_path: Path, threads: Threads, cuts: list[tuple[int, bool]], limit: int
) -> None:
    wholes = [os.urandom(size) for size, _ in cuts]
    pieces = (
        memoryview(whole + bytes(3 * len(whole)))[: len(whole)] if is_slice else whole
        for whole, (_, is_slice) in zip(wholes, cuts, strict=True)
    )
    arriving = Arriving(limit)
    with ExitStack() as stack:
        pile = Spool(tmp_path).pile()
        stack.callback(pile.discard)
        written(pile, pieces, threads, arriving)
        pile.finish()
        source = pile.source(range(sum(map(len, wholes))))
        assert source.read_at(0, source.size) == b"".join(wholes)
        assert arriving.held == 0


def test_who_asks_first_gets_first() -> None:
    """Small ones could keep a large one waiting for as long as there are any."""

    async def ask() -> list[str]:
        budget, got = Budget(100), list[str]()

        async def take(name: str, size: int) -> None:
            await budget.take(size)
            got.append(name)

        await budget.take(60)
        asking = [asyncio.create_task(take(name, size)) for name, size in (("large", 90), ("small", 10), ("next", 5))]
        await asyncio.sleep(0)
        asking[2].cancel()
        await asyncio.sleep(0)
        assert got == []
        budget.give_back(60)
        await asyncio.gather(*asking, return_exceptions=True)
        assert budget._taken == 100
        return got

    assert asyncio.run(ask()) == ["large", "small"]


def test_who_leaves_the_queue_holds_up_nobody() -> None:
    async def ask() -> None:
        budget = Budget(100)
        await budget.take(60)
        huge = asyncio.create_task(budget.take(1000))
        small = asyncio.create_task(budget.take(40))
        await asyncio.sleep(0)
        huge.cancel()
        await asyncio.wait_for(small, 60)
        last = asyncio.create_task(budget.take(1000))
        await asyncio.sleep(0)
        budget.give_back(60)
        budget.give_back(40)
        last.cancel()  # when it had been given its share already
        await asyncio.gather(last, return_exceptions=True)
        await asyncio.wait_for(budget.take(100), 60)

    asyncio.run(ask())


@pytest.mark.parametrize("root", ["application/dicom", "application/dicom+json"])
def test_silent_senders_cannot_take_the_memory_T4_T13(
    serve_made: Callable[..., Served], spool_folder: Path, root: str
) -> None:
    """Each has sent less than may stay in memory; of all together most goes to disk, and is whole in the end."""
    made = Made()
    served = serve_made(made, store_memory=MIB)
    with ExitStack() as stack:
        lines = [stack.enter_context(served.line()) for _ in range(8)]
        contents = [bytes([number]) * (600 * KIB) for number in range(8)]
        for line, content in zip(lines, contents, strict=True):
            head = b"--XX\r\nContent-Type: application/octet-stream\r\nContent-Location: a\r\n\r\n"
            head = b"--XX\r\n\r\n" if root == "application/dicom" else head
            fields = {"Content-Type": f'multipart/related; type="{root}"; boundary=XX', "Content-Length": "650000"}
            line.say(format_request("POST", "/dicomweb/studies", fields) + head + content)
        assert until(lambda: len(os.listdir(spool_folder)) >= 5)
        if root == "application/dicom":
            for line, content in zip(lines, contents, strict=True):
                line.say(b"\r\n--XX--".ljust(650_000 - len(content) - len(head)))
            assert [line.hear().status for line in lines] == [200] * 8
            assert sorted(made.accepted) == contents
    assert until(lambda: not os.listdir(spool_folder))


def test_what_a_thread_writes_to_stays_open_when_the_request_is_cancelled(threads: Threads) -> None:
    """A file that is closed under it could be another one's by the next write."""

    class Slow:
        waiting = 0

        def __init__(self) -> None:
            self.began, self.may_end = threading.Event(), threading.Event()
            self.is_done = False

        def write(self, chunk: bytes | memoryview) -> None:
            self.began.set()
            self.may_end.wait(PATIENCE)
            self.is_done = True

        def spill(self) -> None:
            """Nothing is in memory."""

    async def store(sink: Slow) -> None:
        writing = Writing(sink, threads, Arriving(MIB << 10))
        try:
            while True:
                await writing.write(bytes(MIB))
        finally:
            await writing.abandon()

    async def run() -> None:
        sink = Slow()
        storing = asyncio.create_task(store(sink))
        while not sink.began.is_set():
            await asyncio.sleep(0.01)
        storing.cancel()
        done, _ = await asyncio.wait([storing], timeout=0.1)
        assert not done
        sink.may_end.set()
        await asyncio.wait([storing], timeout=PATIENCE)
        assert storing.cancelled()
        assert sink.is_done

    asyncio.run(run())
