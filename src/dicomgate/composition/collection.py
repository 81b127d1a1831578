"""The parts of one request, and which of them a BulkDataURI means (PS3.18 §10.5.1.4, §8.6.1.2, RFC 2557, T14).

A URI is compared with what the parts say of themselves and never opened. The text itself comes first; where no part
says the same, both sides are resolved against the address of the request and compared again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

from dicomgate import errors
from dicomgate.composition.content import Unfit
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.dicom.source import Source
from dicomgate.dicomweb import media_types, multipart
from dicomgate.dicomweb.media_types import MediaType
from dicomgate.spool import Pile

LONGEST_URI = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part that is whole. With a `refusal` its bytes were not kept."""

    content_type: MediaType
    location: str | None
    span: range
    refusal: Refused | None = None

    @property
    def media_type(self) -> str:
        """Its type without parameters, under the name of today."""
        return media_types.ALIASES.get(self.content_type.type, self.content_type.type)

    @property
    def transfer_syntax(self) -> str | None:
        """The transfer syntax it says to be in."""
        return self.content_type.get("transfer-syntax")


class Collection:
    """The bulk data parts of one request, in their order."""

    def __init__(self, pile: Pile, base: str) -> None:
        self._pile = pile
        self._base = base
        self._parts: list[Part] = []
        self._by_text: defaultdict[str, list[Part]] = defaultdict(list)
        self._by_address: defaultdict[str, list[Part]] = defaultdict(list)
        self._askers: Counter[str] = Counter()  # data sets that name an address

    def add(self, part: Part) -> None:
        """One more part; several with one Content-Location are the frames of one value, in order (STOW-05)."""
        self._parts.append(part)
        if part.location is not None:
            self._by_text[part.location].append(part)
            self._by_address[self._resolve(part.location)].append(part)

    def note(self, uris: Iterable[str]) -> None:
        """What one data set will ask for; all are noted before any is answered."""
        addresses = {self._resolve(uri.strip()) for uri in set(uris) if len(uri) <= LONGEST_URI}
        self._askers.update(addresses & self._by_address.keys())

    def find(self, uri: str) -> Sequence[Part]:
        """The parts that a BulkDataURI means. Unfit when nothing answers it, or not for one data set alone."""
        found = self._find(uri)
        if not found:
            raise Unfit(Reason.NO_BULK_DATA, "no part has this Content-Location, and nothing is fetched")
        if len(found) > 1 and self._askers[self._resolve(uri.strip())] > 1:
            raise Unfit(Reason.NO_BULK_DATA, "several parts have this Content-Location, and several data sets name it")
        refusal = next((part.refusal for part in found if part.refusal), None)
        if refusal is not None:
            raise Unfit(refusal.reason, refusal.detail)
        return found

    def source(self, part: Part) -> Source:
        """The bytes of a part."""
        return self._pile.source(part.span)

    @property
    def unasked(self) -> int:
        """How many parts no data set has referred to."""
        return len(self._parts) - sum(len(self._by_address[address]) for address in self._askers)

    def _find(self, uri: str) -> Sequence[Part]:
        uri = uri.strip()
        if len(uri) > LONGEST_URI:
            return ()
        return self._by_text.get(uri) or self._by_address.get(self._resolve(uri)) or ()

    def _resolve(self, location: str) -> str:
        """The absolute form; the text itself where it is no address."""
        try:
            parts = urlsplit(urljoin(self._base, location))
        except ValueError:
            return location
        return urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()))


def describe(headers: dict[str, str], *, root_type: str) -> Part:
    """A part, still empty, by its header fields (names in lower case).

    One without a type is octets where it has a location, else metadata, as the whole request says (`root_type`).
    """
    location = _as_text(headers.get("content-location"))
    said = headers.get("content-type") or (root_type if location is None else media_types.OCTET_STREAM)
    refusal = None
    try:
        content_type = media_types.parse(said)
    except errors.Malformed as fault:
        content_type = MediaType(media_types.OCTET_STREAM)
        refusal = Refused(Reason.WRONG_PART_TYPE, fault.message)
    if content_type.type == media_types.DICOM:
        refusal = Refused(Reason.WRONG_PART_TYPE, "a PS3.10 file among metadata and bulk data")
    if multipart.is_encoded(headers):
        refusal = Refused(Reason.WRONG_PART_TYPE, "expected the bytes as they are, without an encoding")
    return Part(content_type=content_type, location=location, span=range(0), refusal=refusal)


def _as_text(location: str | None) -> str | None:
    """Header fields are read as Latin-1; an address beyond ASCII is meant as UTF-8 (RFC 3987)."""
    if location is None:
        return None
    try:
        return location.encode("latin-1").decode("utf-8").strip()
    except UnicodeError:
        return location.strip()
