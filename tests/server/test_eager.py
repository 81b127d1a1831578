"""Requests that are begun at once: to the end, or to the first wait, from which a task goes on as if it had begun."""

from __future__ import annotations

import asyncio

import pytest

from dicomgate.server import eager


def run(deed) -> None:
    async def main() -> None:
        tasks: set[asyncio.Task] = set()
        await deed(asyncio.get_running_loop(), tasks)
        while tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_what_never_waits_is_done_at_once() -> None:
    said = []

    async def request() -> None:
        said.append("done")

    async def deed(loop, tasks) -> None:
        eager.begin(request(), loop, tasks)
        assert said == ["done"]
        assert not tasks

    run(deed)


def test_what_waits_goes_on_with_what_it_waited_for() -> None:
    said = []

    async def request(answer: asyncio.Future) -> None:
        said.append("begun")
        said.append(await answer)
        await asyncio.sleep(0)
        async with asyncio.timeout(100):
            said.append(await asyncio.to_thread(str, 7))

    async def deed(loop, tasks) -> None:
        answer = loop.create_future()
        eager.begin(request(answer), loop, tasks)
        assert said == ["begun"]
        assert len(tasks) == 1
        answer.set_result("heard")

    run(deed)
    assert said == ["begun", "heard", "7"]


def test_a_fault_of_what_it_waits_for_arrives_in_it() -> None:
    said = []

    async def request(answer: asyncio.Future) -> None:
        try:
            await answer
        except ValueError:
            said.append("fault")
        await asyncio.sleep(0)
        said.append("end")

    async def deed(loop, tasks) -> None:
        answer = loop.create_future()
        eager.begin(request(answer), loop, tasks)
        answer.set_exception(ValueError("no"))

    run(deed)
    assert said == ["fault", "end"]


def test_cancelled_it_cleans_up() -> None:
    said = []

    async def request() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            said.append("cleaned")

    async def deed(loop, tasks) -> None:
        eager.begin(request(), loop, tasks)
        (task,) = tasks
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(deed)
    assert said == ["cleaned"]


def test_cancelled_between_two_turns_it_ends() -> None:
    said = []

    async def request() -> None:
        try:
            for _ in range(1000):
                await asyncio.sleep(0)  # waits for nothing that could be cancelled in its place
            said.append("end")
        finally:
            said.append("cleaned")

    async def deed(loop, tasks) -> None:
        eager.begin(request(), loop, tasks)
        (task,) = tasks
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(deed)
    assert said == ["cleaned"]


def test_its_own_fault_comes_out() -> None:
    async def at_once() -> None:
        raise ValueError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    async def deed(loop, tasks) -> None:
        with pytest.raises(ValueError, match="at once"):
            eager.begin(at_once(), loop, tasks)
        eager.begin(later(), loop, tasks)
        (task,) = tasks
        with pytest.raises(ValueError, match="later"):
            await task

    run(deed)
