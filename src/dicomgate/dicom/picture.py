"""What a picture's own bytes say of it, and the attributes of the data set that follow (PS3.3 §C.7.6.3, §C.7.6.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset

LARGEST_SIDE = 65_535
"""Rows and Columns are unsigned shorts."""
LARGEST_FRAME = 1 << 30
"""Bytes of one decoded frame that are believed of a header (T3)."""
MOST_FRAMES = (1 << 31) - 1
LONGEST_FRAGMENT = (1 << 32) - 2

MONOCHROME2 = "MONOCHROME2"
RGB = "RGB"

_Element = tuple[str, str, list[object]]
"""Tag, value representation, values."""

LOSSY_METHODS: dict[str, str] = {
    # Lossy Image Compression Method (0028,2114), by the media type of the codestream (PS3.3 §C.7.6.1.1.5.1).
    "image/jpeg": "ISO_10918_1",
    "image/jls": "ISO_14495_1",
    "image/jp2": "ISO_15444_1",
    "image/jpx": "ISO_15444_1",
    "image/jphc": "ISO_15444_15",
    "image/jxl": "ISO_18181_1",
    "video/mpeg": "ISO_13818_2",
    "video/mp4": "ISO_14496_10",
    "video/H265": "ISO_23008_2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture or one video. `syntaxes`: the transfer syntaxes its bytes conform to, the best first.

    `spans`: where, in what was sent, the bytes lie that belong into the data set, in order: a file format around them
    stays out. `frame_times`: milliseconds from each frame to the next, one for all or one for each, where known.
    `pixel_aspect`: vertical and horizontal size of a pixel where they differ.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    photometric: str
    syntaxes: tuple[str, ...]
    spans: tuple[range, ...]
    is_lossy: bool = False
    is_signed: bool = False
    frames: int = 1
    frame_times: tuple[Fraction, ...] = ()
    pixel_aspect: tuple[int, int] | None = None

    @property
    def transfer_syntax(self) -> str:
        """The transfer syntax that says most of what these bytes are."""
        return self.syntaxes[0]

    @property
    def is_video(self) -> bool:
        """One stream for all its frames."""
        syntax = syntaxes.find(self.transfer_syntax)
        return syntax is not None and syntax.is_video

    @property
    def bits_allocated(self) -> int:
        """Whole bytes, but for one bit alone where the syntax packs it (PS3.5 §8.2.4)."""
        if self.bits == 1 and self.samples == 1 and self.transfer_syntax in _PACKED:
            return 1
        return -(-self.bits // 8) * 8

    @property
    def frame_bytes(self) -> int:
        """How large one frame is when decoded."""
        return -(-self.rows * self.columns * self.samples * self.bits_allocated // 8)

    @property
    def size(self) -> int:
        """How many bytes go into the data set."""
        return sum(map(len, self.spans))


_PACKED = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))


_STEREO = frozenset({"1.2.840.10008.1.2.4.105", "1.2.840.10008.1.2.4.106"})
"""Video in which Stereo Pairs Present is always YES (PS3.5 §8.2.8, §8.2.9)."""


def checked(picture: Picture) -> Picture:
    """The same picture. Malformed when it is empty, TooLarge when it is larger than an object's attributes can say."""
    if not (picture.rows and picture.columns and picture.samples and picture.bits and picture.frames):
        raise errors.Malformed("the picture's header says that it has no pixels")
    if max(picture.rows, picture.columns) > LARGEST_SIDE:
        raise errors.TooLarge(f"{picture.rows} rows of {picture.columns}: an image has at most {LARGEST_SIDE} of each")
    if picture.frame_bytes > LARGEST_FRAME:
        raise errors.TooLarge(f"a frame of {picture.frame_bytes} bytes, at most {LARGEST_FRAME} are taken")
    if picture.frames > MOST_FRAMES:
        raise errors.TooLarge(f"{picture.frames} frames, at most {MOST_FRAMES} can be said")
    return picture


def joined(first: Picture, following: Picture) -> Picture:
    """The frames of both as one multi-frame image (PS3.18 §10.5.1.4). Malformed when they are not alike.

    The result tells of all the frames together; whoever joins keeps the spans of each.
    """
    if _form(first) != _form(following):
        raise errors.Malformed(f"frame {first.frames + 1} differs from those before it in size, samples or colour")
    common = tuple(uid for uid in first.syntaxes if uid in following.syntaxes)
    if not common:
        raise errors.Malformed(f"frame {first.frames + 1} is compressed otherwise than those before it")
    return replace(
        first,
        syntaxes=common,
        frames=first.frames + following.frames,
        is_lossy=first.is_lossy or following.is_lossy,
        frame_times=(),
        spans=(),
    )


