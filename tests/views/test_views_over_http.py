"""The enhanced and the classic view, as clients meet them (LC-33, LC-34; PS3.4 C.3.4, C.3.5)."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile

import pydicom
import pytest
from pydicom.dataset import Dataset
from views_service import (
    CT,
    EXPLICIT,
    LEGACY_CT,
    STATE,
    Service,
    address,
    key_object,
    pixels,
    slice_of,
    uid,
    value,
)

from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource
from dicomgate.multiframe import classic, conversion

ENHANCED, CLASSIC = "/dicomweb/enhanced", "/dicomweb/classic"


class Memory:
    """A file in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self) -> contextlib.AbstractContextManager[BytesSource]:
        return contextlib.nullcontext(BytesSource(self.content))


def slices(study: str, count: int = 4) -> list[bytes]:
    return [slice_of(study, number) for number in range(1, count + 1)]


def enhanced_of(service: Service, study: str) -> dict[str, object]:
    found = service.json(f"{ENHANCED}/studies/{uid(study)}/metadata")
    (image,) = [one for one in found if value(one, "00080016") == LEGACY_CT]
    return image


def test_search_counts_what_the_view_has_LC_34(service: Service) -> None:
    service.store(*slices("search"))
    asked = f"/studies?StudyInstanceUID={uid('search')}"
    (stored,) = service.json("/dicomweb" + asked)
    (shown,) = service.json(ENHANCED + asked)
    assert (value(stored, "00201206"), value(stored, "00201208")) == (1, 4)
    assert (value(shown, "00201206"), value(shown, "00201208"), value(shown, "00080061")) == (1, 1, "CT")
    assert value(shown, "00100010") == value(stored, "00100010")
    (series,) = service.json(f"{ENHANCED}/studies/{uid('search')}/series")
    assert value(series, "0020000E") != uid("search", "1")
    assert value(series, "00201209") == 1
    (instance,) = service.json(f"{ENHANCED}/studies/{uid('search')}/instances")
    assert (value(instance, "00280008"), value(instance, "00080016")) == (4, LEGACY_CT)


def test_search_over_all_studies_pages_exactly_LC_34(service: Service) -> None:
    for number in range(5):
        service.store(*slices(f"page{number}", 2))
    everything = service.json(f"{ENHANCED}/instances?PatientID=page*")
    assert len(everything) == 5
    paged = [
        one
        for at in range(0, 5, 2)
        for one in service.json(f"{ENHANCED}/instances?PatientID=page*&limit=2&offset={at}")
    ]
    assert paged == everything
    assert service.json(f"{ENHANCED}/instances?SOPClassUID={CT}&PatientID=page*") == []
    assert len(service.json(f"{CLASSIC}/instances?SOPClassUID={CT}&PatientID=page*")) == 10
    (found,) = service.json(f"{ENHANCED}/instances?SOPInstanceUID={value(everything[2], '00080018')}")
    assert found == everything[2]


def test_parameter_and_root_are_the_same_LC_34(service: Service) -> None:
    service.store(*slices("parameter"))
    path = f"/studies/{uid('parameter')}/metadata"
    by_root = service.get(ENHANCED + path)
    for name in ("QueryRetrieveView", "00080053"):
        by_name = service.get(f"/dicomweb{path}?{name}=ENHANCED")
        assert (by_name.status, by_name.body) == (200, by_root.body)
    links = [one["7FE00010"]["BulkDataURI"] for one in json.loads(by_root.body)]
    assert links == [
        f"{service.served.url}{ENHANCED}{address(one)}/bulkdata/7FE00010" for one in json.loads(by_root.body)
    ]
    assert service.json(f"/dicomweb{path}?QueryRetrieveView=CLASSIC") == [
        {
            **one,
            "7FE00010": {
                **one["7FE00010"],
                "BulkDataURI": one["7FE00010"]["BulkDataURI"].replace("/dicomweb/", "/dicomweb/classic/"),
            },
        }
        for one in service.json(f"/dicomweb{path}")
    ]


