"""PS3.18 §10.5, metadata and bulk data: STOW-05 to -09, -13, rows 44 and 45 of the reviewer's matrix."""

from __future__ import annotations

import io
import json
import socket
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from standard_service import Service, bulk_links, parts_of, path_of

from dicomgate.dicom import header, xmlmodel
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply, format_request

JSON, XML = "application/dicom+json", "application/dicom+xml"
PHOTO, MULTIFRAME, VIDEO = (f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("77.1.4", "7.4", "77.1.4.1"))
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
COLOUR = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
GREY = COLOUR[:, :, 0].copy()

Dataset = dict[str, Any]


def values(dataset: Dataset, *tags: str) -> list[Any]:
    return [dataset.get(tag, {}).get("Value", [None])[0] for tag in tags]


def describe(target: Target, sop_class: str = PHOTO, uri: str | None = "pixels", **more: Any) -> Dataset:
    uids = {"00080016": sop_class, "00080018": target.instance, "0020000D": target.study, "0020000E": target.series}
    dataset: Dataset = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
    dataset["00100020"] = {"vr": "LO", "Value": ["P1"]}
    if uri is not None:
        dataset["7FE00010"] = {"vr": "OB", "BulkDataURI": uri}
    return dataset | {tag.removeprefix("x"): element for tag, element in more.items()}


def part(content: bytes, content_type: str, location: str | None = None) -> bytes:
    where = f"\r\nContent-Location: {location}" if location is not None else ""
    return f"--bound\r\nContent-Type: {content_type}{where}\r\n\r\n".encode() + content + b"\r\n"


def send(service: Service, *parts: bytes, root: str = JSON, study: str = "", **headers: str) -> Reply:
    fields = {"Content-Type": f'multipart/related; type="{root}"; boundary=bound', **headers}
    path = "/dicomweb/studies" + (f"/{study}" if study else "")
    return service.served.ask("POST", path, fields, b"".join(parts) + b"--bound--\r\n")


def offer(service: Service, datasets: Any, *bulk: bytes, **more: Any) -> Reply:
    return send(service, part(json.dumps(datasets).encode(), JSON), *bulk, **more)


def items(reply: Reply, tag: str) -> list[Dataset]:
    return json.loads(reply.body).get(tag, {}).get("Value", [])


def stored(reply: Reply) -> list[Dataset]:
    return items(reply, "00081199")


def failures(reply: Reply) -> list[int]:
    return [item["00081197"]["Value"][0] for tag in ("00081198", "0008119A") for item in items(reply, tag)]


def metadata(service: Service, target: Target) -> Dataset:
    reply = service.studies(path_of(target) + "/metadata")
    assert reply.status == 200
    return json.loads(reply.body)[0]


def frames(service: Service, target: Target, count: int = 1) -> list[bytes]:
    wish = 'multipart/related; type="*/*"; transfer-syntax=*'
    reply = service.studies(f"{path_of(target)}/frames/{','.join(map(str, range(1, count + 1)))}", wish)
    assert reply.status == 200, reply.body
    return [each.body for each in parts_of(reply)]


PICTURES = {
    "image/jpeg": (imagecodecs.jpeg_encode(COLOUR), "1.2.840.10008.1.2.4.50"),
    "image/jpeg ": (imagecodecs.ljpeg_encode(GREY), "1.2.840.10008.1.2.4.57"),
    "image/jls": (imagecodecs.jpegls_encode(GREY), "1.2.840.10008.1.2.4.80"),
    "image/jp2": (imagecodecs.jpeg2k_encode(GREY, codecformat="J2K", reversible=True), "1.2.840.10008.1.2.4.90"),
    "image/jxl": (imagecodecs.jpegxl_encode(GREY, lossless=True), "1.2.840.10008.1.2.4.110"),
}


