"""Files that are none, or that lie: each is refused by itself with a reason, or kept and given back as it came."""

from __future__ import annotations

import random
import struct
import time
import zlib

import hostile_files as made
import pytest
from hostile_victim import BYTES, STORED, Victim, path_of

from dicomgate.dicom.outcomes import Reason
from dicomgate.testing import instances, processes

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

MANY = 200_000


def good() -> bytes:
    return instances.make()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"x", id="a letter"),
        pytest.param(b"DICM", id="the magic alone"),
        pytest.param(bytes(132), id="zeros"),
        pytest.param(bytes(128) + b"DICM", id="preamble and magic alone"),
        pytest.param(b"\xff" * 10_000, id="ones"),
        pytest.param(b"<!doctype html><title>Not found</title>" * 40, id="a page"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, id="a picture"),
        pytest.param(b"PK\3\4" + bytes(5000), id="an archive"),
        pytest.param(bytes(128) + b"DICM" + b"\xfe" * 5000, id="magic and garbage"),
        pytest.param(bytes(n * 7 % 251 for n in range(100_000)), id="noise"),
    ],
)
def test_garbage_is_refused_with_a_reason(victim: Victim, content: bytes) -> None:
    """STOW-12, AMB-04: alone 400; among good ones 202, and they are stored."""
    alone = victim.store(content)
    assert alone.status == 400
    assert len(alone.others) == 1
    assert alone.others[0] >> 12 == 0xC
    assert alone.explanation
    target = made.new_target()
    mixed = victim.store(made.make(target), content, made.make())
    assert mixed.status == 202
    assert (len(mixed.stored), len(mixed.others)) == (2, 1)
    assert victim.count(target) == 1


def test_every_truncation_is_refused_or_whole_T1(victim: Victim) -> None:
    """Cut anywhere: within an element it is refused as cut; what is kept is given back as it came."""
    target = made.new_target()
    whole = instances.make(target, rows=4, columns=4)
    pixels = whole.rindex(bytes.fromhex("e07f1000"))
    for end in [*range(1, pixels, 37), *range(pixels + 1, len(whole))]:
        report = victim.store(whole[:end])
        assert report.status in {200, 400, 409}, end
        assert report.explanation or report.status == 200
        if end > pixels:
            assert report.reasons == [Reason.TRUNCATED], end
        if report.status == 200:
            assert victim.file(target) == whole[:end]
            break  # from here on, another cut is another content under this UID
    assert victim.count(target) <= 1


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 8, 100])
def test_cut_in_the_pixel_data_is_refused(victim: Victim, cut: int) -> None:
    target = made.new_target()
    report = victim.store(instances.make(target, rows=64, columns=64)[:-cut])
    assert (report.status, report.reasons) == (400, [Reason.TRUNCATED])
    assert "ends before" in report.explanation
    assert victim.count(target) == 0


@pytest.mark.parametrize("cut", [1, 4, 8, 9, 40])
def test_cut_in_fragments_is_refused(victim: Victim, cut: int) -> None:
    content = instances.make(syntax=made.JPEG, frames=[b"\xff\xd8" + bytes(40) + b"\xff\xd9"] * 3)
    report = victim.store(content[:-cut])
    assert (report.status, len(report.reasons)) == (400, 1)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("no preamble", lambda content: content[128:]),
        ("no preamble, no magic", lambda content: content[132:]),
        ("no meta header", lambda content: content[content.index(b"\x08\0\x16\0UI") :]),
        ("no group length", lambda content: content[:132] + content[144:]),
        ("group length 1", lambda content: content[:140] + struct.pack("<I", 1) + content[144:]),
        ("group length huge", lambda content: content[:140] + struct.pack("<I", 0x7FFFFFFF) + content[144:]),
        (
            "group length to the middle of an element",
            lambda content: content[:140] + struct.pack("<I", 33) + content[144:],
        ),
    ],
)
def test_odd_beginnings_are_read_where_they_can_mean_one_thing_T2(victim: Victim, name: str, head) -> None:
    target = made.new_target()
    content = head(made.make(target, after=made.pixels(2, 2, bytes(range(8)))))
    report = victim.store(content)
    assert (report.status, report.stored) == (200, [target.instance])
    assert victim.file(target) == content
    assert victim.get(path_of(target) + "/frames/1", BYTES).body == bytes(range(8))
    whole = victim.get(path_of(target), {"Accept": "application/dicom"})
    assert whole.status == 200
    assert whole.body[128:132] == b"DICM"


