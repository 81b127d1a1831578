"""An instance that others delete and store anew between being found and being opened is answered, never refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom.uids import Target
from dicomgate.origin import Instance
from dicomgate.server import app
from dicomgate.server.answers import Answer
from dicomgate.server.app import Application
from dicomgate.testing import instances
from dicomgate.testing.serving import Served, serving

TARGET = instances.new_target()
CONTENT = instances.make(TARGET)
PATH = f"/dicomweb/studies/{TARGET.study}/series/{TARGET.series}/instances/{TARGET.instance}"
FILE = {"Accept": "application/dicom; transfer-syntax=*"}


class Restless:
    """The way out of an archive whose instances are replaced `times` times just when they were found."""

    def __init__(self, archive: Archive, replaced: Callable[[], None]) -> None:
        self.times = 0
        self._retrieve = archive.origin.retrieve
        self.replace = replaced

    def __getattr__(self, name: str) -> Any:
        return getattr(self._retrieve, name)

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        with self._retrieve.retrieve(target) as found:
            rows = list(found)
            if self.times:
                self.times -= 1
                self.replace()
            yield iter(rows)


@pytest.fixture
def replaced(tmp_path: Path) -> Iterator[tuple[Restless, Archive, Served]]:
    with ExitStack() as stack:
        settings = config.Settings(store=config.Store(allow_delete=True))
        archive = stack.enter_context(assembly.open_archive(tmp_path / "data", settings))

        def store() -> None:
            arrival = archive.spool.arrival()
            arrival.write(CONTENT)
            assert archive.origin.store is not None
            archive.origin.store.accept(arrival)
            arrival.discard()

        def anew() -> None:
            assert archive.origin.delete is not None
            archive.origin.delete.delete(TARGET)
            store()

        store()
        restless = Restless(archive, anew)
        origin = replace(archive.origin, retrieve=restless, store=None, delete=None, update=None)
        yield restless, archive, stack.enter_context(serving(Application(origin)))


@pytest.mark.parametrize(
    ("path", "accept"),
    [("", FILE["Accept"]), ("/frames/1", "*/*"), ("/bulkdata/7FE00010", "*/*"), ("/rendered", "image/png")],
)
def test_what_was_replaced_is_looked_for_again(replaced, path: str, accept: str) -> None:
    restless, _, served = replaced
    restless.times = 3
    reply = served.ask("GET", PATH + path, {"Accept": accept})
    assert (reply.status, restless.times) == (200, 0)
    if not path:
        assert reply.body == CONTENT


@pytest.mark.parametrize("path", ["", "/frames/1"])
def test_what_was_known_and_is_replaced_just_then_is_looked_for_again(replaced, monkeypatch, path: str) -> None:
    restless, _, served = replaced
    accept = {"Accept": FILE["Accept"] if not path else "application/octet-stream"}
    before = [served.ask("GET", PATH + path, accept) for _ in range(3)]
    known = []

    def replaced_then(exchange: object, answer: Answer) -> None:
        known.append(answer)
        restless.replace()

    monkeypatch.setattr(app, "_pieces_at_once", replaced_then)
    after = served.ask("GET", PATH + path, accept)
    assert len(known) == 1, "it was known"
    assert (after.status, after.body) == (200, before[0].body)


def test_what_is_replaced_all_the_time_is_told_to_be_asked_for_again(replaced) -> None:
    restless, _, served = replaced
    restless.times = 1000
    reply = served.ask("GET", PATH, FILE)
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert restless.times == 995
    assert b"ask again" in reply.body


def test_a_file_that_is_lost_is_told_and_is_no_change(replaced, tmp_path: Path) -> None:
    restless, archive, served = replaced
    with archive.origin.retrieve.retrieve(TARGET) as found:
        instance = next(found)
    archive.blobs.delete(instance.row.key)
    with pytest.raises(errors.Damaged, match="lost"):
        list(instance.file())
    restless.times = 0
    reply = served.ask("GET", PATH, FILE)
    assert reply.status == 503
    assert b"lost" in reply.body
