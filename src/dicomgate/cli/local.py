"""Files into a data folder, without a server: the same way in as a request's, several at a time."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from dicomgate.archive.archive import Archive
from dicomgate.client import offers
from dicomgate.client.offers import Became, Receipt
from dicomgate.dicom.outcomes import Outcome, Refused

Offered = TypeVar("Offered")
Result = TypeVar("Result")

_STEP = 1 << 20
_THREADS = 8


def keep_all(archive: Archive, paths: Iterable[Path]) -> Generator[Receipt, None, None]:
    """Keep every file; receipts come in order."""
    return _several(functools.partial(keep, archive), paths)


def keep_contents(archive: Archive, contents: Iterable[bytes]) -> Generator[Outcome, None, None]:
    """Keep every instance; outcomes come in order."""
    return _several(lambda content: keep_content(archive, [content]), contents)


def _several(work: Callable[[Offered], Result], offered: Iterable[Offered]) -> Generator[Result, None, None]:
    """Several at a time, so that they share syncs and commits."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="keep")
    under_way: deque[Future[Result]] = deque()
    try:
        for one in offered:
            under_way.append(pool.submit(work, one))
            if len(under_way) >= 4 * _THREADS:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def keep(archive: Archive, path: Path) -> Receipt:
    """Keep one file."""
    if not path.is_file():
        return Receipt(path=path, became=Became.FOREIGN, detail="not a file")
    try:
        with path.open("rb") as file:
            outcome = keep_content(archive, iter(lambda: file.read(_STEP), b""))
    except OSError as fault:
        return Receipt(path=path, became=Became.UNREADABLE, detail=fault.strerror or "cannot be read")
    if isinstance(outcome, Refused):
        seen = offers.read(path)
        if isinstance(seen, Receipt):  # of itself it is what it would be called towards a server, too
            return seen
        return Receipt(
            path=path,
            became=Became.REFUSED,
            target=outcome.target,
            code=int(outcome.reason),
            detail=outcome.message,
        )
    became = Became.KNOWN if outcome.again else Became.STORED
    code = int(outcome.warning) if outcome.warning is not None else None
    return Receipt(path=path, became=became, target=outcome.target, code=code)


def keep_content(archive: Archive, chunks: Iterable[bytes]) -> Outcome:
    """Keep one instance's bytes."""
    store = archive.origin.store
    assert store is not None, "an archive can store"
    arrival = archive.spool.arrival()
    try:
        for chunk in chunks:
            arrival.write(chunk)
        return store.accept(arrival)
    finally:
        arrival.discard()
