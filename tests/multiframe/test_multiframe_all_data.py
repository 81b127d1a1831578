"""Every classic CT, MR and PET file of the data outside the series, too: checked, restored, byte for byte (LC-31).

Whole series are looked at elsewhere; here are those in media, among odd objects and of every transfer syntax.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

import pytest
from multiframe_slices import CLASSIC_SERIES, CT, DATA, KINDS, described, read, series_of, slice_of, sources_of

from dicomgate.multiframe import check, classes, classic, conversion, restoring, writing
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.gather import Reason
from dicomgate.multiframe.joining import Refusal

LEFT_OVER = {
    "charsets/pydicom": {},  # header only, of no class in the data set itself
    "dicomdir/pydicom/77654033/CT2": {},
    "dicomdir/pydicom/98892001/CT2N": {},
    "dicomdir/pydicom/98892001/CT5N": {},
    "dicomdir/pydicom/98892003/MR1": {},
    "dicomdir/pydicom/98892003/MR2": {},
    "dicomdir/pydicom/98892003/MR700": {},
    "dicomdir/pydicom/TINY_ALPHA": {Reason.FRAMES: 50},  # they have no pixel data
    "objects/bits": {},
    "objects/highdicom": {},
    "objects/rt": {},
    "syntaxes/ct-many-syntaxes": {Reason.BITS: 1},
    "syntaxes/fragments": {},
    "syntaxes/htj2k": {},
    "syntaxes/pydicom": {},
    "syntaxes/pylibjpeg": {},
}
"""The folders with classic images that are no series, and what cannot be converted there."""


@pytest.mark.slow
def test_no_classic_image_of_the_data_is_left_out() -> None:
    with (DATA / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    images = [row["path"] for row in rows if any(f"[{kind.classic}]" in row["sop_class"] for kind in KINDS)]
    folders = tuple(f"{folder}/" for folder in (*CLASSIC_SERIES, *LEFT_OVER, "broken"))
    assert len(images) > 1000
    assert [path for path in images if not path.startswith(folders)] == []


def without_repeats(sources: list[Classic]) -> Iterator[list[Classic]]:
    """Files of one UID one after the other: some are the same image in another transfer syntax."""
    rounds: dict[int, list[Classic]] = {}
    counts: Counter[str] = Counter()
    for source in sources:
        if classes.find_classic(source.sop_class) is not None:
            rounds.setdefault(counts[source.instance], []).append(source)
            counts[source.instance] += 1
    yield from rounds.values()


@pytest.mark.slow
@pytest.mark.parametrize("folder", LEFT_OVER)
def test_odd_images_are_converted_rightly_and_come_back_LC_31(folder: str) -> None:
    left: Counter[Reason | Refusal] = Counter()
    for sources in without_repeats(series_of(folder)):
        plan = conversion.plan(sources)
        left += Counter(reason for _, reason in plan.failures)
        for number, settled in enumerate(plan.settled):
            _check(b"".join(writing.write(plan.describe(number))), settled.frame_set.sources)
    assert left == LEFT_OVER[folder]


def _check(content: bytes, sources: tuple[Classic, ...]) -> None:
    (made,) = sources_of([content])
    assert check.check(made.attributes, [source.attributes for source in sources]) == []
    for source, original in zip(sources, restoring.restore(made), strict=True):
        assert isinstance(source.content, classic.File)
        assert b"".join(original.chunks) == source.content.path.read_bytes()


OLD = {"AcquisitionDate": "1995.05.01", "AcquisitionTime": "16:22:53.77", "ContentDate": "1995.05.01"}


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_dates_of_old_equipment_are_told_in_todays_spelling_LC_16() -> None:
    (made,) = described([slice_of(CT, 1, **OLD, ContentTime="16:22:53.770000")])
    image = read(b"".join(writing.write(made)))
    assert (image.ContentDate, image.ContentTime) == ("19950501", "162253.770000")
    assert image.AcquisitionDateTime == "19950501162253.77"
    kept = image.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert kept.ContentDate == "1995.05.01"


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("day", ["00000000", "20240231", "yesterday"])
def test_a_day_that_does_not_exist_is_no_point_in_time_LC_16(day: str) -> None:
    contents = [slice_of(CT, 1, AcquisitionDate=day, AcquisitionTime="000000", ContentDate=day, SeriesDate=day)]
    (made,) = described(contents)
    image = read(b"".join(writing.write(made)))
    assert "AcquisitionDateTime" not in image
    assert "FrameAcquisitionDateTime" not in image.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0]
    assert image.ContentDate == image.StudyDate
    assert check.check(made.attributes, [source.attributes for source in sources_of(contents)]) == []
