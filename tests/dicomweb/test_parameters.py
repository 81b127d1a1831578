"""Query parts and Warning texts: GEN-04, GEN-15, T15, T17."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicomweb import parameters, warning


def test_pairs_in_order_and_decoded_GEN04() -> None:
    raw = "PatientName=M%C3%BCller%5EAnn&a+b=c%2Bd&&x&y=1=2&includefield=all&includefield=%26"
    assert parameters.parse(raw) == [
        ("PatientName", "Müller^Ann"),
        ("a b", "c+d"),
        ("x", ""),
        ("y", "1=2"),
        ("includefield", "all"),
        ("includefield", "&"),
    ]
    assert parameters.parse("") == []
    assert parameters.values(parameters.parse(raw), "includefield") == ["all", "&"]


@pytest.mark.parametrize(
    "raw", ["a=%00", "a%00=b", "a=%FF", "a=%C3", "a=%0D%0AX", "a=%7F", "a=%C2%85", b"a=\xff", "&".join(["a=b"] * 1001)]
)
def test_nul_bad_utf8_and_floods_are_malformed_T17(raw: str | bytes) -> None:
    with pytest.raises(errors.Malformed):
        parameters.parse(raw)


@pytest.mark.parametrize("text", ["\0", "\ud800", "a\nb"])
def test_pairs_decoded_elsewhere_are_checked_alike_T17(text: str) -> None:
    with pytest.raises(errors.Malformed):
        parameters.check([("PatientID", text)])
    parameters.check([("PatientID", "Grüße 名")])


def test_a_parameter_that_may_come_once() -> None:
    assert parameters.find_single([("a", "b")], "a") == "b"
    assert parameters.find_single([("a", "b")], "c") is None
    with pytest.raises(errors.Malformed, match="a: expected once, came 2 times"):
        parameters.find_single([("a", "b"), ("a", "b")], "a")


TEXTS = st.text(st.characters(blacklist_categories=("Cc", "Cs")), max_size=20)


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=10))
def test_what_other_programs_encode_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert parameters.parse(urlencode(pairs)) == pairs


@given(st.binary(max_size=60))
def test_any_bytes_are_pairs_or_malformed(raw: bytes) -> None:
    try:
        pairs = parameters.parse(raw)
    except errors.Malformed:
        return
    parameters.check(pairs)


def test_warning_header_in_dicoms_form_GEN15_QIDO16() -> None:
    text = warning.remaining_results(2)
    assert (
        warning.format_warning("https://h/dicomweb", text)
        == "299 https://h/dicomweb: There are 2 additional results that can be requested"
    )


@given(st.text(max_size=2000))
def test_a_warning_is_one_short_printable_line_whatever_it_says_T15(text: str) -> None:
    value = warning.format_warning("https://h", text)
    assert value.isascii()
    assert value.isprintable()
    assert len(value) < 1100