@pytest.mark.parametrize("media_type", PICTURES)
def test_row_44_picture_without_description_STOW_06_STOW_07(service: Service, media_type: str) -> None:
    """The codestream is stored unchanged in its transfer syntax, and tells rows, columns and the rest."""
    content, transfer_syntax = PICTURES[media_type]
    target = instances.new_target()
    reply = offer(service, [describe(target)], part(content, media_type.strip(), "pixels"))
    assert reply.status == 200, reply.headers.get("warning")
    seen = metadata(service, target)
    samples = 3 if media_type == "image/jpeg" else 1
    assert values(seen, "00080016", "00083002") == [PHOTO, transfer_syntax]
    assert values(seen, "00280010", "00280011", "00280002") == [40, 60, samples]
    assert values(seen, "00280100", "00280101", "00280102", "00280103") == [8, 8, 7, 0]
    assert values(seen, "00280004")[0] in ({"YBR_FULL_422", "YBR_FULL"} if samples == 3 else {"MONOCHROME2"})
    (frame,) = frames(service, target)
    assert frame.removesuffix(b"\0") == content.removesuffix(b"\0")


@pytest.mark.slow
@pytest.mark.parametrize("media_type", ["image/png", "image/gif"])
def test_picture_that_no_transfer_syntax_holds_becomes_native_STOW_07(service: Service, media_type: str) -> None:
    encode = imagecodecs.png_encode if media_type == "image/png" else imagecodecs.gif_encode
    target = instances.new_target()
    reply = offer(service, [describe(target)], part(encode(GREY), media_type, "pixels"))
    assert reply.status == 200, reply.headers.get("warning")
    seen = metadata(service, target)
    assert values(seen, "00083002", "00280010", "00280011") == ["1.2.840.10008.1.2.1", 40, 60]
    (frame,) = frames(service, target)
    expected = GREY if values(seen, "00280002") == [1] else np.repeat(GREY[:, :, None], 3, axis=2)
    assert frame == expected.tobytes()


def test_row_45_bulk_data_that_no_part_holds_fails_that_instance_and_is_never_fetched_T14(service: Service) -> None:
    """A listening socket is named; nobody comes."""
    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.setblocking(False)
        address = f"http://127.0.0.1:{bait.getsockname()[1]}/pixels"
        lacking, good = instances.new_target(), instances.new_target()
        datasets = [describe(lacking, uri=address), describe(good)]
        reply = offer(service, datasets, part(PICTURES["image/jpeg"][0], "image/jpeg", "pixels"))
        assert (reply.status, failures(reply), len(stored(reply))) == (202, [Reason.NO_BULK_DATA], 1)
        with pytest.raises(BlockingIOError):
            bait.accept()
    assert service.studies(path_of(lacking)).status == 404
    assert service.studies(path_of(good)).status == 200
    (failed,) = items(reply, "00081198")
    assert failed["00081155"]["Value"] == [lacking.instance]


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "../../../../etc/passwd", "/etc/passwd", "x" * 5000, "a\nb", "\0"]
)
def test_row_45_addresses_are_only_compared_T9_T14(service: Service, uri: str) -> None:
    reply = offer(service, [describe(instances.new_target(), uri=uri)], part(b"x", "image/jpeg", "pixels"))
    assert reply.status in {400, 409}
    assert failures(reply) in ([Reason.NO_BULK_DATA], [Reason.CANNOT_UNDERSTAND])
    assert b"passwd" not in reply.body


def test_json_array_object_and_xml_documents_STOW_05(service: Service) -> None:
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    first, second, third, fourth = (instances.new_target() for _ in range(4))
    assert len(stored(offer(service, [describe(first), describe(second)], picture))) == 2
    assert len(stored(offer(service, describe(third), picture))) == 1
    other = dict(describe(instances.new_target()))
    documents = [part(xmlmodel.format_dataset(each), XML) for each in (describe(fourth), other)]
    reply = send(service, *documents, picture, root=XML)
    assert (reply.status, len(stored(reply))) == (200, 2)
    expected = {key: value for key, value in metadata(service, first).items() if value["vr"] not in ("UI", "OB")}
    for target in (second, third, fourth):
        seen = metadata(service, target)
        assert {key: value for key, value in seen.items() if value["vr"] not in ("UI", "OB")} == expected


