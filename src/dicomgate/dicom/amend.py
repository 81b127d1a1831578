"""A file again with some attributes of its data set replaced, removed or added (PS3.10 §7, PS3.3 C.12.1.1.9).

Every other element goes out byte for byte, in the transfer syntax that the file has, compressed or not. What cannot
stay so becomes Explicit VR Little Endian with the same values: a Big Endian data set, a deflated one (its elements as
they are inside), and one whose character set has no room for a new text: then all its texts are rewritten in UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dicomgate import errors
from dicomgate.dicom import charsets, encode, forms, frames, part10, syntaxes, values
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.explicit import Level, Rewriter, find_dataset
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.header import Header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.original_attributes import MODIFIED, SEQUENCE, Changes
from dicomgate.dicom.outline import Extent, Outline
from dicomgate.dicom.source import Source
from dicomgate.dicom.values import Element

_LONGEST_TEXT = 16 << 20
_UNICODE: Element = {"vr": "CS", "Value": [encode.UNICODE]}
_UTF_8 = "utf_8"
_WRITABLE = frozenset({"ascii", _UTF_8, "gb18030", "gbk"})
_UNLIKE_ASCII = frozenset("\\~")
_INFLATED = {
    syntaxes.DEFLATED_LITTLE: syntaxes.EXPLICIT_LITTLE,
    "1.2.840.10008.1.2.4.95": "1.2.840.10008.1.2.4.94",  # JPIP Referenced
    "1.2.840.10008.1.2.4.205": "1.2.840.10008.1.2.4.204",  # JPIP HTJ2K Referenced
}


def amend(source: Source, header: Header, changes: Changes, record: JSONDataset | None = None) -> Iterator[bytes]:
    """The whole file, changed, in chunks of at most 1 MiB.

    `record`: an item to go behind the earlier ones of Original Attributes Sequence, which stay byte for byte; the
    sequence with items more than it had may stand among the changes instead. Large values in changes and record, named
    by BulkDataURI, are those of this file at the same path. Specific Character Set is the file's own matter: a change
    of it is ignored. Malformed for a value that its VR cannot hold, TooLarge for a text that cannot
    be rewritten.
    """
    new, records = _separate(header, changes)
    if record is not None:
        records.append(record)
    return encode.batched(Amendment(source, header, new, records).pieces())


def _separate(header: Header, changes: Changes) -> tuple[dict[str, Element | None], list[JSONDataset]]:
    """The changes, and of Original Attributes Sequence only the items that are new, where it has all it had before."""
    new = dict(changes)
    sequence = new.get(SEQUENCE)
    earlier = header.attributes.get(SEQUENCE, {}).get("Value", [])
    items = [] if sequence is None else sequence.get("Value") or []
    if len(items) <= len(earlier) or items[: len(earlier)] != earlier:
        return new, []
    del new[SEQUENCE]
    return new, items[len(earlier) :]


class Amendment:
    """One file that is written again."""

    def __init__(self, source: Source, header: Header, changes: Changes, records: list[JSONDataset]) -> None:
        self._content, self._span = find_dataset(source, header)
        self._header = header
        self._records = [_without_charset(record) for record in records]
        self._new = _without_charset({tag: element for tag, element in changes.items() if element is not None})
        self._gone = {*changes} - {encode.CHARSET}
        if records:
            self._gone.add(SEQUENCE)
        self._gone |= {f"{tag[:4]}0000" for tag in self._gone}  # lengths of groups that have another length now
        self._outline = list(Outline(self._content, self._span, header).extents())
        self._charset = self._find_charset()
        written = (self._new, *self._records)
        codec = _find_codec(self._charset, [text for dataset in written for text in _texts(dataset.values())])
        self._codec = codec or _UTF_8
        self._recodes = codec is None
        self._is_copied = self._can_be_copied() and not self._recodes
        if self._recodes:
            self._gone.add(encode.CHARSET)
            self._new[encode.CHARSET] = _UNICODE

    def _can_be_copied(self) -> bool:
        """Whether an element that is not changed goes out byte for byte."""
        return self._header.encoding.is_little

    def _find_charset(self) -> charsets.Charset:
        extent = self._find_extent(encode.CHARSET)
        return charsets.ASCII if extent is None else charsets.parse_charset(b"".join(self._bytes(extent.value)))

    def _find_extent(self, tag: str) -> Extent | None:
        return next((extent for extent in self._outline if extent.tag == tag), None)

    def pieces(self) -> Iterator[bytes]:
        """The file in small pieces: each new element before the first that has a higher tag."""
        yield self._beginning()
        waiting = sorted({*self._new, *([SEQUENCE] if self._records else [])}, reverse=True)
        rewriter = self._rewriter()
        for extent in self._outline:
            while waiting and waiting[-1] < extent.tag:
                yield from self._write(waiting.pop())
            if extent.tag not in self._gone:
                yield from self._bytes(extent.span) if self._is_copied else rewriter.element(extent.span.start)
        while waiting:
            yield from self._write(waiting.pop())

    def _beginning(self) -> bytes:
        """The file meta information, kept but for what says who wrote the file and how (PS3.10 §7.1)."""
        return part10.write_beginning(
            sop_class=self._uid("00080016", self._header.sop_class),
            instance=self._uid("00080018", self._header.target.instance if self._header.target else None),
            transfer_syntax=self._transfer_syntax(),
            further=dict(_writable(self._header.meta)),
        )

    def _uid(self, tag: str, given: str | None) -> str | None:
        return self._new[tag].get("Value", [None])[0] if tag in self._new else given

    def _transfer_syntax(self) -> str:
        given = self._header.transfer_syntax
        if self._header.is_deflated:
            return _INFLATED.get(given, given)
        is_plain = given in {syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_BIG}
        return syntaxes.EXPLICIT_LITTLE if is_plain and not self._is_copied else given

    def _rewriter(self) -> Rewriter:
        if self._recodes:
            return _Recoder(self._content, self._span, self._header, self._charset)
        return Rewriter(self._content, self._span, self._header)

    def _write(self, tag: str) -> Iterator[bytes]:
        if tag == SEQUENCE and self._records:
            return self._write_records()
        return self._elements({tag: self._new[tag]})

    def _elements(self, elements: JSONDataset) -> Iterator[bytes]:
        return encode.write_elements(elements, self._find_bulk, codec=self._codec, is_implicit=self._is_implicit)

    @property
    def _is_implicit(self) -> bool:
        return self._is_copied and self._header.encoding.is_implicit

    def _write_records(self) -> Iterator[bytes]:
        """Original Attributes Sequence: the items that were there, and the new ones."""
        head = encode.implicit_head if self._is_implicit else encode.head
        yield head(SEQUENCE, "SQ", forms.UNDEFINED)
        yield from self._earlier_items()
        for record in self._records:
            yield encode.ITEM
            yield from self._elements(record)
            yield encode.ITEM_END
        yield encode.SEQUENCE_END

    def _earlier_items(self) -> Iterator[bytes]:
        extent = self._find_extent(SEQUENCE)
        if extent is None or "Value" not in self._header.attributes.get(SEQUENCE, {}):
            return
        if self._is_copied and extent.is_sequence:
            yield from self._bytes(extent.value)
            return
        pieces = self._rewriter().element(extent.span.start)
        next(pieces)  # its head; the last piece is its delimiter
        waiting = next(pieces)
        for piece in pieces:
            yield waiting
            waiting = piece
        assert waiting == encode.SEQUENCE_END, "a sequence ends with its delimiter"

    def _find_bulk(self, path: str, element: Element) -> BulkValue | Frames | Encapsulated:
        """The bytes of a value of this file, which the record shows below its own sequence."""
        path = path.removeprefix(f"{MODIFIED}/1/")
        place = self._header.bulk.get(path)
        if place is None:
            encode.no_bulk(path, element)
            raise AssertionError
        chunks = self._bytes(range(place.offset, place.offset + place.length))
        is_compressed = path == encode.PIXEL_DATA and isinstance(self._header.frames, FragmentFrames)
        if place.pieces or is_compressed:
            return Encapsulated(chunks)
        return BulkValue(place.length, frames.swap_words(chunks, place.word))

    def _bytes(self, span: range) -> Iterator[bytes]:
        for at in range(span.start, span.stop, encode.STEP):
            yield self._content.read_at(at, min(encode.STEP, span.stop - at))


class _Recoder(Rewriter):
    """Rewrites a data set with all its texts in UTF-8."""

    def __init__(self, source: Source, span: range, header: Header, charset: charsets.Charset) -> None:
        super().__init__(source, span, header)
        self._stack[0].charset = charset

    def _value(self, level: Level, tag: str, vr: str, span: range, *, is_little: bool) -> Iterator[bytes]:
        pieces = super()._value(level, tag, vr, span, is_little=is_little)
        if tag == encode.CHARSET:
            for _ in pieces:
                pass  # it tells the level how to read its texts
            yield encode.write_element(tag, _UNICODE)
        elif vr in values.TEXTS and level.charset != (_UTF_8, "replace"):
            yield from self._recoded(level, tag, vr, span)
        else:
            yield from pieces

    def _recoded(self, level: Level, tag: str, vr: str, span: range) -> Iterator[bytes]:
        if len(span) > _LONGEST_TEXT:
            raise errors.TooLarge(
                f"byte {span.start}: a text of {len(span)} bytes, more than can be rewritten in UTF-8"
            )
        text = charsets.decode(self._source.read_at(span.start, len(span)), level.charset)
        value = encode.padded(text.encode(_UTF_8), vr)
        yield encode.head(tag, vr, len(value))
        yield value


def _without_charset(dataset: JSONDataset) -> JSONDataset:
    """The same without Specific Character Set at any level: its texts will be written as those around it."""
    return {tag: _inner_without_charset(element) for tag, element in dataset.items() if tag != encode.CHARSET}


def _inner_without_charset(element: Element) -> Element:
    if element.get("vr") != "SQ" or "Value" not in element:
        return element
    return {**element, "Value": [_without_charset(item or {}) for item in element["Value"]]}


def _texts(elements: Iterable[Element]) -> Iterator[str]:
    """Every text that the character set governs, at any depth."""
    for element in elements:
        for value in element.get("Value") or ():
            if element.get("vr") == "SQ":
                yield from _texts((value or {}).values())
            elif element.get("vr") in values.TEXTS and value is not None:
                yield from _groups(value)


def _groups(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (group for group in value.values() if group)
    else:
        yield str(value)


def _find_codec(charset: charsets.Charset, texts: Iterable[str]) -> str | None:
    """The codec for new texts in a file that has this character set; None when it has no room for all of them."""
    codec = charset[0] if isinstance(charset, tuple) else ""
    if codec in _WRITABLE or codec.startswith("iso8859"):
        return codec if all(_can_write(text, codec) for text in texts) else None
    # Escape sequences, two bytes to a letter, or a set that is not known: only most of ASCII is sure.
    return "ascii" if all(text.isascii() and _UNLIKE_ASCII.isdisjoint(text) for text in texts) else None


def _can_write(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _writable(meta: JSONDataset) -> Iterator[tuple[str, Element]]:
    """What of the file meta information holds what its VR may hold."""
    for tag, element in meta.items():
        try:
            encode.write_element(tag, element, "ascii")
        except errors.Malformed:
            continue
        yield tag, element