@pytest.mark.parametrize("asked", ["?QueryRetrieveView=OTHER", "?QueryRetrieveView=CLASSIC&00080053=ENHANCED"])
def test_an_unknown_view_is_refused_LC_34(service: Service, asked: str) -> None:
    assert service.get(f"/dicomweb/studies{asked}").status == 400
    assert service.get(f"{ENHANCED}/studies?QueryRetrieveView=CLASSIC").status == 400


def test_the_default_view_is_what_was_received_LC_33(service: Service) -> None:
    service.store(*slices("default"))
    image = enhanced_of(service, "default")
    assert len(service.json(f"/dicomweb/studies/{uid('default')}/instances")) == 4
    assert service.get("/dicomweb" + address(image)).status == 404
    assert service.get(f"{ENHANCED}/studies/{uid('default')}/series/{uid('default', '1')}/metadata").status == 404


def test_the_file_says_what_metadata_says(service: Service) -> None:
    service.store(*slices("file"))
    image = enhanced_of(service, "file")
    content = service.file(ENHANCED + address(image))
    read = header.read(BytesSource(content))
    link = f"{service.served.url}{ENHANCED}"
    said = {tag: element for tag, element in image.items() if tag != "00083002"}
    expected = json.loads(json.dumps(read.attributes).replace('"BulkDataURI": "/', f'"BulkDataURI": "{link}/'))
    assert said == expected
    assert pydicom.dcmread(io.BytesIO(content)).PixelData == b"".join(map(pixels, range(1, 5)))


def test_any_range_of_the_file_is_that_range_of_it(service: Service) -> None:
    service.store(*slices("ranges"))
    path = ENHANCED + address(enhanced_of(service, "ranges"))
    whole = service.file(path)
    for start, stop in ((0, 10), (200, 5000), (len(whole) - 300, len(whole)), (len(whole) - 130, len(whole) - 125)):
        part = service.get(path, "application/dicom; transfer-syntax=*", Range=f"bytes={start}-{stop - 1}")
        assert (part.status, part.body) == (206, whole[start:stop])


def test_frames_and_bulk_data_are_those_of_the_sources(service: Service) -> None:
    service.store(*slices("frames"))
    path = ENHANCED + address(enhanced_of(service, "frames"))
    for number in range(1, 5):
        reply = service.get(f"{path}/frames/{number}", "application/octet-stream")
        assert (reply.status, reply.body) == (200, pixels(number))
    assert service.get(f"{path}/frames/5", "application/octet-stream").status == 404
    reply = service.get(f"{path}/bulkdata/7FE00010", "application/octet-stream")
    assert reply.body == b"".join(map(pixels, range(1, 5)))
    part = service.get(f"{path}/bulkdata/7FE00010", "application/octet-stream", Range="bytes=200-300")
    assert part.body == reply.body[200:301]


def test_pictures_thumbnails_uri_and_zip(service: Service) -> None:
    service.store(*slices("pictures"))
    image = enhanced_of(service, "pictures")
    path = ENHANCED + address(image)
    shown = service.get(f"{path}/frames/2/rendered", "image/png")
    plain = service.get(
        f"/dicomweb/studies/{uid('pictures')}/series/{uid('pictures', '1')}/instances/{uid('pictures', '1', 2)}/rendered",
        "image/png",
    )
    assert (shown.status, shown.body) == (200, plain.body)
    assert service.get(f"{ENHANCED}/studies/{uid('pictures')}/thumbnail").status == 200
    names = zip(("studyUID", "seriesUID", "objectUID"), ("0020000D", "0020000E", "00080018"), strict=True)
    asked = "&".join(f"{name}={value(image, tag)}" for name, tag in names)
    named = service.get(
        f"/wado?requestType=WADO&{asked}&contentType=application%2Fdicom&transferSyntax={EXPLICIT}&QueryRetrieveView=ENHANCED"
    )
    assert named.status == 200
    assert named.body == service.file(path)
    zipped = service.get(f"{ENHANCED}/studies/{uid('pictures')}", "application/zip")
    with zipfile.ZipFile(io.BytesIO(zipped.body)) as opened:
        contents = [opened.read(name) for name in opened.namelist() if "DICOMDIR" not in name]
    assert service.file(path) in contents


