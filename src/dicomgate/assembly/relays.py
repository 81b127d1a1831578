"""The relay of the settings: its queue, its destinations, and the DIMSE door that takes in (decision 17)."""

from __future__ import annotations

import fcntl
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

from dicomgate import config, errors, extras
from dicomgate.archive.reserve import Reserve
from dicomgate.archive.room import Room
from dicomgate.assembly import applications, archives, destinations, door_processes, doors, places
from dicomgate.blobs.local import LocalBlobs
from dicomgate.dimse import door
from dicomgate.dimse.contexts import Service
from dicomgate.dimse.session import House
from dicomgate.index.waiting import Waiting
from dicomgate.origin import Origin
from dicomgate.pixels.processes import Workers
from dicomgate.relay import relay
from dicomgate.relay.nothing import Nothing
from dicomgate.relay.relay import Relay
from dicomgate.representations.maker import Maker
from dicomgate.server.logs import Log
from dicomgate.spool import Spool

QUEUE: Final = "queue.sqlite"
_FORWARDING: Final = "forwarding"
_PLACES: Final = frozenset(
    {QUEUE, f"{QUEUE}-wal", f"{QUEUE}-shm", _FORWARDING, places.BLOBS, places.SPOOL, places.RESERVE, "lost+found"}
)
_SERVICES: Final = frozenset({Service.VERIFICATION, Service.STORAGE})
_TRIES: Final = 20
_BETWEEN_TRIES: Final = 0.1


def relay_folder(settings: config.Settings) -> Path:
    """Where a relay holds what waits."""
    if settings.relay.folder:
        return Path(settings.relay.folder).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "dicomgate" / "relay"


@contextmanager
def open_waiting(settings: config.Settings) -> Iterator[Waiting]:
    """The queue alone, to look at it and to change it while a relay runs or not. NotFound where none is."""
    path = relay_folder(settings) / QUEUE
    if not path.exists():
        raise errors.NotFound(f"no relay has held anything in {path.parent}")
    with closing(Waiting(path)) as waiting:
        yield waiting


def clear_garbage(settings: config.Settings, waiting: Waiting) -> None:
    """Let go of bytes that nobody waits for any more."""
    with closing(LocalBlobs(relay_folder(settings) / places.BLOBS)) as blobs:
        relay.clear_garbage(waiting, blobs)


def find_forwarded(settings: config.Settings) -> list[str] | None:
    """To whom a relay sends what the folder holds; None while no relay runs."""
    home = relay_folder(settings)
    try:
        with _alone(home):
            return None
    except errors.Unavailable:
        return (home / _FORWARDING).read_text("utf-8").splitlines()


@contextmanager
def open_relay(
    settings: config.Settings, named: dict[str, config.Destination], maker: Maker | None = None
) -> Iterator[Relay]:
    """The relay in this process. WrongSetting, Malformed for a folder with other things in it, Unavailable."""
    wanted = [destinations.make(settings, name, section) for name, section in named.items()]
    home = relay_folder(settings)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(path.name not in _PLACES for path in home.iterdir()):
        raise errors.Malformed(f"{home} holds other files; name a new or empty folder in relay.folder")
    reserve = Reserve(home / places.RESERVE)
    with ExitStack() as stack:
        blobs = stack.enter_context(closing(LocalBlobs(home / places.BLOBS)))
        waiting = stack.enter_context(closing(reserve.help_out(lambda: Waiting(home / QUEUE))))
        bounds = settings.relay
        yield Relay(
            waiting=waiting,
            blobs=blobs,
            spool=Spool(home / places.SPOOL),
            room=Room(reserve, waiting.held_bytes, quota=bounds.most_bytes, least_free=bounds.min_free_bytes),
            destinations=wanted,
            log=Log(),
            maker=maker,
            limits=archives.limits(settings),
        )


@contextmanager
def open_intake(settings: config.Settings, named: dict[str, config.Destination]) -> Iterator[House]:
    """What the DIMSE door opens onto in this process: the way into the queue."""
    with open_relay(settings, named) as opened:
        opened.sweep()
        nothing = Nothing()
        yield House(
            origin=Origin(search=nothing, retrieve=nothing, store=opened.intake),
            settings=doors.door_settings(settings),
            log=Log(),
            spool=opened.spool,
            services=_SERVICES,
        )


@contextmanager
def _alone(home: Path, *, tries: int = 1) -> Iterator[TextIO]:
    """One process forwards what a folder holds, and writes down to whom. Unavailable while another does.

    Several tries: who looks at the queue has it for a moment, and so has what was killed and is not quite dead.
    """
    with (home / _FORWARDING).open("a", encoding="utf-8") as file:
        while not _can_lock(file):
            tries -= 1
            if not tries:
                raise errors.Unavailable(f"another relay forwards what {home} holds; name a folder for each")
            time.sleep(_BETWEEN_TRIES)
        yield file


def _can_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def serve_relay(
    settings: config.Settings,
    wanted: Sequence[str] = (),
    *,
    announce: Callable[[str, int], None] | None = None,
) -> None:
    """Take in by DIMSE where the settings say and forward to the destinations, until told to stop by a signal.

    `wanted`: instead of all destinations of the settings. `announce` hears where, when it is ready. WrongSetting,
    NotInstalled without the extras, Unavailable when nobody can listen there or another relay has the folder.
    """
    for extra in ("server", "dimse"):
        extras.require(extra)
    named = destinations.name_destinations(settings, wanted)
    if not named:
        raise config.WrongSetting("destinations: none is named, so nobody would take what comes in")
    doors.door_settings(settings)  # what is wrong with them is said here, once and plainly
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as stack:
        maker = None
        if any(section.compress != "none" for section in named.values()):
            workers = stack.enter_context(Workers(applications.worker_limits(1)))
            maker = Maker(workers=workers, limits=archives.limits(settings))
        opened = stack.enter_context(open_relay(settings, named, maker))
        _write_names(stack.enter_context(_alone(relay_folder(settings), tries=_TRIES)), named)
        opened.sweep()
        _tell_of_strangers(opened)
        section = settings.dimse
        if section.port >= 0:
            listening = stack.enter_context(door.listen(section.host, section.port))
        stack.enter_context(opened.forwarding())
        if section.port >= 0:
            house = functools.partial(open_intake, settings, {name: _plain(each) for name, each in named.items()})
            count = doors.processes(section)
            stop_seconds = settings.server.stop_seconds
            stack.enter_context(door_processes.serving(house, listening, count, stop_seconds=stop_seconds))
            host, port = listening.getsockname()[:2]
            if announce is not None:
                announce(host, port)
        stopping.wait()


def _write_names(file: TextIO, names: Iterable[str]) -> None:
    """For who looks at the queue. On a full disk they are missing, and all goes on."""
    with suppress(OSError):
        file.truncate(0)
        file.write("\n".join(names))
        file.flush()


def _plain(section: config.Destination) -> config.Destination:
    """For processes that only take in: rules alone."""
    return replace(section, compress="none")


def _tell_of_strangers(opened: Relay) -> None:
    """What waits for destinations that the settings do not name any more stays, and is said."""
    known = {each.name for each in opened.destinations}
    for name in opened.waiting.destinations():
        progress = opened.waiting.progress(name)
        if name not in known and (progress.waiting or progress.shelved):
            opened.log.event(
                "no such destination", destination=name, waiting=progress.waiting, shelved=progress.shelved
            )
