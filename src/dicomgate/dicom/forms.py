"""How one element is encoded: what its first bytes say of tag, value representation and length (PS3.5 §7.1).

A form is found by the first bytes of an element, tag and VR where the VR is explicit, the tag alone where it is not,
so that the usual element costs one look into a table.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.dicom import attributes

Form = tuple[str, str, int]
"""Tag in hex, value representation, where the length stands (SHORT, LONG, IMPLICIT), with a special case or none."""

Unpack = Callable[[bytes, int], tuple[int]]
Peek = Callable[[bytes, int], tuple[bytes, int]]

SHORT, LONG, IMPLICIT = 0, 1, 2
HEAD = 3  # the bits of a form that say where the length stands
HEAD_SIZE = (8, 12, 8)
SEQUENCE = 1 << 2  # items follow
UNKNOWN_KIND = 2 << 2  # explicit UN: may hold what Implicit VR Little Endian would (PS3.5 §6.2.2 note 2)
CHARSET = 3 << 2  # Specific Character Set
PIXELS = 4 << 2  # always bulk data
DROPPED = 5 << 2  # group lengths, padding and stray file meta information are no part of the model (JSON-02)
AMBIGUOUS = 6 << 2  # US or SS or OW: other elements tell
ITEM_END = 7 << 2
SEQUENCE_END = 8 << 2
STRAY = 9 << 2  # an item where none can be

UNDEFINED = 0xFFFFFFFF
_SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
VRS = _SHORT_VRS | _LONG_VRS
LONG_VRS = frozenset(vr.decode() for vr in _LONG_VRS)

_SPECIAL = {
    "00080005": CHARSET,
    "7FE00008": PIXELS,
    "7FE00009": PIXELS,
    "7FE00010": PIXELS,
    "FFFCFFFC": DROPPED,
    "FFFEE000": STRAY,
    "FFFEE00D": ITEM_END,
    "FFFEE0DD": SEQUENCE_END,
}
SEVERAL = frozenset({"US or SS", "US or OW", "US or SS or OW"})
_OB_OR_OW = "OB or OW"  # in Implicit VR always OW (PS3.5 A.1)


@dataclass(slots=True, eq=False)
class Encoding:
    """One of the ways to encode elements, with the forms met so far."""

    name: str
    is_implicit: bool
    is_little: bool
    known: dict[bytes, Form] = field(init=False, default_factory=dict)
    tools: tuple[Peek, dict[bytes, Form], Unpack, bytes, bytes, bytes] = field(init=False)
    """What a loop wants at hand: the start of an element with its 16-bit (explicit) or 32-bit (implicit) length, the
    known forms, 32-bit numbers, and the tags of items and delimiters."""

    def __post_init__(self) -> None:
        if not self.is_implicit:
            for tag in ("FFFEE00D", "FFFEE0DD"):  # their first six bytes are tag and half a length, always zero
                self.known[self.tag_bytes(tag) + b"\0\0"] = implicit_form(tag)
        self.tools = (
            struct.Struct(self.order + ("4sI" if self.is_implicit else "6sH")).unpack_from,
            self.known,
            struct.Struct(self.order + "I").unpack_from,
            self.tag_bytes("FFFEE000"),
            self.tag_bytes("FFFEE00D"),
            self.tag_bytes("FFFEE0DD"),
        )

    @property
    def order(self) -> str:
        """The byte order as `struct` writes it."""
        return "<" if self.is_little else ">"

    def tag_bytes(self, tag: str) -> bytes:
        """The four bytes of a tag in hex."""
        return struct.pack(self.order + "HH", int(tag[:4], 16), int(tag[4:], 16))

    def tag_at(self, data: bytes, at: int) -> str:
        """The tag there, in hex."""
        return "{:04X}{:04X}".format(*struct.unpack_from(self.order + "HH", data, at))

    def form(self, data: bytes, at: int, left: int) -> Form | None:
        """The form of the element there, whose head and value may take `left` bytes; None when it cannot be one."""
        tag = self.tag_at(data, at)
        if self.is_implicit:
            return self._keep(data[at : at + 4], implicit_form(tag))
        if tag.startswith("FFFE"):
            return implicit_form(tag)
        vr = data[at + 4 : at + 6]
        if vr in VRS:
            return self._keep(data[at : at + 6], _explicit_form(tag, vr))
        return self._odd_form(tag, data, at, left)

    def _keep(self, head: bytes, form: Form) -> Form:
        """Remember a form: without bound only those of PS3.6, for whoever sends files chooses the others."""
        tag, vr, _ = form
        is_standard = attributes.find_keyword(tag) is not None and vr == attributes.vr(tag)
        if tag != _PADDING and (is_standard or len(self.known) < _MOST_KNOWN):
            self.known[head] = form
        return form

    def _odd_form(self, tag: str, data: bytes, at: int, left: int) -> Form | None:
        """An element of an explicit data set whose VR is none that is known: the one reading whose length fits.

        A VR of two letters may be one of a future edition, which has a long length (PS3.5 §7.1.2). Anything else is
        first taken for a single element in implicit form, as converters leave them behind.
        """
        vr = data[at + 4 : at + 6]
        number = struct.Struct(self.order + "I").unpack_from
        could_be_long = data[at + 6 : at + 8] == b"\0\0" and number(data, at + 8)[0] <= left - 12
        if vr.isalpha() and vr.isupper():
            if could_be_long:
                return _odd(tag, LONG)
        elif (length := number(data, at + 4)[0]) <= left - 8 or length == UNDEFINED:
            return implicit_form(tag)
        elif could_be_long and attributes.vr(tag) in LONG_VRS:
            return _odd(tag, LONG)
        (length,) = struct.unpack_from(self.order + "H", data, at + 6)
        return _odd(tag, SHORT) if length <= left - 8 else None


_MOST_KNOWN = 20_000
_PADDING = "00000000"
"""Never learnt: the reader asks each time whether only zeros follow."""


def _special(tag: str) -> int:
    if tag in _SPECIAL:
        return _SPECIAL[tag]
    return DROPPED if tag.endswith("0000") or tag.startswith(("0002", "FFFE")) else 0


def implicit_form(tag: str) -> Form:
    """The form of an element without VR: that of PS3.6, or UN (PS3.5 A.1)."""
    choice = attributes.choice(tag)
    special = _special(tag)
    if choice == "SQ":
        special = SEQUENCE
    elif choice in SEVERAL:
        special = AMBIGUOUS
    return (tag, "OW" if choice == _OB_OR_OW else choice[:2], IMPLICIT | special)


def _explicit_form(tag: str, vr: bytes) -> Form:
    head = LONG if vr in _LONG_VRS else SHORT
    special = _special(tag)
    if vr == b"SQ":
        special = special if special == DROPPED else SEQUENCE
    elif vr == b"UN" and not special:
        known = implicit_form(tag)
        return (tag, known[1], head | UNKNOWN_KIND)
    return (tag, vr.decode(), head | special)


def _odd(tag: str, head: int) -> Form:
    known = implicit_form(tag)
    is_plain = known[2] & ~HEAD in {0, AMBIGUOUS, CHARSET, PIXELS, DROPPED}
    return (tag, known[1], head | (known[2] & ~HEAD)) if is_plain else (tag, "UN", head)


def choose(choice: str, *, length: int, is_signed: bool) -> str:
    """One VR of several (PS3.5 A.1): signed as the pixels are; a table of more than one entry is OW."""
    if choice.endswith("OW") and length != 2:
        return "OW"
    return "SS" if is_signed and "SS" in choice else "US"


IMPLICIT_LITTLE = Encoding("Implicit VR Little Endian", is_implicit=True, is_little=True)
EXPLICIT_LITTLE = Encoding("Explicit VR Little Endian", is_implicit=False, is_little=True)
EXPLICIT_BIG = Encoding("Explicit VR Big Endian", is_implicit=False, is_little=False)


def guess(head: bytes, left: int) -> Encoding:
    """The encoding of a data set from its first bytes, of `left`; Malformed when they are none."""
    for encoding in (EXPLICIT_LITTLE, EXPLICIT_BIG):
        if is_explicit(head, encoding):
            return encoding
    if is_implicit(head, left):
        return IMPLICIT_LITTLE
    raise errors.Malformed("neither file meta information nor a data set was found")


def is_explicit(head: bytes, encoding: Encoding) -> bool:
    """True when the first element has a VR that PS3.6 gives it, or UN."""
    if len(head) < 8:
        return False
    tag = encoding.tag_at(head, 0)
    vr = head[4:6].decode("latin-1")
    return _can_begin(tag) and (vr in attributes.choice(tag).split(" or ") or head[4:8] == b"UN\0\0")


def is_implicit(head: bytes, left: int) -> bool:
    """True when the first element is one of PS3.6 whose length, read as 32 bits, fits, and has no letters for a VR."""
    if len(head) < 8 or head[4:6] in VRS:
        return False
    (length,) = struct.unpack_from("<I", head, 4)
    return _can_begin(IMPLICIT_LITTLE.tag_at(head, 0)) and length <= left - 8


def _can_begin(tag: str) -> bool:
    """True for what a data set can begin with: an attribute, or a group length, of a low group."""
    return "0003" < tag[:4] <= "0040" and attributes.choice(tag) != attributes.UNKNOWN
