"""Accept against what is stored: MT-02..09, MT-16, MT-17, V1, V2, V3, V5, V6, CLI-01, CLI-02, FRM-05, FRM-07, RET-04."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicomweb import negotiation, offers
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.offers import Stored

EXPLICIT = syntaxes.EXPLICIT_LITTLE
IMPLICIT = syntaxes.IMPLICIT_LITTLE
BIG = syntaxes.EXPLICIT_BIG
DEFLATED = syntaxes.DEFLATED_LITTLE
JLS = "1.2.840.10008.1.2.4.80"
JPEG = "1.2.840.10008.1.2.4.50"
J2K = "1.2.840.10008.1.2.4.91"
RLE = "1.2.840.10008.1.2.5"
MP4 = "1.2.840.10008.1.2.4.102"
JPEG_LOSSLESS, JPEG_LOSSLESS_OTHER = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57"
HTJ2K = "1.2.840.10008.1.2.4.201"
HIERARCHICAL = "1.2.840.10008.1.2.4.65"
"""Stored without loss, and not decoded here."""
ENCODINGS = offers.ENCODINGS


def instance(
    accept: str | None, stored: str, *, query: str | None = None, is_lossy: bool = False, many: bool = False
) -> str:
    offered = offers.instance_offers(described(stored, is_lossy=is_lossy), many=many)
    return said(negotiation.choose(negotiation.wishes(accept, query), offered))


def frames(accept: str | None, stored: str, *, is_lossy: bool = False, many: bool = False) -> str:
    offered = offers.frame_offers(described(stored, is_lossy=is_lossy), many=many)
    return said(negotiation.choose(negotiation.wishes(accept), offered))


def described(stored: str, *, is_lossy: bool = False, **more: bool) -> Stored:
    """Pixels that every encoder can take, where they can be decoded."""
    syntax = syntaxes.find(stored)
    can_decode = syntax is not None and syntax.can_decode
    return Stored(transfer_syntax=stored, is_lossy=is_lossy, encodings=ENCODINGS if can_decode else (), **more)


def said(offer: Offer) -> str:
    return ("multipart " if offer.is_multipart else "") + offer.content_type


DICOM = "application/dicom; transfer-syntax="
OCTETS = "application/octet-stream; transfer-syntax="


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        (None, EXPLICIT, f"multipart {DICOM}{EXPLICIT}"),
        ("", EXPLICIT, f"multipart {DICOM}{EXPLICIT}"),
        ("*/*", IMPLICIT, f"multipart {DICOM}{EXPLICIT}"),
        ("application/*", BIG, f"{DICOM}{EXPLICIT}"),
        ("multipart/*", BIG, f"multipart {DICOM}{EXPLICIT}"),
        ("multipart/related", EXPLICIT, f"multipart {DICOM}{EXPLICIT}"),
        ('multipart/related; type="application/dicom"', DEFLATED, f"multipart {DICOM}{EXPLICIT}"),
        ("multipart/related; type=application/dicom; transfer-syntax=*", JLS, f"multipart {DICOM}{JLS}"),
        ('multipart/related;transfer-syntax="*";type=application/dicom', IMPLICIT, f"multipart {DICOM}{IMPLICIT}"),
        ("application/dicom; transfer-syntax=*", BIG, f"{DICOM}{BIG}"),
        ("application/dicom", EXPLICIT, f"{DICOM}{EXPLICIT}"),
        (f"application/dicom; transfer-syntax={EXPLICIT}", IMPLICIT, f"{DICOM}{EXPLICIT}"),
        (f"application/dicom; transfer-syntax={JLS}", JLS, f"{DICOM}{JLS}"),
        (f"application/dicom; transfer-syntax={RLE}, application/dicom; transfer-syntax={JLS}", JLS, f"{DICOM}{JLS}"),
        (f"application/dicom; transfer-syntax={IMPLICIT}, nonsense, application/dicom", IMPLICIT, f"{DICOM}{EXPLICIT}"),
        ("image/png, application/dicom", EXPLICIT, f"{DICOM}{EXPLICIT}"),
        ('multipart/related; type="*/*"', EXPLICIT, f"multipart {DICOM}{EXPLICIT}"),
        ("multipart/related; type=application/octet-stream", EXPLICIT, f"multipart {OCTETS}{EXPLICIT}"),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", JLS, f"multipart {OCTETS}{JLS}"),
        # Lossy alone is stored, and a video always: then that is the default (MT-07).
        ("multipart/related; type=application/dicom", JPEG, f"multipart {DICOM}{JPEG}"),
        ("application/dicom", MP4, f"{DICOM}{MP4}"),
        (f"application/dicom; transfer-syntax={EXPLICIT}", JPEG, f"{DICOM}{EXPLICIT}"),
        # What is compressed without loss is decompressed (MT-07), or compressed otherwise by name (MT-10).
        ("*/*", RLE, f"multipart {DICOM}{EXPLICIT}"),
        ("application/dicom", JLS, f"{DICOM}{EXPLICIT}"),
        (f"application/dicom; transfer-syntax={HTJ2K}", JLS, f"{DICOM}{HTJ2K}"),
        (f"application/dicom; transfer-syntax={HTJ2K}", IMPLICIT, f"{DICOM}{HTJ2K}"),
        (f"application/dicom; transfer-syntax={JPEG}", EXPLICIT, f"{DICOM}{JPEG}"),
        (f"application/dicom; transfer-syntax={RLE}; q=0.9, application/dicom", JLS, f"{DICOM}{EXPLICIT}"),
        # What is stored wins over what would have to be made, for as good a wish.
        (f"application/dicom; transfer-syntax={EXPLICIT}, application/dicom; transfer-syntax=*", JLS, f"{DICOM}{JLS}"),
        (
            "application/dicom, multipart/related; type=application/octet-stream; transfer-syntax=*",
            JLS,
            f"{DICOM}{EXPLICIT}",
        ),
    ],
)
def test_instance(accept: str | None, stored: str, expected: str) -> None:
    assert instance(accept, stored) == expected


@pytest.mark.parametrize(
    ("accept", "stored"),
    [
        ("application/dicom", HIERARCHICAL),
        ("*/*", HIERARCHICAL),
        (f"application/dicom; transfer-syntax={IMPLICIT}", IMPLICIT),
        (f"application/dicom; transfer-syntax={IMPLICIT}", JLS),
        (f"application/dicom; transfer-syntax={MP4}", JLS),
        (f"application/dicom; transfer-syntax={BIG}", BIG),
        (f"application/dicom; transfer-syntax={JPEG}", HIERARCHICAL),
        ("image/png", EXPLICIT),
        ("application/octet-stream", EXPLICIT),
        ("application/dicom; q=0", EXPLICIT),
        ("application/dicom; transfer-syntax=rubbish", EXPLICIT),
        ("rubbish", EXPLICIT),
        ("application/dicom; q=x", EXPLICIT),
    ],
)
def test_what_cannot_be_had_is_refused_and_says_what_can_rows_12_16_GEN09(accept: str, stored: str) -> None:
    with pytest.raises(errors.NotAcceptable) as caught:
        instance(accept, stored)
    assert any("application/dicom" in wish for wish in caught.value.see)


def test_what_cannot_be_decoded_says_how_it_is_stored_row14() -> None:
    with pytest.raises(errors.NotAcceptable, match=r"JPEG Lossless.*transfer-syntax=\* asks for") as caught:
        instance("application/dicom", HIERARCHICAL)
    assert "application/dicom; transfer-syntax=*" in caught.value.see
    for wish in caught.value.see:
        instance(wish, HIERARCHICAL)


def test_a_refusal_names_what_could_be_made() -> None:
    with pytest.raises(errors.NotAcceptable) as caught:
        instance("image/png", JLS)
    assert f"application/dicom; transfer-syntax={HTJ2K}" in caught.value.see
    for wish in caught.value.see:
        instance(wish, JLS)


def test_a_value_that_is_too_long_stays_compressed_MT_09() -> None:
    offered = offers.instance_offers(described(JLS, fits=False), many=False)
    assert said(negotiation.choose(negotiation.wishes("application/dicom"), offered)) == f"{DICOM}{JLS}"
    with pytest.raises(errors.NotAcceptable):
        negotiation.choose(negotiation.wishes(f"application/dicom; transfer-syntax={EXPLICIT}"), offered)
    frame = offers.frame_offers(described(JLS, fits=False), many=False)
    assert said(negotiation.choose(negotiation.wishes("application/octet-stream"), frame)) == f"{OCTETS}{EXPLICIT}"


@pytest.mark.parametrize("stored", [JLS, MP4, EXPLICIT])
def test_without_pixel_data_a_file_goes_into_every_syntax_that_is_made(stored: str) -> None:
    nothing = Stored(transfer_syntax=stored, has_frames=False, encodings=ENCODINGS)
    offered = offers.instance_offers(nothing, many=True)

    def chosen(parameter: str) -> str | None:
        wanted = negotiation.wishes(f"multipart/related; type=application/dicom{parameter}")
        return negotiation.choose(wanted, offered).transfer_syntax

    assert chosen("") == EXPLICIT
    assert chosen("; transfer-syntax=*") == stored
    assert chosen(f"; transfer-syntax={RLE}") == RLE


def test_what_lies_elsewhere_is_only_sent_as_it_is() -> None:
    referenced = Stored(transfer_syntax="1.2.840.10008.1.2.4.94", has_frames=False, encodings=ENCODINGS)
    offered = offers.instance_offers(referenced, many=False)
    assert {offer.transfer_syntax for offer in offered if "dicom" in offer.media_type} == {referenced.transfer_syntax}


def test_lossy_by_attribute_counts_only_where_the_syntax_may_lose_MT07() -> None:
    assert instance("application/dicom", J2K, is_lossy=True) == f"{DICOM}{J2K}"
    for stored in (J2K, RLE):
        assert instance("application/dicom", stored, is_lossy=stored == RLE) == f"{DICOM}{EXPLICIT}"


def test_a_study_has_no_single_part_form_row18_MT17() -> None:
    assert (
        instance('multipart/related; type="application/dicom"', EXPLICIT, many=True) == f"multipart {DICOM}{EXPLICIT}"
    )
    with pytest.raises(errors.NotAcceptable) as caught:
        instance("application/dicom", EXPLICIT, many=True)
    assert 'multipart/related; type="application/dicom"' in caught.value.see


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        # cornerstone3D, OHIF, EZ-WSI, dicomweb-client, MONAI as they ask (user journeys; CLI-01, CLI-02).
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", JLS, f"multipart {OCTETS}{JLS}"),
        (
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
            IMPLICIT,
            f"multipart {OCTETS}{EXPLICIT}",
        ),
        (
            'multipart/related; type="image/jls"; transfer-syntax="1.2.840.10008.1.2.4.80"; transfer-syntax="*"',
            JLS,
            f"multipart image/jls; transfer-syntax={JLS}",
        ),
        (
            'multipart/related; type="image/jls"; transfer-syntax="1.2.840.10008.1.2.4.80"; transfer-syntax="*"',
            RLE,
            f"multipart image/dicom-rle; transfer-syntax={RLE}",
        ),
        ("application/octet-stream; transfer-syntax=*", JLS, f"{OCTETS}{JLS}"),
        ('multipart/related; type="*/*"', JLS, f"multipart image/jls; transfer-syntax={JLS}"),
        ('multipart/related; type="*/*"', BIG, f"multipart {OCTETS}{EXPLICIT}"),
        ("*/*", RLE, f"multipart image/dicom-rle; transfer-syntax={RLE}"),
        (None, JLS, f"multipart image/jls; transfer-syntax={JLS}"),
        # Old names (MT-14), types without a syntax, single parts (V5).
        ("multipart/related; type=image/x-jls", JLS, f"multipart image/jls; transfer-syntax={JLS}"),
        ("image/x-dicom-rle", RLE, f"image/dicom-rle; transfer-syntax={RLE}"),
        (
            'multipart/related; type="image/dicom+jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50',
            JPEG,
            f"multipart image/jpeg; transfer-syntax={JPEG}",
        ),
        ("image/*", JPEG, f"image/jpeg; transfer-syntax={JPEG}"),
        # Types without a syntax mean that of their table (MT-12), unless only a lossy picture is stored.
        ("image/jpeg", EXPLICIT, f"image/jpeg; transfer-syntax={JPEG_LOSSLESS}"),
        ("image/jpeg", JPEG_LOSSLESS_OTHER, f"image/jpeg; transfer-syntax={JPEG_LOSSLESS}"),
        ("image/jpeg", JPEG, f"image/jpeg; transfer-syntax={JPEG}"),
        ("image/jphc", JLS, f"image/jphc; transfer-syntax={HTJ2K}"),
        ("image/jp2", EXPLICIT, "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90"),
        ("multipart/related; type=image/dicom-rle", IMPLICIT, f"multipart image/dicom-rle; transfer-syntax={RLE}"),
        (f"image/jpeg; transfer-syntax={JPEG}", EXPLICIT, f"image/jpeg; transfer-syntax={JPEG}"),
        ("image/jxl", JPEG, "image/jxl; transfer-syntax=1.2.840.10008.1.2.4.110"),
        ("image/*", JPEG_LOSSLESS_OTHER, f"image/jpeg; transfer-syntax={JPEG_LOSSLESS_OTHER}"),
        ("image/*", EXPLICIT, f"image/jpeg; transfer-syntax={JPEG_LOSSLESS}"),
        # Octets are native, by name also of a lossy picture (MT-07, FRM-02).
        ("application/octet-stream", JLS, f"{OCTETS}{EXPLICIT}"),
        (f"application/octet-stream; transfer-syntax={EXPLICIT}", JPEG, f"{OCTETS}{EXPLICIT}"),
        # For as good a wish what is stored goes, in whatever type.
        (f"image/jpeg; transfer-syntax={JPEG}, image/jls", JLS, f"image/jls; transfer-syntax={JLS}"),
        ("image/jls, application/octet-stream", EXPLICIT, f"{OCTETS}{EXPLICIT}"),
        ("image/jls, application/octet-stream; q=0.9", EXPLICIT, f"image/jls; transfer-syntax={JLS}"),
        ("application/octet-stream", IMPLICIT, f"{OCTETS}{EXPLICIT}"),
        (f"application/octet-stream; transfer-syntax={EXPLICIT}", BIG, f"{OCTETS}{EXPLICIT}"),
        (f"multipart/related; type=application/octet-stream; transfer-syntax={JLS}", JLS, f"multipart {OCTETS}{JLS}"),
        ("application/octet-stream", JPEG, f"{OCTETS}{JPEG}"),
        ("multipart/related; type=video/mp4", MP4, f"multipart video/mp4; transfer-syntax={MP4}"),
        ("application/octet-stream", syntaxes.ENCAPSULATED_LITTLE, f"{OCTETS}{EXPLICIT}"),
        (
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
            "1.2.3.4.5",
            f"multipart {OCTETS}1.2.3.4.5",
        ),
    ],
)
def test_frames(accept: str | None, stored: str, expected: str) -> None:
    assert frames(accept, stored) == expected


@pytest.mark.parametrize(
    ("accept", "stored"),
    [
        ("application/octet-stream", HIERARCHICAL),
        ("multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2", IMPLICIT),
        ('multipart/related; type="image/jphc"; transfer-syntax=1.2.840.10008.1.2.4.201', HIERARCHICAL),
        ("image/jls; transfer-syntax=1.2.840.10008.1.2.4.90", JLS),
        ("video/mp4", JLS),
        ("image/png", JLS),
        ("application/octet-stream", "1.2.3.4.5"),
    ],
)
def test_frames_that_cannot_be_had_row27(accept: str, stored: str) -> None:
    with pytest.raises(errors.NotAcceptable) as caught:
        frames(accept, stored)
    for wish in caught.value.see:
        frames(wish, stored)


def test_nobody_gets_jpeg_2000_who_did_not_name_it() -> None:
    only_that = Stored(transfer_syntax=EXPLICIT, encodings=("1.2.840.10008.1.2.4.90",))
    offered = offers.frame_offers(only_that, many=False)
    assert negotiation.find(negotiation.wishes("image/*"), offered) is None
    assert said(negotiation.choose(negotiation.wishes("image/jp2"), offered)).startswith("image/jp2")


def test_native_pixel_data_is_one_value_and_compressed_one_part_a_frame_FRM_04() -> None:
    stored = described(JLS)
    offered = offers.pixel_data_offers(stored, has_many_frames=True)
    assert said(negotiation.choose(negotiation.wishes("application/octet-stream"), offered)) == f"{OCTETS}{EXPLICIT}"
    assert negotiation.find(negotiation.wishes("image/jls"), offered) is None
    assert negotiation.find(negotiation.wishes("multipart/related; type=image/jls"), offered) is not None
    video = offers.pixel_data_offers(described(MP4), has_many_frames=True)
    assert said(negotiation.choose(negotiation.wishes("video/mp4"), video)).startswith("video/mp4")


@pytest.mark.parametrize("syntax", [uid for uid in ENCODINGS if uid in offers.TYPE_DEFAULTS.values()])
def test_a_type_that_is_offered_has_its_default_MT_12(syntax: str) -> None:
    media_type = syntaxes.TABLE[syntax].media_type
    assert (
        frames(f"multipart/related; type={media_type}", EXPLICIT) == f"multipart {media_type}; transfer-syntax={syntax}"
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", False),
        ("application/dicom", False),
        ("application/dicom; transfer-syntax=*", False),
        (f"application/dicom; transfer-syntax={JLS}", False),
        (f"application/dicom; transfer-syntax={EXPLICIT}", False),
        (f"application/dicom; transfer-syntax={RLE}", True),
        (f"application/dicom; transfer-syntax={RLE}; q=0", False),
        ("image/jls", True),
        ("image/*", True),
        ("rubbish", False),
        ("application/dicom; transfer-syntax=1.2.3", False),
    ],
)
def test_only_who_could_want_what_is_made_costs_a_closer_look(accept: str, expected: bool) -> None:
    assert negotiation.may_want_made(negotiation.wishes(accept), JLS) is expected


def test_many_frames_are_never_a_single_part_MT16() -> None:
    with pytest.raises(errors.NotAcceptable):
        frames("application/octet-stream", EXPLICIT, many=True)


@pytest.mark.parametrize(
    ("accept", "query", "expected"),
    [
        ("*/*", "application/dicom", f"{DICOM}{EXPLICIT}"),
        ("multipart/related; type=application/dicom", "application/dicom", f"{DICOM}{EXPLICIT}"),
        ("text/html, */*;q=0.1", "application/dicom;q=0.1", f"{DICOM}{EXPLICIT}"),
        ("*/*", "image/png", f"multipart {DICOM}{EXPLICIT}"),
        (None, 'multipart/related;type="application/dicom";transfer-syntax=*', f"multipart {DICOM}{IMPLICIT}"),
    ],
)
def test_accept_in_the_address_wins_and_the_header_is_the_fallback_V1_MT05(
    accept: str | None, query: str, expected: str
) -> None:
    assert instance(accept, IMPLICIT, query=query) == expected


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json",
        "application/dicom+json, application/json",
        "text/html,application/xml;q=0.9,*/*;q=0.8",
    ],
)
def test_metadata_and_search_are_json_and_nothing_after_it_V6(accept: str | None) -> None:
    chosen = negotiation.choose(negotiation.wishes(accept), offers.METADATA)
    assert chosen.content_type == "application/dicom+json"


def test_json_written_unescaped_in_the_address() -> None:
    chosen = negotiation.choose(negotiation.wishes("image/png", "application/dicom json"), offers.METADATA)
    assert chosen.content_type == "application/dicom+json"


@pytest.mark.parametrize("accept", ["application/dicom+xml", "image/png", "application/dicom+json;q=0"])
def test_metadata_that_is_not_served_is_refused_row12(accept: str) -> None:
    with pytest.raises(errors.NotAcceptable) as caught:
        negotiation.choose(negotiation.wishes(accept), offers.METADATA)
    assert caught.value.see == ("application/dicom+json", 'multipart/related; type="application/dicom+xml"')


def test_store_report_is_xml_only_where_asked_for_V6() -> None:
    def chosen(accept: str | None) -> str:
        return said(negotiation.choose(negotiation.wishes(accept), offers.STORE_REPORT))

    assert chosen(None) == "application/dicom+json"
    assert chosen("application/dicom+xml") == "application/dicom+xml"
    assert chosen("application/dicom+xml;q=0.5, application/dicom+json;q=0.4") == "application/dicom+xml"
    assert chosen('multipart/related; type="application/dicom+xml"') == "multipart application/dicom+xml"


def test_quality_then_order_then_our_preference_MT04() -> None:
    mixed = "application/dicom;q=0.2, multipart/related; type=application/dicom; q=0.8"
    assert instance(mixed, EXPLICIT) == f"multipart {DICOM}{EXPLICIT}"
    assert instance("application/dicom, multipart/related; type=application/dicom", EXPLICIT).startswith(DICOM)
    assert instance("application/dicom;transfer-syntax=*, application/dicom", IMPLICIT) == f"{DICOM}{IMPLICIT}"
    # The most specific range decides, not the most generous one.
    assert (
        instance("*/*;q=1, multipart/related; type=application/dicom;q=0.1, application/dicom;q=0.2", EXPLICIT)
        == f"multipart {OCTETS}{EXPLICIT}"
    )
    assert instance("*/*, multipart/*;q=0", EXPLICIT) == f"{DICOM}{EXPLICIT}"


def test_strict_wants_an_accept_header_row13_GEN07() -> None:
    with pytest.raises(errors.NotAcceptable):
        negotiation.wishes(None, "application/dicom+json", strict=True)
    assert negotiation.wishes(None) == (negotiation.Wish(media_type="*/*", is_multipart=None, tier=1),)


def test_strict_takes_what_a_browser_sends_by_itself_AMB02() -> None:
    by_itself = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    assert negotiation.choose(negotiation.wishes(by_itself, strict=True), offers.SEARCH) == offers.SEARCH[0]


def test_strict_refuses_dicom_mixed_with_rendered_row19_AMB02() -> None:
    mixed = "application/dicom+json, image/jpeg"
    assert negotiation.wishes(mixed)
    with pytest.raises(errors.Malformed):
        negotiation.wishes(mixed, strict=True)
    for fine in (
        "application/dicom+json, */*",
        "image/jpeg, image/*",
        'application/dicom, multipart/related; type="image/jpeg"',
    ):
        assert negotiation.wishes(fine, strict=True)
    assert negotiation.wishes("application/octet-stream, image/jpeg", strict=True, is_bulk=True)


def test_each_instance_of_a_study_gets_its_own_syntax_under_one_type_RET04_V4() -> None:
    each = [
        offers.instance_offers(described(uid, is_lossy=False), many=True)
        for uid in (EXPLICIT, HIERARCHICAL, JPEG, IMPLICIT)
    ]
    chosen = negotiation.choose_each(negotiation.wishes('multipart/related; type="application/dicom"'), each)
    assert [offer and offer.content_type for offer in chosen] == [
        f"{DICOM}{EXPLICIT}",
        None,
        f"{DICOM}{JPEG}",
        f"{DICOM}{EXPLICIT}",
    ]
    as_stored = negotiation.choose_each(
        negotiation.wishes('multipart/related; type="application/dicom"; transfer-syntax=*'), each
    )
    assert [offer and offer.transfer_syntax for offer in as_stored] == [EXPLICIT, HIERARCHICAL, JPEG, IMPLICIT]
    both = "multipart/related; type=application/dicom, multipart/related; type=application/octet-stream; transfer-syntax=*; q=0.9"
    assert {offer.media_type for offer in negotiation.choose_each(negotiation.wishes(both), each) if offer} == {
        "application/dicom"
    }
    with pytest.raises(errors.NotAcceptable, match="Hierarchical"):
        negotiation.choose_each(negotiation.wishes("multipart/related; type=application/dicom"), each[1:2])


DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


@pytest.mark.parametrize(
    "accept", [None, "*/*", 'multipart/related; type="*/*"', "application/octet-stream;transfer-syntax=*"]
)
def test_bulk_data_without_a_type_of_its_own_is_sent_to_who_takes_anything_FRM07(accept: str | None) -> None:
    """A compressed syntax that no media type names: stored bytes for any type, but never as if they were native."""
    assert frames(accept, DEFLATED_FRAMES).endswith(OCTETS + DEFLATED_FRAMES)
    assert frames("application/octet-stream", DEFLATED_FRAMES) == OCTETS + EXPLICIT


@pytest.mark.parametrize("stored", [JLS, J2K, DEFLATED_FRAMES])
def test_collected_bulk_data_goes_to_who_takes_anything_and_files_do_not_FRM07(stored: str) -> None:
    offered = offers.collected_bulk_offers(described(stored))
    assert said(negotiation.choose(negotiation.wishes("*/*"), offered)) == f"multipart {OCTETS}{stored}"
    assert instance("*/*", stored) == f"multipart {DICOM}{EXPLICIT}"  # MT-07: the default is uncompressed


@pytest.mark.parametrize(
    ("accept", "is_stored"),
    [
        ("*/*", False),
        ("application/dicom", False),
        (f"application/dicom; transfer-syntax={EXPLICIT}", False),
        ('multipart/related; type="application/dicom"', False),
        ("application/dicom; transfer-syntax=*", True),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', True),
    ],
)
def test_file_that_begins_unsoundly_is_sent_so_only_to_who_asks_for_it_as_stored_T2(
    accept: str, is_stored: bool
) -> None:
    offered = offers.instance_offers(described(EXPLICIT, is_sound=False), many=False)
    offer = negotiation.choose(negotiation.wishes(accept), offered)
    assert (offer.transfer_syntax, offer.is_stored) == (EXPLICIT, is_stored)


def test_bulk_data_without_pixels_is_octets_FRM04() -> None:
    assert said(negotiation.choose(negotiation.wishes("*/*"), offers.bulk_offers())) == f"multipart {OCTETS}{EXPLICIT}"
    collected = offers.collected_bulk_offers(described(JLS, has_frames=False))
    assert said(negotiation.choose(negotiation.wishes("*/*"), collected)) == f"multipart {OCTETS}{EXPLICIT}"


ALL_SYNTAXES = st.sampled_from([*syntaxes.TABLE, "1.2.3"])


@given(ALL_SYNTAXES, st.booleans(), st.booleans())
def test_everything_stored_can_be_had_as_stored_MT06_V2(stored: str, is_lossy: bool, many: bool) -> None:
    for_instance = offers.instance_offers(described(stored, is_lossy=is_lossy), many=many)
    wanted = negotiation.wishes("multipart/related; type=application/dicom; transfer-syntax=*")
    assert negotiation.choose(wanted, for_instance).transfer_syntax == stored
    for_frames = offers.frame_offers(described(stored, is_lossy=is_lossy), many=many)
    wanted = negotiation.wishes("multipart/related; type=application/octet-stream; transfer-syntax=*")
    offer = negotiation.choose(wanted, for_frames)
    assert offer.is_multipart
    assert "transfer-syntax=" in offer.content_type


@given(ALL_SYNTAXES, st.booleans(), st.booleans())
def test_what_a_refusal_names_can_be_had(stored: str, is_lossy: bool, many: bool) -> None:
    for offered in (
        offers.instance_offers(described(stored, is_lossy=is_lossy), many=many),
        offers.frame_offers(described(stored, is_lossy=is_lossy), many=many),
    ):
        for wish in negotiation.not_acceptable(offered).see:
            assert negotiation.find(negotiation.wishes(wish), offered) is not None


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_accept_is_understood_or_not_acceptable(accept: str, query: str) -> None:
    with contextlib.suppress(errors.NotAcceptable):
        instance(accept, EXPLICIT, query=query)
