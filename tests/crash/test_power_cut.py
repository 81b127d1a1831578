"""D1, D7: at whatever moment the power fails, all that was acknowledged by then is there after it comes back.

The first tests replay a record of the server's system calls with nothing saved but what was synced (and with any part
of the rest); the last one cuts a real file system off. SQLite's own files are part of both.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import crash_power
import pytest
from crash_check import check_all, check_folder, check_touched, verify
from crash_client import Client, Report
from crash_disk import mounted
from crash_instances import LARGE, MIDDLE, SMALL, Maker, Specimen
from crash_ledger import Ledger, State
from crash_load import Load, path
from crash_power import Call, Model
from crash_server import OFTEN, USUAL, Server, until

from dicomgate import assembly, config
from dicomgate.archive.archive import Archive
from dicomgate.dicom import header
from dicomgate.dicom.uids import Target
from dicomgate.testing.serving import serving

SETTINGS = config.Settings(store=config.Store(allow_delete=True))


@dataclass(frozen=True, slots=True)
class Deed:
    """What one connection asked for and was told."""

    port: int
    study: str
    specimens: Sequence[Specimen] = ()
    report: Report | None = None
    removed: Sequence[str] = ()


class Deeds:
    """Callers that use a new connection for each deed, so that the record tells when each was answered."""

    def __init__(self, port: int, chance: Random) -> None:
        self.port, self.maker, self.chance = port, Maker(chance), chance
        self.done: list[Deed] = []
        self._ports: set[int] = set()
        self._lock = threading.Lock()

    def store(self, *specimens: Specimen) -> None:
        with Client(self.port) as client:
            port = self._connect(client)
            report = client.store(specimens)
            assert report.status == 200, report
            self._note(Deed(port, specimens[0].target.study, specimens=specimens, report=report))

    def delete(self, target: Target, *removed: Specimen) -> None:
        with Client(self.port) as client:
            port = self._connect(client)
            assert client.delete(path(target)) == 204
            self._note(Deed(port, target.study, removed=[specimen.uid for specimen in removed]))

    def _connect(self, client: Client) -> int:
        """From a port that none of the others came from: the record knows them by it."""
        while True:
            port = client.connect()
            with self._lock:
                if port not in self._ports:
                    self._ports.add(port)
                    return port
            client.close()

    def some(self, rounds: int) -> None:
        """One caller's work, on studies of its own."""
        for number in range(rounds):
            study, series = self.maker.uid(), self.maker.uid()
            one, two, three = (self.maker.new(study, series, shape) for shape in (SMALL, MIDDLE, SMALL))
            self.store(one)
            self.store(one, two, three)
            if number == 1:
                self.store(large := self.maker.new(study, series, LARGE))
                self.delete(large.target, large)
            self.delete(two.target, two)
            if number % 2:
                self.delete(Target(study), one, three)
                self.store(one)

    def _note(self, deed: Deed) -> None:
        with self._lock:
            self.done.append(deed)

    def ledger(self, answered: set[int]) -> Ledger:
        """What is known when the connections from these ports have been answered."""
        ledger = Ledger()
        waiting: set[str] = set()  # studies whose caller waits for an answer: what he did afterwards is to come
        for deed in self.done:
            if deed.study not in waiting:
                _note(ledger, deed, is_answered=deed.port in answered)
            if deed.port not in answered:
                waiting.add(deed.study)
        return ledger


def _note(ledger: Ledger, deed: Deed, *, is_answered: bool) -> None:
    items = [] if deed.report else ledger.delete(deed.removed)
    if deed.report:
        ledger.offer(deed.specimens)
    if not is_answered:
        ledger.broken()
    elif deed.report:
        ledger.reported(deed.specimens, deed.report)
    else:
        ledger.deleted(items, is_gone=True)


