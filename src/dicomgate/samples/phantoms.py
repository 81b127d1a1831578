"""The sample studies: what each modality's IOD asks for (PS3.3 Annex A) around pictures made from formulas."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator

from pydicom import uid as uids
from pydicom.dataset import Dataset, FileDataset

from dicomgate.samples import bodies, heart, modules, people, shapes
from dicomgate.samples.modules import Series

_TWELVE_BITS = 4095


def make() -> Iterator[tuple[str, bytes]]:
    """Every sample file with a name for it, in the order of the studies; a few seconds for all."""
    for maker in MAKERS:
        for dataset in maker():
            name = f"{dataset.PatientID}-{dataset.Modality}-{dataset.SeriesNumber}-{int(dataset.InstanceNumber):03}.dcm"
            yield name, modules.write(dataset)


def ct_torso() -> Iterator[FileDataset]:
    """64 slices of a torso in Hounsfield units."""
    series = Series(study=people.CT_TORSO, number=2, modality="CT", description="Axial 3 mm", body_part="CHEST")
    grid, thickness, count = shapes.Grid(columns=256, rows=256, spacing=1.4), 3.0, 64
    parts = [_raised(body, 1024) for body in bodies.torso()]
    for number in range(1, count + 1):
        z = (number - (count + 1) / 2) * thickness
        dataset = modules.instance(series, uids.CTImageStorage, number)
        dataset.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
        modules.add_frame_of_reference(dataset, series.study.key)
        modules.add_plane(dataset, (grid.x(0), grid.y(0), z), grid.spacing, thickness)
        pixels = shapes.draw_slice(parts, z, grid, background=1024 + bodies.AIR, spread=22)
        modules.add_pixels(dataset, pixels, grid.columns, grid.rows, stored=12)
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
        dataset.WindowCenter, dataset.WindowWidth = [40, -500], [400, 1500]
        dataset.WindowCenterWidthExplanation = ["Soft tissue", "Lung"]
        dataset.KVP, dataset.AcquisitionNumber = 120, 1
        dataset.ConvolutionKernel = "NONE"
        yield dataset


def _raised(body: shapes.Ellipsoid, by: int) -> shapes.Ellipsoid:
    return shapes.Ellipsoid(body.centre, body.half, body.value + by, body.around, body.angle)


def mr_head() -> Iterator[FileDataset]:
    """32 slices of a head, T1-weighted."""
    series = Series(study=people.MR_HEAD, number=3, modality="MR", description="T1 axial", body_part="HEAD")
    grid, thickness, count = shapes.Grid(columns=192, rows=224, spacing=1.0), 5.0, 32
    for number in range(1, count + 1):
        z = (number - (count + 1) / 2) * thickness + 15
        dataset = modules.instance(series, uids.MRImageStorage, number)
        dataset.ImageType = ["DERIVED", "PRIMARY", "OTHER"]
        modules.add_frame_of_reference(dataset, series.study.key)
        modules.add_plane(dataset, (grid.x(0), grid.y(0), z), grid.spacing, thickness)
        pixels = shapes.draw_slice(bodies.head(), z, grid, background=24, spread=40)
        modules.add_pixels(dataset, pixels, grid.columns, grid.rows, stored=12)
        dataset.WindowCenter, dataset.WindowWidth = 480, 960
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
        dataset.MRAcquisitionType, dataset.SequenceName = "2D", "formula"
        dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = 500, 12, 1
        dataset.MagneticFieldStrength, dataset.FlipAngle = 1.5, 90
        yield dataset


def us_heart() -> Iterator[FileDataset]:
    """A clip of a beating heart with colour flow, 24 frames of RGB."""
    series = Series(study=people.US_HEART, number=1, modality="US", description="Apical view, colour flow")
    frames = [heart.draw(beat / 24) for beat in range(24)]
    dataset = modules.instance(series, uids.UltrasoundMultiFrameImageStorage, 1)
    _add_ultrasound(dataset)
    modules.add_pixels(dataset, b"".join(frames), heart.COLUMNS, heart.ROWS, photometric="RGB")
    dataset.NumberOfFrames = len(frames)
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = 40
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = 25
    dataset.UltrasoundColorDataPresent = 1
    yield dataset


def us_still() -> Iterator[FileDataset]:
    """One frame in shades of grey, 8 bits."""
    series = Series(study=people.US_STILL, number=1, modality="US", description="Apical view")
    dataset = modules.instance(series, uids.UltrasoundImageStorage, 1)
    _add_ultrasound(dataset)
    modules.add_pixels(dataset, heart.draw(0.3)[1::3], heart.COLUMNS, heart.ROWS)
    yield dataset


def _add_ultrasound(dataset: Dataset) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.PatientOrientation = ""
    dataset.BodyPartExamined = "HEART"
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = heart.COLUMNS - 1, heart.ROWS - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.05
    dataset.SequenceOfUltrasoundRegions = modules.sequence(region)


def cr_hand() -> Iterator[FileDataset]:
    """A radiograph of a hand as the detector counted it: MONOCHROME1, the most exposed is black."""
    series = Series(study=people.CR_HAND, number=1, modality="CR", description="Left hand AP", body_part="HAND")
    grid = shapes.Grid(columns=420, rows=600, spacing=0.5)
    lifted = [
        shapes.Ellipsoid((body.centre[0] + 8, body.centre[1], body.centre[2] + 25), body.half, body.value, body.around)
        for body in bodies.hand()
    ]
    dataset = modules.instance(series, uids.ComputedRadiographyImageStorage, 1)
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.Laterality, dataset.ViewPosition, dataset.PatientOrientation = "L", "AP", ["L", "F"]
    dataset.ImagerPixelSpacing = [grid.spacing, grid.spacing]
    pixels = _exposed(lifted, grid, lambda dose: _TWELVE_BITS * 0.92 * dose, strength=0.045)
    modules.add_pixels(dataset, pixels, grid.columns, grid.rows, stored=12, photometric="MONOCHROME1")
    dataset.WindowCenter, dataset.WindowWidth = 1900, 3700
    yield dataset


def dx_chest() -> Iterator[FileDataset]:
    """A chest radiograph for presentation: MONOCHROME2, the least exposed is white."""
    series = Series(study=people.DX_CHEST, number=1, modality="DX", description="Chest PA", body_part="CHEST")
    grid = shapes.Grid(columns=440, rows=440, spacing=0.85)
    dataset = modules.instance(series, uids.DigitalXRayImageStorageForPresentation, 1)
    dataset.ImageType = ["DERIVED", "PRIMARY", ""]
    dataset.PatientOrientation, dataset.ViewPosition, dataset.ImageLaterality = ["L", "F"], "PA", "U"
    dataset.ImagerPixelSpacing = [grid.spacing, grid.spacing]
    pixels = _exposed(bodies.torso(), grid, lambda dose: _TWELVE_BITS * -math.log(dose) / 4.4, strength=0.0155)
    modules.add_pixels(dataset, pixels, grid.columns, grid.rows, stored=12)
    _add_digital_x_ray(dataset)
    yield dataset


def _add_digital_x_ray(dataset: Dataset) -> None:
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", 1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.WindowCenter, dataset.WindowWidth = 2048, 4096
    dataset.DetectorType = "DIRECT"
    dataset.PositionerType = ""
    dataset.AcquisitionContextSequence = modules.sequence()
    dataset.AnatomicRegionSequence = modules.sequence(modules.coded("43799004", "SCT", "Chest"))
    dataset.ViewCodeSequence = modules.sequence(modules.coded("399348003", "SCT", "postero-anterior"))
    dataset.PatientOrientation = ["L", "F"]


def _exposed(
    parts: list[shapes.Ellipsoid], grid: shapes.Grid, count: Callable[[float], float], *, strength: float
) -> bytes:
    """A projection as stored values: what passes falls off exponentially with what is in the way."""
    picture = array("H")
    grain = shapes.noise(1000, 14, 7)
    inside = [body for body in parts if body.half[2] != shapes.ENDLESS or body.half[0] > 10]
    for number, row in enumerate(shapes.project(inside, grid)):
        place = (number * 1_879) % 3_000
        shades = (count(math.exp(-strength * max(path, 0.0))) for path in row)
        picture.extend(
            min(max(int(shade * grain[place + column] / 1000), 0), _TWELVE_BITS) for column, shade in enumerate(shades)
        )
    return picture.tobytes()


def map_head() -> Iterator[FileDataset]:
    """A map in false colour: 8-bit indices into a palette of 256 colours."""
    series = Series(study=people.MAP_HEAD, number=1, modality="OT", description="Blood flow", body_part="HEAD")
    grid = shapes.Grid(columns=256, rows=256, spacing=0.9)
    slice_ = shapes.draw_slice(bodies.head(), 20.0, grid, background=0, spread=60)
    levels = array("H", slice_)
    pixels = bytes(0 if level < 200 else min(level * 255 // 1000, 255) for level in levels)
    dataset = modules.instance(series, uids.SecondaryCaptureImageStorage, 1)
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.ConversionType = "WSD"
    dataset.PatientOrientation = ["L", "P"]
    modules.add_pixels(dataset, pixels, grid.columns, grid.rows, photometric="PALETTE COLOR")
    for colour, table in zip(("Red", "Green", "Blue"), _palette(), strict=True):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", table.tobytes())
    yield dataset


def _palette() -> tuple[array[int], array[int], array[int]]:
    """From black through violet and orange to pale yellow."""
    shares = [index / 255 for index in range(256)]
    red = [min(1.0, 1.7 * share) for share in shares]
    green = [max(0.0, 1.6 * share - 0.6) for share in shares]
    blue = [
        max(0.0, math.sin(share * math.pi * 1.25)) * 0.75 if share < 0.8 else 3.4 * (share - 0.8) for share in shares
    ]
    return tuple(array("H", (round(min(one, 1.0) * 65_535) for one in channel)) for channel in (red, green, blue))  # type: ignore[return-value]


MAKERS = (ct_torso, mr_head, us_heart, cr_hand, map_head, dx_chest, us_still)
