"""Small rules of views, each of which could once be broken without any other test noticing (LC-07, LC-34)."""

from __future__ import annotations

import io
import multiprocessing
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from test_views_lasting import opened, store
from test_views_over_http import Memory
from views_service import CT, EXPLICIT, LEGACY_CT, Service, key_object, pixels, slice_of, uid, value

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom.uids import Target
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.multiframe import classic, conversion
from dicomgate.origin import Instance
from dicomgate.testing import instances
from dicomgate.testing.serving import serving
from dicomgate.views import preparing, view
from dicomgate.views.view import Name, View

ENHANCED = "/dicomweb/enhanced"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    settings = config.Settings(store=config.Store(duplicates="replace"))
    with assembly.open_archive(tmp_path / "data", settings) as made:
        yield made


def one_of(shown: View, study: str) -> Instance:
    with shown.retrieve(Target(uid(study))) as found:
        (only,) = found
        return only


def test_other_samples_under_the_same_words_are_another_version(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("version", 1), slice_of("version", 2))
    with opened(archive, tmp_path) as shown:
        before = one_of(shown, "version").facts
        store(archive, slice_of("version", 2, PixelData=pixels(9)))
        after = one_of(shown, "version")
        assert after.facts.target == before.target
        assert after.facts.version != before.version
        assert b"".join(after.frame(2).chunks) == pixels(9)


def test_an_object_is_as_new_as_its_newest_source(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("facts", 1), slice_of("facts", 2))
    with archive.origin.retrieve.retrieve(Target(uid("facts"))) as found:
        newest = max(source.facts.modified for source in found)
    with opened(archive, tmp_path) as shown:
        facts = one_of(shown, "facts").facts
        assert (facts.modified, facts.frame_count) == (newest, 2)


@pytest.mark.parametrize("number", [0, -1, 3])
def test_there_are_no_frames_beside_those_there_are(archive: Archive, tmp_path: Path, number: int) -> None:
    store(archive, slice_of("frames", 1), slice_of("frames", 2))
    with opened(archive, tmp_path) as shown, pytest.raises(errors.NotFound):
        one_of(shown, "frames").frame(number)


