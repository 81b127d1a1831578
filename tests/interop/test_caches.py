"""nginx and Varnish as docs/how-to/cache.md sets them up, before a real server: what is kept, and what never is (RET-10)."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running
from dicomgate.testing.serving import Reply, Served

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "cache.md").read_text("utf-8")
PLACES = os.environ.get("PATH", "") + ":/usr/sbin"
PROGRAMS = {"nginx": "nginx", "varnish": "varnishd"}
SLICES = 300
FRAME = "application/octet-stream; transfer-syntax=*"
FROM_CACHE = {"HIT", "REVALIDATED"}
FIXED: dict[str, str] = {}
CHANGING = {"DICOMGATE__STORE__ALLOW_DELETE": "true", "DICOMGATE__STORE__DUPLICATES": "replace"}


@dataclass(frozen=True)
class Site:
    cache: Served
    server: Running
    targets: list[Target]

    def get(self, path: str, accept: str = FRAME, **headers: str) -> Reply:
        fields = {"Accept": accept, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.cache.ask("GET", f"/dicomweb{path}", fields)

    def view(self) -> list[Reply]:
        """What a viewer asks for when a study is opened and scrolled through."""
        study, series = self.targets[0].study, self.targets[0].series
        listed = [f"/studies?StudyInstanceUID={study}", f"/studies/{study}/series/{series}/metadata"]
        found = [self.get(path, "application/dicom+json", Accept_Encoding="gzip") for path in listed]
        return found + [self.get(frame_of(target)) for target in self.targets]


def frame_of(target: Target) -> str:
    return f"/studies/{target.study}/series/{target.series}/instances/{target.instance}/frames/1"


def pixels(number: int) -> bytes:
    return number.to_bytes(2, "little") * 64


def slice_of(target: Target, number: int) -> bytes:
    return instances.make(target, frames=[pixels(number)], attributes={"InstanceNumber": number})


def store(server: Running, contents: list[bytes]) -> None:
    head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    body = b"".join(head + content + b"\r\n" for content in contents) + b"--b--\r\n"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    reply = server.ask("POST", "/dicomweb/studies", kind, body)
    assert reply.status == 200, reply.body


def written(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return block


def free_port() -> int:
    for port in random.SystemRandom().sample(range(12_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no port is free")


def nginx(here: Path, port: int, server: int) -> list[str]:
    said = written("nginx").replace("listen 80", f"listen 127.0.0.1:{port}").replace("8104", str(server))
    said = said.replace("/var/cache/nginx/dicomgate", f"{here}/cache")
    user = "user root;" if os.geteuid() == 0 else ""
    places = "".join(
        f"{kind}_temp_path {here}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"{user} daemon off; worker_processes 1; pid {here}/pid; error_log {here}/error.log; events {{}}\n"
    (here / "nginx.conf").write_text(f"{whole} http {{ access_log off; {places}\n{said} }}")
    return ["-p", str(here), "-c", str(here / "nginx.conf"), "-e", str(here / "error.log")]


def varnish(here: Path, port: int, server: int) -> list[str]:
    (here / "default.vcl").write_text(written("vcl").replace("8104", str(server)))
    at = f"127.0.0.1:{port}"
    return ["-F", "-j", "none", "-n", str(here / "work"), "-a", at, "-f", str(here / "default.vcl"), "-s", "malloc,64M"]


MAKE: dict[str, Callable[[Path, int, int], list[str]]] = {"nginx": nginx, "varnish": varnish}


@contextlib.contextmanager
def caching(name: str, here: Path, server: int) -> Iterator[Served]:
    program = shutil.which(PROGRAMS[name], path=PLACES)
    if program is None:
        pytest.skip(f"{name} is not installed")
    port = free_port()
    here.mkdir()
    with (here / "said").open("wb") as said:
        process = subprocess.Popen([program, *MAKE[name](here, port, server)], stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + 100
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                break
            assert process.poll() is None, (here / "said").read_text()
            assert time.monotonic() < deadline, f"{name} does not answer"
            time.sleep(0.05)
        yield Served(port)
    finally:
        process.terminate()
        process.wait(100)


@pytest.fixture(scope="module", params=[*PROGRAMS])
def open_site(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:

        def opened(**environment: str) -> Site:
            here = tmp_path_factory.mktemp("site")
            server = stack.enter_context(
                processes.running(data=here / "data", log=here / "log", environment=environment)
            )
            cache = stack.enter_context(caching(request.param, here / "cache", server.port))
            first = instances.new_target()
            targets = [first, *(instances.new_target(first.study, first.series) for _ in range(SLICES - 1))]
            store(server, [slice_of(target, number) for number, target in enumerate(targets)])
            return Site(cache, server, targets)

        yield opened


@pytest.fixture(scope="module")
def fixed(open_site) -> Site:
    return open_site(DICOMGATE__CACHE__SHARED="true", **FIXED)


@pytest.fixture(scope="module")
def changing(open_site) -> Site:
    return open_site(DICOMGATE__CACHE__SHARED="true", **CHANGING)


def test_what_cannot_change_is_shown_from_the_cache_without_asking(fixed: Site) -> None:
    came = seen_twice(fixed)
    assert came.count("HIT") >= 0.98 * len(came), came


def test_what_may_change_is_asked_for_and_shown_from_the_cache(changing: Site) -> None:
    came = seen_twice(changing)
    assert sum(one in FROM_CACHE for one in came) >= 0.98 * len(came), came


def seen_twice(site: Site) -> list[str]:
    """Where what was looked at again came from."""
    first, second = site.view(), site.view()
    assert [reply.status for reply in first] == [200] * (SLICES + 2)
    assert [reply.body for reply in second] == [reply.body for reply in first]
    assert [reply.body for reply in first[2:]] == [pixels(number) for number in range(SLICES)]
    return [reply.headers["x-cache"] for reply in second]


def test_a_part_is_cut_from_what_is_kept(fixed: Site) -> None:
    target = fixed.targets[7]
    fixed.get(frame_of(target))
    reply = fixed.get(frame_of(target), Range="bytes=2-5")
    assert (reply.status, reply.body) == (206, pixels(7)[2:6])
    assert reply.headers["x-cache"] == "HIT"


def test_what_was_deleted_or_replaced_is_never_shown(changing: Site) -> None:
    changing.view()
    deleted, replaced = changing.targets[3], changing.targets[5]
    path = f"/dicomweb{frame_of(deleted).removesuffix('/frames/1')}"
    assert changing.server.ask("DELETE", path).status in {200, 204}
    assert changing.get(frame_of(deleted)).status == 410
    assert changing.get(frame_of(deleted)).status == 410
    store(changing.server, [slice_of(replaced, 999)])
    assert changing.get(frame_of(replaced)).body == pixels(999)
    listed = changing.get(f"/studies/{deleted.study}/metadata", "application/dicom+json")
    uids = {one["00080018"]["Value"][0] for one in json.loads(listed.body)}
    assert uids == {target.instance for target in changing.targets} - {deleted.instance}
    store(changing.server, [slice_of(deleted, 3), slice_of(replaced, 5)])
    assert changing.get(frame_of(deleted)).body == pixels(3)
    assert changing.get(frame_of(replaced)).body == pixels(5)


def test_what_one_was_shown_is_not_shown_to_another(fixed: Site, open_site: Callable[..., Site]) -> None:
    target = fixed.targets[-1]
    fresh = instances.new_target(target.study, target.series)
    store(fixed.server, [slice_of(fresh, 4)])
    for who in ({"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}, {"Cookie": "who=three"}):
        reply = fixed.get(frame_of(fresh), **who)
        assert (reply.status, reply.headers["x-cache"] in FROM_CACHE) == (200, False)
        assert reply.headers["cache-control"].startswith("private")
    assert fixed.get(frame_of(fresh)).headers["x-cache"] not in FROM_CACHE  # nothing of theirs was kept
    assert fixed.get(frame_of(fresh)).headers["x-cache"] == "HIT"
    assert fixed.get(frame_of(fresh), Authorization="Bearer one").headers["x-cache"] not in FROM_CACHE
    unshared = open_site()
    for _ in range(3):
        assert not {reply.headers["x-cache"] for reply in unshared.view()[:20]} & FROM_CACHE


def test_each_form_is_kept_for_those_who_ask_for_it(fixed: Site) -> None:
    target = fixed.targets[11]
    path = f"/studies/{target.study}/series/{target.series}/metadata"
    for accept, kind in (
        ("application/dicom+json", "application/dicom+json"),
        ('multipart/related; type="application/dicom+xml"', "multipart/related"),
    ) * 2:
        assert fixed.get(path, accept).headers["content-type"].startswith(kind)
    for origin, allowed in (("http://localhost:1", True), ("https://evil.example", False)) * 2:
        reply = fixed.get(path, "application/dicom+json", Origin=origin)
        assert ("access-control-allow-origin" in reply.headers) == allowed
