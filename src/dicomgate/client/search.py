"""Searches on another server, page by page (PS3.18 §10.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.client.caller import Caller, Request
from dicomgate.origin import JSONDataset

_PAGE: Final = 1000
_UIDS: Final = ("0020000D", "0020000E", "00080018")


def search(
    caller: Caller,
    path: str,
    parameters: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    limit: int | None = None,
) -> Iterator[JSONDataset]:
    """Every data set that matches, or so many, asking for the next page as long as the last one brought something new.

    A server that ignores `offset` sends the first page again: what came before is passed over, and that is the end.
    Raises UpstreamFailed when the answer is no list of data sets, and what `Caller.send` raises.
    """
    pairs = list(parameters.items()) if isinstance(parameters, Mapping) else list(parameters or ())
    seen: set[tuple[str, ...]] = set()
    offset = 0
    while limit is None or len(seen) < limit:
        page = _page(caller, path, [*pairs, ("limit", str(min(_PAGE, limit or _PAGE))), ("offset", str(offset))])
        fresh = [(key, one) for key, one in ((_key(one), one) for one in page) if key not in seen]
        for key, one in fresh:
            if key not in seen and (limit is None or len(seen) < limit):
                seen.add(key)
                yield one
        if not fresh:
            return
        offset += len(page)  # a server may give fewer than asked for and still have more


def _key(dataset: JSONDataset) -> tuple[str, ...]:
    """What tells an answer from others: its UIDs."""
    return tuple(str((dataset.get(tag, {}).get("Value") or [""])[0]) for tag in _UIDS)


def _page(caller: Caller, path: str, parameters: Sequence[tuple[str, str]]) -> list[JSONDataset]:
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
