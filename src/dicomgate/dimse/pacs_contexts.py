"""Which presentation contexts we propose to a PACS: those of questions, and those in which instances come (PRX-07).

A peer chooses one transfer syntax of each context, before it knows what will be sent in it. So every transfer syntax is
proposed in a context of its own: an instance can then come as it is stored, and nobody rewrites it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate.dicom import sop_classes, syntaxes
from dicomgate.dicom.syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dicomgate.dimse.contexts import MESSAGE_SYNTAXES, MOST, VERIFICATION, Offer, Root

FIND: Final = Root.STUDY.find
MOVE: Final = Root.STUDY.move
GET: Final = Root.STUDY.get
"""Of the study root information model (PS3.4 §C.6.2)."""

_ECHO: Final = Offer(VERIFICATION, (IMPLICIT_LITTLE,))
NATIVE: Final = tuple(
    dict.fromkeys(
        (
            EXPLICIT_LITTLE,
            *(uid for uid, one in syntaxes.TABLE.items() if not (one.is_encapsulated or one.is_deflated)),
        )
    )
)
"""Explicit VR first: some (DCMTK) send what is not compressed in the first context of its class."""
OTHERS: Final = tuple(uid for uid in syntaxes.TABLE if uid not in NATIVE)
LEAST_SYNTAXES: Final = 11
"""Compressed syntaxes that each class is proposed in at least, the common ones first."""
_COMMON: Final = tuple(
    f"1.2.840.10008.1.2.{suffix}"
    for suffix in [
        "4.70",
        "4.50",
        "4.90",
        "4.91",
        "4.80",
        "4.57",
        "4.51",
        "5",
        "4.81",
        "4.201",
        "4.202",
        "4.203",
        "1.99",
        "4.102",
        "4.103",
    ]
)
_RANKED: Final = tuple(dict.fromkeys((*(uid for uid in _COMMON if uid in OTHERS), *OTHERS)))

_PICTURES: Final = ("Image", "Segmentation", "Video")
USUAL: Final = tuple(
    f"1.2.840.10008.5.1.4.1.1.{suffix}" for suffix in ("2", "4", "1", "1.1", "6.1", "3.1", "7", "12.1", "128")
)
"""What is proposed where a PACS does not tell the classes of its instances: CT, MR, CR, DX, US, SC, XA, PET."""

QUESTIONS: Final = (Offer(FIND, MESSAGE_SYNTAXES), _ECHO)
MOVING: Final = (Offer(MOVE, MESSAGE_SYNTAXES), _ECHO)
GETTING: Final = (Offer(GET, MESSAGE_SYNTAXES), _ECHO)
"""To see whether C-GET is offered at all."""
ECHOING: Final = (_ECHO,)


def fetching(classes: Iterable[str]) -> Iterator[tuple[tuple[str, ...], tuple[Offer, ...]]]:
    """For a C-GET of instances of these classes: which of them go on one association, and its contexts.

    More classes than fit with the common transfer syntaxes are spread over several associations.
    """
    known, most = sorted(set(classes)), (MOST - 2) // (len(NATIVE) + LEAST_SYNTAXES)
    for start in range(0, len(known), most):
        group = tuple(known[start : start + most])
        room = (MOST - 2) // len(group) - len(NATIVE)
        storing = (
            Offer(sop_class, (offered,), is_received=True)
            for sop_class in group
            for offered in (*NATIVE, *_RANKED[:room])
        )
        yield group, (*GETTING, *storing)


def guesses() -> Iterator[tuple[tuple[str, ...], tuple[Offer, ...]]]:
    """The same for instances whose classes the PACS does not tell: one after the other, the likely ones first.

    The usual classes in every transfer syntax, all others as they mostly are, then pictures compressed.
    """
    yield from fetching(USUAL)
    others = [uid for uid in sop_classes.STORED if uid not in USUAL]
    for start in range(0, len(others), MOST - 2):
        group = tuple(others[start : start + MOST - 2])
        yield group, (*GETTING, *(Offer(sop_class, NATIVE, is_received=True) for sop_class in group))
    yield from fetching(uid for uid in others if any(word in sop_classes.STORED[uid] for word in _PICTURES))


def storing(sop_class: str, transfer_syntax: str) -> tuple[Offer, ...]:
    """For the C-STORE of an instance as it is, and in Explicit VR Little Endian.

    What is compressed does not go so, but then it is seen whether the class is taken at all: some (DCMTK) say of a
    context without a transfer syntax that they take that they do not know the class.
    """
    others = () if transfer_syntax == EXPLICIT_LITTLE else (Offer(sop_class, (EXPLICIT_LITTLE,)),)
    return (Offer(sop_class, (transfer_syntax,)), *others, _ECHO)


def can_be_rewritten(transfer_syntax: str) -> bool:
    """Whether a data set can be had in Explicit VR Little Endian without touching its pixels."""
    return not syntaxes.TABLE[transfer_syntax].is_encapsulated
