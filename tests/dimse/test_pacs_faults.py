"""A PACS or a disk that fails in the midst of a retrieval: 502, 503 or 504 with the reason, soon, and what came stays (PRX-06, PRX-07)."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from pacs_made import MadePacs, over, running

from dicomgate import errors
from dicomgate.dicom.uids import Target
from dicomgate.dimse import associations
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.pacs_shelf import Record, Shelf
from dicomgate.origin import Origin
from dicomgate.testing import processes

WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
PEER = Peer(title="PACS", host="pacs.example.org", port=104, own_title="GATEWAY")


@pytest.fixture
def pacs() -> Iterator[MadePacs]:
    with running(MadePacs()) as made:
        yield made


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + processes.PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("breaks", "status", "why"),
    [
        ("abort", 502, "aborted the association"),
        ("close", 502, "closed the connection"),
        ("garbage", 502, "does not speak DICOM"),
        ("silence", 504, "PACS said nothing for 3 seconds"),
    ],
)
def test_a_pacs_that_breaks_off_in_the_midst(pacs, tmp_path, breaks, status, why):
    """Asked once more for the rest, then it is told; what came is not asked for again."""
    study, series = pacs.fill(5)
    pacs.sends, pacs.breaks = 2, breaks
    path = f"/studies/{study}/series/{series}"
    seconds = 3.0 if breaks == "silence" else 60.0
    with over(pacs.port, tmp_path / "kept", answer_seconds=seconds, metadata_seconds=60.0) as caller:
        answer = caller.get(f"{path}/metadata")
        assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
        pacs.go_on.set()
        pacs.sends = None
        assert len(caller.get(f"{path}/metadata").json()) == 5
        assert caller.get(path, headers=WHOLE).content.count(b"DICM") == 5
    assert [one for one in pacs.asked if one.startswith("GET")] == ["GET SERIES", "GET IMAGE", "GET IMAGE"]
    assert pacs.sent_in_last == 1, "only what was missing"


@pytest.mark.slow
def test_what_breaks_off_when_the_first_has_left_is_not_whole_for_the_caller(pacs, tmp_path):
    """Nobody may take half a series for a whole one."""
    study, series = pacs.fill(5)
    pacs.sends = 2
    with over(pacs.port, tmp_path / "kept") as caller, pytest.raises(httpx2.RemoteProtocolError):
        caller.get(f"/studies/{study}/series/{series}", headers=WHOLE)


@pytest.mark.parametrize(
    ("result", "source", "reason", "kind", "why"),
    [
        (1, 1, 1, associations.Rejected, "it gives no reason"),
        (1, 1, 2, associations.Rejected, "application context"),
        (1, 1, 3, associations.Rejected, "does not know our title GATEWAY; its administrator adds that"),
        (1, 1, 7, associations.Rejected, "the setting pacs.title must be its own"),
        (1, 2, 1, associations.Rejected, "it gives no reason"),
        (1, 2, 2, associations.Rejected, "another version of the protocol"),
        (2, 1, 1, associations.Busy, "it gives no reason"),
        (2, 3, 1, associations.Busy, "it has too much to do"),
        (1, 3, 2, associations.Busy, "as many associations are open as it allows"),
        (1, 9, 9, associations.Rejected, "source 9, reason 9"),
    ],
)
def test_each_reason_of_a_refusal_is_told_plainly(result, source, reason, kind, why):
    """PS3.8 Table 9-21."""
    fault = associations._refusal(PEER, result, source, reason)
    assert type(fault) is kind
    assert why in fault.message
    assert fault.message.startswith("PACS refuses the association: ")
    assert isinstance(fault, errors.Unavailable if kind is associations.Busy else errors.UpstreamFailed)


@pytest.mark.slow
def test_many_classes_take_several_associations(tmp_path):
    """Twenty classes with their transfer syntaxes are more contexts than one association has (128)."""
    with running(MadePacs(has_many_classes=True)) as pacs:
        study, series = pacs.fill(20)
        for number, one in enumerate(pacs.has):
            one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = CLASSES[number]
        with over(pacs.port, tmp_path / "kept") as caller:
            answer = caller.get(f"/studies/{study}/series/{series}/metadata")
            assert {one["00080016"]["Value"][0] for one in answer.json()} == set(CLASSES)
    assert pacs.asked.count("GET IMAGE") == 3


@pytest.mark.slow
@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.9.2.1"])
def test_what_the_pacs_does_not_tell_the_class_of_comes_by_guessing(tmp_path, sop_class):
    """DCMTK's tells none: pictures of the usual classes on the first association, a report or a waveform on the next."""
    with running(MadePacs(has_many_classes=True, tells_classes=False)) as pacs:
        study, series = pacs.fill(3)
        pacs.has[0].SOPClassUID = pacs.has[0].file_meta.MediaStorageSOPClassUID = sop_class
        with over(pacs.port, tmp_path / "kept") as caller:
            answer = caller.get(f"/studies/{study}/series/{series}/metadata")
            assert len(answer.json()) == 3
    assert [one for one in pacs.asked if one.startswith("GET")] == ["GET SERIES", "GET IMAGE"]


