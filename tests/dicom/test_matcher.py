"""What each condition means on one data set: PS3.4 C.2.2.2, QIDO-05 to -09 (the definition for every index)."""

from __future__ import annotations

import base64
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import attributes, conditions, matcher, person_names
from dicomgate.dicom.matching import (
    AnyOf,
    Between,
    Condition,
    Empty,
    Fuzzy,
    Match,
    MomentBetween,
    OneOf,
    Universal,
    Wildcard,
)


def path(text: str) -> tuple[str, ...]:
    found = attributes.parse_path(text)
    assert found is not None
    return found


def value(keyword: str, *values: Any, vr: str | None = None) -> dict[str, Any]:
    (tag,) = path(keyword)
    return {tag: {"vr": vr or attributes.vr(tag), **({"Value": list(values)} if values else {})}}


def holds(dataset: dict[str, Any], **keys: Condition | str) -> bool:
    """Keys by keyword, `__` in place of a dot; texts are read as a question would read them."""
    found = []
    for name, condition in keys.items():
        where = path(name.replace("__", "."))
        is_text = isinstance(condition, str)
        found.append(Match(where, conditions.parse(attributes.vr(where[-1]), condition) if is_text else condition))
    return matcher.matches(dataset, found)


def name(alphabetic: str, ideographic: str = "", phonetic: str = "") -> dict[str, Any]:
    groups = {"Alphabetic": alphabetic, "Ideographic": ideographic, "Phonetic": phonetic}
    return value("PatientName", {group: text for group, text in groups.items() if text})


# Single values, wildcards, lists.


@pytest.mark.parametrize(
    ("keyword", "stored", "asked", "expected"),
    [
        ("PatientID", ["A1"], "A1", True),
        ("PatientID", ["A1"], "a1", False),  # case counts
        ("PatientID", ["A1"], "A", False),
        ("PatientID", ["A1"], "A*", True),
        ("PatientID", ["A1"], "a*", False),
        ("PatientID", ["100%"], "100%", True),
        ("PatientID", ["1000"], "100%", False),
        ("PatientID", [], "*", True),
        ("PatientID", [], "?*", False),
        ("ImageType", ["ORIGINAL", "PRIMARY"], "PRIMARY", True),
        ("ImageType", ["ORIGINAL", None], "PRIM*", False),
        ("ModalitiesInStudy", ["CT", "MR"], "M?", True),
        ("SOPInstanceUID", ["1.2.3"], "1.2,1.2.3", True),
        ("SOPInstanceUID", ["1.2.3"], "1.2\\1.2.4", False),
        ("PatientAge", ["032Y"], "032Y", True),
        ("FrameIncrementPointer", ["00181063", "0018106A"], "0018106a", True),
        ("RetrieveURL", ["http://a/b?c"], "http://a/*", True),
        ("AdditionalPatientHistory", ["long text\r\nof lines"], "*text*lines", True),
        ("InstanceNumber", [7], "+007", True),
        ("InstanceNumber", ["7"], "7", True),
        ("InstanceNumber", [70], "7", False),
        ("SliceThickness", [1.5], "1.50", True),
        ("SliceThickness", ["1.5"], "15e-1", True),
        ("SliceThickness", [None, 2], "2.0", True),
        ("Rows", [512], "512", True),
        ("SmallestImagePixelValue", [-1], "-1", True),
        ("RecommendedDisplayFrameRateInFloat", [0.10000000149011612], "0.1", True),
        ("EventTimeOffset", [0.1], "0.1", True),
        ("FileOffsetInContainer", ["18446744073709551615"], "18446744073709551615", True),
        ("FileOffsetInContainer", [9007199254740992], "9007199254740993", False),
    ],
)
def test_values_by_their_representation_QIDO_06(keyword: str, stored: list[Any], asked: str, expected: bool) -> None:
    keyword = {"EventTimeOffset": "RealWorldValueSlope", "FileOffsetInContainer": "ExtendedOffsetTable"}.get(
        keyword, keyword
    )
    if keyword in ("ExtendedOffsetTable", "RecommendedDisplayFrameRateInFloat"):
        (tag,) = path("SelectorUVValue" if keyword == "ExtendedOffsetTable" else "SelectorFLValue")
    else:
        (tag,) = path(keyword)
    dataset = {tag: {"vr": attributes.vr(tag), "Value": stored}}
    key = Match((tag,), conditions.parse(attributes.vr(tag), asked))
    assert matcher.matches(dataset, [key]) == expected
    assert not matcher.matches({}, [key]) or key.condition == Universal()


