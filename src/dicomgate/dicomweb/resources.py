"""The studies service's resources: a path below its root <-> what it points at (PS3.18 §10.1, Table 10.3-2)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dicom.uids import Level, Target

LARGEST_FRAME = 2**31 - 1  # Number of Frames is an IS
DEEPEST_BULK = 64
_HEX = frozenset("0123456789ABCDEF")


class Kind(enum.Enum):
    """What a path asks for."""

    SEARCH = "search"  # a collection: GET searches it, POST to the studies stores
    INSTANCES = "instances"  # a study, series or instance itself
    METADATA = "metadata"
    FRAMES = "frames"
    BULKDATA = "bulkdata"
    PIXELDATA = "pixeldata"
    RENDERED = "rendered"
    THUMBNAIL = "thumbnail"
    VERSIONS = "versions"  # our extension: the files that an instance was before, listed, or one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A path, read. `level` is that of the answers: of what a search finds, else of the target.

    `target` is None for the collections at the root. `frames` are 1-based, ascending; rendered resources and thumbnails
    without any are those of the whole target. `bulk` is the place of one value
    ("7FE00010", "00480200/1/00282000"), empty for all of the target's. `version` counts from 1, 0 for their list.
    """

    kind: Kind
    level: Level
    target: Target | None = None
    frames: tuple[int, ...] = ()
    bulk: str = ""
    version: int = 0

    @property
    def words(self) -> str:
        """Its kind and level, as a log names them."""
        return f"{self.kind.value} {self.level.name.lower()}"

    @property
    def is_relational(self) -> bool:
        """True when a search spans parents that the path does not fix (§10.6.1.1)."""
        fixed = 0 if self.target is None else self.target.level
        return self.kind is Kind.SEARCH and self.level - fixed > 1

    @property
    def can_take_instances(self) -> bool:
        """True where instances may be stored: all studies, or one (§10.5.1.1)."""
        if self.kind is Kind.SEARCH:
            return self.target is None and self.level is Level.STUDY
        return self.kind is Kind.INSTANCES and self.level is Level.STUDY

    @property
    def can_be_corrected(self) -> bool:
        """True where attributes of patient and study may be put right, in one study or those found: our extension."""
        return self.can_take_instances

    @property
    def can_be_deleted(self) -> bool:
        """True for a study, series or instance itself: our extension (AMB-21)."""
        return self.kind is Kind.INSTANCES


_COLLECTIONS = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}
_COLLECTION_OF = {level: name for name, level in _COLLECTIONS.items()}
_BELOW = {"metadata": Kind.METADATA, "bulkdata": Kind.BULKDATA, "pixeldata": Kind.PIXELDATA}


def parse(path: str) -> Resource:
    """The resource of a decoded path below the service's root; one trailing slash is let pass.

    NotFound when no resource has that shape, Malformed when a UID or a list of frames breaks its grammar.
    """
    segments = path.removeprefix("/").removesuffix("/").split("/")
    if len(segments) == 1 and segments[0] in _COLLECTIONS:
        return Resource(kind=Kind.SEARCH, level=_COLLECTIONS[segments[0]])
    target, rest = _split_target(segments)
    match rest:
        case []:
            return Resource(kind=Kind.INSTANCES, level=target.level, target=target)
        case ["series" | "instances" as collection] if _COLLECTIONS[collection] > target.level:
            return Resource(kind=Kind.SEARCH, level=_COLLECTIONS[collection], target=target)
        case ["metadata" | "bulkdata" | "pixeldata" as name]:
            return Resource(kind=_BELOW[name], level=target.level, target=target)
        case ["frames", numbers] if target.level is Level.INSTANCE:
            return Resource(kind=Kind.FRAMES, level=target.level, target=target, frames=parse_frames(numbers))
        case ["bulkdata", *place] if target.level is Level.INSTANCE:
            return Resource(kind=Kind.BULKDATA, level=target.level, target=target, bulk=_parse_bulk(place))
        case ["versions"] if target.level is Level.INSTANCE:
            return Resource(kind=Kind.VERSIONS, level=target.level, target=target)
        case ["versions", number] if target.level is Level.INSTANCE:
            return Resource(kind=Kind.VERSIONS, level=target.level, target=target, version=_parse_version(number))
        case ["rendered" | "thumbnail" as name]:
            return Resource(kind=Kind(name), level=target.level, target=target)
        case ["frames", numbers, "rendered" | "thumbnail" as name] if target.level is Level.INSTANCE:
            return Resource(kind=Kind(name), level=target.level, target=target, frames=parse_frames(numbers))
    raise _no_such()


