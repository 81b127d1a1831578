"""One pass over the bytes of a data set: to the DICOM JSON model, the places of its large values, and its fragments.

The reader is iterative and bounded (T1): each turn of its loop consumes bytes or leaves a level, each length is
compared with what is left at its level before anything is read, and nesting, elements, items and time have limits.
It reads windows of the source, so a value that stays outside costs nothing.
"""

# ruff: noqa: FURB136 - a call of min() would be a tenth of the time that a short item takes

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import bulk, charsets, encapsulation, forms, values
from dicomgate.dicom.bulk import Place
from dicomgate.dicom.encapsulation import Fragments
from dicomgate.dicom.forms import Encoding
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import Source, Truncated

FIRST_WINDOW: Final = 32 << 10
_WINDOW: Final = 256 << 10
_MARGIN: Final = 16
"""After the last byte there are so many zeros, so that the head of an element can be looked at before it is judged."""
_ROUND: Final = 4096
"""Elements between two looks at the clock."""
_BETWEEN_ITEMS: Final = -1
"""The position at which the loop must look up: always, while it is between two items."""
_FUNCTIONAL_GROUPS = frozenset({"52009229", "52009230"})
_CHARSET = "00080005"
_PIXEL_DATA = "7FE00010"
_ITEM_LITTLE = b"\xfe\xff\x00\xe0"

_Frame = tuple[Any, ...]  # what the loop puts aside while it is inside a sequence; [0] are the attributes around it


