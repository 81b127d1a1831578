"""Which SOP classes can be stored: PS3.6 Annex A names every class of the standard, PS3.4 B.5 those of storage."""

from __future__ import annotations

from typing import Final

from dicomgate.dicom import dictionary

_SERVICES: Final = ("Storage Commitment", "Media Storage Directory", "Storage Service Class", "Storage Management")


def _is_of_another_service(name: str, kind: str) -> bool:
    if kind != "SOP Class":
        return True
    return bool(name) and ("Storage" not in name or name.startswith(_SERVICES))


_OF_OTHER_SERVICES: Final = frozenset(
    uid for uid, (name, kind, *_) in dictionary.UIDS.items() if _is_of_another_service(name, kind)
)


STORED: Final = {
    uid: name
    for uid, (name, kind, *_) in dictionary.UIDS.items()
    if kind == "SOP Class" and "Storage" in name and uid not in _OF_OTHER_SERVICES
}
"""The classes of instances that the standard names, and how."""


def is_storable(sop_class: str) -> bool:
    """True unless the standard gives this UID another meaning than a class of instances that are stored.

    Private classes and those of later editions are storable.
    """
    return sop_class not in _OF_OTHER_SERVICES