def test_implicit_data_set_without_any_header_is_read_T2(victim: Victim) -> None:
    target = made.new_target()
    content = made.implicit_dataset(target, made.implicit(0x00200013, b"7"))
    assert victim.store(content).status == 200
    assert victim.file(target) == content
    assert victim.get(path_of(target), {"Accept": "application/dicom"}).body[128:132] == b"DICM"


LIES = {
    "element longer than the file": made.element(0x00091001, "UN", b"abcd", length=0x7FFFFFF0),
    "element of 3 GB": made.element(0x00091001, "OB", b"abcd", length=3 << 30),
    "short element longer than the file": made.element(0x00091001, "LO", b"ab", length=0xFFFE),
    "undefined length of a text": made.element(0x00091001, "UT", b"abcd", length=made.UNDEFINED),
    "sequence longer than the file": made.element(0x00091001, "SQ", made.item(b""), length=0x10000),
    "sequence ends within an item": made.element(
        0x00091001, "SQ", made.item(made.element(0x00091002, "LO", b"abcd")), length=12
    ),
    "item longer than its sequence": made.element(
        0x00091001, "SQ", made.item(made.element(0x00091002, "LO", b"ab"), length=4000)
    ),
    "item shorter than its element": made.element(
        0x00091001, "SQ", made.item(made.element(0x00091002, "LO", b"abcdef"), length=10)
    ),
    "element longer than its item": made.element(
        0x00091001, "SQ", made.item(made.element(0x00091002, "LO", b"ab", length=200))
    ),
    "sequence of no items": made.element(0x00091001, "SQ", b"garbage!"),
    "sequence without end": made.element(
        0x00091001, "SQ", made.item(b"", length=made.UNDEFINED), length=made.UNDEFINED
    ),
    "delimiter with a length": made.element(
        0x00091001, "SQ", made.tag(0xFFFEE0DD) + b"\x08\0\0\0" + bytes(8), length=made.UNDEFINED
    ),
    "item of 4 GB": made.element(0x00091001, "SQ", made.tag(0xFFFEE000) + b"\xfe\xff\xff\xff", length=made.UNDEFINED),
}


@pytest.mark.parametrize("name", LIES)
def test_lying_lengths_are_refused_or_kept_as_they_came_T1(victim: Victim, name: str) -> None:
    target = made.new_target()
    content = made.make(target, between=made.element(0x00090010, "LO", b"LIES") + LIES[name])
    before = victim.running.memory()
    report = victim.store(content)
    if report.status == 200:
        assert victim.file(target) == content
        assert victim.get(path_of(target) + "/metadata").status == 200
    else:
        assert report.status == 400
        assert report.reasons[0] >> 12 == 0xC
        assert report.explanation
        assert victim.count(target) == 0
    assert victim.running.memory() - before < 64 << 20, "T4: no memory because a header says so"


