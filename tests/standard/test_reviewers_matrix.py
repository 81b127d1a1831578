"""The reviewer's matrix, rows 1 to 12: searches, written from the standard's text and not from the code (§8, §10.6).

Each test names its row. A row is asked at every resource and in every spelling to which it applies.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from pydicom.dataset import Dataset
from standard_matrix import JSON, NATIVE, first, results
from standard_service import Service, parts_of

from dicomgate import config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

XML_PARTS = 'multipart/related; type="application/dicom+xml"'
LEVELS = ("studies", "series", "instances")


# Asking.


@pytest.fixture(scope="module")
def archive(open_service) -> Service:
    """Nothing in it but what these tests store."""
    return open_service(store=config.Store(allow_delete=True))


class Patient:
    """Somebody with studies of his own, so that tests do not see each other's."""

    def __init__(self, archive: Service) -> None:
        self.archive = archive
        self.id = uuid.uuid4().hex[:16]

    def store(self, target: Target | None = None, **attributes: Any) -> Target:
        target = target or instances.new_target()
        self.archive.store(instances.make(target, attributes={"PatientID": self.id, **attributes}))
        return target

    def ask(self, resource: str, query: str = "", accept: str | None = JSON) -> Reply:
        return self.archive.studies(f"/{resource}?PatientID={self.id}{'&' if query else ''}{query}", accept)

    def find(self, resource: str, query: str = "") -> list[dict[str, Any]]:
        """What is found; an answer without a body is an empty list."""
        return results(self.ask(resource, query))

    def studies(self, query: str = "") -> set[str]:
        return {first(row, "0020000D") for row in self.find("studies", query)}


@pytest.fixture
def patient(archive: Service) -> Patient:
    return Patient(archive)


def warnings(reply: Reply) -> list[str]:
    return [value for name, value in reply.all if name == "warning"]


# Search.


@pytest.mark.parametrize("resource", LEVELS)
def test_row_1_no_match_is_204_without_a_body(patient: Patient, resource: str) -> None:
    """QIDO-16: also beside what other patients have, and below a study that is not there."""
    Patient(patient.archive).store()
    reply = patient.ask(resource)
    assert (reply.status, reply.body) == (204, b"")
    assert "content-type" not in reply.headers
    below = patient.archive.studies(f"/studies/{instances.new_target().study}/series", JSON)
    assert below.status in {204, 404}


def test_row_2_limit_says_how_many_remain(patient: Patient) -> None:
    """QIDO-16, GEN-15: three matches, one wanted."""
    for _ in range(3):
        patient.store()
    for resource in LEVELS:
        reply = patient.ask(resource, "limit=1")
        assert len(results(reply)) == 1
        text = f"299 {patient.archive.root}: There are 2 additional results that can be requested"
        assert text in warnings(reply)
        last = patient.ask(resource, "limit=1&offset=2")
        assert len(results(last)) == 1
        assert not warnings(last)
    assert not warnings(patient.ask("studies", "limit=3"))


def test_row_3_offset_past_the_end_is_204(patient: Patient) -> None:
    """QIDO-16: min(max(0, matches - offset), limit)."""
    for _ in range(3):
        patient.store()
    for resource in LEVELS:
        for query in ("offset=3", "offset=4", "offset=999999", "offset=3&limit=1", "limit=0"):
            reply = patient.ask(resource, query)
            assert (reply.status, reply.body) == (204, b""), query
        assert len(patient.find(resource, "offset=2")) == 1
        assert len(patient.find(resource, "offset=0")) == 3


@pytest.mark.parametrize("resource", LEVELS)
@pytest.mark.parametrize(
    "query",
    [
        "limit=-1", "limit=x", "limit=", "limit=1.0", "limit=1e3", "offset=-1", "offset=x", "offset=0x1", "limit=1&limit=1",
        "fuzzymatching=maybe", "fuzzymatching=1", "fuzzymatching=TRUE", "fuzzymatching=", "emptyvaluematching=maybe",
        "multiplevaluematching=maybe", "StudyDate=soon", "StudyDate=20200102-20200101-20200103",
    ],
)  # fmt: skip
def test_row_4_invalid_value_of_a_known_parameter_is_400(patient: Patient, resource: str, query: str) -> None:
    """GEN-03, QIDO-09; the parameters' values are case-sensitive (GEN-04)."""
    reply = patient.ask(resource, query)
    assert reply.status == 400
    assert reply.body, "with a short report"


