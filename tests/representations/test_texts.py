"""Texts of whatever is stored: inert, well-formed, whole; REN-01, REN-11, T8, T15."""

from __future__ import annotations

import html.parser
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.representations import report_content, texts
from dicomgate.representations.report_content import Line


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def code(meaning: str, value: str = "1") -> dict[str, Any]:
    return element("SQ", {"00080100": element("SH", value), "00080104": element("LO", meaning)})


def item(kind: str, concept: str, *children: dict[str, Any], **others: Any) -> dict[str, Any]:
    made = {"0040A040": element("CS", kind), "0040A043": code(concept), **others}
    return {**made, "0040A730": element("SQ", *children)} if children else made


def tag(**others: Any) -> dict[str, Any]:
    return {name.removeprefix("t"): value for name, value in others.items()}


ITEMS = [
    (item("TEXT", "Finding", **tag(t0040A160=element("UT", "two\nlines"))), "two\nlines"),
    (item("CODE", "Site", **tag(t0040A168=code("Lung"))), "Lung"),
    (item("DATE", "On", **tag(t0040A121=element("DA", "20240102"))), "20240102"),
    (item("PNAME", "By", **tag(t0040A123=element("PN", {"Alphabetic": "Doe^J", "Ideographic": "山^田"}))), "Doe J = 山 田"),
    (item("UIDREF", "Of", **tag(t0040A124=element("UI", "1.2"))), "1.2"),
    (item("SCOORD", "At", **tag(t00700023=element("CS", "POINT"), t00700022=element("FL", 1.5, 2))), "point 1.5, 2"),
    (item("TCOORD", "When", **tag(t0040A130=element("CS", "SEGMENT"), t0040A132=element("UL", 1, 9))), "segment 1, 9"),
    (item("NUM", "None", **tag(t0040A301=code("Not a number"))), "Not a number"),
    (item("CONTAINER", "Part"), ""),
    (item("UNHEARD", "Of"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("said", "value"), ITEMS)
def test_every_kind_of_content_says_its_value(said: dict[str, Any], value: str) -> None:
    (line,) = list(report_content.lines({"0040A730": element("SQ", said)}))[1:]
    assert line.value == value
    assert line.depth == 1


def test_references_and_measurements() -> None:
    image = element("SQ", {"00081155": element("UI", "1.2"), "00081160": element("IS", 3, 4)})
    measured = element("SQ", {"0040A30A": element("DS", 42.5), "004008EA": code("millimeter", "mm")})
    report = {
        "0040A043": code("Report"),
        "0040A040": element("CS", "CONTAINER"),
        "0040A493": element("CS", "VERIFIED"),
        "0040A073": element("SQ", {"0040A075": element("PN", {"Alphabetic": "Roe^R"})}),
        "0040A730": element(
            "SQ",
            item("IMAGE", "Seen in", **tag(t00081199=image)),
            item("NUM", "Size", **tag(t0040A300=measured)),
            {"0040DB73": element("UL", 1, 2)},
        ),
    }
    assert list(report_content.lines(report)) == [
        Line(0, "Report", ""),
        Line(1, "Verification", "VERIFIED"),
        Line(1, "Verified by", "Roe R"),
        Line(1, "Seen in", "1.2, frames 3, 4"),
        Line(1, "Size", "42.5 mm"),
        Line(1, "See item", "1.2"),
    ]


def test_depth_is_bounded_T6() -> None:
    deep: dict[str, Any] = item("CONTAINER", "x")
    for _ in range(80):
        deep = item("CONTAINER", "x", deep)
    with pytest.raises(errors.TooLarge):
        list(report_content.lines(deep))


class Page(html.parser.HTMLParser):
    """The elements of a page, open and closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs or tag in {"html", "meta"}, "nothing of the data set becomes an attribute"
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


INERT = {"html", "head", "meta", "title", "style", "body", "dl", "dt", "dd", "h1", "ul", "li", "b", "span"}
TEXT = st.text("<>&\"'/=\\ \n\r\0\x1b\x85abcscriptonload ￾山", max_size=30)
ANY_ITEM = st.fixed_dictionaries(
    {"0040A040": st.sampled_from([element("CS", "TEXT"), element("CS", "CONTAINER")])},
    optional={"0040A160": TEXT.map(lambda text: element("UT", text)), "0040A043": TEXT.map(code)},
)
TREES = st.recursive(ANY_ITEM, lambda inner: st.builds(
    lambda own, children: {**own, "0040A730": element("SQ", *children)}, ANY_ITEM, st.lists(inner, max_size=3)
), max_leaves=8)  # fmt: skip
OTHERS = st.dictionaries(
    st.sampled_from(["00100010", "00080060", "00091001", "300A0002", "77778888", "00420010"]),
    TEXT.map(lambda text: element("LO", text)),
)


@given(TREES | OTHERS)
def test_whatever_it_holds_it_is_inert_and_well_formed_T8_T15(dataset: dict[str, Any]) -> None:
    page = Page(texts.render(dataset, texts.HTML, "UTF-8"))
    assert page.open == []
    assert page.seen <= INERT
    plain = texts.render(dataset, texts.PLAIN, "UTF-8")
    assert not [letter for letter in plain if (letter < " " and letter != "\n") or "\x7f" <= letter < "\xa0"]
    ET.fromstring(texts.render(dataset, texts.XML, "UTF-8"))