def test_a_series_that_grows_is_another_object(service: Service) -> None:
    first, *others = slices("growing")
    service.store(first)
    before = enhanced_of(service, "growing")
    reply = service.get(f"{ENHANCED}/studies/{uid('growing')}/metadata")
    service.store(*others)
    again = service.get(f"{ENHANCED}/studies/{uid('growing')}/metadata", If_None_Match=reply.headers["etag"])
    assert again.status == 200
    assert value(enhanced_of(service, "growing"), "00280008") == 4
    assert service.get(ENHANCED + address(before) + "/metadata").status == 404
    assert len(service.json(f"{ENHANCED}/studies/{uid('growing')}/instances")) == 1
    known = service.get(f"{ENHANCED}/studies/{uid('growing')}/metadata", If_None_Match=again.headers["etag"])
    assert known.status == 304


def test_what_is_deleted_leaves_the_view(service: Service) -> None:
    service.store(*slices("deleted"))
    assert enhanced_of(service, "deleted")
    assert service.get(f"/dicomweb/studies/{uid('deleted')}", method="DELETE").status in (200, 204)
    assert service.json(f"{ENHANCED}/studies?StudyInstanceUID={uid('deleted')}") == []
    assert service.get(f"{ENHANCED}/studies/{uid('deleted')}/metadata").status == 410
    assert service.json(f"{ENHANCED}/studies?PatientID=deleted") == []


def test_what_is_deleted_is_found_by_no_search(service: Service) -> None:
    service.store(*slices("forgotten"))
    assert len(service.json(f"{ENHANCED}/studies?PatientID=forgotten")) == 1
    assert service.get(f"/dicomweb/studies/{uid('forgotten')}", method="DELETE").status in (200, 204)
    assert service.json(f"{ENHANCED}/studies?PatientID=forgotten") == []


def test_references_follow_and_nothing_is_lost_LC_06_LC_07(service: Service) -> None:
    service.store(*slices("keys"), key_object("keys", 2, 3))
    found = service.json(f"{ENHANCED}/studies/{uid('keys')}/metadata")
    assert len(found) == 2
    image = enhanced_of(service, "keys")
    (keys,) = [one for one in found if one is not image and value(one, "00080060") == "KO"]
    assert value(keys, "00080018") != uid("keys", "keys")
    assert value(image, "00080018") in json.dumps(keys["0040A375"])
    read = pydicom.dcmread(io.BytesIO(service.file(ENHANCED + address(keys))))
    assert read.SOPInstanceUID == value(keys, "00080018")


def test_overlays_are_presentation_states_LC_18(service: Service) -> None:
    def covered(dataset: pydicom.Dataset) -> None:
        dataset.add_new(0x60000010, "US", 8)
        dataset.add_new(0x60000011, "US", 8)
        dataset.add_new(0x60000040, "CS", "G")
        dataset.add_new(0x60000050, "SS", [1, 1])
        dataset.add_new(0x60000100, "US", 1)
        dataset.add_new(0x60000102, "US", 0)
        dataset.add_new(0x60003000, "OW", bytes(range(8)))

    service.store(*(slice_of("overlays", number, cover=covered) for number in (1, 2, 3)))
    (state,) = [
        one for one in service.json(f"{ENHANCED}/studies/{uid('overlays')}/metadata") if value(one, "00080016") == STATE
    ]
    read = pydicom.dcmread(io.BytesIO(service.file(ENHANCED + address(state))))
    assert read[0x60003000].value == bytes(range(8))
    (study,) = service.json(f"{ENHANCED}/studies?StudyInstanceUID={uid('overlays')}")
    assert sorted(study["00080061"]["Value"]) == ["CT", "PR"]


def test_a_converted_object_beside_its_sources_is_shown_once_LC_33(service: Service) -> None:
    service.store(*slices("twice"))
    made = service.file(ENHANCED + address(enhanced_of(service, "twice")))
    service.store(made)
    (enhanced,) = service.json(f"{ENHANCED}/studies/{uid('twice')}/metadata")
    assert service.file(ENHANCED + address(enhanced)) == made
    assert service.file("/dicomweb" + address(enhanced)) == made
    images = service.json(f"{CLASSIC}/studies/{uid('twice')}/instances")
    assert [value(one, "00080018") for one in images] == [uid("twice", "1", number) for number in range(1, 5)]
    assert service.file(CLASSIC + address(images[1])) == slice_of("twice", 2)
    assert len(service.json(f"/dicomweb/studies/{uid('twice')}/instances")) == 5