@pytest.mark.parametrize("is_defined", [True, False], ids=["defined", "undefined"])
@pytest.mark.parametrize(("depth", "is_taken"), [(64, True), (65, False), (1000, False), (5000, False)])
def test_nesting_is_bounded_T1(victim: Victim, depth: int, is_defined: bool, is_taken: bool) -> None:
    target = made.new_target()
    if is_defined and 24 * depth > 0xFFFF * 16:
        pytest.skip("too long for this form")
    content = made.make(target, between=made.nested(depth, is_defined=is_defined))
    report = victim.store(content)
    if is_taken:
        assert report.status == 200
        assert victim.get(path_of(target) + "/metadata").status == 200
        assert victim.get(path_of(target), {"Accept": "application/dicom"}).body == content
    else:
        assert (report.status, report.reasons) == (400, [Reason.LIMIT_PASSED])
        assert "depth" in report.explanation
        assert victim.count(target) == 0


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(made.element(0x00091001, "SQ", made.item(b"") * MANY), id="1.6 MB of empty items"),
        pytest.param(
            b"".join(made.element(0x00090000 + n, "CS", b"") for n in range(0x1000, 0xFFFF)), id="61,000 elements"
        ),
        pytest.param(
            made.element(0x00091001, "SQ", (made.item(made.element(0x00091002, "SQ", made.item(b"")))) * 60_000),
            id="items in items",
        ),
    ],
)
def test_counts_are_bounded_T1(victim: Victim, between: bytes) -> None:
    content = made.make(between=made.element(0x00090010, "LO", b"MANY") + between)
    began = time.monotonic()
    report = victim.store(content)
    assert (report.status, report.reasons) == (400, [Reason.LIMIT_PASSED])
    assert time.monotonic() - began < processes.PATIENCE, "T1: every loop is bounded"


@pytest.mark.parametrize("missing", ["00080016", "00080018", "0020000D", "0020000E"])
@pytest.mark.parametrize("how", ["absent", "empty", "blank"])
def test_missing_uids_are_refused(victim: Victim, missing: str, how: str) -> None:
    target = made.new_target()
    number = int(missing, 16)
    uid = {
        0x00080016: made.SECONDARY_CAPTURE,
        0x00080018: target.instance,
        0x0020000D: target.study,
        0x0020000E: target.series,
    }[number]
    assert uid is not None
    instead = {"absent": b"", "empty": made.element(number, "UI", b""), "blank": made.element(number, "UI", b"\0\0")}[
        how
    ]
    content = made.make(target)
    report = victim.store(content.replace(made.element(number, "UI", uid.encode()), instead))
    assert (report.status, report.reasons) == (409, [Reason.MISSING_UID])
    assert f"({missing[:4]},{missing[4:]})" in report.explanation
    assert victim.count(target) == 0


PATHS = [
    "../../../../etc/passwd",
    "..",
    ".",
    "/etc/passwd",
    "1.2.3/../../4",
    "1.2.3\\..\\..\\4",
    "1.2.3%2e%2e%2f",
    "1.2.3\0.4",
    "1.2..3",
    ".1.2",
    "1.2.",
    "1.2.3;rm",
    "1.2.3\n4",
    "1.2.3 4",
    "1.٣.3",
    "C:1.2",
    "NUL",
    "1." + "2" * 63 + ".3",
    "1." + "2" * 68,
    "1.2" * 500,
]


@pytest.mark.parametrize("uid", PATHS, ids=lambda uid: repr(uid[:20]))
@pytest.mark.parametrize("which", ["study", "series", "instance"])
def test_what_is_no_uid_becomes_no_path_T9(victim: Victim, uid: str, which: str) -> None:
    target = made.new_target()
    sought = getattr(target, which)
    before = {path for path in victim.running.data.rglob("*") if "blobs" not in path.parts}
    report = victim.store(made.make(target).replace(*_replaced(sought, uid)))
    assert report.status == 409
    assert report.reasons == [Reason.MALFORMED_UID]
    assert "UID" in report.explanation
    assert uid not in report.explanation
    assert {path for path in victim.running.data.rglob("*") if "blobs" not in path.parts} == before


def _replaced(uid: str, other: str) -> tuple[bytes, bytes]:
    """The whole element, with its length."""
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    value = other.encode()
    value += b"\0" * (len(value) % 2)
    return b"UI" + struct.pack("<H", len(padded)) + padded, b"UI" + struct.pack("<H", len(value)) + value


def test_unknown_transfer_syntax_is_refused_with_C122_STOW_14(victim: Victim) -> None:
    target = made.new_target()
    report = victim.store(made.make(target, syntax="1.2.3.4.5.6"))
    assert (report.status, report.reasons) == (409, [Reason.SYNTAX_NOT_SUPPORTED])
    assert "transfer syntax" in report.explanation
    assert victim.count(target) == 0


