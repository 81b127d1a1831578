"""Callers that store and delete as fast as they are answered, each noting what it was told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from crash_client import OTHER_CONTENT, OUT_OF_RESOURCES, Broken, Client, Report
from crash_instances import LARGE, MIDDLE, SMALL, Maker, Specimen
from crash_ledger import Ledger

from dicomgate.dicom.uids import Target


@dataclass
class Shared:
    """What all callers store, or store and delete, at once in one round."""

    specimens: list[Specimen]
    contended: list[Specimen]

    @classmethod
    def new(cls, maker: Maker, ledger: Ledger) -> Shared:
        study, series, fought, over = (maker.uid() for _ in range(4))
        ledger.contended.add(fought)
        return cls([maker.new(study, series) for _ in range(4)], [maker.new(fought, over) for _ in range(3)])


@dataclass
class Caller:
    """One caller with its own studies. `run` ends when the server does, or when told to."""

    ledger: Ledger
    chance: Random
    studies: deque[str] = field(default_factory=lambda: deque(maxlen=12))
    sent: deque[Specimen] = field(default_factory=lambda: deque(maxlen=40))
    fault: BaseException | None = None

    def __post_init__(self) -> None:
        self.maker = Maker(self.chance)

    def run(self, port: int, shared: Shared, stop: threading.Event, *, begin_large: bool) -> None:
        client = Client(port)
        try:
            if begin_large:
                self.large(client)
            self.all_at_once(client, shared)
            while not stop.is_set():
                self.step(client, shared)
        except Broken:
            pass
        except BaseException as fault:
            self.fault = fault
        finally:
            client.close()

    def step(self, client: Client, shared: Shared) -> None:
        deed = self.chance.choices(
            (self.one, self.several, self.again, self.other, self.delete, self.large), (40, 18, 10, 6, 22, 1)
        )[0]
        deed(client)
        if self.chance.random() < 0.05:
            self.contend(client, shared)

    # Deeds.

    def one(self, client: Client) -> None:
        study, series = self.place()
        specimen = self.maker.new(study, series, self.chance.choice((SMALL, MIDDLE)))
        self.store(client, [specimen], study=study if self.chance.random() < 0.3 else "")
        if self.chance.random() < 0.2:
            assert client.digests(path(specimen.target)) == {specimen.uid: specimen.digest}, "stored, and not to be had"

    def several(self, client: Client) -> None:
        study, series = self.place()
        places = [(study, series), (study, self.maker.uid()), self.place()]
        count = self.chance.randint(2, 8)
        self.store(client, [self.maker.new(*self.chance.choice(places)) for _ in range(count)])

    def again(self, client: Client) -> None:
        present = {specimen.uid: specimen for specimen in self.sent if self.is_present(specimen)}
        if present:
            self.store(client, self.chance.sample(list(present.values()), min(3, len(present))))

    def other(self, client: Client) -> None:
        present = [specimen for specimen in self.sent if self.is_present(specimen)]
        if present:
            other = self.maker.like(self.chance.choice(present).target)
            report = self.store(client, [other], expected=200 if self.ledger.replaces else 409)
            assert report.refused == ({} if self.ledger.replaces else {other.uid: OTHER_CONTENT})

    def large(self, client: Client) -> None:
        study, series = self.place()
        self.store(client, [self.maker.new(study, series, LARGE)])

    def delete(self, client: Client) -> None:
        present = [item for study in self.studies for item in self.ledger.present(study)]
        if len(present) < 10:
            return
        item = self.chance.choice(present)
        level = self.chance.choices((1, 2, 3), (1, 2, 6))[0]
        study, series = item.target.study, item.target.series or ""
        target = Target(study, series if level > 1 else None, item.target.instance if level > 2 else None)
        going = [
            uid for uid, each in self.ledger.of(study).items()
            if each in self.ledger.present(study)
            and (level == 1 or each.target.series == series)
            and (level < 3 or each is item)
        ]  # fmt: skip
        with self.noted():
            items = self.ledger.delete(going)
            status = client.delete(path(target))
            assert status == 204, status
            self.ledger.deleted(items, is_gone=True)
        if self.chance.random() < 0.4:
            assert client.status(path(item.target)) == 410, "deleted, and still to be had"

    def all_at_once(self, client: Client, shared: Shared) -> None:
        specimens = self.chance.sample(shared.specimens, len(shared.specimens))
        if self.chance.random() < 0.5:
            self.store(client, specimens, are_own=False)
        else:
            for specimen in specimens:
                self.store(client, [specimen], are_own=False)

    def contend(self, client: Client, shared: Shared) -> None:
        if self.chance.random() < 0.6:
            self.store(client, [self.chance.choice(shared.contended)], are_own=False)
            return
        with self.noted():
            items = self.ledger.delete([])
            status = client.delete(path(Target(shared.contended[0].target.study)))
            assert status in {204, 404, 410}, status
            self.ledger.deleted(items, is_gone=False)

    # Their parts.

    def place(self) -> tuple[str, str]:
        if not self.studies or self.chance.random() < 0.15:
            self.studies.append(self.maker.uid())
        study = self.chance.choice(self.studies)
        series = [item.target.series or "" for item in self.ledger.present(study)]
        return study, self.chance.choice(series) if series and self.chance.random() < 0.6 else self.maker.uid()

    def is_present(self, specimen: Specimen) -> bool:
        return any(item.target == specimen.target for item in self.ledger.present(specimen.target.study))

    def store(
        self,
        client: Client,
        specimens: Sequence[Specimen],
        *,
        study: str = "",
        expected: int = 200,
        are_own: bool = True,
    ) -> Report:
        """What is not our own is never sent again: when two replace one instance, nobody knows who was the last."""
        with self.noted():
            self.ledger.offer(specimens)
            report = client.store(specimens, study)
            assert report.status == expected, report
            self.ledger.reported(specimens, report)
        if are_own:
            self.sent.extend(specimen for specimen in specimens if specimen.uid in report.stored)
        return report

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        try:
            yield
        except Broken:
            self.ledger.broken()
            raise


def path(target: Target) -> str:
    """The address of a target below the root."""
    parts = zip(("studies", "series", "instances"), (target.study, target.series, target.instance), strict=True)
    return "/".join(f"{name}/{uid}" for name, uid in parts if uid)


class Load:
    """Several callers, round after round."""

    def __init__(self, ledger: Ledger, chance: Random, callers: int = 4) -> None:
        self.ledger = ledger
        self._maker = Maker(chance)
        self._chance = chance
        self._callers = [Caller(ledger, Random(chance.getrandbits(64))) for _ in range(callers)]
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self, port: int) -> None:
        shared = Shared.new(self._maker, self.ledger)
        self._stop.clear()
        large = self._chance.choice([*self._callers, None, None, None, None])
        self._threads = [
            threading.Thread(
                target=caller.run, args=(port, shared, self._stop), kwargs={"begin_large": caller is large}, daemon=True
            )
            for caller in self._callers
        ]
        for thread in self._threads:
            thread.start()

    def go_on(self, seconds: float) -> None:
        time.sleep(seconds)
        self.look()

    def end(self, *, by_itself: bool = False) -> None:
        """Wait for all callers, who are told to stop unless the server's end tells them."""
        if not by_itself:
            self._stop.set()
        for thread in self._threads:
            thread.join(200)
            assert not thread.is_alive(), "a caller hangs"
        self.look()

    def look(self) -> None:
        """Raise what went wrong in a caller."""
        for caller in self._callers:
            if caller.fault is not None:
                raise caller.fault


