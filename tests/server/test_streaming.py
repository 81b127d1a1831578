"""Answers larger than a step: stopped when nobody wants them, bounded when nobody reads them, closed in every case (T21)."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_origin import INSTANCE, SERIES, Made
from waiting import PATIENCE, until

from dicomgate.origin import PAUSE
from dicomgate.server import answers
from dicomgate.server.answers import Answer, Body
from dicomgate.testing.serving import Served, format_request

MIB = 1 << 20
ALL = {"Accept": 'multipart/related; type="application/dicom"'}
ONE = {"Accept": "application/dicom"}


def test_large_answer_is_whole(serve_made: Callable[..., Served]) -> None:
    made = Made(20 * MIB + 17)
    reply = serve_made(made).ask("GET", INSTANCE, ONE)
    assert reply.status == 200
    assert reply.headers["content-length"] == str(len(reply.body)) == str(made.size)
    assert reply.body == b"".join(made.file())
    assert until(lambda: made.closed == made.opened == 1)


@pytest.mark.parametrize("size", [0, 1, 64 << 10, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_any_size_is_whole(serve_made: Callable[..., Served], size: int) -> None:
    made = Made(size)
    reply = serve_made(made).ask("GET", INSTANCE, ONE)
    assert (reply.status, len(reply.body)) == (200, size)
    assert until(lambda: made.closed == 1)


def test_caller_who_leaves_stops_the_work_T21(serve_made: Callable[..., Served]) -> None:
    made = Made(2000 * MIB)
    served = serve_made(made)
    with served.line() as line:
        line.say(format_request("GET", INSTANCE, ONE))
        line.socket.recv(1000)
    assert made.stopped.wait(PATIENCE)
    assert until(lambda: made.closed == 1)
    assert made.made < 100 * MIB


def test_caller_who_leaves_before_anything_can_be_sent_stops_the_work_T21(serve_made: Callable[..., Served]) -> None:
    """The checksum of a large file in an archive stands before it: no byte leaves while it is made."""
    made = Made(20_000 * MIB)
    with serve_made(made).line() as line:
        line.say(format_request("GET", INSTANCE, {"Accept": "application/zip"}))
        assert until(lambda: made.made > 0)
    assert until(lambda: made.closed == 1)
    assert made.made < made.size


def test_caller_who_leaves_with_another_request_waiting_T21(
    serve_made: Callable[..., Served], lines: list[bytes]
) -> None:
    """uvicorn tells only the newest of pipelined requests that the caller has gone."""
    made = Made(2000 * MIB)
    with serve_made(made).line() as line:
        line.say(format_request("GET", INSTANCE, ONE) + format_request("GET", "/healthz"))
        line.socket.recv(1000)
    assert made.stopped.wait(PATIENCE)
    assert until(lambda: made.closed == 1)
    assert until(lambda: any(b'"access"' in line for line in lines))
    assert b'"error"' not in b"".join(lines)


def test_caller_who_leaves_before_the_first_byte_T21(serve_made: Callable[..., Served]) -> None:
    made = Made(2000 * MIB)
    made.hold.clear()
    served = serve_made(made)
    with served.line() as line:
        line.say(format_request("GET", INSTANCE, ONE))
        assert until(lambda: made.opened == 1)
    time.sleep(0.1)
    made.hold.set()
    assert until(lambda: made.closed == 1)
    assert made.made < 100 * MIB


@pytest.mark.slow
def test_stalled_readers_cost_a_bounded_buffer_T21(serve_made: Callable[..., Served]) -> None:
    """Performance trap 2: three callers ask for 500 MiB each and read nothing."""
    made = Made(500 * MIB)
    served = serve_made(made)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = [served.line(receive_buffer=4096) for _ in range(3)]
    for line in lines:
        line.say(format_request("GET", INSTANCE, ONE))
    time.sleep(1)
    assert made.made < 3 * 16 * MIB, "what the kernel's buffers hold, and a step each"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
    assert served.ask("GET", "/healthz").status == 200
    for line in lines:
        line.socket.close()
    assert until(lambda: made.closed == 3)


def test_answer_that_breaks_off_is_seen_to_be_broken_D6(serve_made: Callable[..., Served], lines: list[bytes]) -> None:
    made = Made(10 * MIB, breaks_at=5 * MIB)
    served = serve_made(made)
    with served.line() as line:
        line.say(format_request("GET", INSTANCE, ONE))
        taken = 0
        while chunk := line.socket.recv(MIB):
            taken += len(chunk)
        assert taken < 10 * MIB
    assert until(lambda: made.closed == 1)
    assert b"answer broke off" in b"".join(lines)
    assert served.ask("GET", "/healthz").status == 200


def test_chunked_answer_that_breaks_off_has_no_end_D6(serve_made: Callable[..., Served]) -> None:
    made = Made(10 * MIB, breaks_at=5 * MIB)
    with serve_made(made).line() as line:
        line.say(format_request("GET", SERIES + "/bulkdata"))
        taken = bytearray()
        while chunk := line.socket.recv(MIB):
            taken += chunk
        assert b"chunked" in taken[:2000]
        assert not taken.endswith(b"0\r\n\r\n")


def test_fault_in_the_first_step_still_has_a_status(serve_made: Callable[..., Served]) -> None:
    made = Made(1000, breaks_at=0)
    reply = serve_made(made).ask("GET", INSTANCE, ONE)
    assert reply.status == 503
    assert reply.headers["retry-after"]
    assert until(lambda: made.closed == 1)


def test_head_makes_nothing(serve_made: Callable[..., Served]) -> None:
    made = Made(500 * MIB)
    with serve_made(made).line() as line:
        line.say(format_request("HEAD", INSTANCE, ONE))
        reply = line.hear("HEAD")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, str(made.size), b"")
        line.say(format_request("GET", "/healthz"))
        assert line.hear().status == 200
    assert made.made == 0
    assert until(lambda: made.closed == 1)


def test_not_modified_makes_nothing(serve_made: Callable[..., Served]) -> None:
    made = Made(3 * MIB)
    served = serve_made(made)
    tag = served.ask("GET", INSTANCE, ONE).headers["etag"]
    made.made = 0
    assert served.ask("GET", INSTANCE, {**ONE, "If-None-Match": tag}).status == 304
    assert made.made == 0
    assert until(lambda: made.closed == made.opened == 2)


def test_range_reads_only_the_range_V13(serve_made: Callable[..., Served]) -> None:
    made = Made(300 * MIB)
    reply = serve_made(made).ask("GET", INSTANCE, {**ONE, "Range": "bytes=209715200-209715299"})
    assert (reply.status, len(reply.body)) == (206, 100)
    assert reply.headers["content-range"] == f"bytes 209715200-209715299/{made.size}"
    assert made.made == 100


def test_many_at_once_are_served_side_by_side(serve_made: Callable[..., Served]) -> None:
    made = Made(2 * MIB)
    served = serve_made(made)
    lines = [served.line() for _ in range(40)]
    for line in lines:
        line.say(format_request("GET", INSTANCE, ONE))
    for line in lines:
        assert len(line.hear().body) == made.size
        line.socket.close()
    assert until(lambda: made.closed == 40)


def test_body_of_known_size_needs_no_step_to_learn_its_end() -> None:
    body = Body(Answer(chunks=iter([bytes(answers.STEP)]), size=answers.STEP))
    body.step()
    assert body.is_done


@given(st.lists(st.integers(0, 3 * answers.PIECE), max_size=12), st.integers(1, 4 * answers.PIECE))
def test_pieces_are_the_chunks_whatever_their_sizes(sizes: list[int], limit: int) -> None:
    chunks = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    body = Body(Answer(chunks=iter(chunks)))
    pieces: list[bytes | memoryview] = []
    while not body.is_done:
        pieces += body.step(limit)
    assert b"".join(pieces) == b"".join(chunks)
    assert all(0 < len(piece) <= answers.PIECE for piece in pieces)


def test_what_there_is_leaves_at_a_pause() -> None:
    """However little it is; nothing is looked for behind the pause, which may be long."""
    asked = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"a", b"", b"b", PAUSE, b"c", PAUSE, PAUSE, b"d"):
            asked.append(chunk)
            yield chunk

    source = chunks()
    assert answers.take(source, MIB) == ([b"ab"], False)
    assert asked[-1] is PAUSE
    assert answers.take(source, MIB) == ([b"c"], False)
    assert answers.take(source, MIB) == ([], False)
    assert answers.take(source, MIB) == ([b"d"], True)