def test_bulk_data_may_come_before_metadata(service: Service) -> None:
    target = instances.new_target()
    picture = part(PICTURES["image/jpeg"][0], "image/jpeg", "pixels")
    reply = send(service, picture, part(json.dumps([describe(target)]).encode(), JSON))
    assert reply.status == 200


@pytest.mark.parametrize("root", [JSON, XML])
def test_metadata_alone_STOW_05(service: Service, root: str) -> None:
    """Without bulk data the body needs no parts."""
    target = instances.new_target()
    dataset = describe(target, sop_class="1.2.840.10008.5.1.4.1.1.88.11", uri=None)
    body = json.dumps([dataset]).encode() if root == JSON else xmlmodel.format_dataset(dataset)
    reply = service.served.ask("POST", f"/dicomweb/studies/{target.study}", {"Content-Type": root}, body)
    assert (reply.status, len(stored(reply))) == (200, 1)
    assert reply.headers["location"].endswith(target.study)


def test_frames_come_one_part_each_in_order_STOW_05(service: Service) -> None:
    target = instances.new_target()
    encoded = [imagecodecs.jpegls_encode(GREY + number) for number in range(5)]
    bulk = [part(content, "image/jls", "frames") for content in encoded]
    reply = offer(service, [describe(target, MULTIFRAME, "frames")], *bulk)
    assert reply.status == 200, reply.headers.get("warning")
    assert values(metadata(service, target), "00280008", "00280010") == [5, 40]
    assert [frame.removesuffix(b"\0") for frame in frames(service, target, 5)] == [
        content.removesuffix(b"\0") for content in encoded
    ]


def test_frames_that_differ_are_refused_STOW_08(service: Service) -> None:
    bulk = [part(imagecodecs.jpegls_encode(each), "image/jls", "frames") for each in (GREY, GREY[:20].copy())]
    reply = offer(service, [describe(instances.new_target(), MULTIFRAME, "frames")], *bulk)
    assert (reply.status, failures(reply)) == (400, [Reason.CANNOT_UNDERSTAND])


def test_native_pixels_and_other_values_as_octets_STOW_05(service: Service) -> None:
    target = instances.new_target()
    numbers = {"280010": 40, "280011": 60, "280002": 1, "280100": 16, "280101": 12, "280102": 11, "280103": 0}
    described = {f"00{tag}": {"vr": "US", "Value": [number]} for tag, number in numbers.items()}
    described["00280004"] = {"vr": "CS", "Value": ["MONOCHROME2"]}
    described["00281201"] = {"vr": "OW", "BulkDataURI": "lut"}
    pixels = GREY.astype("<u2").tobytes()
    table = bytes(range(256)) * 2
    reply = offer(
        service,
        [describe(target, "1.2.840.10008.5.1.4.1.1.7") | described],
        part(pixels, "application/octet-stream", "pixels"),
        part(table, "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", "lut"),
    )
    assert reply.status == 200, reply.headers.get("warning")
    assert frames(service, target) == [pixels]
    assert metadata(service, target)["7FE00010"]["vr"] == "OW"
    lut = service.studies(f"{path_of(target)}/bulkdata/00281201", "application/octet-stream")
    inline = metadata(service, target)["00281201"].get("InlineBinary")
    assert lut.body == table or inline is not None


def test_native_pixels_that_are_too_few_are_refused_A900_STOW_14(service: Service) -> None:
    size = {tag: {"vr": "US", "Value": [number]} for tag, number in (("00280010", 40), ("00280011", 60))}
    for more in ({}, size | {"00280100": {"vr": "US", "Value": [16]}}):
        dataset = describe(instances.new_target()) | more
        reply = offer(service, [dataset], part(GREY.tobytes(), "application/octet-stream", "pixels"))
        assert (reply.status, failures(reply)) == (409, [Reason.DOES_NOT_MATCH_CLASS])


