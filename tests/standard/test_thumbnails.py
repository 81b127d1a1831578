"""PS3.18 §10.4.3.3.4: thumbnails at every level, which tell nobody who the patient is; row 37 (THM-01 to THM-03, V14)."""

from __future__ import annotations

import imagecodecs
import pytest
from standard_service import Service, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

CT = "1.2.840.10008.5.1.4.1.1.2"
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
PLAN = "1.2.840.10008.5.1.4.1.1.481.5"


def frame(grey: int, rows: int = 256, columns: int = 512) -> bytes:
    """The left half black, the right half of one value."""
    return (bytes(columns) + grey.to_bytes(2, "little") * (columns // 2)) * rows


def image(target: Target, *frames: bytes, **attributes: object) -> bytes:
    said = {"SOPClassUID": CT, "WindowCenter": 2048, "WindowWidth": 4096, **attributes}
    return instances.make(target, rows=256, columns=512, frames=frames or [frame(4095)], attributes=said)


@pytest.fixture(scope="module")
def scanned(service: Service) -> Target:
    target = instances.new_target()
    service.store(image(target, frame(1000), frame(4095), frame(1000)))
    return target


def ask(service: Service, path: str, query: str = "", accept: str = "*/*", **headers: str) -> Reply:
    return service.studies(f"{path}/thumbnail{query}", accept, **headers)


def shape(reply: Reply) -> tuple[int, int]:
    assert reply.status == 200, reply.body
    return imagecodecs.imread(reply.body).shape[1::-1]


@pytest.mark.slow
def test_every_level_has_one_picture_THM_01_THM_02(service: Service, scanned: Target) -> None:
    series = f"/studies/{scanned.study}/series/{scanned.series}"
    one = path_of(scanned)
    for path in (f"/studies/{scanned.study}", series, one, f"{one}/frames/2", f"{one}/frames/1,2,3"):
        reply = ask(service, path)
        assert reply.headers["content-type"] == "image/jpeg"
        assert shape(reply) == (200, 100)
    assert ask(service, f"{one}/frames/4").status == 404
    for accept in ("image/png", "image/gif"):
        assert ask(service, one, accept=accept).headers["content-type"] == accept
    assert ask(service, one, accept="text/html").status == 406
    assert ask(service, one, accept='multipart/related; type="image/jpeg"').status == 406


def test_the_middle_stands_for_the_whole_THM_03(service: Service, scanned: Target) -> None:
    whole = ask(service, path_of(scanned), accept="image/png")
    assert whole.body == ask(service, f"{path_of(scanned)}/frames/2", accept="image/png").body
    assert whole.body != ask(service, f"{path_of(scanned)}/frames/1", accept="image/png").body
    assert whole.headers["content-location"] == f"{service.root}{path_of(scanned)}"


@pytest.mark.slow
@pytest.mark.parametrize("query", ["?viewport=64,64,0,0,1,1", "?viewport=64", "?viewport=0,5", "?viewport=a,b"])
def test_sizes_only_row_37_REN_05(service: Service, scanned: Target, query: str) -> None:
    assert ask(service, path_of(scanned), query).status == 400
    assert shape(ask(service, path_of(scanned), "?viewport=64,64")) == (64, 32)
    assert shape(ask(service, path_of(scanned), "?viewport=8000,8000")) == (1024, 512)


def test_no_annotation_and_no_overlay_is_in_it_THM_02(service: Service, scanned: Target) -> None:
    plain = ask(service, path_of(scanned), accept="image/png").body
    assert ask(service, path_of(scanned), "?annotation=patient&window=1,2,linear", accept="image/png").body == plain
    target, other = instances.new_target(), instances.new_target()
    overlay = {
        "OverlayRows": (0x60000010, "US", 256), "OverlayColumns": (0x60000011, "US", 512),
        "OverlayType": (0x60000040, "CS", "G"), "OverlayOrigin": (0x60000050, "SS", [1, 1]),
        "OverlayBitsAllocated": (0x60000100, "US", 1), "OverlayBitPosition": (0x60000102, "US", 0),
        "OverlayData": (0x60003000, "OW", b"\xff" * (256 * 512 // 8)),
    }  # fmt: skip
    content = image(target)
    service.store(with_elements(content, overlay.values()), image(other))
    assert (
        ask(service, path_of(target), accept="image/png").body == ask(service, path_of(other), accept="image/png").body
    )


def with_elements(content: bytes, elements: object) -> bytes:
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO

    dataset = dcmread(DicomBytesIO(content))
    for tag, vr, value in elements:  # type: ignore[attr-defined]
        dataset.add_new(tag, vr, value)
    return instances.write(dataset, "1.2.840.10008.1.2.1")


def test_what_shows_the_patient_is_not_shown_THM_02_SEC_05(service: Service) -> None:
    marked, plan, unknown = (instances.new_target() for _ in range(3))
    service.store(
        image(marked, BurnedInAnnotation="YES"),
        instances.make(plan, attributes={"SOPClassUID": ULTRASOUND, "BurnedInAnnotation": "YES"}),
        image(unknown, SOPClassUID=ULTRASOUND),
    )
    drawing = ask(service, path_of(marked), accept="image/png")
    assert drawing.body == ask(service, path_of(plan), accept="image/png").body
    assert shape(ask(service, path_of(unknown), "?viewport=500,500")) == (128, 64), "too small to be read"


def test_conditional_and_unknown(service: Service, scanned: Target) -> None:
    tag = ask(service, path_of(scanned)).headers["etag"]
    assert ask(service, path_of(scanned), if_none_match=tag).status == 304
    assert ask(service, path_of(scanned), "?viewport=64,64", if_none_match=tag).status == 200
    assert ask(service, path_of(instances.new_target())).status == 404
