"""The parts of a relay by themselves: rules, pauses, the bound on bandwidth, what answers mean, the queue's file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.client.offers import NOWHERE, Became, Receipt
from dicomgate.client.request import Busy, Lost
from dicomgate.dicom.outcomes import Reason
from dicomgate.index.errands import Held, Trial
from dicomgate.index.waiting import Waiting
from dicomgate.relay import judgement, rules, throttle
from dicomgate.relay.judgement import Judgement
from dicomgate.relay.pauses import Pauses
from dicomgate.relay.throttle import Throttle
from dicomgate.testing import instances

MR: dict[str, Any] = {
    "00080060": {"vr": "CS", "Value": ["MR"]},
    "00081030": {"vr": "LO", "Value": ["HEAD routine"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00080020": {"vr": "DA", "Value": ["20240102"]},
}


@pytest.mark.parametrize(
    ("callers", "match", "expected"),
    [
        ([], [], True),
        (["MR1"], [], True),
        (["CT1"], [], False),
        (["CT1", " MR1 "], [], True),
        ([], ["Modality=MR"], True),
        ([], ["Modality=CT"], False),
        ([], ["Modality=CT,MR"], True),
        ([], ["Modality=CT", "Modality=US,MR"], True),
        ([], ["00080060=MR"], True),
        ([], ["StudyDescription=*HEAD*"], True),
        ([], ["StudyDescription=*SPINE*", "StudyDescription=HEAD*"], True),
        ([], ["StudyDescription=*SPINE*"], False),
        ([], ["Modality=MR", "StudyDescription=*SPINE*"], False),
        ([], ["StudyInstanceUID=1.2.3"], True),
        ([], ["StudyInstanceUID=1.2.4"], False),
        ([], ["StudyDate=20240101-20240131"], True),
        ([], ["StudyDate=20240201-"], False),
        ([], ["BodyPartExamined=HEAD"], False),
        (["CT1"], ["Modality=MR"], False),
    ],
)
def test_who_wants_what(callers: list[str], match: list[str], *, expected: bool) -> None:
    assert rules.parse_rule(callers, match).wants("MR1", MR) is expected


@pytest.mark.parametrize("match", ["Modality", "NoSuchWord=1", "=MR", "StudyDate=soon", "StudyInstanceUID=x"])
def test_what_is_no_rule(match: str) -> None:
    with pytest.raises(errors.Malformed):
        rules.parse_rule([], [match])


def test_a_rule_has_its_bound() -> None:
    with pytest.raises(errors.TooLarge):
        rules.parse_rule([], ["Modality=MR"] * 101)


@given(st.integers(1, 200), st.floats(0.01, 10), st.floats(10, 1000))
def test_pauses_grow_and_end(failures: int, first: float, longest: float) -> None:
    pauses = Pauses(first=first, longest=longest)
    whole = min(first * 2 ** (failures - 1), longest)
    assert whole * 0.75 <= pauses.after(failures) <= whole


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.0)


@pytest.mark.parametrize("size", [16, 1000, 100_000])
def test_no_more_leaves_in_a_time_than_the_bound_says(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    clock, rate, left = Clock(), 20_000, 0
    monkeypatch.setattr(throttle, "time", clock)
    monkeypatch.setattr(throttle, "asyncio", clock)
    content = bytes(range(256)) * 800
    began, seen = clock.now, bytearray()

    async def leave() -> None:
        nonlocal left
        slow = Throttle(rate)
        for start in range(0, len(content), size):
            async for part in slow.slowed(content[start : start + size]):
                seen.extend(part)
                assert left <= rate * (clock.now - began) + 0.001, "what left before has had its time"
                left += len(part)
                assert len(part) <= rate // 20, "even"

    asyncio.run(leave())
    assert seen == content
    assert clock.now - began == pytest.approx(len(content) / rate, rel=0.02)


def test_time_that_nobody_used_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    monkeypatch.setattr(throttle, "asyncio", clock)

    async def leave() -> float:
        slow = Throttle(1000)
        async for _ in slow.slowed(bytes(1000)):
            pass
        clock.now += 3600
        began = clock.now
        async for _ in slow.slowed(bytes(1000)):
            pass
        return clock.now - began

    assert asyncio.run(leave()) > 0.7


def receipt(became: Became, code: int | None = None) -> Receipt:
    return Receipt(path=NOWHERE, became=became, target=instances.new_target(), code=code)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (receipt(Became.STORED), Judgement.ARRIVED),
        (receipt(Became.STORED, 0xB000), Judgement.ARRIVED),
        (receipt(Became.KNOWN), Judgement.ARRIVED),
        (receipt(Became.REFUSED, Reason.OUT_OF_RESOURCES), Judgement.LATER),
        (receipt(Became.REFUSED, 0xA7FF), Judgement.LATER),
        (receipt(Became.REFUSED), Judgement.DOUBT),
        (receipt(Became.REFUSED, Reason.PROCESSING_FAILURE), Judgement.DOUBT),
        (receipt(Became.REFUSED, 0x0111), Judgement.SHELF),
        (receipt(Became.REFUSED, Reason.CANNOT_UNDERSTAND), Judgement.SHELF),
        (receipt(Became.REFUSED, Reason.OTHER_CONTENT), Judgement.SHELF),
        (receipt(Became.UNREADABLE), Judgement.SHELF),
    ],
)
def test_what_answers_mean(said: Receipt, expected: Judgement) -> None:
    assert judgement.judge(said) is expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (errors.UpstreamFailed("500"), Judgement.DOUBT),
        (Lost("down"), Judgement.LATER),
        (Busy("503"), Judgement.LATER),
        (errors.Forbidden("401"), Judgement.LATER),
        (errors.Unavailable("our own disk"), Judgement.LATER),
    ],
)
def test_what_faults_mean(fault: errors.Fault, expected: Judgement) -> None:
    assert judgement.judge_fault(fault) is expected


def held(number: int) -> Held:
    target = instances.new_target()
    words = {"sop_class": "1.2", "transfer_syntax": "1.2.840.10008.1.2.1", "checksum": "", "caller": "CT1"}
    return Held(key=f"key{number}", target=target, size=number, digest=f"d{number}", received=float(number), **words)


def on(path: Path, deed: Callable[[Waiting], object]) -> object:
    """Each deed in an opening of its own: nothing is only in memory."""
    with closing(Waiting(path)) as waiting:
        return deed(waiting)


def test_the_queue_keeps_who_wants_what_and_why_it_waits(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    first, second = held(1), held(2)
    assert on(path, lambda queue: queue.add(first, ["a", "b"])) is True
    assert on(path, lambda queue: queue.add(second, ["a"])) is True
    assert on(path, lambda queue: queue.add(first, ["a", "c"])) is False
    with closing(Waiting(path)) as queue:
        assert queue.destinations() == ["a", "b", "c"]
        one, two = queue.due("a", 5.0, 10)
        assert [one.held.digest, two.held.digest] == ["d1", "d2"]
        queue.note("a", [Trial(number=one.held.number, due=50.0, began=4.0, why="w", code=7, is_doubt=True)])
        queue.note(
            "a", [Trial(number=two.held.number, due=0.0, began=5.0, why="s", shelve=True)], next_try=9.0, why="x"
        )
    with closing(Waiting(path)) as queue:
        assert queue.due("a", 5.0, 10) == []
        (one,) = queue.due("a", 50.0, 10)
        assert (one.tries, one.doubts, one.doubted, one.code, one.why) == (1, 1, 4.0, 7, "w")
        (two,) = queue.errands("a", is_shelved=True)
        assert two.why == "s"
        progress = queue.progress("a")
        assert (progress.waiting, progress.waiting_bytes, progress.oldest, progress.shelved) == (1, 1, 1.0, 1)
        assert (progress.next_try, progress.why) == (9.0, "x")
        assert progress.failing_since is not None
        assert queue.is_paused("a", 8.0)
        assert not queue.is_paused("a", 9.0)
        assert queue.deliver("b", [one.held]) == []
        assert queue.deliver("c", [one.held]) == []
        assert queue.deliver("a", [one.held]) == ["key1"]
        assert queue.garbage() == ["key1"]
        queue.forget_garbage(["key1"])
        progress = queue.progress("a")
        assert (progress.delivered, progress.delivered_bytes, progress.failing_since) == (1, 1, None)
        assert queue.again([("a", two.held.number), ("z", 99)]) == 1
        assert queue.discard([("a", two.held.number)], "because") == 1
        (gone,) = queue.discarded()
        assert (gone.number, gone.destination, gone.target, gone.why, gone.reason) == (
            two.held.number,
            "a",
            second.target,
            "s",
            "because",
        )
        assert queue.garbage() == ["key2"]
        assert queue.known_keys(["key1", "key2"]) == set()


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "queue.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(errors.Conflict):
        Waiting(path)
