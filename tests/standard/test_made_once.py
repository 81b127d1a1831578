"""What was made is sent again unmade, until what it was made of is deleted, replaced or corrected (issue 4, Caching)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standard_service import Service, parts_of, path_of

from dicomgate import assembly, config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances, states
from dicomgate.testing.serving import serving

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

STORE = config.Store(allow_delete=True, allow_update=True, duplicates="replace", keep_originals=False)
WAYS = [("/rendered", "image/png"), ("/frames/1/rendered", "image/jpeg"), ("/thumbnail", "image/jpeg")]


class Opened:
    def __init__(self, data: Path, settings: config.Settings) -> None:
        self.cache = data / "cache"
        self.application = assembly.application(settings, data=data)

    def kept(self) -> int:
        return sum(path.is_file() and path.name != "account" for path in self.cache.rglob("*"))


def image(target: Target, grey: int = 7) -> bytes:
    frame = grey.to_bytes(2, "little") * 32 * 48
    said = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "WindowCenter": 50, "WindowWidth": 100}
    return instances.make(target, rows=32, columns=48, frames=[frame], attributes=said)


@pytest.fixture
def opened(tmp_path) -> Iterator[tuple[Opened, Service, Target]]:
    one = Opened(tmp_path / "data", config.Settings(store=STORE))
    with serving(one.application) as served:
        service, target = Service(served), instances.new_target()
        service.store(image(target))
        yield one, service, target


def test_the_second_time_nothing_is_made(opened) -> None:
    one, service, target = opened
    ways = WAYS
    first = [service.studies(path_of(target) + way, accept) for way, accept in ways]
    assert {reply.status for reply in first} == {200}
    assert one.kept() == len(ways)
    one.application.maker.workers.close()  # who needs one now is refused
    again = [service.studies(path_of(target) + way, accept) for way, accept in ways]
    assert [reply.body for reply in again] == [reply.body for reply in first]
    assert service.studies(path_of(target) + "/rendered?viewport=5,5", "image/png").status == 503


def test_pictures_under_states_icons_and_texts_are_made_once(opened) -> None:
    one, service, target = opened
    state = instances.new_target(target.study)
    said = {"ImageRotation": 90, "GraphicAnnotationSequence": [states.annotation(states.graphic("POINT", 5, 5))]}
    service.store(states.make(state, [target], image_class="1.2.840.10008.5.1.4.1.1.2", attributes=said))
    ways = [("/rendered", "image/png"), ("/thumbnail", "image/png"), ("/rendered", "text/html")]
    first = [service.studies(path_of(state) + way, accept) for way, accept in ways]
    assert ([reply.status for reply in first], one.kept()) == ([200] * 3, 3)
    under = f"/wado?requestType=WADO&studyUID={target.study}&seriesUID={target.series}&objectUID={target.instance}"
    under += f"&contentType=image/png&presentationUID={state.instance}&presentationSeriesUID={state.series}"
    assert service.get(under).body == first[0].body
    one.application.maker.workers.close()
    again = [service.studies(path_of(state) + way, accept) for way, accept in ways]
    assert [reply.body for reply in again] == [reply.body for reply in first]
    assert service.get(under).body == first[0].body
    assert one.kept() == 3


@pytest.mark.parametrize("is_state", [True, False])
def test_pictures_under_states_go_with_the_state_or_the_image(opened, is_state: bool) -> None:
    one, service, target = opened
    state = instances.new_target(target.study)
    service.store(states.make(state, [target], image_class="1.2.840.10008.5.1.4.1.1.2"))
    assert service.studies(path_of(state) + "/rendered", "image/png").status == 200
    assert one.kept() == 1
    gone = path_of(state if is_state else target)
    assert service.get(f"/dicomweb{gone}", method="DELETE").status in {200, 204}
    assert one.kept() == 0


def test_a_frame_in_another_encoding_is_made_once(opened) -> None:
    one, service, _ = opened
    target = instances.new_target()
    service.store(instances.make(target, frames=[bytes([number]) * 128 for number in range(3)]))
    single = "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"
    several = 'multipart/related; type="image/dicom-rle"; transfer-syntax=1.2.840.10008.1.2.5'
    second = service.studies(path_of(target) + "/frames/2", single)
    assert (second.status, one.kept()) == (200, 1)
    whole = service.studies(path_of(target) + "/frames/1,2,3", several)
    assert (whole.status, one.kept()) == (200, 3), "between those made before"
    one.application.maker.workers.close()
    assert service.studies(path_of(target) + "/frames/2", single).body == second.body
    again = parts_of(service.studies(path_of(target) + "/frames/1,2,3", several))
    assert [part.body for part in again] == [part.body for part in parts_of(whole)]
    assert parts_of(whole)[1].body == second.body
    assert service.studies(path_of(target) + "/frames/2", single, If_None_Match=second.headers["etag"]).status == 304


def test_another_process_finds_it(tmp_path) -> None:
    target, bodies = instances.new_target(), []
    for turn in range(2):
        one = Opened(tmp_path / "data", config.Settings())
        with serving(one.application) as served:
            service = Service(served)
            if not turn:
                service.store(image(target))
            else:
                one.application.maker.workers.close()
            bodies.append(service.studies(path_of(target) + "/rendered", "image/png").body)
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_what_was_made_goes_with_what_is_deleted(opened, level) -> None:
    one, service, target = opened
    other = instances.new_target()
    service.store(image(other))
    for each in (target, other):
        assert service.studies(path_of(each) + "/rendered", "image/png").status == 200
    assert one.kept() == 2
    path = path_of(target)
    gone = {"study": path[: path.index("/series")], "series": path[: path.index("/instances")], "instance": path}
    assert service.get("/dicomweb" + gone[level], method="DELETE").status in {200, 204}
    assert one.kept() == 1
    assert service.studies(path + "/rendered", "image/png").status == 410


def test_what_was_made_goes_with_what_is_replaced(opened) -> None:
    one, service, target = opened
    before = service.studies(path_of(target) + "/rendered", "image/png").body
    service.store(image(target, grey=80))
    assert one.kept() == 0
    assert service.studies(path_of(target) + "/rendered", "image/png").body != before


def test_what_was_made_goes_with_what_is_corrected(opened) -> None:
    one, service, target = opened
    service.studies(path_of(target) + "/rendered?annotation=patient", "image/png")
    assert one.kept() == 1
    body = json.dumps({"00100020": {"vr": "LO", "Value": ["RIGHT"]}}).encode()
    path = f"/dicomweb/studies/{target.study}"
    assert service.served.ask("PATCH", path, {"Content-Type": "application/dicom+json"}, body).status == 200
    assert one.kept() == 0


def test_nothing_is_kept_where_that_is_wanted(tmp_path) -> None:
    for size in (1 << 20, 0):
        one = Opened(tmp_path / "data", config.Settings(cache=config.Cache(disk_bytes=size)))
        with serving(one.application) as served:
            service, target = Service(served), instances.new_target()
            service.store(image(target))
            assert service.studies(path_of(target) + "/rendered", "image/png").status == 200
            assert one.kept() == (1 if size else 0)


def test_what_a_process_deleted_that_died_before_it_forgot_goes_at_the_next_start(tmp_path) -> None:
    data, settings, target = tmp_path / "data", config.Settings(store=STORE), instances.new_target()
    with serving(Opened(data, settings).application) as served:
        service = Service(served)
        service.store(image(target))
        assert service.studies(path_of(target) + "/rendered", "image/png").status == 200
    with assembly.open_archive(data, settings) as archive:
        assert archive.index.remove(target) == 1
    one = Opened(data, settings)
    assert one.kept() == 0
    one.application.close()


def test_what_leaves_a_folder_in_place_leaves_nothing_behind(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    scans, target, settings = tmp_path / "scans", instances.new_target(), config.Settings()
    scans.mkdir()
    (scans / "one.dcm").write_bytes(image(target))
    with assembly.open_folder(scans, settings) as folder:
        folder.scan(lambda _: None)
        with serving(assembly.application(settings, folder=scans)) as served:
            assert Service(served).studies(path_of(target) + "/rendered", "image/png").status == 200
        kept = list((tmp_path / "home").rglob("cache/??/*"))
        assert len(kept) == 1
        folder.scan(lambda _: None)
        assert kept[0].exists(), "nothing changed"
        (scans / "one.dcm").unlink()
        folder.scan(lambda _: None)
        assert not kept[0].exists()
