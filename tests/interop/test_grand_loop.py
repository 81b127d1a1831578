"""Every file of ../shared/data by DIMSE to a relay, by HTTPS to a server, by DIMSE to a gateway, by HTTP to a client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from interop_corpus import Sample, lay_out, needs_data, read_corpus
from test_every_file import is_storable
from test_gateway_tls import certificate

import dicomgate
from dicomgate import assembly, config, errors
from dicomgate.archive import lone
from dicomgate.client.identity import Identity
from dicomgate.dicom import part10
from dicomgate.dicom.source import BytesSource
from dicomgate.dimse import associations, contexts, door, sending, statuses
from dicomgate.dimse.associations import Peer
from dicomgate.origin import Instance
from dicomgate.testing.processes import running
from dicomgate.testing.serving import serving

pytestmark = [
    needs_data,
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make certificates"),
]


def openable(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Instance]]:
    for sample in samples:
        try:
            yield sample, lone.open_file(sample.path)
        except errors.Fault:
            continue


def send(port: int, instances: Sequence[Instance]) -> dict[str, int]:
    """Each by C-STORE as it is; the status of each."""
    peer = Peer(title="RELAY", host="127.0.0.1", port=port, own_title="LOOP")
    found = {}
    pairs = [(one.facts.sop_class, one.facts.transfer_syntax) for one in instances]
    for plan in contexts.plan(pairs, fallbacks=()):
        taken = {(offer.abstract_syntax, syntax) for offer in plan for syntax in offer.transfer_syntaxes}
        with associations.opened(peer, plan) as called:
            chosen = [one for one, pair in zip(instances, pairs, strict=True) if pair in taken]
            for number, one in enumerate(chosen):
                request = sending.request_for(one, number % 0xFFFF + 1)
                status = sending.send(called.connection, called.contexts.values(), one, request)
                found[str(one.target.instance)] = status
    return found


@contextmanager
def relay(server: str, authority: Path) -> Iterator[int]:
    settings = config.read(environment={}, options={"dimse.title": "RELAY", "dimse.processes": 1})
    remote = config.Remote(url=f"{server}/dicomweb", authorities=str(authority))
    with assembly.open_facade(settings, remote) as house:
        listening = door.listen("127.0.0.1", 0)
        with door.opened(house, listening):
            yield listening.getsockname()[1]


@contextmanager
def gateway(port: int, cache: Path) -> Iterator[dicomgate.Archive]:
    options = {"pacs.title": "DICOMGATE", "pacs.host": "127.0.0.1", "pacs.port": port, "pacs.cache": str(cache)}
    application = assembly.application(config.read(environment={}, options=options), pacs=True)
    with serving(application) as served, dicomgate.connect(f"http://127.0.0.1:{served.port}/dicomweb") as archive:
        yield archive
    application.close()


def data_set(content: bytes) -> tuple[str, bytes]:
    beginning = part10.read_beginning(BytesSource(content))
    return beginning.transfer_syntax, content[beginning.dataset_offset :]


def test_every_instance_goes_round_and_comes_back_with_the_same_data_set(tmp_path: Path) -> None:
    samples, _ = read_corpus()
    storable = [sample for sample in samples if is_storable(sample)]
    assert len(storable) == len(samples) - 1, "one has a UID of more than 64 characters"
    layers = lay_out(storable)
    chain, key = certificate(tmp_path, "server")
    words = ("--dimse", "0", "--tls-cert", str(chain), "--tls-key", str(key), "--allow-delete")
    went = 0
    with (
        running(*words, data=tmp_path / "data", log=tmp_path / "log") as server,
        relay(f"https://127.0.0.1:{server.port}", chain) as entrance,
        dicomgate.connect(f"{server.url}/dicomweb", identity=Identity(authorities=str(chain))) as straight,
    ):
        for number, layer in enumerate(layers):
            whole = {str(one.target.instance): sample for sample, one in openable(list(layer.samples.values()))}
            go(entrance, whole)
            with gateway(server.dimse, tmp_path / f"cache-{number}") as archive:
                come_back(archive, whole)
            for study in {sample.target.study for sample in whole.values()}:
                straight.delete(study)  # the next archive has other pictures under the same UIDs
            went += len(whole)
    print(f"{went} instances in {len(layers)} archives")
    assert went == len(storable)


def go(entrance: int, whole: dict[str, Sample]) -> None:
    said = send(entrance, [lone.open_file(sample.path) for sample in whole.values()])
    assert {whole[uid].name: statuses.format_code(status) for uid, status in said.items() if status} == {}
    assert set(said) == set(whole)


def come_back(archive: dicomgate.Archive, whole: dict[str, Sample]) -> None:
    came = 0
    for study in {sample.target.study for sample in whole.values()}:
        for file in archive.files(study):
            content = file.read()
            sample = whole[lone_uid(content)]
            assert data_set(content) == data_set(sample.content()), sample.name
            came += 1
    assert came == len(whole)


def lone_uid(content: bytes) -> str:
    return str(part10.read_beginning(BytesSource(content)).meta["00020003"]["Value"][0])
