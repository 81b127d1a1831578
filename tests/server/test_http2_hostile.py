"""Callers who know HTTP/2 and mean no good: each loses his connection, and nobody else notices (RFC 9113 §10.5; T13)."""

from __future__ import annotations

import gc
import os
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from h2.errors import ErrorCodes
from h2.settings import Settings
from http2_caller import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Caller,
    frame,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_application import Small
from waiting import until

from dicomgate.server.http2.gate import Abuse, Allowance, Gate
from dicomgate.server.http2.wire import STREAM_WINDOW, STREAMS
from dicomgate.server.settings import ConnectionLimits
from dicomgate.testing.serving import Served, serving

LIMITS = ConnectionLimits(header_bytes=8192, header_fields=20)
GET = b"\x82\x84\x86\x41\x09localhost"
"""A header block: GET / with an authority."""
BEGIN = PREFACE + frame(SETTINGS, 0)
END_STREAM, ACK, END_HEADERS = 1, 1, 4


@pytest.fixture(scope="module")
def small() -> Small:
    return Small(may_go=True)


@pytest.fixture(scope="module")
def served(small: Small) -> Iterator[Served]:
    with serving(small, LIMITS, http2=True) as one:
        yield one


@pytest.fixture
def other(served: Served) -> Iterator[Caller]:
    """Somebody else, whose connection was open before and goes on."""
    with Caller(served.port) as one:
        assert one.get("/").status == 200
        yield one
        assert one.get("/").status == 200


@pytest.fixture
def held(small: Small) -> Iterator[None]:
    """`/hold` reads nothing."""
    small.may_go = False
    yield
    small.may_go = True
    assert until(lambda: small.running == 0)


def code_for(port: int, *said: bytes) -> ErrorCodes:
    """Why the connection of one who says this ends."""
    with Caller(port, greets=False) as caller:
        caller.h2.initiate_connection()
        caller.h2.clear_outbound_data_buffer()
        for piece in said:
            caller.say(piece)
        farewell = caller.last_words()
    assert farewell is not None
    return farewell.error_code


def request(stream: int, *, flags: int = END_HEADERS | END_STREAM, block: bytes = GET) -> bytes:
    return frame(HEADERS, stream, block, flags=flags)


def cancel(stream: int) -> bytes:
    return frame(RST_STREAM, stream, (8).to_bytes(4, "big"))


