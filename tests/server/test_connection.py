"""What one connection may cost, on the wire with raw sockets (T13)."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from waiting import until

from dicomgate.server.census import Census
from dicomgate.server.settings import ConnectionLimits
from dicomgate.testing.serving import Line, Served, format_request, serving

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

TIGHT = ConnectionLimits(
    header_bytes=4096, header_fields=20, connections=1000, connections_per_address=400, pipelined=4
)
"""In all but time."""
HASTY = replace(TIGHT, header_seconds=0.6, stall_seconds=0.6, idle_seconds=1)
"""For callers who are too slow, however slow the machine is."""
STEADY = replace(TIGHT, header_seconds=60, stall_seconds=4, idle_seconds=4)
"""For callers who are slow, but not too slow: with seconds to spare."""


async def echo(scope, receive, send):
    """Reads the whole body and tells its length; `/early` answers at once; `/large` sends 64 MiB, `/slow` takes its time."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    seen = 0
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    if scope["path"] == "/slower":
        await asyncio.sleep(3)
    if scope["path"] not in {"/early", "/large"}:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                LEFT.append(seen)
                return
            seen += len(message.get("body", b""))
            CAME.append(seen)
            more = message.get("more_body", False)
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"67108864")]})
        for _ in range(64):
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        LEFT.append(seen)
        return
    names = b",".join(name for name, _ in scope["headers"])
    body = b"%d %s" % (seen, names)
    headers = [(b"content-length", b"%d" % len(body))]
    if scope["path"] == "/early":
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


CAME: list[int] = []
LEFT: list[int] = []
"""What the application had heard of a body, at each step and when its caller had gone or could be let go."""


def whoever_left() -> list[int]:
    assert until(lambda: LEFT)
    return LEFT


@pytest.fixture(autouse=True)
def _nobody_yet() -> None:
    CAME.clear()
    LEFT.clear()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(echo, TIGHT) as one:
        yield one


@pytest.fixture(scope="module")
def hasty() -> Iterator[Served]:
    with serving(echo, HASTY) as one:
        yield one


@pytest.fixture(scope="module")
def steady() -> Iterator[Served]:
    with serving(echo, STEADY) as one:
        yield one


def drip(line: Line, byte: bytes) -> int:
    """A byte now and then until there is an answer; how many."""
    sent = 0
    while not select.select([line.socket], [], [], 0.1)[0]:
        assert sent < 1000, "a byte now and then buys time"
        with contextlib.suppress(OSError):
            line.say(byte)
        sent += 1
    return sent


START = b"POST / HTTP/1.1\r\nHost: test\r\n"

