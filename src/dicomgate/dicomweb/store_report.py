"""What became of the offered instances: the Store Instances Response Module and its status (PS3.18 §10.5.3, I)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom import uids
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import MEANINGS, WARNINGS, Outcome, Reason, Refused, Stored
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import resources, warning

RETRIEVE_URL = "00081190"
FAILED_SOP_SEQUENCE = "00081198"
REFERENCED_SOP_SEQUENCE = "00081199"
OTHER_FAILURES_SEQUENCE = "0008119A"
_SOP_CLASS = "00081150"
_SOP_INSTANCE = "00081155"
_WARNING_REASON = "00081196"
_FAILURE_REASON = "00081197"
_ORIGINAL_ATTRIBUTES_SEQUENCE = "04000561"

_LONGEST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to a store: its data set (an object, AMB-12), its HTTP status, and a Warning header's value.

    `location` is the address of the study when all that was newly stored went into one (STOW-16).
    """

    dataset: JSONDataset
    status: int
    warning: str | None = None
    location: str | None = None


def report(outcomes: Sequence[Outcome], *, root: str, study: str | None = None, notes: Sequence[str] = ()) -> Report:
    """The report on every offered instance, in the order in which they came.

    `study` is that of the address; `notes` are said of the request as a whole, beside what is said of instances.
    """
    stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    failed = [outcome for outcome in refused if _is_identified(outcome)]
    others = [outcome for outcome in refused if not _is_identified(outcome)]
    link = _study_link(stored, root, study)
    dataset: JSONDataset = {RETRIEVE_URL: _element("UR", link)}
    for tag, items in (
        (FAILED_SOP_SEQUENCE, [_failed_item(outcome) for outcome in failed]),
        (REFERENCED_SOP_SEQUENCE, [_stored_item(outcome, root) for outcome in stored]),
        (OTHER_FAILURES_SEQUENCE, [_reason(outcome.reason) for outcome in others]),
    ):
        if items:  # only the sequences that have items (V17)
            dataset[tag] = {"vr": "SQ", "Value": items}
    is_new = any(not outcome.again for outcome in stored)
    said = "; ".join(filter(None, (_say(stored, refused), *notes)))
    return Report(
        dataset,
        _status(stored, refused),
        warning.format_warning(root, said) if said else None,
        link if is_new else None,
    )


def _status(stored: list[Stored], refused: list[Refused]) -> int:
    """STOW-10: 200 all, 202 some or with warnings (AMB-03), else none: 400 for syntax alone (AMB-04), 409 otherwise."""
    if stored:
        return 202 if refused or any(outcome.warning for outcome in stored) else 200
    statuses = {outcome.status for outcome in refused} or {400}  # nothing was offered
    if len(statuses) == 1:
        return statuses.pop()
    return 503 if statuses == {503, 507} else 409  # D3


def _say(stored: list[Stored], refused: list[Refused]) -> str | None:
    """Each code once, with its meaning, how often, and the first detail of it (STOW-17)."""
    if not stored and not refused:
        return "The request held no instance."
    said = [_say_reason(reason, count, refused) for reason, count in Counter(o.reason for o in refused).items()]
    cautions = Counter(outcome.warning for outcome in stored if outcome.warning)
    said += [f"{caution:04X} {WARNINGS[caution]} ({count})" for caution, count in cautions.items()]
    return "; ".join(said) or None


def _say_reason(reason: Reason, count: int, refused: list[Refused]) -> str:
    detail = next((outcome.detail for outcome in refused if outcome.reason is reason and outcome.detail), "")
    more = f": {detail[:_LONGEST_DETAIL]}" if detail else ""
    return f"{reason:04X} {MEANINGS[reason]}{more} ({count})"


def _study_link(stored: list[Stored], root: str, study: str | None) -> str | None:
    """Where what was stored can be retrieved; None if it is nothing, or went into more than one study."""
    studies = {outcome.target.study for outcome in stored}
    assert study is None or studies <= {study}, "a study in the address takes no other"
    return resources.link(root, Target(studies.pop())) if len(studies) == 1 else None


def _is_identified(outcome: Refused) -> bool:
    """True when the instance can be named, as an item of the Failed SOP Sequence must (Table I.1-1, both type 1)."""
    target, sop_class = outcome.target, outcome.sop_class
    return target is not None and target.instance is not None and sop_class is not None and uids.is_uid(sop_class)


def _stored_item(outcome: Stored, root: str) -> JSONDataset:
    item = _reference(outcome.sop_class, outcome.target)
    item[RETRIEVE_URL] = _element("UR", resources.link(root, outcome.target))
    if outcome.warning is not None:
        item[_WARNING_REASON] = _element("US", int(outcome.warning))
    if outcome.originals:
        item[_ORIGINAL_ATTRIBUTES_SEQUENCE] = {"vr": "SQ", "Value": list(outcome.originals)}
    return item


def _failed_item(outcome: Refused) -> JSONDataset:
    assert outcome.target is not None, "only identified failures come here"
    return {**_reference(outcome.sop_class, outcome.target), **_reason(outcome.reason)}


def _reference(sop_class: str | None, target: Target) -> JSONDataset:
    return {_SOP_CLASS: _element("UI", sop_class), _SOP_INSTANCE: _element("UI", target.instance)}


def _reason(reason: Reason) -> JSONDataset:
    return {_FAILURE_REASON: _element("US", int(reason))}


def _element(vr: str, value: str | int | None) -> dict[str, Any]:
    return {"vr": vr} if value is None else {"vr": vr, "Value": [value]}
