"""PS3.18 §10.6 and §8.3.4: QIDO-RS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from standard_service import Service, found, parts_of, path_of

from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import cursors, resources
from dicomgate.dicomweb import query as query_parser
from dicomgate.testing import instances

PATIENT = "SEARCHED-1"


@pytest.fixture(scope="module")
def three(service: Service) -> Iterator[list[Target]]:
    """Three studies of one patient: CT and MR in the first."""
    targets = [instances.new_target() for _ in range(3)]
    second = instances.new_target(targets[0].study)
    common = {"PatientID": PATIENT, "PatientName": "Search^Ed"}
    for number, target in enumerate(targets):
        attributes = {**common, "Modality": "CT", "StudyDate": f"2020010{number + 1}", "StudyTime": "093000"}
        service.store(instances.make(target, attributes=attributes))
    service.store(instances.make(second, attributes={**common, "Modality": "MR", "StudyDate": "20200101"}))
    return targets


def ask(service: Service, path: str, **parameters: str) -> list[dict]:
    query = "&".join(f"{name}={value}" for name, value in {"PatientID": PATIENT, **parameters}.items())
    reply = service.studies(f"{path}?{query}", "application/dicom+json")
    if reply.status == 204:
        assert reply.body == b""
        return []
    return found(reply)


def test_row_1_no_match_is_204_QIDO_16_AMB_09(service: Service) -> None:
    reply = service.studies("/studies?PatientID=NOBODY", "application/dicom+json")
    assert (reply.status, reply.body) == (204, b"")
    assert "content-type" not in reply.headers


def test_row_2_page_says_how_many_remain_QIDO_16_GEN_15_AMB_05_AMB_06(service: Service, three) -> None:
    reply = service.studies(f"/studies?PatientID={PATIENT}&limit=1")
    assert len(found(reply)) == 1
    expected = f"299 {service.root}: There are 2 additional results that can be requested"
    assert reply.headers["warning"] == expected


def test_row_3_past_the_end_is_204_QIDO_16(service: Service, three) -> None:
    assert ask(service, "/studies", offset="3") == []
    assert ask(service, "/studies", limit="0") == []


def test_pages_are_the_whole_in_a_stable_order_QIDO_17(service: Service, three) -> None:
    pages = [ask(service, "/studies", limit="1", offset=str(offset)) for offset in range(3)]
    assert [row for page in pages for row in page] == ask(service, "/studies")


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "offset=1.5", "fuzzymatching=maybe", "limit=1&limit=2"])
def test_row_4_bad_values_are_400_GEN_03(service: Service, query: str) -> None:
    assert service.studies(f"/studies?{query}").status == 400


def test_row_5_unknown_keys_are_ignored_with_a_warning_GEN_03_V8(service: Service, strict: Service, three) -> None:
    reply = service.studies(f"/studies?PatientID={PATIENT}&NoSuchKeyword=1")
    assert len(found(reply)) == 3
    assert reply.headers["warning"].startswith(f"299 {service.root}: ")
    assert strict.studies("/studies?NoSuchKeyword=1", "*/*").status == 400


def test_fuzzy_matching_finds_words_of_names_QIDO_08(service: Service, three) -> None:
    for name in ("ed%20search", "SE", "*arch", "%C3%89d%20se"):
        assert len(ask(service, "/studies", PatientName=name, fuzzymatching="true")) == 3, name
    assert ask(service, "/studies", PatientName="ed%20nobody", fuzzymatching="true") == []
    assert ask(service, "/studies", PatientName="ed%20search", fuzzymatching="false") == []
    assert "warning" not in service.studies(f"/studies?PatientID={PATIENT}&fuzzymatching=true").headers


def test_row_6_key_twice_is_400_QIDO_05(service: Service) -> None:
    assert service.studies("/studies?PatientName=a&PatientName=b").status == 400


def test_row_7_list_of_uids_QIDO_05(service: Service, three) -> None:
    for separator in (",", "%5C"):
        wanted = separator.join(target.study for target in three[:2])
        assert len(ask(service, "/studies", StudyInstanceUID=wanted)) == 2


def test_six_resources_QIDO_01_QIDO_04(service: Service, three) -> None:
    study, series = three[0].study, three[0].series
    assert len(ask(service, "/studies")) == 3
    assert len(ask(service, "/series")) == 4
    assert len(ask(service, "/instances")) == 4
    assert len(found(service.studies(f"/studies/{study}/series"))) == 2
    assert len(found(service.studies(f"/studies/{study}/instances"))) == 2
    assert len(found(service.studies(f"/studies/{study}/series/{series}/instances"))) == 1
    assert len(found(service.studies(f"/studies/{study}/series?Modality=MR"))) == 1


def test_always_there_V10_QIDO_12(service: Service, three) -> None:
    row = next(row for row in ask(service, "/studies") if row["0020000D"]["Value"] == [three[0].study])
    assert sorted(row["00080061"]["Value"]) == ["CT", "MR"]
    assert (row["00201206"]["Value"], row["00201208"]["Value"]) == ([2], [2])
    for tag in ("00080020", "00080030", "00080050", "00080090", "00100010", "00100020", "00100030", "00100040"):
        assert tag in row
    (series,) = ask(service, "/series", SeriesInstanceUID=three[1].series)
    assert series["00201209"]["Value"] == [1]
    (instance,) = ask(service, "/instances", SOPInstanceUID=three[1].instance)
    assert instance["00083002"]["Value"]


def test_attributes_come_in_the_order_of_their_tags_JSON_02(service: Service, three) -> None:
    for level in ("/studies", "/series", "/instances"):
        for row in ask(service, level):
            assert list(row) == sorted(row)


def test_retrieve_url_is_absolute_and_resolves_V10_V12(service: Service, three) -> None:
    target = three[1]
    for path, expected in (
        (f"/studies?StudyInstanceUID={target.study}", f"/studies/{target.study}"),
        (f"/studies/{target.study}/series", f"/studies/{target.study}/series/{target.series}"),
        (f"/studies/{target.study}/instances", path_of(target)),
        (f"/instances?SOPInstanceUID={target.instance}", path_of(target)),
        (f"/studies/{target.study}/series/{target.series}/instances", path_of(target)),
    ):
        (row,) = found(service.studies(path))
        assert row["00081190"] == {"vr": "UR", "Value": [service.root + expected]}
        assert service.get(row["00081190"]["Value"][0], "*/*").status == 200


def test_row_8_date_and_time_are_one_range_QIDO_07(service: Service, three) -> None:
    rows = ask(service, "/studies", StudyDate="20200101-20200102", StudyTime="1000-0940")
    assert [row["0020000D"]["Value"][0] for row in rows] == [three[1].study]


def test_wildcards_and_percent_signs_T17(service: Service, three) -> None:
    assert len(ask(service, "/studies", PatientName="search*")) == 3
    assert len(ask(service, "/studies", PatientName="*%5EEd")) == 3
    assert ask(service, "/studies", PatientName="%25") == []
    assert ask(service, "/studies", PatientName="_earch%5EEd") == []


@pytest.mark.parametrize("query", ["PatientName=%zz", "PatientName=%ff", "PatientName=a%00b", "%C3=1"])
def test_what_cannot_be_decoded_is_400_T17(service: Service, query: str) -> None:
    assert service.studies(f"/studies?{query}").status == 400


def test_row_10_field_of_a_lower_level_is_left_out_QIDO_10(service: Service, three) -> None:
    assert all("00080060" not in row for row in ask(service, "/studies", includefield="00080060"))


def test_row_12_pictures_are_406_MT_04(service: Service) -> None:
    for accept in ("image/png", "text/html"):
        assert service.studies("/studies", accept).status == 406


def test_row_13_no_accept_is_406_where_the_door_is_strict_GEN_07(service: Service, strict: Service) -> None:
    assert strict.studies("/studies").status == 406
    assert service.studies("/studies?PatientID=NOBODY").status == 204


def test_row_11_xml_has_one_part_for_each_match_QIDO_19(service: Service, three) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    reply = service.studies(f"/studies?PatientID={PATIENT}&limit=2", accept)
    assert reply.status == 200
    parts = parts_of(reply)
    assert [part["Content-Type"] for part in parts] == ["application/dicom+xml"] * 2
    written = [re.search(rb'keyword="StudyInstanceUID"><Value number="1">([0-9.]+)<', part.body) for part in parts]
    rows = ask(service, "/studies", limit="2")
    assert [found[1].decode() for found in written if found] == [row["0020000D"]["Value"][0] for row in rows]
    assert "There are 1 additional results" in reply.headers["warning"]


def test_what_the_viewers_ask_is_answered_CLI_07(service: Service, three) -> None:
    reply = service.studies(
        f"/studies?limit=101&offset=0&fuzzymatching=true&includefield=00081030,00080060,00080090,00100030"
        f"&PatientName=*search*&00100020={PATIENT}&ModalitiesInStudy=CT,MR&StudyDate=20200101-20200103"
    )
    assert len(found(reply)) == 3


@pytest.mark.slow
def test_large_answer_is_whole_V7(service: Service) -> None:
    study = instances.new_target().study
    many = [instances.new_target(study) for _ in range(400)]
    for start in range(0, 400, 100):
        service.store(*(instances.make(target) for target in many[start : start + 100]))
    rows = found(service.studies(f"/studies/{study}/instances"))
    assert {row["00080018"]["Value"][0] for row in rows} == {target.instance for target in many}


def test_multiple_value_matching_QIDO_09_AMB_19(service: Service, three) -> None:
    for separator in (",", "%5C"):
        both = f"CT{separator}MR"
        assert len(ask(service, "/studies", ModalitiesInStudy=both)) == 3
        (row,) = ask(service, "/studies", ModalitiesInStudy=both, multiplevaluematching="true")
        assert row["0020000D"]["Value"] == [three[0].study]
    assert service.studies("/studies?multiplevaluematching=1").status == 400


def test_order_total_and_next_page(service: Service, three) -> None:
    up = ask(service, "/studies", orderby="StudyDate")
    assert [row["00080020"]["Value"][0] for row in up] == ["20200101", "20200102", "20200103"]
    assert ask(service, "/studies", orderby="-StudyDate") == up[::-1]
    reply = service.studies(f"/studies?PatientID={PATIENT}&orderby=StudyDate&limit=2&totalcount=true")
    assert reply.headers["x-total-count"] == "3"
    link, _, relation = reply.headers["link"].partition(">")
    assert relation == '; rel="next"'
    assert found(service.get(link.removeprefix("<"), "*/*")) == up[2:]


def test_a_cursor_that_nobody_gave_is_400(service: Service, three) -> None:
    query = query_parser.parse(resources.parse("/studies"), [("PatientID", PATIENT)]).query
    for place in ("x", "[]", "0", "{}", '["a",null]', "[1e999]", "[" * 500, "\x00", "9" * 400):
        forged = cursors.format_cursor(query, place)
        assert service.studies(f"/studies?PatientID={PATIENT}&cursor={forged}").status == 400, place


def test_keys_of_the_repository_query_are_ignored_with_a_warning_QIDO_20(service: Service, three) -> None:
    reply = service.studies(f"/studies?PatientID={PATIENT}&MaximumNumberOfRecords=1")
    assert len(found(reply)) == 3
    assert "MaximumNumberOfRecords" in reply.headers["warning"]


def test_what_is_supported_is_documented_QIDO_21() -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/search.md").read_text("utf-8")
    for word in ("search.most", "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "Repository Query"):
        assert word in page


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"{number:08X}=1" for number in range(0x00100000, 0x00101400)),
        "&".join(f"PatientSpeciesCodeSequence.{number:08X}=1" for number in range(0x00191000, 0x00191200)),
        "PatientName=" + "*a" * 600,
        "StudyInstanceUID=" + ",".join(["1.2.3"] * 10_001),
        "PatientID=" + "%C3" * 10,
        "PatientID=%ED%A0%80",
        "PatientID=a%1Fb",
        "Patient%00ID=1",
        "orderby=" + "PatientID," * 5000,
        "includefield=" + "PatientName.," * 100 + "%00",
    ],
    ids=lambda query: query[:24],
)
def test_too_broad_or_broken_is_4xx_QIDO_18_T17(service: Service, query: str) -> None:
    reply = service.studies(f"/studies?{query}")
    assert reply.status in (400, 413, 414), reply.status
    if reply.status != 414:
        assert json.loads(reply.body)["detail"]
