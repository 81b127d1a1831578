"""What a power cut leaves of a folder, from a record of every system call that touched it.

POSIX promises little: a file's bytes are safe after fsync of the file, a name after fsync of its directory, and nothing
else is; what was not synced may be there all the same, in any selection. `strace` records the calls, this model replays
them up to a moment and makes the folder as it may be found afterwards.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

CALLS = (
    "openat,open,creat,close,dup,dup2,dup3,write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,getpeername,sendto,sendmsg,sendfile,"
    "copy_file_range"
)
BLOCK = 4096
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$")
_RESULT = re.compile(r"^(.*)\) += (-?\d+|\?)(?: .*)?$")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_PORT = re.compile(r"sin_port=htons\((\d+)\)")


def recorder(record: Path) -> tuple[str, ...]:
    """The command that records what it is put before."""
    return ("strace", "-f", "--seccomp-bpf", "-qq", "-xx", "-s", "100000000", "-o", str(record), "-e", f"trace={CALLS}")


@dataclass(frozen=True, slots=True)
class Call:
    """One half of a call: `is_begun` when it is entered, not when it returns. One that was not interrupted has both."""

    name: str
    arguments: str
    result: int
    is_begun: bool
    thread: str


def read(record: Path) -> Iterator[Call]:
    """The halves of the calls in their order."""
    open_calls: dict[str, tuple[str, str]] = {}
    with record.open() as lines:
        for line in lines:
            found = _LINE.match(line)
            if found is None:
                continue  # a signal, an exit
            thread, resumed, name, rest = found.groups()
            if resumed:
                name, begun = open_calls.pop(thread)
                assert name == resumed
            else:
                begun = ""
                unfinished = rest.removesuffix("<unfinished ...>")
                yield Call(name, unfinished, 0, is_begun=True, thread=thread)
                if unfinished != rest:
                    open_calls[thread] = (name, unfinished)
                    continue
            ended = _RESULT.match(rest)
            if ended is not None and ended[2] != "?":
                yield Call(name, begun + ended[1], int(ended[2]), is_begun=False, thread=thread)


def texts(arguments: str) -> list[bytes]:
    """The strings among the arguments."""
    found = []
    for text, cut in _TEXT.findall(arguments):
        assert not cut, "the record is not whole"
        found.append(bytes.fromhex(text.replace("\\x", "")))
    return found


# What may be lost.


@dataclass(eq=False)
class File:
    """Bytes that are safe, and changes in their order that are not yet."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut, or made longer, to this size

    def sync(self, count: int) -> None:
        for change in self.pending[:count]:
            apply(self.safe, change)
        del self.pending[:count]


@dataclass(eq=False)
class Directory:
    """Names that are safe, and changes that are not yet; `names` is what a running process sees."""

    names: dict[str, File | Directory] = field(default_factory=dict)
    safe: dict[str, File | Directory] = field(default_factory=dict)
    pending: list[tuple[str, File | Directory | None]] = field(default_factory=list)

    def change(self, name: str, node: File | Directory | None) -> None:
        _apply_name(self.names, name, node)
        self.pending.append((name, node))

    def sync(self, count: int) -> None:
        for name, node in self.pending[:count]:
            _apply_name(self.safe, name, node)
        del self.pending[:count]


def apply(content: bytearray, change: tuple[int, bytes | None]) -> None:
    at, written = change
    if written is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(written)] = written


