"""What making takes is shared, and ends with the door."""

from __future__ import annotations

import os

import pytest

from dicomgate import assembly, config, errors
from dicomgate.pixels import limits
from dicomgate.pixels.processes import Workers
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
