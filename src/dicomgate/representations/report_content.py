"""The content tree of a structured report as lines that a person reads (PS3.3 C.17.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset

_CONTENT: Final = "0040A730"
_CONCEPT: Final = "0040A043"
_VALUE_TYPE: Final = "0040A040"
_REFERENCED: Final = "0040DB73"
_DEEPEST: Final = 64

_CONTROLS: Final = {**dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\ufffd"), 13: None}

_COMPLETION: Final = "0040A491"
_VERIFICATION: Final = "0040A493"
_OBSERVERS: Final = "0040A073"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing said: how deep it stands, what is said, and of what. A heading has no value."""

    depth: int
    name: str
    value: str


def is_report(dataset: JSONDataset) -> bool:
    """True when there is a content tree to show."""
    return bool(dataset.get(_VALUE_TYPE)) or bool(dataset.get(_CONTENT))


def lines(dataset: JSONDataset) -> Iterator[Line]:
    """The report's title, what is known of its being finished and verified, and its tree in reading order.

    TooLarge when it nests deeper than any data set that is taken (T6).
    """
    yield Line(0, _code(dataset, _CONCEPT) or "Report", "")
    for tag, name in ((_COMPLETION, "Completion"), (_VERIFICATION, "Verification")):
        if text := _text(dataset, tag):
            yield Line(1, name, text)
    for observer in _items(dataset, _OBSERVERS):
        yield Line(1, "Verified by", " ".join(filter(None, (_text(observer, tag) for tag in ("0040A075", "0040A030")))))
    if dataset.get(_VALUE_TYPE) and _text(dataset, _VALUE_TYPE) != "CONTAINER":
        yield _line(dataset, 1)
    yield from _children(dataset, 1)


def _children(item: JSONDataset, depth: int) -> Iterator[Line]:
    if depth > _DEEPEST:
        raise errors.TooLarge(f"report: content nests deeper than {_DEEPEST}")
    for child in _items(item, _CONTENT):
        yield _line(child, depth)
        yield from _children(child, depth + 1)


def _line(item: JSONDataset, depth: int) -> Line:
    if _REFERENCED in item:
        return Line(depth, "See item", ".".join(map(str, _values(item, _REFERENCED))))
    kind = _text(item, _VALUE_TYPE)
    read = _READERS.get(kind)
    return Line(depth, _code(item, _CONCEPT) or kind.title(), read(item) if read else "")


def _number(item: JSONDataset) -> str:
    found = []
    for measured in _items(item, "0040A300"):
        unit = _code(measured, "004008EA", shortly=True)
        amounts = ", ".join(map(str, _values(measured, "0040A30A")))
        found.append(amounts if unit in {"", "1", "{no units}"} else f"{amounts} {unit}")
    return "; ".join(found) or _code(item, "0040A301")  # why there is no number


def _references(item: JSONDataset) -> str:
    return "; ".join(_reference(one) for one in _items(item, "00081199"))


def _reference(item: JSONDataset) -> str:
    frames = ", ".join(map(str, _values(item, "00081160")))
    uid = _text(item, "00081155")
    return f"{uid}, frames {frames}" if frames else uid


def _coordinates(item: JSONDataset) -> str:
    numbers = _values(item, "00700022")
    shown = ", ".join(f"{number:g}" for number in numbers[:24] if isinstance(number, int | float))
    return f"{_text(item, '00700023').lower()} {shown}{', ...' if len(numbers) > 24 else ''}".strip()


def _times(item: JSONDataset) -> str:
    told = [str(value) for tag in ("0040A132", "0040A138", "0040A13A") for value in _values(item, tag)]
    return f"{_text(item, '0040A130').lower()} {', '.join(told)}".strip()


def _reader(tag: str) -> Callable[[JSONDataset], str]:
    return lambda item: _text(item, tag)


_READERS: Final[dict[str, Callable[[JSONDataset], str]]] = {
    "TEXT": _reader("0040A160"),
    "NUM": _number,
    "CODE": lambda item: _code(item, "0040A168"),
    "DATETIME": _reader("0040A120"),
    "DATE": _reader("0040A121"),
    "TIME": _reader("0040A122"),
    "PNAME": _reader("0040A123"),
    "UIDREF": _reader("0040A124"),
    "COMPOSITE": _references,
    "IMAGE": _references,
    "WAVEFORM": _references,
    "SCOORD": _coordinates,
    "SCOORD3D": _coordinates,
    "TCOORD": _times,
}
"""What each value type of Table C.17.3-7 says; a container says nothing but its name."""


def _items(dataset: JSONDataset, tag: str) -> list[JSONDataset]:
    return [item for item in _values(dataset, tag) if isinstance(item, dict)]


def _values(dataset: JSONDataset, tag: str) -> list[Any]:
    return dataset.get(tag, {}).get("Value") or []


def _code(dataset: JSONDataset, tag: str, *, shortly: bool = False) -> str:
    """A code's meaning, or where a symbol is better, as of a unit, its value."""
    for item in _items(dataset, tag):
        meaning = _text(item, "00080104")
        value = next((text for text in (_text(item, one) for one in ("00080100", "00080119", "00080120")) if text), "")
        return (value or meaning) if shortly else (meaning or value)
    return ""


def _text(dataset: JSONDataset, tag: str) -> str:
    return "\n".join(format_value(value) for value in _values(dataset, tag))


def format_value(value: Any) -> str:
    """One value of the JSON model as text; a name's groups stand beside each other. Nothing in it steers a terminal."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return " = ".join(format_value(group).replace("^", " ").strip() for group in value.values() if group)
    return str(value).translate(_CONTROLS)
