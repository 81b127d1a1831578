"""Media types and Accept lists: MT-03, MP-01, V1, V3, T7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicomweb import media_types
from dicomgate.dicomweb.media_types import MediaType


@pytest.mark.parametrize(
    "text",
    [
        'multipart/related; type="application/dicom"; transfer-syntax=*',
        "multipart/related;type=application/dicom;transfer-syntax=*",
        'Multipart/Related ; TYPE = "application/dicom" ;; transfer-syntax="*" ; ',
    ],
)
def test_quotes_case_and_spacing_do_not_matter_V1(text: str) -> None:
    read = media_types.parse(text)
    assert read == MediaType("multipart/related", (("type", "application/dicom"), ("transfer-syntax", "*")))
    assert read.get("type") == "application/dicom"
    assert read.get("start") is None


def test_repeated_parameters_are_all_kept_CLI02() -> None:
    read = media_types.parse('multipart/related; type="image/jls"; transfer-syntax="1.2.3"; transfer-syntax="*"')
    assert read.get("transfer-syntax") == "1.2.3"
    assert read.all("transfer-syntax") == ("1.2.3", "*")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "/",
        "a/",
        "/b",
        "a b/c",
        "a/b; =x",
        'a/b; c="d',
        'a/b; c="d"e',
        "a/b; c=d\x00",
        "é/b",
        "a/b/c",
        "a/b" + "; c=d" * 40,
        "a/" + "b" * 9000,
    ],
)
def test_what_is_no_media_type_is_malformed(text: str) -> None:
    with pytest.raises(errors.Malformed):
        media_types.parse(text)


def test_unusable_members_of_a_list_are_left_out_MT03() -> None:
    members = media_types.parse_list(
        'garbage, application/dicom+json; q=0.5,, "x", multipart/related; type="a/b, c/d", */*'
    )
    assert [member.type for member in members] == ["application/dicom+json", "multipart/related", "*/*"]
    assert members[1].get("type") == "a/b, c/d"


def test_a_uid_and_a_star_go_out_bare_CLI03() -> None:
    assert (
        media_types.with_transfer_syntax("image/jls", "1.2.840.10008.1.2.4.80")
        == "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"
    )
    assert media_types.with_transfer_syntax("application/dicom+json", None) == "application/dicom+json"
    assert media_types.format_media_type(MediaType("a/b", (("x", "*"), ("y", 'q"\\')))) == r'a/b; x=*; y="q\"\\"'


TOKENS = st.text("!#$%&'*+-.^_`|~abcxyz019", min_size=1, max_size=12)
VALUES = st.text(st.characters(blacklist_categories=("C", "Z")) | st.just(" "), max_size=20)
MEDIA_TYPES = st.builds(
    lambda main, sub, parameters: MediaType(f"{main}/{sub}", tuple(parameters)),
    TOKENS,
    TOKENS,
    st.lists(st.tuples(TOKENS, VALUES), max_size=6),
)


@given(MEDIA_TYPES)
def test_format_then_parse_gives_the_same(media_type: MediaType) -> None:
    assert media_types.parse(media_types.format_media_type(media_type)) == media_type


@given(st.lists(MEDIA_TYPES, max_size=8))
@pytest.mark.slow
def test_format_then_parse_of_a_list_gives_the_same(members: list[MediaType]) -> None:
    text = " , ".join(media_types.format_media_type(member) for member in members)
    assert media_types.parse_list(text) == tuple(members)


@given(st.text(max_size=60))
def test_any_text_is_read_or_malformed(text: str) -> None:
    media_types.parse_list(text)
    try:
        read = media_types.parse(text)
    except errors.Malformed:
        return
    assert media_types.parse(media_types.format_media_type(read)) == read


def test_every_other_name_of_a_picture_leads_to_one_that_is_taken() -> None:
    from dicomgate.dicom import codestreams

    taken = {*codestreams.READERS, *codestreams.TRANSFORMED, "image/dicom-rle", media_types.DICOM_JSON}
    assert set(media_types.ALIASES.values()) <= taken
    assert not set(media_types.ALIASES) & taken
