"""What can be rendered, by category: MT-01, MT-15, MT-17, REN-09, Table 8.7.4-1."""

from __future__ import annotations

import pytest

from dicomgate.dicom import syntaxes
from dicomgate.dicomweb import rendered_offers
from dicomgate.dicomweb.rendered_offers import Category

CT, STATE, REPORT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.88.33"
PDF, CDA, PLAN = (f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("104.1", "104.2", "481.5"))
NATIVE, VIDEO, J2K, UNHEARD = syntaxes.EXPLICIT_LITTLE, "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.90", "1.2.3"


@pytest.mark.parametrize(
    ("sop_class", "syntax", "frames", "expected"),
    [
        (CT, NATIVE, 1, Category.IMAGE),
        (CT, J2K, 1, Category.IMAGE),
        (CT, J2K, 2, Category.MULTI_FRAME),
        (CT, NATIVE, 0, Category.OTHER),
        (CT, VIDEO, 500, Category.VIDEO),
        (CT, UNHEARD, 1, Category.OTHER),
        (REPORT, NATIVE, 0, Category.TEXT),
        (PDF, NATIVE, 0, Category.TEXT),
        (STATE, NATIVE, 0, Category.STATE),
        (PLAN, NATIVE, 0, Category.OTHER),
    ],
)
def test_categories_MT_01(sop_class: str, syntax: str, frames: int, expected: Category) -> None:
    assert rendered_offers.category(sop_class, syntax, frames) is expected


def named(*about: object, many: bool = False, strict: bool = False) -> tuple[list[str], list[str]]:
    """What is offered alone, and what as parts."""
    offered = rendered_offers.instance_offers(*about, many=many, strict=strict)  # type: ignore[arg-type]
    alone, parts = ([o.media_type for o in offered if o.is_multipart is form] for form in (False, True))
    return alone, parts


PICTURES, TEXTS = list(rendered_offers.PICTURES), list(rendered_offers.TEXTS)


def test_one_image_is_one_picture_and_a_study_is_parts_MT_15_MT_17() -> None:
    assert named(CT, NATIVE, 1) == (PICTURES, PICTURES)
    assert named(CT, NATIVE, 1, many=True) == ([], PICTURES)
    assert PICTURES[:3] == ["image/jpeg", "image/png", "image/gif"]


def test_several_frames_are_parts_or_move_REN_09() -> None:
    alone, parts = named(CT, NATIVE, 5)
    assert alone[0] == "image/gif"
    assert parts == PICTURES
    assert named(CT, NATIVE, 5, strict=True)[0] == ["image/gif"]
    query = rendered_offers.query_offers(CT, NATIVE, 5)
    assert next(offer.media_type for offer in query) == "image/jpeg", "AMB-08"


@pytest.mark.parametrize(
    ("sop_class", "first"), [(REPORT, "text/html"), (PDF, "application/pdf"), (CDA, "text/xml"), (PLAN, "text/html")]
)
def test_texts_and_documents_MT_15(sop_class: str, first: str) -> None:
    alone, parts = named(sop_class, NATIVE, 0)
    assert alone[0] == first
    assert set(TEXTS) <= set(alone)
    assert alone == parts


def test_states_and_videos() -> None:
    assert named(STATE, NATIVE, 0)[1][:3] == PICTURES[:3]
    assert named(STATE, NATIVE, 0, strict=True)[0] == TEXTS
    assert named(STATE, NATIVE, 0, many=True) == ([], TEXTS)
    assert named(CT, VIDEO, 9) == (["video/mp4"], ["video/mp4"])


def test_every_type_is_a_rendered_one_and_no_syntax_is_named() -> None:
    for about in ((CT, NATIVE, 1), (CT, NATIVE, 2), (REPORT, NATIVE, 0), (CT, VIDEO, 1)):
        for offer in rendered_offers.instance_offers(*about, many=False, strict=False):
            assert offer.transfer_syntax is None
            assert "transfer-syntax" not in offer.content_type
