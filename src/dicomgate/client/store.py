"""Stores files on another server: several a request, streamed from disk, and one receipt for each (PS3.18 §10.5)."""

from __future__ import annotations

import asyncio
import functools
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import orjson

from dicomgate import errors
from dicomgate.client import threads
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.caller import Caller
from dicomgate.client.offers import Became, Offer, Receipt, gather
from dicomgate.client.request import Answer, Request
from dicomgate.dicom.outcomes import MEANINGS, Reason
from dicomgate.dicomweb import multipart

_STEP: Final = 256 << 10
_AHEAD: Final = 100
_PART_HEADERS: Final = (("Content-Type", "application/dicom"),)
_REPORTED: Final = frozenset({200, 202, 400, 409})
_JSON_TYPES: Final = frozenset({"application/dicom+json", "application/json"})


class _FileFault(errors.Fault):
    """A file could not be read as it was promised; the others of its request are sent again without it."""

    def __init__(self, offer: Offer, message: str) -> None:
        super().__init__(message)
        self.offer = offer


Slowed = Callable[[bytes], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much at once: requests side by side, and the bounds of each. `slowed`: bytes, as fast as they may leave."""

    requests: int = 4
    most_bytes: int = 32 << 20
    most_files: int = 100
    slowed: Slowed | None = None


def store(caller: Caller, offers: Iterable[Offer], pace: Pace | None = None) -> Generator[Receipt, None, None]:
    """What `send` does, without an event loop."""
    return caller.iterate(send(caller.calls, offers, pace), ahead=_AHEAD)


async def send(
    calls: AsyncCaller, offers: Iterable[Offer], pace: Pace | None = None, study: str | None = None
) -> AsyncGenerator[Receipt, None]:
    """Send every offer; receipts come as the server answers. Memory does not grow with the number or size of files.

    Offers are made in a thread, one after the other. Raises Forbidden and UpstreamFailed when going on makes no sense;
    what was stored until then stays stored.
    """
    pace = pace or Pace()
    path = "/studies" if study is None else f"/studies/{study}"
    bundles = gather(offers, most_bytes=pace.most_bytes, most_files=pace.most_files)
    turns = asyncio.Semaphore(pace.requests)
    under_way: deque[asyncio.Task[list[Receipt]]] = deque()
    try:
        async with aclosing(threads.taken(bundles)) as gathered:
            async for bundle in gathered:
                under_way.append(asyncio.create_task(_in_turn(turns, calls, path, bundle, pace.slowed)))
                while under_way and (len(under_way) >= 2 * pace.requests or under_way[0].done()):
                    for receipt in await under_way.popleft():
                        yield receipt
        while under_way:
            for receipt in await under_way.popleft():
                yield receipt
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _in_turn(
    turns: asyncio.Semaphore, calls: AsyncCaller, path: str, bundle: list[Offer], slowed: Slowed | None
) -> list[Receipt]:
    async with turns:
        return await _send(calls, path, bundle, slowed)


async def _send(calls: AsyncCaller, path: str, bundle: list[Offer], slowed: Slowed | None) -> list[Receipt]:
    """One bundle, in as many requests as it takes."""
    try:
        answer = await _post(calls, path, bundle, slowed)
    except _FileFault as fault:
        lost = Receipt(path=fault.offer.path, became=Became.UNREADABLE, target=fault.offer.target, detail=fault.message)
        rest = [offer for offer in bundle if offer is not fault.offer]
        return [lost, *(await _send(calls, path, rest, slowed) if rest else ())]
    if answer.status == 413 and len(bundle) > 1:
        half = len(bundle) // 2
        first = await _send(calls, path, bundle[:half], slowed)
        return first + await _send(calls, path, bundle[half:], slowed)
    return list(_receipts(answer, bundle))


async def _post(calls: AsyncCaller, path: str, bundle: list[Offer], slowed: Slowed | None) -> Answer:
    boundary = multipart.new_boundary()
    length = multipart.content_length(boundary, ((_PART_HEADERS, offer.size) for offer in bundle))
    headers = {
        "Content-Type": multipart.content_type(boundary, "application/dicom"),
        "Content-Length": str(length),
        "Accept": "application/dicom+json",
    }
    body = functools.partial(_body, boundary, bundle, slowed)
    return await calls.send(Request(method="POST", path=path, headers=headers, body=body))


async def _body(boundary: str, bundle: list[Offer], slowed: Slowed | None) -> AsyncGenerator[bytes, None]:
    """The next bytes are read while those before them leave."""
    pieces = _pieces(boundary, bundle)
    while (piece := await threads.in_thread(next, pieces, None)) is not None:
        if slowed is None:
            yield piece
        else:
            async for part in slowed(piece):
                yield part


def _pieces(boundary: str, bundle: list[Offer]) -> Iterator[bytes]:
    """The body, small things together."""
    waiting: list[bytes] = []
    count = 0
    for piece in _all_pieces(boundary, bundle):
        waiting.append(piece)
        count += len(piece)
        if count >= _STEP:
            yield b"".join(waiting)
            waiting, count = [], 0
    yield b"".join(waiting)


def _all_pieces(boundary: str, bundle: list[Offer]) -> Iterator[bytes]:
    for number, offer in enumerate(bundle):
        yield multipart.part_head(boundary, _PART_HEADERS, first=number == 0)
        yield from _content(offer)
    yield multipart.closing(boundary)


def _content(offer: Offer) -> Iterator[bytes]:
    """Exactly as many bytes as were promised."""
    if offer.content is not None:
        yield offer.content
        return
    left = offer.size
    try:
        with _opened(offer) as file:
            while left:
                chunk = file.read(min(_STEP, left))
                if not chunk:
                    raise _FileFault(offer, "the file changed while it was being sent")
                left -= len(chunk)
                yield chunk
    except OSError as fault:
        raise _FileFault(offer, fault.strerror or "cannot be read") from fault


def _opened(offer: Offer) -> BinaryIO:
    """The file, as it was when it was offered."""
    if offer.opens is not None:
        return offer.opens()
    file = cast(BinaryIO, open(offer.path, "rb", buffering=0))  # noqa: SIM115 - the caller closes it
    status = os.fstat(file.fileno())
    if (status.st_size, status.st_mtime_ns) != (offer.size, offer.mtime_ns):
        file.close()
        raise _FileFault(offer, "the file changed while it was being sent")
    return file


def _receipts(answer: Answer, bundle: list[Offer]) -> Iterator[Receipt]:
    report = _report(answer)
    if report is None:
        yield from (_without_report(answer, offer) for offer in bundle)
        return
    kept = {_value(item, "00081155"): _value(item, "00081196") for item in _items(report, "00081199")}
    refused = {_value(item, "00081155"): _value(item, "00081197") for item in _items(report, "00081198")}
    for offer in bundle:
        instance = offer.target.instance
        if instance in refused:
            yield _refused(offer, refused[instance])
        elif instance in kept:
            code = _code(kept[instance])
            detail = f"warning {code:04X}" if code is not None else ""
            yield _receipt(offer, Became.STORED, code, detail)
        else:
            codes = [_code(_value(item, "00081197")) for item in _items(report, "0008119A")]
            yield _refused(offer, codes[0] if codes else None)


def _without_report(answer: Answer, offer: Offer) -> Receipt:
    """Some servers answer 200 and nothing else."""
    if answer.status == 200:
        return _receipt(offer, Became.STORED)
    return _receipt(offer, Became.REFUSED, None, f"the server answered {answer.status} and did not say why")


def _report(answer: Answer) -> dict[str, Any] | None:
    """The Store Instances Response Module (PS3.18 I.1), if the answer is one."""
    if answer.status not in _REPORTED or answer.media_type not in _JSON_TYPES:
        return None
    try:
        report = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(report, list) and len(report) == 1:  # some wrap the one data set in a list
        report = report[0]
    is_report = isinstance(report, dict) and any(tag in report for tag in ("00081198", "00081199", "0008119A"))
    return report if is_report else None


def _items(report: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    element = report.get(tag)
    items = element.get("Value") if isinstance(element, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _value(item: dict[str, Any], tag: str) -> object:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    value = values[0] if isinstance(values, list) and values else None
    return value if isinstance(value, str | int) else None


def _code(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _refused(offer: Offer, value: object) -> Receipt:
    code = _code(value)
    if code is None:
        return _receipt(offer, Became.REFUSED, None, "the server did not say why")
    known = {int(reason): meaning for reason, meaning in MEANINGS.items()}
    return _receipt(offer, Became.REFUSED, code, known.get(code) or _family(code))


def _family(code: int) -> str:
    """The meaning of a code that the standard gives only by its range (PS3.18 I.2.2)."""
    if code & 0xFF00 == Reason.OUT_OF_RESOURCES:
        return MEANINGS[Reason.OUT_OF_RESOURCES]
    if code & 0xFF00 == Reason.DOES_NOT_MATCH_CLASS:
        return MEANINGS[Reason.DOES_NOT_MATCH_CLASS]
    return MEANINGS[Reason.CANNOT_UNDERSTAND] if code & 0xF000 == 0xC000 else f"failure {code:04X}"


def _receipt(offer: Offer, became: Became, code: int | None = None, detail: str = "") -> Receipt:
    return Receipt(
        path=offer.path,
        became=became,
        target=offer.target,
        code=code,
        detail=detail,
        size=offer.size,
        mtime_ns=offer.mtime_ns,
    )
