"""Arrays over HTTP are the same as of the archive itself; what a bad server answers is a fault, not an array."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dicomgate import assembly, config, errors
from dicomgate.cli import local
from dicomgate.client import arrays
from dicomgate.client.caller import Caller, Patience
from dicomgate.client.origin_reader import OriginReader
from dicomgate.client.server_reader import ServerReader
from dicomgate.dicom.uids import Target
from dicomgate.samples import check_files, phantoms
from dicomgate.samples.modules import write
from dicomgate.testing.serving import serving

pytestmark = pytest.mark.slow
TARGET = Target("1.2", "1.3", "1.4")


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OriginReader, ServerReader, dict[str, Target]]]:
    """The same objects read where they are, and over HTTP; series of them by name."""
    data = tmp_path_factory.mktemp("data")
    contents: dict[str, list[bytes]] = {
        "torso": [write(one) for _, one in zip(range(5), phantoms.ct_torso(), strict=False)],
        "clip": [write(one) for one in phantoms.us_heart()],
    }
    for kind, content in check_files.make("reader"):
        contents.setdefault(kind, []).append(content)
    with assembly.open_archive(data, config.Settings()) as archive:
        targets = {}
        for name, files in contents.items():
            (outcome, *_) = list(local.keep_contents(archive, files))
            targets[name] = Target(outcome.target.study, outcome.target.series)
        application = assembly.application(config.Settings(), data=data)
        with serving(application) as served, Caller(f"{served.url}/dicomweb") as caller:
            yield OriginReader(archive.origin.retrieve), ServerReader(caller), targets


@pytest.mark.parametrize("name", ["torso", "clip", "image", "movie", "compressed"])
def test_a_volume_is_the_same_over_http(readers: Any, name: str) -> None:
    here, there, targets = readers
    one, other = (arrays.volume(reader, targets[name]) for reader in (here, there))
    assert np.array_equal(one.array, other.array)
    assert one.array.dtype == other.array.dtype
    assert np.array_equal(one.affine, other.affine)
    assert (one.instances, one.positions, one.missing) == (other.instances, other.positions, other.missing)


def test_frames_are_the_same_over_http_in_any_order(readers: Any) -> None:
    here, there, targets = readers
    (dataset,) = there.metadata(targets["clip"])
    target = arrays.find_target(dataset)
    wanted = [7, 2, 2, 24, 1]
    one, other = (list(arrays.frames(reader, target, wanted)) for reader in (here, there))
    assert [number for number, _ in other] == wanted
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(one, other, strict=True))


def test_a_compressed_frame_comes_as_it_is_stored(readers: Any) -> None:
    _, there, targets = readers
    (dataset,) = there.metadata(targets["compressed"])
    ((content, syntax),) = there.frames(arrays.find_target(dataset), [1])
    assert syntax == "1.2.840.10008.1.2.5"
    assert len(content) != 40 * 20 * 2


def test_bulk_data_comes_from_the_server_that_was_asked_whatever_address_is_named(readers: Any) -> None:
    _, there, targets = readers
    dataset = there.metadata(targets["image"])[0]
    target = arrays.find_target(dataset)
    uri = dataset["7FE00010"]["BulkDataURI"]
    content = there.bulk(target, uri)
    assert len(content) == 40 * 20 * 2
    assert there.bulk(target, uri.replace("127.0.0.1", "elsewhere.example")) == content
    assert there.bulk(target, uri[uri.index("bulkdata/") :]) == content


def test_what_is_not_there(readers: Any) -> None:
    _, there, _ = readers
    with pytest.raises(errors.Fault):
        arrays.volume(there, TARGET)
    with pytest.raises(errors.Fault):
        list(arrays.frames(there, TARGET))


PARTS = {"Content-Type": 'multipart/related; type="application/octet-stream"; boundary=x'}
PART = b"--x\r\nContent-Type: application/octet-stream\r\n\r\nabcd\r\n"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((200, PARTS, PART), errors.UpstreamFailed),
        ((200, PARTS, PART + b"--x--\r\n"), errors.UpstreamFailed),
        ((200, {"Content-Type": "multipart/related"}, PART), errors.UpstreamFailed),
        ((200, {}, b""), errors.UpstreamFailed),
        ((204, {}, b""), errors.UpstreamFailed),
        ((406, {}, b""), errors.NotAcceptable),
        ((404, {}, b""), errors.NotFound),
        ((500, {}, b""), errors.UpstreamFailed),
        ((401, {}, b""), errors.Forbidden),
    ],
)
def test_what_a_bad_server_answers_is_a_fault(server: Any, answer: Any, fault: type[errors.Fault]) -> None:
    server.answers.append(answer)
    with Caller(server.root, patience=Patience(tries=2, first=0.001, longest=0.01)) as caller, pytest.raises(fault):
        ServerReader(caller).frames(TARGET, [1, 2])


def test_a_part_without_a_transfer_syntax_is_what_its_type_says(server: Any) -> None:
    part = b"--x\r\nContent-Type: image/jls\r\n\r\nabcd\r\n--x\r\n\r\nefg\r\n--x--\r\n"
    server.answers.append((200, PARTS, part))
    with Caller(server.root) as caller:
        found = ServerReader(caller).frames(TARGET, [1, 2])
    assert found == [(b"abcd", "1.2.840.10008.1.2.4.80"), (b"efg", "1.2.840.10008.1.2.1")]
    assert server.asked[0][1].endswith("/instances/1.4/frames/1,2")


def test_an_answer_without_end_is_left(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dicomgate.client import server_reader

    monkeypatch.setattr(server_reader, "LARGEST", 100)
    server.answers.append((200, PARTS, PART + bytes(1000)))
    with Caller(server.root) as caller, pytest.raises(errors.TooLarge):
        ServerReader(caller).frames(TARGET, [1, 2])


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"\xff", b""])
def test_metadata_that_is_none(server: Any, body: bytes) -> None:
    server.answers.append((200, {"Content-Type": "application/dicom+json"}, body))
    with Caller(server.root) as caller, pytest.raises(errors.UpstreamFailed):
        ServerReader(caller).metadata(TARGET)


def test_data_sets_that_make_no_sense_are_a_fault(server: Any, tmp_path: Path) -> None:
    nonsense = b'[{"7FE00010":{"vr":"OW"},"00280010":{"vr":"US","Value":[{}]},"0020000D":{"vr":"UI","Value":[7]}}]'
    server.answers.append((200, {"Content-Type": "application/dicom+json"}, nonsense))
    with Caller(server.root) as caller, pytest.raises(errors.Malformed):
        arrays.volume(ServerReader(caller), Target("1.2", "1.3"))
