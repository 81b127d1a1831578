"""The door of search over a plain list: pages, places, totals, links, forms (PS3.18 §8.3.4.4, §10.6; QIDO-16 to -19)."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_list import PlainList, study

from dicomgate.dicom import xmlmodel
from dicomgate.origin import Origin
from dicomgate.server.app import Application
from dicomgate.server.logs import Log
from dicomgate.server.settings import Settings
from dicomgate.testing.serving import Line, Reply, Served, format_request, serving

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

JSON = "application/dicom+json"
XML = 'multipart/related; type="application/dicom+xml"'


class Switch:
    """The list that is being searched now."""

    current = PlainList()

    def search(self, query: Any) -> Any:
        return self.current.search(query)

    def retrieve(self, target: Any) -> Any:
        return self.current.retrieve(target)

    def metadata(self, target: Any) -> Any:
        return self.current.metadata(target)

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        return self.current.changed(study, since)


SWITCH = Switch()


@pytest.fixture
def served() -> Iterator[Served]:
    application = Application(
        Origin(search=SWITCH, retrieve=SWITCH),
        settings=Settings(public_url="https://images.example.org", cors_origins=("*",), most=50),
        log=Log(lambda line: None),
    )
    with serving(application) as found:
        yield found


@pytest.fixture
def listed() -> PlainList:
    SWITCH.current = PlainList(*map(study, range(10)))
    return SWITCH.current


def ask(served: Served, query: str = "", accept: str = JSON, **headers: str) -> Reply:
    fields = {"Accept": accept, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return served.ask("GET", f"/dicomweb/studies?{query}", fields)


def uids(reply: Reply) -> list[str]:
    if reply.status == 204:
        assert reply.body == b""
        return []
    assert reply.status == 200, reply.body
    return [dataset["0020000D"]["Value"][0] for dataset in json.loads(reply.body)]


def newest_first(*numbers: int) -> list[str]:
    return [f"1.2.{number}" for number in numbers]


def next_path(reply: Reply) -> str | None:
    """The next page's address as the server that is being tested has it."""
    link = reply.headers.get("link")
    if link is None:
        return None
    found = re.fullmatch(r'<https://images\.example\.org(/dicomweb/studies\?[!-~]+)>; rel="next"', link)
    assert found is not None, link
    return found[1]


# Links and cursors.


def test_next_pages_are_linked_until_the_last(served: Served, listed: PlainList) -> None:
    seen, path = [], "/dicomweb/studies?limit=4&PatientName=Doe%5E*&offset=1"
    while path:
        reply = served.ask("GET", path, {"Accept": JSON})
        seen += uids(reply)
        listed.studies.append(study(100 + len(seen)))  # newer than all
        path = next_path(reply) or ""
    assert seen == newest_first(8, 7, 6, 5, 4, 3, 2, 1, 0)
    assert [query.offset for query in listed.asked] == [1, 0, 0]


def test_a_link_keeps_what_the_caller_said(served: Served, listed: PlainList) -> None:
    path = next_path(ask(served, "limit=2&PatientName=d*%26&00080061=CT,MR&includefield=all&offset=3&x=%2B")) or ""
    assert path == ""
    path = next_path(ask(served, "limit=2&PatientName=d*&00080061=CT,MR&includefield=all&offset=3&x=%2B")) or ""
    pairs = parse_qsl(urlsplit(path).query, keep_blank_values=True)
    assert pairs[:-1] == [
        ("limit", "2"),
        ("PatientName", "d*"),
        ("00080061", "CT,MR"),
        ("includefield", "all"),
        ("x", "+"),
    ]
    assert pairs[-1][0] == "cursor"


def test_offset_counts_from_the_cursor(served: Served, listed: PlainList) -> None:
    path = next_path(ask(served, "limit=2")) or ""
    assert uids(served.ask("GET", path + "&offset=3", {"Accept": JSON})) == newest_first(4, 3)


def test_a_cursor_of_another_question_is_400(served: Served, listed: PlainList) -> None:
    cursor = (next_path(ask(served, "limit=2")) or "").partition("cursor=")[2]
    assert ask(served, f"limit=2&cursor={cursor}").status == 200
    assert ask(served, f"limit=2&cursor={cursor}&PatientName=x").status == 400
    assert ask(served, f"limit=2&cursor={cursor[:-2]}AA").status == 400
    assert ask(served, f"limit=2&cursor={cursor}&cursor={cursor}").status == 400


