"""The reviewer's matrix, rows 38 to 43: stores, written from the standard's text and not from the code (§10.5, Annex I)."""

from __future__ import annotations

import pytest
from standard_matrix import (
    DICOM,
    FAILED,
    JSON,
    OTHERS,
    STORED,
    XML,
    first,
    offer,
    reasons,
    related,
    report,
    reported,
    retrieved,
    uids,
)  # fmt: skip
from standard_service import Service

from dicomgate.testing import instances


@pytest.fixture(scope="module")
def archive(open_service) -> Service:
    return open_service()


def test_row_38_two_good_parts_are_200_and_their_links_resolve(archive: Service) -> None:
    """STOW-10, STOW-12."""
    study = instances.new_target().study
    targets = [instances.new_target(study), instances.new_target(study)]
    contents = [instances.make(target) for target in targets]
    reply = offer(archive, *contents)
    assert reply.status == 200
    assert uids(reply, STORED) == [target.instance for target in targets]
    said = report(reply)
    assert set(said) == {"00081190", STORED}
    assert said["00081190"] == {"vr": "UR", "Value": [f"{archive.root}/studies/{study}"]}
    for one, target, content in zip(reported(reply, STORED), targets, contents, strict=True):
        assert first(one, "00081150") == "1.2.840.10008.5.1.4.1.1.7"
        assert archive.get(first(one, "00081190"), f"{DICOM}; transfer-syntax=*").body == content
        assert "00081196" not in one
        assert retrieved(archive, target).status == 200
    assert archive.get(first(said, "00081190"), 'multipart/related; type="application/dicom"').status == 200


def test_row_39_a_good_part_and_garbage_are_202(archive: Service) -> None:
    """STOW-12: what cannot be read has no UID, so it stands among the other failures."""
    target = instances.new_target()
    reply = offer(archive, instances.make(target), b"garbage, and none of it DICOM")
    assert reply.status == 202
    assert uids(reply, STORED) == [target.instance]
    (other,) = reported(reply, OTHERS)
    assert 0xC000 <= first(other, "00081197") <= 0xCFFF
    assert FAILED not in report(reply)
    assert retrieved(archive, target).status == 200


NOT_STORED = {
    "Verification": "1.2.840.10008.1.1",
    "Modality Worklist": "1.2.840.10008.5.1.4.31",
    "Study Root Query/Retrieve": "1.2.840.10008.5.1.4.1.2.2.1",
    "Storage Commitment": "1.2.840.10008.1.20.1",
}


def test_row_40_all_of_an_unsupported_class_are_409_with_0122(archive: Service) -> None:
    """STOW-10, STOW-14: classes of services that store nothing."""
    targets = [instances.new_target() for _ in NOT_STORED]
    contents = [
        instances.make(target, attributes={"SOPClassUID": uid})
        for target, uid in zip(targets, NOT_STORED.values(), strict=True)
    ]
    reply = offer(archive, *contents)
    assert reply.status == 409
    assert uids(reply, FAILED) == [target.instance for target in targets]
    assert reasons(reply) == [0x0122] * len(contents)
    assert STORED not in report(reply)
    assert all(retrieved(archive, target).status == 404 for target in targets)


def test_row_41_file_of_another_study_is_409_alone_and_202_among_others(archive: Service) -> None:
    """STOW-15."""
    here, elsewhere, also = (instances.new_target() for _ in range(3))
    alone = offer(archive, instances.make(elsewhere), study=here.study)
    assert alone.status == 409
    assert uids(alone, FAILED) == [elsewhere.instance]
    mixed = offer(archive, instances.make(here), instances.make(also), study=here.study)
    assert mixed.status == 202
    assert (uids(mixed, STORED), uids(mixed, FAILED)) == ([here.instance], [also.instance])
    for reply in (alone, mixed):
        (reason,) = reasons(reply)
        assert 0xC000 <= reason <= 0xCFFF or 0xA900 <= reason <= 0xA9FF
    assert [retrieved(archive, one).status for one in (here, elsewhere, also)] == [200, 404, 404]


@pytest.mark.parametrize("kind", ["text/plain", "image/jpeg", "application/json", 'multipart/related; type="text/plain"; boundary=x', "multipart/form-data; boundary=x"])  # fmt: skip
def test_row_42_other_types_are_415(archive: Service, kind: str) -> None:
    """STOW-10."""
    assert (
        archive.served.ask("POST", "/dicomweb/studies", {"Content-Type": kind}, b"--x\r\n\r\nx\r\n--x--").status == 415
    )


def test_row_43_body_without_its_end_or_without_boundary_is_400(archive: Service) -> None:
    """MP-07: nothing of the part that was cut is stored."""
    target = instances.new_target()
    body = related([({"Content-Type": DICOM}, instances.make(target))], "here")
    cases = {
        f'multipart/related; type="{DICOM}"; boundary=here': body.removesuffix(b"--here--\r\n"),
        f'multipart/related; type="{DICOM}"; boundary=there': body,
        f'multipart/related; type="{DICOM}"': body,
        f'multipart/related; type="{DICOM}"; boundary=""': body,
    }
    for kind, content in cases.items():
        assert archive.served.ask("POST", "/dicomweb/studies", {"Content-Type": kind}, content).status == 400, kind
        assert retrieved(archive, target).status == 404


def test_row_42_and_43_are_the_same_for_metadata_in_json_and_xml(archive: Service) -> None:
    """MP-07 for the other two types of Table 10.5.4-1."""
    for kind, content in ((JSON, b"[]"), (XML, b"<NativeDicomModel/>")):
        body = related([({"Content-Type": kind}, content)], "here").removesuffix(b"--here--\r\n")
        for said in (f'multipart/related; type="{kind}"; boundary=here', f'multipart/related; type="{kind}"'):
            assert archive.served.ask("POST", "/dicomweb/studies", {"Content-Type": said}, body).status == 400, said
