"""The views over DIMSE: Query/Retrieve View by extended negotiation, found, got and moved (LC-33; PS3.4 §C.3.4, §C.5)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as Find,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as Get,
)
from views_service import CT, EXPLICIT, LEGACY_CT, pixels, slice_of, uid

from dicomgate import assembly, config
from dicomgate.dimse import door

pytestmark = pytest.mark.slow
VIEWS_OF_FIND, VIEWS_OF_GET = b"\0\0\0\0\1", b"\0\1"
COUNT = 4


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A door over an archive with one study of slices."""
    data = tmp_path_factory.mktemp("views-over-dimse") / "data"
    settings = config.Settings(dimse=config.Dimse(processes=1))
    with assembly.open_house(settings, data=data) as house:
        assert house.spool is not None
        assert house.origin.store is not None
        for number in range(1, COUNT + 1):
            arrival = house.spool.arrival()
            arrival.write(slice_of("dimse", number))
            house.origin.store.accept(arrival)
        listening = door.listen("127.0.0.1", 0)
        with door.opened(house, listening):
            yield listening.getsockname()[1]


def wish(uid_of_class: str, information: bytes) -> SOPClassExtendedNegotiation:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = uid_of_class, information
    return item


def associate(port: int, came: list[Dataset], *, with_views: bool = True) -> Association:
    def take(event: evt.Event) -> int:
        event.dataset.file_meta = event.file_meta
        came.append(event.dataset)
        return 0

    entity = AE("TEST")
    for each in (Find, Get, CT, LEGACY_CT):
        entity.add_requested_context(each, EXPLICIT)
    negotiated = [build_role(CT, scp_role=True), build_role(LEGACY_CT, scp_role=True)]
    if with_views:
        negotiated += [wish(Find, VIEWS_OF_FIND), wish(Get, VIEWS_OF_GET)]
    handlers = [(evt.EVT_C_STORE, take)]
    association = entity.associate("127.0.0.1", port, ae_title="DICOMGATE", ext_neg=negotiated, evt_handlers=handlers)
    assert association.is_established
    return association


def ask(level: str, view: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = level, uid("dimse")
    if view:
        asked.add_new(0x00080053, "CS", view)
    return asked


def test_both_sides_agree_on_views_and_each_shows_its_objects_LC_33(port: int) -> None:
    came: list[Dataset] = []
    association = associate(port, came)
    assert association.acceptor.sop_class_extended == {Find: VIEWS_OF_FIND, Get: VIEWS_OF_GET}
    for view, count, sop_class in (("", COUNT, CT), ("CLASSIC", COUNT, CT), ("ENHANCED", 1, LEGACY_CT)):
        asked = ask("STUDY", view)
        asked.NumberOfStudyRelatedInstances = ""
        (pending, found), (last, _) = association.send_c_find(asked, Find)
        assert (pending.Status, found.NumberOfStudyRelatedInstances, last.Status) == (0xFF00, count, 0)
        came.clear()
        final = [status for status, _ in association.send_c_get(ask("STUDY", view), Get)][-1]
        assert (final.Status, final.NumberOfCompletedSuboperations, len(came)) == (0, count, count)
        assert {one.SOPClassUID for one in came} == {sop_class}
        assert {one.get("QueryRetrieveView") for one in came} == {"ENHANCED" if view == "ENHANCED" else None}
    assert came[0].NumberOfFrames == COUNT
    assert came[0].PixelData == b"".join(pixels(number) for number in range(1, COUNT + 1))
    association.release()


def test_a_view_that_was_not_agreed_on_or_is_none_is_refused_LC_33(port: int) -> None:
    association = associate(port, [], with_views=False)
    assert [status.Status for status, _ in association.send_c_find(ask("STUDY", "ENHANCED"), Find)] == [0xA900]
    association.release()
    association = associate(port, [])
    assert [status.Status for status, _ in association.send_c_find(ask("STUDY", "OTHER"), Find)] == [0xA900]
    association.release()
