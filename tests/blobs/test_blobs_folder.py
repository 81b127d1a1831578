"""A folder given by the user: nothing outside of it is opened, nothing in it is changed."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.blobs.folder import FolderBlobs, format_key, parse_key


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "folder"
    (root / "b" / "inner").mkdir(parents=True)
    (root / "a.dcm").write_bytes(b"a")
    (root / "b" / "100%.dcm").write_bytes(b"percent")
    (root / "b" / "inner" / "x y.dcm").write_bytes(b"xy")
    (tmp_path / "outside").write_bytes(b"secret")
    return root


def read(blobs, key):
    with blobs.open(key) as blob:
        return blob.read_at(0, 100)


def test_files_are_found_by_relative_path(root):
    blobs = FolderBlobs(root)
    assert list(blobs.keys()) == ["a.dcm", "b/100%25.dcm", "b/inner/x y.dcm"]
    assert [read(blobs, key) for key in blobs.keys()] == [b"a", b"percent", b"xy"]  # noqa: SIM118


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../outside", "b/../../outside", "/etc/passwd", "b/%2E%2E/%2E%2E/outside", "%2Fetc/passwd", "a\0", "a%00",
     "b", "absent", "a.dcm/x", "n" * 300],
)  # fmt: skip
def test_no_key_leads_out_T9(root, key):
    with pytest.raises(errors.NotFound):
        FolderBlobs(root).open(key)


def test_only_links_lead_out_when_they_may_T9(root):
    for key in ("../outside", "b/../../outside", "/etc/passwd"):
        with pytest.raises(errors.NotFound):
            FolderBlobs(root, follow_out=True).open(key)


def test_links_are_followed_inside_and_refused_outside(root, tmp_path):
    (root / "link.dcm").symlink_to("b/inner/x y.dcm")
    (root / "out.dcm").symlink_to(tmp_path / "outside")
    (root / "dangling.dcm").symlink_to("nowhere")
    (root / "loop.dcm").symlink_to("loop.dcm")
    (root / "up").symlink_to(tmp_path)
    blobs = FolderBlobs(root)
    assert read(blobs, "link.dcm") == b"xy"
    for key in ("out.dcm", "dangling.dcm", "loop.dcm", "up/outside"):
        with pytest.raises(errors.NotFound):
            blobs.open(key)
    assert read(FolderBlobs(root, follow_out=True), "out.dcm") == b"secret"
    assert not any(key.startswith("up/") for key in blobs.keys())  # noqa: SIM118


def test_a_sibling_whose_name_begins_alike_is_outside(root, tmp_path):
    (tmp_path / "folder2").mkdir()
    (tmp_path / "folder2" / "x").write_bytes(b"secret")
    (root / "out").symlink_to(tmp_path / "folder2" / "x")
    with pytest.raises(errors.NotFound):
        FolderBlobs(root).open("out")


def test_what_is_no_regular_file_does_not_hold_us_up(root):
    os.mkfifo(root / "pipe")
    blobs = FolderBlobs(root)
    with pytest.raises(errors.NotFound):
        blobs.open("pipe")
    assert "pipe" not in list(blobs.keys())


def test_names_that_are_no_text(root):
    path = os.fsencode(root) + b"/\xff\xfe%.dcm"
    with open(path, "wb") as file:
        file.write(b"odd")
    blobs = FolderBlobs(root)
    assert "%FF%FE%25.dcm" in list(blobs.keys())
    assert read(blobs, "%FF%FE%25.dcm") == b"odd"


@pytest.mark.slow
@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name))
def test_key_and_path_round_trip(name):
    path = os.fsdecode(name)
    key = format_key(path)
    key.encode()
    assert parse_key(key) == path


def test_nothing_is_ever_written(root):
    blobs = FolderBlobs(root)
    for deed in (blobs.new_key, lambda: blobs.put("x", b""), lambda: blobs.delete("a.dcm")):
        with pytest.raises(errors.NotAllowed):
            deed()
    blobs.settle("a.dcm")
    assert blobs.sweep(lambda keys: set()) == 0
    blobs.close()
    assert read(blobs, "a.dcm") == b"a"
