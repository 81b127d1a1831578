"""What a server gives as metadata and bulk data it takes back as the same object (STOW-05, STOW-08, JSON, XML)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standard_service import Service, bulk_links, parts_of, path_of

from dicomgate import config, errors
from dicomgate.dicom import header, uids, xmlmodel
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Target
from dicomgate.testing.serving import Reply

DATA = Path(__file__).parents[2] / "../shared/data"
FILES = [
    Path(folder) / name
    for kind in ("objects", "syntaxes")
    for folder, _, names in sorted(os.walk(DATA / kind))
    for name in sorted(names)
]
NOT_COMPARED = {"00080018", "0020000D", "0020000E", "00080005", "00083002", "00420015"}
"""Names; what is said of encodings; and the length of a document, which is told where it was not."""


@pytest.fixture(scope="module")
def archive(open_service) -> Service:
    """One picture in many encodings has one name: each file takes the place of the one before."""
    return open_service(store=config.Store(duplicates="replace"))


def offered(service: Service, content: bytes) -> Target | None:
    """The file, stored; None when it is not a file that this server takes."""
    try:
        seen = header.read(BytesSource(content))
    except errors.Fault:
        return None
    return seen.target if service.post(content).status in {200, 202} else None


def renamed(dataset: dict[str, Any], target: Target) -> dict[str, Any]:
    names = {"00080018": target.instance, "0020000D": target.study, "0020000E": target.series}
    return {**dataset, **{tag: {"vr": "UI", "Value": [uid]} for tag, uid in names.items()}}


def store(service: Service, parts: list[tuple[str, bytes]], root: str) -> Reply:
    body = b"".join(b"--bound\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts)
    fields = {"Content-Type": f'multipart/related; type="{root}"; boundary=bound'}
    return service.served.ask("POST", "/dicomweb/studies", fields, body + b"--bound--\r\n")


def bulk_parts(service: Service, target: Target, dataset: dict[str, Any]) -> list[tuple[str, bytes]]:
    """Every value that the metadata names, as the server sends them all at once."""
    if not bulk_links(dataset):
        return []
    reply = service.studies(path_of(target) + "/bulkdata", 'multipart/related; type="application/octet-stream"')
    if reply.status == 406:
        wish = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
        reply = service.studies(path_of(target) + "/bulkdata", wish)
    assert reply.status == 200, reply.body
    return [("\r\n".join(f"{name}: {value}" for name, value in part.headers), part.body) for part in parts_of(reply)]


def plain(node: Any, tag: str = "") -> Any:
    """A data set without what must differ: names, addresses, what is said of encodings, empty ends of names."""
    if isinstance(node, dict):
        if "BulkDataURI" in node:
            return {"vr": "" if tag == "7FE00010" else node.get("vr"), "BulkDataURI": ""}
        if node.get("vr") == "PN":
            groups = [{name: text.rstrip("^") for name, text in (one or {}).items()} for one in node.get("Value", [])]
            return {"vr": "PN", "Value": groups} if any(any(one.values()) for one in groups) else {"vr": "PN"}
        return {key: plain(value, key) for key, value in node.items() if key not in NOT_COMPARED}
    return [plain(item, tag) for item in node] if isinstance(node, list) else node


def without_blocks(dataset: dict[str, Any]) -> dict[str, Any]:
    """The public attributes, and the private ones of each group by their last digits."""
    kept: dict[str, Any] = {}
    for tag, given in dataset.items():
        items = [without_blocks(item or {}) for item in given.get("Value", [])] if given.get("vr") == "SQ" else None
        element = given if items is None else {**given, "Value": items}
        if tag[3] not in "13579BDF":
            kept[tag] = element
        elif not ("00000010" <= "0000" + tag[4:] <= "000000FF"):
            kept.setdefault(f"{tag[:4]}xx{tag[6:]}", []).append({"one": element})
    return kept


def pixels(service: Service, target: Target) -> Iterator[bytes]:
    for part in bulk_parts(service, target, metadata(service, target)):
        yield part[1] + bytes(len(part[1]) % 2)  # some files have values of odd length


def metadata(service: Service, target: Target) -> dict[str, Any]:
    reply = service.studies(path_of(target) + "/metadata")
    assert reply.status == 200
    (dataset,) = json.loads(reply.body)
    return dataset


@pytest.mark.slow
@pytest.mark.parametrize("root", ["application/dicom+json", "application/dicom+xml"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DATA)))
def test_same_object_again(archive: Service, path: Path, root: str) -> None:
    content = path.read_bytes()
    target = offered(archive, content)
    if target is None:
        pytest.skip("not an object of a study: its UIDs are not all there")
    before = metadata(archive, target)
    again = Target(uids.mint(), uids.mint(), uids.mint())
    sent = renamed(before, again)
    text = json.dumps([sent]).encode() if root.endswith("json") else xmlmodel.format_dataset(sent)
    parts = [(f"Content-Type: {root}", text), *bulk_parts(archive, target, before)]
    reply = store(archive, parts, root)
    assert reply.status in {200, 202}, (reply.status, reply.headers.get("warning"))
    after = metadata(archive, again)
    if root.endswith("xml"):  # the XML model names private attributes by creator, not by block (XML-02)
        before, after = without_blocks(before), without_blocks(after)
    assert plain(after) == plain(before)
    assert list(pixels(archive, again)) == list(pixels(archive, target))
