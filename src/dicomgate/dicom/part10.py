"""The beginning of a file: preamble, file meta information, and how the data set after it is encoded (PS3.10 §7.1).

Files without preamble, without group length or with a wrong one, and without any file meta information are real life
(T2): they are read where they can mean one thing only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import forms, syntaxes, values
from dicomgate.dicom.forms import Encoding
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import Source, Truncated

PREAMBLE = 128
MAGIC = b"DICM"
TRANSFER_SYNTAX = "00020010"
_GROUP = b"\x02\x00"
_GROUP_LENGTH = "00020000"
_WINDOW = 64 << 10
_UNKNOWN_SYNTAX = ""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What comes before the data set, and how to read that.

    `transfer_syntax` is what the file says, unless the data set is visibly encoded in another way; then what it is.
    """

    meta: JSONDataset
    transfer_syntax: str
    encoding: Encoding
    is_deflated: bool
    dataset_offset: int


def read_beginning(source: Source) -> Beginning:
    """Read up to the data set. Malformed when there is neither file meta information nor a data set."""
    head = source.read_at(0, _WINDOW)
    start = _meta_offset(head)
    meta, offset = _read_meta(head, start, source.size)
    first = head[offset : offset + 12] if offset + 12 <= len(head) else source.read_at(offset, 12)
    said = meta.get(TRANSFER_SYNTAX, {}).get("Value", [_UNKNOWN_SYNTAX])[0]
    syntax = syntaxes.find(said)
    if syntax is not None and syntax.is_deflated:
        return Beginning(meta, said, forms.EXPLICIT_LITTLE, is_deflated=True, dataset_offset=offset)
    encoding = _encoding(syntax, first, source.size - offset)
    return Beginning(meta, _actual(said, syntax, encoding), encoding, is_deflated=False, dataset_offset=offset)


def _meta_offset(head: bytes) -> int:
    """Where file meta information begins, or the data set where there is none."""
    if head[PREAMBLE : PREAMBLE + 4] == MAGIC:
        return PREAMBLE + 4
    return 4 if head[:4] == MAGIC else 0


def _read_meta(head: bytes, start: int, size: int) -> tuple[JSONDataset, int]:
    """The elements of group 0002 and where they end, which is where another group begins.

    Group length decides only where the data set is deflated, for then what follows is no tag.
    """
    meta: JSONDataset = {}
    at = start
    promised = None
    decode = values.decoders(None, is_lenient=True)
    while head[at : at + 2] == _GROUP and (at != promised or not _is_deflated(meta)):
        tag, vr, value, length = _element(head, at, size)
        raw = head[value : value + length]
        if tag == _GROUP_LENGTH:
            promised = value + length + int.from_bytes(raw[:4], "little")
        elif tag not in meta:
            meta[tag] = decode[vr](raw) if raw else {"vr": vr}
        at = value + length
    return dict(sorted(meta.items())), at


def _is_deflated(meta: JSONDataset) -> bool:
    said = meta.get(TRANSFER_SYNTAX, {}).get("Value", [_UNKNOWN_SYNTAX])[0]
    syntax = syntaxes.find(said)
    return syntax is not None and syntax.is_deflated


def _element(head: bytes, at: int, size: int) -> tuple[str, str, int, int]:
    """Tag, VR, where the value lies and its length. File meta information is explicit, but some wrote it implicit."""
    padded = head[at : at + 12].ljust(12, b"\0")
    form = forms.EXPLICIT_LITTLE.form(padded, 0, size - at)
    if form is None:
        raise errors.Malformed(f"byte {at}: no element of file meta information can be read here")
    tag, vr, kind = form
    where = kind & forms.HEAD
    length = (
        struct.unpack_from("<H", padded, 6)[0]
        if where == forms.SHORT
        else struct.unpack_from("<I", padded, 8 if where == forms.LONG else 4)[0]
    )
    value = at + forms.HEAD_SIZE[where]
    if value + length > size:
        raise Truncated(f"byte {at}: {length} bytes of file meta information where {max(size - value, 0)} are left")
    if value + length > len(head) or vr == "SQ":
        raise errors.TooLarge(f"byte {at}: file meta information goes on beyond {_WINDOW} bytes")
    return tag, vr, value, length


def _encoding(syntax: syntaxes.Syntax | None, first: bytes, left: int) -> Encoding:
    """How the data set is encoded: as the transfer syntax says, unless its first element shows otherwise."""
    if syntax is None:
        return forms.guess(first, left)
    if syntax.is_big_endian:
        return forms.EXPLICIT_LITTLE if forms.is_explicit(first, forms.EXPLICIT_LITTLE) else forms.EXPLICIT_BIG
    if forms.is_explicit(first, forms.EXPLICIT_LITTLE):
        return forms.EXPLICIT_LITTLE
    if syntax.is_implicit or forms.is_implicit(first, left):
        return forms.IMPLICIT_LITTLE
    return forms.EXPLICIT_LITTLE


_PLAIN = {
    forms.IMPLICIT_LITTLE.name: syntaxes.IMPLICIT_LITTLE,
    forms.EXPLICIT_LITTLE.name: syntaxes.EXPLICIT_LITTLE,
    forms.EXPLICIT_BIG.name: syntaxes.EXPLICIT_BIG,
}


def _actual(said: str, syntax: syntaxes.Syntax | None, encoding: Encoding) -> str:
    """The transfer syntax that the data set has. One that compresses pixels, or is not known, is believed."""
    if not said or (syntax is not None and not syntax.is_encapsulated):
        return _PLAIN[encoding.name]
    return said
