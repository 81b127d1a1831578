"""Whether a file begins as PS3.10 §7.1 says, so that any reader can begin there (T2)."""

from __future__ import annotations

import pytest

from dicomgate.dicom import header, syntaxes
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances

WHOLE = instances.make()
DATASET = header.read(BytesSource(WHOLE)).dataset_offset


@pytest.mark.parametrize("syntax", [uid for uid, one in syntaxes.TABLE.items() if not one.is_encapsulated])
def test_what_a_careful_writer_wrote_is_sound(syntax: str) -> None:
    assert header.read(BytesSource(instances.make(syntax=syntax))).is_sound


def lengthened(by: int) -> bytes:
    length = int.from_bytes(WHOLE[140:144], "little") + by
    return WHOLE[:140] + length.to_bytes(4, "little") + WHOLE[144:]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(WHOLE[128:], id="no preamble"),
        pytest.param(WHOLE[132:], id="no letters"),
        pytest.param(WHOLE[DATASET:], id="no header"),
        pytest.param(WHOLE[:132] + WHOLE[144:], id="no group length"),
        pytest.param(lengthened(2), id="group length too long"),
        pytest.param(lengthened(-2), id="group length too short"),
        pytest.param(
            WHOLE.replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x14\x001.2.840.10008.1.2\0\0\0"),
            id="says implicit, is explicit",
        ),
    ],
)
def test_what_others_must_guess_is_not_sound(content: bytes) -> None:
    seen = header.read(BytesSource(content))
    assert not seen.is_sound
    assert seen.transfer_syntax == syntaxes.EXPLICIT_LITTLE
