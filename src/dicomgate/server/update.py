"""PATCH of patient and study attributes: an extension, offered where it is switched on (RET-09).

    PATCH {root}/studies/{study}             in every instance of one study
    PATCH {root}/studies?PatientID=...       in every study that a search with these keys finds

The body is one data set in the DICOM JSON model: what the attributes become; those without a value are emptied.
"""

from __future__ import annotations

from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom import assignments, jsonmodel, normal
from dicomgate.dicomweb import media_types, selection
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import JSONDataset, Updated
from dicomgate.server.answers import Answer
from dicomgate.server.exchange import Exchange, field
from dicomgate.server.requests import Request

MOST_STUDIES: Final = 100
"""Studies that one request corrects; a slip of the keys shall not reach the whole archive."""
_MOST_BYTES: Final = 1 << 20
_TAKEN: Final = (media_types.DICOM_JSON,)
_STUDY: Final = "0020000D"


async def read_body(exchange: Exchange) -> bytes:
    """The body, which is small. UnsupportedMedia and TooLarge before it is read where that can be told."""
    request = exchange.request
    said = request.header(b"content-type")
    if not said or media_types.parse(said).type != media_types.DICOM_JSON or request.header(b"content-encoding"):
        raise errors.UnsupportedMedia("attributes are corrected by a data set in the DICOM JSON model", see=_TAKEN)
    _require_small(request.length or 0)
    body = bytearray()
    more = True
    while more:
        message = await exchange.receive()
        if exchange.is_gone:
            break
        body += message.get("body", b"")
        _require_small(len(body))
        more = message.get("more_body", False)
    return bytes(body)


def _require_small(size: int) -> None:
    if size > _MOST_BYTES:
        raise errors.TooLarge(f"a data set of more than {_MOST_BYTES} bytes")


def update(request: Request, resource: Resource, body: bytes) -> Answer:
    """Correct and tell how many instances were, study by study."""
    origin = request.door.origin.update
    assert origin is not None, "the route is offered only then"
    wanted = _parse(body)
    done: list[Updated] = []
    for study in _studies(request, resource):
        try:
            done.append(origin.update(study, wanted))
        except errors.NotFound:
            if resource.target is not None:
                raise
        except errors.Fault as fault:
            if done:
                fault.message = f"{fault.message}; studies corrected before this one: {len(done)}"
            raise
    report = _report(done)
    return Answer(headers=[field("content-type", "application/json")], chunks=[report], size=len(report))


def _parse(body: bytes) -> JSONDataset:
    datasets = jsonmodel.parse(body)
    if len(datasets) != 1:
        raise errors.Malformed(f"expected one data set, saw {len(datasets)}")
    wanted = normal.normalise(datasets[0])
    if wanted.discarded or not wanted.attributes:
        raise errors.Malformed("expected attributes of the patient or the study")
    assignments.check_study_level(wanted.attributes)
    return wanted.attributes


def _studies(request: Request, resource: Resource) -> list[str]:
    if resource.target is not None:
        if request.pairs:
            raise errors.Malformed("a study by its address takes no parameters")
        return [resource.target.study]
    asked = selection.parse(request.pairs, most=MOST_STUDIES)
    found = [dataset[_STUDY]["Value"][0] for dataset in request.door.origin.search.search(asked).datasets]
    if not found:
        raise errors.NotFound("no study matches")
    if len(found) > MOST_STUDIES:
        raise errors.TooLarge(f"more than {MOST_STUDIES} studies match; give more keys, or correct them one by one")
    return found


def _report(done: list[Updated]) -> bytes:
    return orjson.dumps(
        {
            "corrected": sum(one.corrected for one in done),
            "unchanged": sum(one.unchanged for one in done),
            "studies": [
                {"StudyInstanceUID": one.study, "corrected": one.corrected, "unchanged": one.unchanged} for one in done
            ],
        }
    )
