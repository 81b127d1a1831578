"""The room's own checker: finds nothing in what is made here, and every mutation that others overlook (TOOL section)."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiframe_slices import CLASSIC_SERIES, CT, MR, PET, series_of, slice_of, sources_of
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomgate.multiframe import check, classes, conversion, restoring, writing

JSONDataset = dict[str, Any]
KINDS = {"CT": CT, "MR": MR, "PET": PET}


def overlay(dataset: Dataset) -> None:
    for name, vr, value in ((0x0010, "US", 8), (0x0011, "US", 8), (0x0100, "US", 1), (0x0102, "US", 0)):
        dataset.add_new((0x6000, name), vr, value)
    dataset.add_new((0x6000, 0x3000), "OW", bytes(8))


def private(dataset: Dataset) -> None:
    dataset.add_new((0x0029, 0x0010), "LO", "ACME")
    dataset.add_new((0x0029, 0x1001), "LO", str(dataset.InstanceNumber))
    dataset.add_new((0x0029, 0x1002), "LO", "same")


def request_item(dataset: Dataset) -> None:
    item = Dataset()
    item.RequestedProcedureID = "1"
    dataset.RequestAttributesSequence = Sequence([item])


def changed(dataset: Dataset) -> None:
    overlay(dataset)
    private(dataset)
    request_item(dataset)


def made(kind: str = "CT") -> tuple[JSONDataset, list[JSONDataset]]:
    """An object with all that can go wrong, read back, and its sources."""
    contents = [slice_of(KINDS[kind], n, change=changed, WindowCenter=40 + n % 2) for n in (1, 2, 3)]
    return remade(contents)


def remade(contents: list[bytes]) -> tuple[JSONDataset, list[JSONDataset]]:
    plan = conversion.plan(sources_of(contents))
    (settled,) = plan.settled
    (again,) = sources_of([b"".join(writing.write(plan.describe(0)))])
    return again.attributes, [source.attributes for source in settled.frame_set.sources]


def rules(dataset: JSONDataset, sources: list[JSONDataset]) -> set[str]:
    return {finding.rule for finding in check.check(dataset, sources)}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_with_what_is_made_here(kind: str) -> None:
    dataset, sources = made(kind)
    assert check.check(dataset, sources) == []
    assert check.check(dataset) == []


def shared(dataset: JSONDataset) -> JSONDataset:
    return dataset[classes.SHARED]["Value"][0]


def frame(dataset: JSONDataset, number: int = 0) -> JSONDataset:
    return dataset[classes.PER_FRAME]["Value"][number]


def item(holder: JSONDataset, group: str) -> JSONDataset:
    return holder[group]["Value"][0]


def one(vr: str, *values: Any) -> JSONDataset:
    return {"vr": vr, "Value": list(values)}


def without_everywhere(group: str) -> Callable[[JSONDataset], None]:
    def change(dataset: JSONDataset) -> None:
        for holder in (shared(dataset), *dataset[classes.PER_FRAME]["Value"]):
            holder.pop(group, None)

    return change


def put(tag: str, element: JSONDataset) -> Callable[[JSONDataset], None]:
    return lambda dataset: dataset.__setitem__(tag, element)


def drop(tag: str) -> Callable[[JSONDataset], None]:
    return lambda dataset: dataset.pop(tag)


def share(group: str) -> Callable[[JSONDataset], None]:
    def change(dataset: JSONDataset) -> None:
        shared(dataset)[group] = frame(dataset)[group]
        for holder in dataset[classes.PER_FRAME]["Value"]:
            holder.pop(group, None)

    return change


def same_source(dataset: JSONDataset) -> None:
    frame(dataset, 1)[classes.CONVERSION_SOURCE] = frame(dataset, 0)[classes.CONVERSION_SOURCE]


def same_dimensions(dataset: JSONDataset) -> None:
    content = item(frame(dataset, 1), classes.FRAME_CONTENT)
    content["00209157"] = item(frame(dataset, 0), classes.FRAME_CONTENT)["00209157"]


def moved_slice(dataset: JSONDataset) -> None:
    item(frame(dataset, 2), classes.PLANE_POSITION)["00200032"] = one("DS", -10, -10, 40)


def same_place_elsewhere(dataset: JSONDataset) -> None:
    item(frame(dataset, 1), classes.FRAME_CONTENT)["00209057"] = one("UL", 1)


MUTATIONS: dict[str, tuple[str, Callable[[JSONDataset], None]]] = {
    # those that dciodvfy does not notice
    "no conversion source": ("LC-17", without_everywhere(classes.CONVERSION_SOURCE)),
    "a shared conversion source": ("LC-13", share(classes.CONVERSION_SOURCE)),
    "two frames of one source": ("LC-17", same_source),
    "no Frame VOI LUT": ("LC-13", without_everywhere(classes.FRAME_VOI)),
    "no Pixel Value Transformation": ("LC-13", without_everywhere(classes.PIXEL_VALUES)),
    "no contributing equipment": ("LC-05", drop("0018A001")),
    "a concatenation": ("LC-08", put("00209161", one("UI", "1.2.3"))),
    "an overlay": ("LC-18", put("60003000", {"vr": "OW", "InlineBinary": "AAA="})),
    "duplicate dimension values": ("LC-23", same_dimensions),
    "no unassigned shared attributes": ("LC-15", without_everywhere(classes.UNASSIGNED_SHARED)),
    # and the others
    "no unassigned attributes of frames": ("LC-15", without_everywhere(classes.UNASSIGNED_PER_FRAME)),
    "no Pixel Measures": ("LC-13", without_everywhere(classes.PIXEL_MEASURES)),
    "no Frame Content": ("LC-13", without_everywhere(classes.FRAME_CONTENT)),
    "no frame type": ("LC-13", without_everywhere(classes.CT.frame_type)),
    "no anatomy": ("LC-14", without_everywhere(classes.FRAME_ANATOMY)),
    "a group shared and of frames": (
        "LC-13",
        lambda dataset: frame(dataset).__setitem__(classes.PIXEL_MEASURES, shared(dataset)[classes.PIXEL_MEASURES]),
    ),
    "a group of one frame only": ("LC-13", lambda dataset: frame(dataset).pop(classes.PLANE_POSITION)),
    "unassigned shared attributes of a frame": (
        "LC-13",
        lambda dataset: frame(dataset).__setitem__(
            classes.UNASSIGNED_SHARED, shared(dataset).pop(classes.UNASSIGNED_SHARED)
        ),
    ),
    "a group without its attribute": ("LC-13", lambda one_: item(shared(one_), classes.PIXEL_MEASURES).pop("00280030")),
    "a frame too few": ("LC-22", lambda dataset: dataset[classes.PER_FRAME]["Value"].pop()),
    "no Content Date": ("LC-12", drop("00080023")),
    "no Acquisition Context": ("LC-12", drop("00400555")),
    "no Presentation LUT Shape": ("LC-12", drop("20500020")),
    "no Volumetric Properties": ("LC-12", drop("00089206")),
    "colour": ("LC-19", put("00280004", one("CS", "RGB"))),
    "bits that a CT has not": ("LC-19", put("00280101", one("US", 10))),
    "three values of Image Type": ("LC-20", put("00080008", one("CS", "ORIGINAL", "PRIMARY", "VOLUME"))),
    "Image Type SECONDARY": ("LC-20", put("00080008", one("CS", "ORIGINAL", "SECONDARY", "VOLUME", "NONE"))),
    "flavour MIXED": ("LC-20", put("00080008", one("CS", "ORIGINAL", "PRIMARY", "MIXED", "NONE"))),
    "an original with contrast": ("LC-20", put("00080008", one("CS", "ORIGINAL", "PRIMARY", "VOLUME", "MEAN"))),
    "the study of another": ("LC-01", put("0020000D", one("UI", "1.2.3"))),
    "the series of the sources": ("LC-01", lambda d: d.__setitem__("0020000E", one("UI", _series(d)))),
    "a UID with something appended": ("LC-01", lambda d: d.__setitem__("00080018", one("UI", _source(d) + ".1"))),
    "another Series Date": ("LC-03", put("00080021", one("DA", "20300101"))),
    "no requests": ("LC-04", drop("00400275")),
    "another contribution": (
        "LC-05",
        lambda dataset: dataset["0018A001"]["Value"][-1].__setitem__("0018A003", one("ST", "Software library")),
    ),
    "no presentation state": ("LC-18", drop("00089237")),
    "a private attribute without its creator": (
        "LC-15",
        lambda dataset: item(frame(dataset), classes.UNASSIGNED_PER_FRAME).pop("00290010"),
    ),
    "a claim of a volume with a gap": ("LC-23", moved_slice),
    "one place for two positions": ("LC-23", same_place_elsewhere),
    "a source that is not listed": ("LC-24", lambda dataset: _listed(dataset).pop()),
    "another class": ("LC-10", put("00080016", one("UI", "1.2.840.10008.5.1.4.1.1.2"))),
    "another modality": ("LC-10", put("00080060", one("CS", "MR"))),
}


def _listed(dataset: JSONDataset) -> list[JSONDataset]:
    listed: list[JSONDataset] = item(dataset, "00081115")["0008114A"]["Value"]
    return listed


def _series(dataset: JSONDataset) -> str:
    return str(item(dataset, "00081115")["0020000E"]["Value"][0])


def _source(dataset: JSONDataset) -> str:
    return str(_listed(dataset)[0]["00081155"]["Value"][0])


@pytest.fixture(scope="module")
def whole() -> tuple[JSONDataset, list[JSONDataset]]:
    return made()


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_is_found(name: str, whole: tuple[JSONDataset, list[JSONDataset]]) -> None:
    rule, change = MUTATIONS[name]
    dataset = copy.deepcopy(whole[0])
    change(dataset)
    assert rule in rules(dataset, whole[1])


def test_a_finding_names_no_value(whole: tuple[JSONDataset, list[JSONDataset]]) -> None:
    dataset = copy.deepcopy(whole[0])
    dataset["00100010"] = one("PN", {"Alphabetic": "Secret^Name"})
    found = check.check(dataset, whole[1])
    assert ("LC-01", "PS3.4 C.3.5") in {(one_.rule, one_.clause) for one_ in found}
    assert not any("Secret" in one_.detail or "Eva" in one_.detail for one_ in found)


@pytest.mark.slow
@pytest.mark.parametrize("folder", CLASSIC_SERIES)
def test_nothing_is_wrong_or_lost_in_any_real_series_LC_15(folder: str) -> None:
    plan = conversion.plan(series_of(folder))
    for number, settled in enumerate(plan.settled):
        (again,) = sources_of([b"".join(writing.write(plan.describe(number), keeps_originals=False))])
        assert check.check(again.attributes, [source.attributes for source in settled.frame_set.sources]) == []


ANY = st.fixed_dictionaries(
    {},
    optional={
        "FilterType": st.sampled_from(["", "A", "B"]),
        "PatientName": st.sampled_from(["Doe^Jane", "Ренуар^Жан"]),
        "WindowCenter": st.sampled_from([40, 50]),
        "SeriesTime": st.sampled_from(["1016", "1015"]),
        "ImageComments": st.text("abc ", max_size=5),
        "BitsStored": st.just(12),
        "SoftwareVersions": st.sampled_from(["1", ["1", "2"]]),
        "change": st.sampled_from([overlay, private, request_item, changed]),
    },
)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(1, 30), ANY), min_size=1, max_size=5, unique_by=lambda pair: pair[0]),
    st.randoms(use_true_random=False),
)
def test_whatever_the_slices_are_nothing_is_wrong_or_lost(
    slices: list[tuple[int, dict[str, Any]]], chance: random.Random
) -> None:
    """Random subsets with gaps, in any order: the same bytes each time, nothing lost, every file comes back (LC-02)."""
    contents = [slice_of(CT, n, SpecificCharacterSet="ISO_IR 192", **how) for n, how in slices]
    plan = conversion.plan(sources_of(contents))
    shuffled = chance.sample(contents, len(contents))
    again = conversion.plan(sources_of(shuffled))
    assert len(again.settled) == len(plan.settled)
    restored: list[bytes] = []
    for number, settled in enumerate(plan.settled):
        written = b"".join(writing.write(plan.describe(number)))
        assert written == b"".join(writing.write(again.describe(number)))
        (made,) = sources_of([written])
        assert check.check(made.attributes, [source.attributes for source in settled.frame_set.sources]) == []
        restored += [b"".join(one.chunks) for one in restoring.restore(made)]
    assert sorted(restored) == sorted(contents)
