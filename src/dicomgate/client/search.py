"""Searches on another server, page by page (PS3.18 §10.6, §8.3.4.4)."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing
from typing import Final
from urllib.parse import urljoin, urlsplit

import orjson

from dicomgate import errors
from dicomgate.client import quirks
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.caller import Caller
from dicomgate.client.request import Answer, Request, warnings_of
from dicomgate.origin import JSONDataset

_UIDS: Final = ("0020000D", "0020000E", "00080018")
_HEADERS: Final = {"Accept": "application/dicom+json", "Accept-Encoding": "gzip"}
_MORE: Final = re.compile(r"There are \d+ additional results")
_log: Final = logging.getLogger("dicomgate.client")
Tell = Callable[[str], object]
Asked = Mapping[str, str] | Sequence[tuple[str, str]]


def search(
    caller: Caller,
    path: str,
    parameters: Asked | None = None,
    limit: int | None = None,
    warn: Tell | None = None,
) -> Generator[JSONDataset, None, None]:
    """What `find` gives, without an event loop."""
    return caller.iterate(find(caller.calls, path, parameters, limit, warn), ahead=quirks.PAGE)


async def find(
    calls: AsyncCaller,
    path: str,
    parameters: Asked | None = None,
    limit: int | None = None,
    warn: Tell | None = None,
) -> AsyncGenerator[JSONDataset, None]:
    """Every data set that matches, or so many, each once; asking goes on while a page brings something new.

    The next page is where the server's Link says (rel="next"), else at an offset. A server that ignores `offset` sends
    the first page again: what came before is passed over, and that is the end. What the server warns of goes to `warn`,
    once each, else to the log `dicomgate.client`. Raises UpstreamFailed when the answer is no list of data sets, and
    what `AsyncCaller.send` raises.
    """
    pairs = list(parameters.items()) if isinstance(parameters, Mapping) else list(parameters or ())
    seen: set[tuple[str, ...]] = set()
    tell = _once(warn or _log.warning)
    async with aclosing(_pages(calls, path, pairs, limit, tell)) as pages:
        async for page in pages:
            is_fresh = False
            for one in page:
                key = _key(one)
                if key in seen:
                    continue
                seen.add(key)
                is_fresh = True
                yield one
                if limit is not None and len(seen) >= limit:
                    return
            if not is_fresh:
                break
    most = quirks.most(calls.root)
    if most is not None and len(seen) >= most:
        tell(f"servers of this kind give no more than {most} results, however many there are")


def _once(tell: Tell) -> Tell:
    """Each thing is told once; that there is more is no warning to who reads all pages."""
    told: set[str] = set()

    def tell_once(text: str) -> None:
        if text not in told and not _MORE.match(text):
            told.add(text)
            tell(text)

    return tell_once


def _key(dataset: JSONDataset) -> tuple[str, ...]:
    """What tells an answer from others: its UIDs."""
    return tuple(str((dataset.get(tag, {}).get("Value") or [""])[0]) for tag in _UIDS)


async def _pages(
    calls: AsyncCaller, path: str, pairs: list[tuple[str, str]], limit: int | None, warn: Tell
) -> AsyncGenerator[list[JSONDataset], None]:
    sizes = [size for size in quirks.pages(calls.root) if limit is None or size <= limit] or [limit or quirks.PAGE]
    if limit is not None and limit < quirks.PAGE and limit not in sizes:
        sizes.insert(0, limit)
    offset, link = 0, None
    while True:
        if link is not None:
            answer = await calls.send(_request(link, None))
        else:
            place = [("limit", str(sizes[0])), ("offset", str(offset))]
            answer = await calls.send(_request(path, [*pairs, *place]))
        if answer.status == 400 and link is None and offset == 0 and len(sizes) > 1:
            del sizes[0]  # too many at once, for all that it says
            continue
        page = _read(answer)
        for text in warnings_of(answer.headers):
            warn(text)
        yield page
        offset += len(page)  # a server may give fewer than asked for and still have more
        link = _next(calls, answer)


def _request(path: str, parameters: Sequence[tuple[str, str]] | None) -> Request:
    is_below = path.startswith("/studies/")
    return Request(path=path, headers=_HEADERS, parameters=parameters, is_about_a_thing=is_below)


def _next(calls: AsyncCaller, answer: Answer) -> str | None:
    """Where the next page is (RFC 8288), always at the server that was asked; None where it does not say."""
    for one in answer.headers.get("link", "").split(","):
        address, _, about = one.partition(";")
        words = about.replace('"', "").replace(" ", "").lower().split(";")
        address = address.strip()
        if "rel=next" in words and address.startswith("<") and address.endswith(">"):
            found = urljoin(calls.root + "/", address[1:-1])
            same = urlsplit(found)[:2] == urlsplit(calls.root)[:2]
            return found if same else None
    return None


def _read(answer: Answer) -> list[JSONDataset]:
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
