"""What making takes is shared, and ends with the door."""

from __future__ import annotations

import os

import pytest

from dicomgate import assembly, config, errors
from dicomgate.dicomweb import rendered_offers
from dicomgate.pixels import limits, recipe
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures
from dicomgate.representations.maker import Maker


def test_the_edition_names_every_program_that_makes_bytes() -> None:
    edition = Maker(workers=Workers()).edition
    assert edition == Maker(workers=Workers()).edition
    assert all(name in edition for name in ("dicomgate", "imagecodecs", "numpy"))


def test_it_ends_with_its_door(tmp_path) -> None:
    application = assembly.application(config.Settings(), data=tmp_path / "data")
    maker = application.maker
    assert maker.workers.limits.processes >= max(limits.DEFAULT.processes, len(os.sched_getaffinity(0)))
    application.close()
    with pytest.raises(errors.Unavailable):
        maker.workers.run("decode", {})


def test_every_picture_that_is_made_is_offered() -> None:
    assert rendered_offers.PICTURES == pictures.MEDIA_TYPES
    assert {type_ for type_ in pictures.MEDIA_TYPES if rendered_offers.can_hold_profile(type_)} == set(
        recipe.WITH_PROFILE
    )
