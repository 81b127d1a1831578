"""D3 for a relay: on a full disk C-STORE is answered "out of resources", what was acknowledged is sent, and makes room."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from crash_disk import fill, mounted

from dicomgate import assembly, config
from dicomgate.assembly import relays
from dicomgate.dicom import syntaxes
from dicomgate.dicom.outcomes import Refused
from dicomgate.dicom.part10 import read_beginning
from dicomgate.dicom.source import BytesSource
from dicomgate.dimse import associations, door
from dicomgate.dimse.associations import Association, Peer
from dicomgate.dimse.contexts import Offer
from dicomgate.index.waiting import Waiting
from dicomgate.relay.relay import Relay
from dicomgate.testing import instances, processes
from dicomgate.testing.instances import SECONDARY_CAPTURE

FULL = 0xA700


def store(called: Association) -> tuple[str, int]:
    target = instances.new_target()
    file = instances.make(target, rows=256, columns=256)
    dataset = file[read_beginning(BytesSource(file)).dataset_offset :]
    instance = target.instance or ""
    return instance, called.store(SECONDARY_CAPTURE, instance, syntaxes.EXPLICIT_LITTLE, [dataset])


@pytest.mark.slow
def test_a_relay_on_a_full_disk_takes_nothing_loses_nothing_and_goes_on_D3(here: Path) -> None:
    with (
        mounted(here / "disk", "tmpfs", 24) as disk,
        processes.running(data=here / "data", log=here / "server.log") as server,
    ):
        hub = config.Destination(to=server.root, pause_seconds=0.05, longest_pause_seconds=0.1)
        settings = config.Settings(relay=config.Relay(folder=str(disk / "held")), destinations={"hub": hub})
        named = {"hub": hub}
        listening = door.listen("127.0.0.1", 0)
        peer = Peer(title="DICOMGATE", host="127.0.0.1", port=listening.getsockname()[1], own_title="TEST")
        offer = Offer(SECONDARY_CAPTURE, (syntaxes.EXPLICIT_LITTLE,))
        with (
            assembly.open_relay(settings, named) as relay,
            relays.open_intake(settings, named) as house,
            door.opened(house, listening),
            associations.opened(peer, [offer]) as called,
        ):
            acknowledged, status = [], 0
            while not status:
                instance, status = store(called)
                acknowledged += [instance] if not status else []
                assert len(acknowledged) < 400, "the disk does not fill"
            assert status == FULL
            fill(disk / "ballast", 0)
            assert store(called)[1] == FULL
            assert relay.waiting.progress("hub").waiting == len(acknowledged) > 50
            assert len(list(relay.blobs.keys())) == len(acknowledged)
            with relay.forwarding():
                wait_until_empty(relay)
                (disk / "ballast").unlink()
                instance, status = store(called)
                assert status == 0
                acknowledged.append(instance)
                wait_until_empty(relay)
        reply = server.ask("GET", "/dicomweb/instances?limit=1000")
    assert all(instance.encode() in reply.body for instance in acknowledged)
    assert reply.body.count(b'"00080018"') == len(acknowledged)


def wait_until_empty(relay: Relay) -> None:
    deadline = time.monotonic() + processes.PATIENCE
    while relay.waiting.progress("hub").waiting:
        assert time.monotonic() < deadline, relay.waiting.progress("hub")
        time.sleep(0.05)


def test_an_instance_whose_row_finds_no_room_leaves_nothing_D3(here: Path) -> None:
    hub = config.Destination(to="http://127.0.0.1:1/x")
    settings = config.Settings(relay=config.Relay(folder=str(here / "held")), destinations={"hub": hub})
    with (
        mounted(here / "disk", "tmpfs", 2) as disk,
        assembly.open_relay(settings, {"hub": hub}) as relay,
        closing(Waiting(disk / "queue.sqlite")) as waiting,
    ):
        intake = replace(relay.intake, waiting=waiting)
        fill(disk / "ballast", 0)
        is_full = False
        while not is_full:  # what is in the log already may have room
            arrival = relay.spool.arrival()
            arrival.write(instances.make())
            outcome = intake.accept(arrival)
            is_full = isinstance(outcome, Refused) and outcome.is_full
        (disk / "ballast").unlink()
        assert len(list(relay.blobs.keys())) == waiting.progress("hub").waiting
