"""Another DICOMweb server as an origin: it finds, gives back and keeps what a local one does (PS3.18 §10)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config, errors
from dicomgate.client import remote_retrieve
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AnyOf, Match, OneOf
from dicomgate.dicom.outcomes import Reason, Refused, Stored
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import query, resources
from dicomgate.origin import Origin
from dicomgate.spool import Spool
from dicomgate.testing import instances
from dicomgate.testing.processes import PATIENCE, Running, running

pytestmark = pytest.mark.slow
COUNT = 45
PEOPLE = (
    ("A1", "Ärger^Anna", "19990101", "101500", "CT"),
    ("A1", "Ärger^Anna", "20200229", "235959", "MR"),
    ("B2", "Doe^Jane", "20200301", "000000", "CT"),
    ("C3", "Doe^John", "", "", "SR"),
)


@dataclass(frozen=True)
class Site:
    """A server, the same archive without one, and the server as an origin."""

    server: Running
    local: Origin
    remote: Origin
    folder: Path
    targets: list[Target]
    files: dict[str, bytes]


def send(origin: Origin, spool: Spool, content: bytes, study: str | None = None) -> Any:
    arrival = spool.arrival()
    arrival.write(content)
    arrival.finish()
    try:
        assert origin.store is not None
        origin.store.require_room()
        return origin.store.accept(arrival, study)
    finally:
        arrival.discard()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    here = tmp_path_factory.mktemp("remote")
    targets, files = [], {}
    with running(data=here / "data", log=here / "log") as server:
        spool = Spool(here / "meanwhile")
        remote = config.Remote(url=f"{server.url}/dicomweb")
        with (
            assembly.open_remote(config.Settings(), remote, spool) as origin,
            assembly.open_archive(here / "data", config.Settings(), create=False) as archive,
        ):
            for patient, name, date, time, modality in PEOPLE:
                first = instances.new_target()
                held = {"PatientID": patient, "PatientName": name, "StudyDate": date, "StudyTime": time}
                held |= {
                    "Modality": modality,
                    "AccessionNumber": f"N-{len(files)}",
                    "SpecificCharacterSet": "ISO_IR 192",
                }
                for number in range(COUNT if patient == "C3" else 3):
                    target = (
                        first if not number else instances.new_target(first.study, first.series if number > 1 else None)
                    )
                    content = instances.make(target, attributes={**held, "InstanceNumber": number + 1})
                    assert send(origin, spool, content) == Stored(target, "1.2.840.10008.5.1.4.1.1.7")
                    targets.append(target)
                    files[str(target.instance)] = content
            yield Site(server, archive.origin, origin, spool.directory, targets, files)


def found(origin: Origin, asked: query.Query) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(dict(one))) for one in origin.search.search(asked).datasets]


def uids(datasets: list[dict[str, Any]], level: Level) -> list[str]:
    tag = ("0020000D", "0020000E", "00080018")[level - 1]
    return [dataset[tag]["Value"][0] for dataset in datasets]


def wait_until_empty(folder: Path) -> None:
    """What was being fetched ahead leaves when it has come."""
    deadline = time.monotonic() + PATIENCE
    while os.listdir(folder):
        assert time.monotonic() < deadline, "files were left"
        time.sleep(0.02)


QUESTIONS = [
    {},
    {"PatientID": "A1"},
    {"PatientID": "NOBODY"},
    {"PatientName": "doe*"},
    {"PatientName": "*Jane"},
    {"StudyDate": "20200101-"},
    {"StudyDate": "20200229-20200301", "StudyTime": "120000-"},
    {"StudyDate": "-20191231"},
    {"ModalitiesInStudy": "CT"},
    {"ModalitiesInStudy": "CT\\SR", "multiplevaluematching": "true"},
    {"ModalitiesInStudy": "CT,SR"},
    {"AccessionNumber": "N-?"},
    {"StudyDate": '""', "emptyvaluematching": "true"},
    {"StudyDescription": "x"},
    {"fuzzymatching": "true", "PatientName": "arger"},
]


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
def test_what_is_found_is_what_a_local_origin_finds(site: Site, path: str, asked: dict[str, str]) -> None:
    question = query.parse(resources.parse(path), list(asked.items())).query
    here, there = found(site.local, question), found(site.remote, question)
    in_parts = any(isinstance(match.condition, AnyOf) for match in question.matches)
    order = sorted if in_parts else list
    assert order(uids(here, question.level)) == order(uids(there, question.level))


@pytest.mark.parametrize("keys", [{}, {"PatientID": "C3"}, {"PatientID": "A1"}, {"Modality": "SR"}], ids=str)
def test_keys_of_the_levels_above_are_compared_there_and_their_values_given(site: Site, keys: dict[str, str]) -> None:
    last = site.targets[-1]
    for path in (f"/studies/{last.study}/series", f"/studies/{last.study}/instances"):
        parsed = query.parse(resources.parse(path), [("includefield", "PatientName,Modality")]).query
        matches = tuple(Match(attributes.parse_path(name) or (), OneOf((value,))) for name, value in keys.items())
        question = replace(parsed, relational=True, matches=matches)
        here, there = found(site.local, question), found(site.remote, question)
        assert uids(here, question.level) == uids(there, question.level)
        assert bool(there) is (keys.get("PatientID") != "A1")
        for dataset in there:
            assert dataset["00100010"]["Value"] == [{"Alphabetic": "Doe^John"}]
            assert dataset["0020000D"]["Value"] == [last.study]


def test_pages_go_on_where_they_ended_and_hold_each_once(site: Site) -> None:
    whole = query.parse(resources.parse("/instances"), []).query
    expected = uids(found(site.remote, whole), Level.INSTANCE)
    assert len(expected) == len(site.targets)
    page, seen, places = site.remote.search.search(replace(whole, limit=10)), [], []
    seen += uids(list(page.datasets), Level.INSTANCE)
    while page.next is not None:
        places.append(page.next)
        page = site.remote.search.search(replace(whole, limit=10, after=page.next))
        seen += uids(list(page.datasets), Level.INSTANCE)
    assert (seen, page.remaining) == (expected, 0)
    with pytest.raises(errors.Malformed):
        site.remote.search.search(replace(whole, limit=10, after=places[0]))
    assert uids(found(site.remote, replace(whole, offset=50, limit=2)), Level.INSTANCE) == expected[50:52]


def test_a_long_list_of_uids_is_asked_in_parts(site: Site) -> None:
    every = [str(target.instance) for target in site.targets]
    asked = [("SOPInstanceUID", ",".join([*every, *(instances.new_target().study for _ in range(40))]))]
    question = query.parse(resources.parse("/instances"), asked).query
    assert sorted(uids(found(site.remote, question), Level.INSTANCE)) == sorted(every)


def test_what_is_not_there_is_not_found(site: Site) -> None:
    nowhere = instances.new_target()
    question = query.parse(resources.parse(f"/studies/{nowhere.study}/series"), []).query
    assert found(site.remote, question) == []
    for target in (Target(nowhere.study), Target(nowhere.study, nowhere.series), nowhere):
        with pytest.raises(errors.NotFound), site.remote.retrieve.retrieve(target):
            pass


def test_every_instance_comes_back_as_it_is_stored(site: Site) -> None:
    for level in Level:
        last = site.targets[-1]
        target = Target(*(last.study, last.series, last.instance)[:level])
        expected = {
            uid: site.files[uid] for uid in map(str, (each.instance for each in site.targets)) if uid in site.files
        }
        with site.remote.retrieve.retrieve(target) as came, site.local.retrieve.retrieve(target) as here:
            kept = {str(one.target.instance): one for one in here}
            count = 0
            for instance in came:
                uid = str(instance.target.instance)
                count += 1
                assert b"".join(instance.file()) == expected[uid]
                assert instance.is_sound
                assert (instance.facts.sop_class, instance.facts.transfer_syntax) == (
                    kept[uid].facts.sop_class,
                    kept[uid].facts.transfer_syntax,
                )
                assert json.loads(instance.metadata()) == json.loads(kept[uid].metadata())
                assert b"".join(instance.frame(1).chunks) == b"".join(kept[uid].frame(1).chunks)
                assert instance.bulk_paths() == kept[uid].bulk_paths()
            assert count == len(kept)
        wait_until_empty(site.folder)


def test_metadata_of_all_is_that_of_each(site: Site) -> None:
    study = Target(site.targets[0].study)
    version, texts = site.remote.retrieve.metadata(study)
    assert version == "", "nothing may be kept of it"
    assert [json.loads(one) for one in texts] == [json.loads(one) for one in site.local.retrieve.metadata(study)[1]]


def test_a_large_study_lies_here_in_part_alone(site: Site) -> None:
    """What is taken one after the other leaves again, and one taken anew comes anew."""
    with site.remote.retrieve.retrieve(Target(site.targets[-1].study)) as came:
        every, most = list(came), 0
        assert len(every) == COUNT
        for instance in every:
            assert b"".join(instance.file()) == site.files[str(instance.target.instance)]
            most = max(most, len(os.listdir(site.folder)))
        assert remote_retrieve.KEPT <= most < COUNT
        assert b"".join(every[0].file()) == site.files[str(every[0].target.instance)]
    wait_until_empty(site.folder)


def test_the_server_says_what_became_of_it(site: Site) -> None:
    spool = Spool(site.folder)
    target = site.targets[0]
    assert send(site.remote, spool, site.files[str(target.instance)]) == Stored(target, "1.2.840.10008.5.1.4.1.1.7")
    other = send(site.remote, spool, instances.make(target, attributes={"PatientID": "A1", "InstanceNumber": 99}))
    assert isinstance(other, Refused)
    assert other.reason is Reason.OTHER_CONTENT
    astray = send(site.remote, spool, instances.make(), instances.new_target().study)
    assert isinstance(astray, Refused)
    assert astray.reason is Reason.WRONG_STUDY
    broken = send(site.remote, spool, b"nothing of DICOM")
    assert isinstance(broken, Refused)
    assert broken.reason is Reason.CANNOT_UNDERSTAND


def test_what_vanishes_after_it_was_listed_says_so_when_it_is_read(tmp_path: Path) -> None:
    target = instances.new_target()
    spool = Spool(tmp_path / "meanwhile")
    with running("--allow-delete", data=tmp_path / "data", log=tmp_path / "log") as server:
        there = config.Remote(url=f"{server.url}/dicomweb")
        with assembly.open_remote(config.Settings(), there, spool) as origin:
            send(origin, spool, instances.make(target))
            with origin.retrieve.retrieve(Target(target.study)) as came:
                one = next(came)
                assert server.ask("DELETE", f"/dicomweb/studies/{target.study}").status in (200, 204)
                assert one.facts.transfer_syntax == ""
                with pytest.raises(errors.NotFound):
                    next(one.file())


def test_a_server_that_is_away_fails_what_is_asked_of_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "meanwhile")
    there = config.Remote(url="http://127.0.0.1:9/dicomweb")
    with assembly.open_remote(config.Settings(), there, spool) as origin:
        with pytest.raises(errors.UpstreamFailed):
            found(origin, query.parse(resources.parse("/studies"), []).query)
        refused = send(origin, spool, instances.make())
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.OUT_OF_RESOURCES
