"""What viewers and clients ask of a search, word for word, is answered as each needs it (V6 to V10).

The addresses are those that OHIF, Slim, Weasis, VolView, SlicerDICOMwebBrowser, wsidicom, EZ-WSI and MONAI Label send;
what is expected is read from the files by pydicom.
"""

from __future__ import annotations

import io
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pydicom
import pytest
import requests
from dicomweb_client import DICOMwebClient
from interop_corpus import batches, lay_out, needs_data, read_corpus

from dicomgate.dicom import uids
from dicomgate.samples import phantoms
from dicomgate.testing import processes
from dicomgate.testing.processes import Running

pytestmark = [needs_data, pytest.mark.slow]

JSON = "application/dicom+json"
SMALL = 300_000
STUDY, SERIES, INSTANCE, MODALITY = "0020000D", "0020000E", "00080018", "00080060"
STUDY_LEVEL = {"00080020", "00080030", "00080050", "00080061", "00080090", "00100010", "00100020", "00100030", "00100040",
               STUDY, "00200010", "00201206", "00201208", "00081190"}  # fmt: skip
SERIES_LEVEL = {MODALITY, SERIES, "00200011", "00201209", "00081190"}
INSTANCE_LEVEL = {"00080016", INSTANCE, "00200013", "00081190", "00083002"}


@dataclass
class Seen:
    """A study as its files say."""

    patient: str = ""
    dates: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    series: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def modalities(self) -> set[str]:
        found = {facts["modality"] for instances in self.series.values() for facts in instances.values()}
        return found - {""}

    @property
    def instances(self) -> dict[str, dict[str, str]]:
        return {uid: facts for instances in self.series.values() for uid, facts in instances.items()}