@pytest.fixture(scope="module", params=[USUAL, OFTEN], ids=["usual", "checkpoints often"])
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Call], Deeds]:
    """A server's life: its first start, a lone store, then several callers at once."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    here = tmp_path_factory.mktemp("power")
    record = here / "record"
    (here / "top").mkdir()
    recorder = crash_power.recorder(record)
    with Server(here / "top" / "new" / "data", before=recorder, home=here, program=request.param) as server:
        server.start()
        deeds = Deeds(server.port, Random(7))
        study, series = deeds.maker.uid(), deeds.maker.uid()
        deeds.store(deeds.maker.new(study, series))
        callers = [threading.Thread(target=deeds.some, args=(3,)) for _ in range(3)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        server.kill()
    assert len({deed.port for deed in deeds.done}) == len(deeds.done)
    calls = list(crash_power.read(record))
    _check_record(here / "top", calls)
    return here / "top", calls, deeds


def _check_record(top: Path, calls: list[Call]) -> None:
    """Replayed to its end the record gives the folder that is there: only then does it tell what a power cut leaves."""
    model = Model(top)
    for call in calls:
        model.replay(call)
    found = {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
    told = model.files()
    differing = [str(path) for path in {*found, *told} if found.get(path) != told.get(path)]
    assert all(path.endswith("-shm") for path in differing), differing  # written without calls, made anew after a cut


def _opening(path: Path) -> str:
    written = "".join(rf"\x{byte:02x}" for byte in bytes(path))
    return f'AT_FDCWD, "{written}", O_CREAT'


def test_a_descriptor_is_free_before_its_closing_returns(here: Path) -> None:
    """Two threads: what one opens while the other closes may get that number, and keeps it."""
    one, two = (_opening(here / "top" / name) for name in "ab")
    model = Model(here / "top")
    model.replay(Call("openat", one, 7, is_begun=False, thread="1"))
    model.replay(Call("close", "7", 0, is_begun=True, thread="1"))
    model.replay(Call("openat", two, 7, is_begun=False, thread="2"))
    model.replay(Call("close", "7", 0, is_begun=False, thread="1"))
    model.replay(Call("write", '7, "\\x01", 1', 1, is_begun=False, thread="2"))
    assert model.files() == {Path("a"): b"", Path("b"): b"\x01"}


def test_a_power_cut_at_any_moment(recorded: tuple[Path, list[Call], Deeds], here: Path, chance: Random) -> None:
    """From 'nothing but what was synced' over any selection to 'everything'."""
    top, calls, deeds = recorded
    ends = [place for place, _ in _answers(top, calls)]
    cuts = set(chance.sample(ends, 9)) | set(chance.sample(range(ends[0], len(calls)), 5)) | {ends[0], ends[-1]}
    model, answered = Model(top), set()
    for place, call in enumerate(calls):
        port = model.replay(call)
        if port is not None:
            answered.add(port)
        if place in cuts:
            for survive in (0.0, chance.random(), 1.0):
                _come_back(model, here, deeds.ledger(answered), survive, chance)
    print(f"{len(cuts) * 3} power cuts, {len(ends)} answers")


def _come_back(model: Model, here: Path, ledger: Ledger, survive: float, chance: Random) -> None:
    seed = chance.getrandbits(32)
    model.make(here / "top", survive, Random(seed))
    data = here / "top" / "new" / "data"
    with serving(assembly.application(SETTINGS, data=data)) as served, Client(served.port) as client:
        check_all(client, ledger)
        check_folder(data)
    verify(data)


def test_a_power_cut_while_the_folder_is_made(
    recorded: tuple[Path, list[Call], Deeds], here: Path, chance: Random
) -> None:
    """What is left of a first start does not stand in the way of the next (D8)."""
    top, calls, deeds = recorded
    (first, _), *_ = _answers(top, calls)
    made = [place for place, call in enumerate(calls[:first]) if call.name in CHANGES and not call.is_begun]
    made = [place for place in made if _is_below(top, calls[place])] + made[-20:]
    model, cuts = Model(top), set(chance.sample(made, min(12, len(made))))
    for place, call in enumerate(calls[:first]):
        model.replay(call)
        if place in cuts:
            for survive in (0.0, chance.random(), 1.0):
                _come_back(model, here, deeds.ledger(set()), survive, chance)


CHANGES = {"openat", "mkdir", "rename", "unlink", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate"}


def _is_below(top: Path, call: Call) -> bool:
    return any(text.startswith(bytes(top)) for text in crash_power.texts(call.arguments))


def test_a_power_cut_that_costs_the_index(recorded: tuple[Path, list[Call], Deeds], here: Path, chance: Random) -> None:
    """Built from the blobs alone it has what was acknowledged, and nothing that was deleted (D6, D7)."""
    top, calls, deeds = recorded
    ends = [place for place, _ in _answers(top, calls)]
    cuts = {*chance.sample(ends, 5), ends[-1]}
    model, answered = Model(top), set()
    for place, call in enumerate(calls):
        port = model.replay(call)
        if port is not None:
            answered.add(port)
        if place in cuts:
            model.make(here / "top", 0.0, chance)
            data = here / "top" / "new" / "data"
            for path in data.glob("index.sqlite*"):
                path.unlink()
            list(assembly.rebuild(data, SETTINGS, lambda size: None))
            with assembly.open_archive(data, SETTINGS) as archive:
                found = {target.instance for target in _instances(archive)}
            items = deeds.ledger(answered).items
            assert {uid for uid, item in items.items() if item.state is State.PRESENT} <= found
            assert not {uid for uid, item in items.items() if item.state is State.ABSENT} & found


def _instances(archive: Archive) -> Iterator[Target]:
    for key, _, _ in archive.index.keys():  # noqa: SIM118
        with archive.blobs.open(key) as blob:
            target = header.read(blob).target
            assert target is not None
            yield target


def _answers(top: Path, calls: list[Call]) -> Iterator[tuple[int, int]]:
    model = Model(top)
    for place, call in enumerate(calls):
        port = model.replay(call)
        if port is not None:
            yield place, port


def test_the_order_of_a_lone_store(recorded: tuple[Path, list[Call], Deeds]) -> None:
    """The bytes, their sync, the name, its sync, the row, its sync, the answer."""
    top, calls, deeds = recorded
    (end, port), *_ = _answers(top, calls)
    assert port == deeds.done[0].port
    names: dict[int, str] = {}
    seen = []
    for call in calls[: end + 1]:
        said = crash_power.texts(call.arguments)
        descriptor = call.arguments.split(",")[0].strip()
        if call.name == "openat" and not call.is_begun:
            names[call.result] = said[0].decode()
        elif call.name in {"write", "pwrite64", "fsync", "fdatasync"} and descriptor.isdecimal():
            if call.is_begun == (call.name in {"write", "pwrite64"}):
                seen.append((call.name.removeprefix("p").removesuffix("64"), names.get(int(descriptor), "")))
        elif call.name == "rename" and not call.is_begun:
            seen.append(("rename", said[1].decode()))
    (aside,) = {name for what, name in seen if name.endswith(".part")}
    blob = aside.removesuffix(".part")
    run, log = str(Path(blob).parent), str(top / "new" / "data" / "index.sqlite-wal")
    steps = [("write", aside), ("fsync", aside), ("rename", blob), ("fsync", run), ("write", log), ("fdatasync", log)]
    places = [max(place for place, each in enumerate(seen) if each == step) for step in steps]
    assert places == sorted(places), [seen[place] for place in places]


def test_a_real_file_system_cut_off_under_load(here: Path, chance: Random) -> None:
    """What had reached the disk's image when everything stopped, mounted again: once after the other."""
    ledger, image = Ledger(), here / "image"
    load = Load(ledger, chance, callers=3)
    for _ in range(6):
        with mounted(here / "disk", "ext4", 160, image) as disk, Server(disk / "data", home=here) as server:
            server.start()
            with Client(server.port) as client:
                check_touched(client, ledger)
            check_folder(server.data)
            load.begin(server.port)
            stored = ledger.tally["stored"]
            until(lambda stored=stored: ledger.tally["stored"] > stored + 2)
            load.go_on(chance.uniform(0.0, 0.5))
            server.signal(signal.SIGSTOP)
            subprocess.run(["cp", "--sparse=always", str(image), str(here / "cut")], check=True)
            server.kill()
            load.end(by_itself=True)
        (here / "cut").replace(image)
    with mounted(here / "disk", "ext4", 160, image) as disk:
        with Server(disk / "data", home=here) as server, Client(server.start().port) as client:
            check_touched(client, ledger)
            check_all(client, ledger)
        check_folder(disk / "data")
        verify(disk / "data")
    print(dict(ledger.tally))
    assert ledger.tally["stored"] > 10
