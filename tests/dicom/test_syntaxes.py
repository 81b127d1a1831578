"""The table of transfer syntaxes, against pydicom's dictionary of UIDs."""

from __future__ import annotations

import zlib

import pytest
from pydicom import uid
from pydicom._uid_dict import UID_dictionary

from dicomgate.dicom import header, syntaxes
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances

NO_FILES = {
    "1.2.840.10008.1.2.6.1",  # mail
    "1.2.840.10008.1.2.6.2",  # XML
    "1.2.840.10008.1.2.7.1",  # streams over a network
    "1.2.840.10008.1.2.7.2",
    "1.2.840.10008.1.2.7.3",
    "1.2.840.10008.1.20",  # Papyrus
}


def test_every_syntax_of_files_is_known_STOW_20() -> None:
    """Also the retired ones: files in them exist, and what is not known is refused."""
    listed = {value for value, facts in UID_dictionary.items() if facts[1] == "Transfer Syntax"}
    assert listed - NO_FILES <= set(syntaxes.TABLE)


@pytest.mark.parametrize("syntax", syntaxes.TABLE.values(), ids=lambda syntax: syntax.uid)
def test_facts_are_those_of_pydicom(syntax: syntaxes.Syntax) -> None:
    known = uid.UID(syntax.uid)
    if not known.is_transfer_syntax:
        pytest.skip("newer than pydicom")
    assert syntax.is_implicit == known.is_implicit_VR
    assert syntax.is_big_endian != known.is_little_endian
    assert syntax.is_deflated == (known.is_deflated or known.name.endswith("Deflate"))
    assert syntax.is_encapsulated == known.is_encapsulated
    assert syntax.is_video == ("MPEG" in known.name or "HEVC" in known.name)


def test_deflated_reference_is_inflated() -> None:
    """JPIP Referenced Deflate: the data set is deflated like that of the plain deflated syntax (PS3.5 A.7)."""
    target = instances.new_target()
    plain = instances.make(target)
    start = header.read(BytesSource(plain)).dataset_offset
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    meta = plain[:start].replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x16\x001.2.840.10008.1.2.4.95")
    length = int.from_bytes(meta[140:144], "little") + 2
    meta = meta[:140] + length.to_bytes(4, "little") + meta[144:]
    pixels = plain.rindex(bytes.fromhex("e07f1000"))
    content = meta + packer.compress(plain[start:pixels]) + packer.flush()
    seen = header.read(BytesSource(content))
    assert (seen.transfer_syntax, seen.target) == ("1.2.840.10008.1.2.4.95", target)