@pytest.mark.parametrize("resource", LEVELS)
def test_row_5_unknown_parameter_is_ignored_with_a_warning(patient: Patient, resource: str) -> None:
    """GEN-03: processed as if absent."""
    patient.store()
    for query in (
        "NoSuchKeyword=1",
        "NoSuchKeyword=1&NoSuchKeyword=2",
        "NoSuchKeyword",
        "nosuch.path=1",
        "x=%E2%82%AC",
    ):
        reply = patient.ask(resource, query)
        assert results(reply) == patient.find(resource)
        assert any(text.startswith(f"299 {patient.archive.root}: ") for text in warnings(reply)), query
    nobody = Patient(patient.archive).ask(resource, "NoSuchKeyword=1")
    assert nobody.status == 204


@pytest.mark.parametrize("resource", LEVELS)
@pytest.mark.parametrize(
    "query",
    [
        "PatientName=a&PatientName=b",
        "PatientName=a&PatientName=a",
        "PatientName=a&00100010=b",
        "00100010=a&00100010=b",
        "StudyInstanceUID=1.2&0020000D=1.3",
        "RequestAttributesSequence.ScheduledProcedureStepID=a&00400275.00400009=b",
    ],
)
def test_row_6_one_attribute_twice_is_400(patient: Patient, resource: str, query: str) -> None:
    """QIDO-05: each attribute at most once, by whatever name."""
    assert patient.ask(resource, query).status == 400


def test_row_7_list_of_uids_finds_each(patient: Patient) -> None:
    """QIDO-05: any of them; those that are not there do not matter."""
    targets = [patient.store() for _ in range(3)]
    nothing = instances.new_target()
    tags = {"studies": ("StudyInstanceUID", "0020000D"), "series": ("SeriesInstanceUID", "0020000E"),
            "instances": ("SOPInstanceUID", "00080018")}  # fmt: skip
    for resource, (keyword, tag) in tags.items():
        uids = [{"studies": one.study, "series": one.series, "instances": one.instance}[resource] for one in targets]
        for name in (keyword, tag):
            for listed in (",".join(map(str, uids[:2])), f"{uids[1]},{nothing.study},{uids[0]}"):
                found = {first(row, tag) for row in patient.find(resource, f"{name}={listed}")}
                assert found == set(uids[:2])


DATES = {
    "the evening before the range": ("20200101", "095959", False),
    "the first moment": ("20200101", "100000", True),
    "late on the first day": ("20200101", "235959.999999", True),
    "midnight": ("20200102", "000000", True),
    "early on the last day, before the first time of day": ("20200102", "083000", True),
    "after the last moment": ("20200102", "093000", False),
    "the day after, within the times of day": ("20200103", "083000", False),
    "the day before, within the times of day": ("20191231", "103000", False),
}


def test_row_8_date_and_time_are_one_continuous_range(patient: Patient) -> None:
    """QIDO-07: from 10:00 of the first day to 09:00 of the second, across midnight."""
    made = {
        name: patient.store(StudyDate=date, StudyTime=time).study for name, (date, time, _) in DATES.items()
    }  # fmt: skip
    wanted = {made[name] for name, (_, _, is_within) in DATES.items() if is_within}
    assert patient.studies("StudyDate=20200101-20200102&StudyTime=1000-0900") == wanted
    assert patient.studies("00080030=1000-0900&00080020=20200101-20200102") == wanted
    assert patient.studies("StudyDate=20200101-20200102&StudyTime=100000.000000-090000") == wanted
    for resource in ("series", "instances"):
        rows = patient.find(resource, "StudyDate=20200101-20200102&StudyTime=1000-0900")
        assert {first(row, "0020000D") for row in rows} == wanted


