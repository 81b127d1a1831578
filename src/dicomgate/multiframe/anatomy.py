"""Body Part Examined as a coded region: the table of PS3.16 Annex L."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

from dicomgate.dicom.jsonmodel import JSONDataset


class Region(NamedTuple):
    """An anatomic region: its code of SNOMED CT, and whether there is one on each side."""

    code: str
    meaning: str
    is_paired: bool

    @property
    def item(self) -> JSONDataset:
        """The item of a code sequence."""
        return code_item(self.code, "SCT", self.meaning)


def code_item(value: str, scheme: str, meaning: str) -> JSONDataset:
    """A code (PS3.3 §8.8)."""
    return {
        "00080100": {"vr": "SH", "Value": [value]},
        "00080102": {"vr": "SH", "Value": [scheme]},
        "00080104": {"vr": "LO", "Value": [meaning]},
    }


@cache
def _regions() -> dict[str, Region]:
    text = resources.files(__package__).joinpath("anatomic_regions.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {part: Region(code, meaning, paired == "yes") for part, code, meaning, paired in rows}


def find(body_part: str) -> Region | None:
    """The region that a defined term of Body Part Examined means; None for any other word."""
    return _regions().get(body_part.strip().upper())