# Where the disk is to blame.


class Storer:
    """A caller that is told by the disk's troubles that nothing could be stored, and notes it."""

    def __init__(self, port: int, ledger: Ledger, chance: Random) -> None:
        self.client, self.ledger, self.maker = Client(port), ledger, Maker(Random(chance.getrandbits(64)))

    def close(self) -> None:
        self.client.close()

    def store(self, *shapes: tuple[int, int]) -> Report:
        study, series = self.maker.uid(), self.maker.uid()
        specimens = [self.maker.new(study, series, shape) for shape in shapes]
        self.ledger.offer(specimens)
        report = self.client.store(specimens)
        self.ledger.reported(specimens, report)
        refused = {specimen.uid for specimen in specimens} - report.stored
        assert report.status in ({200} if not refused else {202} if report.stored else {503, 507}), report
        assert set(report.refused.values()) <= {OUT_OF_RESOURCES}, report
        return report

    def delete(self, study: str) -> int:
        items = self.ledger.delete([item.target.instance or "" for item in self.ledger.present(study)])
        status = self.client.delete(path(Target(study)))
        self.ledger.deleted(items, is_gone=status == 204)
        return status


@contextlib.contextmanager
def storing(port: int, ledger: Ledger, chance: Random, shape: tuple[int, int] = SMALL) -> Iterator[None]:
    """Several callers store for as long as the block lasts, whatever they are answered."""
    stop, faults = threading.Event(), []

    def go_on(storer: Storer) -> None:
        try:
            while not stop.is_set():
                storer.store(*[shape] * storer.maker.chance.randint(1, 4))
        except BaseException as fault:
            faults.append(fault)
        storer.client.close()

    threads = [threading.Thread(target=go_on, args=(Storer(port, ledger, chance),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]
