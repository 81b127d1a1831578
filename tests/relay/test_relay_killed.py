"""D1, issue 7: a relay is killed at 50 random points; nothing acknowledged is lost, nothing is at the receiver twice."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from random import Random, SystemRandom

import pytest
import relay_started as started
import relay_victim

from dicomgate import assembly, config, errors
from dicomgate.dicom import syntaxes
from dicomgate.dimse import associations
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.contexts import Offer
from dicomgate.testing import instances, processes
from dicomgate.testing.instances import SECONDARY_CAPTURE

KILLS = 50
SENDERS = 2


class Sender(threading.Thread):
    """Stores one instance after the other until the relay has gone; notes what was offered and what acknowledged."""

    def __init__(self, port: int, offered: dict[str, bytes], acknowledged: set[str]) -> None:
        super().__init__(daemon=True)
        self.peer = Peer(title="RELAY", host="127.0.0.1", port=port, own_title="TEST")
        self.offered, self.acknowledged = offered, acknowledged
        self.is_sending = threading.Event()
        self.unexpected: list[int] = []

    def run(self) -> None:
        first = instances.new_target()
        try:
            with associations.opened(self.peer, [Offer(SECONDARY_CAPTURE, (syntaxes.EXPLICIT_LITTLE,))]) as called:
                self.is_sending.set()
                while True:
                    target = instances.new_target(first.study, first.series)
                    instance = target.instance or ""
                    self.offered[instance] = instances.make(target)
                    dataset = started.dataset_of(self.offered[instance])
                    status = called.store(SECONDARY_CAPTURE, instance, syntaxes.EXPLICIT_LITTLE, [dataset])
                    if status:
                        self.unexpected.append(status)
                        return
                    self.acknowledged.add(instance)
        except errors.Fault:
            return
        finally:
            self.is_sending.set()


@pytest.mark.crash
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_relay_killed_at_random_loses_nothing_and_sends_nothing_twice_D1(tmp_path: Path) -> None:
    seed = os.environ.get("DICOMGATE_CRASH_SEED") or str(SystemRandom().getrandbits(32))
    print(f"seed {seed}")
    chance = Random(seed)
    offered: dict[str, bytes] = {}
    acknowledged: set[str] = set()
    with processes.running(data=tmp_path / "data", log=tmp_path / "server.log") as server:
        file = started.write_settings(tmp_path / "s.toml", held=tmp_path / "held", hub={"to": server.root})
        for _ in range(KILLS):
            victim = relay_victim.start(file)
            senders = [Sender(victim.port, offered, acknowledged) for _ in range(SENDERS)]
            for sender in senders:
                sender.start()
            for sender in senders:
                assert sender.is_sending.wait(100)
            time.sleep(chance.uniform(0.0, 0.25))
            victim.kill()
            for sender in senders:
                sender.join(100)
                assert sender.unexpected == []
        settings = config.read(file=file, environment={})
        with assembly.open_relay(settings, dict(settings.destinations)) as relay:
            relay.sweep()
            waited = relay.waiting.progress("hub").waiting
            with relay.forwarding():
                started.wait_until(lambda: relay.waiting.progress("hub").waiting == 0)
            assert relay.waiting.progress("hub").shelved == 0
            relay.sweep()
            assert list(relay.blobs.keys()) == []
        arrived = started.stored(server)
        assert len(arrived) == len(set(arrived))
        assert acknowledged <= set(arrived) <= set(offered)
        assert acknowledged
        for instance in chance.sample(sorted(arrived), min(20, len(arrived))):
            assert started.fetched(server, offered[instance]).endswith(started.dataset_of(offered[instance]))
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive:
        assert len(list(archive.blobs.keys())) == len(arrived)
    print(f"{KILLS} kills, {len(acknowledged)} acknowledged of {len(offered)}, {waited} waited at the end, none lost")
