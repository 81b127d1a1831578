"""Encapsulated documents: which media type goes with which SOP Class, what follows from one (PS3.3 §A.45, §A.85)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import Source

DOCUMENT = "00420011"
MIME_TYPE = "00420012"
LENGTH = "00420015"
LONGEST = (1 << 32) - 2
"""Bytes that one value holds."""
_CLASS = "1.2.840.10008.5.1.4.1.1.104."
_HEAD = 1024
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
"""Byte order marks that may stand before XML."""
_BLANK = b" \t\r\n\0"
_OBJ_WORDS = frozenset(
    b"v vt vn vp deg bmat step cstype p l f fo curv curv2 surf parm trim hole scrv sp end con g s mg o bevel c_interp "
    b"d_interp lod maplib usemap usemtl mtllib shadow_obj trace_obj ctech stech call csh".split()
)
_MTL_WORDS = frozenset(b"newmtl".split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of document. `media_type` is spelled as the attribute has it; `aliases` are other names for it.

    `modality`: the only one its IOD allows, None where it allows several.
    """

    name: str
    media_type: str
    sop_class: str
    begins: Callable[[Source], bool]
    aliases: tuple[str, ...] = ()
    modality: str | None = None


def _is_pdf(source: Source) -> bool:
    return b"%PDF-" in source.read_at(0, _HEAD)  # readers look for it that far


def _is_xml(source: Source) -> bool:
    head = source.read_at(0, _HEAD)
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    return head[len(mark) :].lstrip(_BLANK).startswith(b"<")


def _is_binary_stl(source: Source) -> bool:
    """Eighty bytes, a count, fifty bytes for each triangle (§A.85.1.4.1: the other form of STL is not allowed)."""
    count = int.from_bytes(source.read_at(80, 4), "little")
    return source.size == 84 + 50 * count and count > 0


def _has_word(source: Source, words: frozenset[bytes]) -> bool:
    """Whether the first line that is not blank or a comment begins with one of the words of its grammar."""
    head = source.read_at(0, 64 * _HEAD)
    if b"\0" in head:
        return False
    lines = (line.split(None, 1) for line in head.splitlines())
    return next((line[0] in words for line in lines if line and not line[0].startswith(b"#")), False)


KINDS: tuple[Kind, ...] = (
    Kind(
        name="Encapsulated PDF",
        media_type="application/pdf",
        sop_class=_CLASS + "1",
        begins=_is_pdf,
        aliases=("application/x-pdf",),
    ),
    Kind(
        name="Encapsulated CDA",
        media_type="text/XML",
        sop_class=_CLASS + "2",
        begins=_is_xml,
        aliases=("application/xml", "application/hl7-v3+xml", "application/cda+xml", "application/hl7-cda+xml"),
    ),
    Kind(
        name="Encapsulated STL",
        media_type="model/stl",
        sop_class=_CLASS + "3",
        begins=_is_binary_stl,
        aliases=("model/x.stl-binary", "application/sla", "application/vnd.ms-pki.stl"),
        modality="M3D",
    ),
    Kind(
        name="Encapsulated OBJ",
        media_type="model/obj",
        sop_class=_CLASS + "4",
        begins=lambda source: _has_word(source, _OBJ_WORDS),
        modality="M3D",
    ),
    Kind(
        name="Encapsulated MTL",
        media_type="model/mtl",
        sop_class=_CLASS + "5",
        begins=lambda source: _has_word(source, _MTL_WORDS),
        modality="M3D",
    ),
)

_BY_TYPE = {name.lower(): kind for kind in KINDS for name in (kind.media_type, *kind.aliases)}
_BY_CLASS = {kind.sop_class: kind for kind in KINDS}


def find(media_type: str) -> Kind | None:
    """The kind of document that has this media type, in whatever case."""
    return _BY_TYPE.get(media_type.lower())


def find_by_class(sop_class: str) -> Kind | None:
    """The kind of document that a SOP Class holds."""
    return _BY_CLASS.get(sop_class)


def check(source: Source, kind: Kind) -> None:
    """Malformed when the bytes do not begin as such a document does, TooLarge when they are more than a value holds."""
    if source.size > LONGEST:
        raise errors.TooLarge(f"a document of {source.size} bytes, one value holds {LONGEST}")
    if not kind.begins(source):
        raise errors.Malformed(f"expected a document of {kind.media_type}, saw {source.size} bytes of something else")


def derive(kind: Kind, size: int) -> JSONDataset:
    """The attributes that the bytes determine: what they are, and how long without a pad (PS3.3 §C.24.2)."""
    return {
        MIME_TYPE: {"vr": "LO", "Value": [kind.media_type]},
        LENGTH: {"vr": "UL", "Value": [size]},
    }


def contradictions(attributes: JSONDataset, kind: Kind, size: int) -> tuple[str, ...]:
    """The tags whose given values cannot be those of this document; Modality counts where its IOD allows but one."""
    given = {tag: element["Value"][0] for tag, element in attributes.items() if element.get("Value")}
    wrong = []
    if given.get("00080016", kind.sop_class) != kind.sop_class:
        wrong.append("00080016")
    if kind.modality and given.get("00080060", kind.modality) != kind.modality:
        wrong.append("00080060")
    if (said := given.get(MIME_TYPE)) is not None and find(str(said)) is not kind:
        wrong.append(MIME_TYPE)
    if given.get(LENGTH, size) != size:
        wrong.append(LENGTH)
    return tuple(wrong)
