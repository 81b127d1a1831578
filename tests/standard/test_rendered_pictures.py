"""PS3.18 §8.3.5.1, §10.4.3.3.3: pictures of studies, series, instances, frames; rows 29 to 36 of the reviewer's matrix."""

from __future__ import annotations

import json
from typing import Any

import imagecodecs
import pytest
from standard_service import J2K, Service, parts_of, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances, states
from dicomgate.testing.serving import Reply

CT = "1.2.840.10008.5.1.4.1.1.2"
RELATED = 'multipart/related; type="{}"'


def ramp(rows: int, columns: int) -> bytes:
    """Values from 0 on the left to 4095 on the right."""
    row = b"".join((column * 4095 // (columns - 1)).to_bytes(2, "little") for column in range(columns))
    return row * rows


def scan(target: Target, rows: int = 64, columns: int = 96, frames: int = 1, **attributes: Any) -> bytes:
    said = {"SOPClassUID": CT, "Modality": "CT", **attributes}
    return instances.make(target, rows=rows, columns=columns, frames=[ramp(rows, columns)] * frames, attributes=said)


def state(target: Target, *images: Target, **attributes: Any) -> bytes:
    return states.make(target, images, image_class=CT, attributes=attributes)


@pytest.fixture(scope="module")
def one(service: Service) -> Target:
    target = instances.new_target()
    service.store(scan(target))
    return target


@pytest.fixture(scope="module")
def several(service: Service) -> Target:
    target = instances.new_target()
    service.store(scan(target, frames=3))
    return target


def ask(service: Service, target: Target, query: str = "", accept: str = "image/png", **headers: str) -> Reply:
    return service.studies(f"{path_of(target)}/rendered{query}", accept, **headers)


def size(reply: Reply) -> tuple[int, int]:
    """Width and height."""
    assert reply.status == 200, reply.body
    picture = imagecodecs.imread(reply.body)
    return picture.shape[1], picture.shape[0]


@pytest.mark.slow
@pytest.mark.parametrize("accept", ["image/jpeg", "image/png", "image/gif"])
def test_one_picture_in_every_required_type_MT_15(service: Service, one: Target, accept: str) -> None:
    reply = ask(service, one, accept=accept)
    assert reply.headers["content-type"] == accept
    assert reply.headers["content-location"] == f"{service.root}{path_of(one)}"
    assert reply.headers["etag"].startswith('"')
    assert size(reply) == (96, 64)


@pytest.mark.parametrize("accept", ["*/*", "image/*", "image/avif,image/webp,image/*;q=0.8,*/*;q=0.5"])
def test_default_is_jpeg_MT_15(service: Service, one: Target, accept: str) -> None:
    assert ask(service, one, accept=accept).headers["content-type"].startswith("image/")
    assert ask(service, one, accept="*/*").headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    "query",
    [
        "?window=40,400",
        "?window=40,400,gauss",
        "?viewport=512",
        "?viewport=0,5",
        "?viewport=10,10,",
        "?quality=0",
        "?quality=101",
        "?quality=",
        "?annotation=",
        "?iccprofile=srgb&accept=image/gif",
        "?iccprofile=nonsense",
        "?viewport=100000,100000",
        "?quality=5&quality=6",
    ],
)
def test_values_that_cannot_be_are_400_rows_29_to_34(service: Service, one: Target, query: str) -> None:
    for path in (path_of(one), f"{path_of(one)}/frames/1", f"/studies/{one.study}"):
        accept = (
            "*/*" if "accept=" not in query or "frames" in path or "series" in path else RELATED.format("image/gif")
        )
        reply = service.studies(f"{path}/rendered{query}", accept)
        if accept == "*/*":
            assert reply.status == 400, query
            assert "parameter" in json.loads(reply.body)["detail"]


def test_viewport_row_31_REN_05(service: Service, one: Target) -> None:
    square = instances.new_target()
    service.store(scan(square, rows=512, columns=512))
    assert size(ask(service, square, "?viewport=100,50")) == (50, 50)
    assert size(ask(service, one, "?viewport=48,48")) == (48, 32)
    assert size(ask(service, one, "?viewport=192,1000")) == (192, 128)
    assert size(ask(service, one, "?viewport=10,10,48,,48,64")) == (8, 10)


def test_flip_and_region_REN_05(service: Service, one: Target) -> None:
    picture = imagecodecs.imread(ask(service, one, "?viewport=96,64,,,-96").body)
    assert int(picture[0, 0].max()) > int(picture[0, -1].max()), "the ramp now falls"


def test_annotations_row_33_REN_03_GEN_15(service: Service, one: Target) -> None:
    plain = ask(service, one)
    odd = ask(service, one, "?annotation=foo")
    assert (odd.status, odd.body) == (200, plain.body)
    expected = f"299 {service.root}: The following annotation values are not supported: foo"
    assert odd.headers["warning"] == expected
    assert "warning" not in plain.headers
    written = ask(service, one, "?annotation=patient,technique")
    assert written.body != plain.body
    assert b"no-cache" in written.headers["cache-control"].encode(), "who the patient is may be corrected"


def test_window_and_quality_change_the_picture(service: Service, one: Target) -> None:
    assert ask(service, one, "?window=100,50,linear").body != ask(service, one).body
    good, bad = (ask(service, one, f"?quality={quality}", "image/jpeg").body for quality in (95, 5))
    assert len(bad) < len(good)


def test_profile_row_34_REN_08(service: Service, one: Target) -> None:
    assert ask(service, one, "?iccprofile=no&accept=image/gif", "*/*").status == 200
    with_profile = ask(service, one, "?iccprofile=srgb", "image/jpeg")
    assert b"ICC_PROFILE\0" in with_profile.body
    assert b"ICC_PROFILE\0" not in ask(service, one, "?iccprofile=no", "image/jpeg").body


def test_study_of_one_is_several_row_36_MT_17(service: Service, one: Target) -> None:
    path = f"/studies/{one.study}/rendered"
    assert service.studies(path, "image/jpeg").status == 406
    (part,) = parts_of(service.studies(path, RELATED.format("image/jpeg")))
    assert part["Content-Type"] == "image/jpeg"
    assert part["Content-Location"] == f"{service.root}{path_of(one)}"
    assert part.body == ask(service, one, accept="image/jpeg").body


def test_frames_REN_09_GEN_08(service: Service, several: Target) -> None:
    path = path_of(several)
    reply = service.studies(f"{path}/frames/1,3/rendered", RELATED.format("image/png"))
    links = [part["Content-Location"] for part in parts_of(reply)]
    assert links == [f"{service.root}{path}/frames/1", f"{service.root}{path}/frames/3"]
    assert service.studies(f"{path}/frames/1,3/rendered", "image/png").status == 406
    alone = service.studies(f"{path}/frames/2/rendered", "image/png")
    assert alone.headers["content-location"] == f"{service.root}{path}/frames/2"
    assert size(alone) == (96, 64)
    assert service.studies(f"{path}/frames/4/rendered", "image/png").status == 404


def test_multi_frame_instance(service: Service, strict: Service, several: Target) -> None:
    everything = parts_of(ask(service, several, accept="*/*"))
    assert [part["Content-Location"][-8:] for part in everything] == ["frames/1", "frames/2", "frames/3"]
    moving = ask(service, several, accept="image/gif")
    assert moving.headers["content-location"] == f"{service.root}{path_of(several)}"
    assert imagecodecs.gif_decode(moving.body).shape[0] == 3
    first = ask(service, several, accept="image/png")
    assert first.headers["content-location"].endswith("frames/1"), "what it shows is said"
    assert strict.post(scan(several, frames=3), accept="application/dicom+json").status == 200
    assert ask(strict, several, accept="image/png").status == 406
    assert ask(strict, several, accept="image/gif").status == 200


def test_conditional_before_anything_is_made_RET_10(service: Service, several: Target) -> None:
    tag = ask(service, several).headers["etag"]
    again = ask(service, several, if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    assert ask(service, several, "?quality=5", if_none_match=tag).status == 200
    assert ask(service, several, accept="image/jpeg", if_none_match=tag).status == 200
    head = ask(service, several, method="HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", tag)


def test_pixels_that_cannot_be_read_are_406(service: Service) -> None:
    target = instances.new_target()
    service.store(instances.make(target, syntax=J2K, frames=[b"\xff\x4f\xff\x51nonsense"]))
    reply = ask(service, target)
    assert reply.status == 406, reply.body


def test_presentation_states_row_35_REN_10(service: Service, one: Target, several: Target) -> None:
    target = instances.new_target(one.study)
    second = instances.new_target(one.study)
    service.store(scan(second), state(target, second, one, instances.new_target(one.study)))
    for query in ("?window=40,400,linear", "?viewport=5,5,1"):
        reply = ask(service, target, query)
        assert reply.status == 400
        assert "presentation state" in json.loads(reply.body)["detail"]
    made = parts_of(ask(service, target, accept=RELATED.format("image/png")))
    assert [part["Content-Location"] for part in made] == [f"{service.root}{path_of(each)}" for each in (second, one)]
    lonely = instances.new_target(one.study)
    service.store(state(lonely, instances.new_target(one.study)))
    assert ask(service, lonely).status == 406


def test_what_is_not_shown_of_a_state_is_told_REN_10(service: Service, one: Target) -> None:
    target = instances.new_target(one.study)
    slide = states.annotation(states.graphic("POINT", 1, 1, units="MATRIX"))
    service.store(state(target, one, GraphicAnnotationSequence=[slide], ImageRotation=90))
    reply = ask(service, target)
    assert size(reply) == (64, 96)
    assert "annotations in the matrix of a slide" in reply.headers["warning"]
    several = ask(service, target, accept=RELATED.format("image/png"))
    assert several.headers["warning"] == reply.headers["warning"]
    missing = instances.new_target(one.study)
    service.store(state(missing, one, instances.new_target(one.study)))
    several = ask(service, missing, accept=RELATED.format("image/png"))
    assert len(parts_of(several)) == 1
    assert "1 of 2 images" in several.headers["warning"]


def test_unknown_is_404_and_deleted_410(service: Service) -> None:
    target = instances.new_target()
    assert ask(service, target).status == 404
    service.store(scan(target))
    assert service.studies(path_of(target), method="DELETE").status == 204
    assert ask(service, target).status == 410
