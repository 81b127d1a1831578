"""Parts as a request brings them, collected on a pile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dicomgate.composition import collection
from dicomgate.composition.collection import Collection
from dicomgate.composition.content import Workshop
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers
from dicomgate.spool import Spool

BASE = "http://server/dicomweb/studies"


def collect(folder: Path, *parts: tuple[dict[str, str], bytes]) -> Collection:
    """Parts by their header fields and content; the pile lies in memory, so nothing needs to be removed."""
    pile = Spool(folder).pile()
    made = Collection(pile, BASE)
    at = 0
    for headers, content in parts:
        pile.write(content)
        part = collection.describe(headers, root_type="application/dicom+json")
        made.add(replace(part, span=range(at, at + len(content))))
        at += len(content)
    pile.finish()
    return made


def bulk(location: str, content: bytes, content_type: str = "application/octet-stream") -> tuple[dict[str, str], bytes]:
    return {"content-type": content_type, "content-location": location}, content


def workshop(folder: Path, workers: Workers) -> Workshop:
    return Workshop(decoder=Decoder(workers), scratch=Spool(folder).scratch)