def test_document_with_its_own_media_type_STOW_05(service: Service) -> None:
    target = instances.new_target()
    content = b"%PDF-1.7\n" + bytes(2000) + b"\n%%EOF"
    document = {"00420011": {"vr": "OB", "BulkDataURI": "report.pdf"}}
    dataset = describe(target, PDF, None) | document
    assert offer(service, [dataset], part(content, "application/pdf", "report.pdf")).status == 200
    seen = metadata(service, target)
    assert values(seen, "00420012", "00420015") == ["application/pdf", len(content)]
    reply = service.studies(f"{path_of(target)}/bulkdata/00420011", "application/octet-stream")
    assert reply.body[: len(content)] == content
    other = describe(instances.new_target(), "1.2.840.10008.5.1.4.1.1.104.3", None) | document
    reply = offer(service, [other], part(content, "application/pdf", "report.pdf"))
    assert (reply.status, failures(reply)) == (409, [Reason.DOES_NOT_MATCH_CLASS])
    reply = offer(
        service, [describe(instances.new_target(), PDF, None) | document], part(b"x", "application/pdf", "report.pdf")
    )
    assert (reply.status, failures(reply)) == (400, [Reason.CANNOT_UNDERSTAND])


def test_correction_is_recorded_echoed_and_the_same_again_STOW_09_STOW_18(service: Service) -> None:
    target = instances.new_target()
    wrong = describe(target, x00280004={"vr": "CS", "Value": ["MONOCHROME2"]}, x00282110={"vr": "CS", "Value": ["00"]})
    picture = part(PICTURES["image/jpeg"][0], "image/jpeg", "pixels")
    reply = offer(service, [wrong], picture)
    (item,) = stored(reply)
    assert (reply.status, item["00081196"]["Value"]) == (202, [0xB000])
    assert "B000" in reply.headers["warning"]
    (record,) = item["04000561"]["Value"]
    assert record["04000565"]["Value"] == ["CORRECT"]
    assert record["04000550"]["Value"] == [{"00280004": wrong["00280004"], "00282110": wrong["00282110"]}]
    seen = metadata(service, target)
    assert seen["04000561"]["Value"] == [record]
    assert values(seen, "00282110") == ["01"]
    again = offer(service, [wrong], picture)
    assert (again.status, len(stored(again))) == (202, 1), "what was sent is what was sent before"
    assert metadata(service, target) == seen


@pytest.mark.parametrize("tag", ["00280010", "00280011", "00280002", "00280008"])
def test_other_pixels_than_the_metadata_is_about_are_refused_STOW_08(service: Service, tag: str) -> None:
    dataset = describe(instances.new_target(), **{f"x{tag}": {"vr": "US", "Value": [7]}})
    reply = offer(service, [dataset], part(PICTURES["image/jpeg"][0], "image/jpeg", "pixels"))
    assert (reply.status, failures(reply)) == (409, [Reason.DOES_NOT_MATCH_CLASS])


def test_what_has_no_place_is_left_out_B006_STOW_13(service: Service) -> None:
    target = instances.new_target()
    dataset = describe(target) | {
        "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
        "00280000": {"vr": "UL", "Value": [4]},
    }
    reply = offer(service, [dataset], part(PICTURES["image/jls"][0], "image/jls", "pixels"))
    assert reply.status == 202
    assert [item["00081196"]["Value"] for item in stored(reply)] == [[0xB006]]
    assert values(metadata(service, target), "00083002") == ["1.2.840.10008.1.2.4.80"], "what the bytes are counts"


