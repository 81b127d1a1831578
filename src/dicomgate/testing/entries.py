"""Entries for an index, made in code: an instance's attributes by keyword, and the judges that tests need."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import orjson

from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Entry, JSONDataset, Surroundings, Verdict

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

_numbers = itertools.count(1)


def target(study: int, series: int, instance: int) -> Target:
    """A target told by three small numbers."""
    return Target(f"1.2.{study}", f"1.2.{study}.{series}", f"1.2.{study}.{series}.{instance}")


def element(tag: str, value: Any) -> dict[str, Any]:
    """One element of the DICOM JSON model: None is empty, a list several values, a str of a PN alphabetic."""
    vr = attributes.vr(tag)
    if value is None:
        return {"vr": vr}
    values = value if isinstance(value, list) else [value]
    if vr == "PN":
        values = [{"Alphabetic": one} if isinstance(one, str) else one for one in values]
    if vr == "SQ":
        values = [dataset(**item) for item in values]
    return {"vr": vr, "Value": values}


def dataset(**values: Any) -> JSONDataset:
    """A data set by keyword (or `x` and the tag), in tag order."""
    named = {
        attributes.find_tag(name.removeprefix("x") if name[0] == "x" else name): value for name, value in values.items()
    }
    tags = sorted(tag for tag in named if tag is not None)
    assert len(tags) == len(values), "a keyword is not known"
    return {tag: element(tag, named[tag]) for tag in tags}


def entry(
    where: Target,
    *,
    key: str = "",
    content: str = "",
    original_digest: str = "",
    sop_class: str = CT,
    layout: bytes = b"",
    frame_chunks: tuple[bytes, ...] = (),
    **values: Any,
) -> Entry:
    """An entry for a target; keys grow from call to call. `content` stands for the bytes: the digest comes from it."""
    uids = {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": where.instance,
        "StudyInstanceUID": where.study,
        "SeriesInstanceUID": where.series,
    }
    held = dataset(**(uids | {"Modality": "CT", "PatientID": "P1"} | values))
    return Entry(
        target=where,
        sop_class=sop_class,
        transfer_syntax=EXPLICIT_LITTLE,
        size=1000,
        digest=hashlib.sha256((content or str(where)).encode()).hexdigest(),
        original_digest=original_digest,
        key=key or f"{next(_numbers):012d}",
        received=1.7e9,
        attributes=held,
        metadata=orjson.dumps(held),
        layout=layout,
        frame_chunks=frame_chunks,
    )


def refuse_nothing(around: Surroundings, offered: Entry) -> Verdict:
    """New ones are stored, the same bytes are the same, other bytes under a known UID take its place."""
    if around.instance is None:
        return Verdict.INSERT
    return Verdict.SAME if around.instance.digest == offered.digest else Verdict.REPLACE


def keep_old(around: Surroundings, offered: Entry) -> Verdict:  # noqa: ARG001 (a judge's signature)
    """What is stored stays."""
    return Verdict.INSERT if around.instance is None else Verdict.KEEP_OLD