FLOODS = {
    "pings": frame(PING, 0, b"12345678") * 20_000,
    "answers to pings": frame(PING, 0, b"12345678", flags=ACK) * 20_000,
    "settings": frame(SETTINGS, 0, struct.pack(">HI", 4, 70_000)) * 2000,
    "table sizes": frame(SETTINGS, 0, struct.pack(">HIHI", 1, 0, 1, 1 << 31)) * 2000,
    "settings that nobody knows": b"".join(
        frame(SETTINGS, 0, b"".join(struct.pack(">HI", 1000 + 90 * at + code, 1) for code in range(90)))
        for at in range(300)
    ),
    "acknowledgements": frame(SETTINGS, 0, flags=ACK) * 20_000,
    "priorities": frame(PRIORITY, 3, struct.pack(">IB", 5, 1)) * 20_000,
    "windows": frame(WINDOW_UPDATE, 0, b"\0\0\0\1") * 20_000,
    "extensions": frame(0x42, 0) * 20_000,
    "nothing at all": request(1, flags=END_HEADERS) + frame(DATA, 1) * 20_000,
    "single bytes": request(1, flags=END_HEADERS) + frame(DATA, 1, b"x") * 20_000,
    "padding": request(1, flags=END_HEADERS) + frame(DATA, 1, b"\x09" + bytes(9), flags=8) * 20_000,
    "cancelled requests": b"".join(request(at) + cancel(at) for at in range(1, 20_000, 2)),
    "requests that are never heard of again": b"".join(request(at, flags=END_HEADERS) for at in range(1, 20_000, 2)),
    "requests that are none": b"".join(request(at, block=GET + b"\x00\x01x\x01\x01") for at in range(1, 2000, 2)),
    "windows that burst": b"".join(
        request(at, flags=END_HEADERS) + frame(WINDOW_UPDATE, at, b"\x7f\xff\xff\xff") for at in range(1, 2000, 2)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_is_ended_T13(served: Served, other: Caller, kind: str) -> None:
    codes = {ErrorCodes.ENHANCE_YOUR_CALM}
    if kind in {"requests that are never heard of again", "requests that are none"}:
        codes.add(ErrorCodes.PROTOCOL_ERROR)  # the library's bound comes first when they come at once
    assert code_for(served.port, BEGIN, FLOODS[kind]) in codes


@pytest.mark.slow
def test_cancelled_requests_do_not_run_all_at_once_T13(served: Served, small: Small, other: Caller) -> None:
    """CVE-2023-44487: what was cancelled still works, so it still counts."""
    small.most_running, small.may_go = 0, False
    try:
        with Caller(served.port) as caller:
            caller.h2.remote_settings[3] = 1000
            caller.h2.remote_settings.acknowledge()
            numbers = [caller.ask("/hold") for _ in range(STREAMS)]
            assert until(lambda: small.running == STREAMS)
            for number in numbers:
                caller.h2.reset_stream(number)
            caller.flush()
            late = [caller.ask("/hold") for _ in range(50)]
            assert {caller.answer(number).reset for number in late} == {ErrorCodes.REFUSED_STREAM}
            assert small.most_running == STREAMS
    finally:
        small.may_go = True
    assert until(lambda: small.running == 0)


BREACHES = {
    "a frame that is too large": (frame(DATA, 1, b"", size=16385), ErrorCodes.FRAME_SIZE_ERROR),
    "a frame of sixteen megabytes": (frame(0x42, 0, b"", size=0xFFFFFF), ErrorCodes.FRAME_SIZE_ERROR),
    "a header block that never ends": (
        frame(HEADERS, 1, GET) + frame(CONTINUATION, 1, bytes(1000)) * 9,
        ErrorCodes.ENHANCE_YOUR_CALM,
    ),
    "a header block of nothing": (frame(HEADERS, 1, GET) + frame(CONTINUATION, 1) * 100, ErrorCodes.PROTOCOL_ERROR),
    "a header block that becomes large": (
        request(1, block=GET + b"\x40\x01x\x7f\xd5\x1e" + bytes(4000).replace(b"\0", b"a") + b"\xbe" * 3000),
        ErrorCodes.ENHANCE_YOUR_CALM,
    ),
    "a header block of table sizes": (request(1, block=b"\x3f\xe1\x1f" * 2000 + GET), None),
    "another frame within a header block": (
        frame(HEADERS, 1, GET) + frame(PING, 0, b"12345678"),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "an extension within a header block": (frame(HEADERS, 1, GET) + frame(0x42, 0), ErrorCodes.PROTOCOL_ERROR),
    "a continuation of nothing": (frame(CONTINUATION, 1, GET, flags=END_HEADERS), ErrorCodes.PROTOCOL_ERROR),
    "a promise": (frame(PUSH_PROMISE, 1, b"\0\0\0\2" + GET, flags=END_HEADERS), ErrorCodes.PROTOCOL_ERROR),
    "a farewell on a stream": (frame(GOAWAY, 1, bytes(8)), ErrorCodes.PROTOCOL_ERROR),
    "a request of even number": (request(2), ErrorCodes.PROTOCOL_ERROR),
    "a request of an old number": (request(5) + request(3), ErrorCodes.PROTOCOL_ERROR),
    "content on no stream": (frame(DATA, 0, b"x"), ErrorCodes.PROTOCOL_ERROR),
    "content before its request": (frame(DATA, 1, b"x"), ErrorCodes.PROTOCOL_ERROR),
    "content beyond the window": (
        request(1, flags=END_HEADERS, block=b"\x83\x86\x41\x09localhost\x04\x05/hold")
        + frame(DATA, 1, bytes(16384)) * (STREAM_WINDOW // 16384 + 1),
        ErrorCodes.FLOW_CONTROL_ERROR,
    ),
    "more content than was said": (
        request(1, flags=END_HEADERS, block=GET + b"\x0f\x0d\x013") + frame(DATA, 1, b"abcd"),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "less content than was said": (
        request(1, flags=END_HEADERS, block=GET + b"\x0f\x0d\x013") + frame(DATA, 1, b"a", flags=END_STREAM),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "a window that bursts": (frame(WINDOW_UPDATE, 0, b"\x7f\xff\xff\xff"), ErrorCodes.FLOW_CONTROL_ERROR),
    "a window of nothing": (frame(WINDOW_UPDATE, 0, bytes(4)), ErrorCodes.PROTOCOL_ERROR),
    "a first window that is too large": (
        frame(SETTINGS, 0, struct.pack(">HI", 4, 1 << 31)),
        ErrorCodes.FLOW_CONTROL_ERROR,
    ),
    "settings of half a setting": (frame(SETTINGS, 0, b"\0\1\0"), ErrorCodes.FRAME_SIZE_ERROR),
    "padding that is longer than its frame": (
        request(1, flags=END_HEADERS) + frame(DATA, 1, b"\xff", flags=8),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "a field about the connection": (
        request(1, block=GET + b"\x00\x0aconnection\x05close"),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "a field in capitals": (request(1, block=GET + b"\x00\x01X\x01a"), ErrorCodes.PROTOCOL_ERROR),
    "a field that ends a line": (request(1, block=GET + b"\x00\x01x\x03a\r\n"), ErrorCodes.PROTOCOL_ERROR),
    "two different hosts": (request(1, block=GET + b"\x00\x04host\x05other"), ErrorCodes.PROTOCOL_ERROR),
    "no host": (request(1, block=b"\x82\x84\x86"), ErrorCodes.PROTOCOL_ERROR),
    "no path": (request(1, block=b"\x82\x86\x41\x01a"), ErrorCodes.PROTOCOL_ERROR),
    "fields that cannot be read": (request(1, block=b"\xff\xff\xff\xff\xff\xff"), ErrorCodes.PROTOCOL_ERROR),
}


@pytest.mark.parametrize("kind", BREACHES)
def test_a_breach_is_ended_with_its_code_T13(served: Served, other: Caller, held: None, kind: str) -> None:
    said, code = BREACHES[kind]
    found = code_for(served.port, BEGIN, said + frame(CONTINUATION, 9))  # if nothing else: that is no frame to come
    if code is not None:
        assert found == code


def test_the_log_says_what_it_was_and_repeats_nothing_T18(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    code_for(served.port, BEGIN, request(1, block=GET + b"\x00\x01X\x07Doe^Eve"))
    assert until(lambda: "connection ended" in (said := capfd.readouterr().err) and "Doe" not in said)


@pytest.mark.slow
def test_content_of_requests_that_are_over_is_borne_as_far_as_it_was_granted(served: Served, other: Caller) -> None:
    piece = frame(DATA, 1, bytes(16384))
    with Caller(served.port) as caller:
        assert caller.get("/early", method="POST", body=b"x").status == 200
        number = caller.ask("/early", method="POST", body=b"x", ends=False)
        answer = caller.answer(number)
        caller.hear(lambda: answer.reset is not None)
        for _ in range(STREAM_WINDOW // 16384):
            caller.say(piece.replace(b"\0\0\0\1", number.to_bytes(4, "big"), 1))
        assert caller.get("/").status == 200, "that may have been on its way"
        for _ in range(2):
            caller.say(piece.replace(b"\0\0\0\1", number.to_bytes(4, "big"), 1))
        farewell = caller.last_words()
        assert farewell is not None
        assert farewell.error_code == ErrorCodes.STREAM_CLOSED


@pytest.mark.slow
def test_content_after_the_end_of_a_request_does_not_run_it_twice(served: Served, other: Caller) -> None:
    with Caller(served.port) as caller:
        number = caller.ask("/", method="POST", body=b"abc")
        caller.say(frame(DATA, number, b"more", flags=END_STREAM))
        answer = caller.answer(number)
        assert answer.reset is not None or answer.body.startswith(b"3 ") or caller.is_closed


@pytest.mark.parametrize(("said", "kept"), [(1 << 30, 4096), (4096, 4096), (1024, 1024), (0, 0)])
def test_what_a_caller_sets_does_not_make_our_table_large(served: Served, said: int, kept: int) -> None:
    with Caller(served.port) as caller:
        caller.h2.decoder.max_allowed_table_size = said
        caller.h2.update_settings({1: said})
        caller.flush()
        for _ in range(3):
            assert caller.get("/").status == 200
        assert caller.h2.decoder.header_table_size == kept


def test_settings_that_nobody_knows_are_not_kept(served: Served) -> None:
    """Each costs a hundred times what it takes to say it."""
    said = FLOODS["settings that nobody knows"]
    with Caller(served.port) as caller:
        caller.say(said[: 20 * (9 + 90 * 6)])
        assert caller.get("/").status == 200
        assert max(len(one) for one in gc.get_objects() if isinstance(one, Settings)) < 10


@pytest.mark.slow
def test_memory_stays_flat_whatever_hostile_callers_do_T13(served: Served, small: Small) -> None:
    """In one process with the caller and a thousand other tests: what leaks, leaks in each round, so the least is judged."""

    def be_hostile() -> None:
        for kind in ("settings that nobody knows", "cancelled requests", "single bytes"):
            code_for(served.port, BEGIN, FLOODS[kind])
        small.may_go = False
        for kind in ("a header block that becomes large", "content beyond the window"):
            code_for(served.port, BEGIN, BREACHES[kind][0])
        small.may_go = True
        assert until(lambda: small.running == 0)
        with Caller(served.port, grants=False, window=0) as caller:
            for _ in range(50):
                caller.ask("/large")
            assert until(lambda: small.running == 50)
        assert until(lambda: small.running == 0)

    sizes = []
    for _ in range(4):
        be_hostile()
        gc.collect()
        sizes.append(resident())
    assert min(later - earlier for earlier, later in pairwise(sizes)) < 8 << 20


def resident() -> int:
    return int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- the gate by itself


FRAMES = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 9),
    st.binary(max_size=60),
    flags=st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]),
)


def through(said: bytes, step: int) -> tuple[bytes, bool]:
    gate, passed = Gate(Allowance(lambda: 0.0), 8192), b""
    try:
        for start in range(0, len(said), step):
            passed += gate.feed(said[start : start + step])
    except Abuse:
        return passed, True
    return passed, False


@given(st.lists(FRAMES, max_size=30).map(b"".join), st.integers(1, 40))
def test_frames_pass_alike_in_whatever_pieces_they_come(said: bytes, step: int) -> None:
    whole, ends = through(PREFACE + said, 1 << 20)
    pieces, ends_too = through(PREFACE + said, step)
    assert ends == ends_too
    assert ends or pieces == whole
    if not ends:
        assert len(whole) <= len(PREFACE + said)


def test_what_is_useful_is_let_go_on_for_ever() -> None:
    now = 0.0
    allowance = Allowance(lambda: now)
    gate = Gate(allowance, 8192)
    gate.feed(BEGIN)
    for _ in range(2000):
        gate.feed(frame(DATA, 1, bytes(300)))
        gate.feed(request(1))
    for _ in range(5000):
        now += 1 / 30
        gate.feed(frame(PING, 0, b"12345678"))
    assert not gate.is_waiting


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FRAMES | st.sampled_from([request(at) for at in (1, 3, 5)]), max_size=25).map(b"".join) | st.binary())
def test_nothing_that_comes_is_a_bug_of_ours_T13(
    served: Served, capfd: pytest.CaptureFixture[str], said: bytes
) -> None:
    with Caller(served.port, greets=False) as caller:
        caller.say(BEGIN + said + frame(PING, 0, b"the last"))
        caller.socket.shutdown(1)
        while caller.socket.recv(1 << 16):
            pass
    log = capfd.readouterr().err
    assert '"library"' not in log
    assert '"error"' not in log