def test_an_address_too_long_for_a_header_is_not_linked(served: Served, listed: PlainList) -> None:
    many = ",".join(f"1.2.{number}" for number in range(2000))
    reply = ask(served, f"limit=2&StudyInstanceUID={many}")
    assert len(uids(reply)) == 2
    assert "link" not in reply.headers
    assert "There are 8 additional results" in reply.headers["warning"]


def test_an_origin_without_places_is_counted_as_the_standard_has_it(served: Served, listed: PlainList) -> None:
    ask(served, "limit=2")
    listed.has_places = False
    assert "link" not in ask(served, "limit=2").headers
    listed.studies.append(study(100))
    assert uids(ask(served, "limit=2&offset=2")) == newest_first(8, 7)


# Pages by offset, as unmodified clients ask for them.


class Caller:
    """Asks on one connection for page after page, by offset, until an empty one: what `get_remaining` does."""

    def __init__(self, line: Line, question: str = "") -> None:
        self.line = line
        self.question = question
        self.seen: list[str] = []
        self.is_done = False

    def step(self, limit: int) -> None:
        path = f"/dicomweb/studies?{self.question}&limit={limit}&offset={len(self.seen)}"
        self.line.say(format_request("GET", path, {"Accept": JSON}))
        page = uids(self.line.hear())
        self.seen += page
        self.is_done = not page


def test_pages_by_offset_stay_right_while_others_store_QIDO_16_CLI_06(served: Served, listed: PlainList) -> None:
    with served.line() as line:
        caller = Caller(line)
        for number in range(100, 120):
            if not caller.is_done:
                caller.step(3)
            listed.studies.append(study(number))
    assert caller.seen == newest_first(9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
    assert caller.is_done


def test_pages_on_connections_of_their_own_stay_right_too(served: Served, listed: PlainList) -> None:
    seen: list[str] = []
    while page := uids(ask(served, f"limit=4&offset={len(seen)}")):
        seen += page
        listed.studies.insert(0, study(200 + len(seen)))
    assert seen == newest_first(9, 8, 7, 6, 5, 4, 3, 2, 1, 0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.integers(0, 2), st.integers(1, 7)),
            st.tuples(st.just("store"), st.integers(30, 99), st.just(0)),
            st.tuples(st.just("delete"), st.integers(0, 29), st.just(0)),
        ),
        max_size=60,
    )
)
def test_walks_beside_each_other_meet_each_study_once(served: Served, deeds: list[tuple[str, int, int]]) -> None:
    """Three walks on three connections: none sees anything twice, none misses what was there all the time."""
    listed = SWITCH.current = PlainList(*map(study, range(30)))
    kept = {f"1.2.{number}" for number in range(30)}
    lines = [served.line() for _ in range(3)]
    callers = [Caller(line) for line in lines]
    try:
        for deed, number, limit in [*deeds, *(("ask", number, 9) for number in (0, 1, 2) for _ in range(5))]:
            if deed == "store" and study(number * 100) not in listed.studies:
                listed.studies.append(study(number * 100))
            elif deed == "delete":
                listed.studies = [one for one in listed.studies if one["0020000D"]["Value"] != [f"1.2.{number}"]]
                kept.discard(f"1.2.{number}")
            elif deed == "ask" and not callers[number].is_done:
                callers[number].step(limit)
    finally:
        for line in lines:
            line.socket.close()
    for caller in callers:
        assert len(set(caller.seen)) == len(caller.seen)
        assert kept <= set(caller.seen)


def test_who_starts_anew_or_asks_again_at_the_end_sees_what_is_new(served: Served, listed: PlainList) -> None:
    assert len(uids(ask(served, "limit=10"))) == 10
    listed.studies.append(study(100))
    assert uids(ask(served, "limit=10&offset=10")) == []
    assert uids(ask(served, "limit=10&offset=10")) == newest_first(0), "counted anew: what the standard has"
    assert uids(ask(served, "limit=1")) == newest_first(100)
    for number in (11, 12, 13):  # somebody who waits for what comes
        assert uids(ask(served, f"orderby=StudyDate&limit=5&offset={number}")) == []
        listed.studies.append(study(100 + number))
        assert uids(ask(served, f"orderby=StudyDate&limit=5&offset={number}")) == newest_first(100 + number)


def test_another_caller_or_question_counts_for_himself(served: Served, listed: PlainList) -> None:
    ask(served, "limit=4")
    listed.studies.append(study(100))
    assert uids(ask(served, "limit=1&offset=4")) == newest_first(5)
    assert uids(ask(served, "limit=1&offset=4", Authorization="Bearer x")) == newest_first(6)
    assert uids(ask(served, "limit=1&offset=4", User_Agent="other")) == newest_first(6)
    assert uids(ask(served, "limit=1&offset=4&PatientName=Doe*")) == newest_first(6)
    assert uids(ask(served, "limit=1&offset=3")) == newest_first(7)