def test_attribute_of_answers_is_not_stored(service: Service) -> None:
    """(0008,3002) tells of what is stored; what a server gave as metadata holds it (V11)."""
    target = instances.new_target()
    dataset = describe(target, x00083002={"vr": "UI", "Value": ["1.2.840.10008.1.2.4.90"]})
    assert offer(service, [dataset], part(PICTURES["image/jls"][0], "image/jls", "pixels")).status == 200
    file = service.studies(path_of(target), "application/dicom; transfer-syntax=*").body
    seen = header.read(BytesSource(file))
    assert "00083002" not in seen.attributes
    assert seen.is_sound
    assert seen.meta["00020010"]["Value"] == ["1.2.840.10008.1.2.4.80"]
    assert seen.meta["00020003"]["Value"] == [target.instance]


def test_image_without_pixels_is_stored_with_B007_STOW_13(service: Service) -> None:
    reply = offer(service, [describe(instances.new_target(), uri=None)])
    assert reply.status == 202
    assert [item["00081196"]["Value"] for item in stored(reply)] == [[0xB007]]


@pytest.mark.parametrize("tag", ["00080016", "00080018", "0020000D", "0020000E"])
def test_metadata_without_a_uid_is_refused_also_with_a_study_in_the_address(service: Service, tag: str) -> None:
    target = instances.new_target()
    dataset = describe(target)
    del dataset[tag]
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    reply = offer(service, [dataset], picture, study=target.study)
    assert (reply.status, failures(reply)) == (409, [Reason.MISSING_UID])
    reply = offer(service, [describe(target) | {tag: {"vr": "UI", "Value": ["../etc"]}}], picture)
    assert failures(reply) in ([Reason.MALFORMED_UID], [Reason.CANNOT_UNDERSTAND])


def test_study_of_the_address_counts_STOW_15(service: Service) -> None:
    right, wrong = instances.new_target(), instances.new_target()
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    reply = offer(service, [describe(right), describe(wrong)], picture, study=right.study)
    assert (reply.status, failures(reply), len(stored(reply))) == (202, [Reason.WRONG_STUDY], 1)


def test_one_bad_data_set_spoils_only_itself_STOW_12(service: Service) -> None:
    good = describe(instances.new_target())
    named = describe(instances.new_target()) | {"00091001": {"vr": "OB", "InlineBinary": "***"}}
    reply = offer(service, [named, good], part(PICTURES["image/jls"][0], "image/jls", "pixels"))
    assert (reply.status, len(stored(reply)), len(failures(reply))) == (202, 1, 1)
    assert "00081198" in json.loads(reply.body), "it is named, for its UIDs can be read"


def test_one_part_may_serve_two_and_frames_may_not(service: Service) -> None:
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    datasets = [describe(instances.new_target()), describe(instances.new_target())]
    assert len(stored(offer(service, datasets, picture))) == 2
    datasets = [describe(instances.new_target()), describe(instances.new_target())]
    reply = offer(service, datasets, picture, picture)
    assert (reply.status, failures(reply)) == (409, [Reason.NO_BULK_DATA] * 2)


def test_parts_that_nobody_names_are_told(service: Service) -> None:
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    reply = offer(service, [describe(instances.new_target())], picture, part(b"x", "image/jpeg", "other"))
    assert reply.status == 200
    assert "no metadata names: 1" in reply.headers["warning"]


def test_earlier_part_wins_among_contradicting_ones(service: Service) -> None:
    target = instances.new_target()
    first, second = (describe(target, x00204000={"vr": "LT", "Value": [text]}) for text in ("first", "second"))
    reply = offer(service, [first, second], part(PICTURES["image/jls"][0], "image/jls", "pixels"))
    assert (reply.status, failures(reply)) == (202, [Reason.OTHER_CONTENT])
    assert values(metadata(service, target), "00204000") == ["first"]


def test_file_among_metadata_is_refused_alone(service: Service) -> None:
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    file = part(instances.make(), "application/dicom")
    reply = offer(service, [describe(instances.new_target())], file, picture)
    assert (reply.status, failures(reply), len(stored(reply))) == (202, [Reason.WRONG_PART_TYPE], 1)


