"""The caller under bad conditions: broken bodies, other addresses, callers who are many, and what is kept on disk."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dicomgate import errors
from dicomgate.client import cache, search
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.bridge import Bridge
from dicomgate.client.cache import Cache
from dicomgate.client.caller import Caller, Patience, Request

PATIENCE = Patience(tries=4, first=0.001, longest=0.05)
BODY = bytes(range(256)) * 1000
JSON = {"Content-Type": "application/dicom+json"}


def ask(path: str = "/thing", **fields: Any) -> Request:
    return Request(path=path, headers={"Accept": "*/*"}, is_about_a_thing=True, **fields)


def whole(tag: str = '"a"', **fields: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"ETag": tag, "Content-Type": "application/dicom", **fields}, BODY


def short(place: int, status: int = 200, tag: str = '"a"', **fields: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"ETag": tag, "Content-Length": str(len(BODY)), **fields}, BODY[:place]


def rest(place: int, end: int, tag: str = '"a"') -> tuple[int, dict[str, str], bytes]:
    said = {"Content-Range": f"bytes {place}-{len(BODY) - 1}/{len(BODY)}", "ETag": tag}
    return 206, {**said, "Content-Length": str(len(BODY) - place)}, BODY[place:end]


async def joined(calls: AsyncCaller, request: Request) -> bytes:
    async with calls.stream(request) as answer:
        return b"".join([chunk async for chunk in answer.chunks])


def test_a_broken_body_is_gone_on_with_where_it_broke_off(server: Any, caller: Caller) -> None:
    server.answers.extend([short(70_000), rest(70_000, 90_000), rest(90_000, len(BODY))])
    assert caller.run(joined(caller.calls, ask())) == BODY
    asked = [headers for _, _, headers, _ in server.asked]
    assert [headers.get("Range") for headers in asked] == [None, "bytes=70000-", "bytes=90000-"]
    assert [headers.get("If-Range") for headers in asked[1:]] == ['"a"', '"a"']


@pytest.mark.parametrize("second", [whole('"b"'), rest(70_001, len(BODY)), rest(70_000, len(BODY), '"b"')])
def test_what_is_not_the_rest_of_the_same_is_not_added_to_it(server: Any, caller: Caller, second: Any) -> None:
    server.answers.extend([short(70_000), second])
    with pytest.raises(errors.UpstreamFailed, match="breaks"):
        caller.run(joined(caller.calls, ask()))


@pytest.mark.parametrize("first", [short(9, tag='W/"a"'), short(9, **{"Content-Type": "multipart/related"}), "break"])
def test_what_cannot_be_gone_on_with_is_asked_for_again_whole(server: Any, caller: Caller, first: Any) -> None:
    server.answers.extend([first, first, whole()])
    assert caller.send(ask()).body == BODY
    assert all("Range" not in headers for _, _, headers, _ in server.asked)


@pytest.mark.parametrize(("status", "fault"), [(404, errors.NotFound), (410, errors.Gone)])
def test_what_is_not_there(server: Any, caller: Caller, status: int, fault: type[errors.Fault]) -> None:
    server.answers.append((status, {}, b""))
    with pytest.raises(fault):
        caller.send(ask())
    with pytest.raises(errors.UpstreamFailed):
        caller.send(Request(path="/studies", headers={}))


def test_a_redirect_is_followed_and_who_we_are_is_not_told_elsewhere(server: Any, elsewhere: Any) -> None:
    other = elsewhere
    with Caller(server.root, token="s3cret", patience=PATIENCE) as caller:
        server.answers.extend([(302, {"Location": "/dicomweb/there"}, b""), (307, {"Location": other.root}, b"")])
        other.answers.append((200, {}, b"found"))
        assert caller.send(ask()).body == b"found"
        assert [headers.get("Authorization") for _, _, headers, _ in server.asked] == ["Bearer s3cret"] * 2
        assert [headers.get("Authorization") for _, _, headers, _ in other.asked] == [None]


def test_a_slash_and_a_space_in_a_question_stand_as_every_server_reads_them(server: Any, caller: Caller) -> None:
    server.answers.append(whole())
    caller.send(ask("/wado", parameters=[("contentType", "application/dicom"), ("PatientName", "A B&C=*")]))
    assert server.asked[0][1].endswith("/wado?contentType=application/dicom&PatientName=A%20B%26C%3D*")


def test_redirects_without_end_end(server: Any, caller: Caller) -> None:
    server.answers.append((302, {"Location": "/dicomweb/round"}, b""))
    with pytest.raises(errors.UpstreamFailed, match="one address to the next"):
        caller.send(ask())


def test_secrets_show_nowhere(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers.append((500, {}, b""))
    address = server.root.replace("//", "//me:s3cret@")
    with Caller(address, patience=Patience(tries=1)) as caller, pytest.raises(errors.UpstreamFailed) as caught:
        caller.send(ask())
    said = f"{caught.value!r} {caught.value} {caller.calls!r} {caller.root} {caplog.text}"
    assert "s3cret" not in said
    assert server.asked[0][2]["Authorization"].startswith("Basic ")


def test_no_more_than_so_many_ask_at_once(server: Any) -> None:
    most = 0
    now = 0
    lock = threading.Lock()
    gate = threading.Event()

    def slow(path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
            if now == 3:
                gate.set()
        gate.wait(10)
        with lock:
            now -= 1
        return 200, {}, b"x"

    server.answers.append(slow)

    async def many() -> list[bytes]:
        async with AsyncCaller(server.root, side_by_side=3) as calls:
            return [answer.body for answer in await asyncio.gather(*(calls.send(ask()) for _ in range(12)))]

    assert asyncio.run(many()) == [b"x"] * 12
    assert most == 3


def test_what_is_kept_is_used_only_when_it_is_confirmed(server: Any, tmp_path: Any) -> None:
    kept = Cache(tmp_path / "kept")
    server.answers.extend([whole(), (304, {}, b""), whole('"b"'), (403, {}, b"")])

    async def twice() -> list[bytes]:
        async with AsyncCaller(server.root, cache=kept) as calls:
            found = [(await calls.send(ask(may_be_kept=True))).body for _ in range(3)]
            with pytest.raises(errors.Forbidden):
                await calls.send(ask(may_be_kept=True))
            return found

    assert asyncio.run(twice()) == [BODY] * 3
    assert [headers.get("If-None-Match") for _, _, headers, _ in server.asked] == [None, '"a"', '"a"', '"b"']
    (file,) = [path for path in kept.folder.iterdir() if path.name != "lock"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    file.write_bytes(file.read_bytes()[:-1])  # torn
    server.answers.clear()
    server.answers.append(whole())
    assert asyncio.run(_one(server.root, kept)) == BODY
    assert "If-None-Match" not in server.asked[-1][2]


async def _one(root: str, kept: Cache, path: str = "/thing") -> bytes:
    async with AsyncCaller(root, cache=kept, patience=PATIENCE) as calls:
        return (await calls.send(ask(path, may_be_kept=True))).body


def test_a_broken_answer_is_not_kept_and_leaves_nothing(server: Any, tmp_path: Any) -> None:
    kept = Cache(tmp_path / "kept")
    server.answers.append((200, {"ETag": 'W/"a"', "Content-Length": "100"}, b"half"))
    with pytest.raises(errors.UpstreamFailed):
        asyncio.run(_one(server.root, kept))
    assert list(kept.folder.iterdir()) == []


def test_the_cache_keeps_its_bound_and_what_was_used_last(server: Any, tmp_path: Any) -> None:
    kept = Cache(tmp_path / "kept", most=8 * len(BODY))
    server.answers.append(whole())
    for number in range(20):
        asyncio.run(_one(server.root, kept, f"/thing/{number}"))
        for path in kept.folder.iterdir():
            os.utime(path, (number + 1, number + 1)) if path.stat().st_mtime > 1000 else None
    size = sum(path.stat().st_size for path in kept.folder.iterdir())
    assert size <= kept.most
    asyncio.run(_one(server.root, kept, "/thing/19"))
    assert "If-None-Match" in server.asked[-1][2]
    asyncio.run(_one(server.root, kept, "/thing/0"))
    assert "If-None-Match" not in server.asked[-1][2]


def test_a_cache_that_cannot_be_written_costs_nothing_else(server: Any, tmp_path: Any) -> None:
    (tmp_path / "file").touch()
    server.answers.append(whole())
    assert asyncio.run(_one(server.root, Cache(tmp_path / "file" / "below"))) == BODY


def test_the_cache_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory() == tmp_path / "dicomgate" / "answers"


def found(*uids: str) -> bytes:
    import json

    return json.dumps([{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in uids]).encode()


def uids(caller: Caller, limit: int | None = None) -> list[str]:
    return [one["0020000D"]["Value"][0] for one in search.search(caller, "/studies", limit=limit)]


def test_the_next_page_is_where_the_server_says(server: Any, caller: Caller) -> None:
    link = '</dicomweb/studies?cursor=x>; rel="next", <http://elsewhere.example/>; rel="prev"'
    server.answers.extend([(200, {**JSON, "Link": link}, found("1", "2")), (200, JSON, found("3")), (204, {}, b"")])
    assert uids(caller) == ["1", "2", "3"]
    assert server.asked[1][1] == "/dicomweb/studies?cursor=x"
    assert "offset=3" in server.asked[2][1]


def test_a_link_to_another_server_is_not_followed(server: Any, caller: Caller) -> None:
    link = {"Link": '<http://elsewhere.example/studies>; rel="next"'}
    server.answers.extend([(200, {**JSON, **link}, found("1")), (200, JSON, b"[]")])
    assert uids(caller) == ["1"]
    assert "offset=1" in server.asked[1][1]


def test_an_ignored_offset_and_a_link_in_a_circle_end(server: Any, caller: Caller) -> None:
    server.answers.append((200, JSON, found("1", "2")))
    assert uids(caller) == ["1", "2"]
    server.answers.clear()
    server.answers.append((200, {**JSON, "Link": "</dicomweb/studies>; rel=next"}, found("1", "2")))
    assert uids(caller) == ["1", "2"]


def test_a_server_that_gives_fewer_at_once_is_asked_for_fewer(server: Any, caller: Caller) -> None:
    server.answers.extend([(400, {}, b""), (200, JSON, found("1")), (204, {}, b"")])
    assert uids(caller) == ["1"]
    assert [path.partition("limit=")[2][:4].rstrip("&o") for _, path, _, _ in server.asked] == ["1000", "200", "200"]


def test_no_more_is_asked_for_than_is_wanted(server: Any, caller: Caller) -> None:
    server.answers.append((200, JSON, found("1", "2", "3")))
    assert uids(caller, limit=2) == ["1", "2"]
    assert len(server.asked) == 1
    assert "limit=2&" in server.asked[0][1]


async def _count(most: int, closed: list[bool], made: list[int]) -> Any:
    try:
        for number in range(most):
            made.append(number)
            yield number
    finally:
        closed.append(True)


async def _nothing() -> None:
    pass


def test_a_bridge_reads_a_little_ahead_and_stops_with_who_takes() -> None:
    bridge, closed, made = Bridge(), [], []
    items = bridge.iterate(_count(1000, closed, made), ahead=5)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    assert len(made) <= 12  # five that wait, five that were taken together, and those on their way
    items.close()
    assert closed == [True]
    assert list(bridge.iterate(_count(10, closed, made), ahead=1)) == list(range(10))
    bridge.close(_nothing)
    with pytest.raises(errors.Unavailable):
        bridge.run(_nothing())


def test_a_bridge_is_used_by_many_threads_at_once() -> None:
    bridge = Bridge()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: sum(bridge.iterate(_count(200, [], []), ahead=3)), range(16)))
    bridge.close(_nothing)
    assert results == [sum(range(200))] * 16


def test_a_caller_that_is_closed_ends_what_waits(server: Any) -> None:
    server.answers.append((503, {"Retry-After": "60"}, b""))
    caller = Caller(server.root)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(caller.send, ask())
        while not server.asked:
            pass
        caller.close()
        with pytest.raises(BaseException):  # noqa: B017 - cancelled, in the words of the library
            waiting.result(30)


def test_a_bridge_does_not_wait_for_itself() -> None:
    async def wait_for_oneself(bridge: Bridge) -> None:
        bridge.run(_nothing())

    own = Bridge()
    with pytest.raises(AssertionError):
        own.run(wait_for_oneself(own))
    own.close(_nothing)

    async def over_this_loop() -> int:
        bridge = Bridge(asyncio.get_running_loop())
        with pytest.raises(AssertionError):
            bridge.run(_nothing())
        found = await asyncio.to_thread(lambda: sum(bridge.iterate(_count(10, [], []), ahead=2)))
        bridge.close(_nothing)  # the loop is not ours
        return found

    assert asyncio.run(over_this_loop()) == 45


def test_what_is_asked_while_a_bridge_is_closed_ends() -> None:
    for _ in range(20):
        bridge = Bridge()
        bridge.run(_nothing())

        def ask(used: Bridge) -> None:
            while True:
                used.run(_nothing())

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(ask, bridge) for _ in range(3)]
            bridge.close(_nothing)
            for one in asking:
                with pytest.raises(BaseException):  # noqa: B017 - Unavailable, or cancelled in the library's words
                    one.result(30)


def test_what_is_asked_of_a_closed_caller_is_told_at_once(server: Any) -> None:
    async def ask_after() -> None:
        calls = AsyncCaller(server.root)
        await calls.aclose()
        with pytest.raises(errors.Unavailable):
            await calls.send(ask())

    asyncio.run(ask_after())
    assert server.asked == []


def test_what_is_not_to_be_kept_is_not(server: Any, tmp_path: Any) -> None:
    server.answers.append(whole(**{"Cache-Control": "private, no-store"}))
    assert asyncio.run(_one(server.root, Cache(tmp_path))) == BODY
    assert list(tmp_path.iterdir()) == []
