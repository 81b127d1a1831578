"""A server that compares nothing, gives each answer twice, or sends what was not asked for, as an origin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dicomgate import assembly, config, errors
from dicomgate.client import remote_search
from dicomgate.dicom.matching import AnyOf, Between, Empty, Match, OneOf, Query
from dicomgate.dicom.outcomes import Caution, Reason, Refused, Stored
from dicomgate.dicom.uids import Level, Target
from dicomgate.origin import Origin
from dicomgate.spool import Spool
from dicomgate.testing import instances

JSON = {"Content-Type": "application/dicom+json"}
STUDIES = [
    {"0020000D": ["1.1"], "00080020": ["20200101"], "00080061": ["CT"]},
    {"0020000D": ["1.2"], "00080020": ["20210101"], "00080061": ["MR", "SR"]},
    {"0020000D": ["1.3"], "00080061": ["CT"]},
    {"0020000D": []},
]


def dataset(values: dict[str, list[str]]) -> dict[str, Any]:
    vrs = {"00080020": "DA", "00080061": "CS"}
    return {tag: {"vr": vrs.get(tag, "UI"), "Value": value} for tag, value in values.items()}


def answer(found: list[dict[str, list[str]]]) -> Any:
    """All of it on the first page, whatever is asked."""

    def reply(path: str, _body: bytes) -> tuple[int, dict[str, str], bytes]:
        is_first = parse_qs(urlsplit(path).query).get("offset") == ["0"]
        return 200, JSON, json.dumps([dataset(one) for one in (found if is_first else [])]).encode()

    return reply


@pytest.fixture
def origin(server: Any, tmp_path: Path) -> Iterator[Origin]:
    there = config.Remote(url=server.root)
    with assembly.open_remote(config.Settings(), there, Spool(tmp_path / "spool")) as opened:
        yield opened


def find(origin: Origin, *matches: Match, level: Level = Level.STUDY, scope: Target | None = None) -> list[str]:
    found = origin.search.search(Query(level=level, matches=matches, scope=scope)).datasets
    return [one[("0020000D", "0020000E", "00080018")[level - 1]]["Value"][0] for one in found]


@pytest.mark.parametrize(
    ("condition", "tag", "expected"),
    [
        (Between("20200601", None), "00080020", ["1.2", "1.3"]),
        (Empty(), "00080020", ["1.3"]),
        (OneOf(("CT",)), "00080061", ["1.1", "1.3"]),
        (AnyOf((OneOf(("CT",)), OneOf(("SR",)))), "00080061", ["1.1", "1.3", "1.2"]),
    ],
    ids=str,
)
def test_what_it_does_not_compare_is_compared_here(
    server: Any, origin: Origin, condition: Any, tag: str, expected: list[str]
) -> None:
    """Where an answer lacks what is compared the server is believed, but for what has to be empty."""
    server.answers.append(answer(STUDIES))
    assert find(origin, Match((tag,), condition)) == expected


def test_each_answer_is_given_once_however_often_it_comes(server: Any, origin: Origin) -> None:
    server.answers.append(answer(STUDIES * 2))
    several = AnyOf((OneOf(("CT",)), OneOf(("CT",))))
    assert find(origin, Match(("00080061",), several)) == ["1.1", "1.3"]


def test_endless_answers_are_not_looked_at(server: Any, origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_search, "_MOST", 2)
    server.answers.append(answer(STUDIES))
    with pytest.raises(errors.TooLarge):
        find(origin)


def test_searches_that_nobody_goes_on_with_are_forgotten(
    server: Any, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_search, "_OPEN", 2)
    server.answers.append(answer(STUDIES))
    first, *others = [origin.search.search(Query(level=Level.STUDY, limit=1)) for _ in range(3)]
    with pytest.raises(errors.Malformed):
        origin.search.search(Query(level=Level.STUDY, limit=1, after=first.next))
    for one in others:
        after = origin.search.search(Query(level=Level.STUDY, limit=5, after=one.next))
        assert [dataset["0020000D"]["Value"] for dataset in after.datasets] == [["1.2"], ["1.3"]]


def test_no_address_grows_with_a_list(server: Any, origin: Origin) -> None:
    server.answers.append(answer([]))
    uids = tuple(f"2.25.{number:030d}" for number in range(120))
    assert find(origin, Match(("0020000D",), OneOf(uids))) == []
    asked = [parse_qs(urlsplit(path).query)["StudyInstanceUID"][0].split(",") for _, path, _, _ in server.asked]
    assert [len(one) for one in asked] == [50, 50, 20]
    assert [uid for one in asked for uid in one] == list(uids)


def test_a_resource_that_is_not_there_fails_and_a_study_that_is_not_holds_nothing(server: Any, origin: Origin) -> None:
    server.answers.append((404, {}, b""))
    assert find(origin, level=Level.SERIES, scope=Target("1.2")) == []
    with pytest.raises(errors.UpstreamFailed):
        find(origin, level=Level.SERIES)


def listed(target: Target) -> list[dict[str, list[str]]]:
    study, series, instance = (str(uid) for uid in (target.study, target.series, target.instance))
    return [{"0020000D": [study], "0020000E": [series], "00080018": [instance]}]


@pytest.mark.parametrize("kind", ["another", "two", "none", "nothing of DICOM", "refused"])
def test_what_was_not_asked_for_is_not_handed_on(server: Any, origin: Origin, kind: str) -> None:
    target = instances.new_target()
    sent = {
        "another": [instances.make()],
        "two": [instances.make(target)] * 2,
        "none": [],
        "nothing of DICOM": [b"x" * 500],
        "refused": [],
    }[kind]
    parts = b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in sent) + b"--b--\r\n"
    kinds = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}

    def reply(path: str, body: bytes) -> Any:
        if "?" in path:
            return answer(listed(target))(path, body)
        return (403, {}, b"") if kind == "refused" else (200, kinds, parts)

    server.answers.append(reply)
    with origin.retrieve.retrieve(Target(target.study, target.series)) as came:
        one = next(came)
        assert one.target == target
        assert (one.facts.target, one.facts.transfer_syntax) == (target, "")
        with pytest.raises((errors.UpstreamFailed, errors.Forbidden)):
            one.metadata()


def report(tag: str, code_tag: str, code: int | None, target: Target) -> bytes:
    item = {"00081155": {"vr": "UI", "Value": [target.instance]}}
    if code is not None:
        item[code_tag] = {"vr": "US", "Value": [code]}
    return json.dumps({tag: {"vr": "SQ", "Value": [item]}}).encode()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0xA701, Reason.OUT_OF_RESOURCES),
        (0xA9FE, Reason.DOES_NOT_MATCH_CLASS),
        (0xC999, Reason.CANNOT_UNDERSTAND),
        (0xC410, Reason.OTHER_CONTENT),
        (0x0122, Reason.CLASS_NOT_SUPPORTED),
        (0x0999, Reason.PROCESSING_FAILURE),
        (None, Reason.PROCESSING_FAILURE),
    ],
)
def test_its_refusals_keep_their_meaning(
    server: Any, origin: Origin, tmp_path: Path, code: int, reason: Reason
) -> None:
    target = instances.new_target()
    server.answers.append((409, JSON, report("00081198", "00081197", code, target)))
    outcome = accept(origin, tmp_path, target)
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason


@pytest.mark.parametrize(
    ("code", "warning"), [(None, None), (0xB007, Caution.DOES_NOT_MATCH_CLASS), (0xB123, Caution.COERCED)]
)
def test_its_warnings_are_told(server: Any, origin: Origin, tmp_path: Path, code: int, warning: Caution) -> None:
    target = instances.new_target()
    server.answers.append((200, JSON, report("00081199", "00081196", code, target)))
    assert accept(origin, tmp_path, target) == Stored(target, "1.2.840.10008.5.1.4.1.1.7", warning=warning)


@pytest.mark.parametrize(("status", "reason"), [(403, Reason.PROCESSING_FAILURE), (507, Reason.OUT_OF_RESOURCES)])
def test_a_server_that_takes_nothing_is_told(
    server: Any, origin: Origin, tmp_path: Path, status: int, reason: Reason
) -> None:
    server.answers.append((status, {}, b""))
    outcome = accept(origin, tmp_path, instances.new_target())
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason


def accept(origin: Origin, here: Path, target: Target) -> Any:
    arrival = Spool(here / "arrivals").arrival()
    arrival.write(instances.make(target))
    try:
        assert origin.store is not None
        return origin.store.accept(arrival)
    finally:
        arrival.discard()
