"""Views over an origin whose studies have to be brought here before they can be listed (PS3.4 C.3.4; LC-33, LC-34).

All studies cannot be brought, so a search that names none is answered by the origin where it is about studies, and
otherwise over the few studies that it can be about.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import AttributePath, Match, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.multiframe import classic
from dicomgate.multiframe.classes import tag
from dicomgate.origin import Found, Search
from dicomgate.views.preparing import Preparation

MOST: Final = 10
"""Studies that are brought for one search."""
_STUDY: Final = (tag("StudyInstanceUID"),)
_NARROWS: Final[dict[AttributePath, AttributePath]] = {(tag("Modality"),): (tag("ModalitiesInStudy"),)}
"""What a search of series says of the study as well."""
_OF_VIEW: Final = frozenset(
    map(tag, ("ModalitiesInStudy", "SOPClassesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"))
)
"""What is said of a study and is another in each view."""


class Afar(Protocol):
    """Brings studies here."""

    def fetch(self, study: str) -> None:
        """See that all of a study is here. NotFound where there is none; what reaching the origin raises."""
        ...

    def is_here(self, study: str) -> bool:
        """True while `fetch` would do nothing."""
        ...


def find_studies(origin: Search, prepared: Preparation, query: Query) -> Found:
    """Studies as the origin finds them; of those that are listed, what the view has of them."""
    found = origin.search(query)
    datasets = list(found.datasets)
    told = _listed(prepared, query, [classic.text(one, _STUDY[0]) for one in datasets])
    return replace(found, datasets=[_in_view(one, told.get(classic.text(one, _STUDY[0]))) for one in datasets])


def _listed(prepared: Preparation, query: Query, studies: Sequence[str]) -> dict[str, JSONDataset]:
    here = tuple(study for study in studies if prepared.is_listed(study))
    if not here:
        return {}
    asked = Query(
        level=Level.STUDY,
        matches=(Match(_STUDY, OneOf(here)),),
        include=query.include,
        include_all=query.include_all,
        limit=len(here),
    )
    return {classic.text(one, _STUDY[0]): one for one in prepared.index.find(asked).datasets}


def _in_view(dataset: JSONDataset, told: JSONDataset | None) -> JSONDataset:
    if told is None:
        return dataset
    own = {name: told[name] for name in _OF_VIEW if name in told}
    return dict(sorted({**dataset, **own}.items()))


def narrowed(origin: Search, prepared: Preparation, query: Query) -> Query:
    """The search over the studies that it can be about, which are listed then.

    TooLarge where these are more than may be brought, Unavailable while that takes longer than one may wait.
    """
    studies = _studies(origin, query)
    until = time.monotonic() + prepared.patience
    for number, study in enumerate(studies, 1):
        try:
            was_listed = prepared.bring(study)
        except (errors.NotFound, errors.Gone):
            continue  # then nothing of it is found
        if was_listed and number < len(studies) and time.monotonic() > until:
            raise errors.Unavailable(f"the view is being prepared: {number} of {len(studies)} studies are; ask again")
    return replace(query, matches=(*query.matches, Match(_STUDY, OneOf(studies))))


def _studies(origin: Search, query: Query) -> tuple[str, ...]:
    asked = Query(
        level=Level.STUDY,
        matches=tuple(one for match in query.matches if (one := _of_study(match)) is not None),
        timezone=query.timezone,
        creators=query.creators,
        limit=MOST + 1,
    )
    found = origin.search(asked)
    studies = tuple(classic.text(one, _STUDY[0]) for one in found.datasets)
    if len(studies) > MOST:
        raise errors.TooLarge(
            f"more than {MOST} studies would have to be fetched for this search of a view; narrow it, by "
            "StudyInstanceUID, PatientID or StudyDate"
        )
    return studies


def _of_study(match: Match) -> Match | None:
    """What a match says of the study that series and instances are of."""
    narrows = _NARROWS.get(match.path)
    if narrows is not None:
        return replace(match, path=narrows) if isinstance(match.condition, OneOf) else None
    return match if match.path in _KEYS else None


_KEYS: Final[frozenset[AttributePath]] = frozenset(attributes.MATCHING_KEYS[Level.STUDY])
