"""A file on its own behaves as the same instance in an archive, without folder or index."""

import orjson
import pytest

from dicomgate import errors
from dicomgate.archive import lone
from dicomgate.dicom import syntaxes
from dicomgate.testing import instances


def test_it_is_the_file(tmp_path):
    target = instances.new_target()
    content = instances.make(target, rows=4, columns=4)
    path = tmp_path / "100% of it"
    path.write_bytes(content)
    opened = lone.open_file(path)
    assert (opened.facts.target, opened.facts.size, opened.facts.frame_count) == (target, len(content), 1)
    assert b"".join(opened.file()) == content
    assert b"".join(opened.frame(1).chunks) == instances.counting(16)
    assert orjson.loads(opened.metadata())["00080018"]["Value"] == [target.instance]


@pytest.mark.parametrize("is_extended", [False, True])
def test_its_compressed_frames(tmp_path, is_extended):
    made = [number.to_bytes(2, "big") * 10 for number in range(300)]
    path = tmp_path / "file"
    path.write_bytes(
        instances.make(syntax="1.2.840.10008.1.2.4.90", frames=made, is_extended=is_extended),
    )
    opened = lone.open_file(path)
    assert [b"".join(opened.frame(number).chunks) for number in (1, 256, 257, 300)] == [
        made[0],
        made[255],
        made[256],
        made[299],
    ]
    with pytest.raises(errors.NotFound):
        opened.frame(301)


def test_what_is_none(tmp_path):
    with pytest.raises(errors.NotFound):
        lone.open_file(tmp_path / "none")
    with pytest.raises(errors.NotFound):
        lone.open_file(tmp_path)
    (tmp_path / "text").write_text("not DICOM")
    with pytest.raises(errors.Malformed):
        lone.open_file(tmp_path / "text")
    (tmp_path / "nameless").write_bytes(
        instances.make(syntax=syntaxes.EXPLICIT_LITTLE, attributes={"StudyInstanceUID": ""})
    )
    with pytest.raises(errors.Malformed, match="Study Instance UID"):
        lone.open_file(tmp_path / "nameless")
