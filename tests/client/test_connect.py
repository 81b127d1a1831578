"""One client for a server, a remote of the settings, a data folder and a folder of files."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import zipfile
from dataclasses import replace

import pydicom
import pytest

import dicomgate
from dicomgate import assembly, config, errors
from dicomgate.cli import local
from dicomgate.client import getting
from dicomgate.client.async_archive import AsyncArchive
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.caller import Caller, Patience, Request
from dicomgate.client.in_process import ADDRESS, InProcess
from dicomgate.client.landing import LandingPlace
from dicomgate.client.offers import Became
from dicomgate.dicom.limits import DEFAULT
from dicomgate.dicom.uids import Target
from dicomgate.samples import phantoms
from dicomgate.samples.modules import write
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

pytestmark = pytest.mark.slow

COUNT = 4


@pytest.fixture
def contents():
    return [write(one) for _, one in zip(range(COUNT), phantoms.ct_torso(), strict=False)]


@pytest.fixture
def data(tmp_path, contents):
    folder = tmp_path / "data"
    with assembly.open_archive(folder, config.Settings()) as archive:
        for _ in local.keep_contents(archive, contents):
            pass
    return folder


@pytest.fixture(params=["address", "remote", "data folder", "files"])
def archive(request, tmp_path, monkeypatch, contents):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "files":
        folder = tmp_path / "files"
        folder.mkdir()
        for number, content in enumerate(contents):
            (folder / f"{number}.dcm").write_bytes(content)
        with dicomgate.connect(folder) as opened:
            yield opened
        return
    data = request.getfixturevalue("data")
    if request.param == "data folder":
        with dicomgate.connect(str(data)) as opened:
            yield opened
        return
    with serving(assembly.application(config.Settings(), data=data)) as served:
        root = f"{served.url}/dicomweb"
        settings = replace(config.Settings(), remotes={"pacs": config.Remote(url=root)})
        with dicomgate.connect("pacs" if request.param == "remote" else root, settings=settings) as opened:
            yield opened


def test_everything_is_found_and_had_wherever_it_is(archive, contents):
    (study,) = archive.find_studies(PatientID="*")
    (series,) = archive.find_series(study, Modality=["CT", "MR"], fields=["Manufacturer"])
    assert not list(archive.find_series(Modality="US"))
    assert len(list(archive.find_instances(series))) == COUNT
    assert len(list(archive.find_instances(series, limit=2))) == 2
    assert len(archive.metadata(series)) == COUNT
    assert sorted(file.read() for file in archive.files(series)) == sorted(contents)
    assert {dataset.Modality for dataset in archive.retrieve(series)} == {"CT"}
    volume = archive.volume(series)
    assert (volume.shape, volume.missing) == ((COUNT, 256, 256), ())
    instance = next(archive.find_instances(series))
    ((number, pixels),) = archive.frames(instance)
    assert (number, pixels.shape) == (1, (256, 256))
    assert archive.rendered(instance, viewport="64,64").startswith(b"\x89PNG")


def test_every_verb_is_there_wherever_it_is(archive, contents, tmp_path):
    series = next(archive.find_series(fields=["Modality", "SeriesInstanceUID"]))
    assert series.Modality == "CT"
    assert series.to_dataset().SeriesInstanceUID == series.SeriesInstanceUID == series.target.series
    instance = next(archive.find_instances(series))
    (described,) = archive.metadata(instance)
    uri = described["7FE00010"]["BulkDataURI"]
    ((content, _),) = archive.frame_data(instance, [1])
    assert archive.bulk_data(instance, uri) == content
    assert len(content) == 256 * 256 * 2
    assert archive.thumbnail(series.target.study).startswith(b"\xff\xd8")
    assert archive.thumbnail(instance, viewport="32,32").startswith(b"\xff\xd8")
    assert archive.wado_uri(instance, transferSyntax="1.2.840.10008.1.2.1") in contents
    assert archive.wado_uri(instance, "image/jpeg").startswith(b"\xff\xd8")
    with zipfile.ZipFile(archive.zip(series, tmp_path / "made.zip")) as made:
        assert sum(name.endswith(".dcm") or "DICOMDIR" not in name for name in made.namelist()) == COUNT
    assert not list(tmp_path.glob(".made*"))
    assert [volume.shape[0] for volume in archive.volumes(series)] == [COUNT]
    assert archive.capabilities().offers("GET", "studies/{study}/metadata")
    assert archive.capabilities().offers("GET", "studies/{study}/nonsense") is False


def test_what_is_downloaded_is_not_asked_for_again(archive, contents, tmp_path):
    heard = []
    (outcome,) = archive.download(next(archive.find_studies()), tmp_path / "out", tell=heard.append)
    assert (outcome.there, outcome.fetched, outcome.failures) == (0, COUNT, [])
    assert sum(heard) == outcome.size == sum(map(len, contents))
    come = sorted((tmp_path / "out").rglob("*.dcm"))
    assert sorted(path.read_bytes() for path in come) == sorted(contents)
    come[0].unlink()
    (outcome,) = archive.download(archive.find_series(), tmp_path / "out")
    assert (outcome.there, outcome.fetched) == (COUNT - 1, 1)
    (outcome,) = archive.download([next(archive.find_instances())], tmp_path / "out")
    assert (outcome.there, outcome.fetched) == (1, 0)
    assert not list((tmp_path / "out").glob(".dicomgate*"))


def test_instances_that_are_named_alone_are_one_outcome_of_their_series(archive, contents, tmp_path):
    named = list(archive.find_instances())[: COUNT - 1]
    (outcome,) = archive.download(named, tmp_path / "out")
    assert (outcome.there, outcome.fetched, outcome.failures) == (0, COUNT - 1, [])
    come = [path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")]
    assert len(come) == COUNT - 1
    assert set(come) < set(contents)


def test_no_more_are_asked_for_when_some_in_a_row_did_not_come(data, tmp_path):
    asked = []

    class Nothing:
        def search(self, path, pairs, limit=None):
            yield from ({"00080018": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(100))

        def fetch(self, target, transfer_syntax, begin):
            asked.append(target)
            raise errors.UpstreamFailed("nothing today")

    getter = getting.Getter(
        source=Nothing(),
        into=LandingPlace(tmp_path / "out", DEFAULT),
        wish=getting.Wish(),
        tell=lambda _: None,
        stopped=threading.Event(),
    )
    outcome = getter.get(getting.Job(Target("1.2", "1.3")))
    assert len(outcome.failures) == 100
    assert len(asked) < 20
    assert {one.why for one in outcome.failures} >= {"nothing today"}
    assert any("not asked for" in one.why for one in outcome.failures)


def test_who_is_slow_holds_up_none_of_the_others(tmp_path):
    series = Target("1.2", "1.3")
    uids = [f"1.2.{number}" for number in range(100, 140)]
    others = threading.Semaphore(0)

    class Uneven:
        def fetch(self, target, transfer_syntax, begin):
            if target.instance == uids[0]:
                for _ in range(20):
                    assert others.acquire(timeout=60), "the others wait for this one"
            sink = begin()
            sink.write(instances.make(target))
            sink.finish()
            sink.discard()
            others.release()

    getter = getting.Getter(
        source=Uneven(),
        into=LandingPlace(tmp_path / "out", DEFAULT),
        wish=getting.Wish(),
        tell=lambda _: None,
        stopped=threading.Event(),
    )
    with getter.into.held():
        outcome = getter.get(getting.Job(series, frozenset(uids)))
    assert (outcome.fetched, outcome.failures) == (len(uids), [])


def test_looking_for_garbage_goes_on_after_metadata(archive):
    archive.metadata(next(archive.find_series()))
    assert gc.isenabled()


def test_what_is_not_there_is_not_found(archive, tmp_path):
    nowhere = Target("1.2.3", "1.2.3.4", "1.2.3.4.5")
    for ask in (archive.metadata, archive.rendered, archive.volume, lambda one: archive.zip(one, tmp_path / "z")):
        with pytest.raises(errors.NotFound):
            ask(nowhere)
    with pytest.raises(errors.NotFound):
        list(archive.retrieve(nowhere))
    assert list(tmp_path.glob("*z*")) == []


def test_files_in_memory_and_data_sets_are_stored(tmp_path, contents):
    (tmp_path / "empty").mkdir()
    first, second = contents[:2]
    with dicomgate.connect(tmp_path / "empty") as archive:
        list(archive.find_studies())
    with assembly.open_archive(tmp_path / "new", config.Settings()):
        pass
    dataset = pydicom.dcmread(io.BytesIO(second))
    with dicomgate.connect(tmp_path / "new") as archive:
        became = [receipt.became for receipt in archive.store([first, dataset, b"nonsense", first[:300]])]
        assert sorted(became) == sorted([Became.STORED, Became.STORED, Became.FOREIGN, Became.UNREADABLE])
        assert sorted(one.InstanceNumber for one in archive.find_instances(InstanceNumber=None)) == [1, 2]
        assert first in [file.read() for file in archive.files(next(archive.find_studies()))]
        with pytest.raises(errors.Malformed):
            list(archive.store([pydicom.Dataset()]))
        (receipt,) = archive.store([first], study="1.2.3")
        assert receipt.became is Became.REFUSED


def test_the_same_without_a_thread_in_between(data, contents, tmp_path):
    async def use():
        async with await dicomgate.connect_async(data) as archive:
            (series,) = [one async for one in archive.find_series()]
            files = [file.read() async for file in archive.files(series)]
            volume = await archive.volume(series)
            frames = [
                number async for number, _ in archive.frames(Target(*uids(series, archive, await first(archive))))
            ]
            (outcome,) = await archive.download(series, tmp_path / "out")
            receipts = [one.became async for one in archive.store([tmp_path / "out"])]
            return sorted(files), volume.shape, frames, outcome.fetched, receipts

    async def first(archive):
        async for one in archive.find_instances():
            return one

    def uids(series, archive, instance):
        return series.target.study, series.target.series, instance.target.instance

    files, shape, frames, fetched, receipts = asyncio.run(use())
    assert files == sorted(contents)
    assert (shape, frames, fetched, receipts) == ((COUNT, 256, 256), [1], COUNT, [Became.STORED] * COUNT)


async def _stalls(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/zip")]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    await asyncio.Event().wait()


def test_who_is_cancelled_leaves_nothing_half_written(tmp_path):
    async def cancel():
        async with AsyncArchive(AsyncCaller(ADDRESS, transport=InProcess(_stalls))) as archive:
            task = asyncio.create_task(archive.zip("1.2.3", tmp_path / "made.zip"))
            while not list(tmp_path.iterdir()):
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_taken_lets_go_of_the_rest(archive):
    series = next(archive.find_series())
    files = archive.files(series)
    next(files)
    files.close()
    assert len(list(archive.find_instances(series))) == COUNT


def test_what_is_not_meant_is_said_before_anything_is_asked(archive):
    with pytest.raises(errors.Malformed, match="expected an instance, saw a series"):
        archive.rendered(Target("1.2", "1.3"))
    with pytest.raises(errors.Malformed):
        archive.metadata({"0020000E": {"vr": "UI", "Value": ["1.2"]}})
    with pytest.raises(errors.Malformed):
        archive.metadata({"0020000D": {"vr": "UI", "Value": ["1.2/../.."]}})
    with pytest.raises(errors.Malformed):
        archive.volume(Target("1.2"))


def test_a_data_folder_takes_and_loses_instances_without_a_server(tmp_path, data, contents):
    (tmp_path / "new").mkdir()
    for number, content in enumerate(contents):
        (tmp_path / "new" / str(number)).write_bytes(content)
    (tmp_path / "new" / "text").write_text("no DICOM")
    store = replace(config.Store(), allow_delete=True)
    with dicomgate.connect(data, settings=replace(config.Settings(), store=store)) as archive:
        archive.delete(next(archive.find_studies()))
        assert not list(archive.find_studies())
        # what was deleted may come again
        became = [receipt.became for receipt in archive.store([tmp_path / "new"])]
        assert sorted(became) == sorted([Became.STORED] * COUNT + [Became.FOREIGN])
        assert len(list(archive.find_instances())) == COUNT
    with dicomgate.connect(data) as archive:
        assert len(list(archive.find_instances())) == COUNT


def test_a_folder_of_files_is_never_written_to(tmp_path, monkeypatch, contents):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "1").write_bytes(contents[0])
    with dicomgate.connect(folder) as archive, pytest.raises(errors.UpstreamFailed, match="does not offer"):
        list(archive.store([folder]))
    assert [path.name for path in folder.iterdir()] == ["1"]


def test_what_is_no_target_is_not_found(tmp_path):
    with pytest.raises(errors.NotFound):
        dicomgate.connect(str(tmp_path / "nothing"))


def test_a_token_goes_along_and_shows_nowhere(server):
    server.answers.append((200, {"Content-Type": "application/dicom+json"}, b"[]"))
    with dicomgate.connect(server.root, token="s3cret", settings=config.Settings()) as archive:
        assert list(archive.find_studies()) == []
        assert "s3cret" not in repr(archive)
    assert server.asked[0][2]["Authorization"] == "Bearer s3cret"


async def _breaks_off(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def _echoes(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


def _asking(method, body=None):
    return Request(method=method, path="/", headers={}, body=body)


def test_both_bodies_stream_without_a_socket():
    given = 0

    async def body():
        nonlocal given
        for _ in range(100):
            given += 1
            yield bytes([given]) * 70_000

    with Caller(ADDRESS, transport=InProcess(_echoes)) as caller:
        answer = caller.send(_asking("POST", body))
    assert answer.body == b"".join(bytes([n]) * 70_000 for n in range(1, 101))


def test_an_answer_that_breaks_off_within_the_process_is_told():
    patience = Patience(tries=2, first=0.001)
    with (
        Caller(ADDRESS, transport=InProcess(_breaks_off), patience=patience) as caller,
        pytest.raises(errors.UpstreamFailed, match="breaks"),
    ):
        caller.send(_asking("GET"))


def test_pydicom_reads_what_comes(archive):
    series = next(archive.find_series())
    assert all(isinstance(dataset, pydicom.FileDataset) for dataset in archive.retrieve(series))


async def _waits(scope, receive, send):
    await asyncio.Event().wait()


def test_what_is_under_way_when_the_application_is_closed_is_not_tried_again():
    async def close_meanwhile():
        transport = InProcess(_waits)
        calls = AsyncCaller(ADDRESS, transport=transport)
        asking = asyncio.create_task(calls.send(_asking("GET")))
        while not transport._under_way:
            await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(errors.Unavailable):
            await asking
        with pytest.raises(errors.Unavailable):
            await calls.send(_asking("GET"))

    asyncio.run(close_meanwhile())


def test_series_to_download_may_come_from_anywhere(data, tmp_path):
    async def both():
        async with await dicomgate.connect_async(data) as archive:
            (one,) = await archive.download(archive.find_series(), tmp_path / "a")
            with dicomgate.connect(data) as plain:  # its iterator waits, and must not hold up our loop
                (two,) = await archive.download(plain.find_series(), tmp_path / "b")
            return one.fetched, two.fetched

    assert asyncio.run(both()) == (COUNT, COUNT)
