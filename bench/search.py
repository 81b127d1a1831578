"""QIDO-RS and series metadata beside the bare SQL that fetches the same rows, and beside nginx with the same bytes."""

from __future__ import annotations

import dataclasses
import functools
import http.client
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import zstandard

from bench import catalogue, data, measure, processes, retrieve
from bench.caller import Requests
from bench.measure import NO_TARGET, Amount, Deed, Figure, Target, timed
from bench.processes import Server
from bench.scale import Bench
from dicomgate import assembly, config
from dicomgate.dicom.matching import Between, Match, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.index import values
from dicomgate.index.base import Index

STUDIES = 100
_MODALITIES = "00080061"
_FROM, _TO = "20160101", "20231231"
_HUNDRED = Query(
    level=Level.STUDY,
    matches=(Match((_MODALITIES,), OneOf(("CT",))), Match(("00080020",), Between(_FROM, _TO))),
    limit=STUDIES,
)
_PATH = f"/studies?ModalitiesInStudy=CT&StudyDate={_FROM}-{_TO}&limit={STUDIES}"
_JSON = "application/dicom+json"
_STUDIES_SQL = """
SELECT s.answer, s.modalities, s.number_of_series, s.number_of_instances
FROM study_value d CROSS JOIN study s ON s.id = d.study
WHERE d.value = (SELECT id FROM value WHERE tag = ? AND text = ?) AND d.moment BETWEEN ? AND ?
ORDER BY d.moment DESC, s.uid LIMIT ?
"""
_METADATA_SQL = """
SELECT d.metadata FROM series e CROSS JOIN instance i ON i.series = e.id CROSS JOIN description d ON d.instance = i.id
WHERE e.uid = ? ORDER BY i.number, i.uid
"""
_DICTIONARY_SQL = "SELECT content FROM dictionary WHERE series = (SELECT id FROM series WHERE uid = ?)"
_KINDS = {
    "a UID": f"StudyInstanceUID={data.study_uid(1100)}",
    "a list of 100 UIDs": "StudyInstanceUID=" + ",".join(data.study_uid(number) for number in range(1000, 1100)),
    "accession number": "AccessionNumber=ACC00001100",
    "patient ID": "PatientID=PAT0000400",
    "a name from its start": "PatientName=weav*",
    "a name from its middle": "PatientName=*eave*",
    "two letters of a name": "PatientName=*av*",
    "a name nobody has": "PatientName=*xyzzy*",
    "a day": "StudyDate=20200229",
    "ten years": "StudyDate=20150101-20241231",
    "an hour of the day": "StudyTime=1000-1059",
    "modality and a month": "ModalitiesInStudy=MR&StudyDate=20200201-20200229",
    "a modality nobody has": "ModalitiesInStudy=XX",
    "referring physician": "ReferringPhysicianName=example*",
    "description, question marks": "StudyDescription=CT examination ?7",
    "birth date": "PatientBirthDate=19700101",
    "all, far back": "offset=4000",
}
_ASKED = 20


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    folder = bench.scratch / "searched"
    catalogue.make(folder, bench.scale.indexed)
    yield from _in_process(bench, folder)
    with processes.dicomgate(folder) as server:
        yield from _over_http(bench, server, folder)
        yield from _beside_files(bench, server)
        yield _slowest(bench, server)


def _words(bench: Bench) -> str:
    return f"{STUDIES} studies of {bench.scale.indexed // 20:,}"


def _in_process(bench: Bench, folder: Path) -> Iterator[Figure]:
    count = bench.scale.requests(100)
    with (
        assembly.open_archive(folder, config.read(environment={}, directory=folder)) as archive,
        closing(_open(folder)) as connection,
    ):
        index = archive.index
        assert len(index.find(_HUNDRED).datasets) == len(_bare_search(connection)) == STUDIES
        yield measure.compare(
            timed(functools.partial(index.find, _HUNDRED), count),
            timed(functools.partial(_bare_search, connection), count),
            turns=bench.scale.turns,
            group="search",
            operation=f"{_words(bench)}, by the index alone",
            limit="the SQL alone, rows fetched",
        )
        assert sorted(_metadata(index)) == sorted(_bare_metadata(connection))
        yield measure.compare(
            timed(functools.partial(_metadata, index), bench.scale.requests(20)),
            timed(functools.partial(_bare_metadata, connection), bench.scale.requests(20)),
            turns=bench.scale.turns,
            group="metadata",
            operation=f"a series of {catalogue.LONG_SERIES}, by the index alone",
            limit="fetch, decompress, join",
            target=Target(cpu=1.5),
        )


