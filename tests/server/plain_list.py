"""An origin that is a plain list of studies: what a search means, without any index."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from dicomgate import errors
from dicomgate.dicom import matcher
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Target
from dicomgate.origin import Found, Instance, Origin


def study(number: int, **elements: Any) -> dict[str, Any]:
    """A study whose date grows with its number."""
    dataset = {
        "00080020": {
            "vr": "DA",
            "Value": [f"{2000 + number // 336:04d}{number // 28 % 12 + 1:02d}{number % 28 + 1:02d}"],
        },
        "00080061": {"vr": "CS", "Value": ["CT"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"Doe^{number}"}]},
        "0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]},
    }
    return dict(sorted({**dataset, **elements}.items()))


class PlainList:
    """Studies, newest first; places are sort keys as JSON."""

    def __init__(self, *studies: dict[str, Any]) -> None:
        self.studies = list(studies)
        self.asked: list[Query] = []
        self.can_count = True
        self.has_places = True
        self._lock = threading.Lock()

    @property
    def origin(self) -> Origin:
        return Origin(search=self, retrieve=self)

    def search(self, query: Query) -> Found:
        with self._lock:
            self.asked.append(query)
            holds = matcher.prepare(query.matches, creators=query.creators, timezone=query.timezone)
            matching = sorted(filter(holds, self.studies), key=lambda dataset: _key(dataset, query))
        after = _parse_place(query.after) if query.after else None
        rest = [dataset for dataset in matching if after is None or _key(dataset, query) > after][query.offset :]
        page = rest[: query.limit]
        remaining = len(rest) - len(page)
        place = json.dumps(_key(page[-1], query)) if page and remaining and self.has_places else None
        total = len(matching) if query.is_counted and self.can_count else None
        return Found(datasets=iter(page), remaining=remaining, total=total, next=place)

    def retrieve(self, target: Target) -> contextlib.AbstractContextManager[Iterator[Instance]]:
        raise _nothing()

    def metadata(self, target: Target) -> NoReturn:
        raise _nothing()

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        return 0, study != "" and since != 0


def _nothing() -> errors.NotFound:
    return errors.NotFound("nothing can be retrieved from a list")


def _parse_place(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise errors.Malformed("no place in this list") from None


def _key(dataset: dict[str, Any], query: Query) -> list[Any]:
    found: list[Any] = []
    for order in query.order:
        texts = [str(element.get("Value")) for element in matcher.find_elements(dataset, order.path, query.creators)]
        found.append([not texts, _turned("".join(texts[:1]), descending=order.descending)])
    (date,) = dataset["00080020"]["Value"]
    return [*found, -int(date), dataset["0020000D"]["Value"][0]]


def _turned(text: str, *, descending: bool) -> list[int]:
    signs = [ord(sign) for sign in text]
    return [-sign for sign in signs] + [1] if descending else signs
