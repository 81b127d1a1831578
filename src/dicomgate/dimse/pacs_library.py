"""Series of a PACS that are here or on their way: one retrieval for all who want it, and none for what is kept.

A request finds the series kept and looked at lately, or kept and to be compared with the PACS, or joins a retrieval, or
begins one. A retrieval asks for what is missing only, goes on while somebody wants it, and leaves what came for the
next who asks (docs/decisions/0014-a-gateway-keeps-series.md).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Final, Protocol

from dicomgate import errors
from dicomgate.dicom.uids import Target
from dicomgate.dimse.pacs_coming import Aside, Coming
from dicomgate.dimse.pacs_fetch import Fetcher, Wish
from dicomgate.dimse.pacs_intake import Intake
from dicomgate.dimse.pacs_questions import Listed, Questions
from dicomgate.dimse.pacs_shelf import Record, Shelf
from dicomgate.origin import Instance, Origin

_TRIES: Final = 2
_ALONE: Final = 2
"""Instances of one series that are fetched alone; who asks for a third gets the series on its way."""
_MOST_REMEMBERED: Final = 1000


class Tell(Protocol):
    """Hears what is worth a line in the log: words of ours and numbers, nothing of patients."""

    def __call__(self, event: str, **facts: str | float) -> None:
        """One event."""
        ...


class Library:
    """What is here of a PACS and on its way. Safe for threads; `close` ends what is on its way."""

    def __init__(
        self,
        *,
        cache: Origin,
        shelf: Shelf,
        questions: Questions,
        fetcher: Fetcher,
        intake: Callable[[Coming], Intake],
        check_seconds: float,
        tell: Tell,
        clock: Callable[[], float] = time.time,
        aside: Aside = nullcontext,
    ) -> None:
        """`intake` puts into `cache` what a retrieval brings. `check_seconds`: for so long the PACS's word is good.

        Whoever waits for what is on its way does so `aside`.
        """
        self._cache = cache
        self._shelf = shelf
        self._questions = questions
        self._fetcher = fetcher
        self._intake = intake
        self._check_seconds = check_seconds
        self._tell = tell
        self._clock = clock
        self._aside = aside
        self._lock = threading.Lock()
        self._under_way: dict[Target, Coming] = {}
        self._alone: OrderedDict[Target, int] = OrderedDict()
        self._number = 0
        self._is_closed = False

    @contextmanager
    def series(self, target: Target) -> Iterator[Coming | None]:
        """While inside, the series stays; it is on its way, or (None) all here."""
        with self._shelf.pinned(target.series or ""), self._joined(target, self._bring_series) as coming:
            yield coming

    @contextmanager
    def instance(self, target: Target) -> Iterator[Coming | None]:
        """The same for one instance: alone, or, when more of its series were asked for, with the series."""
        series = Target(target.study, target.series)
        with self._shelf.pinned(target.series or ""), ExitStack() as held:
            if self._holds(target) and self._is_good(series):
                yield None
            elif self._comes_alone(series):
                yield held.enter_context(self._joined(target, self._bring_instance))
            else:
                yield held.enter_context(self._joined(series, self._bring_series))

    def is_here(self, series: Target) -> bool:
        """Whether a series can be had without asking the PACS."""
        return self._is_good(series)

    def is_kept(self, series: Target) -> bool:
        """Whether a series came whole and is still here, whatever the PACS has by now."""
        record = self._shelf.find(series.series or "")
        return record is not None and not record.lacking and bool(record.checked)

    @contextmanager
    def kept(self, series: Target) -> Iterator[Iterator[Instance]]:
        """The instances of a series that is here."""
        with self._cache.retrieve.retrieve(series) as found:
            yield found

    def lacking(self, series: Target) -> int:
        """How many instances of a series that is here did not come."""
        record = self._shelf.find(series.series or "")
        return record.lacking if record is not None else 0

    def keep_only(self, target: Target, series: Sequence[str]) -> None:
        """Of a study, these are all the series that the PACS has: others that are kept of it go."""
        if target.series is None:
            for record in self._shelf.of_study(target.study):
                if record.series not in series:
                    self._shelf.forget(record)

    def sent(self, coming: Coming, place: int) -> None:
        """The first instance leaves before the last has come: that is worth a line."""
        if place == 0 and not coming.is_done:
            self._tell(
                "pacs first instance",
                ms=round((time.monotonic() - coming.began) * 1000),
                came=coming.count,
                of=coming.expected,
            )

    def heard(self, series: Target, count: int) -> None:
        """A search brought along how many instances the PACS says a series has."""
        record = self._shelf.find(series.series or "")
        if record is None or record.lacking or not record.checked:
            return
        if record.said == count:
            self._shelf.checked(record.series)
        else:
            self._shelf.doubt(record.study)

    def is_checked(self, study: str) -> bool:
        """True while nothing of the study has to be compared with the PACS; those who ask use it."""
        records = self._shelf.of_study(study)
        for record in records:
            self._shelf.touch(record.series)
        return bool(records) and all(self._is_fresh(record) for record in records)

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._lock:
            self._is_closed = True
            under_way = list(self._under_way.values())
        for coming in under_way:
            coming.finish(errors.Unavailable("the gateway is stopping"))

    @contextmanager
    def _joined(self, target: Target, bring: Callable[[Coming], None]) -> Iterator[Coming | None]:
        coming = self._begin(target, bring)
        if coming is None:
            yield None
            return
        try:
            yield coming
        finally:
            coming.leave()

    def _begin(self, target: Target, bring: Callable[[Coming], None]) -> Coming | None:
        with self._lock:
            if self._is_closed:
                raise errors.Unavailable("the gateway is stopping")
            known = self._under_way.get(target)
            if known is not None and known.join():
                return known
            if target.instance is None and self._is_good(target):
                return None
            coming = self._under_way[target] = Coming(target, self._aside)
            coming.join()
            self._number += 1
            name = f"retrieval {self._number}"
        threading.Thread(target=self._run, args=(coming, bring), name=name, daemon=True).start()
        return coming

    def _run(self, coming: Coming, bring: Callable[[Coming], None]) -> None:
        fault: errors.Fault = errors.UpstreamFailed("the retrieval ended for a reason of ours; the log has it")
        try:
            bring(coming)
        except errors.Fault as met:
            fault = met
            self._tell("pacs failed", at=coming.target.level.name.lower(), came=coming.count, why=met.message)
        finally:
            with self._lock:
                if self._under_way.get(coming.target) is coming:
                    del self._under_way[coming.target]
            coming.finish(fault)  # says nothing where it was finished before

    # One retrieval.

    def _bring_series(self, coming: Coming) -> None:
        record = self._shelf.find(coming.target.series or "")
        if record is not None and record.checked and self._is_unchanged(record):
            self._add_held(coming)
            coming.finish(lacking=record.lacking)
            return
        said = self._questions.count(coming.target)
        if said is None:
            self._forget(record)
            raise errors.NotFound("the PACS has no such series")
        listed = self._questions.instances(coming.target)
        self._bring(coming, listed, said.count, is_whole=True)

    def _bring_instance(self, coming: Coming) -> None:
        series = Target(coming.target.study, coming.target.series)
        listed = self._questions.instances(series, coming.target.instance)
        self._bring(coming, listed, None, is_whole=False)

    def _bring(self, coming: Coming, listed: Sequence[Listed], said: int | None, *, is_whole: bool) -> None:
        series = Target(coming.target.study, coming.target.series)
        wanted = {one.target.instance or "": one for one in listed}
        coming.expected = len(wanted)
        here = self._held(series)
        if is_whole:
            self._drop(series, here.keys() - wanted.keys())
        for uid in here.keys() & wanted.keys():
            coming.add(uid)
        if not (here or self._shelf.find(series.series or "")):
            self._note(series, said, lacking=0, checked=0.0)
        began = time.monotonic()
        way, fault = self._fetch(coming, series, wanted, is_whole=is_whole)
        missing = sum(not coming.has(uid) for uid in wanted)
        is_over = is_whole and not (fault and missing) and (not missing or not coming.is_done)
        self._note(series, said, lacking=missing if is_over else 0, checked=self._clock() if is_over else 0.0)
        self._tell(
            "pacs retrieved",
            at=coming.target.level.name.lower(),
            way=way,
            came=coming.count,
            lacking=missing,
            ms=round((time.monotonic() - began) * 1000),
        )
        if fault is not None and missing:
            raise fault
        if missing and coming.is_done:
            return
        if missing == len(wanted):
            raise errors.UpstreamFailed("the PACS lists what was asked for and sends nothing of it")
        coming.finish(lacking=missing)

    def _fetch(
        self, coming: Coming, series: Target, wanted: dict[str, Listed], *, is_whole: bool
    ) -> tuple[str, errors.Fault | None]:
        """Ask for what is missing, a second time for what did not come; the way that was gone, and what went wrong.

        On a full disk others go between the two.
        """
        way, fault = "cache", None
        tries = 0
        while tries < _TRIES:
            missing = [one for uid, one in wanted.items() if not coming.has(uid)]
            if not missing or coming.abandon():
                break
            interest = _Interest(coming)
            with self._intake(coming) as intake:
                wish = Wish(
                    series=series,
                    instances=missing,
                    is_whole=is_whole and len(missing) == len(wanted),
                    take=intake.take,
                    is_wanted=interest.lasts,
                )
                try:
                    way, fault = self._fetcher.fetch(wish), None
                except errors.Fault as met:
                    way, fault = "broken off", fault or met
            tries += not interest.is_lost  # what we stopped ourselves was no try
            if intake.refusal is not None:
                self._tell("pacs instance refused", count=intake.refused, why=intake.refusal.message)
            if intake.is_full:
                self._shelf.halve()
                fault = fault or errors.Unavailable("the disk is full on which the gateway keeps what it fetches")
        return way, fault

    # What is here.

    def cached(self, target: Target, held: ExitStack) -> Instance:
        """An instance that is here. Unavailable when it went in this very moment."""
        try:
            return next(held.enter_context(self._cache.retrieve.retrieve(target)))
        except (errors.NotFound, StopIteration):
            raise errors.Unavailable("the instance was here and has gone meanwhile; ask again") from None

    def _holds(self, target: Target) -> bool:
        return bool(self._held(target))

    def _held(self, target: Target) -> dict[str, int]:
        """Size of each instance of a target that is here."""
        try:
            with self._cache.retrieve.retrieve(target) as found:
                return {one.facts.target.instance or "": one.facts.size for one in found}
        except errors.NotFound:
            return {}

    def _add_held(self, coming: Coming) -> None:
        for uid in self._held(coming.target):
            coming.add(uid)
        coming.expected = coming.count

    def _drop(self, series: Target, gone: set[str]) -> None:
        """The PACS has these no longer."""
        assert self._cache.delete is not None, "a cache forgets"
        for uid in gone:
            self._cache.delete.delete(Target(series.study, series.series, uid))

    def _forget(self, record: Record | None) -> None:
        if record is not None:
            self._shelf.forget(record)

    def _note(self, series: Target, said: int | None, *, lacking: int, checked: float) -> None:
        held = self._held(series)
        record = Record(
            study=series.study,
            series=series.series or "",
            said=said,
            held=len(held),
            lacking=lacking,
            size=sum(held.values()),
            checked=checked,
        )
        self._shelf.note(record)

    def _is_good(self, series: Target) -> bool:
        record = self._shelf.find(series.series or "")
        return record is not None and self._is_fresh(record)

    def _is_fresh(self, record: Record) -> bool:
        return self._clock() - record.checked < self._check_seconds

    def _is_unchanged(self, record: Record) -> bool:
        """Whether the PACS counts as many as when the series came. While it cannot be asked, what is here is good."""
        if record.lacking or record.said is None:
            return False
        try:
            listed = self._questions.count(record.target)
        except (errors.Unavailable, errors.UpstreamFailed) as fault:
            self._tell("pacs not asked", why=fault.message)
            return True
        if listed is None or listed.count != record.said:
            return False
        self._shelf.checked(record.series)
        return True

    def _comes_alone(self, series: Target) -> bool:
        with self._lock:
            if series in self._under_way:
                return False
            count = self._alone.pop(series, 0) + 1
            self._alone[series] = count
            if len(self._alone) > _MOST_REMEMBERED:
                self._alone.popitem(last=False)
            return count <= _ALONE


class _Interest:
    """Whether a retrieval is wanted, asked now and then; once it was not, it is stopped, whoever comes then."""

    def __init__(self, coming: Coming) -> None:
        self._coming = coming
        self.is_lost = False

    def lasts(self) -> bool:
        self.is_lost = self.is_lost or not self._coming.is_wanted
        return not self.is_lost
