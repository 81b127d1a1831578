"""Data sets that were found: plain dicts of the DICOM JSON model whose values have names too (PS3.18 Annex F)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicomgate.client import targets
from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Target

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Result(dict[str, Any]):
    """A data set: `result["00080060"]["Value"][0]`, or in short `result.Modality`.

    A value that is not there is None, of several they are a list, a person's name is its alphabetic form, a sequence a
    list of results. AttributeError for what is no keyword.
    """

    def __getattr__(self, keyword: str) -> Any:
        tag = None if keyword.startswith("_") else attributes.find_tag(keyword)
        if tag is None:
            raise AttributeError(f"no attribute of DICOM has the keyword {keyword!r}")
        values = [_plain(value) for value in self.get(tag, {}).get("Value") or ()]
        return values if len(values) > 1 or self.get(tag, {}).get("vr") == "SQ" else next(iter(values), None)

    @property
    def target(self) -> Target:
        """Which study, series or instance it is. Malformed when its UIDs are missing."""
        return targets.target_of(self)

    def to_dataset(self) -> Dataset:
        """The same as pydicom's; values that the server keeps apart are empty."""
        from pydicom.dataset import Dataset  # noqa: PLC0415 - few need it, and it takes its time

        return Dataset.from_json(dict(self), lambda _: b"")


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "Alphabetic" in value or "Ideographic" in value or "Phonetic" in value:
        return value.get("Alphabetic", "")
    return Result(value)
