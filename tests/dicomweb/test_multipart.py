"""The multipart parser and writer: MP-01..08, T7, V4, V17, CLI-04, CLI-05."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicomweb import media_types, multipart

Part = tuple[dict[str, str], bytes]


def parse(
    body: bytes, boundary: bytes = b"B", *, step: int = 0, limits: multipart.Limits = multipart.DEFAULT
) -> list[Part]:
    return parse_pieces(
        [body] if not step else [body[i : i + step] for i in range(0, len(body), step)], boundary, limits
    )


def parse_pieces(pieces: list[bytes], boundary: bytes, limits: multipart.Limits = multipart.DEFAULT) -> list[Part]:
    parser = multipart.Parser(boundary, limits)
    parts: list[Part] = []
    is_open = False
    for piece in pieces:
        for event in parser.feed(piece):
            match event:
                case multipart.PartBegin(headers):
                    assert not is_open
                    is_open = True
                    parts.append((headers, b""))
                case multipart.PartData(data):
                    assert is_open
                    assert len(data) > 0
                    parts[-1] = (parts[-1][0], parts[-1][1] + bytes(data))
                case multipart.PartEnd():
                    assert is_open
                    is_open = False
    parser.finish()
    assert not is_open
    return parts


ONE = b"--B\r\nContent-Type: application/dicom\r\n\r\nDATA\r\n--B--\r\n"
DICOM = {"content-type": "application/dicom"}


@pytest.mark.parametrize(
    "body",
    [
        ONE,
        b"\r\n" + ONE,
        b"\n" + ONE,
        b"some words before\r\nand more --B inside\r\n" + ONE,
        ONE[:-2],
        ONE + b"epilogue\r\n--B\r\n\r\nnot a part\r\n--B--\r\n",
        ONE.replace(b"--B\r\n", b"--B  \t \r\n", 1),
        ONE.replace(b"--B--\r\n", b"--B--   \r\n", 1),
        ONE.replace(b"Content-Type", b"cOnTeNt-tYPE"),
        ONE.replace(b"\r\n", b"\n"),
        ONE.replace(b"--B\r\nContent-Type: application/dicom\r\n\r\n", b"--B\r\nContent-Type: application/dicom\n\n"),
        ONE.replace(b": application/dicom", b":application/dicom  "),
        ONE.replace(b": application/dicom", b":\r\n application/dicom"),
    ],
)
@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
def test_every_legal_or_harmless_form_is_read_MP07_V17_CLI05(body: bytes, step: int) -> None:
    assert parse(body, step=step) == [(DICOM, b"DATA")]


@pytest.mark.parametrize("step", [0, 1, 5])
def test_parts_without_headers_and_without_body(step: int) -> None:
    body = b"--B\r\n\r\nx\r\n--B\r\n\r\n\r\n--B\r\nA: b\r\n\r\n--B\r\n\r\n--B--"
    assert parse(body, step=step) == [({}, b"x"), ({}, b""), ({"a": "b"}, b""), ({}, b"")]


@pytest.mark.parametrize("step", [0, 1, 2, 4])
@pytest.mark.parametrize(
    "data",
    [
        b"\r\n--",
        b"-B--B\r\n",
        b"--Bx",
        b"--B x",
        b"--B-",
        b"--B \rx",
        b"x--B--\r\n",
        b"\n--B\r\n",
        b"\r\r\n--Bx",
        b"\r\n--B-",
        b"\r\n--B-x\r\n--B \rx",
        b"\r\n--B   x\r\n",
        b"\r\n--B \r\r\n",
        b"\r\n--B" + b" " * 1000,
        b"\r\n\r\n--b\r\n\r",
        b"\x00\xff\r\n--BB\r\n",
    ],
)
def test_what_only_looks_like_a_boundary_is_data(data: bytes, step: int) -> None:
    body = b"--B\r\n\r\n" + data + b"\r\n--B\r\n\r\n2\r\n--B--"
    assert parse(body, step=step) == [({}, data), ({}, b"2")]


def test_lf_only_bodies_keep_their_data_whole() -> None:
    assert parse(b"--B\n\n\r\n--X\r\n--C\n--B--\n") == [({}, b"\r\n--X\r\n--C")]


@pytest.mark.parametrize("step", [0, 1, 9])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (ONE[:-10], "without the closing delimiter"),
        (ONE[:-3], "without the closing delimiter"),
        (b"--B\r\nContent-Type: application/dicom\r\n", "without the closing delimiter"),
        (b"--C\r\n\r\nx\r\n--C--\r\n", "is not in"),
        (b"", "is not in"),
        (b"x" * 100_000, "is not in"),
        (b"--B\r\nno colon here\r\n\r\nx\r\n--B--", "part 1: expected"),
        (b"--B\r\n: nothing\r\n\r\nx\r\n--B--", "part 1: expected"),
        (b"--B\r\nA: b\0c\r\n\r\nx\r\n--B--", "part 1: expected"),
    ],
)
def test_broken_bodies_are_malformed_and_say_why_MP07_row43(body: bytes, says: str, step: int) -> None:
    with pytest.raises(errors.Malformed, match=says):
        parse(body, step=step)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"--B\r\nA: " + b"x" * 9000, "headers pass 8192 bytes"),
        (b"--B\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(40)), "more than 32 headers"),
        (b"--B\r\n\r\nx\r\n" * 6 + b"--B--", "more than 5 parts"),
        (b"--B\r\n\r\n" + b"\r\n--B.\r\n" * 20, "begin like a boundary"),
    ],
)
@pytest.mark.parametrize("step", [0, 3])
def test_limits_T7(body: bytes, says: str, step: int) -> None:
    with pytest.raises(errors.TooLarge, match=says):
        parse(body, step=step, limits=multipart.Limits(parts=5, near_delimiters=10))


def test_messages_repeat_nothing_of_the_body() -> None:
    with pytest.raises(errors.Malformed) as caught:
        parse(b"--B\r\nDoe^John no colon\r\n\r\nx\r\n--B--")
    assert "Doe" not in caught.value.message


def test_data_is_handed_on_as_slices_not_copies() -> None:
    parser = multipart.Parser(b"B")
    parser.feed(b"--B\r\n\r\n.")
    whole = b"y" * 100_000
    assert parser.feed(whole) == [multipart.PartData(whole)]
    event = parser.feed(b"z" * 10 + b"\r\n--B")[0]
    assert isinstance(event, multipart.PartData)
    assert isinstance(event.data, memoryview)


def test_a_body_full_of_near_boundaries_holds_nothing_back() -> None:
    parser = multipart.Parser(b"BOUNDARY")
    parser.feed(b"--BOUNDARY\r\n\r\n")
    near = b"\r\n--BOUNDARx" * 100_000
    events = parser.feed(near)
    assert events == [multipart.PartData(near)]
    near = b"\r\n--BOUNDARY." * 50_000
    assert parser.feed(near) == [multipart.PartData(near)]


BOUNDARIES = st.text("'()+_,-./:=?0123abcXYZ", min_size=1, max_size=70).map(str.encode)
NOISE = st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b" ", b"x", b"\0", b"\xff"])


@settings(deadline=None, max_examples=150)
@given(data=st.data())
@pytest.mark.slow
def test_whatever_is_written_is_read_back_at_any_chunking(data: st.DataObject) -> None:
    boundary = data.draw(BOUNDARIES)
    near = st.lists(NOISE | st.just(b"\r\n--" + boundary + b"x") | st.just(boundary[: len(boundary) // 2]), max_size=8)
    bodies = [b"".join(pieces) for pieces in data.draw(st.lists(near, min_size=1, max_size=4))]
    delimiter = b"\r\n--" + boundary
    bodies = [
        b"\r\n" * body.startswith(b"--" + boundary) + body.replace(delimiter + b"--", b"").replace(delimiter, b"")
        for body in bodies
    ]
    if any(delimiter in b"\r\n" + body for body in bodies):
        return
    text = boundary.decode()
    headers = [("Content-Type", "application/dicom"), ("Content-Location", "https://a/b")]
    body = b"".join(multipart.part_head(text, headers, first=n == 0) + part for n, part in enumerate(bodies))
    body += multipart.closing(text)
    assert len(body) == multipart.content_length(text, [(headers, len(part)) for part in bodies])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    expected = [({"content-type": "application/dicom", "content-location": "https://a/b"}, part) for part in bodies]
    assert parse_pieces(pieces, boundary) == expected
    assert parse(body, boundary, step=1) == expected


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.lists(NOISE | st.sampled_from([b"--B", b"\r\n--B", b"\r\n--B--", b"A: b\r\n", b"\r\n\r\n"]), max_size=20))
def test_every_split_gives_the_same_answer_for_any_bytes_T7(pieces: list[bytes]) -> None:
    body = b"--B\r\n" + b"".join(pieces)

    def outcome(step: int) -> object:
        try:
            return parse(body, step=step)
        except errors.Fault as fault:
            return type(fault), fault.message

    whole = outcome(0)
    assert all(outcome(step) == whole for step in (1, 2, 3, 5))


@pytest.mark.parametrize(
    ("text", "boundary"),
    [
        ("multipart/related; type=application/dicom; boundary=abc", b"abc"),
        ('multipart/related; boundary="a b:c"; type="application/dicom"', b"a b:c"),
        ("Multipart/Related;Boundary=----=_Part_1.2", b"----=_Part_1.2"),
    ],
)
def test_boundary_quoted_and_bare_V17(text: str, boundary: bytes) -> None:
    assert multipart.boundary_of(media_types.parse(text)) == boundary


@pytest.mark.parametrize("value", ["", '""', "x" * 71, '"a;b"', '"ends in blank "', "ö"])
def test_a_bad_or_missing_boundary_is_malformed_row43(value: str) -> None:
    with pytest.raises(errors.Malformed, match="oundary"):
        multipart.boundary_of(media_types.parse(f"multipart/related; boundary={value}"))


def test_written_form_is_what_script_parsers_look_for_MP08_CLI04_V4() -> None:
    boundary = multipart.new_boundary()
    assert 32 <= len(boundary) <= 70
    assert boundary != multipart.new_boundary()
    part_type = media_types.with_transfer_syntax("application/octet-stream", "1.2.840.10008.1.2.1")
    head = multipart.part_head(boundary, [("Content-Type", part_type)], first=True)
    assert (
        head
        == f"--{boundary}\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n\r\n".encode()
    )
    assert multipart.closing(boundary) == f"\r\n--{boundary}--\r\n".encode()
    assert (
        multipart.content_type("b1", "application/dicom") == 'multipart/related; type="application/dicom"; boundary=b1'
    )
