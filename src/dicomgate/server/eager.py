"""A request is begun in the turn of the loop in which it came: only one that has to wait becomes a task.

Most of what is known by heart never waits, and a task costs as much as the answer.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any


def begin(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]]) -> None:
    """Run to the end, or to the first time that it waits; the rest is done by a task, which is in `tasks` meanwhile."""
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return
    task = loop.create_task(_go_on(coroutine, awaited))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _go_on(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _rest(coroutine, awaited)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Hands what the coroutine waits for to the task, and what the task answers to the coroutine."""
    step: Callable[[Any], Any]
    while True:
        try:
            answer = yield awaited
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as fault:  # noqa: BLE001 - the coroutine's to judge, as if it had awaited itself
            step, answer = coroutine.throw, fault
        else:
            step = coroutine.send
        try:
            awaited = step(answer)
        except StopIteration:
            return
