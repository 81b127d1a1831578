"""A PACS made for tests: pynetdicom's, with instances of our own and bad habits to choose from."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt
from pynetdicom.sop_class import (
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicomgate import assembly, config
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

LEVELS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
DEPTHS = {"STUDY": 1, "SERIES": 2, "IMAGE": 3}


@dataclass
class MadePacs:
    """What it has and how it behaves. `asked` tells what came, in order."""

    has: list[Dataset] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    does_get: bool = True
    counts: int | None = None  # a lie, or what it has
    sends: int | None = None  # so many, then it breaks
    breaks: str = "abort"  # or "garbage", "silence", "close"
    knows_destination: bool = True
    go_on: threading.Event = field(default_factory=threading.Event)
    waits_after: int | None = None
    port: int = 0
    stored: list[Dataset] = field(default_factory=list)
    store_status: int = 0
    move_to: int = 0
    withholds: int = 0
    has_many_classes: bool = False
    tells_classes: bool = True
    broken: list[socket.socket] = field(default_factory=list)
    cancelled: int = 0
    pause: float = 0.0  # seconds before each instance
    sent_in_last: int = 0

    def fill(self, count: int, *, side: int = 8, **attributes: object) -> tuple[str, str]:
        """A series of new instances; the UIDs of study and series."""
        target = instances.new_target()
        for number in range(1, count + 1):
            one = instances.new_target(target.study, target.series)
            told = {
                "PatientID": "P1",
                "StudyDate": "20200101",
                "InstanceNumber": number,
                "Modality": "OT",
                **attributes,
            }
            self.has.append(pydicom.dcmread(io.BytesIO(instances.make(one, rows=side, columns=side, attributes=told))))
        return target.study, target.series or ""

    def matching(self, asked: Dataset) -> list[Dataset]:
        found = self.has
        for keyword in LEVELS:
            wanted = asked.get(keyword) or ""
            wanted = [wanted] if isinstance(wanted, str) else list(wanted)
            if any(wanted):
                found = [one for one in found if one[keyword].value in wanted]
        return found

    def find(self, event):
        asked = event.identifier
        self.asked.append(f"FIND {asked.QueryRetrieveLevel}")
        depth = DEPTHS[asked.QueryRetrieveLevel]
        told = {}
        for one in self.matching(asked):
            told.setdefault(tuple(one[keyword].value for keyword in LEVELS[:depth]), []).append(one)
        for group in told.values():
            answer = Dataset()
            for element in asked:
                if element.keyword == "SOPClassUID" and not self.tells_classes:
                    continue
                if element.keyword in group[0] and element.VR != "SQ":
                    answer[element.keyword] = group[0][element.keyword]
            if depth == 2:
                answer.NumberOfSeriesRelatedInstances = len(group) if self.counts is None else self.counts
            yield 0xFF00, answer
        yield 0x0000, None

    def get(self, event):
        self.asked.append(f"GET {event.identifier.QueryRetrieveLevel}")
        yield from self._send(event)

    def move(self, event):
        self.asked.append(f"MOVE {event.identifier.QueryRetrieveLevel}")
        if not self.knows_destination:
            yield None, None
            return
        yield "127.0.0.1", self.move_to, {"contexts": _STORAGE}
        yield from self._send(event)

    def _send(self, event):
        found = self.matching(event.identifier)
        if self.withholds:
            found = [one for one in found if one.InstanceNumber != self.withholds]
        yield len(found)
        self.sent_in_last = 0
        for number, one in enumerate(found):
            if event.is_cancelled:
                self.cancelled += 1
                yield 0xFE00, None
                return
            if number == self.sends:
                self._break(event)
                return
            if number == self.waits_after:
                assert self.go_on.wait(30)
            time.sleep(self.pause)
            self.sent_in_last += 1
            yield 0xFF00, one

    def _break(self, event):
        line = event.assoc.dul.socket.socket
        self.broken.append(line)
        if self.breaks == "garbage":
            line.sendall(b"\x04\0\0\0\0\x0a\0\0\xff\xff" + bytes(6))  # a value longer than its unit
        elif self.breaks == "close":
            line.shutdown(socket.SHUT_RDWR)
        if self.breaks in {"garbage", "silence"}:
            assert self.go_on.wait(30)
        event.assoc.abort()

    def store(self, event):
        self.asked.append("STORE")
        self.stored.append(event.dataset)
        return self.store_status


_AE = AE()
_AE.add_requested_context(SecondaryCaptureImageStorage)
_STORAGE = _AE.requested_contexts


@contextmanager
def running(pacs: MadePacs, *, title: str = "PACS") -> Iterator[MadePacs]:
    """The PACS at a port of its own."""
    ae = AE(title)
    ae.require_called_aet = True
    for model in (StudyRootQueryRetrieveInformationModelFind, Verification):
        ae.add_supported_context(model)
    if pacs.does_get:
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    for context in StoragePresentationContexts if pacs.has_many_classes else _STORAGE:
        ae.add_supported_context(context.abstract_syntax, scu_role=True, scp_role=True)
    handlers = [
        (evt.EVT_C_FIND, pacs.find),
        (evt.EVT_C_GET, pacs.get),
        (evt.EVT_C_MOVE, pacs.move),
        (evt.EVT_C_STORE, pacs.store),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        pacs.go_on.set()
        server.shutdown()
        for line in pacs.broken:  # pynetdicom forgets them
            line.close()


@contextmanager
def over(port: int, cache, **settings: object) -> Iterator[httpx2.Client]:
    """A caller of a gateway over the PACS at this port."""
    said = {
        "pacs.title": "PACS",
        "pacs.host": "127.0.0.1",
        "pacs.port": port,
        "pacs.own_title": "GATEWAY",
        "pacs.move_port": 0,
        "pacs.cache": str(cache),
        "pacs.connect_seconds": 5.0,
        "pacs.answer_seconds": 20.0,
        **{f"pacs.{name}": value for name, value in settings.items()},
    }
    application = assembly.application(config.read(options=said, environment={}, directory=cache.parent), pacs=True)
    with (
        serving(application) as served,
        httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=60, trust_env=False) as client,
    ):
        yield client
    application.close()


def wrong(kind: str):
    """A peer that behaves in one bad way; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                if kind == "garbage":
                    connection.sendall(b"\x02\0\xff\xff\xff\xff" + bytes(100))
                elif kind == "calling":
                    connection.sendall(bytes((3, 0, 0, 0, 0, 4, 0, 1, 1, 3)))
                elif kind == "busy":
                    connection.sendall(bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2)))
                elif kind == "abort":
                    connection.sendall(bytes((7, 0, 0, 0, 0, 4, 0, 0, 0, 0)))
                elif kind == "silent":
                    connection.recv(1)

    if kind != "nobody":  # a thread that waits in accept would keep the port open after close
        threading.Thread(target=serve, daemon=True).start()
    return server
