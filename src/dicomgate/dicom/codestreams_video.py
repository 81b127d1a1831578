"""Parameter sets of MPEG-2, H.264 and H.265 and the transfer syntaxes they fit (PS3.5 §8.2.5 to §8.2.11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from dicomgate import errors
from dicomgate.dicom import picture
from dicomgate.dicom.codestreams_reading import Bits
from dicomgate.dicom.picture import LONGEST_FRAGMENT, Picture

MPEG2, AVC, HEVC = "MPEG-2", "H.264", "H.265"
_UID = "1.2.840.10008.1.2.4."
_COLOUR = "YBR_PARTIAL_420"
_FRAGMENTABLE = frozenset(map(str, range(100, 107)))

_MPEG2_RATES = (
    None,
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
_MPEG2_SHAPES = {2: Fraction(4, 3), 3: Fraction(16, 9), 4: Fraction(221, 100)}
"""Of the whole picture, by aspect_ratio_information."""
_MPEG2_LEVELS = {8: "100", 10: "100", 4: "101", 6: "101"}
"""Main and low, high and high 1440."""
_HD = frozenset({(720, 1280), (1080, 1920)})

_HIGH_FIELDS = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Profiles whose parameter sets tell of colour sampling and depth."""
_STEREO_HIGH = 128
_BLURAY = {
    (1080, 1920): frozenset(map(Fraction, ("25", "30000/1001", "24", "24000/1001"))),
    (720, 1280): frozenset(map(Fraction, ("50", "60000/1001", "24", "24000/1001"))),
}
_SQUARE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a video's parameter set says. `rate`: frames a second, where told; `shape`: a pixel's width by height."""

    codec: str
    rows: int
    columns: int
    syntaxes: tuple[str, ...]
    bits: int = 8
    rate: Fraction | None = None
    shape: Fraction = Fraction(1)
    is_field_coded: bool = False
    """Whether pictures may be fields, two to a frame."""
    number_bits: int = 0
    """How many bits a frame's number has in a slice of H.264."""


def describe(parameters: Parameters, size: int, frames: int, frame_time: Fraction | None) -> Picture:
    """The video as a picture; it is kept whole, container and all (PS3.5 §8.2.7). Faults as `picture.checked`.

    Beyond what one fragment holds only the fragmentable syntaxes are left.
    """
    time = frame_time or (1000 / parameters.rate if parameters.rate else None)
    plain = () if size > LONGEST_FRAGMENT else parameters.syntaxes
    if size > LONGEST_FRAGMENT and parameters.codec == HEVC:
        plain = parameters.syntaxes
    fragmentable = tuple(f"{number}.1" for number in parameters.syntaxes if number in _FRAGMENTABLE)
    pixel = (parameters.shape.denominator, parameters.shape.numerator) if parameters.shape != 1 else None
    return picture.checked(
        Picture(
            rows=parameters.rows,
            columns=parameters.columns,
            samples=3,
            bits=parameters.bits,
            photometric=_COLOUR,
            syntaxes=tuple(_UID + number for number in plain + fragmentable),
            spans=(range(size),),
            is_lossy=True,
            frames=frames,
            frame_times=(time,) if time else (),
            pixel_aspect=pixel,
        )
    )


def read_mpeg2(header: bytes, extension: bytes) -> Parameters:
    """From the sequence header and its extension, both without start code; no extension makes it MPEG-1."""
    bits = Bits(header)
    columns, rows, shape, code = bits.read(12), bits.read(12), bits.read(4), bits.read(4)
    bits.read(18 + 1 + 10)
    is_constrained = bits.flag()
    if not 0 < code < len(_MPEG2_RATES):
        raise errors.Malformed(f"an MPEG-2 sequence with frame rate code {code}")
    rate = _MPEG2_RATES[code]
    assert rate is not None, "code 0 is refused"
    found = Parameters(codec=MPEG2, rows=rows, columns=columns, syntaxes=(), rate=rate)
    if not extension:
        if not is_constrained:
            raise errors.UnsupportedMedia("MPEG-1 video beyond what MPEG-2 decoders must take")
        return replace(found, syntaxes=("100",))
    found = _extended(found, Bits(extension))
    if found.rows and shape in _MPEG2_SHAPES and found.syntaxes == ("100",):
        found = replace(found, shape=_MPEG2_SHAPES[shape] * found.rows / max(found.columns, 1))
    return found