def _form(picture: Picture) -> tuple[object, ...]:
    return (
        picture.rows,
        picture.columns,
        picture.samples,
        picture.bits,
        picture.is_signed,
        picture.photometric,
        picture.is_video,
    )


def derive(picture: Picture, *, transfer_syntax: str | None = None, size: int | None = None) -> JSONDataset:
    """The attributes that the bytes determine (PS3.18 §10.5.2), in the order of their tags.

    `transfer_syntax`: the one taken, if not the picture's best; `size`: how many bytes all its frames have, for the
    compression ratio. Number of Frames and the times of a cine are given where there is more than one frame.
    """
    elements = _times(picture)
    if picture.samples > 1:
        elements.append(("00280006", "US", [0]))
    if picture.frames > 1 or picture.is_video:
        elements.append(("00280008", "IS", [picture.frames]))
        if picture.frame_times:
            elements.append(("00280009", "AT", ["00181063" if len(picture.frame_times) == 1 else "00181065"]))
    if picture.pixel_aspect:
        elements.append(("00280034", "IS", list(picture.pixel_aspect)))
    elements += [
        ("00280002", "US", [picture.samples]),
        ("00280004", "CS", [picture.photometric]),
        ("00280010", "US", [picture.rows]),
        ("00280011", "US", [picture.columns]),
        ("00280100", "US", [picture.bits_allocated]),
        ("00280101", "US", [picture.bits]),
        ("00280102", "US", [picture.bits - 1]),
        ("00280103", "US", [int(picture.is_signed)]),
    ]
    uid = transfer_syntax or picture.transfer_syntax
    if picture.is_lossy:
        elements += _loss(picture, uid, size)
    if uid.removesuffix(".1") in _STEREO:
        elements.append(("00220028", "CS", ["YES"]))
    return {tag: {"vr": vr, "Value": values} for tag, vr, values in sorted(elements, key=lambda element: element[0])}


def _times(picture: Picture) -> list[_Element]:
    """Frame Time, or Frame Time Vector, and the rate to play them at (PS3.3 §C.7.6.5)."""
    times = picture.frame_times
    if not times or (picture.frames == 1 and not picture.is_video):
        return []
    if len(times) > 1:
        return [("00181065", "DS", [_decimal(time) for time in (Fraction(0), *times[: picture.frames - 1])])]
    rate = round(1000 / times[0]) if times[0] else 0
    cine: list[_Element] = [("00180040", "IS", [rate])] if rate else []
    return [*cine, ("00181063", "DS", [_decimal(times[0])])]


def _loss(picture: Picture, uid: str, size: int | None) -> list[_Element]:
    elements: list[_Element] = [("00282110", "CS", ["01"])]
    if size:
        elements.append(("00282112", "DS", [_decimal(Fraction(picture.frame_bytes * picture.frames, size))]))
    syntax = syntaxes.find(uid)
    if syntax and syntax.media_type in LOSSY_METHODS:
        elements.append(("00282114", "CS", [LOSSY_METHODS[syntax.media_type]]))
    return elements


def _decimal(number: Fraction) -> float | int:
    """A number that fits the 16 characters of a decimal string."""
    rounded = round(float(number), 4)
    return int(rounded) if rounded == int(rounded) else rounded


def contradictions(attributes: JSONDataset, picture: Picture) -> tuple[str, ...]:
    """The tags whose given values cannot be those of this picture; what is given and possible stays as given.

    Signs, colour spaces and fewer bits than the bytes have room for are not told by every codestream: what a data set
    says of them is believed (PS3.5 §8.2.1, note 2).
    """
    exact = {
        "00280010": picture.rows,
        "00280011": picture.columns,
        "00280002": picture.samples,
        "00280008": picture.frames,
    }
    wrong = [tag for tag, number in exact.items() if _given(attributes, tag, number) != number]
    if _given(attributes, "00280100", picture.bits_allocated) < picture.bits:
        wrong.append("00280100")
    return tuple(sorted(wrong))


def _given(attributes: JSONDataset, tag: str, default: int) -> int:
    values = attributes.get(tag, {}).get("Value") or [default]
    try:
        return int(values[0])
    except (TypeError, ValueError):
        return -1
