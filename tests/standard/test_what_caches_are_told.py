"""What caches are told, where it is easily told wrong: lifetimes, Vary, dates, weak tags, ranges of what is made (RET-10, GEN-12)."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from pydicom.dataset import Dataset
from standard_service import EXPLICIT, Service, parts_of, path_of

from dicomgate import config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

CT, STATE, REPORT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.88.11"
IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture(scope="module")
def lasting(open_service) -> Service:
    """Where nothing can be deleted or replaced, so that what is immutable may be used without asking."""
    return open_service()


def state(target: Target, *images: Target) -> bytes:
    made, series = Dataset(), Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = STATE, target.instance, "PR"
    made.StudyInstanceUID, made.SeriesInstanceUID = target.study, target.series
    made.PatientName, made.PatientID = "Doe^Jane", "P1"
    series.SeriesInstanceUID, series.ReferencedImageSequence = images[0].series, []
    for image in images:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, image.instance
        series.ReferencedImageSequence.append(reference)
    made.ReferencedSeriesSequence = [series]
    return instances.write(made, "1.2.840.10008.1.2.1")


@pytest.mark.slow
def test_what_a_state_shows_first_may_still_come_RET_10_REN_10(lasting: Service) -> None:
    first = instances.new_target()
    second = instances.new_target(first.study, first.series)
    shown = instances.new_target(first.study)
    said = {"SOPClassUID": CT, "WindowCenter": 2048, "WindowWidth": 4096}
    lasting.store(instances.make(second, attributes=said), state(shown, first, second))
    before = lasting.studies(f"{path_of(shown)}/rendered", "image/png")
    assert before.status == 200
    assert before.headers["cache-control"] == "private, no-cache"
    lasting.store(instances.make(first, frames=[bytes(128)], attributes=said))
    after = lasting.studies(f"{path_of(shown)}/rendered", "image/png", if_none_match=before.headers["etag"])
    assert (after.status, after.body != before.body) == (200, True)
    picture = lasting.studies(f"{path_of(first)}/rendered", "image/png")
    assert picture.headers["cache-control"] == "private, max-age=86400, immutable"


@pytest.mark.slow
@pytest.mark.parametrize("change", ["allow_delete", "allow_update"])
def test_what_may_be_corrected_or_deleted_is_asked_for_again_RET_10(open_service, change: str) -> None:
    """A picture may have the patient's name in it, and a bulk value may be a long text of the study."""
    changing = open_service(store=config.Store(**{change: True}))
    target = instances.new_target()
    changing.store(instances.make(target, attributes={"PatientName": "Doe^Jane"}))
    for resource, accept in (("/rendered?annotation=patient", "image/png"), ("/frames/1", "*/*"), ("", "*/*")):
        reply = changing.studies(path_of(target) + resource, accept)
        assert reply.status == 200
        assert "immutable" not in reply.headers["cache-control"]


@pytest.mark.slow
def test_texts_among_pictures_vary_by_character_set_RET_10_GEN_13(lasting: Service) -> None:
    image = instances.new_target()
    report = instances.new_target(image.study)
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = REPORT, report.instance, "SR"
    made.StudyInstanceUID, made.SeriesInstanceUID = report.study, report.series
    made.PatientName, made.PatientID, made.ValueType = "Doe^山", "P1", "CONTAINER"
    lasting.store(instances.make(image, attributes={"SOPClassUID": CT}), instances.write(made, EXPLICIT))
    reply = lasting.studies(f"/studies/{image.study}/rendered", 'multipart/related; type="*/*"')
    kinds = {part["Content-Type"].partition(";")[0] for part in parts_of(reply)}
    assert kinds == {"image/jpeg", "text/html"}
    assert "Accept-Charset" in reply.headers["vary"]


def test_unmodified_since_is_a_date_RET_10(lasting: Service) -> None:
    """RFC 9110 §13.1.4: later is fine, earlier is 412; no date, or a resource that has none, is not looked at."""
    target = instances.new_target()
    lasting.store(instances.make(target))
    path = path_of(target)

    def ask(date: str, tail: str = "", accept: str = "application/dicom") -> int:
        return lasting.studies(path + tail, accept, if_unmodified_since=date).status

    assert ask(formatdate(4_000_000_000, usegmt=True)) == 200
    assert ask(formatdate(1_000_000_000, usegmt=True)) == 412
    for nothing in ("yesterday", "0", "Mon, 99 Nov 1998 00:00:00 GMT", "x" * 5000, ""):
        assert ask(nothing) == 200, nothing
    assert ask(formatdate(1_000_000_000, usegmt=True), "/metadata", "*/*") == 200


def test_several_ranges_of_what_is_made_are_the_whole_GEN_12_T4(lasting: Service) -> None:
    """Each would be made from the beginning once more; one is cut out, so that a download can go on."""
    target = instances.new_target()
    lasting.store(instances.make(target, syntax=IMPLICIT, rows=64, columns=64))
    whole = lasting.studies(path_of(target), "application/dicom")
    assert whole.headers["content-type"].endswith(EXPLICIT)
    several = lasting.studies(path_of(target), "application/dicom", range="bytes=0-3,2000-2003,6000-6003")
    assert (several.status, several.body) == (200, whole.body)
    one = lasting.studies(path_of(target), "application/dicom", range="bytes=2000-2003")
    assert (one.status, one.body) == (206, whole.body[2000:2004])


def test_a_weak_tag_matches_no_precondition_RET_10(tmp_path) -> None:
    """RFC 9110 §13.1.1: If-Match compares strongly."""
    from dicomgate.server import caching

    class Asked:
        accept = None

        def header(self, name: bytes) -> str | None:
            return 'W/"abc"' if name == b"if-match" else None

    refused = caching.judge(Asked(), [], 'W/"abc"')  # type: ignore[arg-type]
    assert refused is not None
    assert refused.status == 412


def test_versions_and_refusals_never_last_RET_10(open_service) -> None:
    service = open_service(cache=config.Cache(shared=True, seconds=60))
    target = instances.new_target()
    service.store(instances.make(target))
    path = f"{path_of(target)}/frames/1"
    octets = "application/octet-stream"
    for headers, status in (({"Range": "bytes=999999-"}, 416), ({"If_Match": '"x"'}, 412)):
        reply = service.studies(path, octets, **headers)
        assert (reply.status, reply.headers["cache-control"]) == (status, "no-store")
    for tail, accept in (("", "image/png"), ("/rendered", "text/html")):
        assert service.studies(path + tail, accept).headers["cache-control"] == "no-store"
