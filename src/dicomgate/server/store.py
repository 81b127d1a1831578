"""STOW-RS: instances of a multipart body, or a single one, read as they come and stored side by side (PS3.18 §10.5).

What was complete before a body broke off stays stored, and the report says so; what was not leaves nothing (STOW-19).
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from typing import Final

from dicomgate import errors
from dicomgate.dicom import jsonmodel, xmlmodel
from dicomgate.dicom.outcomes import Outcome, Reason, Refused
from dicomgate.dicomweb import media_types, multipart, negotiation, offers, store_report, warning
from dicomgate.dicomweb.media_types import MediaType
from dicomgate.dicomweb.multipart import PartBegin, PartData, PartEnd
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import JSONDataset, Store
from dicomgate.server import expansion
from dicomgate.server.errors import RETRY_AFTER, status_of
from dicomgate.server.exchange import Exchange, field
from dicomgate.server.intake import Budget, Intake
from dicomgate.server.requests import Request
from dicomgate.server.settings import Settings
from dicomgate.server.threads import Threads
from dicomgate.spool import Spool

_TAKEN: Final = ('multipart/related; type="application/dicom"', media_types.DICOM)


class StoreService:
    """Takes what is posted to the studies, or to one study."""

    def __init__(self, origin: Store, spool: Spool, threads: Threads, settings: Settings) -> None:
        self._origin = origin
        self._spool = spool
        self._threads = threads
        self._settings = settings
        self._budget = Budget(settings.store_memory)

    async def store(self, exchange: Exchange, resource: Resource) -> None:
        """Store every instance of the body and report on each; what refuses the whole does so before it is read."""
        request = exchange.request
        content_type, coding = _content_type(request), expansion.find_coding(request.header(b"content-encoding"))
        if request.length is not None and request.length > self._settings.body_bytes:
            raise errors.TooLarge(f"a body of {request.length} bytes; at most {self._settings.body_bytes} are taken")
        offer = _report_offer(request, strict=self._settings.strict)
        study = resource.target.study if resource.target else None
        intake = self._intake(study)
        fault: errors.Fault | None = None
        try:
            await self._read(exchange, intake, content_type, coding)
        except errors.Fault as seen:
            fault = seen
        finally:
            await intake.abandon()
        outcomes = await intake.outcomes()
        if fault is not None and not outcomes:
            raise fault
        if not exchange.is_gone:
            await _answer(exchange, outcomes, study, offer, fault)

    def _intake(self, study: str | None) -> Intake:
        return Intake(
            functools.partial(self._origin.accept, study=study),
            self._spool,
            self._threads,
            self._budget,
            window=self._settings.store_window,
            instance_bytes=self._settings.instance_bytes,
            limits=self._settings.limits,
        )

    async def _read(self, exchange: Exchange, intake: Intake, content_type: MediaType, coding: str | None) -> None:
        chunks = self._chunks(exchange)
        if coding is not None:
            chunks = self._expand(exchange, chunks, coding)
        if content_type.type == media_types.MULTIPART:
            parser = multipart.Parser(multipart.boundary_of(content_type), multipart.Limits(parts=self._settings.parts))
            await _read_parts(chunks, parser, intake)
            if not exchange.is_gone:
                parser.finish()
        else:
            await _read_single(chunks, intake)
            if not exchange.is_gone:
                await intake.end()

    async def _chunks(self, exchange: Exchange) -> AsyncIterator[bytes]:
        """The body as it comes, until its end or until the caller has gone. TooLarge past the bound."""
        total = 0
        more = True
        while more:
            message = await exchange.receive()
            if exchange.is_gone:
                return
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            total += len(chunk)
            if total > self._settings.body_bytes:
                raise errors.TooLarge(f"a body of more than {self._settings.body_bytes} bytes")
            if chunk:
                yield chunk

    async def _expand(self, exchange: Exchange, chunks: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
        """The body as it was before it was compressed, made in threads. Malformed, or TooLarge past a bound."""
        bounds = expansion.Bounds(ratio=self._settings.expansion, free=self._settings.expansion_free)
        expanding = expansion.Expansion(coding, bounds)
        total = 0
        async for chunk in chunks:
            expanding.feed(chunk)
            while not expanding.is_hungry:
                piece = await self._threads.do(expanding.step)
                total += len(piece)
                if total > self._settings.body_bytes:
                    raise errors.TooLarge(f"a body of more than {self._settings.body_bytes} bytes")
                if piece:
                    yield piece
        if not exchange.is_gone:
            expanding.finish()


async def _read_parts(chunks: AsyncIterator[bytes], parser: multipart.Parser, intake: Intake) -> None:
    has_parts = False
    async for chunk in chunks:
        for event in parser.feed(chunk):
            match event:
                case PartData():
                    await intake.write(event.data)
                case PartBegin():
                    has_parts = True
                    intake.begin(_refusal(event.headers.get("content-type")))
                case PartEnd():
                    await intake.end()
        parser.check()
    if not has_parts:
        parser.finish()


async def _read_single(chunks: AsyncIterator[bytes], intake: Intake) -> None:
    intake.begin()
    is_empty = True
    async for chunk in chunks:
        is_empty = False
        await intake.write(chunk)
    if is_empty:
        raise errors.Malformed("the body is empty")


def _refusal(part_type: str | None) -> Refused | None:
    """Why a part of this type is not taken; a part that does not say is taken for what was announced."""
    try:
        if part_type is None or media_types.parse(part_type).type == media_types.DICOM:
            return None
    except errors.Malformed as fault:
        return Refused(Reason.WRONG_PART_TYPE, fault.message)
    return Refused(Reason.WRONG_PART_TYPE, f"expected {media_types.DICOM}")


def _content_type(request: Request) -> MediaType:
    """What the body claims to be. UnsupportedMedia when that is not taken here."""
    said = request.header(b"content-type")
    if not said:
        raise errors.UnsupportedMedia("a body without Content-Type", see=_TAKEN)
    content_type = media_types.parse(said)
    if content_type.type == media_types.MULTIPART:
        root = (content_type.get("type") or media_types.DICOM).lower()
        if root == media_types.DICOM:
            multipart.boundary_of(content_type)
            return content_type
    elif content_type.type == media_types.DICOM:
        return content_type
    raise errors.UnsupportedMedia("only PS3.10 files are taken here", see=_TAKEN)


def _report_offer(request: Request, *, strict: bool) -> Offer:
    """How the report is written: as JSON unless XML is asked for (V6), whatever else is asked for."""
    if strict:
        return negotiation.choose(request.wishes(), offers.STORE_REPORT)
    return negotiation.find(request.wishes(), offers.STORE_REPORT) or offers.STORE_REPORT[0]


async def _answer(
    exchange: Exchange, outcomes: Sequence[Outcome], study: str | None, offer: Offer, fault: errors.Fault | None
) -> None:
    root = exchange.request.root
    report = store_report.report(outcomes, root=root, study=study)
    status = report.status if fault is None else status_of(fault)
    content_type, body = _format(report.dataset, offer)
    headers = [field("content-type", content_type)]
    if fault is not None:
        headers.append(field("warning", warning.format_warning(root, fault.message)))
    if report.location:
        headers.append(field("location", report.location))
        headers.append(field("content-location", report.location))
    if report.warning:
        headers.append(field("warning", report.warning))
    if status in RETRY_AFTER:
        headers.append((b"retry-after", RETRY_AFTER[status]))
    await exchange.answer(status, headers, body)


def _format(dataset: JSONDataset, offer: Offer) -> tuple[str, bytes]:
    if offer.media_type == media_types.DICOM_JSON:
        return media_types.DICOM_JSON, jsonmodel.format_dataset(dataset)
    body = xmlmodel.format_dataset(dataset)
    if not offer.is_multipart:
        return offer.media_type, body
    boundary = multipart.new_boundary()
    headers = [("Content-Type", offer.media_type), ("Content-Length", str(len(body)))]
    whole = multipart.part_head(boundary, headers, first=True) + body + multipart.closing(boundary)
    return multipart.content_type(boundary, offer.media_type), whole
