"""Frames in another encoding: decoded, compressed or both, in processes of their own (PS3.18 §8.7.3, T5)."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.syntaxes import Loss
from dicomgate.origin import Instance
from dicomgate.pixels.transcoding import Transcoded, Transcoder
from dicomgate.representations.maker import Maker

_MOST_KEPT: Final = 64 << 20
"""Bytes of decoded frames of one wish that are kept to be sent again; of more, what viewers ask for would be lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMaker:
    """Makes the frames of one instance in one transfer syntax."""

    maker: Maker
    instance: Instance
    description: PixelDescription
    transfer_syntax: str

    @property
    def is_native(self) -> bool:
        """Whether frames are made without compression."""
        return not syntaxes.TABLE[self.transfer_syntax].is_encapsulated

    @property
    def adds_loss(self) -> bool:
        """Whether what is made is less than what is stored: whatever may lose something is made so that it does."""
        return syntaxes.TABLE[self.transfer_syntax].loss is not Loss.NEVER

    def frames(self, numbers: Iterable[int]) -> Iterator[Transcoded]:
        """Frames, from 1, in this order; the first is made before the second is read.

        NotFound past the last, NotAcceptable when one cannot be made of what is stored.
        """
        wanted = list(numbers)
        if len(wanted) * self.description.frame_bytes > _MOST_KEPT:
            yield from self._make(wanted)
        elif len(wanted) == 1:
            yield self._single(wanted[0])
        else:
            yield from self._several(wanted)

    def _make(self, numbers: Iterable[int]) -> Iterator[Transcoded]:
        stored = (b"".join(self.instance.frame(number).chunks) for number in numbers)
        return make(self.maker, self.description, self.transfer_syntax, stored)

    def _single(self, number: int) -> Transcoded:
        def make_it() -> tuple[bytes, bytes]:
            return _format(next(self._make([number])))

        return _parse(self.maker.kept.get(self.instance.facts, self._asked(number), make_it))

    def _several(self, numbers: Iterable[int]) -> Iterator[Transcoded]:
        """Those that were kept, and between them those that were not, some at a time."""
        kept, facts = self.maker.kept, self.instance.facts
        looked = ((number, kept.find(facts, self._asked(number))) for number in numbers)
        for is_missing, group in itertools.groupby(looked, key=lambda pair: pair[1] is None):
            if not is_missing:
                yield from (_parse(found) for _, found in group if found is not None)
                continue
            under_way: deque[int] = deque()
            for made in self._make(_noted(group, under_way)):
                kept.keep(facts, self._asked(under_way.popleft()), _format(made))
                yield made

    def _asked(self, number: int) -> str:
        return f"frame {number} {self.description!r} {self.transfer_syntax} {self.maker.edition}"


def _noted(group: Iterable[tuple[int, object]], under_way: deque[int]) -> Iterator[int]:
    for number, _ in group:
        under_way.append(number)
        yield number


def _format(made: Transcoded) -> tuple[bytes, bytes]:
    return orjson.dumps(asdict(made.description)), made.codestream


def _parse(found: tuple[bytes, bytes]) -> Transcoded:
    return Transcoded(found[1], PixelDescription(**orjson.loads(found[0])))


def make(
    maker: Maker, description: PixelDescription, transfer_syntax: str, stored: Iterable[bytes]
) -> Iterator[Transcoded]:
    """Frames, of whose stored bytes the description tells, in a transfer syntax.

    NotAcceptable when one cannot be decoded or does not go into that syntax, Unavailable when no process is free.
    """
    try:
        yield from Transcoder(maker.workers).frames(stored, description, transfer_syntax)
    except (errors.Malformed, errors.TooLarge, errors.UnsupportedMedia, errors.NotAcceptable) as fault:
        before, after = (f"{syntaxes.name(uid)} ({uid})" for uid in (description.transfer_syntax, transfer_syntax))
        raise errors.NotAcceptable(
            f"what is stored as {before} cannot be sent as {after}: {fault.message}; ask for transfer-syntax=*"
        ) from fault
