"""WADO-URI parameters: URI-01..09, URI-11, URI-12, URI-15, rows 46 to 50."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import parameters, wado_uri

BASE = "requestType=WADO&studyUID=1.2&seriesUID=3.4&objectUID=5.6"
DICOM = f"{BASE}&contentType=application/dicom"
JLS = "1.2.840.10008.1.2.4.80"


def ask(raw: str, accept: str | None = None) -> wado_uri.Request:
    return wado_uri.parse(parameters.parse(raw), accept)


def chosen(raw: str, stored: str, accept: str | None = None) -> str:
    offer = wado_uri.choose(ask(raw, accept).wishes, stored, is_lossy=False, has_frames=True)
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
    for raw in (
        DICOM,
        f"{DICOM}&transferSyntax=1.2.840.10008.1.2.4.50",
        f"{DICOM}&transferSyntax={syntaxes.IMPLICIT_LITTLE}",
    ):
        with pytest.raises(errors.NotAcceptable) as caught:
            chosen(raw, JLS)
        assert caught.value.see == (f"contentType=application/dicom&transferSyntax={JLS}",)
        assert JLS in caught.value.message


@pytest.mark.parametrize(
    "raw", [BASE, f"{BASE}&contentType=image/jpeg", f"{BASE}&contentType=image/png,image/jpeg&rows=5"]
)
@pytest.mark.parametrize("accept", [None, "*/*"])
def test_rendered_images_cannot_be_had_and_dicom_is_named_URI04(raw: str, accept: str | None) -> None:
    with pytest.raises(errors.NotAcceptable) as caught:
        chosen(raw, syntaxes.EXPLICIT_LITTLE, accept)
    assert caught.value.see == (f"contentType=application/dicom&transferSyntax={syntaxes.EXPLICIT_LITTLE}",)


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


def test_an_original_is_never_sent_for_a_de_identified_copy_row50_URI07() -> None:
    with pytest.raises(errors.NotAcceptable, match="de-identified"):
        ask(f"{DICOM}&anonymize=yes")


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
