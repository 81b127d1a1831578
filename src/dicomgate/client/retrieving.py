"""Instances one after the other, each once, checked, and asked for alone when it did not come with the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import IO, TYPE_CHECKING, Final, TypeVar

from dicomgate import errors
from dicomgate.client import fetch, quirks, search
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.dicom import header
from dicomgate.dicom.source import OpenSource
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import resources

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_TRIES: Final = 4
_Item = TypeVar("_Item")


async def files(calls: AsyncCaller, target: Target, transfer_syntax: str) -> AsyncGenerator[IO[bytes], None]:
    """Every instance of a target as a file, open until the next one is taken. The faults of `instances`."""
    async with aclosing(instances(calls, target, transfer_syntax, _open)) as found:
        async for batch in found:
            try:
                for file in batch:
                    yield file
                    file.close()
            finally:
                for file in batch:
                    file.close()


def _open(file: IO[bytes]) -> fetch.Come[IO[bytes]]:
    try:
        target = header.read(OpenSource(file)).target
    except errors.Fault:
        target = None
    file.seek(0)
    return fetch.Come(target, file, file.close)


async def data_sets(
    calls: AsyncCaller, target: Target, transfer_syntax: str
) -> AsyncGenerator[list[FileDataset], None]:
    """Every instance of a target as pydicom's data set, as many at a time as came together. See `instances`."""
    from dicomgate.client import whole  # noqa: PLC0415 - few need it, and it takes its time

    def read(file: IO[bytes]) -> fetch.Come[FileDataset]:
        dataset, found = whole.read(file)
        return fetch.Come(found, dataset, _nothing)

    async with aclosing(instances(calls, target, transfer_syntax, read)) as found:
        async for batch in found:
            yield batch


def _nothing() -> None:
    """There is nothing to let go of."""


async def instances(
    calls: AsyncCaller, target: Target, transfer_syntax: str, read: fetch.Reading[_Item]
) -> AsyncGenerator[list[_Item], None]:
    """What is read from every instance of a target, each once (PS3.18 §10.4.1.1.1).

    The faults of `fetch.held`; UpstreamFailed at the end when some did not come, also when asked for alone.
    """
    come: set[str] = set()
    fault: errors.Fault | None = None
    if target.level is Level.INSTANCE or quirks.sends_series(calls.root):
        try:
            async with aclosing(_fresh(calls, target, transfer_syntax, come, read)) as found:
                async for batch in found:
                    yield batch
        except errors.UpstreamFailed as noticed:
            fault = noticed
    lacking = await _lacking(calls, target, come, fault)
    for one in lacking:
        fault = None
        for _ in range(_TRIES):
            try:
                async with aclosing(_fresh(calls, one, transfer_syntax, come, read)) as found:
                    async for batch in found:
                        yield batch
            except errors.UpstreamFailed as noticed:
                fault = noticed
            if one.instance in come:
                break
    left = sum(one.instance not in come for one in lacking)
    if left:
        message = f"{left} of {len(come) + left} instances did not come" + (f": {fault.message}" if fault else "")
        raise errors.UpstreamFailed(message)


async def _fresh(
    calls: AsyncCaller,
    target: Target,
    transfer_syntax: str,
    come: set[str],
    read: fetch.Reading[_Item],
) -> AsyncGenerator[list[_Item], None]:
    """Those that are of the target and have not come before, all others passed over."""
    async with aclosing(fetch.held(calls, target, transfer_syntax, read)) as found:
        async for batch in found:
            fresh = []
            for one in batch:
                seen = one.target
                if seen is None or not _is_of(seen, target) or seen.instance in come:
                    one.let_go()
                    continue
                come.add(seen.instance or "")
                fresh.append(one.item)
            if fresh:
                yield fresh


def _is_of(seen: Target, target: Target) -> bool:
    pairs = ((seen.study, target.study), (seen.series, target.series), (seen.instance, target.instance))
    return all(wanted is None or wanted == found for found, wanted in pairs)


async def _lacking(calls: AsyncCaller, target: Target, come: set[str], fault: errors.Fault | None) -> list[Target]:
    """What should have come and has not. The fault itself, where nobody can say what should have."""
    if target.level is Level.INSTANCE:
        return [] if target.instance in come else [target]
    lacking: list[Target] = []
    try:
        if fault is None and come and len(come) == await _count(calls, target):
            return lacking
        async with aclosing(search.find(calls, f"{resources.link('', target)}/instances")) as found:
            async for dataset in found:
                uids = [str((dataset.get(tag, {}).get("Value") or [""])[0]) for tag in ("0020000E", "00080018")]
                series = uids[0] or target.series
                if uids[1] and series and uids[1] not in come:
                    lacking.append(Target(target.study, series, uids[1]))
    except (errors.UpstreamFailed, errors.NotFound):
        if fault is not None:
            raise fault from None
    return lacking


async def _count(calls: AsyncCaller, target: Target) -> int | None:
    """How many instances there are, where the server says so: much less to say than which."""
    where, key, tag = _COUNTS[target.level]
    uid = target.study if target.series is None else target.series
    path = where if target.series is None else f"{resources.link('', Target(target.study))}{where}"
    async with aclosing(search.find(calls, path, [(key, uid), ("includefield", tag)], 1)) as found:
        async for dataset in found:
            value = (dataset.get(tag, {}).get("Value") or [None])[0]
            return value if isinstance(value, int) else None
    return None


_COUNTS: Final = {
    Level.STUDY: ("/studies", "StudyInstanceUID", "00201208"),
    Level.SERIES: ("/series", "SeriesInstanceUID", "00201209"),
}