def _extended(found: Parameters, bits: Bits) -> Parameters:
    bits.read(4)
    escape, profile, level = bits.read(1), bits.read(3), bits.read(4)
    bits.flag()
    chroma = bits.read(2)
    columns, rows = found.columns | bits.read(2) << 12, found.rows | bits.read(2) << 12
    bits.read(12 + 1 + 8 + 1)
    times, part = bits.read(2) + 1, bits.read(5) + 1
    if escape or profile not in (4, 5) or chroma != 1 or level not in _MPEG2_LEVELS:
        raise errors.UnsupportedMedia("MPEG-2 video of another profile than main: no transfer syntax takes it")
    number = _MPEG2_LEVELS[level]
    if number == "101" and (rows, columns) not in _HD:
        if rows > 576 or columns > 720:
            raise errors.UnsupportedMedia(f"MPEG-2 video of {rows} rows of {columns}: high level has 720 or 1080 rows")
        number = "100"
    rate = found.rate * times / part if found.rate else None
    return replace(found, rows=rows, columns=columns, syntaxes=(number,), rate=rate)


def _unescaped(content: bytes) -> bytes:
    """The raw bytes of a unit, without the bytes that keep start codes out of it."""
    return content.replace(b"\0\0\3", b"\0\0")


def read_avc(unit: bytes, *, is_stereo: bool = False) -> Parameters:
    """From a sequence parameter set of H.264, with its header byte (ISO/IEC 14496-10 §7.3.2.1)."""
    bits = Bits(_unescaped(unit[1:]))
    profile, constraints, level = bits.read(8), bits.read(8), bits.read(8)
    bits.unsigned()
    if profile in _HIGH_FIELDS:
        _skip_high(bits)
    number_bits = bits.unsigned() + 4
    if number_bits > 16:
        raise errors.Malformed("an H.264 parameter set with frame numbers of more than 16 bits")
    _skip_order(bits)
    bits.unsigned()
    bits.flag()
    columns, units = (bits.unsigned() + 1) * 16, (bits.unsigned() + 1) * 16
    is_whole = bits.flag()
    if not is_whole:
        bits.flag()
    bits.flag()
    left, right, top, bottom = (bits.unsigned() for _ in range(4)) if bits.flag() else (0, 0, 0, 0)
    rate, shape = _usability(bits) if bits.flag() else (None, Fraction(1))
    if shape != _SQUARE:
        raise errors.UnsupportedMedia("H.264 video whose pixels are not square: no transfer syntax takes it")
    rows = max(units * (2 - is_whole) - 2 * (2 - is_whole) * (top + bottom), 0)
    columns = max(columns - 2 * (left + right), 0)
    return Parameters(
        codec=AVC,
        rows=rows,
        columns=columns,
        syntaxes=_avc_syntaxes(profile, constraints, level, (rows, columns), rate, is_stereo=is_stereo),
        rate=rate,
        is_field_coded=not is_whole,
        number_bits=number_bits,
    )


