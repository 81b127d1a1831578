"""An encoder for tests, independent of the reader: data sets as plain lists to bytes in any of the four encodings.

An element is (tag, vr, value): bytes or text go out as they are, numbers by VR, a list of lists is a sequence.
"""

import struct
import zlib

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
LETTERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
WORDS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
UNDEFINED = 0xFFFFFFFF

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"
IDENTITY = [
    ("00080016", "UI", "1.2.840.10008.5.1.4.1.1.7"),
    ("00080018", "UI", INSTANCE),
    ("0020000D", "UI", STUDY),
    ("0020000E", "UI", SERIES),
]


def tag_bytes(tag, order="<"):
    return struct.pack(order + "HH", int(tag[:4], 16), int(tag[4:], 16))


def head(tag, vr, length, syntax=EXPLICIT):
    order = ">" if syntax == BIG else "<"
    if syntax == IMPLICIT:
        return tag_bytes(tag) + struct.pack("<I", length)
    if vr in LONG:
        return tag_bytes(tag, order) + vr.encode() + b"\0\0" + struct.pack(order + "I", length)
    return tag_bytes(tag, order) + vr.encode() + struct.pack(order + "H", length)


def value_bytes(vr, value, syntax=EXPLICIT):
    order = ">" if syntax == BIG else "<"
    if isinstance(value, str):
        value = value.encode("utf-8")
        return value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    if vr in LETTERS and not isinstance(value, bytes):
        numbers = value if isinstance(value, (list, tuple)) else [value]
        return struct.pack(f"{order}{len(numbers)}{LETTERS[vr]}", *numbers)
    if vr == "AT" and not isinstance(value, bytes):
        return b"".join(tag_bytes(tag, order) for tag in value)
    if order == ">" and vr in WORDS:
        word = WORDS[vr]
        return b"".join(value[at : at + word][::-1] for at in range(0, len(value), word))
    return value


def item(content, syntax=EXPLICIT, *, undefined=False):
    order = ">" if syntax == BIG else "<"
    if undefined:
        end = tag_bytes("FFFEE00D", order) + bytes(4)
        return tag_bytes("FFFEE000", order) + struct.pack(order + "I", UNDEFINED) + content + end
    return tag_bytes("FFFEE000", order) + struct.pack(order + "I", len(content)) + content


def element(tag, vr, value, syntax=EXPLICIT, *, undefined=False):
    if vr == "SQ":
        content = b"".join(
            item(dataset(inner, syntax, undefined=undefined), syntax, undefined=undefined) for inner in value
        )
        if undefined:
            end = tag_bytes("FFFEE0DD", ">" if syntax == BIG else "<") + bytes(4)
            return head(tag, vr, UNDEFINED, syntax) + content + end
        return head(tag, vr, len(content), syntax) + content
    content = value_bytes(vr, value, syntax)
    return head(tag, vr, len(content), syntax) + content


def dataset(elements, syntax=EXPLICIT, *, undefined=False):
    syntax = EXPLICIT if syntax == DEFLATED else syntax
    return b"".join(element(tag, vr, value, syntax, undefined=undefined) for tag, vr, value in elements)


def meta(syntax):
    group = element("00020002", "UI", "1.2.840.10008.5.1.4.1.1.7") + element("00020003", "UI", INSTANCE)
    group += element("00020010", "UI", syntax)
    return element("00020000", "UL", len(group)) + group


def deflate(content):
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(content) + engine.flush()


def wrap(content, syntax=EXPLICIT):
    """A file around the bytes of a data set."""
    return bytes(128) + b"DICM" + meta(syntax) + (deflate(content) if syntax == DEFLATED else content)


def file(elements, syntax=EXPLICIT, *, undefined=False, identity=True):
    """A file with these elements and, so that it is an instance, UIDs; in tag order."""
    given = {tag for tag, _, _ in elements}
    both = [*elements, *(one for one in IDENTITY if one[0] not in given)] if identity else list(elements)
    both.sort(key=lambda one: one[0])
    return wrap(dataset(both, syntax, undefined=undefined), syntax)


def encapsulated(fragments, table=b""):
    """An encapsulated value: offset table, fragments, delimiter."""
    return item(table) + b"".join(item(fragment) for fragment in fragments) + tag_bytes("FFFEE0DD") + bytes(4)
