"""A file again in Explicit VR Little Endian, as a stream (PS3.5 §A.2, PS3.10 §7).

What may not travel over the web as it is (Implicit VR, Big Endian: PS3.18 §8.7.3.4) is rewritten element by element:
the same values in the same order, sequences and items with undefined length, group lengths left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import bulk, charsets, encapsulation, encode, forms, frames, part10, syntaxes, values
from dicomgate.dicom.forms import Encoding
from dicomgate.dicom.header import Header
from dicomgate.dicom.inflate import InflatedSource
from dicomgate.dicom.limits import DEFAULT
from dicomgate.dicom.source import Source

_STEP = 1 << 20
_WINDOW = 64 << 10
_MARGIN = 16
_SIZE = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8}
_ALWAYS_OPEN = 1e12  # a clock that never runs out: the header was read within its time


def rewrite(source: Source, header: Header) -> Iterator[bytes]:
    """The whole PS3.10 file in Explicit VR Little Endian, in chunks of at most 1 MiB.

    NotAcceptable when its pixel data is compressed.
    """
    if isinstance(header.frames, frames.FragmentFrames):
        raise errors.NotAcceptable("compressed pixel data cannot be rewritten in Explicit VR Little Endian")
    return encode.batched(_pieces(source, header))


def _pieces(source: Source, header: Header) -> Iterator[bytes]:
    yield part10.write_beginning(
        sop_class=header.sop_class,
        instance=header.target.instance if header.target else None,
        transfer_syntax=syntaxes.EXPLICIT_LITTLE,
    )
    yield from Rewriter(*find_dataset(source, header), header).pieces()


def find_dataset(source: Source, header: Header) -> tuple[Source, range]:
    """Where the data set's bytes lie: in the file, or inflated."""
    if header.is_deflated:
        content = InflatedSource(source, header.dataset_offset)
        return content, range(content.size)
    return source, range(header.dataset_offset, source.size)


@dataclass(slots=True, eq=False)
class Level:
    """A data set or item, or a sequence, that is being rewritten."""

    end: int
    encoding: Encoding
    is_sequence: bool = False
    is_open: bool = False  # of undefined length
    is_signed: bool = False  # Pixel Representation, for the choice between US and SS
    is_silent: bool = False  # below an element that came twice: the first counts
    charset: charsets.Charset = charsets.ASCII
    seen: set[str] = field(default_factory=set)


