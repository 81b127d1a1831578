"""What may not travel over the web is kept as it came and leaves normalised, true files of others (GEN-09, STOW-20)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from interop_corpus import DATA, PREAMBLE, needs_data

from dicomgate import assembly, config
from dicomgate.dicom import syntaxes
from dicomgate.dicom.outcomes import Reason, Refused, Stored
from dicomgate.pixels.processes import Workers
from dicomgate.representations import transcoding
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
FILES = {
    "syntaxes/ct-many-syntaxes/CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm": BIG,
    "syntaxes/ct-many-syntaxes/CTImage.dcm_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm": (
        syntaxes.IMPLICIT_LITTLE
    ),
    "syntaxes/ct-many-syntaxes/CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm": (
        DEFLATED
    ),
    "syntaxes/pydicom/ExplVR_BigEnd.dcm": BIG,
    "syntaxes/pydicom/MR_small_bigendian.dcm": BIG,
    "syntaxes/pydicom/MR_small_implicit.dcm": syntaxes.IMPLICIT_LITTLE,
    "syntaxes/pydicom/emri_small_big_endian.dcm": BIG,
}


@pytest.fixture
def archive(tmp_path: Path):
    with assembly.open_archive(tmp_path / "data", config.Settings()) as opened:
        yield opened


def store(archive, content: bytes):
    arrival = archive.spool.arrival()
    try:
        arrival.write(content)
        return archive.origin.store.accept(arrival)
    finally:
        arrival.discard()


@pytest.fixture(scope="module")
def maker() -> Iterator[Maker]:
    with Workers() as workers:
        yield Maker(workers=workers)


@needs_data
@pytest.mark.parametrize("name", FILES)
def test_kept_byte_for_byte_and_sent_as_explicit_little_endian_GEN_09_STOW_20(archive, maker, name: str) -> None:
    content = (DATA / name).read_bytes()
    outcome = store(archive, content)
    assert isinstance(outcome, Stored)
    assert outcome.warning is None
    kept = content if archive.index.find_row(outcome.target).original_digest == "" else bytes(PREAMBLE) + content[128:]
    with archive.origin.retrieve.retrieve(outcome.target) as found:
        instance = next(found)
        assert b"".join(instance.file()) == kept
        assert (instance.facts.transfer_syntax, instance.facts.digest) == (
            FILES[name],
            hashlib.sha256(kept).hexdigest(),
        )
        made = transcoding.make_file(maker, instance, syntaxes.EXPLICIT_LITTLE)
        sent = pydicom.dcmread(io.BytesIO(b"".join(made.chunks)))
    assert sent.file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    was = pydicom.dcmread(DATA / name)
    for element in was:
        if element.tag not in {0x7FE00010, 0x00080000} and element.tag.element != 0 and not element.tag.is_private:
            assert sent[element.tag].value == element.value, element.tag
    if "PixelData" in was:
        assert (sent.pixel_array == was.pixel_array).all()


@needs_data
def test_a_syntax_that_nobody_knows_fails_with_C122_STOW_20(archive) -> None:
    content = (DATA / "syntaxes/pydicom/MR_small_implicit.dcm").read_bytes()
    known, unknown = b"1.2.840.10008.1.2\0", b"1.2.840.99999.1.2\0"
    assert content.count(known) == 1
    refused = store(archive, content.replace(known, unknown))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.SYNTAX_NOT_SUPPORTED
    assert int(refused.reason) == 0xC122
    assert archive.counts().instances == 0


def test_an_unknown_syntax_of_a_made_file_fails_with_C122(archive) -> None:
    content = instances.make()
    refused = store(archive, content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.0\0"))
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.SYNTAX_NOT_SUPPORTED
