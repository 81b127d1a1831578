"""Which pixels each transfer syntax can hold (PS3.5 §8.2); the page that says so says what the tables do."""

import re
from pathlib import Path

import pytest

from dicomgate import errors
from dicomgate.dicom import pixel_formats, syntaxes
from dicomgate.dicom.pixel_description import PixelDescription

PAGE = Path(__file__).parents[2] / "docs" / "media-types.md"
BASE = "1.2.840.10008.1.2."


def rows():
    table = PAGE.read_text().split("## What is decoded and encoded")[1].split("\n## ")[0]
    for uids, decoded, encoded in re.findall(r"^\| ([\d., ]+) \| (yes|no) \| (yes|no) \|", table, re.MULTILINE):
        for uid in uids.split(", "):
            yield uid, decoded == "yes", encoded == "yes"


def test_the_page_says_what_the_tables_do():
    told = {uid: (decoded, encoded) for uid, decoded, encoded in rows()}
    known = {uid: (syntax.can_decode, syntax.can_encode) for uid, syntax in syntaxes.TABLE.items() if syntax.can_decode}
    assert told == known


def described(bits=8, **given):
    allocated = 8 if bits <= 8 else 16
    values = {"transfer_syntax": syntaxes.EXPLICIT_LITTLE, "rows": 2, "columns": 2, "bits_allocated": allocated}
    return PixelDescription(**{**values, "bits_stored": bits, "high_bit": bits - 1, **given})


@pytest.mark.parametrize("uid", sorted(pixel_formats.TABLE))
def test_refusal_and_foresight_agree(uid):
    for bits in range(1, 17):
        for is_signed in (False, True):
            for kind in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "CMYK"):
                samples = {"RGB": 3, "YBR_FULL": 3, "CMYK": 4}.get(kind, 1)
                given = described(bits, is_signed=is_signed, photometric_interpretation=kind, samples_per_pixel=samples)
                if pixel_formats.can_hold(given, uid):
                    pixel_formats.require_hold(given, uid)
                else:
                    with pytest.raises(errors.NotAcceptable):
                        pixel_formats.require_hold(given, uid)


@pytest.mark.parametrize(
    ("bits", "given", "uid", "holds"),
    [
        (8, {}, "4.50", True),
        (7, {}, "4.50", False),
        (12, {}, "4.51", True),
        (12, {"samples_per_pixel": 3, "photometric_interpretation": "RGB"}, "4.51", False),
        (16, {"is_signed": True}, "4.70", True),
        (1, {}, "4.70", False),
        (8, {"photometric_interpretation": "PALETTE COLOR"}, "4.80", True),
        (8, {"photometric_interpretation": "PALETTE COLOR"}, "4.81", False),
        (8, {"samples_per_pixel": 3, "photometric_interpretation": "YBR_RCT"}, "4.110", True),
        (8, {"samples_per_pixel": 4, "photometric_interpretation": "ARGB"}, "5", True),
        (8, {"samples_per_pixel": 4, "photometric_interpretation": "ARGB", "bits_allocated": 32}, "5", False),
        (8, {"bits_allocated": 24}, "1", False),
    ],
)
def test_what_the_tables_of_the_standard_allow(bits, given, uid, holds):
    assert pixel_formats.can_hold(described(bits, **given), BASE + uid) is holds
