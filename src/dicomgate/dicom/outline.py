"""Where each element of a data set itself lies, with all that is in it, in a file that was read before (PS3.5 §7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dicomgate.dicom import forms
from dicomgate.dicom.explicit import Level, Rewriter


@dataclass(frozen=True, slots=True)
class Extent:
    """One element: all its bytes, those of its value without any delimiter, and what kind of form it has."""

    tag: str
    span: range
    value: range
    is_sequence: bool
    """Its items are encoded as the data set is; false for a sequence that is hidden in UN."""


class Outline(Rewriter):
    """A pass over a data set that gives no bytes, and jumps over what it can."""

    def extents(self) -> Iterator[Extent]:
        """The elements in the order of the data set, padding at its end left out."""
        while not self.is_at_end():
            level = self._stack[0]
            start = self._at
            (tag, _, kind), value, length = self._look(level.encoding)
            for _ in self.element(start):
                pass  # nothing is left but the heads of sequences and items
            is_open = length == forms.UNDEFINED
            stop = self._at - 8 if is_open else self._at
            is_sequence = kind & ~forms.HEAD == forms.SEQUENCE
            yield Extent(tag, range(start, self._at), range(value, stop), is_sequence=is_sequence)

    def _item(self, level: Level) -> bytes:
        if level.is_open:
            return super()._item(level)
        self._at = level.end  # a length tells where the sequence ends
        return b""

    def _bytes(self, span: range, word: int) -> Iterator[bytes]:  # noqa: ARG002 (as in the class above)
        """Nothing: no value is looked at."""
        return iter(())
