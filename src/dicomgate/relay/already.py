"""Whether what a destination refuses is there already, as it was to be sent: then nothing is left to be done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import IO

from dicomgate import errors
from dicomgate.client import fetch
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.fetch import Come
from dicomgate.dicom import part10
from dicomgate.dicom.source import OpenSource, Source
from dicomgate.dicom.uids import Target


async def is_there(calls: AsyncCaller, target: Target, sent: Sequence[Source]) -> bool:
    """True when the server gives the instance back with the data set of any of these, byte for byte.

    File meta information is the server's own affair (PS3.10 §7.1). False also where it gives nothing back.
    """

    def compare(file: IO[bytes]) -> Come[bool]:
        with file:
            source = OpenSource(file)
            is_same = any(part10.has_same_data_set(each, source) for each in sent)
        return Come(target, is_same, lambda: None)

    try:
        async with aclosing(fetch.held(calls, target, fetch.ANY, compare)) as found:
            async for batch in found:
                return any(one.item for one in batch)
    except (errors.Fault, OSError):
        return False
    return False
