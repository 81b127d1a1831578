"""Which study, series or instance is meant (PS3.18 §10.1): by its UIDs, or by a data set that has them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Union, cast

from dicomgate import errors
from dicomgate.client import threads
from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level, Target, parse_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Which = Union[Target, JSONDataset, "Dataset", str]
"""A study, series or instance: its UIDs, a data set that has them, or the UID of a study."""
TAGS: Final = ("0020000D", "0020000E", "00080018")
_KEYWORDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def find_target(dataset: Mapping[str, Any], level: Level) -> Target | None:
    """What an answer is about at a level; None when it lacks a UID."""
    uids = [str((dataset.get(tag, {}).get("Value") or [""])[0]) for tag in TAGS[: int(level)]]
    return Target(*uids) if all(uids) else None


def target_of(which: Which) -> Target:
    """The study, series or instance that is meant. Malformed when its UIDs are missing or are none."""
    if isinstance(which, Target):
        return which
    if isinstance(which, str):
        return Target(parse_uid(which, what="the UID of a study"))
    uids = _uids(which)
    depth = uids.index("") if "" in uids else len(uids)
    if not depth or any(uids[depth:]):
        raise errors.Malformed("expected a data set with the UID of a study and of what is below it")
    return Target(*(parse_uid(uid) for uid in uids[:depth]))


def several(which: Which | Iterable[Which]) -> list[Target]:
    """What is meant by one or by several. Malformed as `target_of` says."""
    if isinstance(which, Target | str | dict) or hasattr(which, "StudyInstanceUID"):
        return [target_of(cast("Which", which))]
    return [target_of(one) for one in which]


async def several_async(which: Which | Iterable[Which] | AsyncIterable[Which]) -> list[Target]:
    """The same on an event loop, which does not wait where taking them does."""
    if isinstance(which, AsyncIterable):
        return [target_of(one) async for one in cast("AsyncIterable[Which]", which)]
    return await threads.in_own_thread(several, which)


def _uids(which: Any) -> list[str]:
    if isinstance(which, Mapping):
        return [next(iter(elements.texts(which.get(tag, {}))), "") for tag in TAGS]
    return [str(getattr(which, keyword, "")) for keyword in _KEYWORDS]


def at_least(which: Which, level: Level) -> Target:
    """The same where it points at this level or deeper, else Malformed."""
    target = target_of(which)
    if target.level < level:
        article = "an" if level is Level.INSTANCE else "a"
        raise errors.Malformed(f"expected {article} {level.name.lower()}, saw a {target.level.name.lower()}")
    return target
