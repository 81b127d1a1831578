"""QIDO-RS parameters: QIDO-02..11, GEN-03..05, AMB-18, AMB-19, V8, CLI-07, T17, rows 4 to 10."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import (
    AnyOf,
    Between,
    Empty,
    Fuzzy,
    Match,
    MomentBetween,
    OneOf,
    Order,
    Universal,
    Wildcard,
)
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import cursors, parameters, query, resources

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
        "totalcount=1",
        "orderby=",
        "orderby=NoSuchKeyword",
        "orderby=Modality",
        "orderby=OtherPatientIDsSequence",
        "orderby=StudyDate,,PatientName",
        "orderby=--StudyDate",
        "orderby=" + ",".join(f"0010{number:04X}" for number in (16, 32, 33, 34, 48, 50, 64, 4096, 16384)),
        "cursor=",
        "cursor=AAAA",
        "cursor=%C3%BC",
        "cursor=" + "A" * 5000,
        "TimezoneOffsetFromUTC=UTC",
        "TimezoneOffsetFromUTC=%2B1500",
        "TimezoneOffsetFromUTC=%2B0100&00080201=%2B0100",
        "PatientSize=tall",
        "fuzzymatching=true&PatientName=%5E%5E",
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


@pytest.mark.parametrize(
    "raw",
    [
        "PatientName=" + "x" * 1025,
        "StudyInstanceUID=" + "1," * 10_001,
        "ModalitiesInStudy=" + "CT," * 101,
        "multiplevaluematching=true&ModalitiesInStudy=" + "CT," * 101,
        "&".join(f"PatientSpeciesCodeSequence.{number:08X}=1" for number in range(0x00090010, 0x00090076)),
    ],
)
def test_values_and_lists_are_bounded_T17(raw: str) -> None:
    with pytest.raises(errors.TooLarge):
        ask("/studies", raw)


def test_nul_and_surrogates_are_malformed_T17() -> None:
    for text in ("\0", "\ud800"):
        with pytest.raises(errors.Malformed):
            query.parse(resources.parse("/studies"), [("PatientID", text)])


def test_fuzzy_matching_asks_for_words_of_names_QIDO_08() -> None:
    asked = conditions_of("/studies", "fuzzymatching=true&PatientName=M%C3%BCller%5EJ%C3%B6rg&PatientID=M%C3%BC")
    assert asked == {NAME: Fuzzy(("muller", "jorg")), PATIENT_ID: OneOf(("M\u00fc",))}
    assert conditions_of("/studies", "fuzzymatching=true&PatientName=*do*%20j?hn*") == {NAME: Fuzzy(("*do", "j?hn"))}
    assert conditions_of("/studies", "fuzzymatching=true&PatientName=*%5E*") == {NAME: Universal()}
    assert conditions_of("/studies", "fuzzymatching=false&PatientName=Doe") == {NAME: OneOf(("Doe",))}


def test_empty_value_matching_QIDO_09() -> None:
    empty = "PatientID=%22%22&StudyDate=%22%22"
    assert conditions_of("/studies", f"emptyvaluematching=true&{empty}") == {PATIENT_ID: Empty(), DATE: Empty()}
    nested = "RequestAttributesSequence.ScheduledProcedureStepID=%22%22&RequestAttributesSequence=%22%22"
    assert set(conditions_of("/series", f"emptyvaluematching=true&{nested}").values()) == {Empty()}
    assert conditions_of("/instances", "emptyvaluematching=true&PixelData=%22%22") == {("7FE00010",): Empty()}
    assert conditions_of("/studies", "PatientID=%22%22") == {PATIENT_ID: OneOf(('""',))}


def test_multiple_value_matching_wants_each_value_QIDO_09() -> None:
    modalities = ("00080061",)
    both = (Match(modalities, OneOf(("CT",))), Match(modalities, OneOf(("PT",))))
    for separator in ("%5C", ","):
        raw = f"multiplevaluematching=true&ModalitiesInStudy=CT{separator}PT"
        assert ask("/studies", raw).query.matches == both
        assert conditions_of("/studies", raw.replace("true", "false")) == {modalities: OneOf(("CT", "PT"))}
    others = ask("/instances", "multiplevaluematching=true&OtherPatientNames=Doe%5CRoe,%20Jane&PatientID=A%5CB").query
    assert [match.condition for match in others.matches] == [OneOf(("Doe",)), OneOf(("Roe, Jane",)), OneOf(("A\\B",))]
    fuzzy = ask("/studies", "multiplevaluematching=true&fuzzymatching=true&OtherPatientNames=doe%5Croe").query
    assert [match.condition for match in fuzzy.matches] == [Fuzzy(("doe",)), Fuzzy(("roe",))]


@pytest.mark.parametrize(
    ("path", "raw", "key", "condition"),
    [
        ("/studies", "PatientComments=x*", ("00104000",), Wildcard("x*")),
        ("/studies", "PatientSize=1.80", ("00101020",), OneOf(("1.80",))),
        ("/series", "Manufacturer=ACME", ("00080070",), OneOf(("ACME",))),
        ("/instances", "Rows=0512", ("00280010",), OneOf(("512",))),
        ("/instances", "ImageType=ORIGINAL,DERIVED", ("00080008",), OneOf(("ORIGINAL", "DERIVED"))),
        ("/instances", "InstanceNumber=1,2", ("00200013",), OneOf(("1", "2"))),
        ("/instances", "FrameIncrementPointer=0018106a", ("00280009",), OneOf(("0018106A",))),
        ("/instances", "AcquisitionDateTime=2020-2021", ("0008002A",), Between("2020", "2021")),
        ("/instances", "00091001=x", ("00091001",), OneOf(("x",))),
        ("/instances", "60003000.PatientID=x", (), None),
        (
            "/instances",
            "ContentSequence.ConceptNameCodeSequence.CodeValue=121071",
            ("0040A730", "0040A043", "00080100"),
            OneOf(("121071",)),
        ),
    ],
)
def test_any_attribute_is_matched_where_its_level_may_be_and_returned_QIDO_04_QIDO_15(
    path: str, raw: str, key: tuple[str, ...], condition: object
) -> None:
    parsed = ask(path, raw)
    if not key:
        assert parsed.warnings
        return
    assert parsed.query.matches == (Match(key, condition),)  # type: ignore[arg-type]
    returned = any(key[0] in attributes.RETURNED[level] for level in Level if level <= parsed.query.level)
    assert parsed.query.include == (() if returned else (key,))


def test_a_private_creator_names_the_block_QIDO_05() -> None:
    parsed = ask("/instances", "00090010=ACME%201&00091001=x&includefield=00091002", strict=True)
    assert parsed.query.creators == ((("00090010",), "ACME 1"),)
    assert parsed.query.matches == (Match(("00091001",), OneOf(("x",))),)
    assert parsed.query.include == (("00091002",), ("00091001",))
    nested = ask("/instances", "00091004.00090011=ACME&00091004.00091101=x", strict=True).query
    assert nested.creators == ((("00091004", "00090011"), "ACME"),)
    alone = ask("/instances", "00090010=ACME", strict=True).query
    assert alone.matches == (Match(("00090010",), OneOf(("ACME",))),)
    wanted = ask("/instances", "00090010=ACME&includefield=00091002").query
    assert wanted.matches == ()
    assert wanted.creators == ((("00090010",), "ACME"),)


def test_order() -> None:
    parsed = ask("/series", "orderby=-StudyDate,patientname&orderby=00200011,RequestAttributesSequence.00400009")
    assert parsed.query.order == (
        Order(DATE, descending=True),
        Order(NAME),
        Order(("00200011",)),
        Order(("00400275", "00400009")),
    )
    assert ask("/studies", "orderby=StudyDate,-StudyDate").query.order == (Order(DATE),)


def test_a_cursor_belongs_to_its_question() -> None:
    first = ask("/studies", "PatientName=Doe*&limit=5").query
    cursor = cursors.format_cursor(first, "2020|17 ü")
    assert cursor.isascii()
    assert (
        ask("/studies", f"PatientName=Doe*&limit=7&offset=2&cursor={cursor}&includefield=all").query.after
        == "2020|17 ü"
    )
    for raw in ("PatientName=Do*", "", "PatientName=Doe*&orderby=StudyDate", "PatientName=Doe*&PatientID=1"):
        with pytest.raises(errors.Malformed):
            ask("/studies", f"{raw}&cursor={cursor}")
    with pytest.raises(errors.Malformed):
        ask("/series", f"PatientName=Doe*&cursor={cursor}")


@given(st.text(min_size=1, max_size=40), st.text("abcdefgABC-_=0+/%ü", max_size=30))
def test_cursors_are_read_back_and_forged_ones_are_malformed(place: str, forged: str) -> None:
    asked = ask("/studies", "PatientName=Doe*").query
    if place.isprintable():
        assert cursors.parse_cursor(asked, cursors.format_cursor(asked, place)) == place
    with pytest.raises(errors.Malformed):
        cursors.parse_cursor(asked, forged)


def test_the_zone_of_the_dates_QIDO_07() -> None:
    for raw in ("00080201=%2B0100", "TimezoneOffsetFromUTC=+0100"):
        parsed = ask("/studies", f"{raw}&StudyDate=20200101").query
        assert parsed.timezone == "+0100"
        assert [match.path for match in parsed.matches] == [DATE]
    assert ask("/studies", "TimezoneOffsetFromUTC=-0330").query.timezone == "-0330"
    unsaid = ask("/studies", "TimezoneOffsetFromUTC=%22%22&emptyvaluematching=true").query
    assert (unsaid.timezone, unsaid.matches) == (None, (Match(("00080201",), Empty()),))
    wanted = ask("/studies", "TimezoneOffsetFromUTC=").query
    assert (wanted.timezone, wanted.include) == (None, (("00080201",),))


def test_total_count() -> None:
    assert ask("/studies", "totalcount=true").query.is_counted
    assert not ask("/studies", "totalcount=false").query.is_counted


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
        ("/studies/1.2/series", "PatientComments=x", "Ignored, not matched by this resource: PatientComments"),
        ("/series", "00091001=x", "Ignored, not matched by this resource: 00091001"),
        ("/instances", "PixelData=x", "Ignored, not matched by this resource: PixelData"),
        ("/instances", "ContentSequence=x", "Ignored, not matched by this resource: ContentSequence"),
        ("/studies", "SpecificCharacterSet=x", "Ignored, not matched by this resource: SpecificCharacterSet"),
        ("/studies", "00080429=5", "Ignored, not matched by this resource: MaximumNumberOfRecords"),  # QIDO-20
        ("/instances", "0008041C=x", "Ignored, not matched by this resource: PriorRecordKey"),
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
    assert ask("/studies", "accept=application/dicom%2Bjson&charset=utf-8", strict=True).warnings == ()


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


def test_the_longest_place_that_an_index_gives_is_taken_back() -> None:
    first = ask("/studies", "PatientName=Doe*").query
    place = "x" * 8192
    assert cursors.parse_cursor(first, cursors.format_cursor(first, place)) == place
