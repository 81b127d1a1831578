"""Pictures and videos as consumers send them: what their headers tell, the transfer syntax they fit (PS3.18 §10.5.2).

The first bytes decide what a picture is; a media type that says otherwise makes it malformed.
"""

from __future__ import annotations

from collections.abc import Callable

from dicomgate import errors
from dicomgate.dicom import (
    codestreams_jpeg,
    codestreams_jpeg2000,
    codestreams_jpegxl,
    codestreams_mp4,
    codestreams_mpeg,
    syntaxes,
)
from dicomgate.dicom.codestreams_video import AVC, HEVC, MPEG2
from dicomgate.dicom.picture import Picture
from dicomgate.dicom.source import Source
from dicomgate.dicom.syntaxes import Loss

_Reader = Callable[[Source], Picture]

READERS: dict[str, _Reader] = {
    # Media types whose bytes go into the data set unchanged (Tables 10.5.2-1 and 8.7.3-5), lower case.
    "image/jpeg": lambda source: codestreams_jpeg.read(source, is_ls=False),
    "image/jls": lambda source: codestreams_jpeg.read(source, is_ls=True),
    "image/jp2": lambda source: codestreams_jpeg2000.read(source, is_high_throughput=False),
    "image/jpx": lambda source: codestreams_jpeg2000.read(source, is_high_throughput=False),
    "image/jph": lambda source: codestreams_jpeg2000.read(source, is_high_throughput=True),
    "image/jphc": lambda source: codestreams_jpeg2000.read(source, is_high_throughput=True),
    "image/jxl": codestreams_jpegxl.read,
    "video/mpeg": lambda source: _read_video(source, frozenset({MPEG2})),
    "video/mp4": lambda source: _read_video(source, frozenset({AVC, HEVC})),
    "video/h265": lambda source: _read_video(source, frozenset({HEVC})),
}

TRANSFORMED = frozenset({"image/gif", "image/png"})
"""Media types that no transfer syntax holds: they become native pixels (Table 10.5.2-1)."""


def read(source: Source, media_type: str) -> Picture:
    """What the picture's own bytes say of it, by its media type.

    Malformed when the bytes are not what the media type says or end early, UnsupportedMedia for a type or a kind of
    picture that no transfer syntax takes, TooLarge for one beyond what a data set can describe.
    """
    reader = READERS.get(media_type.lower())
    if reader is None:
        raise errors.UnsupportedMedia("a media type that is no picture taken here", see=tuple(READERS))
    return reader(source)


def _read_video(source: Source, codecs: frozenset[str]) -> Picture:
    """A file of boxes, or a stream: the container is not told by the media type (PS3.5 §8.2.5, §8.2.7)."""
    reader = codestreams_mp4.read if codestreams_mp4.is_file(source.read_at(0, 8)) else codestreams_mpeg.read
    return reader(source, codecs)


def find_media_type(transfer_syntax: str) -> str | None:
    """The media type of a codestream in this transfer syntax, for bytes sent as octets with a `transfer-syntax`."""
    syntax = syntaxes.find(transfer_syntax)
    return syntax.media_type.lower() if syntax and syntax.media_type.lower() in READERS else None


def choose_syntax(picture: Picture, wanted: str | None = None, *, is_lossy: bool = False) -> str:
    """The transfer syntax for a picture: the one its sender named if the bytes conform to it, else the best one.

    `is_lossy`: its data set says that something was lost, which a reversible codestream cut short does not tell.
    Malformed when the bytes do not conform to the named one.
    """
    if wanted is not None:
        if wanted not in picture.syntaxes:
            raise errors.Malformed(
                "the picture's bytes are not of the transfer syntax it is sent as", see=picture.syntaxes
            )
        return wanted
    if is_lossy:
        admitting = (uid for uid in picture.syntaxes if syntaxes.TABLE[uid].loss is not Loss.NEVER)
        return next(admitting, picture.transfer_syntax)
    return picture.transfer_syntax