def test_universal_matching_holds_for_everything_QIDO_06() -> None:
    assert holds({}, PatientID=Universal(), RequestAttributesSequence__RequestedProcedureID=Universal())


def test_several_values_at_once_multiplevaluematching_QIDO_09() -> None:
    both = conditions.parse_all("CS", "CT\\PT")
    keys = [Match(path("ModalitiesInStudy"), condition) for condition in both]
    assert matcher.matches(value("ModalitiesInStudy", "PT", "SR", "CT"), keys)
    assert not matcher.matches(value("ModalitiesInStudy", "CT", "SR"), keys)


def test_any_of_several_conditions_AMB_19() -> None:
    asked = AnyOf((OneOf(("CT",)), Wildcard("M?"), Between("20200101", None)))
    for modality, expected in (("CT", True), ("MG", True), ("US", False)):
        assert holds(value("Modality", modality), Modality=asked) == expected


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (None, True),
        ({"vr": "LO"}, True),
        ({"vr": "LO", "Value": []}, True),
        ({"vr": "LO", "Value": [None, ""]}, True),
        ({"vr": "LO", "Value": [None, "x"]}, False),
        ({"vr": "LO", "BulkDataURI": "/a"}, False),
        ({"vr": "UN", "InlineBinary": "AA=="}, False),
        ({"vr": "UN", "InlineBinary": ""}, True),
    ],
)
def test_empty_values_QIDO_09(element: dict[str, Any] | None, expected: bool) -> None:
    dataset = {} if element is None else {"00100020": element}
    assert holds(dataset, PatientID=Empty()) == expected


def test_empty_names_and_sequences() -> None:
    assert holds(value("PatientName", {}), PatientName=Empty())
    assert not holds(name("", "山田"), PatientName=Empty())
    assert holds(value("RequestAttributesSequence"), RequestAttributesSequence=Empty())
    assert not holds(value("RequestAttributesSequence", {}), RequestAttributesSequence=Empty())


# Sequences.

STEPS = value(
    "RequestAttributesSequence",
    {**value("ScheduledProcedureStepID", "S1"), **value("RequestedProcedureID", "R1")},
    {**value("ScheduledProcedureStepID", "S2")},
    None,
)


def step(**keys: str | Condition) -> bool:
    return holds(STEPS, **{f"RequestAttributesSequence__{keyword}": key for keyword, key in keys.items()})


def test_row_9_keys_of_a_sequence_hold_within_one_item_QIDO_06() -> None:
    assert step(ScheduledProcedureStepID="S1", RequestedProcedureID="R*")
    assert step(ScheduledProcedureStepID="S2")
    assert not step(ScheduledProcedureStepID="S2", RequestedProcedureID="R1")
    assert step(ScheduledProcedureStepID="S2", RequestedProcedureID=Empty())
    assert not step(ScheduledProcedureStepID="S1", RequestedProcedureID=Empty())
    assert holds({}, RequestAttributesSequence__RequestedProcedureID=Empty())
    assert not holds({}, RequestAttributesSequence__RequestedProcedureID="R1")


