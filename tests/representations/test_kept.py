"""What was made is kept within bounds, shared by processes, and never at anybody's cost."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate.dicom.uids import Target
from dicomgate.origin import Facts
from dicomgate.representations.kept import Kept

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

SIZE = 1 << 20


def facts(number: int = 1, version: str = "a", series: int = 1, study: int = 1) -> Facts:
    return Facts(
        target=Target(f"1.{study}", f"1.{study}.{series}", f"1.{study}.{series}.{number}"),
        sop_class="1.2",
        transfer_syntax="1.2",
        size=1,
        digest=version,
        version=version,
        is_lossy=False,
        frame_count=1,
    )


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and path.name != "account"]


def ask(kept: Kept, of: Facts, asked: str = "it", content: bytes = b"made") -> bool:
    """Whether it had to be made."""
    made = []

    def make() -> tuple[bytes, bytes]:
        made.append(1)
        return b"said", content

    assert kept.get(of, asked, make) == (b"said", content)
    return bool(made)


def test_what_was_made_is_not_made_again_by_anybody(tmp_path) -> None:
    assert ask(Kept(tmp_path / "cache", SIZE), facts())
    assert not ask(Kept(tmp_path / "cache", SIZE), facts())
    assert ask(Kept(tmp_path / "cache", SIZE), facts(version="b"))
    assert ask(Kept(tmp_path / "cache", SIZE), facts(), "another")
    assert ask(Kept(tmp_path / "cache", SIZE), facts(number=2))


def test_without_room_nothing_is_kept(tmp_path) -> None:
    for kept in (Kept(), Kept(tmp_path / "cache", 0)):
        assert ask(kept, facts())
        assert ask(kept, facts())
    assert not (tmp_path / "cache").exists()


def test_nobody_else_may_read_it(tmp_path) -> None:
    before = os.umask(0)
    try:
        ask(Kept(tmp_path / "cache", SIZE), facts())
    finally:
        os.umask(before)
    for path in (tmp_path / "cache").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40_000)), max_size=60))
@settings(max_examples=30, deadline=None)
def test_it_stays_within_its_bounds_and_gives_what_was_made(tmp_path_factory, puts) -> None:
    directory = tmp_path_factory.mktemp("kept")
    kept = Kept(directory, 300_000, most_files=12)
    for number, size in puts:
        ask(kept, facts(number, version=str(size)), content=bytes([number]) * size)
        there = files(directory)
        assert len(there) <= 12
        assert sum(-(-path.stat().st_size // 4096) * 4096 for path in there) <= 300_000


def test_the_oldest_used_go_first(tmp_path) -> None:
    kept = Kept(tmp_path, SIZE, most_files=10)
    for number in range(10):
        ask(kept, facts(number))
    for age, path in enumerate(sorted(files(tmp_path), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(path, ns=(age, age))
    assert not ask(kept, facts(0)), "used now"
    ask(kept, facts(10))
    assert not ask(kept, facts(0))
    assert not ask(kept, facts(10))
    assert len(files(tmp_path)) == 9, "two went"


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:30] + b"?" + b[31:], lambda b: b + b"x"]
)
def test_a_torn_file_is_made_anew(tmp_path, damage) -> None:
    kept = Kept(tmp_path, SIZE)
    ask(kept, facts(), content=bytes(100))
    (path,) = files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert ask(kept, facts(), content=bytes(100))
    assert not ask(kept, facts(), content=bytes(100))


@pytest.mark.parametrize("account", [b"", b"nonsense", bytes(24)])
def test_a_torn_account_is_counted_again(tmp_path, account) -> None:
    kept = Kept(tmp_path, SIZE, most_files=4)
    for number in range(4):
        ask(kept, facts(number))
    (tmp_path / "account").write_bytes(account)
    ask(kept, facts(9))
    assert len(files(tmp_path)) <= 4
    assert not ask(kept, facts(9))


def test_a_broken_place_costs_nobody_a_request(tmp_path) -> None:
    (tmp_path / "cache").write_bytes(b"no directory")
    kept = Kept(tmp_path / "cache", SIZE)
    assert ask(kept, facts())
    assert ask(kept, facts())
    kept.forget(facts().target)


_FULL = """
import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
from test_kept import SIZE, ask, facts; from dicomgate.representations.kept import Kept
kept = Kept(Path(sys.argv[1]), SIZE)
assert ask(kept, facts(), content=bytes(50_000)) and ask(kept, facts(), content=bytes(50_000))
assert ask(kept, facts(2)) and not ask(kept, facts(2))
"""


def test_a_disk_that_takes_no_more_costs_nobody_a_request(tmp_path) -> None:
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-B", "-c", _FULL, str(tmp_path), here], check=True, timeout=120)
    assert len(files(tmp_path)) == 1, "nothing is left of what did not fit"


@pytest.mark.parametrize(
    ("target", "left"),
    [(Target("1.1"), 1), (Target("1.1", "1.1.1"), 2), (Target("1.1", "1.1.1", "1.1.1.1"), 3), (None, 0)],
)
def test_what_is_deleted_is_forgotten(tmp_path, target, left) -> None:
    kept = Kept(tmp_path, SIZE)
    for one in (facts(1), facts(2), facts(1, series=2), facts(1, study=2)):
        ask(kept, one)
    Kept(tmp_path, SIZE).forget(target)
    assert len(files(tmp_path)) == left


def test_what_was_deleted_while_it_was_made_is_not_kept(tmp_path) -> None:
    for answers in ([False], [True, False]):
        kept = Kept(tmp_path, SIZE, lambda _, left=answers: left.pop(0))
        assert ask(kept, facts())
        assert not files(tmp_path)


def test_threads_that_want_the_same_make_it_once(tmp_path) -> None:
    kept, made, go = Kept(tmp_path, SIZE), [], threading.Event()

    def make() -> tuple[bytes, bytes]:
        made.append(1)
        go.wait(60)
        return b"", b"made"

    threads = [threading.Thread(target=kept.get, args=(facts(), "it", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert made == [1]


_LIFE = """
import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])
from test_kept import ask, facts; from dicomgate.representations.kept import Kept
kept = Kept(Path(sys.argv[1]), 200_000, most_files=20)
for turn in range(150):
    number = (turn * 7 + int(sys.argv[3])) % 40
    ask(kept, facts(number), content=bytes([number]) * 5000 * (number % 4))
    if turn % 10 == 0:
        kept.forget(facts(number).target)
