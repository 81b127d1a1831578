"""The exchanges of a tunnel: bodies arrive whole under any interleaving, no more waits than was allowed, and no rule of
the other side's is taken on trust."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.tunnel import exchanges, frames
from dicomgate.tunnel.exchanges import MOST, WINDOW, Exchanges
from dicomgate.tunnel.frames import Answered, Asked, Frame, Kind

ASKED = Asked(b"GET", b"/dicomweb/studies", b"https://hub/sites/a", ())
ANSWERED = Answered(200, ((b"content-type", b"text/plain"),))


def pair() -> tuple[Exchanges, Exchanges]:
    return Exchanges(is_hub=True), Exchanges(is_hub=False)


def begin(hub: Exchanges, site: Exchanges) -> int:
    number, message = hub.open(ASKED)
    frame = site.receive(message)
    assert frame is not None
    assert frames.parse_asked(frame.content) == ASKED
    return number


def message(kind: Kind, number: int, content: bytes = b"") -> bytes:
    return frames.write_frame(Frame(kind, number, content))


@given(st.lists(st.integers(0, 3 * WINDOW), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_answers_arrive_whole_in_any_order_of_sending_and_taking(sizes, chance):
    hub, site = pair()
    numbers = [begin(hub, site) for _ in sizes]
    left = dict(zip(numbers, sizes, strict=True))
    got = dict.fromkeys(numbers, 0)
    waiting: dict[int, deque[int]] = {number: deque() for number in numbers}
    for number in numbers:
        hub.receive(hub_side := site.send_head(number, ANSWERED))
        assert hub_side
        site.receive(hub.send_end(number))
    ended: set[int] = set()
    while len(ended) < len(numbers) or any(waiting.values()):
        number = chance.choice(numbers)
        if number not in ended:
            if left[number] == 0:
                hub.receive(site.send_end(number))
                ended.add(number)
            elif size := min(left[number], site.room(number)):
                left[number] -= size
                frame = hub.receive(site.send_data(number, bytes(size)))
                assert frame is not None
                waiting[number].append(len(frame.content))
        assert sum(waiting[number]) <= WINDOW
        if waiting[number] and chance.random() < 0.5:
            size = waiting[number].popleft()
            got[number] += size
            if credit := hub.take(number, size):
                site.receive(credit)
    assert got == dict(zip(numbers, sizes, strict=True))
    assert len(hub) == len(site) == 0


def test_who_takes_nothing_is_sent_a_window_and_holds_up_nobody_else():
    hub, site = pair()
    slow, quick = begin(hub, site), begin(hub, site)
    for number in (slow, quick):
        hub.receive(site.send_head(number, ANSWERED))
    while site.room(slow):
        hub.receive(site.send_data(slow, bytes(site.room(slow))))
    for _ in range(100):
        size = site.room(quick)
        assert size == frames.LONGEST_DATA
        hub.receive(site.send_data(quick, bytes(size)))
        if credit := hub.take(quick, size):
            site.receive(credit)
    assert site.room(slow) == 0


def test_one_exchange_too_many_is_refused_before_it_is_sent():
    hub, site = pair()
    for _ in range(MOST):
        begin(hub, site)
    with pytest.raises(errors.Unavailable):
        hub.open(ASKED)
    with pytest.raises(errors.Malformed):
        site.receive(message(Kind.OPEN, MOST + 1, frames.format_asked(ASKED)))


def test_what_comes_after_a_reset_is_let_go():
    hub, site = pair()
    number = begin(hub, site)
    late = [site.send_head(number, ANSWERED), site.send_data(number, b"late")]
    reset = hub.send_reset(number)
    assert [hub.receive(one) for one in late] == [None, None]
    assert site.receive(reset) == Frame(Kind.RESET, number)
    assert (hub.send_reset(number), number in site, len(hub)) == (b"", False, 0)
    assert begin(hub, site) == number + 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda number: [message(Kind.DATA, number, b"x")],
        lambda number: [message(Kind.END, number)],
        lambda number: [message(Kind.OPEN, number + 1, frames.format_asked(ASKED))],
        lambda number: [message(Kind.DATA, number + 1, b"x")],
        lambda number: [message(Kind.CREDIT, number, frames.format_credit(1))],
        lambda number: [message(Kind.CREDIT, number, b"")],
        lambda number: [message(Kind.HEAD, number, b"200"), message(Kind.HEAD, number, b"200")],
        lambda number: [message(Kind.HEAD, number, b"200"), message(Kind.DATA, number)],
        lambda number: [message(Kind.HEAD, number, b"200"), message(Kind.END, number), message(Kind.END, number)],
        lambda number: (
            [message(Kind.HEAD, number, b"200")]
            + [message(Kind.DATA, number, bytes(frames.LONGEST_DATA))] * (WINDOW // frames.LONGEST_DATA + 1)
        ),
    ],
)
def test_a_site_that_breaks_the_rules_is_found_out(wrong):
    hub, site = pair()
    number = begin(hub, site)
    with pytest.raises((errors.Malformed, errors.TooLarge)):
        [hub.receive(one) for one in wrong(number)]


def test_windows_are_multiples_of_pieces():
    assert exchanges.WINDOW % frames.LONGEST_DATA == 0
