"""What every answer carries and how faults become answers: errors, CORS, security, addresses, health, page, log."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_origin import INSTANCE, TARGET, Made

from dicomgate import errors
from dicomgate.origin import Origin
from dicomgate.server import caching, cors, logs, ranges, requests, urls
from dicomgate.server.app import Application
from dicomgate.server.errors import STATUSES, format_problem, status_of
from dicomgate.server.exchange import field
from dicomgate.server.logs import Log
from dicomgate.testing.serving import Served, format_request, serving

ROOT = "/dicomweb"


@pytest.fixture
def made_served(serve_made: Callable[..., Served]) -> Served:
    return serve_made(Made())


EVERY_KIND_OF_ANSWER = [
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/nothing"),
    ("GET", ROOT),
    ("GET", f"{ROOT}/studies"),
    ("GET", f"{ROOT}/studies?limit=x"),
    ("GET", f"{ROOT}/instances"),
    ("GET", f"{ROOT}/studies/1.2"),
    ("GET", INSTANCE),
    ("HEAD", INSTANCE),
    ("GET", f"{INSTANCE}/frames/1"),
    ("GET", f"{INSTANCE}/frames/0"),
    ("GET", f"{INSTANCE}/metadata"),
    ("PUT", f"{ROOT}/studies"),
    ("POST", f"{ROOT}/studies"),
    ("DELETE", INSTANCE),
    ("OPTIONS", f"{ROOT}/studies"),
    ("GET", f"{ROOT}/%zz"),
    ("GET", "/wado"),
]


@pytest.mark.parametrize(("method", "path"), EVERY_KIND_OF_ANSWER)
def test_every_answer_is_readable_across_origins_and_inert_V15_T15(
    serve_made: Callable[..., Served], method: str, path: str
) -> None:
    served = serve_made(Made(), cors_origins=("https://viewer.example",))
    reply = served.ask(method, path, {"Origin": "https://viewer.example", "Accept": "*/*"})
    assert reply.headers["access-control-allow-origin"] == "https://viewer.example"
    assert "Origin" in reply.headers["vary"]
    assert "Warning" in reply.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in reply.headers
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    if path.startswith(ROOT):
        assert reply.headers["cross-origin-resource-policy"] == "cross-origin"


def test_strange_origin_is_never_reflected_T16(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made(), cors_origins=("https://viewer.example",))
    for origin in ("https://evil.example", "null", "https://viewer.example.evil.example", "https://viewer.examplé"):
        reply = served.ask("GET", INSTANCE, {"Origin": origin})
        assert "access-control-allow-origin" not in reply.headers
        assert origin not in repr(reply.all)


def test_any_origin_is_a_star_and_never_a_name_T16(serve_made: Callable[..., Served]) -> None:
    reply = serve_made(Made(), cors_origins=("*",)).ask("GET", INSTANCE, {"Origin": "https://evil.example"})
    assert reply.headers["access-control-allow-origin"] == "*"


def test_pages_of_this_machine_may_read_by_default(made_served: Served) -> None:
    for origin in ("http://localhost:3000", "http://127.0.0.1:8042", "https://[::1]:1", "http://x.localhost"):
        assert made_served.ask("GET", INSTANCE, {"Origin": origin}).headers["access-control-allow-origin"] == origin
    for origin in ("http://evil.example", "http://localhost.evil.example", "http://localhost:3000@evil.example"):
        assert "access-control-allow-origin" not in made_served.ask("GET", INSTANCE, {"Origin": origin}).headers


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost/",
        "http://localhost:x",
        "ftp://localhost",
        "localhost",
        "http://",
        "http://localhost:1/x",
        "http://user@localhost",
        "http://[::1",
        "",
    ],
)
def test_what_is_no_origin_is_not_loopback(origin: str) -> None:
    assert not cors.is_loopback(origin)


def test_preflight_is_204_and_names_what_viewers_send_V15_CAP_05(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made(), cors_origins=("*",))
    asked = {"Origin": "https://v.example", "Access-Control-Request-Method": "GET"}
    for path in (f"{ROOT}/studies", INSTANCE, f"{INSTANCE}/frames/1", "/wado"):
        reply = served.ask("OPTIONS", path, asked)
        assert (reply.status, reply.body) == (204, b"")
        named = reply.headers["access-control-allow-headers"].split(", ")
        assert {"Authorization", "Accept", "Content-Type", "Range", "If-None-Match"} <= set(named)
        assert "Content-Security-Policy" in named
        assert reply.headers["access-control-max-age"] == "7200"


def test_a_page_elsewhere_hears_why_it_gets_nothing_V15(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made(), cors_origins=("https://v.example",))
    origin = {"Origin": "https://v.example"}
    for path, status in (
        (f"{ROOT}/studies/abc", 400),
        (f"{ROOT}/nothing", 404),
        (f"{INSTANCE}/rendered", 406),
        ("/nothing", 404),
    ):
        may = served.ask("OPTIONS", path, {**origin, "Access-Control-Request-Method": "GET"})
        assert (may.status, may.headers["access-control-allow-origin"]) == (204, "https://v.example")
        reply = served.ask("GET", path, origin)
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, "https://v.example")


def test_options_without_preflight_tells_the_methods(made_served: Served) -> None:
    reply = made_served.ask("OPTIONS", f"{ROOT}/studies")
    assert (reply.status, reply.headers["allow"]) == (200, "GET, HEAD, POST, OPTIONS")


def test_method_that_is_not_offered_is_405_with_allow_GEN_10(made_served: Served) -> None:
    for method, path, allow in (
        ("PUT", f"{ROOT}/studies", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", f"{ROOT}/studies", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", f"{INSTANCE}/metadata", "GET, HEAD, OPTIONS"),
        ("POST", "/wado", "GET, HEAD, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
    ):
        reply = made_served.ask(method, path)
        assert (reply.status, reply.headers["allow"]) == (405, allow)


def test_what_the_origin_cannot_is_not_offered() -> None:
    made = Made()
    reading = Origin(search=made, retrieve=made)
    with serving(Application(reading, log=Log(lambda line: None))) as served:
        stored = served.ask("POST", f"{ROOT}/studies")
        assert (stored.status, stored.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert b"only read" in stored.body
        deleted = served.ask("DELETE", INSTANCE)
        assert deleted.status == 405
        assert b"not switched on" in deleted.body


def test_delete_is_204_AMB_21(serve_made: Callable[..., Served]) -> None:
    made = Made()
    reply = serve_made(made).ask("DELETE", INSTANCE)
    assert (reply.status, reply.body, made.deleted) == (204, b"", [TARGET])


# Errors


def test_every_fault_has_a_status() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Fault)]
    for kind in kinds:
        if kind is not errors.Fault:
            assert status_of(kind("x")) == STATUSES[kind]
    assert status_of(errors.Fault("x")) == 500


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/problem+json"),
        ("*/*", "application/problem+json"),
        ("application/dicom+json", "application/problem+json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("image/png", "application/problem+json"),
        ('multipart/related; type="application/dicom"', "application/problem+json"),
    ],
)
def test_error_is_explained_in_what_is_read_GEN_06(made_served: Served, accept: str | None, expected: str) -> None:
    reply = made_served.ask("GET", f"{ROOT}/studies/1.9", {"Accept": accept} if accept else {})
    assert (reply.status, reply.headers["content-type"]) == (404 if accept != "image/png" else reply.status, expected)
    assert b"no such thing here" in reply.body or accept == "image/png"


def test_error_page_runs_nothing_T15() -> None:
    _, body = format_problem(400, "<script>alert(1)</script>", ("<b>",), "text/html")
    assert b"<script" not in body
    assert b"<b>" not in body


def test_a_fault_of_ours_is_500_and_says_nothing_of_the_data_T18(made_served: Served, lines: list[bytes]) -> None:
    reply = made_served.ask("GET", f"{ROOT}/instances")
    assert reply.status == 500
    assert b"DOE" not in reply.body
    said = [json.loads(line) for line in lines]
    assert [one["error"] for one in said if one["event"] == "error"] == ["ZeroDivisionError"]
    assert any("made_origin.py" in place for place in said[0]["at"])
    assert b"DOE" not in b"".join(lines)


@pytest.mark.parametrize("path", ["/%", "/%4", "/%4x", "/%ff", "/%c0%ae", "/a%00b", "/studies?x=%zz", "/studies?x=%ff"])
def test_address_that_cannot_be_decoded_is_400_T17(made_served: Served, path: str) -> None:
    assert made_served.ask("GET", ROOT + path).status == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/../../etc/passwd", 400),
        ("/studies/%2e%2e", 400),
        ("/studies/" + "1" * 65, 400),
        ("/studies/1..2", 400),
        ("/studies/1.2/series/x", 400),
        ("/patients", 404),
        ("", 404),
        ("/", 404),
        ("x/studies", 404),
    ],
)
def test_strange_paths_T9(made_served: Served, path: str, status: int) -> None:
    assert made_served.ask("GET", ROOT + path).status == status


# Addresses (V12, T16)


def links(served: Served, **headers: str) -> str:
    fields = {"Accept": "application/dicom", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return served.ask("GET", INSTANCE, fields).headers["content-location"]


def test_host_is_never_believed_V12_T16(made_served: Served) -> None:
    assert links(made_served, Host="evil.example") == made_served.url + INSTANCE
    assert links(made_served, X_Forwarded_Host="evil.example", X_Forwarded_Proto="https") == made_served.url + INSTANCE
    assert links(made_served, Forwarded="host=evil.example;proto=https") == made_served.url + INSTANCE


def test_public_address_is_believed_V12(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made(), public_url="https://images.example/pacs/")
    assert links(served, Host="evil.example") == "https://images.example/pacs" + INSTANCE


def test_trusted_proxy_is_believed_V12(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made(), trusted_proxies=("127.0.0.0/8",))
    there = "https://images.example:8443" + INSTANCE
    assert links(served, X_Forwarded_Host="images.example:8443", X_Forwarded_Proto="https") == there
    assert links(served, X_Forwarded_Host="evil, images.example:8443", X_Forwarded_Proto="http, https") == there
    assert links(served, Forwarded='for=1;host=evil, for=2;host="images.example:8443";proto=https') == there
    for odd in ("a b", "a/b", "a?b", "<a>", "a@b", "", "a" * 300, "a:123456", "[::1", "ä"):
        assert links(served, X_Forwarded_Host=odd, X_Forwarded_Proto="https") == served.url + INSTANCE
    assert links(served, X_Forwarded_Host="a", X_Forwarded_Proto="javascript") == served.url + INSTANCE


@pytest.mark.parametrize(
    ("scheme", "server", "expected"),
    [
        ("http", ("::1", 8104), "http://[::1]:8104"),
        ("http", ("10.0.0.1", 80), "http://10.0.0.1"),
        ("https", ("10.0.0.1", 443), "https://10.0.0.1"),
        ("https", ("10.0.0.1", 80), "https://10.0.0.1:80"),
        ("http", None, "http://127.0.0.1"),
    ],
)
def test_address_of_a_socket(scheme: str, server: tuple[str, int] | None, expected: str) -> None:
    assert urls.format_address(scheme, server) == expected


def test_proxies_must_be_addresses() -> None:
    with pytest.raises(ValueError, match="proxy"):
        urls.trust(("proxy.example",))
    assert not urls.trust(("10.0.0.0/8",))("not an address")


# Caching and ranges


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-", range(10)),
        ("bytes=5-7", range(5, 8)),
        ("bytes=5-700", range(5, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-300", range(10)),
        ("bytes=10-", range(0)),
        ("bytes=10-20", range(0)),
        ("bytes=-0", range(0)),
        ("bytes=7-5", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", range(5)),  # so near that they come as one
        ("bytes= 0-1", range(2)),
        ("bytes=0-1,7-5", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=" + "9" * 30 + "-", None),
    ],
)
def test_ranges_RFC_9110(asked: str, expected: range | None) -> None:
    request = requests.Request(None, scope([(b"range", asked.encode())]))
    found = ranges.wanted(request, 10, '"tag"')
    assert (found is None) == (expected is None)
    assert list(found[0] if found else ()) == list(expected or ())


def test_range_of_another_version_is_the_whole() -> None:
    for condition, is_followed in ((b'"tag"', True), (b'"other"', False), (b'W/"tag"', False), (b"yesterday", False)):
        request = requests.Request(None, scope([(b"range", b"bytes=0-1"), (b"if-range", condition)]))
        assert (ranges.wanted(request, 10, '"tag"') is not None) == is_followed


@given(st.text(max_size=40))
def test_any_range_header_is_survived(text: str) -> None:
    request = requests.Request(None, scope([(b"range", text.encode())]))
    found = ranges.wanted(request, 10, '"tag"')
    assert found is None or all(set(span) <= set(range(10)) for span in found)


def test_known_tags_RFC_9110() -> None:
    for said, is_known in (
        ('"a"', True),
        ('W/"a"', True),
        ('"x", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ):
        request = requests.Request(None, scope([(b"if-none-match", said.encode())]))
        assert caching.is_known(request, '"a"') == caching.is_known(request, 'W/"a"') == is_known


def scope(headers: list[tuple[bytes, bytes]]) -> dict:
    return {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": headers, "client": None}


# Headers, log, health, page


@given(st.text(max_size=60))
def test_no_text_ends_its_header_line_T15(text: str) -> None:
    assert re.fullmatch(rb"[ -~]*", field("Warning", text)[1])


def test_access_log_holds_no_address_and_no_line_of_the_callers_T18(made_served: Served, lines: list[bytes]) -> None:
    made_served.ask("GET", f"{ROOT}/studies?PatientName=DOE%5EJOHN%0A%7B%7D")
    made_served.ask("GET", f"{ROOT}/studies/1.2.3.999999")
    made_served.ask("POST", f"{ROOT}/studies")
    with made_served.line() as line:
        line.say(format_request("REPORT", f"{ROOT}/studies"))
        line.hear()
    said = [json.loads(line) for line in lines]
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    assert b"DOE" not in b"".join(lines)
    assert b"999999" not in b"".join(lines)
    assert [one["route"] for one in said] == ["search study", "instances study", "store", "search study"]
    assert [one["method"] for one in said] == ["GET", "GET", "POST", "other"]
    assert all({"status", "ms", "bytes", "peer", "time"} <= one.keys() for one in said)


def test_log_can_leave_out_requests() -> None:
    lines: list[bytes] = []
    log = Log(lines.append, access=False)
    log.access(method="GET", kind="x", status=200, began=0, sent=0, peer="")
    assert lines == []
    log.event("started", workers=2)
    assert json.loads(lines[0])["workers"] == 2


def test_log_line_stays_one_line_whatever_is_in_it() -> None:
    lines: list[bytes] = []
    Log(lines.append).event("x\n{}", at=["y" * 9000])
    assert len(lines) == 1
    assert len(lines[0]) <= 4001
    assert lines[0].count(b"\n") == 1


def test_library_says_no_value_T18(capfd) -> None:
    import logging

    lines: list[bytes] = []
    logs.take_over_library_logs(Log(lines.append))
    logging.getLogger("uvicorn.error").error("seen %s", "DOE^JOHN")
    said = json.loads(lines[-1])
    assert said["logger"] == "uvicorn.error"
    assert "DOE" not in said["message"]


def test_health(made_served: Served) -> None:
    for path in ("/healthz", "/readyz"):
        reply = made_served.ask("GET", path)
        assert (reply.status, json.loads(reply.body)) == (200, {"status": "ok"})
        assert reply.headers["cache-control"] == "no-store"


def test_not_ready_is_503() -> None:
    def check() -> None:
        raise errors.Unavailable("the index is being rebuilt")

    made = Made()
    application = Application(Origin(search=made, retrieve=made), log=Log(lambda line: None), check_ready=check)
    with serving(application) as served:
        reply = served.ask("GET", "/readyz")
        assert (reply.status, json.loads(reply.body)["detail"]) == (503, "the index is being rebuilt")
        assert served.ask("GET", "/healthz").status == 200


def test_page_is_served_with_its_own_policy_T15(made_served: Served) -> None:
    reply = made_served.ask("GET", "/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = reply.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert made_served.ask("GET", "/", {"If-None-Match": reply.headers["etag"]}).status == 304
    assert made_served.ask("GET", "/index.html").body == reply.body


@pytest.mark.parametrize("path", ["/__init__.py", "/../app.py", "/%2e%2e/app.py", "//etc/passwd", "/index.html/"])
def test_page_serves_nothing_else(made_served: Served, path: str) -> None:
    assert made_served.ask("GET", path).status in {400, 404}


def test_kept_connection_serves_many(made_served: Served) -> None:
    with made_served.line() as line:
        for path in (INSTANCE, f"{ROOT}/studies", f"{ROOT}/studies/1.9", INSTANCE, "/healthz"):
            line.say(format_request("GET", path))
            assert line.hear().status in {200, 204, 404}


def test_closing_lets_go_of_the_origin() -> None:
    closed: list[bool] = []
    made = Made()
    application = Application(
        Origin(search=made, retrieve=made), log=Log(lambda line: None), on_close=lambda: closed.append(True)
    )
    with serving(application) as served:
        assert served.ask("GET", "/healthz").status == 200
    assert closed == [True]
