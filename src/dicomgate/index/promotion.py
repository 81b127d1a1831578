"""Which attributes can be promoted, that is searched as quickly as those built in, and as what (PS3.5 §6.2)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.datadict import private_dictionary_VR

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.prepared import RETRIEVE_URL
from dicomgate.dicom.uids import Level
from dicomgate.index import columns
from dicomgate.index.columns import Column, Kind

_KINDS: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(["AE", "AS", "AT", "CS", "LO", "LT", "SH", "ST", "UC", "UI", "UR", "UT"], (Kind.TEXT,)),
    **dict.fromkeys(["DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"], (Kind.DECIMAL,)),
    "PN": (Kind.NAME, Kind.WORDS),
    "DA": (Kind.DATE,),
    "TM": (Kind.TIME,),
}
_COMPUTED = frozenset(
    {
        RETRIEVE_URL,
        columns.AVAILABILITY,
        columns.TRANSFER_SYNTAX,
        columns.STUDY_SERIES,
        columns.STUDY_INSTANCES,
        columns.SERIES_INSTANCES,
    }
)


def new_columns(path: AttributePath, creator: str, first: int) -> Iterator[Column]:
    """The columns of a promoted attribute, numbered from `first`. Malformed where it cannot be promoted."""
    has_private = any(map(attributes.is_private, path))
    if has_private and not creator:
        raise errors.Malformed("a private attribute needs its creator: --creator NAME")
    if creator and not has_private:
        raise errors.Malformed(f"{attributes.format_path(path)} is not private: it has no creator")
    if path[0] in _COMPUTED:
        raise errors.Malformed(f"{attributes.format_path(path)} is no stored attribute: it is computed for each answer")
    bare = columns.without_blocks(path)
    for number, kind in enumerate(_kinds(path, creator), first):
        yield columns.registered(bare, level(path), kind, number, creator)


def level(path: AttributePath) -> Level:
    """The level at which the attribute's values are kept: that of the outermost attribute."""
    return attributes.level(path[0])


def _kinds(path: AttributePath, creator: str) -> tuple[Kind, ...]:
    vr = _vr(path[-1], creator)
    choice = vr.split(" or ")
    if not _KINDS.keys() >= set(choice):
        name = attributes.format_path(path)
        raise errors.Malformed(f"{name} has VR {vr}; what can be promoted has {', '.join(sorted(_KINDS))}")
    return _KINDS[choice[0]]


def _vr(tag: str, creator: str) -> str:
    if not attributes.is_private(tag):
        return attributes.choice(tag)
    try:
        return private_dictionary_VR(int(tag, 16), creator)
    except KeyError:
        return "LO"  # most are texts or numbers written as text
