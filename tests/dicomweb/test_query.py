"""QIDO-RS parameters: QIDO-02..11, GEN-03..05, AMB-18, AMB-19, V8, CLI-07, T17, rows 4 to 10."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AnyOf, Between, Match, MomentBetween, OneOf, Universal, Wildcard
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import parameters, query, resources

NAME, PATIENT_ID, DATE, TIME, STUDY = ("00100010",), ("00100020",), ("00080020",), ("00080030",), ("0020000D",)


def ask(path: str, raw: str = "", **settings: object) -> query.Parsed:
    return query.parse(resources.parse(path), parameters.parse(raw), **settings)  # type: ignore[arg-type]


def conditions_of(path: str, raw: str) -> dict[tuple[str, ...], object]:
    parsed = ask(path, raw)
    assert parsed.warnings == ()
    return {match.path: match.condition for match in parsed.query.matches}


def test_what_ohif_asks_CLI07() -> None:
    raw = (
        "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
        "&PatientName=*doe*&00100020=X1&ModalitiesInStudy=CT,MR&StudyDate=20200101-20201231"
    )
    parsed = ask("/studies", raw)
    assert parsed.query.level is Level.STUDY
    assert (parsed.query.limit, parsed.query.offset) == (101, 0)
    assert parsed.query.matches == (
        Match(NAME, Wildcard("*doe*")),
        Match(PATIENT_ID, OneOf(("X1",))),
        Match(("00080061",), OneOf(("CT", "MR"))),
        Match(DATE, Between("20200101", "20201231")),
    )
    assert parsed.query.include == (("00081030",), ("00080090",), ("00100030",))
    assert parsed.warnings == ("Ignored, of a lower level than the answers: Modality",)  # row 10, QIDO-10


def test_scope_and_relation_follow_the_path_QIDO04() -> None:
    assert ask("/studies/1.2/series").query.scope == Target("1.2")
    assert not ask("/studies/1.2/series").query.relational
    parsed = ask("/studies/1.2/instances", "Modality=SM&SOPClassUID=1.2.3").query
    assert parsed.relational
    assert [match.path for match in parsed.matches] == [("00080060",), ("00080016",)]
    assert ask("/series", "Modality=SM&StudyInstanceUID=1.2").query.matches[1] == Match(STUDY, OneOf(("1.2",)))


@pytest.mark.parametrize(
    "raw",
    ["StudyInstanceUID=1.2,1.3", "0020000d=1.2%5C1.3", "studyinstanceuid=1.2,%201.3,", "StudyInstanceUID=1.2%5C%5C1.3"],
)
def test_lists_of_uids_by_keyword_or_tag_in_any_case_row7_V8(raw: str) -> None:
    assert conditions_of("/studies", raw) == {STUDY: OneOf(("1.2", "1.3"))}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("PatientName=Doe%5EJohn", OneOf(("Doe^John",))),
        ("PatientName=Doe,%20John", OneOf(("Doe, John",))),
        ("PatientName=D?e*", Wildcard("D?e*")),
        ("PatientName=", Universal()),
        ("PatientName", Universal()),
        ("PatientName=%20*%20", Universal()),
        ("PatientID=A%5CB", OneOf(("A\\B",))),
        ("PatientID=%20%25_%20", OneOf(("%_",))),
        ("ModalitiesInStudy=C*", Wildcard("C*")),
        ("ModalitiesInStudy=CT%5CMR", OneOf(("CT", "MR"))),
        ("ModalitiesInStudy=CT,M*,CT", AnyOf((OneOf(("CT",)), Wildcard("M*")))),
        ("ModalitiesInStudy=CT,*", Universal()),
        ("StudyDate=20200229", OneOf(("20200229",))),
        ("StudyDate=2020.02.29", OneOf(("20200229",))),
        ("StudyDate=20200101-", Between("20200101", None)),
        ("StudyDate=-20200101", Between(None, "20200101")),
        ("StudyDate=2020.01.01-2020.12.31", Between("20200101", "20201231")),
        ("StudyTime=10", Between("10", "10")),
        ("StudyTime=1000-1130", Between("1000", "1130")),
        ("StudyTime=10:00:30-", Between("100030", None)),
        ("StudyTime=-235960.5", Between(None, "235960.5")),
    ],
)
def test_single_wildcard_range_and_universal_matching_QIDO06(raw: str, expected: object) -> None:
    assert list(conditions_of("/studies", raw).values()) == [expected]


def test_numbers_are_compared_as_numbers() -> None:
    assert conditions_of("/instances", "InstanceNumber=007") == {("00200013",): OneOf(("7",))}
    assert conditions_of("/series", "SeriesNumber=-3") == {("00200011",): OneOf(("-3",))}


def test_an_attribute_without_value_is_wanted_QIDO06() -> None:
    parsed = ask("/studies", "PatientName=&PatientComments=")
    assert parsed.query.matches == (Match(NAME, Universal()),)
    assert parsed.query.include == (NAME, ("00104000",))
    assert parsed.warnings == ()


def test_nested_keys_row9_QIDO06() -> None:
    raw = "RequestAttributesSequence.ScheduledProcedureStepID=S1&00400275.RequestedProcedureID=R*"
    assert conditions_of("/series", raw) == {
        ("00400275", "00400009"): OneOf(("S1",)),
        ("00400275", "00401001"): Wildcard("R*"),
    }


@pytest.mark.parametrize(
    ("dates", "times", "low", "high"),
    [
        ("20200101-20200102", "1000-0900", "20200101100000.000000", "20200102090059.999999"),
        ("20200101-", "10-", "20200101100000.000000", None),
        ("-20200102", "-1130", None, "20200102113059.999999"),
        ("20200101-20200102", "-0900", "20200101000000.000000", "20200102090059.999999"),
        ("20200101-20200102", "101530.5-", "20200101101530.500000", "20200102235959.999999"),
        ("20200101-20200102", "1000-101530.25", "20200101100000.000000", "20200102101530.259999"),
    ],
)
def test_a_date_range_and_a_time_range_are_one_row8_QIDO07(dates: str, times: str, low: str, high: str) -> None:
    expected = MomentBetween(TIME, low, high)
    assert conditions_of("/studies", f"StudyDate={dates}&StudyTime={times}") == {DATE: expected}
    assert conditions_of("/studies", f"StudyTime={times}&00080020={dates}") == {DATE: expected}
    steps = f"PerformedProcedureStepStartDate={dates}&PerformedProcedureStepStartTime={times}"
    assert conditions_of("/series", steps) == {("00400244",): MomentBetween(("00400245",), low, high)}


def test_a_single_date_with_a_range_of_times_stays_two_conditions() -> None:
    assert conditions_of("/studies", "StudyDate=20200101&StudyTime=1000-1100") == {
        DATE: OneOf(("20200101",)),
        TIME: Between("1000", "1100"),
    }
    assert conditions_of("/studies", "StudyDate=20200101-&StudyTime=1000") == {
        DATE: Between("20200101", None),
        TIME: Between("1000", "1000"),
    }


@pytest.mark.parametrize(
    "raw",
    [
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1.5",
        "limit=1&limit=2",
        "offset=-1",
        "offset=%C2%B2",
        "limit=" + "9" * 5000,
        "fuzzymatching=maybe",
        "fuzzymatching=",
        "fuzzymatching=TRUE",
        "emptyvaluematching=1",
        "multiplevaluematching=no",
        "fuzzymatching=true&fuzzymatching=true",
        "PatientName=a&PatientName=b",
        "PatientName=a&00100010=b",
        "StudyInstanceUID=x",
        "StudyInstanceUID=1.2,x",
        "StudyInstanceUID=,",
        "StudyInstanceUID=1.*",
        "StudyDate=2020",
        "StudyDate=20200230",
        "StudyDate=20200101-2020",
        "StudyDate=-",
        "StudyDate=2020-01-01",
        "StudyDate=2020.0101",
        "StudyDate=%22%22",
        "StudyTime=25",
        "StudyTime=1",
        "StudyTime=10*",
    ],
)
def test_bad_values_of_known_parameters_are_malformed_rows4_6_GEN03(raw: str) -> None:
    with pytest.raises(errors.Malformed) as caught:
        ask("/studies", raw)
    assert "20200230" not in caught.value.message


def test_a_message_names_the_attribute_and_never_the_value() -> None:
    with pytest.raises(errors.Malformed, match=r"^StudyDate: expected a date") as caught:
        ask("/studies", "00080020=Doe")
    assert "Doe" not in caught.value.message


@pytest.mark.parametrize("raw", ["PatientName=" + "x" * 1025, "StudyInstanceUID=" + "1," * 10_001])
def test_values_and_lists_are_bounded_T17(raw: str) -> None:
    with pytest.raises(errors.TooLarge):
        ask("/studies", raw)


def test_nul_and_surrogates_are_malformed_T17() -> None:
    for text in ("\0", "\ud800"):
        with pytest.raises(errors.Malformed):
            query.parse(resources.parse("/studies"), [("PatientID", text)])


def test_what_is_not_performed_is_said_in_the_standards_words_QIDO08() -> None:
    raw = "fuzzymatching=true&emptyvaluematching=true&multiplevaluematching=true&PatientID=%22%22&StudyDate=%22%22"
    parsed = ask("/studies", raw, strict=True)
    assert parsed.warnings == (
        "The fuzzymatching parameter is not supported. Only literal matching has been performed.",
        "The emptyvaluematching parameter is not supported. Empty Value Matching has not been performed.",
        "The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed.",
    )
    assert [match.condition for match in parsed.query.matches] == [Universal(), Universal()]
    assert ask("/studies", "fuzzymatching=false").warnings == ()
    assert conditions_of("/studies", "PatientID=%22%22") == {PATIENT_ID: OneOf(('""',))}


@pytest.mark.parametrize(
    ("path", "raw", "said"),
    [
        ("/studies", "NoSuchKeyword=1", "Ignored, not a parameter or attribute that is known: NoSuchKeyword"),
        (
            "/studies",
            "includedefaults=true&%0=x",
            "Ignored, not a parameter or attribute that is known: includedefaults, parameter 2",
        ),
        ("/studies", "Doe%5EJohn=1", "Ignored, not a parameter or attribute that is known: parameter 1"),
        ("/studies", "Modality=CT", "Ignored, not matched by this resource: Modality"),
        ("/studies", "PatientComments=x", "Ignored, not matched by this resource: PatientComments"),
        (
            "/studies/1.2/series",
            "PatientName=x&00080020=2",
            "Ignored, not matched by this resource: PatientName, StudyDate",
        ),
        ("/studies/1/series/2/instances", "Modality=CT", "Ignored, not matched by this resource: Modality"),
        ("/studies", "includefield=Foo,Bar&includefield=Foo", "Ignored, not an attribute that is known: Foo, Bar"),
        (
            "/studies/1/series",
            "includefield=SOPInstanceUID",
            "Ignored, of a lower level than the answers: SOPInstanceUID",
        ),
    ],
)
def test_what_is_not_supported_is_left_out_with_a_warning_or_refused_row5_V8_AMB18(
    path: str, raw: str, said: str
) -> None:
    parsed = ask(path, raw)
    assert parsed.warnings == (said,)
    assert parsed.query.matches == ()
    assert parsed.query.include == ()
    with pytest.raises(errors.Malformed, match=said.removeprefix("Ignored, ").partition(":")[0]):
        ask(path, raw, strict=True)


def test_strict_takes_keywords_in_their_own_case_only_GEN04() -> None:
    assert ask("/studies", "patientname=x").warnings == ()
    with pytest.raises(errors.Malformed):
        ask("/studies", "patientname=x", strict=True)


def test_fields_repeated_joined_nested_and_all_QIDO10() -> None:
    parsed = ask(
        "/instances", "includefield=PatientName,%20Rows&includefield=00400275.00400009&includefield=patientname"
    )
    assert parsed.query.include == (NAME, ("00280010",), ("00400275", "00400009"))
    assert not parsed.query.include_all
    assert ask("/studies", "includefield=all").query.include_all
    assert (
        ask("/studies", "includefield=RetrieveURL,ModalitiesInStudy,00201208,NumberOfStudyRelatedInstances").warnings
        == ()
    )


def test_limits_QIDO16_V7() -> None:
    assert ask("/studies").query.limit is None
    assert ask("/studies", default_limit=100, most=1000).query.limit == 100
    assert ask("/studies", "limit=5000", default_limit=100, most=1000).query.limit == 1000
    assert ask("/studies", "limit=0&offset=7", most=1000).query.limit == 0
    assert ask("/studies", "offset=7").query.offset == 7


def test_accept_is_none_of_our_business_V1() -> None:
    assert ask("/studies", "accept=application/dicom%2Bjson", strict=True).warnings == ()


@pytest.mark.parametrize(
    ("level", "path"), [(Level.STUDY, "/studies"), (Level.SERIES, "/series"), (Level.INSTANCE, "/instances")]
)
def test_every_required_key_is_matched_QIDO03(level: Level, path: str) -> None:
    for key in attributes.MATCHING_KEYS[level]:
        for name in (attributes.format_path(key), ".".join(key)):
            assert [match.path for match in ask(path, f"{name}=", strict=True).query.matches] == [key]


NAMES = st.sampled_from(
    [
        "PatientName",
        "StudyDate",
        "StudyTime",
        "limit",
        "includefield",
        "StudyInstanceUID",
        "00080061",
        "Foo",
        "fuzzymatching",
    ]
) | st.text(max_size=9)


@given(
    st.sampled_from(["/studies", "/instances", "/studies/1/series"]),
    st.lists(st.tuples(NAMES, st.text(max_size=12)), max_size=5),
)
def test_any_parameters_are_a_query_or_a_fault_of_the_caller(path: str, pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(errors.Malformed, errors.TooLarge):
        query.parse(resources.parse(path), pairs)


DATES = st.dates(min_value=dt.date(1000, 1, 1)).map(lambda day: day.strftime("%Y%m%d"))
TIMES = st.times().map(lambda time: time.strftime("%H%M%S.%f"))


@given(st.none() | DATES, st.none() | DATES, st.none() | TIMES, st.none() | TIMES)
def test_ranges_read_back_what_was_written(
    first: str | None, last: str | None, start: str | None, end: str | None
) -> None:
    if first or last:
        assert conditions_of("/studies", f"StudyDate={first or ''}-{last or ''}") == {DATE: Between(first, last)}
    if start or end:
        assert conditions_of("/studies", f"StudyTime={start or ''}-{end or ''}") == {TIME: Between(start, end)}
    if first and last and start and end:
        joined = conditions_of("/studies", f"StudyDate={first}-{last}&StudyTime={start}-{end}")
        assert joined == {DATE: MomentBetween(TIME, first + start, last + end)}
