"""One destination's way out: what waits goes in the order of arrival, and what fails waits longer each time.

Each destination has its own: one that is down holds up nobody else. An instance leaves the queue when its destination
has said that it has it; so what a kill interrupts is sent again, and a store of the same bytes changes nothing there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from dicomgate import errors
from dicomgate.client import store
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.offers import Receipt
from dicomgate.index.errands import Errand, Held, Trial
from dicomgate.index.waiting import Waiting
from dicomgate.relay import already, judgement
from dicomgate.relay.destination import Destination
from dicomgate.relay.held_bytes import Offered, Preparing
from dicomgate.relay.judgement import Judgement
from dicomgate.relay.throttle import Throttle

_LOOK_SECONDS: Final = 0.25
"""Between two looks at the queue, which other processes may have changed."""
_OUR_FAULT: Final = "a fault of dicomgate's own; the log says where"


class Log(Protocol):
    """Where events go; values are numbers and words of our own (T18)."""

    def event(self, event: str, **facts: str | float | list[str]) -> None:
        """Something worth a line."""
        ...

    def bug(self, error: BaseException, *, kind: str) -> None:
        """A fault of ours."""
        ...


@dataclass(slots=True, kw_only=True)
class Forwarder:
    """Sends what waits for one destination, until it is cancelled. `arrived` writes down what has."""

    destination: Destination
    waiting: Waiting
    preparing: Preparing
    arrived: Callable[[str, Sequence[Held]], None]
    log: Log
    _failures: int = 0
    _paused_until: float = 0.0
    _last_arrival: float = 0.0
    _under_way: dict[int, str] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self) -> None:
        """Something new may wait; on the loop."""
        self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled; then what is under way is given up, and waits for the next start."""
        while True:
            try:
                await self._forward()
            except errors.Fault as fault:  # the queue cannot be read, or a file with our secrets
                await self._write([], is_down=True, why=fault.message)
            except Exception as bug:  # noqa: BLE001 - the destination's boundary: others go on, and this one later
                self.log.bug(bug, kind="forwarding")
                self._pause(_OUR_FAULT)
            await asyncio.sleep(max(self._paused_until - time.time(), _LOOK_SECONDS))

    async def _forward(self) -> None:
        name, tasks = self.destination.name, set[asyncio.Task[None]]()
        self._last_arrival = (await asyncio.to_thread(self.waiting.progress, name)).last_delivered
        rate = self.destination.bytes_per_second
        pace = store.Pace(
            requests=1,
            most_bytes=1 << 62,
            most_files=self.destination.most_files,
            slowed=Throttle(rate).slowed if rate else None,
        )
        async with self.destination.connect() as calls:
            try:
                while True:
                    self._changed.clear()
                    while bundle := await self._next(len(tasks)):
                        tasks.add(asyncio.create_task(self._send(calls, pace, bundle)))
                    tasks = await self._rest(tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self, tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
        """Until a request has ended, something new has come, or it is time to look; the requests still under way."""
        waker = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({waker, *tasks}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()
        return {task for task in tasks if not task.done()}

    async def _next(self, under_way: int) -> list[Errand]:
        """What the next request shall hold. Where the last one failed, one is tried before there are several."""
        if under_way >= (1 if self._failures else self.destination.requests):
            return []
        try:
            bundle = await asyncio.to_thread(self._find, dict(self._under_way))
        except errors.Fault as fault:
            self._pause(fault.message)
            return []
        self._under_way |= {errand.held.number: str(errand.held.target.instance) for errand in bundle}
        return bundle

    def _find(self, under_way: dict[int, str]) -> list[Errand]:
        """The first that may go together: one whose fault a failure may have been goes alone. In a thread."""
        name, now = self.destination.name, time.time()
        if self._paused_until > now and self.waiting.is_paused(name, now):
            return []
        most = self.destination.most_files
        bundle: list[Errand] = []
        instances, size = set(under_way.values()), 0
        for errand in self.waiting.due(name, now, most + len(under_way)):
            instance = str(errand.held.target.instance)
            if errand.held.number in under_way or instance in instances:
                continue  # two contents of one instance go in the order in which they came
            is_full = len(bundle) >= most or size + errand.held.size > self.destination.most_bytes
            if bundle and (is_full or errand.doubts):
                break
            bundle.append(errand)
            instances.add(instance)
            size += errand.held.size
            if errand.doubts:
                break
        return bundle

    async def _send(self, calls: AsyncCaller, pace: store.Pace, bundle: list[Errand]) -> None:
        offered: list[Offered] = []
        began = time.time()
        try:
            for errand in bundle:
                syntax = self.destination.transfer_syntax
                offered.append(await asyncio.to_thread(self.preparing.offer, errand.held, syntax))
            receipts = [each async for each in store.send(calls, [one.offer for one in offered], pace)]
            await self._judge(calls, bundle, offered, receipts, began)
        except errors.Fault as fault:
            await self._failed(bundle, fault, began)
        except Exception as bug:  # noqa: BLE001 - the destination's boundary: what is held stays, others go on
            self.log.bug(bug, kind="forwarding")
            await self._write([], is_down=True, why=_OUR_FAULT)
        finally:
            for one in offered:
                one.let_go()
            for errand in bundle:
                self._under_way.pop(errand.held.number, None)

    async def _judge(
        self,
        calls: AsyncCaller,
        bundle: list[Errand],
        offered: list[Offered],
        receipts: list[Receipt],
        began: float,
    ) -> None:
        """What became of each, written down in one go for those that have arrived."""
        became = {receipt.target: receipt for receipt in receipts}
        arrived: list[Held] = []
        others: list[tuple[Errand, Judgement, Receipt]] = []
        for errand, one in zip(bundle, offered, strict=True):
            receipt = became[errand.held.target]
            what = judgement.judge(receipt)
            if what in (Judgement.DOUBT, Judgement.SHELF) and await self._is_there(calls, one):
                what = Judgement.ARRIVED
            if what is Judgement.ARRIVED:
                arrived.append(errand.held)
            else:
                others.append((errand, what, receipt))
        if arrived:
            await asyncio.to_thread(self.arrived, self.destination.name, arrived)
            self._succeeded()
        trials = [self._trial(errand, what, began, said.detail, said.code) for errand, what, said in others]
        await self._write(trials, is_down=not arrived and any(what is Judgement.LATER for _, what, _ in others))

    async def _is_there(self, calls: AsyncCaller, offered: Offered) -> bool:
        try:
            with self.preparing.blobs.open(offered.held.key) as blob:
                sent = [blob] if offered.made is None else [blob, offered.made]
                return await already.is_there(calls, offered.held.target, sent)
        except errors.Fault:
            return False

    def _trial(self, errand: Errand, what: Judgement, began: float, why: str, code: int | None = None) -> Trial:
        """What is noted of one that has not arrived, and when it may be tried again.

        One that is in doubt goes to the shelf when others have passed since: it may be the destination that fails all.
        """
        is_doubt = what is Judgement.DOUBT
        is_too_often = is_doubt and errand.doubts + 1 >= self.destination.doubts
        others_passed = self._last_arrival > (errand.doubted or began)
        pause = self.destination.pauses.after(errand.doubts + 1 if is_doubt else errand.tries + 1)
        return Trial(
            number=errand.held.number,
            due=time.time() + pause,
            began=began,
            why=why,
            code=code,
            is_doubt=is_doubt,
            shelve=what is Judgement.SHELF or (is_too_often and others_passed),
        )

    async def _failed(self, bundle: list[Errand], fault: errors.Fault, began: float) -> None:
        """The request as a whole: all of it is tried again, what may be at fault by itself."""
        what = judgement.judge_fault(fault)
        trials = [self._trial(errand, what, began, fault.message) for errand in bundle]
        is_its_own = what is Judgement.DOUBT and len(bundle) == 1 and bundle[0].doubts > 0 and not self._failures
        if not is_its_own:  # the destination is left alone for a while; then any of these may be the first
            trials = [trial if trial.is_doubt and len(bundle) == 1 else replace(trial, due=0.0) for trial in trials]
        await self._write(trials, is_down=not is_its_own, why=fault.message)

    async def _write(self, trials: list[Trial], *, is_down: bool, why: str = "") -> None:
        for trial in trials:
            if trial.shelve:
                self.log.event("shelved", destination=self.destination.name, number=trial.number)
        why = why or next((trial.why for trial in trials), "")
        next_try = self._pause(why) if is_down else None
        if trials or is_down:
            with suppress(errors.Unavailable):  # the disk is full: what is not written is tried once more
                name = self.destination.name
                await asyncio.to_thread(self.waiting.note, name, trials, next_try=next_try, why=why)

    def _pause(self, why: str) -> float:
        """Leave the destination alone, longer each time."""
        if not self._failures:
            self.log.event("destination fails", destination=self.destination.name, why=why)
        self._failures += 1
        self._paused_until = time.time() + self.destination.pauses.after(self._failures)
        return self._paused_until

    def _succeeded(self) -> None:
        if self._failures:
            self.log.event("destination is well again", destination=self.destination.name)
        self._failures, self._paused_until, self._last_arrival = 0, 0.0, time.time()
