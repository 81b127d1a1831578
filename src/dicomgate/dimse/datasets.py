"""Data sets that are spoken (identifiers, actions, events) <-> the DICOM JSON model (PS3.7 §6.3.1, PS3.5 §7).

What is read passes the same bounded scanner as stored instances; what is written fits what the peer can read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dicomgate import errors
from dicomgate.dicom import charsets, encode, forms, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.scanner import Scanner
from dicomgate.dicom.source import BytesSource

CHARSET: Final = "00080005"
LONGEST: Final = 16 << 20
"""Bytes of a data set that is spoken: a list of 200,000 UIDs."""

_LIMITS: Final = Limits(elements=300_000, items=100_000, seconds=5.0, text=LONGEST)
_ENCODINGS: Final = {
    syntaxes.IMPLICIT_LITTLE: forms.IMPLICIT_LITTLE,
    syntaxes.EXPLICIT_LITTLE: forms.EXPLICIT_LITTLE,
    syntaxes.EXPLICIT_BIG: forms.EXPLICIT_BIG,
}


def read_dataset(raw: bytes, transfer_syntax: str) -> JSONDataset:
    """A data set that was spoken: an identifier, an action's or event's information; text is characters by now.

    Malformed or TooLarge when it is none, or is in no transfer syntax that is spoken in.
    """
    encoding = _ENCODINGS.get(transfer_syntax)
    if encoding is None:
        raise errors.Malformed(f"a message in {syntaxes.name(transfer_syntax)}; expected one without compression")
    if len(raw) > LONGEST:
        raise errors.TooLarge(f"a data set of {len(raw)} bytes, at most {LONGEST} are read")
    scanner = Scanner(BytesSource(raw), range(len(raw)), encoding, _LIMITS)
    dataset = scanner.read()
    if scanner.stated_charset is not None:
        terms = scanner.stated_charset.decode("latin-1").strip(" \0").split("\\")
        dataset[CHARSET] = {"vr": "CS", "Value": terms}
    return dataset


def write_dataset(dataset: JSONDataset, transfer_syntax: str, *, charset: str = "") -> bytes:
    """The data set in Implicit or Explicit VR Little Endian, for a peer who knows `charset`, one defined term.

    Text that the default repertoire does not have is written in that character set, else in UTF-8. Malformed for a
    value that its VR cannot hold.
    """
    plain = _without_charset(dataset)
    for term, codec in _codecs(plain, charset):
        try:
            return _written(plain, transfer_syntax, term, codec)
        except errors.Malformed:
            if term == encode.UNICODE or codec == "ascii":
                raise
    raise AssertionError("UTF-8 has every character")


def _codecs(dataset: JSONDataset, charset: str) -> Iterator[tuple[str, str]]:
    if encode.is_ascii(dataset):
        yield "", "ascii"
        return
    codec = charsets.find_codec(charset)
    if codec not in (None, "ascii", "utf_8") and "2022" not in charset:
        yield charset.strip(" "), str(codec)
    yield encode.UNICODE, "utf_8"


def _written(dataset: JSONDataset, transfer_syntax: str, term: str, codec: str) -> bytes:
    is_implicit = transfer_syntax == syntaxes.IMPLICIT_LITTLE
    if not term:
        return b"".join(encode.write_elements(dataset, codec="ascii", is_implicit=is_implicit))
    said = {CHARSET: {"vr": "CS", "Value": [term]}}
    before = {tag: element for tag, element in dataset.items() if tag < CHARSET}
    after = {tag: element for tag, element in dataset.items() if tag > CHARSET}
    parts = ((before, codec), (said, "ascii"), (after, codec))
    return b"".join(
        piece for part, each in parts for piece in encode.write_elements(part, codec=each, is_implicit=is_implicit)
    )


def _without_charset(dataset: JSONDataset) -> JSONDataset:
    plain: JSONDataset = {}
    for tag, element in dataset.items():
        if tag != CHARSET:
            plain[tag] = element
            if element.get("vr") == "SQ" and element.get("Value"):
                plain[tag] = {"vr": "SQ", "Value": [_without_charset(item or {}) for item in element["Value"]]}
    return plain