def test_deep_offsets_are_no_fault(served: Served, listed: PlainList) -> None:
    for offset in (1_000_000, 10**18 - 1):
        assert uids(ask(served, f"offset={offset}")) == []


# Numbers.


def test_matches_are_counted_on_request(served: Served, listed: PlainList) -> None:
    assert ask(served, "limit=3&totalcount=true").headers["x-total-count"] == "10"
    assert ask(served, "limit=3&offset=3&totalcount=true").headers["x-total-count"] == "10"
    assert ask(served, "limit=0&totalcount=true").headers["x-total-count"] == "10"
    assert ask(served, "PatientName=x&totalcount=true").headers["x-total-count"] == "0"
    assert "x-total-count" not in ask(served, "limit=3").headers


def test_matches_are_counted_also_behind_the_last(served: Served, listed: PlainList) -> None:
    assert ask(served, "limit=10&totalcount=true").headers["x-total-count"] == "10"
    reply = ask(served, "limit=10&offset=10&totalcount=true")  # a walk by offset ends with this one
    assert (reply.status, reply.headers.get("x-total-count")) == (204, "10")
    assert "warning" not in reply.headers


def test_what_was_not_counted_is_said(served: Served, listed: PlainList) -> None:
    listed.can_count = False
    reply = ask(served, "totalcount=true")
    assert "x-total-count" not in reply.headers
    assert reply.headers["warning"] == (
        "299 https://images.example.org/dicomweb: The matches were not counted, it would take too long."
    )


def test_pages_of_other_origins_may_read_the_fields_V15_CLI_10(served: Served, listed: PlainList) -> None:
    exposed = ask(served, "limit=3", Origin="https://viewer.example.org").headers["access-control-expose-headers"]
    assert {"Link", "X-Total-Count", "Warning"} <= set(exposed.split(", "))


# Order.


def test_answers_come_in_the_order_that_was_asked_for(served: Served, listed: PlainList) -> None:
    listed.studies = [study(number, **{"00100020": {"vr": "LO", "Value": ["AB"[number % 2]]}}) for number in range(4)]
    assert uids(ask(served, "orderby=PatientID,StudyDate")) == newest_first(0, 2, 1, 3)
    assert uids(ask(served, "orderby=-PatientID")) == newest_first(3, 1, 2, 0)
    reply = ask(served, "orderby=-PatientID&limit=3")
    assert uids(served.ask("GET", next_path(reply) or "", {"Accept": JSON})) == newest_first(0)


# Forms.


def test_row_11_one_xml_document_for_each_match_QIDO_19(served: Served, listed: PlainList) -> None:
    listed.studies[3] = study(3, **{"00081030": {"vr": "LO", "Value": ["a\x01b]]>&<"]}})
    reply = ask(served, "limit=7", XML)
    assert reply.status == 200
    kind, _, boundary = reply.headers["content-type"].partition("; boundary=")
    assert kind == XML
    pieces = reply.body.split(b"--" + boundary.strip('"').encode())
    assert (pieces[0], pieces[-1]) == (b"", b"--\r\n")
    assert len(pieces) == 9
    for number, piece in zip((9, 8, 7, 6, 5, 4, 3), pieces[1:-1], strict=True):
        head, _, body = piece.partition(b"\r\n\r\n")
        assert head == b"\r\nContent-Type: application/dicom+xml"
        model = ET.fromstring(body)
        assert model.tag == f"{{{xmlmodel.NAMESPACE}}}NativeDicomModel"
        found = {attribute.get("keyword"): "".join(attribute.itertext()) for attribute in model}
        assert found["StudyInstanceUID"] == f"1.2.{number}"
        assert found["RetrieveURL"] == f"https://images.example.org/dicomweb/studies/1.2.{number}"
        assert number != 3 or found["StudyDescription"] == "a\ufffdb]]>&<"
    assert "There are 3 additional results" in reply.headers["warning"]
    assert ask(served, "PatientName=x", XML).status == 204


@pytest.mark.parametrize("accept", ["application/dicom+xml", "image/png", "multipart/related; type=application/dicom"])
def test_row_12_other_forms_are_406(served: Served, listed: PlainList, accept: str) -> None:
    assert ask(served, accept=accept).status == 406


@pytest.mark.parametrize("accept", ["*/*", JSON, "application/json", f"{XML}; q=0.1, {JSON}"])
def test_json_is_the_default_QIDO_19(served: Served, listed: PlainList, accept: str) -> None:
    assert ask(served, accept=accept).headers["content-type"] == JSON
