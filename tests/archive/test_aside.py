"""What is refused is kept aside within bounds, whoever else does the same at the time (T10)."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomgate.archive.aside import Aside
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.spool import Spool
from dicomgate.testing import entries

REFUSED = Refused(Reason.OTHER_CONTENT, target=entries.target(1, 1, 1))


def content(number: int) -> bytes:
    return b"%0100d" % number


def digest(number: int) -> str:
    return hashlib.sha256(content(number)).hexdigest()


def keep(aside: Aside, number: int) -> None:
    arrival = Spool(aside.directory.parent / "spool").arrival()
    arrival.write(content(number))
    arrival.finish()
    aside.keep(arrival, REFUSED)
    arrival.discard()


@pytest.mark.parametrize("bound", [{"most_bytes": 350}, {"most_files": 3}])
def test_the_oldest_go_when_it_is_full(bound, tmp_path: Path) -> None:
    aside = Aside(tmp_path / "aside", **bound)
    for number in range(8):
        keep(aside, number)
    assert [note["digest"] for note in aside.notes()] == [digest(number) for number in (5, 6, 7)]
    assert len(list(aside.directory.iterdir())) == 6


def test_many_at_once_neither_fail_nor_pass_the_bound_for_long(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "aside", most_files=4)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: keep(aside, number), range(400)))
        list(pool.map(lambda number: (keep(aside, number), list(aside.notes())), range(400, 500)))
    keep(aside, 500)
    assert len(list(aside.notes())) <= 4


def test_what_is_being_written_is_left_out_of_the_list(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "aside")
    keep(aside, 1)
    (aside.directory / "2.json").write_bytes(b'{"half')
    assert [note["digest"] for note in aside.notes()] == [digest(1)]
