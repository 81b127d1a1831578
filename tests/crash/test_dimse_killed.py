"""D1, D2 over DIMSE: a real server is killed in the midst of C-STORE; what it acknowledged is there, whole."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from random import Random

import pytest

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.part10 import read_beginning
from dicomgate.dicom.source import BytesSource
from dicomgate.dimse import associations
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.contexts import Offer
from dicomgate.testing import instances, processes
from dicomgate.testing.instances import SECONDARY_CAPTURE

ROUNDS = 4
SENDERS = 3


class Sender(threading.Thread):
    """Stores one instance after the other until the server has gone; notes each that was acknowledged."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.peer = Peer(title="DICOMGATE", host="127.0.0.1", port=port, own_title="TEST")
        self.acknowledged: dict[str, tuple[str, bytes]] = {}
        self.is_sending = threading.Event()
        self.was_cut = False

    def run(self) -> None:
        first = instances.new_target()
        try:
            with associations.opened(self.peer, [Offer(SECONDARY_CAPTURE, (syntaxes.EXPLICIT_LITTLE,))]) as called:
                while True:
                    target = instances.new_target(first.study, first.series)
                    file = instances.make(target, rows=64, columns=64)
                    dataset = file[read_beginning(BytesSource(file)).dataset_offset :]
                    instance = target.instance or ""
                    status = called.store(SECONDARY_CAPTURE, instance, syntaxes.EXPLICIT_LITTLE, [dataset])
                    assert status == 0
                    path = f"/dicomweb/studies/{target.study}/series/{target.series}/instances/{instance}"
                    self.acknowledged[instance] = (path, dataset)
                    self.is_sending.set()
        except errors.Fault:
            self.was_cut = True


@pytest.mark.timeout(600)
def test_nothing_that_was_acknowledged_by_dimse_is_lost_by_kills_D1(here: Path, chance: Random) -> None:
    acknowledged: dict[str, tuple[str, bytes]] = {}
    environment = {"DICOMGATE__DIMSE__PROCESSES": "2"}
    for _ in range(ROUNDS):
        server = processes.start("--dimse", "0", data=here / "data", log=here / "log", environment=environment)
        senders = [Sender(server.dimse) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            assert sender.is_sending.wait(100)
        time.sleep(chance.uniform(0.0, 0.4))
        server.kill()
        for sender in senders:
            sender.join(100)
            assert sender.was_cut
            acknowledged |= sender.acknowledged
    with processes.running(data=here / "data", log=here / "log") as server:
        for path, dataset in acknowledged.values():
            reply = server.ask("GET", path, {"Accept": "application/dicom; transfer-syntax=*"})
            assert reply.status == 200
            assert reply.body.endswith(dataset)
    print(f"{ROUNDS} kills, {len(acknowledged)} acknowledged, none lost")