def test_what_is_made_for_a_view_says_for_which_LC_33(service: Service) -> None:
    """C.12.1: by whichever way it leaves, C-MOVE with a view is one, its bytes are the same."""
    service.store(*slices("viewed"), key_object("viewed", 2))
    for one in service.json(f"{ENHANCED}/studies/{uid('viewed')}/metadata"):
        assert value(one, "00080053") == "ENHANCED"
        assert pydicom.dcmread(io.BytesIO(service.file(ENHANCED + address(one)))).QueryRetrieveView == "ENHANCED"
    assert "00080053" not in json.dumps(service.json(f"{CLASSIC}/studies/{uid('viewed')}/metadata"))
    made = service.file(ENHANCED + address(enhanced_of(service, "viewed")))
    assert service.get(f"/dicomweb/studies/{uid('viewed')}", method="DELETE").status in (200, 204)
    service.store(made)
    found = service.json(f"{CLASSIC}/studies/{uid('viewed')}/metadata")
    assert [value(one, "00080053") for one in found] == ["CLASSIC"] * 4
    assert pydicom.dcmread(io.BytesIO(service.file(CLASSIC + address(found[0])))).QueryRetrieveView == "CLASSIC"


def test_an_object_that_another_converted_stands_for_its_images_LC_33(service: Service) -> None:
    contents = slices("another")
    plan = conversion.plan(classic.read(Memory(content)) for content in contents)
    (made,) = (b"".join(product.write()) for product in plan.products())
    service.store(*contents, key_object("another", 3))
    assert value(enhanced_of(service, "another"), "00080018") != plan.settled[0].instance  # other bytes, other UIDs
    service.store(made)
    image = enhanced_of(service, "another")
    assert value(image, "00080018") == plan.settled[0].instance
    found = service.json(f"{ENHANCED}/studies/{uid('another')}/metadata")
    assert len(found) == 2
    (keys,) = [one for one in found if value(one, "00080060") == "KO"]
    assert value(image, "00080018") in json.dumps(keys["0040A375"])


def test_an_object_without_its_sources_is_split_LC_30(service: Service) -> None:
    service.store(*slices("split"))
    made = service.file(ENHANCED + address(enhanced_of(service, "split")))
    assert service.get(f"/dicomweb/studies/{uid('split')}", method="DELETE").status in (200, 204)
    service.store(made)
    found = service.json(f"{CLASSIC}/studies/{uid('split')}/metadata")
    assert [value(one, "00080016") for one in found] == [CT] * 4
    for number, one in enumerate(found, 1):
        assert service.get(f"{CLASSIC}{address(one)}/frames/1", "application/octet-stream").body == pixels(number)
        read = pydicom.dcmread(io.BytesIO(service.file(CLASSIC + address(one))))
        assert (read.InstanceNumber, read.PixelData) == (number, pixels(number))
    (series,) = service.json(f"{CLASSIC}/studies/{uid('split')}/series")
    assert value(series, "00201209") == 4


def test_references_follow_images_that_an_object_is_split_into_LC_06_LC_33(service: Service) -> None:
    service.store(*slices("followed"), key_object("followed", 2))
    made = service.json(f"{ENHANCED}/studies/{uid('followed')}/metadata")
    files = [service.file(ENHANCED + address(one)) for one in made]
    assert service.get(f"/dicomweb/studies/{uid('followed')}", method="DELETE").status in (200, 204)
    service.store(*files)
    found = service.json(f"{CLASSIC}/studies/{uid('followed')}/metadata")
    images = [value(one, "00080018") for one in found if value(one, "00080060") == "CT"]
    assert sorted(images) == sorted(uid("followed", "1", number) for number in range(1, 5))
    (keys,) = [one for one in found if value(one, "00080060") == "KO"]
    assert value(keys, "00080018") not in {value(one, "00080018") for one in made}
    assert value(keys, "00080053") == "CLASSIC"
    read = pydicom.dcmread(io.BytesIO(service.file(CLASSIC + address(keys))))
    (series,) = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence} == set(images)


