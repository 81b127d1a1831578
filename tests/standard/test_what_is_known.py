"""What is asked for again is answered from memory, and never of yesterday: several processes share a data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from standard_service import Service, path_of

from dicomgate import assembly, config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

STORE = config.Store(allow_delete=True, duplicates="replace", keep_originals=False)
OCTETS = "application/octet-stream"
MANY = 'multipart/related; type="application/octet-stream"'
FILE = "application/dicom; transfer-syntax=*"
WAYS = [("/frames/1", OCTETS), ("/frames/1,2", MANY), ("", FILE), ("/bulkdata/7FE00010", OCTETS)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    """Two doors with memories of their own over one data folder, as two worker processes are."""
    data: Path = tmp_path_factory.mktemp("shared") / "data"
    with ExitStack() as stack:
        settings = config.Settings(store=STORE, server=config.Server(public_url="https://images.example"))
        doors = [assembly.application(settings, data=data) for _ in range(2)]
        first, second = (Service(stack.enter_context(serving(door))) for door in doors)
        yield first, second


def image(target: Target, grey: int) -> bytes:
    return instances.make(target, rows=32, columns=64, frames=[bytes([grey]) * 4096, bytes([grey + 1]) * 4096])


@pytest.mark.parametrize(("way", "accept"), WAYS)
def test_another_door_replaces_and_deletes_RET_10(two: tuple[Service, Service], way: str, accept: str) -> None:
    mine, other = two
    target = instances.new_target()
    mine.store(image(target, 1))
    path = path_of(target) + way
    first = [mine.studies(path, accept) for _ in range(3)]
    assert [reply.status for reply in first] == [200] * 3
    assert len({reply.body for reply in first}) == 1
    tag = first[0].headers["etag"]
    assert [mine.studies(path, accept, If_None_Match=tag).status for _ in range(3)] == [304] * 3
    other.store(image(target, 5))
    second = mine.studies(path, accept, If_None_Match=tag)
    assert second.status == 200
    assert second.body != first[0].body
    assert second.headers["etag"] != tag
    assert mine.studies(path, accept).body == second.body == other.studies(path, accept).body
    assert other.get(f"/dicomweb{path_of(target)}", method="DELETE").status in {200, 204}
    for known in (tag, second.headers["etag"]):
        assert mine.studies(path, accept, If_None_Match=known).status == 410
    assert mine.studies(path, accept).status == 410


@pytest.mark.parametrize(("way", "accept"), WAYS)
def test_known_it_is_cut_and_judged_as_at_first(two: tuple[Service, Service], way: str, accept: str) -> None:
    mine, other = two
    target = instances.new_target()
    mine.store(image(target, 9))
    path = path_of(target) + way
    whole = mine.studies(path, accept)
    tag = whole.headers["etag"]
    asked = (
        {},
        {"Range": "bytes=10-99"},
        {"Range": "bytes=-5"},
        {"Range": "bytes=5-9,5000-5003"},
        {"Range": "bytes=900000-"},
        {"Range": "bytes=10-99", "If_Range": '"other"'},
        {"Range": "bytes=10-99", "If_Range": tag},
        {"If_Match": '"other"'},
        {"If_Match": tag},
        {"If_None_Match": f'"other", {tag}'},
        {"If_None_Match": "*"},
        {"If_Unmodified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"method": "HEAD"},
    )
    for fields in asked:
        known, anew = mine.studies(path, accept, **fields), other.studies(path, accept, **fields)
        again = other.studies(path, accept, **fields)
        for one, two_ in ((known, anew), (anew, again)):
            assert (one.status, one.body) == (two_.status, two_.body), fields
            assert _settled(one.headers) == _settled(two_.headers), fields


def _settled(headers: dict[str, str]) -> dict[str, str]:
    """Without what depends on the moment."""
    return {name: value for name, value in headers.items() if name not in ("date", "last-modified")}


def test_a_change_elsewhere_leaves_it_known(two: tuple[Service, Service]) -> None:
    mine, other = two
    target = instances.new_target()
    mine.store(image(target, 3))
    path = path_of(target) + "/frames/2"
    first = mine.studies(path, OCTETS)
    for _ in range(3):
        other.store(instances.make())
        assert mine.studies(path, OCTETS, If_None_Match=first.headers["etag"]).status == 304
        assert mine.studies(path, OCTETS).body == first.body


def test_another_wish_is_another_answer(two: tuple[Service, Service]) -> None:
    mine, _ = two
    target = instances.new_target()
    mine.store(image(target, 3))
    path = path_of(target) + "/frames/2"
    for _ in range(2):
        assert mine.studies(path, OCTETS).headers["content-type"].startswith(OCTETS)
        assert mine.studies(path, MANY).headers["content-type"].startswith("multipart/related")
        assert mine.studies(path, "image/png").status == 406
