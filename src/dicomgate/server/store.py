"""STOW-RS: instances of a multipart body, or a single one, read as they come and stored side by side (PS3.18 §10.5).

What was complete before a body broke off stays stored, and the report says so; what was not leaves nothing (STOW-19).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from dicomgate import errors
from dicomgate.composition.content import Workshop
from dicomgate.dicom import jsonmodel, xmlmodel
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.dicomweb import media_types, multipart, negotiation, offers, store_report, warning
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import JSONDataset, Store
from dicomgate.server import bodies
from dicomgate.server.bodies import Form
from dicomgate.server.budget import Arriving, Budget
from dicomgate.server.errors import RETRY_AFTER, status_of
from dicomgate.server.exchange import Exchange, field
from dicomgate.server.gathering import Gathering
from dicomgate.server.intake import Intake
from dicomgate.server.requests import Request
from dicomgate.server.settings import Settings
from dicomgate.server.threads import Threads
from dicomgate.spool import Spool


class StoreService:
    """Takes what is posted to the studies, or to one study."""

    def __init__(self, origin: Store, spool: Spool, threads: Threads, settings: Settings, workshop: Workshop) -> None:
        self._origin = origin
        self._spool = spool
        self._threads = threads
        self._settings = settings
        self._workshop = workshop
        self._budget = Budget(settings.store_memory)
        self._arriving = Arriving(settings.store_memory)

    async def store(self, exchange: Exchange, resource: Resource) -> None:
        """Store every instance of the body and report on each; what refuses the whole does so before it is read."""
        request = exchange.request
        form = bodies.form_of(request)
        bodies.check_length(request, self._settings)
        offer = _report_offer(request, strict=self._settings.strict)
        study = resource.target.study if resource.target else None
        await self._threads.do(self._origin.require_room)
        intake = self._intake(study)
        fault: errors.Fault | None = None
        notes: Sequence[str] = ()
        try:
            if form.is_metadata:
                notes = await self._read_metadata(exchange, form, intake)
            else:
                await self._read_files(exchange, form, intake)
        except errors.Fault as seen:
            fault = seen
        outcomes = await intake.outcomes()
        if fault is not None and not outcomes:
            raise fault
        if not exchange.is_gone:
            report = store_report.report(outcomes, root=request.root, study=study, notes=notes)
            await _answer(exchange, report, offer, fault)

    def _intake(self, study: str | None) -> Intake:
        return Intake(
            functools.partial(self._origin.accept, study=study),
            self._spool,
            self._threads,
            self._budget,
            self._arriving,
            window=self._settings.store_window,
            instance_bytes=self._settings.instance_bytes,
            limits=self._settings.limits,
        )

    async def _read_files(self, exchange: Exchange, form: Form, intake: Intake) -> None:
        try:
            await bodies.read(exchange, form, _Files(intake), self._threads, self._settings)
        finally:
            await intake.abandon()

    async def _read_metadata(self, exchange: Exchange, form: Form, intake: Intake) -> Sequence[str]:
        request = exchange.request
        gathering = Gathering(
            self._spool.pile(),
            self._threads,
            self._arriving,
            self._settings,
            self._workshop,
            root_type=form.root_type,
            base=request.root + request.path.removeprefix(self._settings.root),
        )
        try:
            await bodies.read(exchange, form, gathering, self._threads, self._settings)
            return () if exchange.is_gone else await gathering.compose(intake, self._budget)
        finally:
            await gathering.abandon()


class _Files:
    """Takes each part for a PS3.10 file."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.write = intake.write
        self.end = intake.end

    def begin(self, headers: dict[str, str]) -> None:
        """A part starts."""
        self._intake.begin(_refusal(headers))


def _refusal(headers: dict[str, str]) -> Refused | None:
    """Why such a part is not taken; one that does not say its type is taken for what was announced."""
    part_type = headers.get("content-type")
    if multipart.is_encoded(headers):
        return Refused(Reason.WRONG_PART_TYPE, "expected the bytes as they are, without an encoding")
    try:
        if part_type is None or media_types.parse(part_type).type == media_types.DICOM:
            return None
    except errors.Malformed as fault:
        return Refused(Reason.WRONG_PART_TYPE, fault.message)
    return Refused(Reason.WRONG_PART_TYPE, f"expected {media_types.DICOM}")


def _report_offer(request: Request, *, strict: bool) -> Offer:
    """How the report is written: as JSON unless XML is asked for (V6), whatever else is asked for."""
    if strict:
        return negotiation.choose(request.wishes(), offers.STORE_REPORT)
    return negotiation.find(request.wishes(), offers.STORE_REPORT) or offers.STORE_REPORT[0]


async def _answer(exchange: Exchange, report: store_report.Report, offer: Offer, fault: errors.Fault | None) -> None:
    status = report.status if fault is None else status_of(fault)
    content_type, body = _format(report.dataset, offer)
    headers = [field("content-type", content_type)]
    if fault is not None:
        headers.append(field("warning", warning.format_warning(exchange.request.root, fault.message)))
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
