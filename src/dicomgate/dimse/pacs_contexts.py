"""Which presentation contexts we propose to a PACS: those of questions, and those in which instances come (PRX-07).

A peer chooses one transfer syntax of each context, before it knows what will be sent in it. So every compressed syntax
is proposed in a context of its own: an instance can then come as it is stored, and nobody transcodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate.dicom import syntaxes
from dicomgate.dimse.associations import EXPLICIT, IMPLICIT, VERIFICATION
from dicomgate.dimse.pdus import MOST_CONTEXTS, Context

FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
"""Of the study root information model (PS3.4 §C.6.2)."""

_MESSAGES: Final = (EXPLICIT, IMPLICIT)
_ECHO: Final = Context(VERIFICATION, (IMPLICIT,))
NATIVE: Final = tuple(uid for uid, one in syntaxes.TABLE.items() if not (one.is_encapsulated or one.is_deflated))
OTHERS: Final = tuple(uid for uid in syntaxes.TABLE if uid not in NATIVE)
LEAST_SYNTAXES: Final = 12
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

QUESTIONS: Final = (Context(FIND, _MESSAGES), _ECHO)
MOVING: Final = (Context(MOVE, _MESSAGES), _ECHO)
GETTING: Final = (Context(GET, _MESSAGES), _ECHO)
"""To see whether C-GET is offered at all."""
ECHOING: Final = (_ECHO,)


def fetching(classes: Iterable[str]) -> Iterator[tuple[tuple[str, ...], tuple[Context, ...]]]:
    """For a C-GET of instances of these classes: which of them go on one association, and its contexts.

    More classes than fit with the common transfer syntaxes are spread over several associations.
    """
    known, most = sorted(set(classes)), (MOST_CONTEXTS - 2) // (LEAST_SYNTAXES + 1)
    for start in range(0, len(known), most):
        group = tuple(known[start : start + most])
        room = (MOST_CONTEXTS - 2) // len(group) - 1
        storing = (
            Context(sop_class, offered, is_received=True)
            for sop_class in group
            for offered in (NATIVE, *((uid,) for uid in _RANKED[:room]))
        )
        yield group, (*GETTING, *storing)


def storing(sop_class: str, transfer_syntax: str) -> tuple[Context, ...]:
    """For the C-STORE of an instance as it is; also in Explicit VR Little Endian where it can be written so."""
    offered = [Context(sop_class, (transfer_syntax,))]
    if transfer_syntax in NATIVE and transfer_syntax != EXPLICIT:
        offered.append(Context(sop_class, (EXPLICIT,)))
    return (*offered, _ECHO)