def _skip_high(bits: Bits) -> None:
    chroma = bits.unsigned()
    luma_depth, chroma_depth = bits.unsigned(), bits.unsigned()
    if (chroma, luma_depth, chroma_depth) != (1, 0, 0):
        raise errors.UnsupportedMedia("H.264 video that is not 4:2:0 with 8 bits: no transfer syntax takes it")
    bits.flag()
    if bits.flag():
        for size in (16,) * 6 + (64,) * 2:
            if bits.flag():
                _skip_scaling(bits, size)


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_order(bits: Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.flag()
        bits.signed()
        bits.signed()
        count = bits.unsigned()
        if count > 255:
            raise errors.Malformed("an H.264 parameter set with an endless cycle of pictures")
        for _ in range(count):
            bits.signed()


def _usability(bits: Bits) -> tuple[Fraction | None, Fraction]:
    """Frame rate and pixel shape, of what helps to show the video."""
    shape = Fraction(1)
    if bits.flag():
        code = bits.read(8)
        if code == 255:
            wide, high = bits.read(16), bits.read(16)
            shape = Fraction(wide, high) if wide and high else shape
        elif code > _SQUARE:
            shape = Fraction(0)
    if bits.flag():
        bits.flag()
    if bits.flag():
        bits.read(4)
        if bits.flag():
            bits.read(24)
    if bits.flag():
        bits.unsigned()
        bits.unsigned()
    if not bits.flag():
        return None, shape
    tick, scale = bits.read(32), bits.read(32)
    return (Fraction(scale, 2 * tick) if tick and scale else None), shape


def _avc_syntaxes(
    profile: int, constraints: int, level: int, size: tuple[int, int], rate: Fraction | None, *, is_stereo: bool
) -> tuple[str, ...]:
    """Main and constrained baseline are taken as high: every decoder of high profile takes them, too."""
    if profile not in (77, 100, _STEREO_HIGH) and not (profile == 66 and constraints & 0x40):
        raise errors.UnsupportedMedia(f"H.264 video of profile {profile}: no transfer syntax takes it")
    if level > 42:
        raise errors.UnsupportedMedia(f"H.264 video of level {level / 10:g}: transfer syntaxes go up to 4.2")
    if is_stereo or profile == _STEREO_HIGH:
        return ("106",)
    if level > 41:
        return ("104", "105")
    is_bluray = rate in _BLURAY.get(size, ())
    return ("102", "103", "104", "105") if is_bluray else ("102", "104", "105")


def read_hevc(unit: bytes) -> Parameters:
    """From a sequence parameter set of H.265, with its two header bytes (ISO/IEC 23008-2 §7.3.2.2)."""
    bits = Bits(_unescaped(unit[2:]))
    bits.read(4)
    layers = bits.read(3)
    bits.flag()
    bits.read(3)
    profile, compatible = bits.read(5), bits.read(32)
    bits.read(48)
    level = bits.read(8)
    _skip_layers(bits, layers)
    bits.unsigned()
    chroma = bits.unsigned()
    if chroma == 3:
        bits.flag()
    columns, rows = bits.unsigned(), bits.unsigned()
    left, right, top, bottom = (bits.unsigned() for _ in range(4)) if bits.flag() else (0, 0, 0, 0)
    depth = bits.unsigned() + 8
    if chroma != 1 or bits.unsigned() + 8 != depth:
        raise errors.UnsupportedMedia("H.265 video that is not 4:2:0: no transfer syntax takes it")
    return Parameters(
        codec=HEVC,
        rows=max(rows - 2 * (top + bottom), 0),
        columns=max(columns - 2 * (left + right), 0),
        syntaxes=_hevc_syntaxes(profile, compatible, level, depth),
        bits=depth,
    )


def _skip_layers(bits: Bits, layers: int) -> None:
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)


def _hevc_syntaxes(profile: int, compatible: int, level: int, depth: int) -> tuple[str, ...]:
    is_main = profile == 1 or bool(compatible >> 30 & 1)
    is_main_10 = is_main or profile == 2 or bool(compatible >> 29 & 1)
    if level > 153:
        raise errors.UnsupportedMedia(f"H.265 video of level {level / 30:g}: transfer syntaxes go up to 5.1")
    if is_main and depth == 8:
        return ("107",)
    if is_main_10 and depth in (8, 10):
        return ("108",)
    raise errors.UnsupportedMedia(f"H.265 video of profile {profile}: no transfer syntax takes it")
