"""What a data set leaves to other parts: its elements with a BulkDataURI, wherever they are nested (PS3.18 §F.2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom import bulk
from dicomgate.dicom.jsonmodel import JSONDataset


@dataclass(frozen=True, slots=True)
class Reference:
    """One element whose value is elsewhere; `path` as in a BulkDataURI of ours."""

    path: str
    element: dict[str, Any]

    @property
    def uri(self) -> str:
        """What it says where the value is."""
        uri = self.element["BulkDataURI"]
        return uri if isinstance(uri, str) else ""

    @property
    def is_nested(self) -> bool:
        """True inside a sequence."""
        return "/" in self.path


def find(attributes: JSONDataset) -> Iterator[Reference]:
    """Every reference, in the order of the data set; the nesting was bounded when the metadata was read."""
    waiting: list[tuple[tuple[tuple[str, int], ...], Iterator[tuple[str, Any]]]] = [((), iter(attributes.items()))]
    while waiting:
        steps, elements = waiting[-1]
        for tag, element in elements:
            if "BulkDataURI" in element:
                yield Reference(bulk.format_path(steps, tag), element)
            elif element.get("vr") == "SQ":
                items = [item for item in enumerate(element.get("Value", ()), 1) if item[1]]
                waiting += [((*steps, (tag, number)), iter(item.items())) for number, item in reversed(items)]
                if items:
                    break
        else:
            waiting.pop()