def _over_http(bench: Bench, server: Server, folder: Path) -> Iterator[Figure]:
    with closing(_open(folder)) as connection:
        for connections in (1, 8):
            count = bench.scale.requests(100)
            yield measure.compare(
                bench.caller.turn(server, Requests(paths=[_PATH], accept=_JSON), count, connections),
                timed(functools.partial(_bare_search, connection), count),
                turns=bench.scale.turns,
                group="search",
                operation=f"{_words(bench)} over HTTP, {connections} at a time",
                limit="the SQL alone, rows fetched",
                target=Target(cpu=3),
            )
            few = bench.scale.requests(20)
            yield measure.compare(
                bench.caller.turn(server, _metadata_requests(), few, connections),
                timed(functools.partial(_bare_metadata, connection), few),
                turns=bench.scale.turns,
                group="metadata",
                operation=f"a series of {catalogue.LONG_SERIES} over HTTP, {connections} at a time",
                limit="fetch, decompress, join",
                target=Target(cpu=1.5),
            )
            yield measure.compare(
                bench.caller.turn(
                    server, dataclasses.replace(_metadata_requests(), coding="gzip, zstd"), few, connections
                ),
                timed(functools.partial(_bare_metadata, connection), few),
                turns=bench.scale.turns,
                group="metadata",
                operation=f"a series of {catalogue.LONG_SERIES} over HTTP as browsers ask, {connections} at a time",
                limit="fetch, decompress, join",
                target=Target(cpu=1.5),
            )


def _beside_files(bench: Bench, server: Server) -> Iterator[Figure]:
    """The same bytes from a file."""
    one = Requests(paths=[f"/studies?StudyInstanceUID={data.study_uid(1100)}"], accept=_JSON)
    wishes = (
        ("one study", one, 300),
        (_words(bench), Requests(paths=[_PATH], accept=_JSON), 100),
        (f"metadata of a series of {catalogue.LONG_SERIES}", _metadata_requests(), 20),
    )
    files = retrieve.files_of(bench)
    files.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        beside = list(retrieve.limits(bench, stack))
        for number, (name, requests, times) in enumerate(wishes):
            (files / f"answer{number}").write_bytes(_get(server, requests.paths[0]))
            for limit, static in beside:
                for connections in (1, 8):
                    count = bench.scale.requests(times)
                    yield measure.compare(
                        bench.caller.turn(server, requests, count, connections),
                        _many(bench, static, f"/answer{number}", count, connections),
                        turns=bench.scale.turns,
                        group="search",
                        operation=f"{name} over HTTP, {connections} at a time",
                        limit=f"{limit}, the same bytes",
                        target=Target(cpu=5) if limit == retrieve.NGINX and requests is one else NO_TARGET,
                    )


def _many(bench: Bench, static: Server, path: str, count: int, connections: int) -> Deed:
    """Enough requests for the clock to show something."""
    return bench.caller.turn(static, Requests(paths=[path]), 5 * count, connections)


def _slowest(bench: Bench, server: Server) -> Figure:
    """The 99th percentile of each kind of match; the worst of them."""
    worst, at_worst = 0.0, ""
    with closing(http.client.HTTPConnection(server.host, server.port)) as connection:
        for kind, asked in _KINDS.items():
            path = f"{server.root}/studies?limit=25&{asked}".replace(" ", "%20")
            taken = sorted(_seconds(connection, path) for _ in range(_ASKED))
            if taken[-1] > worst:
                worst, at_worst = taken[-1], f"{kind} (median {statistics.median(taken) * 1e3:.1f} ms)"
    return Amount(
        group="search",
        operation=f"slowest of {_ASKED} answers, the worst of {len(_KINDS)} kinds of match: {at_worst}",
        unit="ms",
        ours=worst * 1e3,
        most=50,
        target="< 50 ms",
        note=f"at {bench.scale.indexed:,} instances",
    )


def _seconds(connection: http.client.HTTPConnection, path: str) -> float:
    before = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    assert answer.status in (200, 204)
    return time.perf_counter() - before


def _get(server: Server, path: str) -> bytes:
    with closing(http.client.HTTPConnection(server.host, server.port)) as connection:
        connection.request("GET", server.root + path, headers={"Accept": _JSON})
        return connection.getresponse().read()


def _metadata_requests() -> Requests:
    target = catalogue.long_target()
    return Requests(paths=[f"/studies/{target.study}/series/{target.series}/metadata"], accept=_JSON)


def _metadata(index: Index) -> bytes:
    return b",".join(index.metadata(catalogue.long_target())[1])


def _open(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / assembly.INDEX)


def _bare_search(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    low, high = values.moment(_FROM, ""), values.moment(_TO, "235959999999")
    return connection.execute(_STUDIES_SQL, (int(_MODALITIES, 16), "CT", low, high, STUDIES)).fetchall()


def _bare_metadata(connection: sqlite3.Connection) -> bytes:
    """The least that gives the bytes of the answer."""
    series = catalogue.long_target().series
    (packed,) = connection.execute(_DICTIONARY_SQL, (series,)).fetchone()
    text = zstandard.ZstdDecompressor().decompress(packed)
    shared = zstandard.ZstdCompressionDict(text, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    unpack = zstandard.ZstdDecompressor(dict_data=shared).decompress
    return b",".join([unpack(row[0]) for row in connection.execute(_METADATA_SQL, (series,))])