def _split_target(segments: list[str]) -> tuple[Target, list[str]]:
    """What leads to a study, series or instance, and what comes after it."""
    match segments:
        case ["studies", study, "series", series, "instances", instance, *rest]:
            found = Target(
                uids.parse_uid(study, what="study"),
                uids.parse_uid(series, what="series"),
                uids.parse_uid(instance, what="instance"),
            )
            return found, rest
        case ["studies", study, "series", series, *rest]:
            return Target(uids.parse_uid(study, what="study"), uids.parse_uid(series, what="series")), rest
        case ["studies", study, *rest]:
            return Target(uids.parse_uid(study, what="study")), rest
    raise _no_such()


def parse_frames(text: str) -> tuple[int, ...]:
    """Frame numbers from 1, separated by commas, ascending. Malformed otherwise (FRM-01)."""
    numbers: list[int] = []
    for position, piece in enumerate(text.split(","), 1):
        if not (piece.isascii() and piece.isdigit() and len(piece) <= 10 and 1 <= int(piece) <= LARGEST_FRAME):
            raise errors.Malformed(f"frame list: expected a whole number from 1 at position {position}")
        if numbers and int(piece) <= numbers[-1]:
            raise errors.Malformed(f"frame list: expected ascending numbers, position {position} does not ascend")
        numbers.append(int(piece))
    return tuple(numbers)


def format_frames(frames: tuple[int, ...]) -> str:
    """The list as it stands in a path."""
    return ",".join(map(str, frames))


def link(root: str, target: Target) -> str:
    """The address of a study, series or instance below the service's root (which has no slash at its end)."""
    address = f"{root}/studies/{target.study}"
    if target.series is not None:
        address += f"/series/{target.series}"
    if target.instance is not None:
        address += f"/instances/{target.instance}"
    return address


def frame_link(root: str, target: Target, frame: int) -> str:
    """The address of one frame of an instance."""
    return f"{link(root, target)}/frames/{frame}"


def bulk_link(root: str, target: Target, place: str) -> str:
    """The address of one value of an instance, exactly as metadata names it (MP-02, RET-07)."""
    return f"{link(root, target)}/bulkdata/{place}"


def metadata_link(root: str, target: Target) -> str:
    """The address of the metadata of a study, series or instance."""
    return f"{link(root, target)}/metadata"


def format_resource(root: str, resource: Resource) -> str:
    """The address of any resource."""
    base = root if resource.target is None else link(root, resource.target)
    match resource.kind:
        case Kind.SEARCH:
            return f"{base}/{_COLLECTION_OF[resource.level]}"
        case Kind.INSTANCES:
            return base
        case Kind.FRAMES:
            return f"{base}/frames/{format_frames(resource.frames)}"
        case Kind.RENDERED | Kind.THUMBNAIL if resource.frames:
            return f"{base}/frames/{format_frames(resource.frames)}/{resource.kind.value}"
        case Kind.VERSIONS if resource.version:
            return f"{base}/versions/{resource.version}"
        case Kind.BULKDATA if resource.bulk:
            return f"{base}/bulkdata/{resource.bulk}"
    return f"{base}/{resource.kind.value}"


def _parse_version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and text[0] != "0"):
        raise errors.NotFound("versions: expected a whole number from 1")
    return int(text)


def _parse_bulk(place: list[str]) -> str:
    """Tag, or tag and item number in turns down to the value's tag."""
    is_place = len(place) % 2 == 1 and len(place) <= 2 * DEEPEST_BULK
    tags = [tag.upper() for tag in place[::2]]
    items = place[1::2]
    if not is_place or not all(len(tag) == 8 and _HEX.issuperset(tag) for tag in tags):
        raise errors.NotFound("bulk data: no value is named so")
    if not all(item.isascii() and item.isdigit() and item[0] != "0" and len(item) <= 10 for item in items):
        raise errors.NotFound("bulk data: no value is named so")
    return "/".join(part for pair in zip(tags, [*items, ""], strict=True) for part in pair if part)


def _no_such() -> errors.NotFound:
    return errors.NotFound("no resource of the studies service has this path")
