"""Instances one after the other, each once, checked, and asked for alone when it did not come with the others."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import IO, Final

from dicomgate import errors
from dicomgate.client import fetch, quirks, search, threads
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.dicom import header
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import resources

_TRIES: Final = 4


async def instances(calls: AsyncCaller, target: Target, transfer_syntax: str) -> AsyncGenerator[IO[bytes], None]:
    """Every instance of a target as a file (PS3.18 §10.4.1.1.1).

    The faults of `fetch.held`; UpstreamFailed at the end when some did not come, also when asked for alone.
    """
    come: set[str] = set()
    fault: errors.Fault | None = None
    if target.level is Level.INSTANCE or quirks.sends_series(calls.root):
        try:
            async with aclosing(_fresh(calls, target, transfer_syntax, come)) as files:
                async for file in files:
                    yield file
        except errors.UpstreamFailed as found:
            fault = found
    lacking = await _lacking(calls, target, come, fault)
    for one in lacking:
        fault = None
        for _ in range(_TRIES):
            try:
                async with aclosing(_fresh(calls, one, transfer_syntax, come)) as files:
                    async for file in files:
                        yield file
            except errors.UpstreamFailed as found:
                fault = found
            if one.instance in come:
                break
    left = sum(one.instance not in come for one in lacking)
    if left:
        message = f"{left} of {len(come) + left} instances did not come" + (f": {fault.message}" if fault else "")
        raise errors.UpstreamFailed(message)


async def _fresh(
    calls: AsyncCaller, target: Target, transfer_syntax: str, come: set[str]
) -> AsyncGenerator[IO[bytes], None]:
    """The files that are of the target and have not come before, all others passed over."""
    async with aclosing(fetch.held(calls, target, transfer_syntax)) as files:
        async for file in files:
            seen = await threads.in_thread(_read, file)
            if seen is not None and _is_of(seen, target) and seen.instance not in come:
                yield file
                come.add(seen.instance or "")


def _read(file: IO[bytes]) -> Target | None:
    """Which instance it is; None when it is damaged."""
    try:
        return header.read(HeldSource(file)).target
    except errors.Fault:
        return None
    finally:
        file.seek(0)


def _is_of(seen: Target, target: Target) -> bool:
    pairs = ((seen.study, target.study), (seen.series, target.series), (seen.instance, target.instance))
    return all(wanted is None or wanted == found for found, wanted in pairs)


async def _lacking(calls: AsyncCaller, target: Target, come: set[str], fault: errors.Fault | None) -> list[Target]:
    """What should have come and has not. The fault itself, where nobody can say what should have."""
    if target.level is Level.INSTANCE:
        return [] if target.instance in come else [target]
    lacking = []
    try:
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


class HeldSource:
    """A file that is open, to be read at any place."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer at the end."""
        self._file.seek(offset)
        return self._file.read(length)
