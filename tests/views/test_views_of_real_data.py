"""Whatever is stored: an object of a view is what is said of it, to the byte (LC-07, LC-13, LC-30, LC-34)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom import header, jsonmodel
from dicomgate.dicom.matching import Query
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.origin import Instance
from dicomgate.views import view
from dicomgate.views.instances import ViewInstance
from dicomgate.views.view import Name

DATA = Path(__file__).parents[2] / "../shared/data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="not here: ../shared/data"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with assembly.open_archive(tmp_path_factory.mktemp("real") / "data", config.Settings()) as opened:
        assert opened.origin.store is not None
        for path in sorted(path for name in ("series", "studies") for path in (DATA / name).rglob("*")):
            if path.is_file():
                arrival = opened.spool.arrival()
                try:
                    arrival.write(path.read_bytes())
                    opened.origin.store.accept(arrival)
                finally:
                    arrival.discard()
        yield opened


@pytest.mark.parametrize("name", list(Name))
def test_an_object_is_what_is_said_of_it(archive: Archive, tmp_path: Path, name: Name) -> None:
    index = SqliteIndex(tmp_path / "index.sqlite", durable=False)
    try:
        shown = view.make(name, archive.origin, lambda: index, tmp_path)
        shown.prepared.patience = 1000
        made = 0
        for study in shown.search(Query(level=Level.STUDY)).datasets:
            with shown.retrieve(Target(study["0020000D"]["Value"][0])) as found:
                for instance in found:
                    if isinstance(instance, ViewInstance):
                        made += 1
                        check(instance)
        stored, listed = archive.counts(), index.counts()
        assert listed.studies == stored.studies
        assert made > 0
        assert (listed.instances < stored.instances) == (name is Name.ENHANCED)
    finally:
        index.close()


def check(instance: Instance) -> None:
    facts = instance.facts
    content = b"".join(instance.file())
    assert len(content) == facts.size
    read = header.read(BytesSource(content))
    said = orjson.loads(instance.metadata())
    del said["00083002"]
    written = orjson.loads(jsonmodel.format_dataset(read.attributes))
    for dataset in (said, written):
        dataset.pop("00080005", None)  # reading says UTF-8 where only texts inside of others were in another repertoire
    assert shortened(said) == shortened(written)
    assert (read.target, read.transfer_syntax) == (facts.target, facts.transfer_syntax)
    assert (read.frames.count if read.frames is not None else 0) == facts.frame_count
    middle = range(len(content) // 3, len(content) // 3 + 1000)
    assert b"".join(instance.file(middle)) == content[middle.start : middle.stop]
    if facts.frame_count:
        last = b"".join(instance.frame(facts.frame_count).chunks)
        is_of_bits = said.get("00280100", {}).get("Value") == [1]  # then frames begin within bytes
        assert is_of_bits or last.rstrip(b"\0") in content
        with pytest.raises(errors.NotFound):
            instance.frame(facts.frame_count + 1)
    for path in instance.bulk_paths():
        if path != "7FE00010":
            assert b"".join(instance.bulk(path).chunks).rstrip(b"\0") in content


def shortened(value: object) -> object:
    """Decimals as far as sixteen characters hold them: sources say more."""
    if isinstance(value, dict):
        return {key: shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value