@pytest.mark.parametrize("accept", [XML, 'multipart/related; type="application/dicom+xml"'])
def test_report_as_xml_with_what_was_changed_V6(service: Service, accept: str) -> None:
    wrong = describe(instances.new_target(), x00282110={"vr": "CS", "Value": ["00"]})
    reply = offer(service, [wrong], part(PICTURES["image/jpeg"][0], "image/jpeg", "pixels"), Accept=accept)
    assert reply.status == 202
    assert b'keyword="OriginalAttributesSequence"' in reply.body
    assert b'keyword="WarningReason"' in reply.body


@pytest.mark.parametrize(
    ("media_type", "content", "reason", "status"),
    [
        ("image/jpeg", b"not a picture", Reason.CANNOT_UNDERSTAND, 400),
        ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(100), Reason.CANNOT_UNDERSTAND, 400),
        ("image/jpeg", PICTURES["image/jpeg"][0][:60], Reason.TRUNCATED, 400),
        ("image/webp", b"RIFF", Reason.WRONG_PART_TYPE, 409),
        ("nonsense", b"x", Reason.WRONG_PART_TYPE, 409),
        ("application/octet-stream; transfer-syntax=1.2.3", b"x", Reason.SYNTAX_NOT_SUPPORTED, 409),
    ],
)
def test_pictures_that_cannot_be_taken(
    service: Service, media_type: str, content: bytes, reason: Reason, status: int
) -> None:
    reply = offer(service, [describe(instances.new_target())], part(content, media_type, "pixels"))
    assert (reply.status, failures(reply)) == (status, [reason])


def test_icon_inside_a_sequence_may_be_compressed_like_the_picture_STOW_08(service: Service) -> None:
    """A file has one transfer syntax, for all its pixel data (PS3.5 §A.4)."""
    target = instances.new_target()
    jls, jpeg = PICTURES["image/jls"][0], PICTURES["image/jpeg"][0]
    icon = {"7FE00010": {"vr": "OB", "BulkDataURI": "icon"}, "00280010": {"vr": "US", "Value": [40]}}
    dataset = describe(target) | {"00880200": {"vr": "SQ", "Value": [icon]}}
    octets = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80"
    reply = offer(service, [dataset], part(jls, "image/jls", "pixels"), part(jls + b"x", octets, "icon"))
    assert reply.status == 200, reply.headers.get("warning")
    (link,) = [link for link in bulk_links(metadata(service, target)) if "00880200" in link]
    sent = service.get(link, "application/octet-stream")
    assert sent.body.removesuffix(b"\0").removesuffix(b"x") == jls
    other = describe(instances.new_target()) | {"00880200": {"vr": "SQ", "Value": [icon]}}
    reply = offer(service, [other], part(jpeg, "image/jpeg", "pixels"), part(jls, octets, "icon"))
    assert (reply.status, failures(reply)) == (409, [Reason.SYNTAX_NOT_SUPPORTED])


def test_body_whose_length_nobody_told_STOW_02(service: Service) -> None:
    target = instances.new_target()
    body = part(json.dumps([describe(target)]).encode(), JSON) + part(PICTURES["image/jls"][0], "image/jls", "pixels")
    body += b"--bound--\r\n"
    with service.served.line() as line:
        fields = {"Content-Type": f"multipart/related; type={JSON}; boundary=bound", "Transfer-Encoding": "chunked"}
        line.say(format_request("POST", "/dicomweb/studies", fields))
        line.say(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert line.hear().status == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ('multipart/related; type="application/dicom"; boundary=bound', 400),
        ('multipart/related; type="application/dicom+json"; boundary=bound', 400),
        ("multipart/related; type=application/dicom+xml; boundary=bound", 400),
        ('multipart/related; type="application/octet-stream"; boundary=bound', 415),
        ('multipart/related; type="image/jpeg"; boundary=bound', 415),
        ("application/dicom+json", 400),
        ("application/dicom+xml", 400),
        ("application/octet-stream", 415),
        ("image/jpeg", 415),
        ("text/plain", 415),
    ],
)
def test_types_that_are_taken_and_others_STOW_03(service: Service, content_type: str, status: int) -> None:
    """What is taken is read, and found wanting; an answer that refuses a type names those that are taken."""
    reply = service.served.ask("POST", "/dicomweb/studies", {"Content-Type": content_type}, b"nonsense")
    assert reply.status == status
    if status == 415:
        assert all(root in reply.headers["accept"] for root in ("application/dicom", JSON, XML))