def item(**attributes: str) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def test_row_9_sequence_matches_within_one_item(patient: Patient) -> None:
    """QIDO-06: all keys of a sequence must be answered by one and the same item."""
    together = patient.store(
        RequestAttributesSequence=[
            item(ScheduledProcedureStepID="S1", RequestedProcedureID="R1"),
            item(ScheduledProcedureStepID="S2", RequestedProcedureID="R2"),
        ]
    )
    apart = patient.store(
        RequestAttributesSequence=[
            item(ScheduledProcedureStepID="S1", RequestedProcedureID="R2"),
            item(ScheduledProcedureStepID="S2", RequestedProcedureID="R1"),
        ]
    )
    patient.store()
    step, procedure = "RequestAttributesSequence.ScheduledProcedureStepID", "00400275.RequestedProcedureID"

    def series(query: str) -> set[str]:
        return {first(row, "0020000E") for row in patient.find("series", query)}

    assert series(f"{step}=S1") == {together.series, apart.series}
    assert series(f"{step}=S1&{procedure}=R1") == {together.series}
    assert series(f"{step}=S1&{procedure}=R2") == {apart.series}
    assert series(f"{step}=S3") == set()
    assert series(f"00400275.00400009=S?&{procedure}=R1") == {together.series, apart.series}
    (row,) = patient.find("series", f"{step}=S1&{procedure}=R1")
    assert len(row["00400275"]["Value"]) == 2, "all items come back"


def test_row_10_field_of_a_lower_level_is_not_returned(patient: Patient) -> None:
    """QIDO-10: a study has no Modality."""
    patient.store()
    for field in ("00080060", "Modality", "00080018", "SOPInstanceUID", "0020000E", "Rows"):
        (row,) = patient.find("studies", f"includefield={field}")
        assert not {"00080060", "00080018", "0020000E", "00280010"} & set(row), field
    (row,) = patient.find("series", "includefield=Rows,00080018,StudyDescription")
    assert not {"00280010", "00080018"} & set(row)
    assert "00081030" in row or "00081030" not in patient.find("studies", "includefield=00081030")[0]


@pytest.mark.parametrize("resource", LEVELS)
def test_row_11_xml_is_one_part_for_each_match(patient: Patient, resource: str) -> None:
    """QIDO-19, XML-01: each part one native model, the same as the JSON says."""
    for name in ("Äneas^Ødegård", "Yamada^Tarou=山田^太郎=やまだ^たろう", "O'Neil & <Sons>"):
        patient.store(PatientName=name)
    reply = patient.ask(resource, accept=XML_PARTS)
    assert reply.status == 200
    parts = parts_of(reply)
    assert {part["Content-Type"] for part in parts} == {"application/dicom+xml"}
    read = [read_xml(part.body) for part in parts]
    rows = patient.find(resource)
    assert len(read) == len(rows) == 3
    for model, row in zip(read, rows, strict=True):
        assert set(model) == set(row)
        for tag, element in row.items():
            assert model[tag] == [flat(value) for value in element.get("Value", ())], tag
    assert patient.ask(resource, "PatientName=Nobody", accept=XML_PARTS).status == 204


def read_xml(document: bytes) -> dict[str, list[Any]]:
    root = ET.fromstring(document)
    assert root.tag == f"{NATIVE}NativeDicomModel"
    return read_attributes(root)


def read_attributes(parent: ET.Element) -> dict[str, list[Any]]:
    found = {}
    for attribute in parent:
        assert attribute.tag == f"{NATIVE}DicomAttribute"
        assert attribute.get("vr")
        values = list(attribute)
        assert [value.get("number") for value in values] == [str(number) for number in range(1, len(values) + 1)]
        found[attribute.attrib["tag"]] = [read_value(value) for value in values]
    return found


def read_value(value: ET.Element) -> Any:
    match value.tag.removeprefix(NATIVE):
        case "Item":
            return read_attributes(value)
        case "PersonName":
            return {group.tag.removeprefix(NATIVE): "^".join(part.text or "" for part in group) for group in value}
        case _:
            return value.text or ""


def flat(value: Any) -> Any:
    """A value of the JSON model as the XML one says it."""
    if isinstance(value, dict) and set(value) <= {"Alphabetic", "Ideographic", "Phonetic"}:
        return value
    if isinstance(value, dict):
        return {tag: [flat(one) for one in element.get("Value", ())] for tag, element in value.items()}
    return "" if value is None else str(value)


@pytest.mark.parametrize("accept", ["image/png", "text/html", "image/jpeg, video/*;q=0.5", "application/pdf", "application/dicom"])  # fmt: skip
def test_row_12_types_that_no_search_has_are_406(patient: Patient, accept: str) -> None:
    """MT-04: nothing of what is asked for is left."""
    patient.store()
    for resource in LEVELS:
        assert patient.ask(resource, accept=accept).status == 406
    assert patient.ask("studies", accept=f"{accept}, */*;q=0.1").status == 200
