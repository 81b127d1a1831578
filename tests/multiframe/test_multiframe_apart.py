"""What refers to an object that is taken apart refers to its images afterwards (LC-06, LC-07, LC-30)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from multiframe_slices import CT, read, slice_of, sources_of, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from test_multiframe_overlays import overlaid
from test_multiframe_references import other

from dicomgate.cli import main
from dicomgate.multiframe import references, splitting
from dicomgate.multiframe.references import Now
from dicomgate.multiframe.splitting import Naming

TEXT = "Updated UID references during Legacy Enhanced Classic conversion"


def pointing(made: Dataset, *frames: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def keys(made: Dataset, *frames: int) -> bytes:
    """A key object about frames of an object."""
    content, series, study = Dataset(), Dataset(), Dataset()
    content.ValueType, content.ReferencedSOPSequence = "IMAGE", Sequence([pointing(made, *frames)])
    series.SeriesInstanceUID, series.ReferencedSOPSequence = made.SeriesInstanceUID, Sequence([pointing(made)])
    study.StudyInstanceUID, study.ReferencedSeriesSequence = made.StudyInstanceUID, Sequence([series])
    return other("ko", ContentSequence=Sequence([content]), CurrentRequestedProcedureEvidenceSequence=Sequence([study]))


def apart(tmp_path: Path, *contents: bytes, options: tuple[str, ...] = ()) -> dict[str, list[Dataset]]:
    """What `convert classic` makes of files, by modality, in the order of Instance Number."""
    (tmp_path / "in").mkdir()
    for number, content in enumerate(contents):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(content)
    assert main.run(["convert", "classic", *options, str(tmp_path / "in"), str(tmp_path / "out")]) == main.DONE
    found: dict[str, list[Dataset]] = {}
    for path in (tmp_path / "out").rglob("*.dcm"):
        one = read(path.read_bytes())
        found.setdefault(one.Modality, []).append(one)
    return {name: sorted(ones, key=lambda one: one.get("InstanceNumber") or 0) for name, ones in found.items()}


@pytest.mark.parametrize("options", [(), ("--new-uids",)], ids=["sources", "new"])
def test_a_key_object_follows_the_frames_that_it_names_LC_06(tmp_path: Path, options: tuple[str, ...]) -> None:
    content = written([slice_of(CT, n) for n in (1, 2, 3)], keeps_originals=False)
    key = keys(read(content), 2, 3)
    made = apart(tmp_path, content, key, other("apart"), options=options)
    images = made["CT"]
    (reissued,) = (one for one in made["KO"] if "ConversionSourceAttributesSequence" in one)
    (untouched,) = (one for one in made["KO"] if one is not reissued)
    assert untouched.SOPInstanceUID == read(other("apart")).SOPInstanceUID
    assert reissued.SOPInstanceUID != read(key).SOPInstanceUID
    shown = reissued.ContentSequence[0].ReferencedSOPSequence
    assert [one.ReferencedSOPInstanceUID for one in shown] == [one.SOPInstanceUID for one in images[1:]]
    assert {one.ReferencedSOPClassUID for one in shown} == {CT.classic}
    assert not any("ReferencedFrameNumber" in one for one in shown)
    (series,) = reissued.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert series.SeriesInstanceUID == images[0].SeriesInstanceUID
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence] == [
        one.SOPInstanceUID for one in images
    ]
    assert reissued.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID == read(key).SOPInstanceUID
    assert reissued.ContributingEquipmentSequence[-1].ContributionDescription == TEXT


def test_a_state_of_overlays_goes_with_files_that_have_them_and_follows_images_that_have_not_LC_18(
    tmp_path: Path,
) -> None:
    from dicomgate.multiframe import conversion

    contents = [slice_of(CT, 1, change=overlaid()), slice_of(CT, 2)]
    for keeps_originals in (True, False):
        plan = conversion.plan(sources_of(contents), keeps_originals=keeps_originals)
        here = tmp_path / str(keeps_originals)
        here.mkdir()
        made = apart(here, *(b"".join(product.write()) for product in plan.products()))
        assert ("PR" in made) is not keeps_originals
        if not keeps_originals:
            (state,) = made["PR"]
            (item,) = state.ReferencedSeriesSequence[0].ReferencedImageSequence
            assert item.ReferencedSOPInstanceUID == made["CT"][0].SOPInstanceUID
            assert state.ReferencedSeriesSequence[0].SeriesInstanceUID == made["CT"][0].SeriesInstanceUID


def test_images_refer_to_the_images_of_other_objects_LC_06(tmp_path: Path) -> None:
    first = written([slice_of(CT, n) for n in (1, 2)], keeps_originals=False)
    again = {"SeriesInstanceUID": "1.2.9", "ReferencedImageSequence": Sequence([pointing(read(first), 2)])}
    second = written([slice_of(CT, n, **again) for n in (11, 12)], keeps_originals=False)
    made = apart(tmp_path, first, second)["CT"]
    targets = [one for one in made if one.SeriesInstanceUID != "1.2.9"]
    for one in made:
        if one.SeriesInstanceUID == "1.2.9":
            (item,) = one.ReferencedImageSequence
            assert item.ReferencedSOPInstanceUID == targets[1].SOPInstanceUID


def test_images_are_named_before_they_are_made() -> None:
    for naming in Naming:
        (source,) = sources_of([written([slice_of(CT, n) for n in (1, 2)], keeps_originals=False)])
        told = [(one.series, one.instance) for one in splitting.renaming(source, naming, salt="s")]
        assert told == [(one.series, one.instance) for one in splitting.split(source, naming, salt="s")]


def test_frames_that_an_object_has_not_are_not_followed() -> None:
    images = tuple(Now(study="1", series="2", instance=f"3.{n}", sop_class="4") for n in (1, 2))
    item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": ["9"]}, "00081160": {"vr": "IS", "Value": [2, 7]}}
    updated = references.update({"00081140": {"vr": "SQ", "Value": [item]}}, {"9": images})
    assert [one["00081155"]["Value"] for one in updated["00081140"]["Value"]] == [["3.2"]]