class Rewriter:
    """Goes through a data set that the scanner has read before, and reads it as that did."""

    def __init__(self, source: Source, span: range, header: Header) -> None:
        self._source = source
        self._header = header
        self._at = span.start
        self._stack = [Level(span.stop, header.encoding)]
        self._window = b""
        self._base = span.start

    def pieces(self) -> Iterator[bytes]:
        """The data set in small pieces; no value is held whole."""
        while not self.is_at_end():
            yield from self._step()

    def is_at_end(self) -> bool:
        """True when nothing follows in the data set but padding, as the scanner has seen."""
        level = self._stack[-1]
        if len(self._stack) > 1:
            return False
        return self._at >= level.end or not self._source.read_at(self._at, 4).strip(b"\0")

    def element(self, at: int) -> Iterator[bytes]:
        """One element of the data set itself, which begins there, in small pieces."""
        assert len(self._stack) == 1, "the element before has been read to its end"
        self._at = at
        yield from self._step()
        while len(self._stack) > 1:
            yield from self._step()

    def _step(self) -> Iterator[bytes]:
        """What comes next: an element or the beginning of a sequence, an item, or the end of one of both."""
        level = self._stack[-1]
        if self._at >= level.end:
            yield self._close()
        elif level.is_sequence:
            yield self._item(level)
        else:
            yield from self._element(level)

    def _look(self, encoding: Encoding) -> tuple[forms.Form, int, int]:
        """The element here: its form, where its value begins and how long it is."""
        if self._at + 2 * _MARGIN > self._base + len(self._window):  # the last ones are not of the source
            self._base = self._at
            self._window = self._source.read_at(self._at, _WINDOW) + bytes(_MARGIN)
        pos = self._at - self._base
        head, length = encoding.tools[0](self._window, pos)
        form = encoding.known.get(head) or encoding.form(self._window, pos, self._stack[-1].end - self._at)
        if form is None:
            raise errors.Malformed(f"byte {self._at}: no element can be read here")
        where = form[2] & forms.HEAD
        if where == forms.LONG:
            (length,) = encoding.tools[2](self._window, pos + 8)
        elif where == forms.IMPLICIT:
            (length,) = encoding.tools[2](self._window, pos + 4)
        return form, self._at + forms.HEAD_SIZE[where], length

    def _close(self) -> bytes:
        """Leave a level."""
        level = self._stack.pop()
        if level.is_silent:
            return b""
        return encode.SEQUENCE_END if level.is_sequence else encode.ITEM_END

    def _item(self, level: Level) -> bytes:
        """What stands between two items: the next one, a delimiter, or one too many."""
        (tag, _, kind), start, length = self._look(level.encoding)
        self._at = start
        special = kind & ~forms.HEAD
        if special == forms.STRAY and tag == "FFFEE000":
            is_open = length == forms.UNDEFINED
            around = self._stack[-2]
            self._stack.append(
                Level(
                    level.end if is_open else start + length,
                    level.encoding,
                    is_open=is_open,
                    is_signed=around.is_signed,
                    is_silent=level.is_silent,
                    charset=around.charset,
                )
            )
            return b"" if level.is_silent else encode.ITEM
        if special == forms.SEQUENCE_END and level.is_open:
            return self._close()
        return b""

    def _element(self, level: Level) -> Iterator[bytes]:
        form, start, length = self._look(level.encoding)
        tag, vr, kind = form
        special = kind & ~forms.HEAD
        if special >= forms.ITEM_END:
            yield self._delimiter(level, special, start)
            return
        stop = start + length
        if special == forms.DROPPED:
            self._at = stop
            return
        is_silent = level.is_silent or tag in level.seen
        level.seen.add(tag)
        choice = dictionary.choice(tag)
        if special in {forms.AMBIGUOUS, forms.UNKNOWN_KIND} and choice in forms.SEVERAL:
            vr = forms.choose(choice, length=length, is_signed=level.is_signed)
        opens = self._opens(level, form, vr, start, length)
        if opens is not None:
            yield b"" if is_silent else encode.head(tag, "SQ", forms.UNDEFINED)
            is_open = length == forms.UNDEFINED
            end = level.end if is_open else stop
            self._stack.append(Level(end, opens, is_sequence=True, is_open=is_open, is_silent=is_silent))
            self._at = start
            return
        if special == forms.UNKNOWN_KIND and vr == "SQ":
            vr = "UN"
        if length == forms.UNDEFINED:
            stop = self._fragments_end(level, start)
            if not is_silent:
                yield encode.head(tag, vr, forms.UNDEFINED)
                yield from self._bytes(range(start, stop), 1)
            self._at = stop
            return
        if not is_silent:
            yield from self._value(level, tag, vr, range(start, stop), is_little=special == forms.UNKNOWN_KIND)
        self._at = stop

    def _opens(self, level: Level, form: forms.Form, vr: str, start: int, length: int) -> Encoding | None:
        """The encoding of the items of a sequence; None for what is none."""
        special = form[2] & ~forms.HEAD
        if special == forms.SEQUENCE:
            return level.encoding
        if length == forms.UNDEFINED:
            return forms.IMPLICIT_LITTLE if special == forms.UNKNOWN_KIND or (vr == "UN" and not special) else None
        is_hidden = special == forms.UNKNOWN_KIND and vr == "SQ" and self._header.opens_unknown
        if is_hidden and self._source.read_at(start, 4) == encode.ITEM[:4]:
            return forms.IMPLICIT_LITTLE
        return None

    def _delimiter(self, level: Level, special: int, start: int) -> bytes:
        """A delimiter among elements ends the item if that is open, even if it is not its own; else it is skipped."""
        is_open = len(self._stack) > 1 and level.is_open
        if special == forms.ITEM_END or not is_open:
            self._at = start
        return self._close() if is_open else b""

    def _fragments_end(self, level: Level, start: int) -> int:
        return encapsulation.read_fragments(
            self._source, start, level.end, order=level.encoding.order, limits=DEFAULT, deadline=_ALWAYS_OPEN
        ).end

    def _value(self, level: Level, tag: str, vr: str, span: range, *, is_little: bool) -> Iterator[bytes]:
        length = len(span)
        if length % _SIZE.get(vr, 1):
            vr, is_little = "UN", True  # not what it says it is; the bytes go out as they are
        if tag == "00280103":
            level.is_signed = self._source.read_at(span.start, 2).strip(b"\0") == b"\1"
        elif tag == encode.CHARSET:
            raw = self._source.read_at(span.start, length)
            level.charset = charsets.parse_charset(raw)
        word = 1 if is_little or level.encoding.is_little else self._word(tag, vr)
        yield encode.head(tag, vr, length + length % 2)
        yield from self._bytes(span, word)
        if length % 2:
            yield encode.pad(vr)

    def _word(self, tag: str, vr: str) -> int:
        if len(self._stack) == 1:
            return frames.word(self._header.attributes, tag, vr)
        return bulk.WORD.get(vr, 1)

    def _bytes(self, span: range, word: int) -> Iterator[bytes]:
        """Some bytes of the source, little endian, in steps."""
        for at in range(span.start, span.stop, _STEP):
            yield values.swap(self._source.read_at(at, min(_STEP, span.stop - at)), word)