def test_an_object_that_keeps_its_originals_gives_them_back_byte_for_byte_LC_31_LC_34(service: Service) -> None:
    originals = {number: slice_of("kept", number) for number in range(1, 5)}
    originals[2] = slice_of("kept", 2, syntax="1.2.840.10008.1.2")
    originals[3] = slice_of("kept", 3, PrivateCreator=private)
    keys = key_object("kept", 1, 3)
    plan = conversion.plan([classic.read(Memory(content)) for content in (*originals.values(), keys)])
    products = [b"".join(product.write()) for product in plan.products()]
    service.store(*products)
    assert all(value(one, "00080016") != CT for one in service.json(f"/dicomweb/studies/{uid('kept')}/instances"))
    found = service.json(f"{CLASSIC}/studies/{uid('kept')}/metadata")
    assert sorted(value(one, "00080018") for one in found) == sorted(
        [uid("kept", "keys"), *(uid("kept", "1", number) for number in originals)]
    )
    for one in found:
        number = value(one, "00200013")
        content = service.file(CLASSIC + address(one))
        if value(one, "00080016") != CT:
            assert content == keys
            continue
        assert content == originals[number]
        assert service.get(f"{CLASSIC}{address(one)}/frames/1", "application/octet-stream").body == pixels(number)
        if number == 3:
            bulk = one["00091001"]["BulkDataURI"]
            assert service.get(bulk, "application/octet-stream").body == bytes(range(256)) * 16


def test_an_original_that_is_stored_stands_for_itself_LC_34(service: Service) -> None:
    originals = [slice_of("stands", number) for number in range(1, 4)]
    plan = conversion.plan([classic.read(Memory(content)) for content in originals])
    service.store(*(b"".join(product.write()) for product in plan.products()), originals[0])
    found = service.json(f"{CLASSIC}/studies/{uid('stands')}/instances")
    assert sorted(value(one, "00080018") for one in found) == sorted(uid("stands", "1", n) for n in range(1, 4))
    assert sorted(service.file(CLASSIC + address(one)) for one in found) == sorted(originals)


def test_a_frame_that_was_brought_into_another_form_is_had_as_it_was_LC_11_LC_32(service: Service) -> None:
    """In one object all are of one representation: signed samples of one slice are others there."""
    originals = {number: slice_of("forms", number, BitsStored=16, HighBit=15) for number in range(1, 4)}
    originals[2] = slice_of("forms", 2, BitsStored=12, HighBit=11, PixelData=b"\xff\xff" * 64)
    plan = conversion.plan([classic.read(Memory(content)) for content in originals.values()])
    service.store(*(b"".join(product.write()) for product in plan.products()))
    found = service.json(f"{CLASSIC}/studies/{uid('forms')}/metadata")
    assert len(found) == 3
    for one in found:
        number = value(one, "00200013")
        original = pydicom.dcmread(io.BytesIO(originals[number]))
        assert service.file(CLASSIC + address(one)) == originals[number]
        frame = service.get(f"{CLASSIC}{address(one)}/frames/1", "application/octet-stream").body
        assert frame == original.PixelData


def private(dataset: Dataset) -> None:
    dataset.private_block(0x0009, "ACME", create=True).add_new(1, "OB", bytes(range(256)) * 16)


def test_nothing_is_stored_or_deleted_in_a_view(service: Service) -> None:
    service.store(*slices("readonly"))
    path = f"{ENHANCED}/studies/{uid('readonly')}"
    assert service.get(path, method="DELETE").status == 405
    allowed = service.get(path, method="OPTIONS")
    assert allowed.headers["allow"] == "GET, HEAD, OPTIONS"


def test_capabilities_name_the_views_root_CAP_01(service: Service) -> None:
    described = service.get(ENHANCED, "application/vnd.sun.wadl+xml", method="OPTIONS")
    assert f'base="{service.served.url}{ENHANCED}"'.encode() in described.body
    told = json.loads(service.get("/dicomweb", "application/json", method="OPTIONS").body)["application"]
    assert {"enhanced", "classic"} <= {one["@path"] for one in told["resources"]["resource"]}