def _apply_name(names: dict[str, Any], name: str, node: File | Directory | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Model:
    """The folder, as far as the calls replayed tell."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.root = Directory()
        self._open: dict[int, list[Any]] = {}  # descriptor: node, position
        self._syncing: dict[str, int] = {}
        self._ports: dict[int, int] = {}

    def replay(self, call: Call) -> int | None:
        """Take one call into account. The caller's port when this call begins to answer on that connection."""
        if call.is_begun:
            return self._begin(call)
        if call.result >= 0:
            handler = getattr(self, f"_{call.name}", None)
            if handler is not None:
                handler(call)
        return None

    def _begin(self, call: Call) -> int | None:
        descriptor = _first(call)
        if call.name in {"fsync", "fdatasync"} and descriptor in self._open:
            self._syncing[call.thread] = len(self._open[descriptor][0].pending)
        if call.name == "close":  # its number is free, and may be another file's, before the call returns
            self._open.pop(descriptor, None)
            self._ports.pop(descriptor, None)
        if call.name in {"write", "writev", "sendto", "sendmsg", "sendfile"}:
            return self._ports.pop(descriptor, None)
        return None

    # Names.

    def _find(self, path: bytes) -> tuple[Directory, str] | None:
        try:
            parts = Path(path.decode()).relative_to(self.top).parts
        except ValueError:
            return None
        node: Any = self.root
        for part in parts[:-1]:
            node = node.names[part]
        return (node, parts[-1]) if parts else None

    def _openat(self, call: Call) -> None:
        place = self._find(texts(call.arguments)[0])
        is_top = texts(call.arguments)[0] == str(self.top).encode()
        if is_top:
            self._open[call.result] = [self.root, 0]
        if place is None:
            return
        directory, name = place
        if name not in directory.names:
            assert "O_CREAT" in call.arguments, call
            directory.change(name, File())
        node = directory.names[name]
        if "O_TRUNC" in call.arguments and isinstance(node, File):
            node.pending.append((0, None))
        self._open[call.result] = [node, 0]

    def _mkdir(self, call: Call) -> None:
        if place := self._find(texts(call.arguments)[0]):
            place[0].change(place[1], Directory())

    def _unlink(self, call: Call) -> None:
        if place := self._find(texts(call.arguments)[0]):
            place[0].change(place[1], None)

    _rmdir = _unlinkat = _unlink
    _mkdirat = _mkdir

    def _rename(self, call: Call) -> None:
        old, new = (self._find(text) for text in texts(call.arguments))
        if old is None or new is None:
            return
        node = old[0].names[old[1]]
        new[0].change(new[1], node)
        old[0].change(old[1], None)

    _renameat = _renameat2 = _rename

    def _forbidden(self, call: Call) -> None:
        assert not any(self._find(text) for text in texts(call.arguments)), f"the model does not know {call.name}"

    _link = _linkat = _forbidden

    def _unknown(self, call: Call) -> None:
        assert _first(call) not in self._open, f"the model does not know {call.name}"

    _dup = _dup2 = _dup3 = _writev = _pwritev = _copy_file_range = _unknown

    # Bytes.

    def _write(self, call: Call) -> None:
        if (opened := self._open.get(_first(call))) is not None:
            content = texts(call.arguments)[0][: call.result]
            opened[0].pending.append((opened[1], content))
            opened[1] += len(content)

    def _pwrite64(self, call: Call) -> None:
        if (opened := self._open.get(_first(call))) is not None:
            offset = int(call.arguments.rpartition(",")[2], 0)
            opened[0].pending.append((offset, texts(call.arguments)[0][: call.result]))

    def _ftruncate(self, call: Call) -> None:
        if (opened := self._open.get(_first(call))) is not None:
            opened[0].pending.append((int(call.arguments.rpartition(",")[2]), None))

    def _fallocate(self, call: Call) -> None:
        if (opened := self._open.get(_first(call))) is not None:
            _, mode, start, length = call.arguments.split(",")
            assert mode.strip() == "0"
            opened[0].pending.append((int(start) + int(length), None))

    def _fsync(self, call: Call) -> None:
        if (opened := self._open.get(_first(call))) is not None:
            opened[0].sync(self._syncing.pop(call.thread))

    _fdatasync = _fsync

    def _getpeername(self, call: Call) -> None:
        if (found := _PORT.search(call.arguments)) is not None:
            self._ports[_first(call)] = int(found[1])

    def files(self) -> dict[Path, bytes]:
        """What a running process finds below the folder."""
        return {path: _content(node, 1.0, Random(0)) for path, node in _walk(self.root, Path())}

    # After the cut.

    def make(self, where: Path, survive: float, chance: Random) -> None:
        """The folder as it may be found. `survive`: how likely a change is there that was not synced."""
        shutil.rmtree(where, ignore_errors=True)
        self._make(self.root, where, survive, chance, {})

    def _make(self, directory: Directory, where: Path, survive: float, chance: Random, made: dict[File, Path]) -> None:
        where.mkdir()
        names = dict(directory.safe)
        for name, node in directory.pending:
            if chance.random() < survive:
                _apply_name(names, name, node)
        for name, node in names.items():
            if isinstance(node, Directory):
                self._make(node, where / name, survive, chance, made)
            elif node in made:
                shutil.copyfile(made[node], where / name)  # one file under its old and its new name
            else:
                (where / name).write_bytes(_content(node, survive, chance))
                made[node] = where / name


def _walk(directory: Directory, where: Path) -> Iterator[tuple[Path, File]]:
    for name, node in directory.names.items():
        if isinstance(node, Directory):
            yield from _walk(node, where / name)
        else:
            yield where / name, node


def _content(file: File, survive: float, chance: Random) -> bytes:
    content = bytearray(file.safe)
    for at, written in file.pending:
        if written is None:
            if chance.random() < survive:
                apply(content, (at, None))
            continue
        for start in range(0, len(written), BLOCK):
            if chance.random() < survive:
                apply(content, (at + start, written[start : start + BLOCK]))
    return bytes(content)


def _first(call: Call) -> int:
    number = re.match(r"-?\d+", call.arguments)
    return int(number[0]) if number else -1
