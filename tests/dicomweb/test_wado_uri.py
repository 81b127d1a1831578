"""WADO-URI parameters: URI-01..09, URI-11, URI-12, URI-15, rows 46 to 50."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.presentation import Annotation, Presentation, Region, Viewport, Window
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import offers, parameters, rendered_offers, rendering, wado_uri

BASE = "requestType=WADO&studyUID=1.2&seriesUID=3.4&objectUID=5.6"
DICOM = f"{BASE}&contentType=application/dicom"
JLS = "1.2.840.10008.1.2.4.80"
CT = "1.2.840.10008.5.1.4.1.1.2"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
PLAN = "1.2.840.10008.5.1.4.1.1.481.5"


def ask(raw: str, accept: str | None = None) -> wado_uri.Request:
    return wado_uri.parse(parameters.parse(raw), accept)


def chosen(raw: str, stored: str, accept: str | None = None, *, sop_class: str = CT, frames: int = 1) -> str:
    files = offers.instance_offers(offers.Stored(transfer_syntax=stored), many=False)
    files = tuple(offer for offer in files if offer.media_type == "application/dicom")
    rendered = rendered_offers.query_offers(sop_class, stored, frames)
    kind = rendered_offers.category(sop_class, stored, frames)
    offer = wado_uri.choose(ask(raw, accept).wishes, kind, files, rendered)
    assert not offer.is_multipart
    return offer.content_type


def test_an_instance_as_dicom_URI01() -> None:
    assert ask(DICOM).target == Target("1.2", "3.4", "5.6")
    shuffled = "objectUID=5.6&contentType=application%2Fdicom&studyUID=1.2&requestType=WADO&unknown=1&seriesUID=3.4"
    assert ask(shuffled) == ask(DICOM)
    explicit = f"application/dicom; transfer-syntax={syntaxes.EXPLICIT_LITTLE}"
    assert chosen(DICOM, syntaxes.IMPLICIT_LITTLE) == explicit
    assert (
        chosen(
            f"{DICOM}&frameNumber=1&imageQuality=50&region=0,0,1,0.5&rows=10&charset=x&annotation=patient",
            syntaxes.EXPLICIT_LITTLE,
        )
        == explicit
    )
    assert chosen(BASE, syntaxes.EXPLICIT_LITTLE, "application/dicom, */*") == explicit


def test_transfer_syntax_row49_URI08() -> None:
    assert chosen(f"{DICOM}&transferSyntax={JLS}", JLS) == f"application/dicom; transfer-syntax={JLS}"
    assert chosen(DICOM, JLS) == f"application/dicom; transfer-syntax={syntaxes.EXPLICIT_LITTLE}"
    for raw in (
        f"{DICOM}&transferSyntax=1.2.840.10008.1.2.4.50",
        f"{DICOM}&transferSyntax={syntaxes.IMPLICIT_LITTLE}",
    ):
        with pytest.raises(errors.NotAcceptable) as caught:
            chosen(raw, JLS)
        assert f"contentType=application/dicom&transferSyntax={JLS}" in caught.value.see
        assert JLS in caught.value.message


@pytest.mark.parametrize(
    ("raw", "accept", "sop_class", "frames", "expected"),
    [
        (BASE, None, CT, 1, "image/jpeg"),
        (BASE, "*/*", CT, 1, "image/jpeg"),
        (BASE, "text/html,image/avif,*/*;q=0.8", CT, 1, "image/jpeg"),
        (BASE, "text/html,image/webp,*/*;q=0.8", CT, 1, "image/webp"),
        (BASE, "image/png;q=0.5,image/gif;q=0.6", CT, 1, "image/gif"),
        (f"{BASE}&contentType=image/png", "image/jpeg", CT, 1, "image/png"),
        (f"{BASE}&contentType=image/avif,image/jpeg;q=0.5,image/png;q=0.8", None, CT, 1, "image/png"),
        (f"{BASE}&contentType=image/jpeg", None, CT, 10, "image/jpeg"),
        (BASE, "*/*", CT, 10, "image/jpeg"),
        (f"{BASE}&contentType=image/gif", "*/*", CT, 10, "image/gif"),
        (BASE, None, REPORT, 0, "text/html"),
        (f"{BASE}&contentType=text/plain", None, REPORT, 0, "text/plain"),
        (BASE, None, PLAN, 0, f"application/dicom; transfer-syntax={syntaxes.EXPLICIT_LITTLE}"),
        (f"{BASE}&contentType=text/html", None, PLAN, 0, "text/html"),
    ],
)
def test_what_is_sent_by_object_and_wish_URI03_URI04(
    raw: str, accept: str | None, sop_class: str, frames: int, expected: str
) -> None:
    assert chosen(raw, syntaxes.EXPLICIT_LITTLE, accept, sop_class=sop_class, frames=frames) == expected


def test_what_an_object_is_not_is_not_acceptable_URI17() -> None:
    with pytest.raises(errors.NotAcceptable) as caught:
        chosen(f"{BASE}&contentType=image/jpeg", syntaxes.EXPLICIT_LITTLE, sop_class=REPORT, frames=0)
    assert "contentType=text/html" in caught.value.see


def test_pictures_as_they_are_wanted_URI09_to_URI15() -> None:
    asked = ask(
        f"{BASE}&frameNumber=3&rows=10&columns=20&region=0,.25,1,0.5&windowCenter=-40&windowWidth=400"
        "&imageQuality=70&imageAnnotation=technique,foo&charset=UTF-8"
    )
    assert asked.wanted.presentation == Presentation(
        viewport=Viewport(20, 10),
        region=Region(0, 0.25, 1, 0.5),
        window=Window(-40, 400),
        quality=70,
        annotations=(Annotation.TECHNIQUE,),
    )
    assert (asked.frame, asked.wanted.unknown, asked.charset) == (3, ("foo",), "UTF-8")
    assert ask(f"{BASE}&rows=10").wanted.presentation.viewport == Viewport(rendering.LARGEST_SIDE, 10)
    assert ask(f"{BASE}&annotation=patient").wanted.presentation.annotations == (Annotation.PATIENT,)


def test_presentation_states_URI15() -> None:
    state = f"{BASE}&presentationUID=7.8&presentationSeriesUID=9.9"
    assert ask(f"{state}&annotation=patient&imageQuality=5&region=0,0,1,1&rows=5").state == Target("1.2", "9.9", "7.8")
    for more in ("frameNumber=1", "windowCenter=1&windowWidth=2"):
        with pytest.raises(errors.Malformed, match="not together with a presentation state"):
            ask(f"{state}&{more}")


@pytest.mark.parametrize("missing", ["requestType=WADO", "studyUID=1.2", "seriesUID=3.4", "objectUID=5.6"])
def test_each_of_the_four_is_required_row46_URI01(missing: str) -> None:
    raw = "&".join(pair for pair in DICOM.split("&") if pair != missing)
    with pytest.raises(errors.Malformed, match=missing.partition("=")[0]):
        ask(raw)


@pytest.mark.parametrize(
    "more",
    [
        "requestType=WADO",
        "objectUID=5.6",
        "transferSyntax=x",
        "transferSyntax=*",
        "transferSyntax=1.2&transferSyntax=1.2",
        "anonymize=no",
        "anonymize=yes&anonymize=yes",
        "frameNumber=0",
        "frameNumber=x",
        "rows=0",
        "columns=-1",
        "imageQuality=0",
        "imageQuality=101",
        "region=0.5,0,0.5,1",
        "region=0,0,1",
        "region=0,0,1,2",
        "region=0,0,1,nan",
        "windowCenter=40",
        "windowWidth=400",
        "windowCenter=40&windowWidth=400",
        "windowCenter=a&windowWidth=400",
        "presentationUID=1.2",
        "presentationUID=1.2&presentationSeriesUID=1.3",
        "contentType=application/dicom",
    ],
)
def test_values_that_a_parameter_cannot_have_are_malformed_row48(more: str) -> None:
    with pytest.raises(errors.Malformed):
        ask(f"{DICOM}&{more}")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/dicom;transfer-syntax=1.2.840.10008.1.2.1",
        "application/dicom;charset=utf-8",
        "application/dicom,image/jpeg",
        "",
        "nonsense",
    ],
)
def test_content_type_row47_URI03(content_type: str) -> None:
    with pytest.raises(errors.Malformed, match="contentType"):
        ask(f"{BASE}&contentType={content_type}")


@pytest.mark.parametrize("name", ["studyUID", "seriesUID", "objectUID"])
def test_uids_are_checked_T9(name: str) -> None:
    with pytest.raises(errors.Malformed, match=name):
        ask("&".join(f"{name}=../x" if pair.startswith(name) else pair for pair in DICOM.split("&")))


def test_de_identified_copies_are_files_row50_URI07() -> None:
    for raw, accept in ((f"{DICOM}&anonymize=yes", None), (f"{BASE}&anonymize=yes", "text/html, */*;q=0.5")):
        asked = ask(raw, accept)
        assert asked.is_anonymous
        assert [wish.media_type for wish in asked.wishes] == ["application/dicom"]
    with pytest.raises(errors.Malformed, match="anonymize"):
        ask(f"{BASE}&anonymize=yes&contentType=image/jpeg")


UIDS = st.from_regex(r"[0-9](\.[0-9]{1,5}){0,8}", fullmatch=True)


@settings(max_examples=40)
@given(UIDS, UIDS, UIDS)
def test_links_lead_back_to_what_they_name(study: str, series: str, instance: str) -> None:
    target = Target(study, series, instance)
    root, _, raw = wado_uri.link("https://h/wado", target).partition("?")
    assert root == "https://h/wado"
    assert ask(raw).target == target


NAMES = st.sampled_from(["requestType", "studyUID", "contentType", "region", "windowCenter", "frameNumber", "x"])


@given(st.lists(st.tuples(NAMES, st.text(max_size=10)), max_size=5))
def test_any_parameters_are_a_request_or_a_fault_of_the_caller(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(errors.Malformed, errors.NotAcceptable):
        wado_uri.parse([*parameters.parse(BASE), *pairs])
