"""An enhanced object as a file: the header, then frames copied from their sources one by one (PS3.5 §A.4, PS3.10 §7).

One frame is held, or a few that are read ahead, so memory does not grow with the number of frames. Of the originals
what is no pixel goes behind the pixel data, so that the files themselves can be had again (`remainder`).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import encode, part10, values
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.frames import FragmentFrames, NativeFrames
from dicomgate.dicom.source import Source
from dicomgate.multiframe import classic, samples
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.enhanced import FRAMES_URI, Enhanced
from dicomgate.multiframe.remainder import FramePart, Keeper, Literal, Original, Piece
from dicomgate.multiframe.samples import Alteration


def write(made: Enhanced, *, keeps_originals: bool = True, ahead: int = 0) -> Iterator[bytes]:
    """The whole file in chunks. Malformed for a value that its VR cannot hold, or a source that changed meanwhile.

    OSError when a source cannot be read. The same object gives the same bytes, always. `ahead`: so many frames are read
    and their sources proven in a thread, while those before them are written; the thread ends with the iterator.
    """
    attributes = made.attributes
    codec = "ascii"
    if not encode.is_ascii(attributes):
        codec = "utf_8"
        attributes = {**attributes, encode.CHARSET: {"vr": "CS", "Value": [encode.UNICODE]}}
    yield part10.write_beginning(
        sop_class=classic.text(attributes, "00080016"),
        instance=made.instance,
        transfer_syntax=made.transfer_syntax,
    )
    copying = Copying(made, Keeper() if keeps_originals else None, ahead)
    yield from encode.batched(encode.write_elements(attributes, copying.find_bulk, codec=codec))
    if copying.keeper is not None:
        yield from encode.batched(encode.write_elements(copying.keeper.elements(), codec="ascii"))


def read_frame(made: Enhanced, number: int) -> bytes:
    """One frame, from 1, as it stands in the object: its samples, or its codestream. NotFound when there is none."""
    if not 1 <= number <= len(made.sources):
        raise errors.NotFound(f"frame {number} of {len(made.sources)}")
    source = made.sources[number - 1]
    with source.opened() as (_, dataset):
        stored = b"".join(_stored(source, dataset))
    return _formed(source, stored, made.alterations[number - 1])


def _stored(source: Classic, dataset: Source) -> Iterator[bytes]:
    for span in spans(source):
        chunk = dataset.read_at(span.start, len(span))
        if len(chunk) != len(span):
            raise errors.Malformed("a source has become shorter since it was read")
        yield chunk


def spans(source: Classic) -> tuple[range, ...]:
    """Where the bytes of the one frame lie."""
    match source.frames:
        case NativeFrames():
            found = source.frames.find(1)
            assert found is not None, "an image of a set has one frame"
            return (found[0],)
        case FragmentFrames():
            fragments = source.frames.find(1)
            assert fragments is not None, "an image of a set has one frame"
            return fragments
        case None:
            raise AssertionError("an image that is written has pixel data")


def _formed(source: Classic, stored: bytes, how: Alteration | None) -> bytes:
    if isinstance(source.frames, FragmentFrames):
        return stored
    little = values.swap(stored, word(source))
    return little if how is None else samples.alter(little, how)


def word(source: Classic) -> int:
    """How many bytes change places in the samples of an image, for them to be little endian."""
    return source.frames.swap_word if isinstance(source.frames, NativeFrames) else 1


_Read = tuple[bytes, Original | None]


@dataclass(slots=True)
class Copying:
    """The values of one object that lie in its sources; `keeper` sees each source as its frame goes by."""

    made: Enhanced
    keeper: Keeper | None = None
    ahead: int = 0

    def find_bulk(self, path: str, element: classic.Element) -> BulkValue | Frames | Encapsulated:
        """The bytes of a value (an encode.FindBulk)."""
        uri = element["BulkDataURI"]
        if uri == FRAMES_URI and path == encode.PIXEL_DATA:
            return self._pixels()
        if uri not in self.made.places:
            return encode.no_bulk(path, element)
        source, place = self.made.places[uri]
        with source.opened() as (_, dataset):
            value = classic.value(place, dataset)
            if isinstance(value, Encapsulated):
                return Encapsulated(list(value.chunks))
            return BulkValue(value.size, list(value.chunks))

    def _pixels(self) -> BulkValue | Frames:
        chunks = self._frames()
        if self.made.is_compressed:
            sizes = [sum(map(len, spans(source))) for source in self.made.sources]
            return Frames(sizes, ((chunk,) for chunk in chunks))
        return BulkValue(len(self.made.sources) * self._frame_size(), chunks)

    def _frame_size(self) -> int:
        rows, columns, room = (
            int(classic.number(self.made.attributes, tag) or 0) for tag in ("00280010", "00280011", "00280100")
        )
        return rows * columns * room // 8

    def _frames(self) -> Iterator[bytes]:
        count = len(self.made.sources)
        read = _read_ahead(self._read, count, self.ahead) if self.ahead else map(self._read, range(count))
        with closing(read) if isinstance(read, Generator) else nullcontext():
            for formed, original in read:
                if self.keeper is not None and original is not None:
                    self.keeper.add(original)
                yield formed

    def _read(self, number: int) -> _Read:
        """A frame as it is written, and its source for the record."""
        source, how = self.made.sources[number], self.made.alterations[number]
        with source.opened() as (file, dataset):
            stored = list(_stored(source, dataset))
            formed = _formed(source, b"".join(stored) if len(stored) != 1 else stored[0], how)
            return formed, None if self.keeper is None else _original(source, file, stored, formed, how)


def _read_ahead(read: Callable[[int], _Read], count: int, ahead: int) -> Generator[_Read]:
    """What `read` gives for each number, a few of them before they are wanted."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="frames") as thread:
        waiting: deque[Future[_Read]] = deque()
        try:
            for number in range(count):
                waiting.append(thread.submit(read, number))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


def _original(source: Classic, file: Source, stored: list[bytes], formed: bytes, how: Alteration | None) -> Original:
    """All of a source's bytes, as literals and as parts of its frame; a deflated one is kept whole."""
    if source.is_deflated:
        whole = file.read_at(0, file.size)
        return Original(hashlib.sha256(whole).digest(), (Literal(whole),))
    digest = hashlib.sha256()
    pieces: list[Piece] = []
    at = in_frame = 0
    for span, chunk in zip(spans(source), stored, strict=True):
        between = file.read_at(at, span.start - at)
        pieces += [Literal(between), _part(source, chunk, in_frame, formed, how)]
        digest.update(between)
        digest.update(chunk)
        at, in_frame = span.stop, in_frame + len(chunk)
    rest = file.read_at(at, file.size - at)
    digest.update(rest)
    return Original(digest.digest(), (*pieces, Literal(rest)))


def _part(source: Classic, chunk: bytes, start: int, formed: bytes, how: Alteration | None) -> FramePart:
    if how is None:
        return FramePart(start=start, length=len(chunk), word=word(source))
    little = values.swap(chunk, word(source))
    return FramePart(
        start=start,
        length=len(chunk),
        word=word(source),
        is_spread=how.room > how.allocated,
        difference=samples.difference(little, formed, how),
    )
