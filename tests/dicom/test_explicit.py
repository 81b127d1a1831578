"""Files rewritten in Explicit VR Little Endian hold the same elements and values (GEN-09, MT-07, STOW-20)."""

import io
import struct
import warnings

import dicom_encoder as encoder
import dicom_reference as reference
import pydicom
import pytest
from dicom_encoder import BIG, DEFLATED, EXPLICIT, IMPLICIT
from hypothesis import HealthCheck, given, settings
from test_header_encodings import datasets
from test_header_hostile import SEEDS

from dicomgate import errors
from dicomgate.dicom import explicit, header, part10, values
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.inflate import InflatedSource
from dicomgate.dicom.source import BytesSource

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


def rewrite(content):
    source = BytesSource(content)
    chunks = list(explicit.rewrite(source, header.read(source)))
    assert all(0 < len(chunk) <= 1 << 20 for chunk in chunks)
    return b"".join(chunks)


def bulk_values(content):
    source = BytesSource(content)
    found = header.read(source)
    inside = InflatedSource(source, found.dataset_offset) if found.is_deflated else source
    return {
        path: values.swap(inside.read_at(place.offset, place.length), place.word) for path, place in found.bulk.items()
    }


def same(content):
    """The rewritten file, after comparing what the reader and pydicom make of both."""
    result = rewrite(content)
    before, after = (header.read(BytesSource(one)) for one in (content, result))
    assert after.attributes == before.attributes
    assert after.transfer_syntax == EXPLICIT
    assert bulk_values(result) == bulk_values(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = pydicom.dcmread(io.BytesIO(result))
    assert parsed.file_meta.TransferSyntaxUID == EXPLICIT
    assert parsed.file_meta.FileMetaInformationGroupLength == len(result) - len(pydicom_tail(result)) - 144
    return result


def pydicom_tail(result):
    (length,) = struct.unpack_from("<I", result, 140)
    return result[144 + length :]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(datasets)
def test_every_encoding_is_rewritten_to_the_same_file(elements):
    results = {same(encoder.file(elements, syntax)) for syntax in (IMPLICIT, BIG, DEFLATED, EXPLICIT)}
    assert len(results) == 1


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_awkward_files(seed):
    if isinstance(header.read(BytesSource(SEEDS[seed])).frames, FragmentFrames):
        with pytest.raises(errors.NotAcceptable):
            rewrite(SEEDS[seed])
    else:
        same(SEEDS[seed])


def test_file_meta_information_is_ours():
    found = header.read(BytesSource(rewrite(encoder.file([("00100020", "LO", "A")], IMPLICIT))))
    assert found.meta["00020002"]["Value"] == ["1.2.840.10008.5.1.4.1.1.7"]
    assert found.meta["00020003"]["Value"] == [encoder.INSTANCE]
    assert found.meta["00020010"]["Value"] == [EXPLICIT]
    assert found.meta["00020012"]["Value"] == [part10.IMPLEMENTATION_UID]
    assert found.meta["00020013"]["Value"] == [part10.IMPLEMENTATION_NAME]
    assert found.meta["00020001"]["InlineBinary"] == "AAE="


def test_without_file_meta_information():
    content = encoder.dataset(sorted([*encoder.IDENTITY, ("00100020", "LO", "A ")]), IMPLICIT)
    same(content)


def test_a_value_too_long_for_its_vr_becomes_un_GEN_09():
    long = "1\\" * 40_000 + "2 "
    content = encoder.wrap(encoder.dataset(sorted([*encoder.IDENTITY, ("3004000C", "DS", long)]), IMPLICIT), IMPLICIT)
    result = rewrite(content)
    at = result.index(b"\x04\x30\x0c\x00")
    assert result[at + 4 : at + 12] == b"UN\0\0" + struct.pack("<I", len(long))
    assert header.read(BytesSource(result)).attributes["3004000C"]["vr"] == "DS"
    same(content)


def test_odd_lengths_become_even():
    odd = encoder.head("00100020", "LO", 3) + b"ABC" + encoder.head("00420011", "OB", 3) + b"abc"
    odd += encoder.head("00880140", "UI", 3) + b"1.2"
    result = rewrite(encoder.wrap(encoder.dataset(encoder.IDENTITY[:2]) + odd + b""))
    assert b"LO\4\0ABC " in result
    assert b"OB\0\0\4\0\0\0abc\0" in result
    assert b"UI\4\x001.2\0" in result


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_numbers_of_the_wrong_size_stay_the_bytes_they_are(syntax):
    result = same(encoder.file([("00280010", "US", b"\1\2\3\4\5\6"), ("00186018", "UL", b"\1\2\3\4\5\6")], syntax))
    assert b"UN\0\0\6\0\0\0\1\2\3\4\5\6" in result


def test_group_lengths_and_padding_are_left_out():
    elements = [("00080000", "UL", 4), ("00081140", "SQ", [[("00080000", "UL", 4)]]), ("FFFCFFFC", "OB", bytes(10))]
    result = same(encoder.file(elements, BIG) + bytes(50))
    assert len(result) % 2 == 0
    assert not result.endswith(bytes(10))


def test_the_second_of_two_elements_is_left_out():
    twice = [("00081140", "SQ", [[("00081150", "UI", "1.1")]]), ("00081140", "SQ", [[("00081150", "UI", "1.2")]])]
    content = encoder.wrap(
        encoder.dataset(
            [*encoder.IDENTITY[:2], *twice, ("00100020", "LO", "A "), ("00100020", "LO", "B "), *encoder.IDENTITY[2:]]
        )
    )
    result = same(content)
    assert b"1.2\0" not in result
    assert b"B " not in result


@pytest.mark.parametrize("opens", [True, False])
def test_sequences_hidden_in_un(opens):
    inside = (
        encoder.item(encoder.dataset([("00080100", "SH", "B "), ("00280010", "US", 3)], IMPLICIT))
        if opens
        else encoder.tag_bytes("FFFEE000") + b"\xf0\xf0\0\0"
    )
    for syntax in (EXPLICIT, BIG):
        content = encoder.dataset([*encoder.IDENTITY, ("00400275", "UN", inside)], syntax)
        result = same(encoder.wrap(content, syntax))
        assert (b"SQ\0\0\xff\xff\xff\xff" in result) is opens


def test_large_values_go_out_in_steps():
    raw = bytes(range(256)) * 5_000
    for syntax in (BIG, IMPLICIT, DEFLATED):
        content = encoder.file([("00280100", "US", 16), ("7FE00010", "OW", raw)], syntax)
        assert same(content).endswith(raw)


def test_a_compressed_icon_is_passed_on():
    icon = encoder.head("7FE00010", "OB", encoder.UNDEFINED) + encoder.encapsulated([b"\xff\xd8ab", b"cd"])
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("00880200", "SQ", len(icon) + 8) + encoder.item(icon)
    result = rewrite(encoder.wrap(content))
    place = header.read(BytesSource(result)).bulk["00880200/1/7FE00010"]
    assert b"".join(result[piece.start : piece.stop] for piece in place.pieces) == b"\xff\xd8abcd"


FILES = (
    sorted(path for path in reference.DATA.rglob("*") if path.is_file() and path.stat().st_size < 1_200_000)
    if reference.DATA.is_dir()
    else []
)


def check(paths):
    count = 0
    for path in paths:
        content = path.read_bytes()
        found = header.read(BytesSource(content))
        if found.transfer_syntax in {IMPLICIT, BIG, DEFLATED}:
            same(content)
            count += 1
    return count


def candidates():
    """Files that name one of the three transfer syntaxes, or none, and are not broken."""
    for path in FILES:
        with path.open("rb") as file:
            head = file.read(600)
        names = any(uid in head for uid in (b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"))
        if "broken" not in path.parts and path.suffix not in {".md", ".tsv"} and (names or head[128:132] != b"DICM"):
            yield path


@pytest.mark.skipif(not FILES, reason="needs ../shared/data")
def test_real_files_that_need_it():
    assert check(list(candidates())[::6]) > 20


@pytest.mark.slow
@pytest.mark.skipif(not FILES, reason="needs ../shared/data")
def test_every_real_file_that_needs_it():
    assert check(candidates()) > 120
