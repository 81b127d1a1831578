"""Parts of one request that contradict each other: the earlier one wins, whatever the threads do (T10)."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable

import pytest
from made_origin import Made

from dicomgate.dicom import header
from dicomgate.dicom.outcomes import Outcome, Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Target
from dicomgate.server.order import Order
from dicomgate.testing import instances
from dicomgate.testing.serving import Served

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

TARGET = instances.new_target()


def body_of(*contents: bytes) -> bytes:
    return b"".join(b"--XX\r\n\r\n" + content + b"\r\n" for content in contents) + b"--XX--\r\n"


def judged(serve_made: Callable[..., Served], *contents: bytes, patience: float) -> list[int]:
    """In which order the parts were judged; the first waits for another, as long as it has patience."""
    made = Made()
    began: list[int] = []
    others_began = threading.Event()

    def judge(content: bytes) -> Outcome:
        number = contents.index(content)
        if number == 0:
            others_began.wait(patience)
        began.append(number)
        others_began.set()
        return Stored(TARGET, "1.2")

    made.judge = judge
    reply = serve_made(made).ask(
        "POST", "/dicomweb/studies", {"Content-Type": "multipart/related; boundary=XX"}, body_of(*contents)
    )
    assert reply.status == 200
    return began


def other(**changes: str) -> Target:
    return dataclasses.replace(instances.new_target(TARGET.study, TARGET.series), **changes)


@pytest.mark.parametrize(
    "second",
    [
        instances.make(TARGET, attributes={"ImageComments": "other"}),
        instances.make(other(study=instances.new_target().study)),
        instances.make(other(), attributes={"PatientID": "another"}),
        instances.make(other(), attributes={"PatientName": "Another^Name"}),
    ],
    ids=["instance", "series in two studies", "study of two patients", "study of two names"],
)
def test_what_contradicts_an_earlier_part_waits_for_it(serve_made: Callable[..., Served], second: bytes) -> None:
    assert judged(serve_made, instances.make(TARGET), second, patience=0.3) == [0, 1]


def test_what_does_not_contradict_does_not_wait(serve_made: Callable[..., Served]) -> None:
    assert judged(serve_made, instances.make(TARGET), instances.make(other()), patience=20) == [1, 0]


def test_parts_that_never_enter_hold_nobody_back() -> None:
    order = Order()
    seen = header.read(BytesSource(instances.make(TARGET)))
    order.leave(0)
    order.leave(2)
    order.enter(1, seen)
    entered = threading.Event()

    def enter() -> None:
        order.enter(3, seen)
        entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    time.sleep(0.05)
    assert not entered.is_set()
    order.leave(1)
    assert entered.wait(20)
    waiting.join()
    order.leave(3)
    order.enter(4, None)


def test_third_part_waits_for_a_second_that_contradicts_the_first() -> None:
    """The first may yet be refused; then the second counts, and the third contradicts it."""
    order = Order()
    first, third = (header.read(BytesSource(instances.make(target))) for target in (TARGET, other()))
    second = header.read(BytesSource(instances.make(other(), attributes={"PatientID": "another"})))
    order.enter(0, first)
    order.leave(0)
    order.enter(1, second)
    entered = threading.Event()

    def enter() -> None:
        order.enter(2, third)
        entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.1)
    order.leave(1)
    assert entered.wait(20)
    waiting.join()