def test_few_plans_are_kept(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_PLANNED", 3)
    for number in range(4):
        store(archive, slice_of(f"plan{number}", 1), slice_of(f"plan{number}", 2))
    with opened(archive, tmp_path) as shown:
        for number in range(4):
            assert b"".join(one_of(shown, f"plan{number}").file())[128:132] == b"DICM"
        assert len(shown.prepared._plans) == 1


def capture(study: str, number: int) -> bytes:
    """A secondary capture that refers to a slice."""
    dataset, item = Dataset(), Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", uid(study, "capture")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = uid(study), uid(study, "8"), "OT"
    dataset.SeriesNumber, dataset.PatientID, dataset.PatientName = 8, study, f"{study}^Eva"
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid(study, "1", number)
    dataset.ReferencedImageSequence = Sequence([item])
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.Rows, dataset.Columns = 1, "MONOCHROME2", 8, 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = bytes(range(128))
    dataset["PixelData"].VR = "OW"
    return instances.write(dataset, EXPLICIT)


def test_a_picture_with_new_references_keeps_its_pixels_LC_06(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("captured", 1), slice_of("captured", 2), capture("captured", 2))
    with opened(archive, tmp_path) as shown:
        with shown.retrieve(Target(uid("captured"))) as found:
            made = {one.facts.sop_class: one for one in found}
        image, picture = made[LEGACY_CT], made["1.2.840.10008.5.1.4.1.1.7"]
        read = pydicom.dcmread(io.BytesIO(b"".join(picture.file())))
        (item,) = read.ReferencedImageSequence
        assert item.ReferencedSOPInstanceUID == image.facts.target.instance
        assert item.ReferencedFrameNumber == 2
        assert read.PixelData == bytes(range(128))
        assert b"".join(picture.frame(1).chunks) == bytes(range(128))
        assert b"".join(picture.bulk("7FE00010").chunks) == bytes(range(128))
        assert b"".join(picture.bulk("7FE00010", span=range(7, 9)).chunks) == bytes([7, 8])


def pointing(study: str, *images: tuple[str, int]) -> bytes:
    """A key object of one study about slices of others."""
    dataset = pydicom.dcmread(io.BytesIO(key_object(study, 1)))
    whole = []
    for other, number in images:
        item, series, evidence = Dataset(), Dataset(), Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid(other, "1", number)
        series.SeriesInstanceUID, series.ReferencedSOPSequence = uid(other, "1"), Sequence([item])
        evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = uid(other), Sequence([series])
        whole.append(evidence)
    dataset.CurrentRequestedProcedureEvidenceSequence = Sequence(whole)
    return instances.write(dataset, EXPLICIT)


def test_references_follow_into_other_studies_LC_06(archive: Archive, tmp_path: Path) -> None:
    """Also after a restart, and when the other study has changed."""
    store(archive, slice_of("prior", 1), slice_of("prior", 2), pointing("now", ("prior", 2)), slice_of("apart", 1))

    def told(shown: View) -> tuple[str, str]:
        with shown.retrieve(Target(uid("now"))) as found:
            (keys,) = found
        read = pydicom.dcmread(io.BytesIO(b"".join(keys.file())))
        (series,) = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        (item,) = series.ReferencedSOPSequence
        return str(series.SeriesInstanceUID), str(item.ReferencedSOPInstanceUID)

    def prior(shown: View) -> tuple[str, str]:
        target = one_of(shown, "prior").facts.target
        return target.series or "", target.instance or ""

    with opened(archive, tmp_path) as shown:
        first = told(shown)
        assert first == prior(shown)
        lines = shown.prepared.index.changed("", 0)[0]
        store(archive, slice_of("apart", 2))
        assert told(shown) == first
        assert shown.prepared.index.changed("", 0)[0] == lines  # another study is nothing to it
    with opened(archive, tmp_path) as again:
        assert told(again) == first
        assert again.prepared.index.changed("", 0)[0] == lines
        store(archive, slice_of("prior", 3))
        grown = told(again)
        assert grown == prior(again)
        assert grown[1] != first[1]


def test_studies_that_refer_to_each_other_are_listed(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("left", 1), pointing("left", ("right", 1)))
    store(archive, slice_of("right", 1), pointing("right", ("left", 1)))
    with opened(archive, tmp_path) as shown:
        made = {}
        for study in ("left", "right"):
            with shown.retrieve(Target(uid(study))) as found:
                made[study] = {one.facts.sop_class: one for one in found}
        for study, other in (("left", "right"), ("right", "left")):
            keys = b"".join(made[study]["1.2.840.10008.5.1.4.1.1.88.59"].file())
            assert (made[other][LEGACY_CT].facts.target.instance or "").encode() in keys


@pytest.mark.slow
def test_classes_of_a_study_are_those_of_the_view_QIDO_15(tmp_path: Path) -> None:
    with serving(assembly.application(config.Settings(), data=tmp_path)) as served:
        service = Service(served)
        service.store(slice_of("classes", 1), slice_of("classes", 2))
        for root, sop_class in (("/dicomweb", CT), (ENHANCED, LEGACY_CT), ("/dicomweb/classic", CT)):
            (study,) = service.json(f"{root}/studies?includefield=SOPClassesInStudy")
            assert study["00080062"] == {"vr": "UI", "Value": [sop_class]}
        assert len(service.json(f"{ENHANCED}/studies?SOPClassesInStudy={LEGACY_CT}")) == 1
        assert service.json(f"{ENHANCED}/studies?SOPClassesInStudy={CT}") == []


@pytest.mark.slow
def test_a_folder_that_is_read_in_place_has_views_LC_34(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.dcm").write_bytes(slice_of("place", number))
    before = sorted(folder.iterdir())
    with (
        assembly.open_folder(folder, config.Settings()) as scanned,
        serving(assembly.application(config.Settings(), folder=folder)) as served,
    ):
        scanned.scan(lambda _: None)
        service = Service(served)
        (image,) = service.json(f"{ENHANCED}/studies/{uid('place')}/metadata")
        assert (value(image, "00080016"), value(image, "00280008")) == (LEGACY_CT, 3)
        series, instance = value(image, "0020000E"), value(image, "00080018")
        here = f"/studies/{uid('place')}/series/{series}/instances/{instance}"
        read = pydicom.dcmread(io.BytesIO(service.file(ENHANCED + here)))
        assert read.PixelData == b"".join(map(pixels, (1, 2, 3)))
        assert len(service.json(f"/dicomweb/classic/studies/{uid('place')}/instances")) == 3
        (folder / "4.dcm").write_bytes(slice_of("place", 4))
        scanned.scan(lambda _: None)
        (image,) = service.json(f"{ENHANCED}/studies/{uid('place')}/metadata")
        assert value(image, "00280008") == 4
    assert {path.name for path in folder.iterdir()} == {*(path.name for path in before), "4.dcm"}


def made_of(*contents: bytes, **how: Any) -> list[bytes]:
    """What files become outside of any view."""
    plan = conversion.plan((classic.read(Memory(content)) for content in contents), **how)
    return [b"".join(product.write()) for product in plan.products()]


def drawn(dataset: Dataset) -> None:
    for name, vr, said in ((0x10, "US", 8), (0x11, "US", 8), (0x40, "CS", "G"), (0x50, "SS", [1, 1]), (0x100, "US", 1)):
        dataset.add_new(0x60000000 | name, vr, said)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60003000, "OW", bytes(range(8)))


@pytest.mark.parametrize("keeps_originals", [True, False])
def test_images_that_two_objects_were_made_of_are_shown_once_LC_33(
    archive: Archive, tmp_path: Path, *, keeps_originals: bool
) -> None:
    """Another converter's object of the same images, or an older one of fewer."""
    contents = [slice_of("again", number) for number in range(1, 5)]
    objects = [
        *made_of(*contents, keeps_originals=keeps_originals),
        *made_of(*contents[:3], keeps_originals=keeps_originals),
    ]
    store(archive, *objects)
    with opened(archive, tmp_path, Name.CLASSIC) as shown, shown.retrieve(Target(uid("again"))) as found:
        told = [one.facts.target.instance for one in found]
    assert sorted(told) == sorted(uid("again", "1", number) for number in range(1, 5))


def test_states_of_overlays_go_when_the_images_have_them_again_LC_33(archive: Archive, tmp_path: Path) -> None:
    contents = [slice_of("drawn", number, change=drawn) for number in (1, 2)]
    store(archive, *made_of(*contents))
    with opened(archive, tmp_path, Name.CLASSIC) as shown, shown.retrieve(Target(uid("drawn"))) as found:
        assert sorted(b"".join(one.file()) for one in found) == sorted(contents)


@contextmanager
def shared(data: Path, folder: Path) -> Iterator[View]:
    """The view of a data folder, as one of several processes has it."""
    with (
        assembly.open_archive(data, config.Settings()) as archive,
        closing(
            view.make(
                Name.ENHANCED, archive.origin, lambda: SqliteIndex(folder / "enhanced.sqlite", durable=False), folder
            )
        ) as shown,
    ):
        yield shown


def ask(data: Path, folder: Path, studies: list[str], count: int) -> list[list[str]]:
    """In a process of its own: what the view has of each study, asked several times in turn."""
    found = []
    with shared(data, folder) as shown:
        for _ in range(count):
            for study in studies:
                with shown.retrieve(Target(study)) as instances_:
                    found.append([one.facts.target.instance or "" for one in instances_])
    return found


@pytest.mark.slow
def test_processes_that_list_at_once_tell_the_same_LC_34(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "views"
    folder.mkdir()
    studies = [f"together{number}" for number in range(4)]
    with assembly.open_archive(data, config.Settings()) as archive:
        for study in studies:
            store(archive, *(slice_of(study, number) for number in range(1, 6)))
    uids = [uid(study) for study in studies]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        orders = [uids, uids[::-1], uids[2:] + uids[:2]]
        told = pool.starmap(ask, [(data, folder, order, 2) for order in orders])
    every = [dict(zip(order * 2, found, strict=True)) for order, found in zip(orders, told, strict=True)]
    assert every[0] == every[1] == every[2]
    assert all(len(found) == 1 for found in every[0].values())
    with shared(data, folder) as shown:
        assert shown.prepared.index.counts().studies == len(studies)
        assert shown.prepared.index.counts().instances == len(studies)