"""


def test_processes_share_it(tmp_path) -> None:
    here = str(Path(__file__).parent)
    lives = [subprocess.Popen([sys.executable, "-c", _LIFE, str(tmp_path), here, str(n)]) for n in range(3)]
    assert [life.wait(120) for life in lives] == [0, 0, 0]
    there = files(tmp_path)
    assert len(there) <= 20
    assert sum(-(-path.stat().st_size // 4096) * 4096 for path in there) <= 200_000
    assert not any(path.name.endswith(".aside") for path in there)


@pytest.mark.parametrize("gone", [facts(1).target, facts(2, series=2).target, Target("1.1", "1.1.2"), Target("1.1")])
def test_what_was_made_of_several_goes_with_any_of_them(tmp_path, gone: Target) -> None:
    kept = Kept(tmp_path / "cache", SIZE)
    image, state, made = facts(1), facts(2, series=2), (b"said", b"made")
    for other in (state, facts(2, version="b", series=2)):
        assert kept.get(image, "it", lambda: made, (other,)) == made
        assert kept.get(image, "it", lambda: (b"", b"again"), (other,)) == made
    assert len(files(tmp_path / "cache")) == 2
    kept.forget(facts(3, series=3).target)
    assert len(files(tmp_path / "cache")) == 2
    kept.forget(gone)
    assert files(tmp_path / "cache") == []


def test_what_was_made_of_something_that_went_meanwhile_is_not_kept(tmp_path) -> None:
    kept = Kept(tmp_path / "cache", SIZE, is_current=lambda one: one.target != facts(2).target)
    kept.get(facts(1), "it", lambda: (b"", b"made"), (facts(2),))
    assert files(tmp_path / "cache") == []