@dataclass
class Archive:
    server: Running
    seen: dict[str, Seen]

    def get(self, path: str, accept: str = JSON) -> requests.Response:
        headers = {"Accept": accept}
        return requests.get(f"{self.server.root}{path}", headers=headers, timeout=processes.PATIENCE)

    def find(self, path: str) -> list[dict[str, Any]]:
        """V6: `application/dicom+json` and nothing after it; nothing found has no body."""
        answer = self.get(path)
        assert answer.status_code in {200, 204}, answer.text
        if answer.status_code == 204:
            assert answer.content == b""
            return []
        assert answer.headers["content-type"] == JSON
        rows: list[dict[str, Any]] = answer.json()
        return rows

    def studies(self, query: str) -> set[str]:
        return {first(row, STUDY) for row in self.find(f"/studies?{query}")}

    def with_modality(self, modality: str) -> set[str]:
        return {uid for uid, study in self.seen.items() if modality in study.modalities}

    def some(self, modality: str) -> str:
        return min(self.with_modality(modality))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Real files and the samples."""
    samples, _ = read_corpus()
    sound = (sample for sample in samples if all(uids.is_uid(uid or "") for uid in vars_of(sample.target)))
    layer = lay_out(sample for sample in sound if sample.path.stat().st_size < SMALL)[0]
    made = [content for number, (_, content) in enumerate(phantoms.make()) if number % 8 == 0]
    home = tmp_path_factory.mktemp("viewers")
    with processes.running(data=home / "data", log=home / "log") as running:
        archive = Archive(running, defaultdict(Seen))
        for batch in (*([one.content() for one in some] for some in batches(layer.samples.values())), made):
            store(archive, batch)
        yield archive


def vars_of(target: Any) -> tuple[str | None, str | None, str | None]:
    return target.study, target.series, target.instance


def store(archive: Archive, contents: list[bytes]) -> None:
    body = b"".join(b"--bb\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents)
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=bb'}
    reply = archive.server.ask("POST", "/dicomweb/studies", kind, body + b"--bb--\r\n")
    assert reply.status == 200, reply.body
    for content in contents:
        head = pydicom.dcmread(io.BytesIO(content), force=True, stop_before_pixels=True)
        study = archive.seen[head.StudyInstanceUID]
        study.patient = str(head.get("PatientID") or "")
        study.dates.add(str(head.get("StudyDate") or ""))
        study.names.add(str(head.get("PatientName") or ""))
        study.series[head.SeriesInstanceUID][head.SOPInstanceUID] = {
            "modality": str(head.get("Modality") or ""), "class": str(head.SOPClassUID),
            "syntax": str(head.file_meta.get("TransferSyntaxUID", "")),
        }  # fmt: skip


def first(row: dict[str, Any], tag: str) -> Any:
    return row[tag]["Value"][0]


def assert_study_rows(archive: Archive, rows: list[dict[str, Any]]) -> None:
    """V10, and all that a study list shows, also where it is empty, with one exception."""
    for row in rows:
        study = archive.seen[first(row, STUDY)]
        # OHIF counts the values of Modalities in Study unseen: it is there with values, or not at all.
        assert set(row) >= STUDY_LEVEL - {"00080061"}
        assert set(row.get("00080061", {"Value": []})["Value"]) == study.modalities
        assert (first(row, "00201206"), first(row, "00201208")) == (len(study.series), len(study.instances))
        assert first(row, "00081190") == f"{archive.server.root}/studies/{first(row, STUDY)}"


def assert_series_rows(archive: Archive, study: str, rows: list[dict[str, Any]]) -> None:
    assert {first(row, SERIES) for row in rows} == set(archive.seen[study].series)
    for row in rows:
        assert set(row) >= SERIES_LEVEL
        assert first(row, "00201209") == len(archive.seen[study].series[first(row, SERIES)])
        assert first(row, "00081190") == f"{archive.server.root}/studies/{study}/series/{first(row, SERIES)}"


# OHIF

OHIF = "limit=101&offset=0&fuzzymatching={fuzzy}&includefield=00081030,00080060,00080090,00100030"


@pytest.mark.parametrize("fuzzy", ["true", "false"])
def test_ohif_study_list_V7_V8_V10(archive: Archive, fuzzy: str) -> None:
    """It asks for Modality, a series' attribute, at study level: left out, said in a Warning, never 400."""
    answer = archive.get(f"/studies?{OHIF.format(fuzzy=fuzzy)}")
    rows = answer.json()
    assert len(rows) == min(101, len(archive.seen))
    assert_study_rows(archive, rows)
    assert not any(MODALITY in row for row in rows)
    assert any("00080060" in text or "Modality" in text for text in answer.headers["warning"].split("299 "))
    more = archive.find(f"/studies?{OHIF.format(fuzzy=fuzzy).replace('offset=0', 'offset=101')}")
    everything = [first(row, STUDY) for row in (*rows, *more)]
    assert len(everything) == len(set(everything))
    assert set(everything) == set(archive.seen)


def test_ohif_filters_V8(archive: Archive) -> None:
    for modality, other in (("CT", "MR"), ("SM", "SR"), ("SEG", "PT")):
        wanted = archive.with_modality(modality) | archive.with_modality(other)
        assert archive.studies(f"{OHIF.format(fuzzy='true')}&ModalitiesInStudy={modality},{other}") == wanted
    for uid in list(archive.seen)[:5]:
        study = archive.seen[uid]
        assert archive.studies(f"{OHIF.format(fuzzy='false')}&StudyInstanceUID={uid}") == {uid}
        if study.patient:
            same = {other for other, one in archive.seen.items() if one.patient == study.patient}
            assert archive.studies(f"{OHIF.format(fuzzy='false')}&00100020={quote(study.patient)}") == same


def test_ohif_dates(archive: Archive) -> None:
    wanted = {
        uid for uid, study in archive.seen.items() if any("19990101" <= date <= "20101231" for date in study.dates)
    }
    found = archive.studies(f"{OHIF.format(fuzzy='true')}&StudyDate=19990101-20101231")
    assert found == wanted
    assert archive.studies(f"{OHIF.format(fuzzy='true')}&StudyDate=20110101-") & wanted == set()