def test_sequences_in_sequences() -> None:
    def code(meaning: str) -> dict[str, Any]:
        return value("ConceptNameCodeSequence", value("CodeMeaning", meaning))

    content = value(
        "ContentSequence",
        {**code("Finding"), **value("ContentSequence", {**code("Size"), **value("ValueType", "NUM")})},
        {**code("Other"), **value("ContentSequence", {**code("Size"), **value("ValueType", "TEXT")})},
    )
    outer, inner = "ContentSequence__ConceptNameCodeSequence__CodeMeaning", "ContentSequence__ContentSequence__"
    assert holds(content, **{outer: "Finding", inner + "ValueType": "NUM"})
    assert not holds(content, **{outer: "Other", inner + "ValueType": "NUM"})
    size = {inner + "ConceptNameCodeSequence__CodeMeaning": "Size"}
    assert holds(content, **size, **{inner + "ValueType": "TEXT", outer: "Other"})
    found = matcher.find_elements(content, path("ContentSequence.ContentSequence.ValueType"))
    assert [element["Value"] for element in found] == [["NUM"], ["TEXT"]]


# Person names.


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Müller^Jörg", True),
        ("MULLER^JORG", True),
        ("muller^jorg^^", True),
        ("Müller", False),
        ("Mü*", True),
        ("müller^*", True),
        ("Müller^Jörg^*", True),
        ("*jörg", True),
        ("ミュラー^ヨルク", True),
        ("ミュ*", True),
        ("Muller^Jorg=ミュラー^ヨルク", True),
        ("Muller^Jorg=*=みゅらー*", True),
        ("Muller^Jorg=山田*", False),
        ("*=*", True),
        ("M?ller*", True),
        ("Jörg*", False),
    ],
)
def test_names_are_folded_in_all_groups_QIDO_06(asked: str, expected: bool) -> None:
    assert holds(name("Müller^Jörg", "ミュラー^ヨルク", "みゅらー^よるく"), PatientName=asked) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("jorg muller", True),
        ("MÜLL^jö", True),
        ("uller", False),
        ("*uller", True),
        ("*uller jor*", True),
        ("m?ll", True),
        ("muller hans", False),
        ("山 muller", True),
        ("やま", True),
        ("O'Neil Smith-Jones", False),
    ],
)
def test_fuzzy_words_in_any_order_of_any_group_QIDO_08(asked: str, expected: bool) -> None:
    dataset = name("Müller^Jörg^Maria", "山田^太郎", "やまだ^たろう")
    assert holds(dataset, PatientName=conditions.parse("PN", asked, is_fuzzy=True)) == expected


def test_fuzzy_words_hold_within_one_name() -> None:
    dataset = value("OtherPatientNames", {"Alphabetic": "Doe^John"}, {"Alphabetic": "Roe^Jane"})
    assert holds(dataset, OtherPatientNames=Fuzzy(("john", "doe")))
    assert not holds(dataset, OtherPatientNames=Fuzzy(("john", "roe")))


# Dates, times, zones.

STUDY = {**value("StudyDate", "20200102"), **value("StudyTime", "0930")}


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("20200102", "09", True),
        ("20200102", "0930", True),
        ("20200102", "093000.5", False),
        ("2020.01.02", "09:30", True),
        ("20200101-20200102", "0930-", True),
        ("-20200101", "", False),
        ("20200103-", "", False),
        ("20200102-", "", True),
        ("20200102-20200102", "1000-", False),
        ("", "-0930", True),
    ],
)
def test_dates_and_times_by_their_meaning_QIDO_06(date: str, time: str, expected: bool) -> None:
    assert holds(STUDY, StudyDate=date, StudyTime=time) == expected
    old = {**value("StudyDate", "2020.01.02"), **value("StudyTime", "09:30")}
    assert holds(old, StudyDate=date, StudyTime=time) == expected