class Scanner:
    """The reader of one data set. `read` is called once; then the other attributes hold what was found."""

    def __init__(
        self,
        source: Source,
        span: range,
        encoding: Encoding,
        limits: Limits,
        *,
        window: int = FIRST_WINDOW,
        opens_unknown: bool = True,
    ) -> None:
        self._source = source
        self._span = span
        self._encoding = encoding
        self._limits = limits
        self._least = 2 * limits.inline + 4 * _MARGIN
        self._window = window
        self._later_window = window if window < FIRST_WINDOW else _WINDOW
        self.opens_unknown = opens_unknown
        self._deadline = time.monotonic() + limits.seconds
        self.left_out: list[tuple[values.Element, str]] = []
        """The elements whose values became bulk data, and their paths; they still want their URIs."""
        self.has_opened_unknown = False
        self.needs_charset = False
        self.stated_charset: bytes | None = None  # before all text became UTF-8
        self.bulk: dict[str, Place] = {}
        self.fragments: Fragments | None = None

    def read(self) -> JSONDataset:  # noqa: PLR0912, PLR0915
        """The data set. Malformed, Truncated or TooLarge when it cannot be read as one.

        This is the one loop that every byte of every header passes, so it is written for speed: state in local
        names, one look-up for tag and VR, and a table of decoders. Whatever is unusual leaves it through a call.
        """
        limits = self._limits
        inline = limits.inline
        total = self._span.stop
        base = self._span.start
        data, safe = self._load(base)
        pos = 0

        encoding = self._encoding
        peek, known, long, item_tag, item_end, sequence_end = encoding.tools
        charset = charsets.ASCII
        charset_around = charset
        decode = around = values.decoders(charset, is_little=encoding.is_little)

        # The data set or item being read. None: between two items of a sequence.
        attributes: JSONDataset | None = {}
        last = ""  # the highest tag so far
        is_sorted = True
        end = total - base  # like `pos` relative to the window
        is_open = False  # an item of undefined length
        # The sequence that it is an item of.
        key = ""
        sequence: values.Element = {}
        items: list[JSONDataset] = []
        items_end = end
        items_open = False
        stack: list[_Frame] = []

        count = item_count = inside_count = 0
        outside = (0, 0)
        groups_depth = 0  # of the functional groups, while inside them
        most = limits.elements
        checkpoint = 0
        stop_at = end if end < safe else safe

        while True:
            try:
                while True:
                    if pos >= stop_at:
                        if pos < end:
                            if pos >= safe:
                                base += pos
                                end -= pos
                                items_end -= pos
                                pos = 0
                                data, safe = self._load(base)
                                if attributes is not None:
                                    stop_at = end if end < safe else safe
                                continue
                            tag4 = data[pos : pos + 4]
                            if pos + 8 > end:
                                raise self._cut(base + pos, 8, end - pos, is_last=base + end >= total)
                            if tag4 == item_tag:
                                length = long(data, pos + 4)[0]
                                pos += 8
                                attributes = {}
                                items.append(attributes)
                                last = ""
                                is_sorted = True
                                decode = around
                                charset = charset_around
                                is_open = length == 0xFFFFFFFF
                                if not is_open:
                                    if length > end - pos:
                                        raise self._cut(base + pos - 8, length, end - pos, is_last=base + end >= total)
                                    end = pos + length
                                stop_at = end if end < safe else safe
                                if groups_depth:
                                    count += 1
                                    if count > checkpoint:
                                        checkpoint = self._check(count, most)
                                else:
                                    item_count += 1
                                    if item_count > limits.items:
                                        raise errors.TooLarge(f"more than {limits.items} sequence items")
                                continue
                            pos += 8
                            if tag4 == item_end or (tag4 == sequence_end and not items_open):
                                continue  # a delimiter too many
                            if tag4 != sequence_end:
                                raise errors.Malformed(f"byte {base + pos - 8}: expected an item of a sequence")
                        elif attributes is not None:
                            if not stack:
                                return self._finish(attributes, is_sorted=is_sorted)
                            if not is_sorted:
                                items[-1] = dict(sorted(attributes.items()))
                            attributes = None
                            end = items_end
                            stop_at = _BETWEEN_ITEMS
                            continue
                        elif items_open and base + end >= total:
                            raise Truncated(f"byte {base + end}: the bytes end inside a sequence")
                        # The sequence ends here.
                        if not items:
                            del sequence["Value"]
                        (attributes, last, is_sorted, end, is_open, key, sequence, items, items_end, items_open) = (
                            stack[-1][:10]
                        )
                        charset, charset_around, decode, around, previous = stack.pop()[10:]
                        end -= base
                        items_end -= base
                        stop_at = end if end < safe else safe
                        if previous is not encoding:
                            encoding = previous
                            peek, known, long, item_tag, item_end, sequence_end = encoding.tools
                        if len(stack) < groups_depth:
                            groups_depth = 0
                            inside_count = count
                            count, item_count = outside
                            most = limits.elements
                            checkpoint = 0
                        continue

                    head, length = peek(data, pos)
                    form = known.get(head)
                    if form is None:
                        if not stack and self._is_padding(data, pos, end, base):
                            pos = end
                            continue
                        if pos + 8 > end:
                            raise self._cut(base + pos, 8, end - pos, is_last=base + end >= total)
                        form = encoding.form(data, pos, end - pos)
                        if form is None:
                            raise errors.Malformed(f"byte {base + pos}: no element can be read here")
                    tag, vr, kind = form
                    count += 1
                    if count > checkpoint:
                        checkpoint = self._check(count, most)
                    if kind < 3:
                        if kind == 1:
                            start = pos + 12
                            length = long(data, pos + 8)[0]
                        else:
                            start = pos + 8
                            if kind == 2 and not encoding.is_implicit:
                                length = long(data, pos + 4)[0]
                        stop = start + length
                        if length <= inline and stop <= end:
                            element = decode[vr](data[start:stop]) if length else {"vr": vr}
                            if tag > last:
                                last = tag
                                attributes[tag] = element  # type: ignore[index]
                            elif tag not in attributes:  # type: ignore[operator]
                                is_sorted = False
                                attributes[tag] = element  # type: ignore[index]
                            pos = stop
                            continue
                    elif kind & 3 == 1:
                        start = pos + 12
                        length = long(data, pos + 8)[0]
                    else:
                        start = pos + 8
                        if kind & 3 == 2:
                            length = long(data, pos + 4)[0]

                    # From here on: sequences, delimiters, large values, and elements that need a second look.
                    assert attributes is not None
                    stop = start + length
                    special = kind & ~3
                    is_undefined = length == 0xFFFFFFFF
                    if start > end or (stop > end and not is_undefined):
                        raise self._cut(base + pos, length, end - start, is_last=base + end >= total)
                    opens = encoding if special == forms.SEQUENCE else None
                    if special >= forms.ITEM_END:
                        if special == forms.ITEM_END:
                            pos = start
                        elif not (stack and is_open):
                            if special == forms.STRAY:
                                raise errors.Malformed(f"byte {base + pos}: an item outside of any sequence")
                            pos = start
                        if stack and is_open:  # also where the item's own delimiter is missing
                            if not is_sorted:
                                items[-1] = dict(sorted(attributes.items()))
                            attributes = None
                            end = items_end
                            stop_at = _BETWEEN_ITEMS
                        continue
                    if special == forms.DROPPED:
                        if is_undefined:
                            raise errors.Malformed(f"byte {base + pos}: an undefined length where none is allowed")
                        pos = stop
                        continue
                    if special in {forms.AMBIGUOUS, forms.UNKNOWN_KIND}:
                        vr = self._decide(tag, vr, length, attributes, stack)
                        if special == forms.UNKNOWN_KIND and (
                            is_undefined
                            or (vr == "SQ" and self.opens_unknown and data[start : start + 4] == _ITEM_LITTLE)
                        ):
                            opens = forms.IMPLICIT_LITTLE
                            self.has_opened_unknown = self.has_opened_unknown or not is_undefined
                        elif vr == "SQ":
                            vr = "UN"
                    elif is_undefined and vr == "UN":
                        opens = forms.IMPLICIT_LITTLE

                    if opens is not None and length:
                        if len(stack) >= limits.depth:
                            raise errors.TooLarge(f"byte {base + pos}: sequences nested more than {limits.depth} deep")
                        opened: list[JSONDataset] = []
                        element = {"vr": "SQ", "Value": opened}
                    elif opens is not None:
                        element = {"vr": "SQ"}
                    elif is_undefined or special == forms.PIXELS or (length > inline and vr in bulk.ALLOWED):
                        element = {"vr": vr}
                        path = bulk.format_path(_steps(stack, key, items), tag)
                        if is_undefined:
                            stop = self._leave_fragments(path, base + start, base + end, vr, encoding) - base
                        elif length and path not in self.bulk:
                            self.bulk[path] = Place(base + start, length, vr)
                        if length:
                            self.left_out.append((element, path))
                    else:
                        raw = data[start:stop] if length <= inline else self._long_text(base + start, length)
                        if special == forms.CHARSET:
                            charset = self._charset(raw)
                            if not stack:
                                self.stated_charset = raw
                            decode = values.decoders(charset, is_little=encoding.is_little)
                            element = {"vr": "CS", "Value": ["ISO_IR 192"]}
                        elif not length:
                            element = {"vr": vr}
                        elif special == forms.UNKNOWN_KIND:
                            element = values.decoders(charset, is_lenient=True)[vr](raw)
                            self.needs_charset = self.needs_charset or (vr in values.TEXTS and not raw.isascii())
                        else:
                            element = decode[vr](raw)

                    if tag > last:
                        last = tag
                        attributes[tag] = element
                    elif tag not in attributes:
                        is_sorted = False
                        attributes[tag] = element
                    pos = stop
                    if opens is not None and length:
                        stack.append(
                            (
                                *(attributes, last, is_sorted, end + base, is_open, key, sequence, items),
                                *(items_end + base, items_open, charset, charset_around, decode, around, encoding),
                            )
                        )
                        if not groups_depth and tag in _FUNCTIONAL_GROUPS and len(stack) == 1:
                            groups_depth = 1
                            outside = (count, item_count)
                            count = checkpoint = inside_count
                            most = limits.enhanced_elements
                        key = tag
                        sequence = element
                        items = opened
                        items_open = is_undefined
                        items_end = end if is_undefined else stop
                        end = items_end
                        attributes = None
                        around = decode
                        charset_around = charset
                        stop_at = _BETWEEN_ITEMS
                        pos = start
                        if opens is not encoding:
                            encoding = opens
                            peek, known, long, item_tag, item_end, sequence_end = encoding.tools
                            around = values.decoders(charset, is_little=encoding.is_little)
            except UnicodeDecodeError:  # text that is not what the character set promises: read it leniently from here
                self.needs_charset = True
                decode = values.decoders(charset, is_little=encoding.is_little, is_lenient=True)

    def _load(self, at: int) -> tuple[bytes, int]:
        """The next window, and up to where an element may begin so that its head and inline value lie inside."""
        if time.monotonic() > self._deadline:
            raise errors.TooLarge(f"reading the header took more than {self._limits.seconds:g} seconds")
        left = self._span.stop - at
        size = min(max(self._window, self._least), left)
        self._window = self._later_window
        chunk = self._source.read_at(at, size)
        if len(chunk) < size:
            raise Truncated(
                f"byte {at + len(chunk)}: the source ends where {left - len(chunk)} more bytes were promised"
            )
        if size == left:
            return chunk + bytes(_MARGIN), left
        return chunk, size - self._limits.inline - _MARGIN

    def _check(self, count: int, most: int) -> int:
        """The count at which to check again."""
        if count > most:
            raise errors.TooLarge(f"more than {most} elements")
        if time.monotonic() > self._deadline:
            raise errors.TooLarge(f"reading the header took more than {self._limits.seconds:g} seconds")
        return min(most, count + _ROUND)

    @staticmethod
    def _cut(at: int, needed: int, left: int, *, is_last: bool) -> errors.Malformed:
        """The fault of a length beyond its level: the file's end, or that of an item or sequence."""
        message = f"byte {at}: {needed} bytes where {max(left, 0)} are left"
        return Truncated(message) if is_last else errors.Malformed(message)

    def _is_padding(self, data: bytes, pos: int, end: int, base: int) -> bool:
        """True when nothing but zeros follows to the end of the data set; Malformed when it only begins so."""
        if data[pos : min(pos + 4, end)].strip(b"\0"):
            return False
        at = base + pos
        while at < self._span.stop:
            chunk = self._source.read_at(at, min(_WINDOW, self._span.stop - at))
            if not chunk or chunk.strip(b"\0"):
                raise errors.Malformed(f"byte {base + pos}: an element of group 0000")
            at += len(chunk)
            if time.monotonic() > self._deadline:
                raise errors.TooLarge(f"reading the header took more than {self._limits.seconds:g} seconds")
        return True

    def _decide(self, tag: str, vr: str, length: int, attributes: JSONDataset, stack: Sequence[_Frame]) -> str:
        """The VR of an element whose dictionary entry leaves a choice: as the pixels of the nearest level are."""
        choice = dictionary.choice(tag)
        if choice not in forms.SEVERAL:
            return vr
        for level in (attributes, *(frame[0] for frame in reversed(stack))):
            representation = level.get("00280103", {}).get("Value")
            if representation:
                return forms.choose(choice, length=length, is_signed=representation[0] == 1)
        return forms.choose(choice, length=length, is_signed=False)

    def _leave_fragments(self, path: str, offset: int, end: int, vr: str, encoding: Encoding) -> int:
        """Note the fragments of an encapsulated value; returns where it ends. Malformed for a VR that cannot be one."""
        if vr not in {"OB", "OW", "OF", "OD", "UN"}:
            raise errors.Malformed(f"byte {offset}: an undefined length where none is allowed")
        found = encapsulation.read_fragments(
            self._source, offset, end, order=encoding.order, limits=self._limits, deadline=self._deadline
        )
        if path in self.bulk:
            return found.end
        is_frames = path == _PIXEL_DATA
        if is_frames:
            self.fragments = found
        self.bulk[path] = Place(offset, found.end - 8 - offset, vr, pieces=() if is_frames else found.ranges())
        return found.end

    def _long_text(self, offset: int, length: int) -> bytes:
        if length > self._limits.text:
            raise errors.TooLarge(f"byte {offset}: a text of {length} bytes, more than {self._limits.text}")
        return self._source.read_at(offset, length)

    def _charset(self, raw: bytes) -> charsets.Charset:
        self.needs_charset = True
        return charsets.parse_charset(raw)

    def _finish(self, attributes: JSONDataset, *, is_sorted: bool) -> JSONDataset:
        """Keys in order (JSON-02), and the character set that the text now has (JSON-10)."""
        if self.needs_charset and _CHARSET not in attributes:
            attributes[_CHARSET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
            is_sorted = False
        return attributes if is_sorted else dict(sorted(attributes.items()))


def _steps(stack: Sequence[_Frame], key: str, items: Sequence[JSONDataset]) -> list[tuple[str, int]]:
    """The sequences and item numbers that lead here."""
    if not stack:
        return []
    return [*((frame[5], len(frame[7])) for frame in stack[1:]), (key, len(items))]