CLASSES = [
    f"1.2.840.10008.5.1.4.1.1.{suffix}"
    for suffix in (
        "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "2", "2.1", "3.1", "4", "4.1", "6.1", "7", "7.2", "12.1", "12.2", "20",
        "128", "481.1", "77.1.4",
    )
]  # fmt: skip


@pytest.mark.slow
def test_the_cache_is_bounded_and_what_is_read_stays(pacs, tmp_path):
    """Bytes on the disk: at most the bound and what is in use."""
    held, *others = [pacs.fill(4, side=300) for _ in range(4)]
    bound = 1_000_000  # one series has 720 kB
    with over(pacs.port, tmp_path / "kept", cache_bytes=bound) as caller:
        path = f"/studies/{held[0]}/series/{held[1]}"
        with caller.stream("GET", path, headers=WHOLE) as answer:
            chunks = answer.iter_raw()
            seen = next(chunks)
            for study, series in others:
                assert caller.get(f"/studies/{study}/series/{series}/metadata").status_code == 200
            seen += b"".join(chunks)
        assert seen.count(b"DICM") == 4
        study, series = pacs.fill(4, side=300)
        assert caller.get(f"/studies/{study}/series/{series}/metadata").status_code == 200
        assert _size(tmp_path / "kept" / "blobs") <= bound
        asked = len(pacs.asked)
        assert caller.get(f"/studies/{study}/series/{series}", headers=WHOLE).status_code == 200
        assert len(pacs.asked) == asked, "the last one is here"
        assert caller.get(f"{path}/metadata").status_code == 200
        assert len(pacs.asked) > asked, "the first one is not"


def test_what_is_in_use_stays_on_the_shelf(tmp_path):
    """However many bytes there are, and whatever comes."""
    deleted = []

    class Cache:
        def delete(self, target: Target) -> int:
            deleted.append(target.series)
            return 1

    cache = Cache()
    shelf = Shelf(tmp_path, Origin(search=cache, retrieve=cache, delete=cache), most_bytes=100)

    def note(series: str) -> None:
        shelf.note(Record(study="1.2", series=series, said=1, held=1, lacking=0, size=60, checked=1.0))

    note("1.2.1")
    with shelf.pinned("1.2.1"):
        note("1.2.2")
        note("1.2.3")
        assert deleted == ["1.2.2", "1.2.3"]
    note("1.2.4")
    assert deleted == ["1.2.2", "1.2.3", "1.2.1"]
    assert [one.series for one in shelf.known()] == ["1.2.4"]


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one."""
    where = tmp_path / "disk"
    where.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=12m", "dicomgate-test", str(where)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


@pytest.mark.slow
def test_on_a_full_disk_others_go_and_then_it_is_503(pacs, disk):
    """The bound of the settings is larger than the disk. What is too large for it is told; the next smaller one comes."""
    series = [pacs.fill(5, side=600) for _ in range(4)]  # 3.6 MB each
    with over(pacs.port, disk / "kept") as caller:
        for study, one in series:
            answer = caller.get(f"/studies/{study}/series/{one}/metadata")
            assert (answer.status_code, len(answer.json())) == (200, 5), answer.text
        study, one = pacs.fill(20, side=600)
        answer = caller.get(f"/studies/{study}/series/{one}/metadata")
        assert answer.status_code == 503
        assert "the disk is full" in answer.json()["detail"]
        study, one = pacs.fill(2, side=600)
        assert len(caller.get(f"/studies/{study}/series/{one}/metadata").json()) == 2


@pytest.mark.slow
def test_a_gateway_killed_with_half_a_series_asks_for_the_rest_alone(pacs, tmp_path):
    study, series = pacs.fill(100)
    pacs.pause = 0.02
    path = f"/dicomweb/studies/{study}/series/{series}"
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[pacs]\ntitle = "PACS"\nhost = "127.0.0.1"\nport = {pacs.port}\nretrieve = "get"\n'
        f'cache = "{tmp_path / "kept"}"\n'
    )
    log = tmp_path / "log"
    server = processes.start("--no-auth", data=file, log=log, is_gateway=True)
    asking = threading.Thread(target=_ask, args=(f"{server.url}{path}",))
    asking.start()
    until(lambda: pacs.sent_in_last > 20)
    server.kill()
    asking.join()
    pacs.pause = 0.0
    with processes.running("--no-auth", data=file, log=log, is_gateway=True) as server:
        answer = server.ask("GET", f"{path}/metadata", {"Accept": "application/dicom+json"})
        assert (answer.status, answer.body.count(b'"00080018"')) == (200, 100)
        again = len(pacs.asked)
        assert server.ask("GET", path, WHOLE).body.count(b"DICM") == 100
        assert len(pacs.asked) == again
    assert [one for one in pacs.asked if one.startswith("GET")] == ["GET SERIES", "GET IMAGE"]
    assert pacs.sent_in_last < 100


def _ask(address: str) -> None:
    with pytest.raises(httpx2.HTTPError), httpx2.Client(timeout=60, trust_env=False) as caller:
        caller.get(address, headers=WHOLE)