def test_an_open_range_holds_the_last_days_there_are_QIDO_06() -> None:
    for last in ("90000101", "99991231"):  # what is written for "no end"
        assert holds(value("StudyDate", last), StudyDate="20200101-")
        assert not holds(value("StudyDate", last), StudyDate="-20200101")


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("20200102", "0930", True),
        ("20200102", "1001", False),
        ("20200101", "0959", False),
        ("20200101", "1000", True),
        ("20200101", None, False),
        ("20200102", None, True),
        (None, "1000", False),
    ],
)
def test_row_8_one_range_across_midnight_QIDO_07(date: str | None, time: str | None, expected: bool) -> None:
    dataset = {**value("StudyDate", *filter(None, [date])), **value("StudyTime", *filter(None, [time]))}
    asked = MomentBetween(path("StudyTime"), "20200101100000", "20200102100059.999999")
    assert holds(dataset, StudyDate=asked) == expected


@pytest.mark.parametrize(
    ("stored", "low", "high", "expected"),
    [
        ("20200102093000", "20200102", "20200102", True),
        ("2020", "2019", "2020", True),
        ("20200102093000+0100", "20200102083000+0000", "20200102083000+0000", True),
        ("20200102093000+0100", "20200102093000+0000", None, False),
        ("20200101233000-0500", "20200102043000+0000", "20200102043000+0000", True),
        ("20200102093000", "20200102093000+0100", "20200102093000+0100", True),  # a zone that nobody knows
        ("20200102093000", None, "20200102092959.999999", False),
        ("no date", None, "9999", False),
    ],
)
def test_date_times_with_their_offsets(stored: str, low: str | None, high: str | None, expected: bool) -> None:
    assert holds(value("AcquisitionDateTime", stored), AcquisitionDateTime=Between(low, high)) == expected


def in_zone(zone: str, dataset: dict[str, Any], **keys: str) -> bool:
    found = [Match(path(name), conditions.parse(attributes.vr(path(name)[0]), text)) for name, text in keys.items()]
    return matcher.matches(dataset, found, timezone=zone)


def test_the_zone_of_the_question_QIDO_07() -> None:
    late = {**value("StudyDate", "20200101"), **value("StudyTime", "2330"), **value("TimezoneOffsetFromUTC", "-0500")}
    assert in_zone("+0000", late, StudyDate="20200102", StudyTime="0430")
    assert not in_zone("+0000", late, StudyDate="20200101")
    assert in_zone("-0500", late, StudyDate="20200101", StudyTime="2330")
    assert in_zone("+0000", {**late, **value("TimezoneOffsetFromUTC")}, StudyDate="20200101")
    dated = {**value("AcquisitionDateTime", "20200101233000"), **value("TimezoneOffsetFromUTC", "-0500")}
    assert in_zone("+0000", dated, AcquisitionDateTime="20200102043000")
    assert in_zone("+0100", dated, AcquisitionDateTime="20200101233000-0500")
    asked = MomentBetween(path("StudyTime"), "20200102043000", "20200102043000")
    assert matcher.matches(late, [Match(path("StudyDate"), asked)], timezone="+0000")


# Private attributes.

PRIVATE = {
    "00090010": {"vr": "LO", "Value": ["OTHER"]},
    "00090011": {"vr": "LO", "Value": ["ACME 1"]},
    "00091001": {"vr": "LO", "Value": ["theirs"]},
    "00091101": {"vr": "LO", "Value": ["ours"]},
    "00091102": {"vr": "DA", "Value": ["20200102"]},
    "00091103": {"vr": "UN", "InlineBinary": base64.b64encode(b"plain \\text ").decode()},
    "00091105": {"vr": "CS", "Value": ["MR"]},
    "00091104": {
        "vr": "SQ",
        "Value": [{"00090012": {"vr": "LO", "Value": ["ACME 1"]}, "00091201": {"vr": "US", "Value": [5]}}],
    },
}


def private(tags: str, asked: str, creators: dict[str, str]) -> bool:
    where = tuple(tags.split("."))
    named = [(tuple(place.split(".")), creator) for place, creator in creators.items()]
    condition = conditions.parse(attributes.vr(where[-1]), asked)
    return matcher.matches(PRIVATE, [Match(where, condition)], creators=named)


