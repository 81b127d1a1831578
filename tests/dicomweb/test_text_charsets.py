"""Character sets of rendered texts: GEN-13, URI-16, REN-11."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicomweb import text_charsets
from dicomgate.dicomweb.text_charsets import UTF_8, TextCharset


@pytest.mark.parametrize(
    ("own", "query", "header", "name"),
    [
        (None, None, None, "UTF-8"),
        ("ISO-8859-1", "UTF-8", "GBK", "ISO-8859-1"),
        ("klingon", "iso-8859-5;q=0.5, GB18030;q=0.8", "GBK", "GB18030"),
        (None, "klingon", "klingon, gbk", "GBK"),
        (None, None, "gbk;q=0, *;q=0.1", "UTF-8"),
        (None, None, "iso-8859-1;q=x", "UTF-8"),
        (None, ", ,;;,", '"us-ascii"', "US-ASCII"),
    ],
)
def test_the_first_supported_by_weight_GEN_13(
    own: str | None, query: str | None, header: str | None, name: str
) -> None:
    assert text_charsets.choose(own, query, header).name == name


def test_text_that_does_not_fit_is_not_acceptable_8_8_5() -> None:
    with pytest.raises(errors.NotAcceptable, match="at 1"):
        TextCharset("ISO-8859-1").encode("a山b")
    assert TextCharset("ISO-2022-JP").encode("山") == b"\x1b$B;3\x1b(B"


@given(st.text(), st.text())
def test_any_text_is_read_and_a_known_set_comes_out(query: str, header: str) -> None:
    chosen = text_charsets.choose(None, query, header)
    assert chosen.encode("plain") == b"plain"


@pytest.mark.parametrize("name", sorted(text_charsets._CODECS))
def test_every_name_writes_and_reads(name: str) -> None:
    assert TextCharset(name).encode("Doe").decode(name) == "Doe"
    assert text_charsets.choose(name.lower(), None, None).name == name
    assert UTF_8.encode("山田").decode() == "山田"
