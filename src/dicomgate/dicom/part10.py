"""The beginning of a file: preamble, file meta information, and how the data set after it is encoded (PS3.10 §7.1).

Files without preamble, without group length or with a wrong one, and without any file meta information are real life
(T2): they are read where they can mean one thing only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import encode, forms, syntaxes, values
from dicomgate.dicom.forms import Encoding
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import Source, Truncated

IMPLEMENTATION_UID = "2.25.1937386016555815360700978324152824658"
IMPLEMENTATION_NAME = "DICOMGATE"

PREAMBLE = 128
MAGIC = b"DICM"
TRANSFER_SYNTAX = "00020010"
_GROUP = b"\x02\x00"
_GROUP_LENGTH = "00020000"
_LENGTH_ELEMENT = b"\x02\0\0\0UL\x04\0"
_WINDOW = 2 << 10  # nearly always enough
_LONGEST = 1 << 20
_MARGIN = 16
_STEP = 1 << 20
_DECODERS = values.decoders(is_lenient=True)
_PEEK, _KNOWN, _LONG = forms.EXPLICIT_LITTLE.tools[:3]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What comes before the data set, and how to read that.

    `transfer_syntax` is what the file says, unless the data set is visibly encoded in another way; then what it is.
    `is_sound`: preamble, letters and group length are there and right, and the transfer syntax is true, so that any
    reader can begin here.
    """

    meta: JSONDataset
    transfer_syntax: str
    encoding: Encoding
    is_deflated: bool
    dataset_offset: int
    is_sound: bool


def read_beginning(source: Source) -> Beginning:
    """Read up to the data set. Malformed when there is neither file meta information nor a data set."""
    head = source.read_at(0, _WINDOW)
    meta, offset = _read_meta(head, _meta_offset(head), source.size)
    if offset + 12 > len(head) and len(head) < source.size:
        head = source.read_at(0, _LONGEST)
        meta, offset = _read_meta(head, _meta_offset(head), source.size)
        if offset > len(head):
            raise errors.TooLarge(f"file meta information goes on beyond {_LONGEST} bytes")
    said = _said(meta)
    syntax = syntaxes.find(said)
    if syntax is not None and syntax.is_deflated:
        is_sound = _is_sound(head, offset)
        return Beginning(meta, said, forms.EXPLICIT_LITTLE, is_deflated=True, dataset_offset=offset, is_sound=is_sound)
    encoding = _encoding(syntax, head[offset : offset + 12], source.size - offset)
    actual = _actual(said, syntax, encoding)
    is_sound = said == actual and _is_sound(head, offset)
    return Beginning(meta, actual, encoding, is_deflated=False, dataset_offset=offset, is_sound=is_sound)


def has_same_data_set(one: Source, other: Source) -> bool:
    """True for two files of one transfer syntax whose data sets are the same bytes, whatever comes before them.

    File meta information tells who wrote the file, not what it holds. A deflated data set may end in a padding byte,
    which it has to have where it travels by DIMSE. Malformed and TooLarge as of `read_beginning`.
    """
    first, second = read_beginning(one), read_beginning(other)
    lengths = sorted((one.size - first.dataset_offset, other.size - second.dataset_offset))
    if first.transfer_syntax != second.transfer_syntax or lengths[1] - lengths[0] > first.is_deflated:
        return False
    for start in range(0, lengths[0], _STEP):
        length = min(_STEP, lengths[0] - start)
        if one.read_at(first.dataset_offset + start, length) != other.read_at(second.dataset_offset + start, length):
            return False
    longer = one if one.size - first.dataset_offset == lengths[1] else other
    return longer.read_at(longer.size - 1, lengths[1] - lengths[0]) in (b"", b"\0")


def _is_sound(head: bytes, offset: int) -> bool:
    start = PREAMBLE + len(MAGIC)
    length = start + len(_LENGTH_ELEMENT)
    is_there = head[PREAMBLE:length] == MAGIC + _LENGTH_ELEMENT
    return is_there and length + 4 + int.from_bytes(head[length : length + 4], "little") == offset


def _said(meta: JSONDataset) -> str:
    """The transfer syntax that file meta information names, or nothing."""
    value = meta.get(TRANSFER_SYNTAX, {}).get("Value", [""])[0]
    return value if isinstance(value, str) else ""


def _meta_offset(head: bytes) -> int:
    """Where file meta information begins, or the data set where there is none.

    The letters alone do not tell: in a file without preamble they may be part of a value.
    """
    after = PREAMBLE + len(MAGIC)
    if head[PREAMBLE:after] == MAGIC:
        is_value = head[after : after + 2] != _GROUP and forms.is_explicit(head[:12], forms.EXPLICIT_LITTLE)
        return 0 if is_value else after
    return len(MAGIC) if head.startswith(MAGIC) else 0


def _read_meta(head: bytes, start: int, size: int) -> tuple[JSONDataset, int]:
    """The elements of group 0002 and where they end, which is where another group begins.

    Group length decides only where the data set is deflated, for then what follows is no tag.
    """
    meta: JSONDataset = {}
    at = start
    promised = None
    data = head + bytes(_MARGIN)
    while data[at : at + 2] == _GROUP and (at != promised or not _is_deflated(meta)):
        tag, vr, value, length = _element(data, at, size)
        at = value + length
        if at > len(head):
            break
        raw = data[value:at]
        if tag == _GROUP_LENGTH:
            promised = at + int.from_bytes(raw[:4], "little")
        elif tag not in meta:
            meta[tag] = _DECODERS[vr](raw) if raw else {"vr": vr}
    return dict(sorted(meta.items())), at


def _is_deflated(meta: JSONDataset) -> bool:
    syntax = syntaxes.find(_said(meta))
    return syntax is not None and syntax.is_deflated


def _element(data: bytes, at: int, size: int) -> tuple[str, str, int, int]:
    """Tag, VR, where the value lies and its length. File meta information is explicit, but some wrote it implicit."""
    head, length = _PEEK(data, at)
    form = _KNOWN.get(head) or forms.EXPLICIT_LITTLE.form(data, at, size - at)
    if form is None or form[1] == "SQ":
        raise errors.Malformed(f"byte {at}: no element of file meta information can be read here")
    tag, vr, kind = form
    where = kind & forms.HEAD
    if where != forms.SHORT:
        (length,) = _LONG(data, at + 8 if where == forms.LONG else at + 4)
    value = at + forms.HEAD_SIZE[where]
    if length > size - value:
        raise Truncated(f"byte {at}: {length} bytes of file meta information where {max(size - value, 0)} are left")
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


def write_beginning(
    *, sop_class: str | None, instance: str | None, transfer_syntax: str, further: JSONDataset | None = None
) -> bytes:
    """Preamble and file meta information of our own, for it is we who wrote the file (PS3.10 §7.1).

    `further`: other elements of group 0002 to keep.
    """
    said = {"00020002": sop_class, "00020003": instance, "00020010": transfer_syntax, "00020012": IMPLEMENTATION_UID}
    elements: JSONDataset = {
        **(further or {}),
        "00020001": {"vr": "OB", "InlineBinary": "AAE="},
        **{tag: {"vr": "UI", "Value": [uid]} for tag, uid in said.items() if uid},
        "00020013": {"vr": "SH", "Value": [IMPLEMENTATION_NAME]},
    }
    group = b"".join(encode.write_element(tag, elements[tag], "ascii") for tag in sorted(elements))
    return bytes(128) + b"DICM" + encode.head("00020000", "UL", 4) + struct.pack("<I", len(group)) + group