def deflated(content: bytes, *, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize("noise", [0, 1 << 16], ids=["zeros", "within the ratio"])
def test_deflate_bomb_is_refused_in_bounded_memory_and_time_T3(victim: Victim, noise: int) -> None:
    """5 GB in 5 MB, or in 25 MB so that only the absolute bound helps: a value that a reader would have to inflate."""
    target = made.new_target()
    head = made.dataset(target) + made.tag(0x7FE00010) + b"OW\0\0" + struct.pack("<I", 0xFFFFFFF0)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(random.Random(1).randbytes(noise) + bytes(16 << 20)) + packer.flush(
        zlib.Z_FULL_FLUSH
    )  # stands for itself, so may come again
    packed += block * 320 + packer.flush()
    victim.running.forget_most()
    before, began = victim.running.memory(), time.monotonic()
    report = victim.store(made.meta(made.DEFLATED) + packed)
    assert report.status == 400
    assert report.reasons in ([Reason.LIMIT_PASSED], [Reason.TRUNCATED])
    assert victim.running.memory(at_most=True) - before < 128 << 20
    assert time.monotonic() - began < processes.PATIENCE
    assert victim.count(target) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda packed: packed[:-3], id="cut"),
        pytest.param(lambda packed: packed[: len(packed) // 2], id="half"),
        pytest.param(lambda packed: b"\xff\xff" + packed[2:], id="garbage"),
        pytest.param(lambda _: b"", id="nothing"),
    ],
)
def test_spoilt_deflate_is_refused_T3(victim: Victim, spoil) -> None:
    target = made.new_target()
    packed = deflated(made.dataset(target, after=made.pixels(8, 8, bytes(n % 251 for n in range(128)))))
    report = victim.store(made.meta(made.DEFLATED) + spoil(packed))
    assert report.status in {400, 409}
    assert len(report.reasons) == 1
    assert victim.count(target) == 0


@pytest.mark.parametrize(
    ("rows", "columns", "frames"),
    [
        (65535, 65535, b"2147483647"),
        (65535, 65535, b"1"),
        (0, 0, b"1"),
        (2, 2, b"0"),
        (2, 2, b"-1"),
        (2, 2, b"99999999999"),
        (2, 2, b"1e3"),
        (2, 2, b"many"),
        (3, 3, b"1"),
        (1, 1, b"2147483647"),
    ],
)
def test_picture_that_lies_about_its_size_costs_nothing_T3_T4(
    victim: Victim, rows: int, columns: int, frames: bytes
) -> None:
    target = made.new_target()
    content = made.make(target, after=made.pixels(rows, columns, bytes(range(8)), frames=frames))
    before = victim.running.memory()
    report = victim.store(content)
    assert report.status in {200, 400, 409}
    if report.status == 200:
        assert victim.file(target) == content
        for number in (1, 2, 2147483647):
            reply = victim.get(f"{path_of(target)}/frames/{number}", BYTES)
            assert reply.status in {200, 404, 406}, reply.body
            assert reply.status != 200 or len(reply.body) == 2 * rows * columns
        assert victim.get(path_of(target) + "/metadata").status == 200
        assert victim.get(path_of(target) + "/bulkdata").status in {200, 404}
    assert victim.running.memory() - before < 64 << 20


