"""Series and frames as arrays: equal to what pydicom and numpy make of the files, in order, bounded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicomgate import assembly, config, errors
from dicomgate.cli import local
from dicomgate.client import arrays
from dicomgate.client.arrays import Wishes
from dicomgate.client.origin_reader import OriginReader
from dicomgate.dicom.uids import Target
from dicomgate.samples import phantoms
from dicomgate.samples.modules import write

DATA = Path(__file__).parents[2].parent / "shared/data/series"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pydicom's, of what real files hold
]


class Stored:
    """An archive with real files in it, and what pydicom reads of them."""

    def __init__(self, reader: OriginReader, paths: list[Path]) -> None:
        self.reader = reader
        self.series: dict[Target, dict[str, pydicom.Dataset]] = {}
        for path in paths:
            try:
                dataset = pydicom.dcmread(path)
                target = Target(str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID))
            except (pydicom.errors.InvalidDicomError, AttributeError):
                continue
            if "PixelData" in dataset:
                self.series.setdefault(target, {})[str(dataset.SOPInstanceUID)] = dataset

    def one(self, **wanted: str) -> Target:
        """The first series whose instances have these attributes."""
        for target, instances in self.series.items():
            first = next(iter(instances.values()))
            if all(str(first.get(name)) == value for name, value in wanted.items()):
                return target
        raise AssertionError(wanted)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    if not DATA.exists():
        pytest.skip("the shared test data is not here")
    paths = [path for path in sorted(DATA.rglob("*")) if path.is_file()]
    with assembly.open_archive(tmp_path_factory.mktemp("data"), config.Settings()) as archive:
        for _ in local.keep_all(archive, paths):
            pass
        yield Stored(OriginReader(archive.origin.retrieve), paths)


def reference(dataset: pydicom.Dataset, frame: int) -> Any:
    """A frame by pydicom, rescaled by numpy in double precision."""
    pixels = dataset.pixel_array
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        pixels = pixels[frame - 1]
    if pixels.ndim == 3:
        return pixels
    holder = dataset
    for groups in (dataset.get("PerFrameFunctionalGroupsSequence"), dataset.get("SharedFunctionalGroupsSequence")):
        group = groups[frame - 1 if len(groups) > 1 else 0] if groups else {}
        if "PixelValueTransformationSequence" in group:
            holder = group.PixelValueTransformationSequence[0]
            break
    return pixels.astype(np.float64) * float(holder.get("RescaleSlope", 1)) + float(holder.get("RescaleIntercept", 0))


def test_every_slice_of_every_series_equals_the_reference(stored: Stored) -> None:
    slices = 0
    for target, instances in stored.series.items():
        seen = set()
        for volume in arrays.volumes(stored.reader, target):
            for z, name in enumerate(volume.instances):
                if name is None:
                    assert z in volume.missing
                    continue
                expected = reference(instances[name[0]], name[1])
                assert np.array_equal(volume.array[z], expected.astype(volume.array.dtype))
                if volume.array.dtype == np.int16:
                    assert np.array_equal(volume.array[z], expected)
                seen.add(name)
                slices += 1
        assert len(seen) == sum(int(one.get("NumberOfFrames") or 1) for one in instances.values())
    assert slices > 1200


def test_positions_spacing_and_affine_are_those_of_the_files(stored: Stored) -> None:
    target = stored.one(Modality="CT", Columns="32", Rows="48")
    volume = arrays.volume(stored.reader, target)
    assert volume.shape == (64, 48, 32)
    for z in (0, 20, 63):
        dataset = stored.series[target][volume.instances[z][0]]
        assert volume.positions[z] == pytest.approx(tuple(dataset.ImagePositionPatient), abs=1e-4)
        assert (volume.affine @ [0, 0, z, 1])[:3] == pytest.approx(tuple(dataset.ImagePositionPatient), abs=1e-3)
        row, column = map(float, dataset.PixelSpacing)
        across, down = np.array(dataset.ImageOrientationPatient[:3]), np.array(dataset.ImageOrientationPatient[3:])
        expected = np.array(dataset.ImagePositionPatient, float) + 5 * column * across + 7 * row * down
        assert (volume.affine @ [5, 7, z, 1])[:3] == pytest.approx(expected, abs=1e-3)
    assert (volume.affine_ras @ [1, 1, 1, 1])[:3] == pytest.approx((volume.affine @ [1, 1, 1, 1])[:3] * [-1, -1, 1])
    assert volume.missing == volume.irregularities == ()
    assert np.asarray(volume) is not None
    assert np.array_equal(np.asarray(volume), volume.array)
    assert np.asarray(volume, dtype=np.float64).dtype == np.float64
    assert np.linalg.det(volume.affine[:3, :3]) > 0


def test_classic_and_enhanced_objects_of_the_same_slices_make_the_same_volume(stored: Stored) -> None:
    classic = arrays.volume(stored.reader, stored.one(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Rows="38", Columns="23"))
    enhanced = arrays.volume(stored.reader, stored.one(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.2"))
    assert np.array_equal(classic.array, enhanced.array)
    assert np.array_equal(classic.affine, enhanced.affine)
    assert classic.units == enhanced.units


def test_a_series_of_several_blocks_is_one_by_one(stored: Stored) -> None:
    target = stored.one(Modality="MR", Rows="64", Columns="64", Manufacturer="GE MEDICAL SYSTEMS")
    with pytest.raises(errors.Conflict, match="3 blocks"):
        arrays.volume(stored.reader, target)
    parts = list(arrays.volumes(stored.reader, target))
    assert [part.shape for part in parts] == [(32, 64, 64)] * 3
    assert np.array_equal(arrays.volume(stored.reader, target, 1).array, parts[1].array)
    numbers = [[stored.series[target][name[0]].InstanceNumber for name in part.instances] for part in parts]
    assert all(first < second < third for first, second, third in zip(*numbers, strict=True))
    with pytest.raises(errors.NotFound, match="from 0 to 2"):
        arrays.volume(stored.reader, target, 3)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Any]:
    """Stores data sets; gives what reads them again."""
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive:

        def keep(datasets: Sequence[Any]) -> OriginReader:
            for outcome in local.keep_contents(archive, [write(dataset) for dataset in datasets]):
                assert type(outcome).__name__ == "Stored"
            return OriginReader(archive.origin.retrieve)

        yield keep


def target_of(dataset: Any, *, is_instance: bool = False) -> Target:
    uids = (dataset.StudyInstanceUID, dataset.SeriesInstanceUID)
    return Target(*map(str, uids), str(dataset.SOPInstanceUID)) if is_instance else Target(*map(str, uids))


def test_missing_slices_are_named_and_filled(kept: Any) -> None:
    slices = list(phantoms.ct_torso())[:6]
    reader = kept([one for number, one in enumerate(slices) if number not in (2, 3)])
    volume = arrays.volume(reader, target_of(slices[0]))
    assert volume.missing == (2, 3)
    assert volume.irregularities == ("missing slices",)
    assert volume.array.dtype == np.int16
    assert np.all(volume.array[2:4] == volume.array[[0, 1, 4, 5]].min())
    assert volume.positions[2] == pytest.approx(tuple(slices[2].ImagePositionPatient))
    assert [name and name[0] for name in volume.instances] == [
        None if number in (2, 3) else str(one.SOPInstanceUID) for number, one in enumerate(slices)
    ]
    assert volume.units == "HU"
    filled = arrays.volume(reader, target_of(slices[0]), wishes=Wishes(fill=7))
    assert np.all(filled.array[2:4] == 7)


def test_values_as_stored_and_in_another_type(kept: Any) -> None:
    slices = list(phantoms.ct_torso())[:2]
    reader, target = kept(slices), target_of(slices[0])
    stored = arrays.volume(reader, target, wishes=Wishes(values="stored"))
    assert stored.array.dtype == np.uint16
    assert np.array_equal(stored.array[1], slices[1].pixel_array)
    double = arrays.volume(reader, target, wishes=Wishes(dtype="float64"))
    assert double.array.dtype == np.float64
    assert np.array_equal(double.array, stored.array.astype(float) - 1024)
    with pytest.raises(errors.NotAcceptable, match="do not fit into int8"):
        arrays.volume(reader, target, wishes=Wishes(dtype="int8"))
    with pytest.raises(errors.NotFound, match="real world"):
        arrays.volume(reader, target, wishes=Wishes(values="real world"))
    with pytest.raises(errors.TooLarge):
        arrays.volume(reader, target, wishes=Wishes(largest=1000))


def test_frames_come_in_the_order_in_which_they_are_asked_for(kept: Any) -> None:
    (clip,) = phantoms.us_heart()
    reader, target = kept([clip]), target_of(clip, is_instance=True)
    expected = clip.pixel_array
    every = list(arrays.frames(reader, target))
    assert [number for number, _ in every] == list(range(1, 25))
    assert all(np.array_equal(pixels, expected[number - 1]) for number, pixels in every)
    wanted = [5, 3, 24, 3, 1]
    some = list(arrays.frames(reader, target, wanted, ahead=1))
    assert [number for number, _ in some] == wanted
    assert all(np.array_equal(pixels, expected[number - 1]) for number, pixels in some)
    assert list(arrays.frames(reader, target, [])) == []
    for wrong in ([0], [25], [1, 99]):
        with pytest.raises(errors.NotFound, match="from 1 to 24"):
            list(arrays.frames(reader, target, wrong))
    volume = arrays.volume(reader, target)
    assert np.array_equal(volume.array, expected)
    assert volume.affine is volume.spacing is None


class Counting:
    """Another reader, which notes what it is asked and may be told to fail."""

    def __init__(self, reader: Any, fails_at: int = 0) -> None:
        self._reader = reader
        self._fails_at = fails_at
        self._lock = threading.Lock()
        self.asked: list[int] = []
        self.threads: set[int] = set()

    def metadata(self, target: Target) -> Any:
        return self._reader.metadata(target)

    def bulk(self, target: Target, uri: str) -> bytes:
        return self._reader.bulk(target, uri)

    def frames(self, target: Target, numbers: Sequence[int]) -> Any:
        with self._lock:
            self.asked += numbers
            self.threads.add(threading.get_ident())
        if self._fails_at in numbers:
            raise errors.UpstreamFailed("gone")
        return self._reader.frames(target, numbers)


def test_no_more_is_fetched_ahead_than_was_said(kept: Any) -> None:
    (clip,) = phantoms.us_heart()
    reader, target = Counting(kept([clip])), target_of(clip, is_instance=True)
    found = arrays.frames(reader, target, ahead=4)
    for taken, (number, _) in enumerate(found, 1):
        assert number == taken
        assert max(reader.asked) <= taken + 4
        if taken == 10:
            break
    found.close()
    assert len(reader.asked) < 20
    assert threading.get_ident() not in reader.threads


def test_what_fails_is_raised_where_it_belongs_and_ends_the_rest(kept: Any) -> None:
    (clip,) = phantoms.us_heart()
    reader, target = Counting(kept([clip]), fails_at=7), target_of(clip, is_instance=True)
    taken: list[int] = []
    with pytest.raises(errors.UpstreamFailed, match="gone"):
        taken.extend(number for number, _ in arrays.frames(reader, target, ahead=2))
    assert taken == [1, 2, 3, 4, 5, 6]
    with pytest.raises(errors.UpstreamFailed):
        arrays.volume(reader, target)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("frames")]


def test_what_a_search_finds_names_its_series(kept: Any) -> None:
    slices = list(phantoms.ct_torso())[:1]
    (dataset,) = kept(slices).metadata(target_of(slices[0]))
    assert arrays.find_target(dataset) == target_of(slices[0], is_instance=True)
    del dataset["00080018"]
    assert arrays.find_target(dataset) == target_of(slices[0])
    with pytest.raises(errors.Malformed):
        arrays.find_target({"0020000D": {"vr": "UI", "Value": ["1.2"]}})


def test_without_the_extra_it_is_said_in_one_line(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = list(phantoms.ct_torso())[:1]
    reader = kept(slices)
    monkeypatch.delitem(sys.modules, "dicomgate.pixels.volumes", raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(errors.Unavailable, match=r"pip install 'dicomgate\[pixels\]'"):
        arrays.volume(reader, target_of(slices[0]))
