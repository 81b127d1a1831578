"""Unmodified OHIF over a gateway over DCMTK's dcmqrscp: list, open, scroll; pictures before all has come (journey B, PRX-07)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import interop_pacs
import pytest
import test_ohif
from pydicom.uid import generate_uid
from test_ohif import VIEWPORT, Site, picture, text

from dicomgate.samples import modules, phantoms
from dicomgate.testing import processes
from dicomgate.testing.processes import Running

pytestmark = [test_ohif.pytestmark, interop_pacs.NEEDED, pytest.mark.slow]
PLENTY = 1 << 20
"""Bytes that a series in question needs in any case."""


class Gate:
    """Stands before a PACS; of an association that names a word only so many bytes pass before it is opened."""

    def __init__(self, port: int, word: str) -> None:
        self._target = port
        self._word = word.encode()
        self.is_open = threading.Event()
        self.picture = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.is_open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            named = threading.Event()
            threading.Thread(target=self._ask, args=(near, far, named), daemon=True).start()
            threading.Thread(target=self._answer, args=(far, near, named), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket, named: threading.Event) -> None:
        before = b""
        while data := _receive(near):
            if self._word in before + data:
                named.set()
            before = data[-200:]
            _send(far, data)
        _end(far)

    def _answer(self, far: socket.socket, near: socket.socket, named: threading.Event) -> None:
        passed = 0
        while data := _receive(far):
            passed += len(data)
            if named.is_set() and passed > PLENTY:
                self.is_open.wait()
            _send(near, data)
        _end(near)


def _receive(line: socket.socket) -> bytes:
    try:
        return line.recv(1 << 16)
    except OSError:
        return b""


def _send(line: socket.socket, data: bytes) -> None:
    try:
        line.sendall(data)
    except OSError:
        return


def _end(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def gate(port: int, word: str) -> Iterator[Gate]:
    made = Gate(port, word)
    try:
        yield made
    finally:
        made.close()


def test_list_open_and_scroll_and_pictures_before_the_series_is_whole(tmp_path: Path) -> None:
    """One of two series is held back in the midst: its pictures can be had one by one, and its metadata leaves meanwhile."""
    study, later, files = _write(tmp_path / "files")
    log = tmp_path / "gateway.log"
    with (
        interop_pacs.dcmqrscp(tmp_path, files=files) as (port, move),
        gate(port, later) as held,
        processes.running("--no-auth", data=_settings(tmp_path, held.port, move), log=log, is_gateway=True) as server,
    ):
        (tmp_path / "app-config.js").write_text(test_ohif._config(""))
        for name in ("apart.js", "enhanced.js"):
            (tmp_path / name).write_text(test_ohif._config(server.url))
        with test_ohif._nginx(tmp_path, server.port) as (url, apart, enhanced):
            site = Site(url, apart, enhanced, tmp_path, {})
            threading.Thread(target=_ask_and_open, args=(server, log, held, study, later), daemon=True).start()
            first, _, _, _, last = site.look(
                f"/viewer?StudyInstanceUIDs={study}",
                picture(colours=60, bright=0.05),
                text("1/64"),
                {"do": "wheel", "at": VIEWPORT, "turns": 20},
                text("/64)"),
                picture(colours=60, bright=0.05),
            )
            site.look("/", text("Bront\u00eb-\u00c5ngstr\u00f6m", "1\nStudies"))
    assert first["colours"] >= 60
    assert last["colours"] >= 60
    assert held.picture == 200
    events = _events(log)
    assert sorted(one["came"] for one in events if one["event"] == "pacs retrieved" and one["at"] == "series") == [
        64,
        64,
    ]
    begun = [number for number, one in enumerate(events) if one["event"] == "pacs first instance"]
    shown = [number for number, one in enumerate(events) if one.get("route") == "rendered instance"]
    whole = [number for number, one in enumerate(events) if one["event"] == "pacs retrieved" and one["at"] == "series"]
    assert events[begun[-1]]["came"] < 64
    assert shown[0] < whole[-1], "a picture left before the series was here"


def _write(folder: Path) -> tuple[str, str, list[Path]]:
    folder.mkdir()
    later = generate_uid()
    study = ""
    for number, dataset in enumerate(phantoms.ct_torso()):
        study = str(dataset.StudyInstanceUID)
        (folder / f"1-{number}.dcm").write_bytes(modules.write(dataset))
        dataset.SeriesInstanceUID, dataset.SeriesNumber = later, 3
        dataset.SOPInstanceUID = generate_uid()
        (folder / f"2-{number}.dcm").write_bytes(modules.write(dataset))
    return study, later, sorted(folder.iterdir())


def _settings(here: Path, port: int, move: int) -> Path:
    file = interop_pacs.written(here, port, move, "--retrieve", "get")
    file.write_text(file.read_text() + "\n[log]\nrequests = true\n")
    return file


def _events(log: Path) -> list[dict]:
    """Whole lines alone: the last may be on its way."""
    whole, _, _ = log.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def _ask_and_open(server: Running, log: Path, held: Gate, study: str, later: str) -> None:
    """While OHIF waits for the metadata of what is held back, a picture of it is had; then the gate is opened."""
    try:
        test_ohif.until(lambda: any(one["event"] == "pacs first instance" and one["of"] == 64 for one in _events(log)))
        series = f"/dicomweb/studies/{study}/series/{later}"
        found = json.loads(server.ask("GET", f"{series}/instances?limit=1", {"Accept": "application/dicom+json"}).body)
        instance = found[0]["00080018"]["Value"][0]
        held.picture = server.ask("GET", f"{series}/instances/{instance}/rendered", {"Accept": "image/jpeg"}).status
        test_ohif.until(lambda: any(one.get("route") == "rendered instance" for one in _events(log)))
    finally:
        held.is_open.set()
