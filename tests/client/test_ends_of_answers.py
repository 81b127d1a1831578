"""What came whole in an answer that has no end is given before that is told (RFC 2046 §5.1.1)."""

from __future__ import annotations

import asyncio
from typing import IO

import httpx2
import pytest

from dicomgate import errors
from dicomgate.client import fetch
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.request import Patience
from dicomgate.dicom.uids import Target

KIND = 'multipart/related; type="application/dicom"; boundary=x'
PARTS = [b"first", b"second"]
WHOLE = b"".join(b"\r\n--x\r\nContent-Type: application/dicom\r\n\r\n" + part for part in PARTS)


def seen_of(body: bytes) -> tuple[list[bytes], bool]:
    """What was handed on of an answer, and whether it was told to be broken off."""

    async def fetched() -> tuple[list[bytes], bool]:
        found: list[bytes] = []
        transport = httpx2.MockTransport(
            lambda _: httpx2.Response(200, headers={"Content-Type": KIND}, content=body)  # type: ignore[arg-type]
        )
        async with AsyncCaller("http://there/dicomweb", transport=transport, patience=Patience(tries=1)) as calls:
            try:
                async for some in fetch.held(calls, Target("1.2", "1.3"), fetch.ANY, read):
                    found += [one.item for one in some]
            except errors.UpstreamFailed:
                return found, True
        return found, False

    return asyncio.run(fetched())


def read(file: IO[bytes]) -> fetch.Come[bytes]:
    return fetch.Come(None, file.read(), file.close)


@pytest.mark.parametrize(
    ("end", "whole", "is_told"),
    [
        (b"\r\n--x--\r\n", 2, False),
        (b"\r\n--x--", 2, False),
        (b"\r\n--x\r\n", 2, True),
        (b"\r\n--x", 1, True),
        (b"", 1, True),
    ],
)
def test_what_came_whole_is_given_before_the_missing_end_is_told(end: bytes, whole: int, *, is_told: bool) -> None:
    assert seen_of(WHOLE + end) == (PARTS[:whole], is_told)
