"""A DICOMDIR for the files of one study, written record by record (PS3.3 Annex F, PS3.10 §8.6).

Records lie in the order of the files. Each points forward, so what points is completed when its aim is reached; of all
records only one at each level is remembered, the rest lies in a temporary file.
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import directory_records, encode, part10, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.origin import Facts

NAME: Final = "DICOMDIR"

_HELD: Final = 1 << 20
_STEP: Final = 1 << 19
_IN_USE: Final = 0xFFFF
_NEXT: Final = 16
"""Where in a record the offset of the next one lies: after the item's head, and its own."""
_LOWER: Final = 38
"""Where that of the first record of the level below lies."""
_WORD: Final = struct.Struct("<I")
_INSTANCE_NUMBER, _SERIES_NUMBER = "00200013", "00200011"
_FEWEST_DIGITS: Final = 10**38


class Directory:
    """A DICOMDIR that grows by one file after the other, series by series."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_HELD)  # noqa: SIM115 - closed by `close`
        self._start = len(_write_head("2.25." + str(_FEWEST_DIGITS), 0))
        self._digest = hashlib.blake2b(digest_size=16)
        self._end = 0
        self._series: str | None = None
        self._series_count = self._instance_count = 0
        self._last_series = self._last_instance = 0

    def add(self, names: Sequence[str], facts: Facts, transfer_syntax: str, attributes: JSONDataset) -> None:
        """One file more. `names`: of the folders and the file; `attributes`: of the data set in it.

        What a record must say and the object does not, is left empty; numbers are counted then.
        """
        if self._series is None:
            self._write("PATIENT", attributes, {}, lower=True)
            self._write("STUDY", attributes, {"0020000D": facts.target.study}, lower=True)
        if facts.target.series != self._series:
            self._begin_series(facts, attributes)
        self._instance_count += 1
        at = self._here
        kind = directory_records.kind(facts.sop_class, has_frames=facts.frame_count > 0)
        self._write(
            kind, attributes, {_INSTANCE_NUMBER: self._instance_count}, file=_file(names, facts, transfer_syntax)
        )
        if self._last_instance:
            self._point(self._last_instance + _NEXT, at)
        self._last_instance = at
        self._digest.update(f"{facts.target.instance} {facts.version} {transfer_syntax}\n".encode())

    def finish(self) -> int:
        """The size of the whole, when no file follows."""
        self._file.seek(self._end)
        self._file.write(encode.SEQUENCE_END)
        return self._start + self._end + len(encode.SEQUENCE_END)

    def read(self, span: range | None = None) -> Iterator[bytes]:
        """The whole, or a span of it, when it is finished."""
        head = _write_head(self._uid, self._start if self._end else 0)
        size = len(head) + self._end + len(encode.SEQUENCE_END)
        wanted = range(size) if span is None else span
        if wanted.start < len(head):
            yield head[wanted.start : wanted.stop]
        at = max(wanted.start, len(head))
        while at < wanted.stop:
            self._file.seek(at - len(head))
            chunk = self._file.read(min(_STEP, wanted.stop - at))
            yield chunk
            at += len(chunk)

    def close(self) -> None:
        """Let go of the temporary file. May be called twice."""
        self._file.close()

    @property
    def _here(self) -> int:
        """Where the next record begins, in the whole."""
        return self._start + self._end

    @property
    def _uid(self) -> str:
        """The same for the same files: a UID under 2.25 with as many digits as any other of these."""
        number = int.from_bytes(self._digest.digest(), "big")
        return f"2.25.{_FEWEST_DIGITS + number % (2**128 - _FEWEST_DIGITS)}"

    def _begin_series(self, facts: Facts, attributes: JSONDataset) -> None:
        self._series = facts.target.series
        self._series_count += 1
        self._instance_count = self._last_instance = 0
        at = self._here
        known = {"0020000E": facts.target.series, _SERIES_NUMBER: self._series_count}
        self._write("SERIES", attributes, known, lower=True)
        if self._last_series:
            self._point(self._last_series + _NEXT, at)
        self._last_series = at

    def _write(
        self,
        kind: str,
        attributes: JSONDataset,
        known: dict[str, Any],
        *,
        file: JSONDataset | None = None,
        lower: bool = False,
    ) -> None:
        """One record. `known`: values for what the object leaves out; `lower`: the next one is of the level below."""
        content = {**(file or {}), **_content(kind, attributes, known)}
        if kind == directory_records.PRIVATE:
            content["00041432"] = {"vr": "UI", "Value": [directory_records.PRIVATE_RECORD]}
        written = _write_record(kind, content, 0)
        if lower:
            written = _write_record(kind, content, self._here + len(written))
        self._file.seek(self._end)
        self._file.write(written)
        self._end += len(written)

    def _point(self, where: int, at: int) -> None:
        self._file.seek(where - self._start)
        self._file.write(_WORD.pack(at))


def _write_head(uid: str, first: int) -> bytes:
    """The file up to its first record (PS3.3 Table F.3-2); the only record of the root is also its last."""
    beginning = part10.write_beginning(
        sop_class=directory_records.DIRECTORY_CLASS, instance=uid, transfer_syntax=syntaxes.EXPLICIT_LITTLE
    )
    elements: JSONDataset = {
        "00041130": {"vr": "CS"},
        "00041200": {"vr": "UL", "Value": [first]},
        "00041202": {"vr": "UL", "Value": [first]},
        "00041212": {"vr": "US", "Value": [0]},
    }
    content = b"".join(encode.write_element(tag, element, "ascii") for tag, element in elements.items())
    return beginning + content + encode.head("00041220", "SQ", 0xFFFFFFFF)


def _write_record(kind: str, content: JSONDataset, lower: int) -> bytes:
    """One item of the Directory Record Sequence (Table F.3-3). The offsets come first, always at the same place."""
    elements: JSONDataset = {
        "00041400": {"vr": "UL", "Value": [0]},
        "00041410": {"vr": "US", "Value": [_IN_USE]},
        "00041420": {"vr": "UL", "Value": [lower]},
        "00041430": {"vr": "CS", "Value": [kind]},
        **content,
    }
    codec = "ascii"
    if not encode.is_ascii(content):
        codec = "utf_8"
        elements[encode.CHARSET] = {"vr": "CS", "Value": [encode.UNICODE]}
    return encode.ITEM + b"".join(encode.write_elements(elements, codec=codec)) + encode.ITEM_END


def _file(names: Sequence[str], facts: Facts, transfer_syntax: str) -> JSONDataset:
    """Which file a record is about (§F.3.2.2)."""
    return {
        "00041500": {"vr": "CS", "Value": list(names)},
        "00041510": {"vr": "UI", "Value": [facts.sop_class]},
        "00041511": {"vr": "UI", "Value": [facts.target.instance]},
        "00041512": {"vr": "UI", "Value": [transfer_syntax]},
    }


def _content(kind: str, attributes: JSONDataset, known: dict[str, Any]) -> JSONDataset:
    found: JSONDataset = {}
    for tag, need in directory_records.KEYS[kind].items():
        vr = dictionary.vr(tag)
        element = _plain(tag, vr, attributes.get(tag))
        if element is None and need == "!" and tag in known:
            element = {"vr": vr, "Value": [known[tag]]}
        if element is not None:
            found[tag] = element
        elif need != "?":
            found[tag] = {"vr": vr}
    return found


def _plain(tag: str, vr: str, element: dict[str, Any] | None) -> dict[str, Any] | None:
    """The element as it can stand in a record; None without a value, and for a value that no file could hold."""
    if element is None or element.get("vr") != vr or not element.get("Value"):
        return None
    try:
        for _ in encode.write_elements({tag: element}, codec="utf_8"):
            pass
    except errors.Malformed:
        return None
    return element
