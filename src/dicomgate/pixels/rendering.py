"""One frame becomes a picture: decoded, shown, cut, scaled, written on and encoded (PS3.18 §8.3.5.1, REN-02).

Runs in worker processes alone. Nothing in it but the bytes and the recipe has a part in what comes out.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom import syntaxes
from dicomgate.dicom.presentation import Profile
from dicomgate.pixels import (
    decoding,
    drawing,
    files_of_pictures,
    grey,
    overlays,
    profiles,
    recipe,
    resizing,
    shown_colours,
    shutters,
    subtracting,
    writing_text,
)
from dicomgate.pixels.decoding import Decoded
from dicomgate.pixels.pieces import Pieces
from dicomgate.pixels.placing import Placing
from dicomgate.pixels.recipe import LookupTable, Recipe

Picture = NDArray[np.uint8]


def render(source: int, into: int, *, said: str) -> dict[str, Any]:
    """Make the picture that a recipe asks for from one open file into another; how large it is and what went into it.

    Malformed, UnsupportedMedia or TooLarge when the frame cannot be decoded, or a table of it makes no sense.
    """
    wanted = recipe.parse_recipe(said)
    picture, limits, profile = _make(wanted, Pieces(source))
    _write(files_of_pictures.encode(picture, wanted.media_type, wanted.quality, profile), into)
    return {"height": picture.shape[0], "width": picture.shape[1], "limits": limits}


def _make(wanted: Recipe, content: Pieces) -> tuple[Picture, tuple[float, float] | None, bytes | None]:
    """The picture, the values that are black and white where nothing said so, and the profile of its colours."""
    syntax = syntaxes.find(wanted.description.transfer_syntax)
    is_native = syntax is not None and not syntax.is_encapsulated
    codestream = content.map(wanted.frame) if is_native else content.read(wanted.frame)
    if wanted.subtraction is None:
        decoded = decoding.decode_frame(codestream, wanted.description)
    else:
        table = wanted.modality.modality_table if wanted.modality is not None else None
        decoded = subtracting.subtract(wanted, content, _bytes(content, table))
    limits = _find_limits(decoded, wanted)
    shown = _show(decoded, wanted, content, limits)
    if wanted.overlays:
        shown = shown if shown.flags.writeable and shown.flags.owndata else shown.copy()
        overlays.draw(shown, wanted, content)
    fitted = _fit(shown, wanted, content)
    coloured, profile = _profiled(fitted, wanted, content, codestream)
    if wanted.pose is not None:
        coloured = drawing.draw(coloured, wanted, content, profile)
    return (writing_text.write(coloured, wanted.texts) if wanted.texts else coloured), limits, profile


def _fit(shown: Picture, wanted: Recipe, content: Pieces) -> Picture:
    """The part that is shown, at its size and place; covered where a presentation state covers it."""
    if wanted.pose is None:
        return resizing.fit(shown, wanted)
    covered = shutters.cover(shown, wanted, content)
    return Placing(wanted.pose, wanted.size).place(covered, wanted.box)


def _find_limits(decoded: Decoded, wanted: Recipe) -> tuple[float, float] | None:
    """The least and the largest value of the frame, where nothing else tells black from white."""
    tone = wanted.grey
    if decoded.pixels.ndim == 3 or tone.window or tone.voi_table or tone.limits or tone.ends:
        return tone.limits
    return grey.find_limits(decoded.pixels, tone, wanted.description.bits_stored)


def _show(decoded: Decoded, wanted: Recipe, content: Pieces, limits: tuple[float, float] | None) -> Picture:
    """The part that is shown, in 8 bits of grey or shown_colours."""
    pixels = resizing.cut(decoded.pixels, wanted.box)
    bits = wanted.description.bits_stored
    if pixels.ndim == 3:
        return shown_colours.to_rgb(pixels, decoded.photometric_interpretation, bits)
    if wanted.palette is not None and not (wanted.is_supplemental or wanted.is_pseudo_colour):
        return shown_colours.apply_palette(pixels, wanted.palette, _contents(content, wanted.palette))
    tone = wanted.grey
    tables = tuple(_bytes(content, one) for one in (tone.modality_table, tone.voi_table, tone.presentation_table))
    if wanted.is_pseudo_colour and wanted.palette is not None:
        colouring = wanted.palette, _contents(content, wanted.palette)
        return shown_colours.apply_pseudo_colour(pixels, tone, tables, limits, colouring)
    shown = grey.levels(pixels, tone, tables, limits)
    if wanted.palette is None:
        return shown
    return shown_colours.apply_supplement(pixels, shown, wanted.palette, _contents(content, wanted.palette))


def _profiled(picture: Picture, wanted: Recipe, content: Pieces, codestream: bytes) -> tuple[Picture, bytes | None]:
    """The picture in the colours that are wanted, and their profile where it goes along.

    What a picture's colours are says the data set, then the codestream, else they are taken for sRGB.
    """
    if wanted.profile is Profile.NO or wanted.media_type not in recipe.WITH_PROFILE:
        return picture, None
    own = _find_profile(wanted, content, codestream) if wanted.description.is_colour or wanted.palette else None
    if wanted.profile is None or (wanted.profile is Profile.YES and picture.ndim == 2):
        return picture, own
    source = own or profiles.make(Profile.SRGB)
    if wanted.profile is Profile.YES:
        return picture, source
    target = profiles.make(wanted.profile)
    picture = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    return (picture if source == target else profiles.convert(picture, source, target)), target


def _find_profile(wanted: Recipe, content: Pieces, codestream: bytes) -> bytes | None:
    if wanted.own_profile is not None:
        own = content.read(wanted.own_profile)
        if profiles.is_usable(own):
            return own
    syntax = syntaxes.find(wanted.description.transfer_syntax)
    found = profiles.find_in_jpeg(codestream) if syntax is not None and syntax.media_type == "image/jpeg" else None
    return found if found is not None and profiles.is_usable(found) else None


def _contents(content: Pieces, palette: shown_colours.Palette) -> tuple[bytes, bytes, bytes]:
    red, green, blue = (_bytes(content, table) for table in palette)
    return red, green, blue


def _bytes(content: Pieces, table: LookupTable | None) -> bytes:
    return b"" if table is None else content.read(table.span)


def _write(made: bytes, into: int) -> None:
    view = memoryview(made)
    while view:
        view = view[os.write(into, view) :]
