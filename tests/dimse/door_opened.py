"""A DIMSE door over a real archive for tests, and pynetdicom as who asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]

from dicomgate import assembly, config
from dicomgate.dicom import syntaxes
from dicomgate.dimse import door
from dicomgate.dimse.connection import Pauses
from dicomgate.dimse.session import House
from dicomgate.dimse.settings import DoorSettings
from dicomgate.origin import Origin
from dicomgate.server.logs import Log
from dicomgate.testing import instances

SLOW = Pauses(opening=60.0, stall=60.0, idle=60.0)
"""Nobody is let go because the machine is busy."""


@contextmanager
def opened(data: Path, **settings: object) -> Iterator[tuple[int, Origin, list[bytes]]]:
    lines: list[bytes] = []
    with assembly.open_archive(data, config.Settings()) as archive:
        listening = door.listen("127.0.0.1", 0)
        door_settings = DoorSettings(**{"pauses": SLOW, **settings})  # type: ignore[arg-type]
        house = House(origin=archive.origin, spool=archive.spool, log=Log(lines.append), settings=door_settings)
        with door.opened(house, listening):
            yield listening.getsockname()[1], archive.origin, lines


def ask(word: str, **keys: str) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = word
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def images(count: int) -> list[Dataset]:
    first = instances.new_target()
    targets = [first, *(instances.new_target(first.study, first.series) for _ in range(count - 1))]
    return [pydicom.dcmread(BytesIO(instances.make(target))) for target in targets]


def caller(*classes: str) -> AE:
    entity = AE("TEST")
    for uid in classes:
        entity.add_requested_context(uid, syntaxes.EXPLICIT_LITTLE)
    return entity


def store(port: int, datasets: list[Dataset]) -> list[int]:
    association = caller(Image).associate("127.0.0.1", port, ae_title="DICOMGATE")
    assert association.is_established
    statuses = [int(association.send_c_store(dataset).Status) for dataset in datasets]
    association.release()
    return statuses


def rejection(entity: AE, port: int, title: str = "DICOMGATE") -> tuple[int, int, int] | None:
    """Result, source and reason of the A-ASSOCIATE-RJ that came (PS3.8 Table 9-21), None when there came none.

    Seen as it arrives: pynetdicom calls an association aborted when its rejection is quicker than its own thread.
    """
    seen: list[tuple[int, int, int]] = []

    def look(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            seen.append((event.pdu.result, event.pdu.source, event.pdu.reason_diagnostic))

    association = entity.associate("127.0.0.1", port, ae_title=title, evt_handlers=[(evt.EVT_PDU_RECV, look)])
    if association.is_established:
        association.release()
    return seen[0] if seen else None
