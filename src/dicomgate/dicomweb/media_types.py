"""Media types as PS3.18 writes them, read leniently and written exactly (PS3.18 §8.7.1, RFC 9110 §8.3.1).

Reading takes one pass over the text, without regular expressions: the text comes from strangers (T7).
"""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate import errors

DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
PROBLEM_JSON = "application/problem+json"
PLAIN_TEXT = "text/plain"
ZIP = "application/zip"
MULTIPART = "multipart/related"
ANY = "*/*"

ALIASES: dict[str, str] = {
    # Names of earlier editions and of habit, taken on input only (§8.7.3.3.2 note, CLI-02).
    "image/x-dicom-rle": "image/dicom-rle",
    "image/dicom+rle": "image/dicom-rle",
    "image/x-jls": "image/jls",
    "image/dicom+jpeg-ls": "image/jls",
    "image/dicom+jpeg": "image/jpeg",
    "image/dicom+jp2": "image/jp2",
    "image/dicom+jpx": "image/jpx",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/j2c": "image/jp2",  # the bare codestream by its registered name, which is what a data set holds
    "video/h264": "video/mp4",
    "video/x-m4v": "video/mp4",
    "video/hevc": "video/h265",
    JSON: DICOM_JSON,
}

DICOM_ONLY = frozenset(
    {DICOM, DICOM_JSON, DICOM_XML, OCTET_STREAM, "image/dicom-rle", "image/jls", "image/jpx", "image/jphc"}
)
"""Types that are never rendered (Tables 8.7.3-2 to -5)."""

RENDERED_ONLY = frozenset(
    {"image/gif", "image/png", "image/jph", "text/html", "text/plain", "text/xml", "text/rtf", "application/pdf"}
)
"""Types that are never DICOM bulk data (Table 8.7.4-1)."""

BULK_OR_RENDERED = frozenset({"image/jpeg", "image/jp2", "image/jxl", "video/mpeg", "video/mp4", "video/h265"})
"""Types that are bulk data on one resource and rendered on another (AMB-02)."""

LONGEST = 8192
MOST_PARAMETERS = 32
MOST_MEMBERS = 100

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or range. `type` and the parameters' names are lower case, the values as they were sent."""

    type: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """The parameter's first value, None when it is not there."""
        return next((value for key, value in self.parameters if key == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the parameter, in order: some clients repeat one (CLI-02)."""
        return tuple(value for key, value in self.parameters if key == name)


def parse(text: str) -> MediaType:
    """One media type. Quotes around a value are optional, whatever the value (§8.7.1). Malformed when it is none."""
    pieces = _split(_bounded(text), ";")
    type_ = pieces[0].strip(_BLANK).lower()
    main, slash, sub = type_.partition("/")
    if not (slash and _is_token(main) and _is_token(sub)):
        raise errors.Malformed(f"media type: expected type/subtype, saw {len(type_)} other characters")
    parameters = tuple(_parse_parameter(piece) for piece in pieces[1:] if piece.strip(_BLANK))
    if len(parameters) > MOST_PARAMETERS:
        raise errors.Malformed(f"media type: {len(parameters)} parameters, at most {MOST_PARAMETERS} are read")
    return MediaType(type_, parameters)


def parse_list(text: str) -> tuple[MediaType, ...]:
    """The members of an Accept list; those that are no media type are left out, not fatal (§8.7.7)."""
    members = []
    for piece in _split(_bounded(text), ",")[:MOST_MEMBERS]:
        try:
            members.append(parse(piece))
        except errors.Malformed:
            continue
    return tuple(members)


def format_media_type(media_type: MediaType) -> str:
    """The media type as it is sent: values bare where the grammar lets them be (CLI-03), else quoted."""
    return "; ".join((media_type.type, *(f"{name}={_format_value(value)}" for name, value in media_type.parameters)))


def with_transfer_syntax(type_: str, transfer_syntax: str | None) -> str:
    """The type naming its transfer syntax, bare, as every image, bulk and DICOM payload does (MT-08, V3)."""
    return type_ if transfer_syntax is None else f"{type_}; transfer-syntax={transfer_syntax}"


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise errors.Malformed(f"media type: {len(text)} characters, at most {LONGEST} are read")
    return text


def _split(text: str, separator: str) -> list[str]:
    """The pieces between separators that stand outside quotes."""
    if '"' not in text:
        return text.split(separator)
    pieces, start, position, quoted = [], 0, 0, False
    while position < len(text):
        character = text[position]
        if character == "\\" and quoted:
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            pieces.append(text[start:position])
            start = position + 1
        position += 1
    pieces.append(text[start:])
    return pieces


def _parse_parameter(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    name = name.strip(_BLANK).lower()
    value = value.strip(_BLANK)
    if not _is_token(name):
        raise errors.Malformed("media type: a parameter without a name")
    if value.startswith('"'):
        value = _unquote(value)
    if not value.isprintable():
        raise errors.Malformed("media type: a control character in a parameter's value")
    return name, value


def _unquote(text: str) -> str:
    characters: list[str] = []
    position = 1
    while position < len(text):
        if text[position] == '"':
            if position != len(text) - 1:
                raise errors.Malformed("media type: text after a closing quote")
            return "".join(characters)
        if text[position] == "\\":
            position += 1
        characters.append(text[position : position + 1])
        position += 1
    raise errors.Malformed("media type: a quote that does not close")


def _format_value(value: str) -> str:
    if _is_token(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _is_token(text: str) -> bool:
    return bool(text) and _TOKEN.issuperset(text)
