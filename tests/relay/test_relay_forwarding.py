"""A relay in this process before receivers on real sockets: what arrives, how often, and what does not (issue 7)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import relay_started as started
from receiver_made import Receiver, receiving

from dicomgate import assembly, config
from dicomgate.dicom import outcomes
from dicomgate.dicom.outcomes import Outcome, Reason, Refused, Stored
from dicomgate.relay.relay import Relay
from dicomgate.testing import instances


def settings_of(here: Path, *, most_bytes: int = 0, **destinations: Mapping[str, object]) -> config.Settings:
    named = {name: config.Destination(**{**started.QUICK, **said}) for name, said in destinations.items()}  # type: ignore[arg-type]
    return config.Settings(relay=config.Relay(folder=str(here / "held"), most_bytes=most_bytes), destinations=named)


@contextmanager
def opened(settings: config.Settings) -> Iterator[Relay]:
    with assembly.open_relay(settings, dict(settings.destinations)) as relay:
        relay.sweep()
        yield relay


def offer(relay: Relay, file: bytes, caller: str = "CT1") -> Outcome:
    arrival = relay.spool.arrival()
    arrival.caller = caller
    try:
        arrival.write(file)
        return relay.intake.accept(arrival)
    finally:
        arrival.discard()


def offer_all(relay: Relay, files: Mapping[str, bytes], caller: str = "CT1", *, at_once: int = 1) -> None:
    with ThreadPoolExecutor(at_once) as pool:
        for outcome in pool.map(lambda file: offer(relay, file, caller), files.values()):
            assert isinstance(outcome, Stored)


def is_empty(relay: Relay, name: str = "hub") -> Callable[[], bool]:
    return lambda: relay.waiting.progress(name).waiting == 0


def is_shelved(relay: Relay, count: int, name: str = "hub") -> Callable[[], bool]:
    return lambda: relay.waiting.progress(name).shelved == count


def blobs_of(relay: Relay) -> int:
    return len(list(relay.blobs.keys()))


@pytest.mark.slow
def test_everything_arrives_once_in_order_and_leaves_nothing_behind(tmp_path: Path) -> None:
    files = started.make(30)
    with receiving(Receiver()) as receiver:
        settings = settings_of(tmp_path, hub={"to": receiver.root, "requests": 1})
        with opened(settings) as relay, relay.forwarding():
            offer_all(relay, files)
            started.wait_until(is_empty(relay))
            assert receiver.kept == files
            assert receiver.order == list(files)
            assert set(receiver.came.values()) == {1}
            started.wait_until(lambda: blobs_of(relay) == 0)
            started.wait_until(lambda: relay.waiting.garbage() == [])
            progress = relay.waiting.progress("hub")
            assert (progress.delivered, progress.delivered_bytes) == (30, sum(map(len, files.values())))


@pytest.mark.slow
def test_a_receiver_that_was_down_while_a_thousand_were_queued_gets_each_of_them_once(tmp_path: Path) -> None:
    files = started.make(1000)
    receiver = Receiver.silent()
    settings = settings_of(tmp_path, hub={"to": receiver.root})
    with opened(settings) as relay, relay.forwarding():
        offer_all(relay, files, at_once=8)
        started.wait_until(lambda: relay.waiting.progress("hub").failing_since is not None)
        progress = relay.waiting.progress("hub")
        assert (progress.waiting, progress.shelved, progress.delivered) == (1000, 0, 0)
        assert "cannot" in progress.why
        with receiving(receiver):
            started.wait_until(is_empty(relay))
    assert receiver.kept == files
    assert set(receiver.came.values()) == {1}
    assert len(receiver.requests) < 200, "many go together"


def test_what_waits_is_sent_after_a_restart(tmp_path: Path) -> None:
    files = started.make(3)
    with receiving(Receiver()) as receiver:
        settings = settings_of(tmp_path, hub={"to": receiver.root})
        with opened(settings) as relay:
            offer_all(relay, files)
            assert receiver.kept == {}
        with opened(settings) as relay, relay.forwarding():
            started.wait_until(is_empty(relay))
    assert receiver.kept == files


def test_what_comes_again_while_it_waits_is_held_once(tmp_path: Path) -> None:
    files = started.make(1)
    with receiving(Receiver()) as receiver, opened(settings_of(tmp_path, hub={"to": receiver.root})) as relay:
        for again in (False, True, True):
            outcome = offer(relay, *files.values())
            assert isinstance(outcome, Stored)
            assert outcome.again is again
        assert blobs_of(relay) == 1
        with relay.forwarding():
            started.wait_until(is_empty(relay))
    assert set(receiver.came.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("answer", [500, 400])
def test_a_poisoned_instance_goes_to_the_shelf_while_others_pass(tmp_path: Path, answer: int) -> None:
    files = started.make(20)
    poisoned = list(files)[7]
    with (
        receiving(Receiver(decide=lambda instance: -answer if instance == poisoned else None)) as receiver,
        opened(settings_of(tmp_path, hub={"to": receiver.root, "doubts": 3})) as relay,
        relay.forwarding(),
    ):
        offer_all(relay, files)
        started.wait_until(lambda: len(receiver.kept) == 19)
        shelved = is_shelved(relay, 1)

        def pass_others() -> bool:
            offer_all(relay, started.make(1))
            return shelved()

        started.wait_until(pass_others)
        started.wait_until(is_empty(relay))
        (held,) = relay.waiting.errands("hub", is_shelved=True)
        assert held.held.target.instance == poisoned
        assert held.tries >= held.doubts >= 3
        assert str(answer) in held.why
        assert poisoned not in receiver.kept
        receiver.decide = lambda _: None
        assert relay.waiting.again([("hub", held.held.number)]) == 1
        started.wait_until(lambda: poisoned in receiver.kept)


@pytest.mark.slow
def test_a_receiver_that_fails_everything_shelves_nothing(tmp_path: Path) -> None:
    files = started.make(5)
    with (
        receiving(Receiver(decide=lambda _: -500)) as receiver,
        opened(settings_of(tmp_path, hub={"to": receiver.root, "doubts": 2})) as relay,
        relay.forwarding(),
    ):
        offer_all(relay, files)
        started.wait_until(lambda: len(receiver.requests) > 8)
        progress = relay.waiting.progress("hub")
        assert (progress.waiting, progress.shelved) == (5, 0)
        receiver.decide = lambda _: None
        started.wait_until(is_empty(relay))
    assert receiver.kept == files


@pytest.mark.slow
@pytest.mark.parametrize("answer", [503, 429, 507, 401])
def test_what_is_the_receivers_own_affair_counts_against_no_instance(tmp_path: Path, answer: int) -> None:
    files = started.make(3)
    with (
        receiving(Receiver(decide=lambda _: -answer)) as receiver,
        opened(settings_of(tmp_path, hub={"to": receiver.root, "doubts": 1})) as relay,
        relay.forwarding(),
    ):
        offer_all(relay, files)
        started.wait_until(lambda: len(receiver.requests) > 1)
        assert [each.doubts for each in relay.waiting.errands("hub", is_shelved=False)] == [0, 0, 0]
        started.wait_until(lambda: str(answer) in relay.waiting.progress("hub").why)
        receiver.decide = lambda _: None
        started.wait_until(is_empty(relay))
    assert receiver.kept == files


def test_what_a_receiver_refuses_for_good_goes_to_the_shelf_with_its_code(tmp_path: Path) -> None:
    files = started.make(4)
    bad = list(files)[2]
    decide = {bad: int(Reason.CANNOT_UNDERSTAND)}
    with (
        receiving(Receiver(decide=decide.get)) as receiver,
        opened(settings_of(tmp_path, hub={"to": receiver.root})) as relay,
        relay.forwarding(),
    ):
        offer_all(relay, files)
        started.wait_until(is_empty(relay))
        (held,) = relay.waiting.errands("hub", is_shelved=True)
        assert (held.held.target.instance, held.code) == (bad, Reason.CANNOT_UNDERSTAND)
        assert held.why == outcomes.MEANINGS[Reason.CANNOT_UNDERSTAND]
        assert receiver.came[bad] == 1
        started.wait_until(lambda: blobs_of(relay) == 1 and not relay.waiting.garbage())
        assert relay.waiting.discard([("hub", held.held.number)], "a test") == 1
        (given_up,) = relay.waiting.discarded()
        assert (given_up.target.instance, given_up.reason) == (bad, "a test")
        assert relay.sweep() == 1
        assert blobs_of(relay) == 0


@pytest.mark.parametrize("is_same", [True, False])
def test_what_is_refused_as_known_is_compared(tmp_path: Path, *, is_same: bool) -> None:
    """Delivered where the receiver has the same data set; shelved where it has another one."""
    target = instances.new_target()
    file, other = instances.make(target), instances.make(target, rows=9)
    instance = target.instance or ""
    with receiving(Receiver(decide=lambda _: 0x0111)) as receiver:
        receiver.kept[instance] = file if is_same else other
        with opened(settings_of(tmp_path, hub={"to": receiver.root})) as relay, relay.forwarding():
            offer_all(relay, {instance: file})
            started.wait_until(is_empty(relay))
            progress = relay.waiting.progress("hub")
            assert (progress.delivered, progress.shelved) == ((1, 0) if is_same else (0, 1))


def test_damaged_bytes_are_never_sent_D6(tmp_path: Path) -> None:
    files = started.make(2)
    with receiving(Receiver()) as receiver, opened(settings_of(tmp_path, hub={"to": receiver.root})) as relay:
        offer_all(relay, files)
        first = next(iter(files.values()))
        path = next(
            each for each in (tmp_path / "held/blobs").rglob("*") if each.is_file() and each.read_bytes() == first
        )
        content = bytearray(first)
        content[-1] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)
        with relay.forwarding():
            started.wait_until(is_empty(relay))
        (held,) = relay.waiting.errands("hub", is_shelved=True)
        assert "damaged" in held.why
    assert list(receiver.kept) == list(files)[1:]


def test_each_destination_gets_what_its_rule_says_and_none_holds_up_another(tmp_path: Path) -> None:
    head = started.make(2, attributes={"Modality": "MR", "StudyDescription": "HEAD routine"})
    chest = started.make(2, attributes={"Modality": "CT", "StudyDescription": "CHEST"})
    down = Receiver.silent()
    with receiving(Receiver()) as every, receiving(Receiver()) as neuro:
        settings = settings_of(
            tmp_path,
            every={"to": every.root, "callers": ("CT1", "MR1")},
            neuro={"to": neuro.root, "match": ("Modality=MR", "StudyDescription=*HEAD*", "StudyDescription=*SPINE*")},
            down={"to": down.root, "callers": ("MR1",)},
        )
        with opened(settings) as relay, relay.forwarding():
            offer_all(relay, head, "MR1")
            offer_all(relay, chest, "CT1")
            refused = offer(relay, *started.make(1).values(), caller="XX")
            assert isinstance(refused, Refused)
            assert "no destination takes it" in refused.message
            for name in ("every", "neuro"):
                started.wait_until(is_empty(relay, name))
            started.wait_until(lambda: relay.waiting.progress("down").failing_since is not None)
            assert relay.waiting.progress("down").waiting == 2
            started.wait_until(lambda: blobs_of(relay) == 2)
            with receiving(down):
                started.wait_until(is_empty(relay, "down"))
    assert every.kept == {**head, **chest}
    assert neuro.kept == down.kept == head


def test_beyond_the_bound_nothing_is_taken_and_what_was_is_sent(tmp_path: Path) -> None:
    files = started.make(4)
    most = sum(map(len, files.values())) - 10
    with (
        receiving(Receiver()) as receiver,
        opened(settings_of(tmp_path, most_bytes=most, hub={"to": receiver.root})) as relay,
    ):
        outcomes_ = {instance: offer(relay, file) for instance, file in files.items()}
        taken = [instance for instance, outcome in outcomes_.items() if isinstance(outcome, Stored)]
        refused = [outcome for outcome in outcomes_.values() if isinstance(outcome, Refused)]
        assert len(taken) == 3
        assert [each.reason for each in refused] == [Reason.OUT_OF_RESOURCES]
        assert blobs_of(relay) == 3
        with relay.forwarding():
            started.wait_until(is_empty(relay))
    assert list(receiver.kept) == taken


def test_two_contents_of_one_instance_go_one_after_the_other_and_hold_up_no_other(tmp_path: Path) -> None:
    target = instances.new_target()
    first, second = instances.make(target), instances.make(target, rows=9)
    other = started.make(1)
    came, may_go = threading.Event(), threading.Event()

    def hold(held: list[str]) -> None:
        if target.instance in held:
            came.set()
            assert may_go.wait(started.PATIENCE)

    with (
        receiving(Receiver(before=hold)) as receiver,
        opened(settings_of(tmp_path, hub={"to": receiver.root})) as relay,
        relay.forwarding(),
    ):
        assert isinstance(offer(relay, first), Stored)
        assert came.wait(started.PATIENCE)
        came.clear()
        assert isinstance(offer(relay, second), Stored)
        offer_all(relay, other)
        started.wait_until(lambda: receiver.kept == other)
        assert not came.is_set()
        may_go.set()
        started.wait_until(is_empty(relay))
    assert receiver.kept == {target.instance: second, **other}
