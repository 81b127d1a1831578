"""Identifiers of C-FIND, C-MOVE and C-GET, read and written: questions, answers, targets (PS3.4 §C.2.2, §C.4)."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dicomgate import errors
from dicomgate.dicom import attributes, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import Between, Empty, Fuzzy, Match, MomentBetween, OneOf, Query, Wildcard
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse import datasets, identifiers, questions, retrievals
from dicomgate.dimse.contexts import Root
from dicomgate.dimse.negotiation import Wishes
from dicomgate.dimse.retrievals import Wanted

ALL = Wishes(*[True] * 7)
PATIENT_NAME, PATIENT_ID, STUDY, SERIES = ("00100010",), ("00100020",), ("0020000D",), ("0020000E",)


def ask(word: str, **keys: str) -> JSONDataset:
    """An identifier with these keys, by keyword."""
    asked: dict[str, Any] = {"00080052": {"vr": "CS", "Value": [word]}}
    for keyword, text in keys.items():
        tag = attributes.find_tag(keyword)
        assert tag is not None
        asked[tag] = questions.format_key(attributes.vr(tag), text)
    return dict(sorted(asked.items()))


# Bytes.

TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_characters="\\\x7f", categories=("L", "N", "Zs")),
    max_size=20,
)


@given(
    name=TEXTS,
    comment=TEXTS,
    number=st.integers(-(2**31), 2**31 - 1),
    syntax=st.sampled_from([syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_LITTLE]),
    charset=st.sampled_from(
        ["", "ISO_IR 100", "ISO_IR 144", "ISO_IR 13", "GB18030", "ISO_IR 192", "ISO 2022 IR 87", "rot13"]
    ),
)
def test_what_is_written_is_read_as_it_was(name: str, comment: str, number: int, syntax: str, charset: str) -> None:
    item: JSONDataset = {"00081030": {"vr": "LO", "Value": [comment.strip() or "x"]}}
    dataset: JSONDataset = {
        "00080020": {"vr": "DA", "Value": ["20200101-20201231"]},
        "00080061": {"vr": "CS"},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": name.strip() or "y"}]},
        "00201208": {"vr": "IS", "Value": [number]},
        "00400275": {"vr": "SQ", "Value": [item]},
    }
    read = datasets.read_dataset(datasets.write_dataset(dataset, syntax, charset=charset), syntax)
    read.pop("00080005", None)
    assert read == dataset


def test_the_peers_character_set_is_used_where_it_suffices() -> None:
    dataset = ask("STUDY", PatientName="M\u00fcller")
    assert b"M\xfcller" in datasets.write_dataset(dataset, syntaxes.EXPLICIT_LITTLE, charset="ISO_IR 100")
    assert b"M\xc3\xbcller" in datasets.write_dataset(dataset, syntaxes.EXPLICIT_LITTLE, charset="ISO_IR 144")


@given(st.binary(max_size=300), st.sampled_from([syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_LITTLE, "1.2"]))
def test_garbage_is_a_fault_and_nothing_else(raw: bytes, syntax: str) -> None:
    with contextlib.suppress(errors.Malformed, errors.TooLarge):
        datasets.read_dataset(raw, syntax)


def test_a_message_beyond_any_need_is_refused_before_it_is_read() -> None:
    with pytest.raises(errors.TooLarge):
        datasets.read_dataset(bytes(datasets.LONGEST + 1), syntaxes.EXPLICIT_LITTLE)


# Questions.


def test_a_study_is_asked_for_as_over_the_web() -> None:
    asked = ask("STUDY", PatientName="DOE*", StudyDate="20200101-", ModalitiesInStudy="", StudyInstanceUID="1.2\\1.3")
    question = identifiers.parse_question(asked, Root.STUDY)
    assert question.query.level is Level.STUDY
    assert question.query.scope is None
    assert set(question.query.matches) >= {
        Match(PATIENT_NAME, Wildcard("DOE*")),
        Match(("00080020",), Between("20200101", None)),
        Match(STUDY, OneOf(("1.2", "1.3"))),
    }
    assert not question.ignored


def test_unique_keys_of_upper_levels_are_the_scope() -> None:
    asked = ask("IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", InstanceNumber="7")
    query = identifiers.parse_question(asked, Root.STUDY).query
    assert query.scope == Target("1.2", "1.2.3")
    assert not query.relational
    assert Match(("00200013",), OneOf(("7",))) in query.matches


def test_patients_keys_below_their_level_are_asked_across_parents() -> None:
    asked = ask("SERIES", PatientID="P1", StudyInstanceUID="1.2", Modality="CT")
    query = identifiers.parse_question(asked, Root.PATIENT).query
    assert (query.scope, query.relational) == (Target("1.2"), True)
    assert Match(PATIENT_ID, OneOf(("P1",))) in query.matches


@pytest.mark.parametrize(
    ("root", "word", "keys"),
    [
        (Root.STUDY, "SERIES", {}),
        (Root.STUDY, "SERIES", {"StudyInstanceUID": "1.2\\1.3"}),
        (Root.STUDY, "IMAGE", {"StudyInstanceUID": "1.2"}),
        (Root.PATIENT, "STUDY", {}),
        (Root.PATIENT, "SERIES", {"StudyInstanceUID": "1.2"}),
        (Root.PATIENT, "STUDY", {"PatientID": "P*"}),
    ],
)
def test_without_the_keys_of_upper_levels_relational_queries_must_be_agreed_on(
    root: Root, word: str, keys: dict[str, str]
) -> None:
    with pytest.raises(errors.Malformed, match="relational"):
        identifiers.parse_question(ask(word, **keys), root)
    assert identifiers.parse_question(ask(word, **keys), root, Wishes(relational=True)).word == word


@pytest.mark.parametrize(
    ("root", "word"), [(Root.STUDY, "PATIENT"), (Root.STUDY, "WORKITEM"), (Root.PATIENT_STUDY_ONLY, "SERIES")]
)
def test_a_level_that_the_model_does_not_have_is_malformed(root: Root, word: str) -> None:
    with pytest.raises(errors.Malformed, match="Query/Retrieve Level"):
        identifiers.parse_question(ask(word), root, ALL)


def test_what_was_not_agreed_on_is_taken_by_the_letter() -> None:
    asked = ask("STUDY", StudyDate="20200101-20200102", StudyTime="10-12", PatientName="doe", AccessionNumber='""')
    plain = identifiers.parse_question(asked, Root.STUDY).query.matches
    agreed = identifiers.parse_question(asked, Root.STUDY, ALL).query.matches
    assert Match(("00080030",), Between("10", "12")) in plain
    assert Match(PATIENT_NAME, OneOf(("doe",))) in plain
    assert Match(("00080050",), OneOf(('""',))) in plain
    assert Match(PATIENT_NAME, Fuzzy(("doe",))) in agreed
    assert Match(("00080050",), Empty()) in agreed
    assert any(isinstance(match.condition, MomentBetween) for match in agreed)


def test_the_zone_of_the_question_counts_where_it_was_agreed_on() -> None:
    asked = ask("STUDY", TimezoneOffsetFromUTC="+0200", StudyDate="20200101")
    assert identifiers.parse_question(asked, Root.STUDY, ALL).query.timezone == "+0200"
    assert identifiers.parse_question(asked, Root.STUDY).query.timezone is None


def test_what_is_not_compared_is_told() -> None:
    assert identifiers.parse_question(ask("STUDY", InstanceNumber="7"), Root.STUDY).ignored
    assert not identifiers.parse_question(ask("STUDY", InstanceNumber=""), Root.STUDY).ignored


@pytest.mark.parametrize("keys", [{"StudyInstanceUID": "one"}, {"StudyDate": "soon"}])
def test_a_value_that_is_none_is_malformed(keys: dict[str, str]) -> None:
    with pytest.raises(errors.Malformed):
        identifiers.parse_question(ask("STUDY", **keys), Root.STUDY)


# Answers.


def test_an_answer_holds_what_was_asked_and_no_more() -> None:
    asked = ask("STUDY", PatientName="", StudyInstanceUID="", StudyID="", InstanceAvailability="")
    asked["00081110"] = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI"}}]}
    found: JSONDataset = {
        "00081110": {"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": ["1"]}, "00081155": {"vr": "UI"}}]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE^J"}]},
        "00100020": {"vr": "LO", "Value": ["P1"]},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
    }
    question = identifiers.parse_question(asked, Root.STUDY)
    assert identifiers.format_answer(found, question, ae_title="HERE") == {
        "00080052": {"vr": "CS", "Value": ["STUDY"]},
        "00080054": {"vr": "AE", "Value": ["HERE"]},
        "00080056": {"vr": "CS", "Value": ["ONLINE"]},
        "00081110": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI"}}]},
        "00100010": found["00100010"],
        "0020000D": found["0020000D"],
        "00200010": {"vr": "SH"},
    }


def test_an_answer_of_a_peer_is_a_match_of_ours() -> None:
    answer = {**ask("STUDY", StudyInstanceUID="1.2"), "00080054": {"vr": "AE", "Value": ["X"]}}
    assert identifiers.from_answer(answer) == {"0020000D": {"vr": "UI", "Value": ["1.2"]}}


# Questions to a peer.

KEYS = {
    "PatientName": st.sampled_from(["", "DOE*", "Doe^John", "M\u00fcller", "a?c", "*"]),
    "PatientID": st.sampled_from(["", "P1", "P?"]),
    "StudyDate": st.sampled_from(["", "20200101", "20200101-", "-20200101", "20200101-20201231"]),
    "StudyTime": st.sampled_from(["", "10", "1030-", "-235959.5", "10-12"]),
    "AccessionNumber": st.sampled_from(["", '""', "A\u00df", "1"]),
    "ModalitiesInStudy": st.sampled_from(["", "CT", "C*"]),
    "StudyInstanceUID": st.sampled_from(["", "1.2", "1.2\\1.3"]),
    "StudyDescription": st.sampled_from(["", "a", "a\\b*"]),
    "Modality": st.sampled_from(["", "MR"]),
    "SeriesNumber": st.sampled_from(["", "3", "-4"]),
    "SeriesInstanceUID": st.sampled_from(["", "1.2.3"]),
    "SOPInstanceUID": st.sampled_from(["", "1.2.3.4", "1.2.3.4\\1.2.3.5"]),
}


@given(
    st.fixed_dictionaries({}, optional=KEYS),
    st.sampled_from(["STUDY", "SERIES", "IMAGE"]),
    st.sampled_from([syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_LITTLE]),
)
def test_a_question_sent_on_is_the_question(keys: dict[str, str], word: str, syntax: str) -> None:
    first = identifiers.parse_question(ask(word, **keys), Root.STUDY, ALL).query
    sent = questions.format_question(first, ALL)
    read = datasets.read_dataset(datasets.write_dataset(sent.identifier, syntax), syntax)
    again = identifiers.parse_question(read, Root.STUDY, ALL).query
    assert sent.rest == ()
    assert (again.level, again.scope) == (first.level, first.scope)
    stated = {match for match in again.matches if match.path in {each.path for each in first.matches}}
    assert stated == set(first.matches)


def test_what_cannot_be_asked_is_left_to_be_looked_at() -> None:
    first = identifiers.parse_question(
        ask("STUDY", StudyDate="20200101-20200102", StudyTime="10-12", PatientName="doe", AccessionNumber='""'),
        Root.STUDY,
        ALL,
    ).query
    sent = questions.format_question(first)
    assert set(sent.rest) == {
        match for match in first.matches if isinstance(match.condition, MomentBetween | Fuzzy | Empty)
    }
    assert sent.identifier["00080020"] == {"vr": "DA"}
    assert sent.identifier["00080030"] == {"vr": "TM"}
    assert sent.identifier["00100010"] == {"vr": "PN"}


def test_a_question_within_a_series_names_its_parents() -> None:
    query = Query(level=Level.INSTANCE, scope=Target("1.2", "1.2.3"))
    identifier = questions.format_question(query).identifier
    assert identifier["0020000D"]["Value"] == ["1.2"]
    assert identifier["0020000E"]["Value"] == ["1.2.3"]
    assert identifier["00080018"] == {"vr": "UI"}
    assert not {"00080005", "00081190"} & set(identifier)


# Retrievals.

UIDS = st.lists(st.sampled_from(["1.2", "1.3", "1.2.3"]), max_size=3, unique=True).map(tuple)


@given(st.sampled_from(Level), UIDS, UIDS, UIDS, st.sampled_from(["", "ENHANCED"]))
def test_what_is_wanted_comes_back(
    level: Level, studies: tuple[str, ...], series: tuple[str, ...], instances: tuple[str, ...], view: str
) -> None:
    keys = (studies or ("1",), series or ("1",), instances or ("1",))
    found = [values if upper <= level else () for upper, values in zip(Level, keys, strict=True)]
    wanted = Wanted(level, (), found[0], found[1], found[2], view)
    raw = datasets.write_dataset(retrievals.format_wanted(wanted), syntaxes.IMPLICIT_LITTLE)
    read = datasets.read_dataset(raw, syntaxes.IMPLICIT_LITTLE)
    assert retrievals.parse_wanted(read, Root.STUDY, ALL) == wanted


def test_one_target_needs_no_question() -> None:
    assert Wanted(Level.STUDY, (), ("1.2",)).target == Target("1.2")
    assert Wanted(Level.INSTANCE, (), ("1.2",), ("1.3",), ("1.4",)).target == Target("1.2", "1.3", "1.4")
    assert Wanted(Level.INSTANCE, (), ("1.2",), ("1.3",), ("1.4", "1.5")).target is None
    assert Wanted(Level.INSTANCE, (), ("1.2",), (), ("1.4",)).target is None
    assert Wanted(Level.STUDY, ("P",), ("1.2",)).target is None


def test_several_targets_are_a_question() -> None:
    query = Wanted(Level.INSTANCE, (), ("1.2",), ("1.3",), ("1.4", "1.5")).query
    assert query.scope == Target("1.2", "1.3")
    assert query.matches == (Match(("00080018",), OneOf(("1.4", "1.5"))),)


@pytest.mark.parametrize(
    ("root", "asked"),
    [
        (Root.STUDY, ask("STUDY")),
        (Root.STUDY, ask("SERIES", SeriesInstanceUID="1.2")),
        (Root.STUDY, ask("IMAGE", StudyInstanceUID="1", SeriesInstanceUID="1\\2", SOPInstanceUID="3")),
        (Root.STUDY, ask("STUDY", StudyInstanceUID="x")),
        (Root.PATIENT, ask("STUDY", StudyInstanceUID="1.2")),
        (Root.PATIENT, ask("PATIENT", PatientID="*")),
        (Root.PATIENT, ask("PATIENT", StudyInstanceUID="1.2")),
        (Root.STUDY, ask("STUDY", StudyInstanceUID="1.2", QueryRetrieveView="CLASSIC")),
    ],
)
def test_a_retrieval_without_its_keys_is_malformed(root: Root, asked: JSONDataset) -> None:
    with pytest.raises(errors.Malformed):
        retrievals.parse_wanted(asked, root)


def test_a_patient_is_wanted_by_its_studies() -> None:
    wanted = retrievals.parse_wanted(ask("PATIENT", PatientID="P1"), Root.PATIENT)
    assert wanted == Wanted(Level.STUDY, ("P1",))
    assert wanted.query.matches == (Match(PATIENT_ID, OneOf(("P1",))),)
