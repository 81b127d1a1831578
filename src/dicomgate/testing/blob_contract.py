"""What every BlobStore must do: inherit, say how to open one, run with pytest."""

# ruff: noqa: D102, N802, ARG002, ARG005 (these are tests: their names say what they show, and which rule they guard)

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomgate import errors
from dicomgate.blobs.base import BlobStore

_ODD_KEYS = ("", ".", "..", "../escape", "/etc/passwd", "a\0b", "a/b", "\ud800", "x" * 5000)


class BlobContract:
    """Subclasses give `open_store`; stores opened on one place share what they hold, as processes do."""

    def open_store(self, place: Path) -> BlobStore:
        """A store on this place."""
        raise AssertionError("the subclass opens its store")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[BlobStore]:
        """A new, empty store."""
        store = self.open_store(tmp_path / "store")
        yield store
        store.close()

    @pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 5000])
    def test_bytes_come_back(self, store: BlobStore, content: bytes) -> None:
        key = store.new_key()
        store.put(key, content)
        with store.open(key) as blob:
            assert blob.size == len(content)
            assert blob.read_at(0, len(content) + 10) == content
            assert blob.read_at(1, 5) == content[1:6]
            assert blob.read_at(len(content), 1) == b""
            assert blob.read_at(len(content) + 1, 1 << 60) == b""
            assert os.pread(blob.fileno(), 100, 0) == content[:100]

    def test_a_file_is_moved_in(self, store: BlobStore, tmp_path: Path) -> None:
        file = tmp_path / "spooled"
        file.write_bytes(b"spooled bytes")
        key = store.new_key()
        store.put(key, file)
        assert not file.exists()
        with store.open(key) as blob:
            assert blob.read_at(0, 100) == b"spooled bytes"

    @pytest.mark.parametrize("key", _ODD_KEYS)
    def test_a_key_that_the_store_did_not_make_leads_nowhere_T9(self, store: BlobStore, key: str) -> None:
        with pytest.raises(errors.NotFound):
            store.open(key)

    def test_absent(self, store: BlobStore) -> None:
        key = store.new_key()
        with pytest.raises(errors.NotFound):
            store.open(key)
        store.delete(key)
        assert list(store.keys()) == []

    def test_keys_sort_in_the_order_they_were_made(self, store: BlobStore) -> None:
        keys = [store.new_key() for _ in range(2500)]
        assert sorted(set(keys)) == keys

    def test_keys_of_two_stores_sort_by_time(self, store: BlobStore, tmp_path: Path) -> None:
        other = self.open_store(tmp_path / "store")
        keys = [one.new_key() for _ in range(20) for one in (store, other)]
        assert sorted(set(keys)) == keys
        other.close()

    def test_a_key_can_be_made_later_than_another_whatever_the_clock_says(
        self, store: BlobStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = store.new_key()
        monkeypatch.setattr("time.time_ns", lambda: 1)
        keys = [store.new_key(after=first), store.new_key()]
        assert [first, *keys] == sorted([first, *keys])

    def test_deleted_is_gone_but_stays_readable_for_who_has_it_open(self, store: BlobStore) -> None:
        keys = [store.new_key() for _ in range(3)]
        for key in keys:
            store.put(key, key.encode())
        with store.open(keys[0]) as blob:
            store.delete(*keys[:2])
            assert blob.read_at(0, 100) == keys[0].encode()
        for key in keys[:2]:
            with pytest.raises(errors.NotFound):
                store.open(key)
        assert list(store.keys()) == keys[2:]

    def test_lists_every_key_once(self, store: BlobStore, tmp_path: Path) -> None:
        keys = [store.new_key() for _ in range(30)]
        for key in keys:
            store.put(key, b"bytes")
        assert sorted(store.keys()) == keys
        other = self.open_store(tmp_path / "store")
        assert sorted(other.keys()) == keys
        other.close()

    def test_threads_store_side_by_side(self, store: BlobStore) -> None:
        def work(number: int) -> list[str]:
            keys = []
            for turn in range(20):
                keys.append(store.new_key())
                store.put(keys[-1], f"{number} {turn}".encode())
                store.settle(keys[-1])
            return keys

        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(work, range(8)))
        assert sorted(store.keys()) == sorted(key for keys in made for key in keys)
        for number, keys in enumerate(made):
            for turn, key in enumerate(keys):
                with store.open(key) as blob:
                    assert blob.read_at(0, 100) == f"{number} {turn}".encode()

    def test_a_sweep_leaves_what_the_living_are_at_work_on_D5(self, store: BlobStore, tmp_path: Path) -> None:
        key = store.new_key()
        store.put(key, b"not yet known to any index")
        other = self.open_store(tmp_path / "store")
        assert other.sweep(lambda keys: set()) == 0
        assert store.sweep(lambda keys: set()) == 0
        assert list(store.keys()) == [key]
        other.close()

    def test_a_sweep_takes_what_was_left_unknown_and_leaves_the_rest_D5(self, store: BlobStore, tmp_path: Path) -> None:
        dead = self.open_store(tmp_path / "store")
        kept, orphan, settled = (dead.new_key() for _ in range(3))
        for key in (kept, orphan, settled):
            dead.put(key, b"bytes")
        dead.settle(settled)
        dead.close()  # with two keys under way, as a crash leaves them
        asked: list[str] = []

        def known(keys: list[str]) -> set[str]:
            asked.extend(keys)
            return {kept, settled} & set(keys)

        assert store.sweep(known) == 1
        assert set(asked) >= {kept, orphan}
        assert sorted(store.keys()) == [kept, settled]
        asked.clear()
        assert store.sweep(known) == 0
        assert asked == []

    def test_what_was_settled_is_not_looked_at_again_D5(self, store: BlobStore, tmp_path: Path) -> None:
        ended = self.open_store(tmp_path / "store")
        for number in range(20):
            key = ended.new_key()
            ended.put(key, b"bytes")
            if number % 2:
                ended.settle(key)
            else:
                ended.delete(key)
        ended.close()

        def known(keys: list[str]) -> set[str]:
            raise AssertionError(f"asked for {len(keys)} keys")

        assert store.sweep(known) == 0
        assert len(list(store.keys())) == 10

    def test_closed_twice_and_nothing_put_after(self, store: BlobStore) -> None:
        key = store.new_key()
        store.put(key, b"bytes")
        store.close()
        store.close()
        with pytest.raises(errors.Unavailable):
            store.put(store.new_key(), b"more")
        with store.open(key) as blob:
            assert blob.size == 5