FRAGMENTS = {
    "table leads outside": made.fragments(
        b"\xff\xd8aa\xff\xd9", b"\xff\xd8bb\xff\xd9", table=struct.pack("<2I", 0, 0x7FFFFFF0)
    ),
    "table leads into a fragment": made.fragments(
        b"\xff\xd8aa\xff\xd9", b"\xff\xd8bb\xff\xd9", table=struct.pack("<2I", 0, 3)
    ),
    "table runs backwards": made.fragments(
        b"\xff\xd8aa\xff\xd9", b"\xff\xd8bb\xff\xd9", table=struct.pack("<2I", 14, 0)
    ),
    "table of odd length": made.fragments(b"\xff\xd8aa\xff\xd9", b"\xff\xd8bb\xff\xd9", table=b"\0\0\0\0\1\0"),
    "table longer than frames": made.fragments(b"\xff\xd8aa\xff\xd9", b"\xff\xd8bb\xff\xd9", table=bytes(4000)),
    "fragment longer than the file": made.item(b"") + made.item(b"\xff\xd8", length=0x7FFFFFF0) + made.END_SEQUENCE,
    "fragment of undefined length": made.item(b"") + made.item(b"\xff\xd8", length=made.UNDEFINED) + made.END_SEQUENCE,
    "no fragment": made.fragments(),
    "no table either": made.END_SEQUENCE,
    "no end": made.fragments(b"\xff\xd8aa\xff\xd9", is_ended=False),
    "100,000 fragments of one byte": made.fragments(*([b"ab"] * 100_000)),
    "fewer fragments than frames": made.fragments(b"\xff\xd8aa\xff\xd9"),
    "something between": made.item(b"") + made.element(0x00080018, "UI", b"1.2") + made.END_SEQUENCE,
}


@pytest.mark.parametrize("name", FRAGMENTS)
def test_fragments_that_lie_give_no_wrong_frames(victim: Victim, name: str) -> None:
    target = made.new_target()
    content = made.make(
        target,
        syntax=made.JPEG,
        after=made.pixels(2, 2, FRAGMENTS[name], frames=b"2", vr="OB", length=made.UNDEFINED),
    )
    report = victim.store(content)
    assert report.status in {200, 400}
    assert report.explanation or report.status == 200
    if report.status == 200:
        assert victim.file(target) == content
        for number, right in ((1, b"\xff\xd8aa\xff\xd9"), (2, b"\xff\xd8bb\xff\xd9")):
            reply = victim.get(f"{path_of(target)}/frames/{number}", BYTES)
            assert reply.status in {404, 406} or reply.body == right, name


EXTENDED = {
    "offsets beyond the file": (struct.pack("<2Q", 0, 1 << 62), struct.pack("<2Q", 6, 6)),
    "offsets overflow": (struct.pack("<2Q", 0, (1 << 64) - 8), struct.pack("<2Q", 6, 6)),
    "lengths beyond the file": (struct.pack("<2Q", 0, 14), struct.pack("<2Q", 6, 1 << 62)),
    "lengths missing": (struct.pack("<2Q", 0, 14), b""),
    "odd length": (b"\0" * 12, b"\0" * 12),
}


@pytest.mark.parametrize("name", EXTENDED)
def test_extended_offset_tables_that_lie_give_no_wrong_frames(victim: Victim, name: str) -> None:
    target = made.new_target()
    offsets, lengths = EXTENDED[name]
    tables = made.element(0x7FE00001, "OV", offsets) + (made.element(0x7FE00002, "OV", lengths) if lengths else b"")
    group = made.pixels(2, 2, b"", frames=b"2", vr="OB", length=made.UNDEFINED)
    group = group[: -len(made.element(0x7FE00010, "OB", b"", length=made.UNDEFINED))]
    codestreams = made.fragments(b"\xff\xd8aa\xff\xd9", b"\xff\xd8bb\xff\xd9")
    pixel_data = made.element(0x7FE00010, "OB", codestreams, length=made.UNDEFINED)
    content = made.make(target, syntax=made.JPEG, after=group + tables + pixel_data)
    report = victim.store(content)
    assert report.status in {200, 400}
    if report.status == 200:
        assert victim.file(target) == content
        for number, right in ((1, b"\xff\xd8aa\xff\xd9"), (2, b"\xff\xd8bb\xff\xd9")):
            reply = victim.get(f"{path_of(target)}/frames/{number}", BYTES)
            assert reply.status in {404, 406} or reply.body == right, name


@pytest.mark.parametrize(
    ("start", "is_kept"),
    [
        (bytes(128), True),
        (b"II*\0" + bytes(124), True),
        (b"MM\0*" + bytes(range(124)), True),
        (b"MZ\x90\0" + b"\xcc" * 124, False),
        (b"#!/bin/sh\n" + b" " * 118, False),
        (b"<html><script>alert(1)</script>".ljust(128), False),
    ],
    ids=["blank", "TIFF", "big TIFF", "program", "script", "page"],
)
def test_preamble_that_could_run_is_cleared_T12(victim: Victim, start: bytes, is_kept: bool) -> None:
    target = made.new_target()
    content = start + made.make(target)[128:]
    assert victim.store(content).status == 200
    assert victim.file(target) == (content if is_kept else bytes(128) + content[128:])
    again = victim.store(content)
    assert (again.status, again.stored) == (200, [target.instance]), "T10: the same bytes again"


