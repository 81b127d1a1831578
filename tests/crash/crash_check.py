"""Compares all that a server can be asked with what the ledger knows."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crash_client import Client, value
from crash_ledger import Ledger, State

from dicomgate import assembly, config

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
PAGE = 200


def check_touched(client: Client, ledger: Ledger, others: Iterable[str] = ()) -> None:
    """The studies that were at work since the last look, and some others."""
    for study in sorted(ledger.touched | set(others)):
        check_study(client, ledger, study)
    _check_together(ledger)
    ledger.touched.clear()
    ledger.contended.clear()


def check_all(client: Client, ledger: Ledger) -> None:
    """Everything that was ever offered, and that nothing else is there."""
    for study in ledger.studies():
        check_study(client, ledger, study)
    _check_together(ledger)
    there = {study for study in ledger.studies() if ledger.present(study)}
    assert set(all_studies(client)) == there
    for item in ledger.items.values():
        if item.was_deleted:
            assert client.status(_path(item)) == 410, "a deleted instance is not known as deleted"


def all_studies(client: Client) -> list[str]:
    found: list[str] = []
    while page := client.search(f"studies?limit={PAGE}&offset={len(found)}"):
        found += [value(study, STUDY) for study in page]
    assert len(found) == len(set(found)), "a study was listed twice"
    return found


def check_study(client: Client, ledger: Ledger, study: str) -> None:
    """One study at three levels, its metadata, its bytes, its counts."""
    items = ledger.of(study)
    listed = _listing(client, study)
    lost = {uid for uid, item in items.items() if item.state is State.PRESENT} - set(listed)
    assert not lost, f"acknowledged and not listed: {len(lost)} of study {study}: {lost}"
    back = {uid for uid in listed if uid not in items or items[uid].state is State.ABSENT}
    assert not back, f"listed, but deleted or never offered: {back} of study {study}"
    for uid, series in listed.items():
        assert items[uid].target.series == series
    digests = client.digests(f"studies/{study}")
    assert set(digests) == set(listed), f"listed and retrieved differ in study {study}"
    for uid, digest in digests.items():
        assert digest in {items[uid].digest, *items[uid].maybe}, f"other bytes came back for {uid}"
    described = client.metadata(f"studies/{study}")
    assert {value(each, INSTANCE) for each in described} == set(listed)
    assert len(described) == len(listed)
    for each in described:
        assert value(each, STUDY) == study
        assert value(each, "00280010") is not None
    ledger.seen(study, digests)
    _check_gone(client, ledger, study)


def _listing(client: Client, study: str) -> dict[str, str]:
    """Instances with their series, after comparing the three levels with each other."""
    instances = client.search(f"studies/{study}/instances?limit=5000")
    listed = {value(each, INSTANCE): value(each, SERIES) for each in instances}
    assert len(listed) == len(instances), f"an instance is listed twice in study {study}"
    counted = Counter(listed.values())
    series = {value(each, SERIES): value(each, "00201209") for each in client.search(f"studies/{study}/series")}
    assert series == dict(counted), f"series or their counts differ in study {study}"
    found = client.search(f"studies?StudyInstanceUID={study}")
    if not listed:
        assert found == [], f"a study without instances is listed: {study}"
        return {}
    assert len(found) == 1, f"study {study} is listed {len(found)} times"
    counts = value(found[0], "00201206"), value(found[0], "00201208")
    assert counts == (len(counted), len(listed)), f"counts {counts} differ in study {study}"
    return listed


def _check_gone(client: Client, ledger: Ledger, study: str) -> None:
    gone = [item for item in ledger.of(study).values() if item.was_deleted and item.state is State.ABSENT]
    for item in gone[:3]:
        assert client.status(_path(item)) == 410, "a deleted instance is not known as deleted"
    if gone and not ledger.present(study):
        assert client.status(f"studies/{study}") in {404, 410}


def _check_together(ledger: Ledger) -> None:
    for uids in ledger.together:
        items = [ledger.items[uid] for uid in uids]
        if items[0].target.study in ledger.contended:
            continue
        states = {item.state for item in items}
        assert len(states) == 1, "a delete was done in part"
    ledger.together.clear()


def _path(item: Any) -> str:
    target = item.target
    return f"studies/{target.study}/series/{target.series}/instances/{target.instance}"


# The folder itself.


def check_folder(data: Path, *, patience: float = 120.0) -> int:
    """Nothing left over in the spool or half written, no blob without a row, no row without a blob. How many there are.

    Beside a running server this waits for requests whose callers have gone but which it still finishes.
    """
    deadline = time.monotonic() + patience
    with assembly.open_archive(data, config.Settings(), create=False) as archive:
        while True:
            # What is half written is looked at first: it becomes a blob, and a blob becomes no part again.
            aside = half_written(data / "blobs")
            rows = {key for key, _, _ in archive.index.keys()}  # noqa: SIM118
            blobs = set(archive.blobs.keys())
            spooled = [path.name for path in (data / "spool").iterdir()]
            if rows == blobs and not spooled and not aside:
                return len(rows)
            assert time.monotonic() < deadline, (
                f"{len(rows - blobs)} rows without blob, {len(blobs - rows)} blobs without row, "
                f"{spooled} in the spool, {aside} half written"
            )
            time.sleep(0.05)


def half_written(blobs: Path) -> list[str]:
    """Directories may go while they are looked through."""
    return [name for _, _, names in os.walk(blobs) for name in names if name.endswith(".part")]


def verify(data: Path) -> None:
    """Every stored file is read and compared."""
    with assembly.open_archive(data, config.Settings(), create=False) as archive:
        damages = list(archive.verify(lambda size: None))
    assert not damages, damages[:5]


def answers(client: Client) -> dict[str, Any]:
    """All that can be asked, without what may differ between two indexes of the same files."""
    found: dict[str, Any] = {}
    for study in sorted(all_studies(client)):
        found[f"{study} study"] = client.search(f"studies?StudyInstanceUID={study}&includefield=all")
        found[f"{study} series"] = client.search(f"studies/{study}/series?includefield=all")
        found[f"{study} instances"] = client.search(f"studies/{study}/instances?includefield=all&limit=5000")
        found[f"{study} metadata"] = client.metadata(f"studies/{study}")
        found[f"{study} bytes"] = client.digests(f"studies/{study}")
    # Addresses of the server differ from start to start.
    return {key: _without_port(each, client.port) for key, each in found.items()}


def _without_port(each: Any, port: int) -> Any:
    match each:
        case dict():
            return {key: _without_port(one, port) for key, one in each.items()}
        case list():
            return [_without_port(one, port) for one in each]
        case str():
            return each.replace(f":{port}/", "/")
        case _:
            return each
