"""Leave by tokens: who gives them is a real server, who takes them another."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from dicomgate import errors
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.identity import Identity
from dicomgate.client.request import Request
from dicomgate.client.tokens import Bearer, ClientCredentials, DeviceCode, DevicePrompt


def says(**fields: Any) -> tuple[int, dict[str, str], bytes]:
    return 200 if "error" not in fields else 400, {"Content-Type": "application/json"}, json.dumps(fields).encode()


def asked(server: Any) -> list[str | None]:
    return [headers.get("Authorization") for _, _, headers, _ in server.asked]


def forms(server: Any) -> list[dict[str, str]]:
    return [{name: one for name, (one,) in parse_qs(body.decode()).items()} for _, _, _, body in server.asked]


async def call(server: Any, times: int = 1, **who: Any) -> None:
    async with AsyncCaller(server.root, **who) as calls:
        await asyncio.gather(*(calls.send(Request(path="/x", headers={})) for _ in range(times)))


def test_a_callback_is_asked_once_for_many_and_again_after_a_401(server: Any) -> None:
    given = iter(["old", "new"])
    server.answers.extend([(401, {}, b""), (200, {}, b"")])
    asyncio.run(call(server, token=lambda: next(given)))
    assert asked(server) == ["Bearer old", "Bearer new"]
    given = iter(["one"])
    server.asked.clear()
    asyncio.run(call(server, 5, token=lambda: next(given)))
    assert asked(server) == ["Bearer one"] * 5


def test_a_callback_may_be_a_coroutine(server: Any) -> None:
    async def give() -> str:
        return "late"

    server.answers.append((200, {}, b""))
    asyncio.run(call(server, token=give))
    assert asked(server) == ["Bearer late"]


def test_a_token_that_is_not_taken_is_not_said_twice(server: Any) -> None:
    server.answers.append((401, {}, b""))
    with pytest.raises(errors.Forbidden):
        asyncio.run(call(server, token="abc"))
    assert len(server.asked) == 1


@pytest.mark.parametrize("token", ["", "a\nb", "ä", None, 7])
def test_what_is_no_token_is_not_sent(server: Any, token: Any) -> None:
    with pytest.raises(errors.Forbidden):
        asyncio.run(call(server, token=lambda: token))
    assert server.asked == []


def test_client_credentials_are_asked_for_once_and_again_after_a_401(server: Any, elsewhere: Any) -> None:
    elsewhere.answers.extend([says(access_token="one", expires_in=3600), says(access_token="two", expires_in=3600)])
    server.answers.extend([(200, {}, b""), (200, {}, b""), (401, {}, b""), (200, {}, b"")])
    auth = ClientCredentials(elsewhere.root, "me", "s3cret", "read")

    async def three() -> None:
        async with AsyncCaller(server.root, auth=auth) as calls:
            for _ in range(3):
                await calls.send(Request(path="/x", headers={}))

    asyncio.run(three())
    assert asked(server) == ["Bearer one", "Bearer one", "Bearer one", "Bearer two"]
    assert forms(elsewhere) == [{"grant_type": "client_credentials", "scope": "read"}] * 2
    assert "s3cret" not in repr(auth)


def test_a_person_gives_leave_in_a_browser_and_it_is_renewed_without(server: Any, elsewhere: Any) -> None:
    device = {"device_code": "d", "user_code": "AB-CD", "verification_uri": "https://a.example", "interval": 0.01}
    elsewhere.answers.extend(
        [
            says(**device, expires_in=60),
            says(error="authorization_pending"),
            says(access_token="one", refresh_token="r", expires_in=3600),
            says(access_token="two", expires_in=3600),
        ]
    )
    server.answers.extend([(200, {}, b""), (401, {}, b""), (200, {}, b"")])
    told: list[DevicePrompt] = []
    auth = DeviceCode(elsewhere.root, elsewhere.root, "me", told.append)

    async def twice() -> None:
        async with AsyncCaller(server.root, auth=auth) as calls:
            for _ in range(2):
                await calls.send(Request(path="/x", headers={}))

    asyncio.run(twice())
    assert [(one.address, one.code) for one in told] == [("https://a.example", "AB-CD")]
    assert asked(server) == ["Bearer one", "Bearer one", "Bearer two"]
    assert forms(elsewhere)[3] == {"client_id": "me", "grant_type": "refresh_token", "refresh_token": "r"}


@pytest.mark.parametrize("answer", [says(error="access_denied"), (500, {}, b"<p>"), (200, {}, b"[1]")])
def test_leave_that_is_refused_is_not_asked_for_again(server: Any, elsewhere: Any, answer: Any) -> None:
    elsewhere.answers.extend([says(device_code="d", user_code="A", verification_uri="x", interval=0.01), answer])
    with pytest.raises(errors.Forbidden):
        asyncio.run(call(server, auth=DeviceCode(elsewhere.root, elsewhere.root, "me", lambda _: None)))
    assert server.asked == []
    assert len(elsewhere.asked) == 2


def test_netrc(server: Any, tmp_path: Any) -> None:
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password s3cret\n")
    path.chmod(0o600)
    server.answers.append((200, {}, b""))
    asyncio.run(call(server, identity=Identity(netrc=str(path))))
    assert asked(server) == ["Basic bWU6czNjcmV0"]
    path.write_text("machine s3cret s3cret\n")
    with pytest.raises(errors.Malformed) as caught:
        asyncio.run(call(server, identity=Identity(netrc=str(path))))
    assert "s3cret" not in str(caught.value)


def test_a_token_is_no_part_of_what_is_printed() -> None:
    assert repr(Bearer("s3cret")) == "Bearer()"
