"""The whole archive against the definition: whatever is asked, the index finds what `dicom.matcher` says (QIDO-06)."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from dicomgate import assembly, config, errors
from dicomgate.dicom import matcher
from dicomgate.dicom.matching import Match
from dicomgate.dicomweb import query, resources
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

NAMES = [
    "Doe^John",
    "DOE^JANE^^Dr",
    "Müller^Jörg",
    "Smith-Jones^Mary Ann",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "Łukasz^Øre",
    "doe",
    "",
    "O'Neil^Åsa",
]
DATES = ["20200101", "20200102", "20191231", "2020.01.02", "", "20200229"]
TIMES = ["0000", "093000", "093000.5", "23", "235959.999999", ""]
ZONES = ["", "+0100", "-0500", ""]
MODALITIES = ["CT", "MR", "SR", "MG"]
COMMENTS = ["", "plain", "two words", "100%", "a_b", "[x]", "Ünïcödé", "plain\\text"]


class Stored:
    """An archive, and what is stored in it, as data sets."""

    def __init__(self, application: Any, datasets: list[dict[str, Any]]) -> None:
        self.application = application
        self.datasets = datasets


def describe(number: int) -> dict[str, Any]:
    """A study of one instance, each attribute in a rhythm of its own."""

    def pick(values: list[Any], step: int) -> Any:
        return values[number * step // 3 % len(values)]

    item, other = Dataset(), Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = pick(["S1", "S2", ""], 2), pick(["R1", "", "R2"], 5)
    other.ScheduledProcedureStepID, other.RequestedProcedureID = pick(["S2", "S1"], 3), pick(["", "R1"], 2)
    return {
        "PatientName": pick(NAMES, 3),
        "PatientID": f"P{number % 7}",
        "StudyDate": pick(DATES, 5),
        "StudyTime": pick(TIMES, 4),
        "TimezoneOffsetFromUTC": pick(ZONES, 7) or None,
        "AccessionNumber": pick(["A1", "a1", "", "A*", "A"], 7),
        "Modality": pick(MODALITIES, 2),
        "SeriesNumber": pick([1, 7, 42, None], 4),
        "SeriesDescription": pick(COMMENTS, 5),
        "PatientComments": pick(COMMENTS, 3),
        "PatientSize": pick([1.8, 1.75, None], 7),
        "OtherPatientNames": pick([["Doe^John", "Roe^Jane"], ["Other"], None], 2),
        "RequestAttributesSequence": pick([[item], [item, other], []], 4),
        "ImageType": pick([["ORIGINAL", "PRIMARY"], ["DERIVED", "", "AXIAL"], ["ORIGINAL"]], 2),
        "InstanceNumber": number % 5,
        "AcquisitionDateTime": pick(["20200101093000", "20200101093000+0100", "2020", None], 3),
    }


def make(number: int) -> bytes:
    described = {keyword: value for keyword, value in describe(number).items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that old equipment writes
        content = instances.make(attributes=described)
    dataset = pydicom.dcmread(io.BytesIO(content))
    if number % 3 == 0:
        dataset.private_block(0x0009, "FILLER", create=True).add_new(0x01, "LO", "ours")
    if number % 2 == 0:
        dataset.private_block(0x0009, "ACME", create=True).add_new(0x01, "LO", ["ours", "theirs"][number // 2 % 2])
    return instances.write(dataset, dataset.file_meta.TransferSyntaxUID)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    application = assembly.application(config.Settings(), data=tmp_path_factory.mktemp("defined"))
    with serving(application) as served:
        for number in range(60):
            fields = {"Content-Type": "application/dicom"}
            assert served.ask("POST", "/dicomweb/studies", fields, make(number)).status == 200
        found = json.loads(served.ask("GET", "/dicomweb/studies", {"Accept": "*/*"}).body)
        uids = [row["0020000D"]["Value"][0] for row in found]
        texts = [served.ask("GET", f"/dicomweb/studies/{uid}/metadata", {"Accept": "*/*"}).body for uid in uids]
        datasets = [json.loads(text)[0] for text in texts]
        for dataset in datasets:
            dataset["00080061"] = {"vr": "CS", "Value": dataset["00080060"]["Value"]}
        yield Stored(application, datasets)


def values(*texts: str) -> st.SearchStrategy[str]:
    wild = st.sampled_from(texts).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.integers(0, len(text)), st.sampled_from("*?")).map(
            lambda cut: text[: min(cut[:2])] + cut[2] + text[max(cut[:2]) :]
        )
    )
    return st.sampled_from([*texts, "", "*", '""', "no such"]) | wild


def ranges(*texts: str) -> st.SearchStrategy[str]:
    ends = st.sampled_from(["", *texts])
    return st.tuples(ends, ends).map("-".join) | st.sampled_from([*texts, '""'])


KEYS: dict[str, st.SearchStrategy[str]] = {
    "PatientName": values(*filter(None, NAMES), "muller^*", "山田*", "john doe", "mary", "*=山田*", "o neil"),
    "PatientID": values("P1", "P2", "p1"),
    "StudyDate": ranges("20200101", "20200102", "20191231", "2020.01.02"),
    "StudyTime": ranges("0000", "0930", "09:30:00.5", "23", "235959"),
    "AccessionNumber": values("A1", "a1", "A"),
    "ModalitiesInStudy": values("CT", "CT,MR", "M*,SR", "CT\\MR"),
    "PatientComments": values(*filter(None, COMMENTS)),
    "PatientSize": st.sampled_from(["1.80", "175e-2", "2", '""']),
    "OtherPatientNames": values("Doe^John", "Roe^Jane\\Doe^John", "jane", "doe roe"),
    "StudyInstanceUID": st.just("1.2.3") | st.just(""),
}
LOWER: dict[str, st.SearchStrategy[str]] = {
    "Modality": values("CT", "CT,MR", "M*"),
    "SeriesNumber": st.sampled_from(["1", "007", "42", "8", '""', "1,42"]),
    "SeriesDescription": values(*filter(None, COMMENTS)),
    "RequestAttributesSequence.ScheduledProcedureStepID": values("S1", "S2"),
    "RequestAttributesSequence.RequestedProcedureID": values("R1", "R2"),
    "ImageType": values("ORIGINAL", "AXIAL", "ORIGINAL\\PRIMARY"),
    "InstanceNumber": st.sampled_from(["1", "+2", "3,4", '""']),
    "AcquisitionDateTime": ranges("20200101093000", "20200101083000+0000", "2020"),
    "00091001": values("ours", "theirs"),
}
CONTROLS = st.fixed_dictionaries(
    {},
    optional={
        "fuzzymatching": st.sampled_from(["true", "false"]),
        "emptyvaluematching": st.just("true"),
        "multiplevaluematching": st.just("true"),
        "TimezoneOffsetFromUTC": st.sampled_from(["+0000", "+0100", "-0500"]),
        "00090010": st.just("ACME"),
    },
)


def questions(keys: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[dict[str, str]]:
    return st.lists(st.sampled_from(sorted(keys)), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: keys[name] for name in names})
    )


def check(stored: Stored, path: str, question: dict[str, str]) -> None:
    parsed = None
    with contextlib.suppress(errors.Malformed, errors.TooLarge):
        parsed = query.parse(resources.parse(path), list(question.items()), default_limit=1000, most=1000)
    if parsed is None:
        return
    asked = parsed.query
    found = stored.application._door.origin.search.search(asked)
    tag = {"/studies": "0020000D", "/series": "0020000E", "/instances": "00080018"}[path]
    seen = [row[tag]["Value"][0] for row in found.datasets]
    expected = {
        dataset[tag]["Value"][0]
        for dataset in stored.datasets
        if matcher.matches(dataset, asked.matches, creators=asked.creators, timezone=asked.timezone)
    }
    assert set(seen) == expected, describe_difference(asked.matches, stored.datasets, tag, set(seen) ^ expected)
    assert len(seen) == len(expected)


def describe_difference(matches: tuple[Match, ...], datasets: list[dict[str, Any]], tag: str, uids: set[str]) -> str:
    first = next(dataset for dataset in datasets if dataset[tag]["Value"][0] in uids)
    shown = {path[0]: first.get(path[0]) for path in [*(match.path for match in matches), ("00080030",), ("00080201",)]}
    return f"{matches} on {shown}"


FREELY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FREELY
@given(questions(KEYS), CONTROLS)
def test_studies_are_found_as_defined(stored: Stored, keys: dict[str, str], controls: dict[str, str]) -> None:
    check(stored, "/studies", {**keys, **controls})


@FREELY
@given(st.sampled_from(["/series", "/instances"]), questions(KEYS), questions(LOWER), CONTROLS)
def test_series_and_instances_are_found_as_defined(
    stored: Stored,
    path: str,
    keys: dict[str, str],
    lower: dict[str, str],
    controls: dict[str, str],
) -> None:
    check(stored, path, {**keys, **lower, **controls})
