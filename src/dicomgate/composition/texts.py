"""Texts that come as bulk data: in UTF-8, as the metadata is that names them (PS3.5 §6.1, PS3.18 §F.2)."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from dicomgate.composition.content import Octets, Unfit
from dicomgate.dicom import encode
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Reason

_PLAIN = frozenset({"", "ISO_IR 6", encode.UNICODE})


def settle(attributes: JSONDataset, texts: Sequence[Octets]) -> None:
    """Let the data set say how its texts are written, which stand in one file with these.

    Unfit for a text that is neither UTF-8 nor alone with the character set that the metadata names.
    """
    found = {_is_unicode(text) for text in texts}
    if False in found:
        said = (attributes.get(encode.CHARSET, {}).get("Value") or [""])[0] or ""
        if said in _PLAIN or True in found or not encode.is_ascii(attributes):
            raise Unfit(Reason.CANNOT_UNDERSTAND, "a text as bulk data is not in UTF-8, as the metadata is")
    elif True in found:
        attributes[encode.CHARSET] = {"vr": "CS", "Value": [encode.UNICODE]}


def _is_unicode(text: Octets) -> bool | None:
    """None for ASCII, which is both; read in chunks, for a text may be as large as any value."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    try:
        for chunk in text.chunks():
            is_ascii = decoder.decode(chunk).isascii() and is_ascii
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return None if is_ascii else True
