"""What one who asks has put into the cache is for that one alone; several processes use one folder at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from pathlib import Path
from typing import Any

import pytest

from dicomgate.client import whose
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.cache import Cache
from dicomgate.client.identity import Identity
from dicomgate.client.request import Patience, Request
from dicomgate.client.tokens import ClientCredentials, DeviceCode

BODY = bytes(range(256)) * 40


def careless(path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """A server that looks at who asks only where it sends a body."""
    return 200, {"ETag": '"a"', "Content-Type": "text/plain"}, BODY


async def get(root: str, cache: Cache, path: str = "/thing", **who: Any) -> bytes:
    async with AsyncCaller(root, cache=cache, patience=Patience(tries=2, first=0.001), **who) as calls:
        answer = await calls.send(Request(path=path, headers={"Accept": "*/*"}, may_be_kept=True))
        return answer.body


@pytest.mark.slow
def test_another_one_is_not_shown_what_is_kept(server: Any, tmp_path: Path) -> None:
    server.answers.append(careless)
    cache = Cache(tmp_path / "kept")
    (tmp_path / "token").write_text("one\n")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password p\n")
    (tmp_path / "netrc").chmod(0o600)
    every: list[dict[str, Any]] = [
        {},
        {"token": "one"},
        {"token": "two"},
        {"identity": Identity(user="me")},
        {"identity": Identity(user="you")},
        {"identity": Identity(netrc=str(tmp_path / "netrc"))},
        {"token": lambda: "three"},
    ]
    for who in every:
        asyncio.run(get(server.root, cache, **who))
        assert "If-None-Match" not in server.asked[-1][2]
    for who in [*every[:-1], {"identity": Identity(token_file=str(tmp_path / "token"))}]:
        asyncio.run(get(server.root, cache, **who))
        assert "If-None-Match" in server.asked[-1][2]
    asyncio.run(get(server.root, cache, token=lambda: "three"))  # who that is, nobody knows before
    assert "If-None-Match" not in server.asked[-1][2]


def test_who_asks_has_one_name_that_holds_no_secret(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("a certificate")
    with_certificate = Identity(certificate=str(tmp_path / "pem"))
    named = [
        whose.name_of("s3cret", None, ""),
        whose.name_of(None, None, "me"),
        whose.name_of(ClientCredentials("http://t", "me", "s3cret"), None, ""),
        whose.name_of(ClientCredentials("http://t", "you", "s3cret"), None, ""),
        whose.name_of(None, with_certificate, ""),
        whose.name_of("s3cret", with_certificate, ""),
        whose.name_of(None, Identity(authorities="x"), ""),
    ]
    assert len(set(named)) == len(named)
    assert not any("s3cret" in one for one in named)
    assert named[0] == whose.name_of("s3cret", None, "")
    device = DeviceCode("http://d", "http://t", "me", print)
    assert whose.name_of(device, None, "") != whose.name_of(device, None, "")


def hammer(root: str, folder: str, seed: int) -> None:
    """Many questions to a few places, through a cache that is always too small."""
    chance = random.Random(seed)

    async def ask() -> None:
        cache = Cache(Path(folder), most=8 * (len(BODY) + 1100))
        async with AsyncCaller(root, cache=cache, patience=Patience(tries=2, first=0.001)) as calls:
            for _ in range(40):
                request = Request(path=f"/{chance.randrange(20)}", headers={"Accept": "*/*"}, may_be_kept=True)
                assert (await calls.send(request)).body == BODY

    asyncio.run(ask())


@pytest.mark.slow
def test_several_processes_use_one_folder_at_once(server: Any, tmp_path: Path) -> None:
    server.tells_what_is_known = True
    server.answers.append(careless)
    context = multiprocessing.get_context("spawn")
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    processes = [context.Process(target=hammer, args=(server.root, str(tmp_path), seed + n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert not list(tmp_path.glob("*.partial"))
    assert any("If-None-Match" in headers for _, _, headers, _ in server.asked)
