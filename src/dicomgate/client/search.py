"""Searches on another server, page by page (PS3.18 §10.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from dicomgate import errors
from dicomgate.client.caller import Caller, Request
from dicomgate.origin import JSONDataset

_PAGE = 1000


def search(caller: Caller, path: str, parameters: Mapping[str, str] | None = None) -> Iterator[JSONDataset]:
    """Every data set that matches, asking for the next page as long as the last one brought something new.

    Raises UpstreamFailed when the answer is no list of data sets, and what `Caller.send` raises.
    """
    offset = 0
    while page := _page(caller, path, {**(parameters or {}), "limit": _PAGE, "offset": offset}):
        yield from page
        offset += len(page)  # a server may give fewer than asked for and still have more


def _page(caller: Caller, path: str, parameters: Mapping[str, str | int]) -> list[JSONDataset]:
    answer = caller.send(
        Request(method="GET", path=path, headers={"Accept": "application/dicom+json"}, parameters=parameters)
    )
    if answer.status == 204 or (answer.status == 200 and not answer.body):
        return []
    if answer.status != 200:
        raise errors.UpstreamFailed(f"the search was answered with {answer.status}")
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError as fault:
        raise errors.UpstreamFailed("the search was answered with something other than DICOM JSON") from fault
    if not isinstance(found, list) or not all(isinstance(dataset, dict) for dataset in found):
        raise errors.UpstreamFailed("the search was answered with something other than a list of data sets")
    return found
