"""HTTP/2 beside HTTP/1.1 on one port, on real sockets: requests, answers, windows, the end (RFC 9113)."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from h2.errors import ErrorCodes
from http2_caller import PREFACE, SETTINGS, Answer, Caller, frame
from small_application import LARGE, Small
from waiting import until

from dicomgate.server.http2.wire import CONNECTION_WINDOW, STREAM_WINDOW, STREAMS
from dicomgate.server.settings import ConnectionLimits
from dicomgate.testing.serving import PATIENCE, Served, format_request, serving

LIMITS = ConnectionLimits(header_bytes=8192, header_fields=20)
HASTY = replace(LIMITS, header_seconds=0.4, stall_seconds=0.5, idle_seconds=0.8)
"""For callers who are too slow, however slow the machine is."""


@pytest.fixture(scope="module")
def small() -> Small:
    return Small()


@pytest.fixture(autouse=True)
def _nobody_yet(small: Small) -> Iterator[None]:
    small.came.clear()
    small.left.clear()
    small.may_go = False
    yield
    small.may_go = True
    assert until(lambda: small.running == 0)


@pytest.fixture(scope="module")
def served(small: Small) -> Iterator[Served]:
    with serving(small, LIMITS, http2=True) as one:
        yield one


@pytest.fixture(scope="module")
def hasty(small: Small) -> Iterator[Served]:
    with serving(small, HASTY, http2=True) as one:
        yield one


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    with Caller(served.port) as one:
        yield one


# ---- requests and answers


def test_a_request_is_the_same_for_the_application(caller: Caller) -> None:
    answer = caller.get("/a%20b?c=d&e", ("accept", "x/y"), ("te", "trailers"))
    assert answer.status == 200
    assert answer.body == b"0 2 GET /a%20b c=d&e host=localhost accept=x/y te=trailers"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "date" in answer.headers


def test_fields_about_a_connection_are_never_sent(caller: Caller) -> None:
    """The application says `connection: close`; RFC 9113 §8.2.2."""
    assert "connection" not in caller.get("/").headers
    assert caller.get("/").status == 200


def test_HEAD_and_304_have_no_body(caller: Caller) -> None:
    for answer in (caller.get("/", method="HEAD"), caller.get("/304")):
        assert answer.is_whole
        assert answer.body == b""
        assert int(answer.headers["content-length"]) > 0
    assert caller.get("/").body


def test_the_authority_stands_before_a_host_field(caller: Caller) -> None:
    assert b"host=localhost" in caller.get("/", ("host", "localhost")).body
    fields = [field for field in caller.fields("GET", "/", [("host", "other")]) if field[0] != b":authority"]
    number = caller.ask_raw(fields)
    assert b"host=other" in caller.answer(number).body


def test_http_1_1_is_spoken_on_the_same_port(served: Served) -> None:
    assert served.ask("GET", "/").body.startswith(b"0 1.1 GET")
    assert served.ask("PUT", "/", body=b"P").body.startswith(b"1 1.1 PUT")
    for said in (b"PRI / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PRI * HTTP/2.1\r\n\r\n"):
        with served.line() as line:
            line.say(said)
            assert line.hear().status == 400


def test_the_first_bytes_may_come_one_by_one(served: Served) -> None:
    with Caller(served.port, greets=False) as caller:
        caller.h2.initiate_connection()
        for byte in caller.h2.data_to_send():
            caller.say(bytes([byte]))
        caller.replies = True
        assert caller.get("/").status == 200
    with served.line() as line:
        for byte in format_request("POST", "/", body=b"x"):
            line.say(bytes([byte]))
        assert line.hear().body.startswith(b"1 1.1 POST")


def test_an_offer_within_http_1_1_is_not_taken(served: Served) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    assert served.ask("GET", "/", offer).body.startswith(b"0 1.1 GET")


def test_without_the_choice_there_is_no_http2(small: Small) -> None:
    with serving(small, LIMITS) as one, one.line() as line:
        line.say(PREFACE + frame(SETTINGS, 0))
        assert line.hear().status == 400


CURL = shutil.which("curl")


@pytest.mark.interop
@pytest.mark.skipif(CURL is None, reason="no curl here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "0 2 GET / "),
        (("--head",), "HTTP/2 200"),
        (("--data-binary", "abc", "-H", "Expect: 100-continue"), "3 2 POST / "),
        (("-T", "{file}"), "3000000 2 PUT /file "),
    ],
)
def test_curl_speaks_it(served: Served, tmp_path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    words = tuple(word.format(file=tmp_path / "file") for word in words)
    command = [CURL, "-sS", "--http2-prior-knowledge", *words, served.url + "/"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout.decode().startswith(said)


# ---- bodies


def test_a_body_of_any_size_comes_with_or_without_its_length(caller: Caller, small: Small) -> None:
    content = bytes(3 * STREAM_WINDOW)
    for more in ((), (("content-length", str(len(content))),)):
        number = caller.ask("/", *more, method="POST", ends=False)
        caller.upload_all(number, content)
        assert caller.answer(number).body.startswith(b"%d 2 POST" % len(content))
    assert len(small.came) > 4, "piece by piece"


def test_fields_after_the_body_do_not_join_the_header(caller: Caller) -> None:
    number = caller.ask("/", method="POST", body=b"abc", ends=False)
    caller.h2.send_headers(number, [(b"authorization", b"stolen")], end_stream=True)
    caller.flush()
    answer = caller.answer(number)
    assert answer.body.startswith(b"3 2 POST")
    assert b"authorization" not in answer.body


def test_continue_is_said_when_the_application_reads(caller: Caller) -> None:
    number = caller.ask("/", ("expect", "100-continue"), method="POST", ends=False)
    caller.hear(lambda: caller.answers[number].informed)
    assert caller.answers[number].informed == [100]
    caller.upload(number, b"abc")
    assert caller.answer(number).body.startswith(b"3 2 POST")
    early = caller.get("/early", ("expect", "100-continue"), method="POST")
    assert (early.status, early.informed) == (200, [])


def test_an_application_that_does_not_read_holds_back_its_caller_and_no_other(caller: Caller, small: Small) -> None:
    """Memory is bounded by the windows: nothing more may come, and nothing less than all comes in the end."""
    content = bytes(4 * CONNECTION_WINDOW)
    caller.get("/")  # settings have come
    held = caller.ask("/hold", method="POST", ends=False)
    sent = caller.upload(held, content)
    assert sent == STREAM_WINDOW
    assert caller.get("/").status == 200
    assert caller.get("/", method="POST", body=b"abc").body.startswith(b"3 ")
    assert caller.h2.local_flow_control_window(held) == 0
    assert max(small.came) == 3, "what is held has not been taken"
    small.may_go = True
    caller.upload_all(held, content[sent:])
    assert caller.answer(held).body.startswith(b"%d 2 POST" % len(content))


@pytest.mark.slow
def test_an_early_answer_is_heard_and_the_rest_need_not_come(caller: Caller) -> None:
    number = caller.ask("/early", method="POST", body=bytes(1000), ends=False)
    answer = caller.answer(number)
    assert (answer.status, answer.is_whole) == (200, True)
    if answer.reset is None:
        caller.upload(number, bytes(1000), ends=False)
    caller.hear(lambda: answer.reset is not None)
    assert answer.reset == ErrorCodes.NO_ERROR
    assert caller.get("/").status == 200


def test_a_caller_who_cancels_is_told_to_the_application_alone(caller: Caller, small: Small) -> None:
    number = caller.ask("/", method="POST", body=b"abc", ends=False)
    assert until(lambda: small.came == [3])
    caller.h2.reset_stream(number, ErrorCodes.CANCEL)
    caller.flush()
    assert until(lambda: small.left == ["/"])
    assert caller.get("/").status == 200


def test_a_caller_who_leaves_in_the_middle_is_told_to_the_application_T21(served: Served, small: Small) -> None:
    with Caller(served.port, grants=False) as caller:
        upload = caller.ask("/upload", method="POST", body=b"abc", ends=False)
        caller.ask("/large")
        caller.hear(lambda: len(caller.answers[upload + 2].body) > 30_000)
    assert until(lambda: sorted(small.left) == ["/large", "/upload"])
    assert until(lambda: small.running == 0)


# ---- windows and turns


@pytest.mark.slow
def test_who_grants_nothing_does_not_hold_up_others(caller: Caller, small: Small) -> None:
    caller.h2.increment_flow_control_window(1 << 30)  # of the connection
    caller.grants = False
    stuck = caller.ask("/large")
    caller.hear(lambda: len(caller.answers[stuck].body) == 65535)
    assert caller.get("/").status == 200
    caller.grants = True
    free = caller.get("/large")
    assert len(free.body) == LARGE
    assert len(caller.answers[stuck].body) == 65535
    assert until(lambda: small.left == ["/large"]), "one waits"
    caller.h2.increment_flow_control_window(LARGE, stuck)
    caller.flush()
    assert len(caller.answer(stuck).body) == LARGE


@pytest.mark.slow
def test_streams_take_turns(caller: Caller) -> None:
    """Of several large answers each has come some way when the first is whole."""
    numbers = [caller.ask("/large") for _ in range(4)]
    first = caller.answers[numbers[0]]
    caller.hear(lambda: first.is_whole)
    assert all(len(caller.answers[number].body) > LARGE // 2 for number in numbers)


def test_a_window_of_nothing_gets_the_head(served: Served) -> None:
    with Caller(served.port, window=0) as caller:
        number = caller.ask("/")
        caller.hear(lambda: caller.answers[number].status)
        assert not caller.answers[number].body
        caller.h2.increment_flow_control_window(5, number)
        caller.flush()
        caller.hear(lambda: len(caller.answers[number].body) == 5)
        caller.h2.update_settings({4: 70_000})
        caller.flush()
        assert caller.answer(number).is_whole


def test_more_requests_than_may_be_under_way_are_refused_alone(caller: Caller, small: Small) -> None:
    caller.h2.remote_settings[3] = 1000
    caller.h2.remote_settings.acknowledge()
    numbers = [caller.ask("/hold") for _ in range(STREAMS + 20)]
    refused = [caller.answers[number] for number in numbers[STREAMS:]]
    caller.hear(lambda: all(one.is_over for one in refused))
    assert {one.reset for one in refused} == {ErrorCodes.REFUSED_STREAM}
    small.may_go = True
    assert {caller.answer(number).status for number in numbers[:STREAMS]} == {200}


def test_many_requests_that_come_at_once_and_never_wait(caller: Caller) -> None:
    numbers = []
    for _ in range(STREAMS):
        numbers.append(caller.h2.get_next_available_stream_id())
        caller.answers[numbers[-1]] = Answer()
        caller.h2.send_headers(numbers[-1], caller.fields("GET", "/early"), end_stream=True)
    caller.flush()
    assert {caller.answer(number).status for number in numbers} == {200}


@pytest.mark.slow
def test_requests_under_way_are_counted_like_connections_T13(small: Small) -> None:
    """One of each connection runs in any case; all others share as many places as connections may be open."""
    small.most_running = 0
    with (
        serving(small, replace(LIMITS, connections_per_address=3), http2=True) as one,
        Caller(one.port) as first,
        Caller(one.port) as second,
    ):
        numbers = [first.ask("/hold") for _ in range(20)]
        assert until(lambda: small.running == 4)
        other = second.ask("/hold")
        assert until(lambda: small.running == 5)
        small.may_go = True
        assert {first.answer(number).status for number in numbers} == {200}
        assert second.answer(other).status == 200
    assert small.most_running == 5


# ---- refusals


BROKEN = {
    "a path without a slash": ([(b":path", b"a")], 400),
    "a path with a blank": ([(b":path", b"/a b")], 400),
    "a path with a fragment": ([(b":path", b"/a#b")], 400),
    "a path beyond ASCII": ([(b":path", b"/\xc3\xa9")], 400),
    "a method with a blank": ([(b":method", b"GE T")], 400),
    "a method that is none": ([(b":method", b"")], 400),
    "a length twice": ([(b"content-length", b"0"), (b"content-length", b"0")], 400),
    "a control character": ([(b"x", b"a\x01b")], 400),
    "too many fields": ([(b"x", b"y")] * 20, 431),
    "too long a field": ([(b"x", b"y" * 8192)], 431),
}


@pytest.mark.parametrize(("fields", "status"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_request_is_refused_alone_and_readable_T13_V15(
    caller: Caller, fields: list[tuple[bytes, bytes]], status: int
) -> None:
    said = dict(caller.fields("GET", "/")) | {name: value for name, value in fields if name.startswith(b":")}
    rest = [(b"origin", b"http://localhost:3000"), *(field for field in fields if not field[0].startswith(b":"))]
    answer = caller.answer(caller.ask_raw([*said.items(), *rest]))
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert caller.get("/").status == 200, "the connection goes on"


@pytest.mark.slow
def test_too_long_an_address_is_414(small: Small) -> None:
    limits = ConnectionLimits(header_bytes=60_000)
    with serving(small, limits, http2=True) as one, Caller(one.port) as caller:
        assert caller.get("/" + "a" * 40_000).status == 414
        assert caller.get("/").status == 200


def test_this_is_no_proxy(caller: Caller) -> None:
    assert caller.answer(caller.ask_raw([(b":method", b"CONNECT"), (b":authority", b"a:1")])).status == 405


def test_a_bug_costs_its_own_stream(caller: Caller) -> None:
    held = caller.ask("/hold")
    assert caller.get("/broken").reset == ErrorCodes.INTERNAL_ERROR
    assert not caller.answers[held].is_over
    caller.h2.reset_stream(held)
    caller.flush()


def test_too_many_connections_T13(small: Small) -> None:
    with serving(small, replace(LIMITS, connections_per_address=2), http2=True) as one:
        first, second = Caller(one.port), Caller(one.port)
        assert [first.get("/").status, second.get("/").status] == [200, 200]
        with one.line() as third:
            third.say(PREFACE)
            assert third.hear().status == 503, "before it is known what he speaks"
        first.socket.close()

        assert until(lambda: one.ask("GET", "/").status == 200), "a place that was left is not given again"
        second.socket.close()


# ---- time


@pytest.mark.slow
def test_a_reader_who_takes_nothing_is_let_go_with_his_stream_alone_T21(hasty: Served, small: Small) -> None:
    with Caller(hasty.port, grants=False) as caller:
        caller.h2.increment_flow_control_window(1 << 30)
        stuck = caller.ask("/large")
        answer = caller.answer(stuck)
        assert answer.reset == ErrorCodes.CANCEL
        assert until(lambda: small.left == ["/large"])
        assert caller.get("/").status == 200


@pytest.mark.slow
def test_a_reader_who_does_not_even_read_is_let_go_T21(hasty: Served, small: Small) -> None:
    with Caller(hasty.port) as caller:
        caller.h2.increment_flow_control_window(1 << 30)
        caller.h2.update_settings({4: 1 << 30})
        for _ in range(3):
            caller.ask("/large")
        assert until(lambda: len(small.left) == 3)


@pytest.mark.slow
def test_a_body_must_grow_T13(hasty: Served) -> None:
    with Caller(hasty.port) as caller:
        answer = caller.get("/", method="GET")
        number = caller.ask("/", method="POST", body=b"x" * 10, ends=False)
        answer = caller.answer(number)
        assert answer.status == 408
        assert b"did not grow" in answer.body
        assert caller.get("/").status == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "said",
    [
        PREFACE,
        PREFACE + b"\0\0",
        PREFACE + frame(SETTINGS, 0) + frame(1, 1, b"\x82", flags=1),  # END_STREAM, no END_HEADERS
        PREFACE + frame(SETTINGS, 0) + frame(6, 0, b"", size=8),
    ],
    ids=["no settings", "half a head", "half a header", "half a ping"],
)
def test_a_header_must_come_in_time_T13(hasty: Served, said: bytes) -> None:
    with Caller(hasty.port, greets=False) as caller:
        caller.h2.initiate_connection()
        caller.h2.clear_outbound_data_buffer()
        caller.say(said)
        farewell = caller.last_words()
    assert farewell is not None
    assert farewell.error_code == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.slow
def test_half_a_preface_is_late_as_a_request_is_T13(hasty: Served) -> None:
    with hasty.line() as line:
        line.say(PREFACE[:10])
        assert line.hear().status == 408


@pytest.mark.slow
def test_an_idle_connection_is_closed_and_pings_buy_no_time_T13(hasty: Served) -> None:
    with Caller(hasty.port) as caller:
        assert caller.get("/").status == 200
        caller.socket.settimeout(0.1)
        while not caller.is_closed:
            caller.h2.ping(b"12345678")
            caller.flush()
            try:
                caller.hear(lambda: False)
            except TimeoutError:
                assert caller.pongs < 100
        assert caller.farewell is not None
        assert caller.farewell.error_code == ErrorCodes.NO_ERROR


# ---- the end


@pytest.mark.slow
def test_what_is_in_flight_is_finished_when_the_server_stops(small: Small) -> None:
    """GOAWAY names the last request that is answered; newer ones are refused and may go elsewhere (§6.8)."""
    serve = serving(small, LIMITS, http2=True, stop_seconds=PATIENCE)
    one = serve.__enter__()
    stop = threading.Thread(target=serve.__exit__, args=(None, None, None))
    with Caller(one.port) as caller:
        number = caller.ask("/hold")
        assert until(lambda: small.running == 1)
        stop.start()
        caller.hear(lambda: caller.farewell is not None)
        assert caller.farewell is not None
        assert (caller.farewell.error_code, caller.farewell.last_stream_id) == (ErrorCodes.NO_ERROR, number)
        assert caller.get("/").reset == ErrorCodes.REFUSED_STREAM
        small.may_go = True
        assert caller.answer(number).status == 200
    stop.join(PATIENCE)


def test_a_caller_who_says_farewell_still_gets_his_answers(served: Served, small: Small) -> None:
    with Caller(served.port) as caller:
        number = caller.ask("/hold")
        caller.say(frame(7, 0, bytes(8)))
        assert until(lambda: small.running == 1)
        small.may_go = True
        assert caller.answer(number).status == 200
        caller.hear(lambda: False)
        assert caller.is_closed
