"""Deeds in threads: bounded, in parallel, with what they raise; nothing is lost at the end."""

import asyncio
import contextlib
import threading
import time

import pytest

from dicomgate import errors
from dicomgate.server.threads import Threads, aside


@contextlib.contextmanager
def threads(most):
    made = Threads(most, "test")
    try:
        yield made
    finally:
        made.close()


def test_result_and_fault_come_back():
    def fail():
        raise errors.NotFound("not here")

    async def ask(made):
        assert await made.do(divmod, 7, 2) == (3, 1)
        with pytest.raises(errors.NotFound, match="not here"):
            await made.do(fail)
        assert await made.do(int, "5") == 5

    with threads(2) as made:
        asyncio.run(ask(made))


def test_no_more_at_once_than_threads_and_all_are_used():
    together, most, lock, meeting = 0, 0, threading.Lock(), threading.Barrier(3, timeout=100)

    def stay():
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        meeting.wait()  # passes only when three are here at once
        time.sleep(0.02)
        with lock:
            together -= 1

    async def ask(made):
        await asyncio.gather(*(made.do(stay) for _ in range(12)))

    with threads(3) as made:
        asyncio.run(ask(made))
    assert most == 3


def test_one_deed_at_a_time_begins_one_thread():
    async def ask(made):
        return {await made.do(threading.get_ident) for _ in range(20)}

    with threads(8) as made:
        assert len(asyncio.run(ask(made))) == 1


def test_cancelled_deed_is_done_and_the_next_too():
    began, done = threading.Event(), threading.Event()

    def slow():
        began.set()
        time.sleep(0.05)
        done.set()

    async def ask(made):
        asked = made.do(slow)
        while not began.is_set():
            await asyncio.sleep(0.001)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await made.do(abs, -1) == 1
        assert done.is_set()

    with threads(1) as made:
        asyncio.run(ask(made))


def test_close_waits_for_what_was_begun_even_when_the_loop_is_gone():
    done = threading.Event()

    def slow():
        time.sleep(0.05)
        done.set()

    async def ask(made):
        made.do(slow)

    made = Threads(1, "test")
    asyncio.run(ask(made))
    made.close()
    assert done.is_set()
    made.close()


def test_nothing_is_kept_of_a_deed_that_is_over():
    import weakref

    class Thing:
        pass

    async def ask(made):
        thing = Thing()
        seen = weakref.ref(thing)
        await made.do(id, thing)
        del thing
        for _ in range(10_000):
            if seen() is None:
                return True
            await asyncio.sleep(0.01)
        return False

    with threads(1) as made:
        assert asyncio.run(ask(made))


def test_who_waits_aside_holds_up_nobody_T5():
    gate, came = threading.Event(), threading.Barrier(3, timeout=100)

    def wait():
        with aside():
            came.wait()
            assert gate.wait(100)

    async def ask(made):
        waiting = [made.do(wait) for _ in range(2)]
        queued = made.do(divmod, 7, 2)
        await asyncio.to_thread(came.wait)
        assert await queued == (3, 1), "though both threads wait"
        assert await made.do(divmod, 9, 2) == (4, 1)
        assert not any(one.done() for one in waiting)
        gate.set()
        await asyncio.gather(*waiting)
        deadline = time.monotonic() + 100
        while len(made._threads) > 2:  # those that were begun meanwhile end when they have done something
            assert time.monotonic() < deadline
            await asyncio.gather(*(made.do(int, "5") for _ in range(8)))

    with threads(2) as made:
        asyncio.run(ask(made))


def test_waiting_aside_is_nothing_outside_of_a_pool():
    with aside():
        pass