BROKEN = {
    "length and chunked": START + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": START + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "length twice": START + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two lengths": START + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "length as list": START + b"Content-Length: 3, 3\r\n\r\nabc",
    "length with plus": START + b"Content-Length: +3\r\n\r\nabc",
    "length with minus": START + b"Content-Length: -3\r\n\r\nabc",
    "length with underscore": START + b"Content-Length: 1_0\r\n\r\n0123456789",
    "length in hexadecimal": START + b"Content-Length: 0x3\r\n\r\nabc",
    "length empty": START + b"Content-Length:\r\n\r\n",
    "length beyond 64 bits": START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "blank before colon": START + b"Content-Length : 3\r\n\r\nabc",
    "folded line": START + b"X: a\r\n b\r\n\r\n",
    "bare line feed": b"GET / HTTP/1.1\nHost: test\n\n",
    "bare carriage return": b"GET / HTTP/1.1\r\nHost: test\rX: b\r\n\r\n",
    "NUL in a value": START + b"X: a\0b\r\n\r\n",
    "chunked twice": START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip, chunked": START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, gzip": START + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "identity": START + b"Transfer-Encoding: identity\r\n\r\n",
    "almost chunked": START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunk size with 0x": START + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    "chunk size with plus": START + b"Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
    "chunk size with blank": START + b"Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": START + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n",
    "chunk size with bare line feed": START + b"Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
    "chunk longer than said": START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
    "length after the chunks": START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "version 9": b"GET / HTTP/9.9\r\nHost: test\r\n\r\n",
    "HTTP/2 by surprise": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_the_grammar_is_400_and_the_end_T13(served: Served, said: bytes) -> None:
    with served.line() as line:
        line.say(said)
        reply = line.hear()
        assert reply.status == 400
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["connection"] == "close"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert line.is_closed()


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_the_same_one_byte_at_a_time_T13(served: Served, said: bytes) -> None:
    with served.line() as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for byte in said:
                line.say(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert line.hear().status == 400


def test_nothing_is_done_for_a_request_that_turns_out_broken_T13(served: Served) -> None:
    """The second request is smuggled in what the first claims as its body: nobody may see it."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
    with served.line() as line:
        line.say(START + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)
        assert line.hear().status == 400
        assert line.is_closed()


def test_a_sound_request_passes(served: Served) -> None:
    assert served.ask("POST", "/", body=b"abc").body.startswith(b"3 ")
    chunked = format_request("POST", "/", {"Transfer-Encoding": "chunked"}) + b"3;note=x\r\nabc\r\n0\r\n\r\n"
    with served.line() as line:
        line.say(chunked)
        assert line.hear().body.startswith(b"3 ")


def test_fields_after_the_body_do_not_join_the_header_T13(served: Served) -> None:
    with served.line() as line:
        line.say(format_request("POST", "/", {"Transfer-Encoding": "chunked"}))
        line.say(b"1\r\nx\r\n0\r\nAuthorization: stolen\r\n\r\n")
        assert b"authorization" not in line.hear().body


def test_header_too_long_is_431_T13(served: Served) -> None:
    with served.line() as line:
        line.say(START + b"X: " + b"a" * 8000 + b"\r\n\r\n")
        assert line.hear().status == 431
        assert line.is_closed()


def test_header_that_never_ends_is_431_before_much_of_it_is_kept_T13(served: Served) -> None:
    with served.line() as line:
        line.say(START + b"X: ")
        sent = 0
        try:
            while sent < 64 << 20:
                line.say(b"a" * 65536)
                sent += 65536
        except OSError:
            pass
        assert sent < 64 << 20


def test_too_many_fields_is_431_T13(served: Served) -> None:
    with served.line() as line:
        line.say(START + b"".join(b"X%d: a\r\n" % number for number in range(30)) + b"\r\n")
        assert line.hear().status == 431


def test_address_too_long_is_414_T13(served: Served) -> None:
    limits = ConnectionLimits(header_bytes=1 << 20)
    with serving(echo, limits) as one, one.line() as line:
        line.say(b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n")
        assert line.hear().status == 414


def test_trailer_that_never_ends_is_refused_T13(served: Served) -> None:
    with served.line() as line:
        line.say(format_request("POST", "/", {"Transfer-Encoding": "chunked"}) + b"1\r\nx\r\n0\r\nX: ")
        time.sleep(0.1)
        line.say(b"a" * 9000)
        assert line.hear().status == 431


def test_header_must_come_in_time_T13(hasty: Served) -> None:
    with hasty.line() as line:
        line.say(b"GET / HTTP/1.1\r\n")
        drip(line, b"X")
        assert line.hear().status == 408
        assert line.is_closed()


def test_silence_from_the_start_is_408_T13(hasty: Served) -> None:
    with hasty.line() as line:
        assert line.hear().status == 408


def test_body_must_grow_T13(hasty: Served) -> None:
    with hasty.line() as line:
        line.say(format_request("POST", "/", {"Content-Length": "100000"}) + b"x" * 10)
        sent = drip(line, b"x")
        assert line.hear().status == 408
    (heard,) = whoever_left()
    assert 10 <= heard <= 10 + sent


@pytest.mark.slow
def test_body_that_grows_slowly_but_steadily_is_taken(steady: Served) -> None:
    with steady.line() as line:
        line.say(format_request("POST", "/", {"Content-Length": "5120"}))
        for _ in range(5):
            time.sleep(1)
            line.say(b"x" * 1024)
        assert line.hear().body.startswith(b"5120 ")


@pytest.mark.slow
def test_idle_connection_is_closed_T13(hasty: Served) -> None:
    with hasty.line() as line:
        line.say(format_request("GET", "/"))
        assert line.hear().status == 200
        line.say(b"\r\n")  # blank lines between requests are legal and buy no time
        assert line.is_closed()


@pytest.mark.slow
def test_idle_time_ends_when_a_request_begins(steady: Served) -> None:
    with steady.line() as line:
        line.say(format_request("GET", "/"))
        assert line.hear().status == 200
        time.sleep(1.5)
        line.say(format_request("GET", "/slower"))
        assert line.hear().status == 200


def test_caller_who_leaves_mid_body_is_told_to_the_application_T21(served: Served) -> None:
    with served.line() as line:
        line.say(format_request("POST", "/", {"Content-Length": "100000"}) + b"x" * 10)
        assert until(lambda: CAME == [10])
    assert whoever_left() == [10]


def test_150_half_open_connections_do_not_delay_others_T13(served: Served) -> None:
    lines = [served.line() for _ in range(150)]
    try:
        for line in lines:
            line.say(b"GET / HTTP/1.1\r\nHost:")
        assert served.ask("GET", "/").status == 200
    finally:
        for line in lines:
            line.socket.close()


def test_one_address_cannot_take_all_connections_T13() -> None:
    with serving(echo, ConnectionLimits(connections_per_address=3)) as one:
        kept = [one.line() for _ in range(3)]
        for line in kept:
            line.say(format_request("GET", "/"))
            assert line.hear().status == 200
        reply = one.ask("GET", "/")
        assert reply.status == 503
        assert reply.headers["retry-after"]
        kept.pop().socket.close()
        assert until(lambda: one.ask("GET", "/").status == 200), "a place that was left is not given again"
        for line in kept:
            line.socket.close()


def test_trusted_proxy_is_not_counted_per_address() -> None:
    census = Census(ConnectionLimits(connections=3, connections_per_address=1, trusted_proxies=("10.0.0.0/8",)))
    assert [census.admit("10.1.1.1") for _ in range(2)] == [True, True]
    assert census.admit("192.0.2.1")
    assert not census.admit("192.0.2.1")
    assert not census.admit("10.1.1.1"), "all places are taken"
    census.leave("10.1.1.1")
    assert census.admit("192.0.2.2")


def test_pipelined_requests_are_answered_in_order_and_bounded_T13(served: Served) -> None:
    with served.line() as line:
        line.say(format_request("POST", "/slow", body=b"1") + format_request("POST", "/", body=b"22"))
        assert line.hear().body.startswith(b"1 ")
        assert line.hear().body.startswith(b"2 ")
    with served.line() as line:
        line.say(format_request("GET", "/slow") + format_request("GET", "/") * 20)
        assert line.hear().status == 200
        assert line.is_closed(), "the first is answered whole, the flood is not"


def test_broken_second_request_does_not_cut_into_the_answer_to_the_first_T13(served: Served) -> None:
    with served.line() as line:
        line.say(format_request("POST", "/slow", body=b"1") + b"NONSENSE\r\n\r\n")
        assert line.hear().body.startswith(b"1 ")
        assert line.is_closed()


def test_early_answer_reaches_a_caller_who_is_still_sending(served: Served) -> None:
    """Closing at once would reset the connection, and the caller would never read why."""
    with served.line() as line:
        line.say(format_request("POST", "/early", {"Content-Length": "600000"}))
        for _ in range(6):
            time.sleep(0.05)
            line.say(bytes(100_000))
        reply = line.hear()
        assert reply.status == 200
        assert reply.headers["connection"] == "close"
        assert line.is_closed()


@pytest.mark.slow
def test_reader_who_takes_nothing_is_let_go_T21(hasty: Served) -> None:
    with hasty.line(receive_buffer=4096) as line:
        line.say(format_request("GET", "/large"))
        whoever_left()
        taken = 0
        try:
            while chunk := line.socket.recv(1 << 20):
                taken += len(chunk)
        except ConnectionResetError:
            pass
        assert taken < 64 << 20


@pytest.mark.slow
def test_reader_who_is_slow_but_reads_gets_all_T21(steady: Served) -> None:
    with steady.line() as line:
        line.say(format_request("GET", "/large"))
        taken = 0
        for _ in range(5):
            time.sleep(1)
            taken += len(line.socket.recv(1 << 20))
        while taken < 64 << 20:
            chunk = line.socket.recv(1 << 20)
            assert chunk
            taken += len(chunk)


def test_connect_and_upgrade_are_not_followed(served: Served) -> None:
    with served.line() as line:
        line.say(b"CONNECT example.org:80 HTTP/1.1\r\nHost: test\r\n\r\n")
        assert line.hear().status == 405
    with served.line() as line:
        line.say(format_request("GET", "/", {"Connection": "Upgrade", "Upgrade": "h2c"}) + b"anything")
        assert line.hear().status == 200
        assert line.is_closed()


OFFER = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}


@pytest.mark.parametrize("step", [1, 50, 100_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_of_one_who_offers_another_protocol_is_read(served: Served, step: int, is_chunked: bool) -> None:
    """Java's client offers HTTP/2 with every first request, whatever it carries."""
    body = b"5\r\nGET /\r\n5\r\nxxxxx\r\n0\r\nX-Trailer: x\r\n\r\n" if is_chunked else b"GET /xxxxx"
    framing = {"Transfer-Encoding": "chunked"} if is_chunked else {"Content-Length": "10"}
    request = format_request("POST", "/", {**OFFER, **framing}) + body
    plain = format_request("POST", "/", body=b"22")
    said = request + plain + format_request("GET", "/", OFFER) + request + plain
    with served.line() as line:
        for start in range(0, len(said), step):
            line.say(said[start : start + step])
        for size in (10, 2, 0, 10, 2):
            reply = line.hear()
            assert reply.body.startswith(b"%d host" % size)
            assert "connection" not in reply.headers


def test_body_with_an_offer_is_bounded_like_any(served: Served, hasty: Served) -> None:
    with served.line() as line:
        line.say(format_request("POST", "/", {**OFFER, "Content-Length": "10"}, b"12345"))
        time.sleep(0.05)
        line.say(b"67890NONSENSE\r\n\r\n")
        assert line.hear().body.startswith(b"10 ")
        assert line.is_closed(), "what follows is no request"
    with hasty.line() as line:
        line.say(format_request("POST", "/", {**OFFER, "Content-Length": "10"}, b"12345"))
        assert line.hear().status == 408
    with served.line() as line:
        line.say(format_request("POST", "/", {**OFFER, "Transfer-Encoding": "chunked"}, b"zz\r\n"))
        assert line.hear().status == 400


def test_old_version_is_answered_and_closed(served: Served) -> None:
    with served.line() as line:
        line.say(b"GET / HTTP/1.0\r\n\r\n")
        assert line.hear().status == 200
        assert line.is_closed()