def test_poisoned_values_never_break_an_answer_T8(victim: Victim) -> None:
    """Control characters, broken encodings, NaN and infinities: every answer stays strict JSON, listings whole."""
    poison = [
        made.element(0x00080005, "CS", b"ISO_IR 192") + made.element(0x00080090, "PN", b"\xff\xfe\x80Secret^\xc3"),
        made.element(0x00080005, "CS", b"NO SUCH SET") + made.element(0x00080050, "SH", b'"\\\x00\x01\x1b[31m'),
        made.element(0x00080005, "CS", b"\\ISO 2022 IR 87") + made.element(0x00081030, "LO", b"\x1b$B\x1b\x1b$"),
        made.element(0x00081030, "LO", b"</script><script>alert(1)</script>\r\nX-Injected: 1"),
        made.element(0x00091001, "FD", struct.pack("<3d", float("nan"), float("inf"), -float("inf"))),
        made.element(0x00091001, "FL", struct.pack("<2f", float("nan"), float("inf"))),
        made.element(0x00091001, "DS", b"NaN\\1e999\\--\\0x10\\"),
        made.element(0x00091001, "IS", b"99999999999999999999\\1.5\\\xff"),
        made.element(0x00091001, "AT", b"\1\2\3"),
        made.element(0x00091001, "UI", b"not\\a\0\\uid"),
        made.element(0x00091001, "UT", b"\xed\xa0\x80\xf4\x90\x80\x80" * 400),
    ]
    targets = [made.new_target() for _ in poison]
    for target, between in zip(targets, poison, strict=True):
        content = made.make(target, between=between)
        assert victim.store(content).status == 200
        assert victim.file(target) == content
        instance = victim.search(f"/instances?SOPInstanceUID={target.instance}&includefield=all")
        assert [one["0020000D"]["Value"][0] for one in instance] == [target.study]
        assert len(victim.search(f"/studies?StudyInstanceUID={target.study}&includefield=all")) == 1
        metadata = victim.search(f"/studies/{target.study}/metadata")
        assert metadata[0]["00080018"]["Value"] == [target.instance]
    listed = {one["0020000D"]["Value"][0] for one in victim.search("/studies?includefield=all")}
    assert {target.study for target in targets} <= listed


def test_links_in_an_instance_are_not_followed_T14(victim: Victim) -> None:
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.5)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/".encode()
        target = made.new_target()
        between = made.element(0x00081190, "UR", address) + made.element(0x00091001, "UR", address)
        assert victim.store(made.make(target, between=between)).status == 200
        assert victim.get(path_of(target) + "/metadata").status == 200
        with pytest.raises(TimeoutError):
            listening.accept()


def test_documents_do_not_run_T15(victim: Victim) -> None:
    target = made.new_target()
    page = b"<html><script>alert(1)</script></html>" * 60
    content = made.make(
        target, after=made.element(0x00420011, "OB", page) + made.element(0x00420012, "LO", b"text/html")
    )
    assert victim.store(content).status == 200
    reply = victim.get(path_of(target) + "/bulkdata/00420011", BYTES)
    assert reply.status == 200
    assert reply.body.rstrip(b"\0") == page
    assert reply.headers["content-type"].startswith("application/octet-stream")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_stored_bytes_answer_as_attachments_of_their_kind(victim: Victim) -> None:
    target = made.new_target()
    assert victim.store(good_with(target)).status == 200
    reply = victim.get(path_of(target), STORED)
    assert reply.headers["content-type"].startswith("application/dicom")
    assert reply.headers["x-content-type-options"] == "nosniff"


def good_with(target: made.Target) -> bytes:
    return instances.make(target)
