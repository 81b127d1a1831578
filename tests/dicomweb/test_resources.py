"""Paths and links: RET-01, FRM-01, STOW-01, QIDO-01, T9."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import resources
from dicomgate.dicomweb.resources import Kind, Resource

STUDY, SERIES, INSTANCE = Target("1.2"), Target("1.2", "3.4"), Target("1.2", "3.4", "5.6")
S, E, ONE = "/studies/1.2", "/studies/1.2/series/3.4", "/studies/1.2/series/3.4/instances/5.6"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/studies", Resource(kind=Kind.SEARCH, level=Level.STUDY)),
        ("/series/", Resource(kind=Kind.SEARCH, level=Level.SERIES)),
        ("instances", Resource(kind=Kind.SEARCH, level=Level.INSTANCE)),
        (f"{S}/series", Resource(kind=Kind.SEARCH, level=Level.SERIES, target=STUDY)),
        (f"{S}/instances", Resource(kind=Kind.SEARCH, level=Level.INSTANCE, target=STUDY)),
        (f"{E}/instances/", Resource(kind=Kind.SEARCH, level=Level.INSTANCE, target=SERIES)),
        (S, Resource(kind=Kind.INSTANCES, level=Level.STUDY, target=STUDY)),
        (f"{S}/", Resource(kind=Kind.INSTANCES, level=Level.STUDY, target=STUDY)),
        (E, Resource(kind=Kind.INSTANCES, level=Level.SERIES, target=SERIES)),
        (ONE, Resource(kind=Kind.INSTANCES, level=Level.INSTANCE, target=INSTANCE)),
        (f"{S}/metadata", Resource(kind=Kind.METADATA, level=Level.STUDY, target=STUDY)),
        (f"{E}/metadata", Resource(kind=Kind.METADATA, level=Level.SERIES, target=SERIES)),
        (f"{ONE}/metadata", Resource(kind=Kind.METADATA, level=Level.INSTANCE, target=INSTANCE)),
        (f"{ONE}/frames/1,3", Resource(kind=Kind.FRAMES, level=Level.INSTANCE, target=INSTANCE, frames=(1, 3))),
        (f"{E}/bulkdata", Resource(kind=Kind.BULKDATA, level=Level.SERIES, target=SERIES)),
        (
            f"{ONE}/bulkdata/7fe00010",
            Resource(kind=Kind.BULKDATA, level=Level.INSTANCE, target=INSTANCE, bulk="7FE00010"),
        ),
        (
            f"{ONE}/bulkdata/00480200/1/00282000",
            Resource(kind=Kind.BULKDATA, level=Level.INSTANCE, target=INSTANCE, bulk="00480200/1/00282000"),
        ),
        (f"{ONE}/pixeldata", Resource(kind=Kind.PIXELDATA, level=Level.INSTANCE, target=INSTANCE)),
    ],
)
def test_every_resource_of_the_studies_service_RET01_QIDO01(path: str, expected: Resource) -> None:
    assert resources.parse(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//studies",
        "/Studies",
        "/patients",
        "/studies/1.2/studies",
        "/studies/1.2/series/3.4/series",
        "/studies/1.2/instances/5.6",
        "/series/3.4",
        f"{E}/frames/1",
        f"{ONE}/frames",
        f"{ONE}/frames/1/pictures",
        f"{S}/bulkdata/7FE00010",
        f"{ONE}/bulkdata/7FE0001",
        f"{ONE}/bulkdata/7FE0001G",
        f"{ONE}/bulkdata/00480200/1",
        f"{ONE}/bulkdata/00480200/0/00282000",
        f"{ONE}/bulkdata/00480200/x/00282000",
        f"{ONE}/bulkdata/" + "00480200/1/" * 64 + "00282000",
        f"{ONE}/bulkdata/../../x",
    ],
)
def test_other_shapes_are_not_found(path: str) -> None:
    with pytest.raises(errors.NotFound):
        resources.parse(path)


@pytest.mark.parametrize(
    ("path", "level", "frames"),
    [
        (f"{S}/{{}}", Level.STUDY, ()),
        (f"{E}/{{}}", Level.SERIES, ()),
        (f"{ONE}/{{}}", Level.INSTANCE, ()),
        (f"{ONE}/frames/1,3/{{}}", Level.INSTANCE, (1, 3)),
    ],
)
@pytest.mark.parametrize("kind", [Kind.RENDERED, Kind.THUMBNAIL])
def test_pictures_of_everything_RET01_THM01(path: str, level: Level, frames: tuple[int, ...], kind: Kind) -> None:
    address = path.format(kind.value)
    found = resources.parse(address)
    assert (found.kind, found.level, found.frames) == (kind, level, frames)
    assert resources.format_resource("", found) == address


@pytest.mark.parametrize("uid", ["x", "..", "1..2", ".", "1a", "1" * 65, "1.2 ", "1.2\0", "１.２", "*"])
@pytest.mark.parametrize(
    "template", ["/studies/{}", "/studies/1/series/{}/metadata", "/studies/1/series/2/instances/{}/frames/1"]
)
def test_no_outside_string_becomes_a_uid_T9(uid: str, template: str) -> None:
    with pytest.raises(errors.Malformed):
        resources.parse(template.format(uid))


@pytest.mark.parametrize(
    "numbers",
    ["0", "a", "3,1", "1,1", "", ",", "1,", "-1", "+1", "1.0", " 1", "1-3", "²", "١", "2147483648", "9" * 5000],
)
def test_frame_lists_that_break_the_grammar_row24_FRM01(numbers: str) -> None:
    with pytest.raises(errors.Malformed):
        resources.parse_frames(numbers)


def test_searches_that_span_parents_are_relational_QIDO01() -> None:
    relational = {
        path
        for path in ("/studies", "/series", "/instances", f"{S}/series", f"{S}/instances", f"{E}/instances", S)
        if resources.parse(path).is_relational
    }
    assert relational == {"/series", "/instances", f"{S}/instances"}


def test_where_instances_may_be_stored_STOW01() -> None:
    assert [
        path
        for path in ("/studies", S, E, "/series", f"{S}/series", f"{S}/metadata")
        if resources.parse(path).can_take_instances
    ] == ["/studies", S]
    assert [path for path in ("/studies", S, E, ONE, f"{S}/metadata") if resources.parse(path).can_be_deleted] == [
        S,
        E,
        ONE,
    ]


UIDS = st.from_regex(r"[0-9](\.[0-9]{1,5}){0,8}", fullmatch=True)
TARGETS = UIDS.flatmap(
    lambda s: st.just(Target(s)) | UIDS.flatmap(lambda e: st.just(Target(s, e)) | UIDS.map(lambda i: Target(s, e, i)))
)
FRAMES = st.sets(st.integers(1, 2**31 - 1), min_size=1, max_size=9).map(lambda numbers: tuple(sorted(numbers)))
TAGS = st.from_regex(r"[0-9A-F]{8}", fullmatch=True)
PLACES = st.builds(
    lambda outer, last: "/".join([f"{tag}/{item}" for tag, item in outer] + [last]),
    st.lists(st.tuples(TAGS, st.integers(1, 99999)), max_size=4),
    TAGS,
)


@pytest.mark.slow
@settings(max_examples=50)
@given(TARGETS, FRAMES, PLACES)
def test_links_lead_back_to_what_they_name_RET07(target: Target, frames: tuple[int, ...], place: str) -> None:
    root = "https://host/dicomweb"

    def read(address: str) -> Resource:
        assert address.startswith(root)
        return resources.parse(address.removeprefix(root))

    assert read(resources.link(root, target)) == Resource(kind=Kind.INSTANCES, level=target.level, target=target)
    assert read(resources.metadata_link(root, target)).target == target
    instance = Target(target.study, target.series or "1", target.instance or "2")
    assert read(resources.frame_link(root, instance, frames[0])).frames == frames[:1]
    assert read(resources.bulk_link(root, instance, place)).bulk == place
    resource = Resource(kind=Kind.FRAMES, level=Level.INSTANCE, target=instance, frames=frames)
    assert read(resources.format_resource(root, resource)) == resource


@given(st.text(max_size=50))
def test_any_path_is_a_resource_or_a_fault_of_the_caller(path: str) -> None:
    try:
        resource = resources.parse(path)
    except (errors.Malformed, errors.NotFound):
        return
    assert resources.parse(resources.format_resource("", resource)) == resource