def folded(name: str) -> str:
    """Names may be matched without regard to case and accents (PS3.4 C.2.2.2.1)."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(letter)
    )


def test_ohif_names_are_found_anywhere_and_in_any_case(archive: Archive) -> None:
    wanted = {uid for uid, study in archive.seen.items() if any("an" in folded(name) for name in study.names)}
    assert len(wanted) > 5
    for asked in ("*an*", "*AN*"):
        assert archive.studies(f"{OHIF.format(fuzzy='false').replace('101', '500')}&PatientName={asked}") == wanted


@pytest.mark.parametrize("separator", ["%5C", "%5C%5C", "\\", "\\\\", ",", "%2C"])
def test_ohif_several_studies_at_once_V8(archive: Archive, separator: str) -> None:
    """Joined by backslashes, two in a row (CLI-07)."""
    uids_ = list(archive.seen)[:3]
    reply = archive.server.ask("GET", f"/dicomweb/studies?StudyInstanceUID={separator.join(uids_)}", {"Accept": JSON})
    assert reply.status == 200, reply.body
    assert sorted(uid for uid in uids_ if uid.encode() in reply.body) == sorted(uids_)


def test_ohif_series_list_V9_V10(archive: Archive) -> None:
    for modality in ("CT", "MR", "SEG", "PT"):
        study = archive.some(modality)
        rows = archive.find(f"/studies/{study}/series?includefield=00080021,00080031,0008103E,00200011")
        assert_series_rows(archive, study, rows)
        assert all({"00080021", "00080031", "0008103E", "00200011"} & set(row) for row in rows)


def test_ohif_accept_forms_V1(archive: Archive) -> None:
    """Quoted and bare, several, with a stranger among them, none at all."""
    for accept in (JSON, f"{JSON}, application/json", "*/*", f"image/x-odd, {JSON};q=0.5", f'{JSON}; charset="utf-8"', "application/json"):  # fmt: skip
        answer = archive.get("/studies?limit=1", accept)
        assert (answer.status_code, answer.headers["content-type"]) == (200, JSON), accept
    assert archive.server.ask("GET", "/dicomweb/studies?limit=1").status == 200


def test_xml_in_both_spellings_V1(archive: Archive) -> None:
    for form in ('multipart/related; type="application/dicom+xml"', "multipart/related; type=application/dicom+xml", 'multipart/related;type="application/dicom+xml"'):  # fmt: skip
        answer = archive.get("/studies?limit=1", form)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "multipart/related"), form


# Slim and dicom-microscopy-viewer


def test_slim_V7_V9(archive: Archive) -> None:
    """No limit: all there is."""
    assert archive.studies("ModalitiesInStudy=SM") == archive.with_modality("SM")
    study = archive.some("SM")
    rows = archive.find(f"/series?Modality=SM&StudyInstanceUID={study}")
    slides = {
        uid
        for uid, instances in archive.seen[study].series.items()
        if "SM" in {one["modality"] for one in instances.values()}
    }
    assert {first(row, SERIES) for row in rows} == slides
    assert all(row.keys() >= STUDY_LEVEL | SERIES_LEVEL for row in rows), (
        "the study's and patient's attributes come along"
    )
    for modality in ("SR", "PR"):
        study = archive.some(modality)
        rows = archive.find(f"/studies/{study}/instances?Modality={modality}")
        wanted = {uid for uid, facts in archive.seen[study].instances.items() if facts["modality"] == modality}
        assert {first(row, INSTANCE) for row in rows} == wanted
        assert all(row.keys() >= INSTANCE_LEVEL | {MODALITY, SERIES} for row in rows)
    for modality in ("SEG", "ANN"):
        study = archive.some(modality)
        rows = archive.find(f"/studies/{study}/series?Modality={modality}")
        assert rows
        assert all(first(row, MODALITY) == modality for row in rows)


def test_slim_asks_for_everything_V7(archive: Archive) -> None:
    assert archive.studies("") == set(archive.seen)
    rows = archive.find("/instances?Modality=MR")
    wanted = [
        uid for study in archive.seen.values() for uid, facts in study.instances.items() if facts["modality"] == "MR"
    ]
    assert sorted(first(row, INSTANCE) for row in rows) == sorted(wanted)
    again = archive.find("/instances?Modality=MR")
    assert again == rows, "the order is stable"


# VolView


def test_volview_without_parameters_V7_V10(archive: Archive) -> None:
    rows = archive.find("/studies")
    assert {first(row, STUDY) for row in rows} == set(archive.seen)
    assert_study_rows(archive, rows)
    for modality in ("CT", "MR", "US"):
        study = archive.some(modality)
        assert_series_rows(archive, study, archive.find(f"/studies/{study}/series"))


# Weasis

WEASIS = "includefield=00080020,00080030,00080050,00080061,00080090,00081030,00100010,00100020,00100021,00100030,00100040,0020000D,00200010"


def test_weasis_studies_V8(archive: Archive) -> None:
    """By tag, its fields as one list: the issuer of a patient's id and the study's id are among them."""
    for uid in list(archive.seen)[::9]:
        (row,) = archive.find(f"/studies?0020000D={uid}&{WEASIS}")
        assert_study_rows(archive, [row])
        accession = row["00080050"].get("Value", [""])[0]
        patient = row["00100020"].get("Value", [""])[0]
        if patient and not {"*", "?"} & set(patient):
            assert uid in archive.studies(f"00100020={quote(patient)}&{WEASIS}")
        if accession:
            assert uid in archive.studies(f"00080050={quote(accession)}&{WEASIS}")


def test_weasis_series_and_instances_V9(archive: Archive) -> None:
    """It trusts RetrieveURL, compares what it gets with the count, and pages through instances one by one."""
    study = archive.some("CT")
    rows = archive.find(f"/studies/{study}/series?includefield=0008103E,00080060,00081190,00200011,0020000E")
    assert_series_rows(archive, study, rows)
    counted = archive.find(f"/studies/{study}/series?includefield=00201209")
    for row in counted:
        whole = archive.get(
            first(row, "00081190").removeprefix(archive.server.root),
            'multipart/related;type="application/dicom";transfer-syntax=*',
        )
        boundary = whole.headers["content-type"].partition("boundary=")[2].split(";")[0].strip('"').encode()
        assert whole.content.count(b"--" + boundary) - 1 == first(row, "00201209")
    series = first(counted[0], SERIES)
    met = []
    for offset in range(first(counted[0], "00201209") + 1):
        met += archive.find(f"/studies/{study}/series/{series}/instances?includefield=00200013&limit=1&offset={offset}")
    assert sorted(first(row, INSTANCE) for row in met) == sorted(archive.seen[study].series[series])


# 3D Slicer's DICOMweb browser, by dicomweb-client


def test_slicer_until_an_empty_page_V7(archive: Archive) -> None:
    client = DICOMwebClient(archive.server.root)
    met: list[str] = []
    while page := client.search_for_studies(offset=len(met), fields=["StudyDescription"]):
        met += [first(row, STUDY) for row in page]
        assert len(met) <= len(archive.seen)
    assert sorted(met) == sorted(archive.seen)
    study = archive.some("MR")
    series: list[str] = []
    while page := client.search_for_series(study, offset=len(series), limit=2):
        series += [first(row, SERIES) for row in page]
    assert sorted(series) == sorted(archive.seen[study].series)
    instances: list[str] = []
    while page := client.search_for_instances(study, series[0], offset=len(instances), limit=7):
        instances += [first(row, INSTANCE) for row in page]
    assert sorted(instances) == sorted(archive.seen[study].series[series[0]])


def test_dicomweb_client_repeats_includefield_V8(archive: Archive) -> None:
    """Repeated or joined by commas, keywords or tags, any case of a tag: the same answer."""
    fields = ["StudyDescription", "00101010", "InstitutionName"]
    client = DICOMwebClient(archive.server.root)
    repeated = client.search_for_studies(fields=fields)
    for query in (
        "includefield=StudyDescription,00101010,InstitutionName",
        "includefield=0008103" + "0&includefield=PatientAge&includefield=00080080",
        "includefield=InstitutionName&includefield=StudyDescription,PatientAge",
    ):
        rows = {first(row, STUDY): row for row in archive.find(f"/studies?{query}")}
        if "00081030" in query or "StudyDescription" in query:
            assert [rows[first(row, STUDY)] for row in repeated] == repeated
    assert any("00081030" in row for row in repeated)
    upper, lower = (archive.find(f"/studies/{archive.some('CT')}/series?includefield={tag}") for tag in ("0008103E", "0008103e"))  # fmt: skip
    assert upper == lower
    assert any("0008103E" in row for row in upper)


def test_strangers_parameters_are_ignored_with_a_warning_V8(archive: Archive) -> None:
    for query in (
        "includedefaults=false",
        "includedefaults=true&foo=bar",
        "includefield=NoSuchField",
        "includefield=Rows",
    ):
        answer = archive.get(f"/studies?{query}")
        assert answer.status_code == 200
        assert len(answer.json()) == len(archive.seen)
        assert answer.headers["warning"].startswith("299 ")


# wsidicom and EZ-WSI


def test_wsidicom_V9_V10(archive: Archive) -> None:
    study = archive.some("SM")
    sop_class = "1.2.840.10008.5.1.4.1.1.77.1.6"
    rows = archive.find(
        f"/studies/{study}/instances?SOPClassUID={sop_class}&Modality=SM&includefield=AvailableTransferSyntaxUID"
    )
    wanted = {
        uid: facts["syntax"] for uid, facts in archive.seen[study].instances.items() if facts["class"] == sop_class
    }
    assert wanted
    assert {first(row, INSTANCE): first(row, "00083002") for row in rows} == wanted
    assert archive.find(f"/studies/{study}/instances?SOPClassUID=1.2.3&Modality=SM") == []


# MONAI Label


def test_monai_label_V9(archive: Archive) -> None:
    rows = archive.find("/series?Modality=CT")
    wanted = {
        series for study in archive.seen.values() for series, instances in study.series.items()
        if "CT" in {facts["modality"] for facts in instances.values()}
    }  # fmt: skip
    assert {first(row, SERIES) for row in rows} == wanted
    assert all(row.keys() >= STUDY_LEVEL | SERIES_LEVEL for row in rows)
    for series in sorted(wanted)[:3]:
        (row,) = archive.find(f"/series?SeriesInstanceUID={series}")
        assert first(row, SERIES) == series
        assert series in archive.seen[first(row, STUDY)].series


# Whoever asks


@pytest.mark.parametrize(
    "query", ["offset=999999", "PatientID=nobody%20at%20all", "StudyInstanceUID=1.2.3.4.5.6", "limit=0"]
)
def test_nothing_is_an_empty_answer_V7(archive: Archive, query: str) -> None:
    for resource in ("studies", "series", "instances"):
        assert archive.find(f"/{resource}?{query}") == []


@pytest.mark.parametrize("name", ["PatientName", "00100010", "patientname", "PATIENTNAME"])
def test_names_of_keys_in_any_case_V8(archive: Archive, name: str) -> None:
    """The standard's keywords are case-sensitive (GEN-05); who errs is told so, and gets the unfiltered list or the match."""
    answer = archive.get(f"/studies?{name}=NobodyOfThisName")
    assert answer.status_code == 204 or answer.headers["warning"].startswith("299 ")