def test_failures_have_a_report_and_a_warning_too_STOW_11_STOW_17(service: Service) -> None:
    reply = offer(service, [describe(instances.new_target(), uri="nowhere")])
    assert (reply.status, reply.headers["content-type"]) == (409, JSON)
    assert "C416" in reply.headers["warning"]
    assert set(json.loads(reply.body)) == {"00081190", "00081198"}


def test_location_of_what_was_made_STOW_01_STOW_16(service: Service) -> None:
    target = instances.new_target()
    picture = part(PICTURES["image/jls"][0], "image/jls", "pixels")
    for study in ("", target.study):
        reply = offer(service, [describe(instances.new_target(target.study))], picture, study=study)
        assert reply.headers["location"] == f"{service.root}/studies/{target.study}"


LATIN = {"x00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}}
NAMED = {"x00100010": {"vr": "PN", "Value": [{"Alphabetic": "Ünal"}]}}


@pytest.mark.parametrize(
    ("text", "said", "charset"),
    [
        (b"plain", {}, None),
        ("Grüße".encode(), {}, "ISO_IR 192"),
        ("Grüße".encode(), NAMED, "ISO_IR 192"),
        ("Grüße".encode(), LATIN, "ISO_IR 192"),
        (("Grüße" * 300_000).encode(), {}, "ISO_IR 192"),
        ("Grüße".encode("latin-1"), LATIN, "ISO_IR 100"),
        ("Grüße".encode("latin-1"), {}, ""),
        ("Grüße".encode("latin-1"), {**LATIN, **NAMED}, ""),
        ("Grüße".encode()[:-2], {}, ""),
    ],
)
def test_text_as_bulk_data_is_in_the_character_set_of_its_file_STOW_08(
    service: Service, text: bytes, said: Dataset, charset: str | None
) -> None:
    """Empty: it is neither UTF-8 nor what the metadata names, and refused."""
    target = instances.new_target()
    dataset = describe(
        target, "1.2.840.10008.5.1.4.1.1.66", None, x0040A160={"vr": "UT", "BulkDataURI": "text"}, **said
    )
    reply = offer(service, [dataset], part(text, "application/octet-stream", "text"))
    if charset == "":
        assert failures(reply) == [Reason.CANNOT_UNDERSTAND]
        return
    assert reply.status == 200
    (file,) = parts_of(service.studies(path_of(target)))
    seen = pydicom.dcmread(io.BytesIO(file.body))
    assert seen.get("SpecificCharacterSet") == charset
    assert seen.TextValue == text.decode("latin-1" if charset == "ISO_IR 100" else "utf-8")


def test_texts_of_every_script_are_kept(service: Service) -> None:
    target = instances.new_target()
    name = {"Alphabetic": "Nakamura^Yuki", "Ideographic": "中村^雪", "Phonetic": "なかむら^ゆき"}
    dataset = describe(target, x00100010={"vr": "PN", "Value": [name]}, x00204000={"vr": "LT", "Value": ["Ä — я\nλ"]})
    assert offer(service, dataset, part(PICTURES["image/jls"][0], "image/jls", "pixels")).status == 200
    seen = metadata(service, target)
    assert values(seen, "00100010", "00204000") == [name, "Ä — я\nλ"]
