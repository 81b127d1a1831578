"""An instance whose data set is told otherwise than it is stored, its pixels as they are (the joint's Instance)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dicomgate.dicom import jsonmodel
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.origin import Facts, Instance, Piece


@dataclass(frozen=True, slots=True)
class RetoldInstance:
    """`version`: changes with what is told. `of_other`: below which tags values come from another instance."""

    whole: Instance
    dataset: JSONDataset
    version: str
    other: Instance | None = None
    of_other: frozenset[str] = frozenset()

    @property
    def target(self) -> Target:
        """Which one."""
        return self.whole.target

    @property
    def facts(self) -> Facts:
        """Those of the whole, of a version of its own."""
        return replace(self.whole.facts, version=self.version)

    @property
    def is_sound(self) -> bool:
        """That of the whole."""
        return self.whole.is_sound

    def metadata(self) -> bytes:
        """The data set as it is told."""
        return jsonmodel.format_dataset(self.dataset)

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        """A frame of the whole."""
        return self.whole.frame(number, span=span)

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        """A value of the whole, or of the other."""
        source = self.other if self.other is not None and path.partition("/")[0] in self.of_other else self.whole
        return source.bulk(path, span=span)

    def bulk_paths(self) -> Sequence[str]:
        """Those that the data set still names."""
        paths = [*self.whole.bulk_paths(), *(self.other.bulk_paths() if self.other is not None else ())]
        return tuple(dict.fromkeys(path for path in paths if path.partition("/")[0] in self.dataset))

    def file(self, span: range | None = None) -> Iterator[bytes]:
        """The whole, as it is stored."""
        return self.whole.file(span)
