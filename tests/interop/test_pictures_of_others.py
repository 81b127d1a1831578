"""Rendered pictures beside those of DCMTK, and every file there is: a picture, or a fault that says why (REN-01, REN-07)."""

from __future__ import annotations

import io
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from interop_corpus import DATA, needs_data
from PIL import Image
from pydicom.data import get_testdata_files

from dicomgate import assembly, config, errors
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.presentation import AS_IT_IS, Presentation, Viewport, Window
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures, thumbnails
from dicomgate.representations.maker import Maker

PROGRAM = shutil.which("dcmj2pnm")
STORED, TABLE, WHOLE = ["+Wi", "1"], ["+Wl", "1"], []
ASKED, WINDOW = ["+Ww", "300", "900"], Presentation(window=Window(300, 900))
CASES = [
    # A file, how DCMTK is asked, and how we are.
    *(
        (f"syntaxes/pydicom/{name}.dcm", ASKED, WINDOW)
        for name in ("CT_small", "MR_small", "MR2_UNCR", "JPEG-LL", "JPEG2000_UNC")
    ),
    *((f"syntaxes/pydicom/{name}.dcm", STORED, AS_IT_IS) for name in ("MR_small", "MR2_UNCR")),
    *(
        (f"syntaxes/pydicom/{name}.dcm", WHOLE, AS_IT_IS)
        for name in ("SC_rgb", "US1_UNCR", "OBXXXX1A", "SC_ybr_full_uncompressed", "ExplVR_BigEnd", "color-px")
    ),
    ("series/ct-liver-51/1-18.dcm", STORED, AS_IT_IS),
    ("objects/xa-us/I_000000.dcm", STORED, AS_IT_IS),
    ("objects/bits/12bitUnsigned_0x0F0F.dcm", STORED, AS_IT_IS),
    ("objects/dcm4che/test16signed.dcm", STORED, AS_IT_IS),
    ("objects/pydicom/mlut_18.dcm", WHOLE, AS_IT_IS),
    ("objects/pydicom/mlut_18.dcm", ASKED, WINDOW),
    ("objects/pydicom/vlut_04.dcm", TABLE, AS_IT_IS),
    ("objects/presentation-states/overlay.dcm", WHOLE, AS_IT_IS),
    ("objects/dcm4che/ovly_p01.dcm", ASKED, WINDOW),
]


@pytest.fixture(scope="module")
def maker():
    with Workers() as workers:
        yield Maker(workers=workers)


@needs_data
@pytest.mark.skipif(PROGRAM is None, reason="no dcmj2pnm here")
@pytest.mark.parametrize(("name", "how", "wanted"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_pictures_are_those_of_dcmtk(
    maker: Maker, tmp_path: Path, name: str, how: list[str], wanted: Presentation
) -> None:
    assert PROGRAM is not None
    subprocess.run([PROGRAM, *how, DATA / name, tmp_path / "expected"], check=True, capture_output=True, timeout=120)
    expected = np.asarray(Image.open(tmp_path / "expected")).astype(int)
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive:
        arrival = archive.spool.arrival()
        arrival.write((DATA / name).read_bytes())
        assert archive.origin.store is not None
        outcome = archive.origin.store.accept(arrival)
        assert isinstance(outcome, Stored)
        with archive.origin.retrieve.retrieve(outcome.target) as found:
            made = pictures.render(maker, next(found), 1, wanted, "image/png")
    shown = np.asarray(Image.open(io.BytesIO(made.content))).astype(int)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).max() <= 2


def _files() -> list[Path]:
    ours = [path for path in DATA.rglob("*") if path.is_file() and path.suffix not in {".tsv", ".md"}]
    named = [Path(path) for path in get_testdata_files("*.dcm")]
    # Of long series every tenth file: they are alike.
    long = {"series", "studies", "fuzz"}
    return (
        sorted(path for place, path in enumerate(sorted(ours)) if place % 10 == 0 or long.isdisjoint(path.parts))
        + named
    )


@pytest.mark.slow
@needs_data
def test_every_file_has_a_picture_or_a_fault_that_says_why(maker: Maker, tmp_path: Path) -> None:
    def look(numbered: tuple[int, Path]) -> bool:
        number, path = numbered
        with assembly.open_archive(tmp_path / str(number), config.Settings()) as archive:
            arrival = archive.spool.arrival()
            arrival.write(path.read_bytes())
            assert archive.origin.store is not None
            outcome = archive.origin.store.accept(arrival)
            if not isinstance(outcome, Stored):
                return False
            with archive.origin.retrieve.retrieve(outcome.target) as found:
                instance = next(found)
            small = thumbnails.of_instance(maker, instance, Viewport(32, 32), "image/jpeg")
            assert small.content.startswith(b"\xff\xd8"), path
            try:
                made = pictures.render(maker, instance, thumbnails.middle_frame(instance.facts))
            except (errors.NotAcceptable, errors.NotFound):
                return False
            assert made.content.startswith(b"\xff\xd8"), path
            return True

    with ThreadPoolExecutor(4) as pool:
        shown = list(pool.map(look, enumerate(_files())))
    assert sum(shown) > 250