def test_private_attributes_by_creator_in_any_block_QIDO_05() -> None:
    ours = {"00090010": "ACME 1"}
    assert private("00091001", "ours", ours)
    assert not private("00091001", "theirs", ours)
    assert private("00091001", "theirs", {})
    assert private("00091001", "our*", ours)
    assert private("00091002", "20200101-20200103", ours)
    assert not private("00091002", "2020", ours)
    assert private("00091003", "text", ours)
    assert private("00091005", "CT,MR", ours)
    assert private("00091005", "X*,M?", ours)
    assert not private("00091005", "X*,CT", ours)
    assert private("00091004.00091001", "5", {**ours, "00091004.00090010": "ACME 1"})
    assert not private("00091004.00091001", "5", ours)
    assert private("00090010", "ACME 1", ours)
    assert not private("00090010", "NOBODY", {"00090010": "NOBODY"})
    assert [
        element["Value"] for element in matcher.find_elements(PRIVATE, ("00091001",), [(("00090010",), "ACME 1")])
    ] == [["ours"]]


# Whatever comes.

VALUES = st.none() | st.text(max_size=8) | st.integers() | st.floats(allow_nan=False) | st.just({"Alphabetic": "a^b"})
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from(["PN", "LO", "DA", "TM", "DT", "IS", "DS", "FL", "UN", "SQ"])},
    optional={"Value": st.lists(VALUES, max_size=3), "InlineBinary": st.text(max_size=6)},
)
TAGS = ["00100010", "00100020", "00080020", "00080030", "0008002A", "00200013", "00180050", "00091001", "00400275"]
TEXTS = st.text(max_size=8) | st.sampled_from(["20200101", "10-", "1.5", "*a?", "2020-", '""'])


@given(st.dictionaries(st.sampled_from([*TAGS, "00080201"]), ELEMENTS), st.sampled_from(TAGS), TEXTS, st.booleans())
def test_any_condition_on_any_element_is_answered(dataset: dict[str, Any], tag: str, text: str, is_fuzzy: bool) -> None:
    try:
        condition: Condition = conditions.parse(attributes.vr(tag), text, is_fuzzy=is_fuzzy)
    except Exception:
        condition = Empty()
    found = matcher.matches(dataset, [Match((tag,), condition)], timezone="+0100")
    below = matcher.matches(dataset, [Match(("00400275", tag), condition)], timezone="+0100")
    assert isinstance(found, bool)
    assert isinstance(below, bool)
    assert matcher.matches(dataset, [Match((tag,), condition), Match((tag,), Universal())], timezone="+0100") == found


NAMES = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]) | st.sampled_from(" -."), min_size=1, max_size=12)


@given(NAMES.filter(str.strip), NAMES)
def test_a_name_is_found_by_itself_however_it_is_written_and_by_its_words(family: str, given_name: str) -> None:
    text = f"{family.strip()}^{given_name.strip()}"
    dataset = name(text)
    decomposed = unicodedata.normalize("NFD", text)
    for asked in (text, decomposed, f"{family.strip()}*", f"*{given_name.strip()}*"):
        assert holds(dataset, PatientName=asked)
    words = person_names.wanted_words(text)
    assert not words or holds(dataset, PatientName=Fuzzy(words[::-1]))


@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_plain_names_fold_as_all_others_do(text: str) -> None:
    """A letter of another script beside them changes nothing."""
    assert (
        person_names.words(f"{text} 山")
        == tuple(dict.fromkeys((*person_names.words(text), "山")))[: person_names.MOST_WORDS]
    )
    assert person_names.fold(f"山^{text}") == person_names.fold(f"山^{text}".replace("山", "x")).replace("x", "山", 1)
    assert person_names.wanted_words(f"{text} 山") == tuple(dict.fromkeys((*person_names.wanted_words(text), "山")))
