"""A page of pictures of every file of a folder, for a person's eye: `make contact-sheet`.

Each file goes through the archive and the maker of pictures as it would for a door; what is not shown tells why.
"""

from __future__ import annotations

import argparse
import html
import io
import itertools
import json
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from PIL.ImageFont import load_default

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.presentation import Presentation, Viewport
from dicomgate.dicom.uids import Target
from dicomgate.origin import Instance
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures, thumbnails
from dicomgate.representations.maker import Maker

TILE = 160
COLUMNS = 10
ROWS = 8
PER_SERIES = 3


@dataclass(frozen=True, slots=True)
class Tile:
    """One file: its picture, or why there is none."""

    path: str
    picture: bytes = b""
    thumbnail: bytes = b""
    trouble: str = ""


def main(arguments: list[str] | None = None) -> int:
    """1 when a file broke the program."""
    parser = argparse.ArgumentParser(prog="python -m bench.contact_sheet", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, default=Path("contact-sheet"))
    parser.add_argument("--all", action="store_true", help="every file, also of long series")
    chosen = parser.parse_args(arguments)
    chosen.into.mkdir(exist_ok=True)
    files = sorted(_files(chosen.folder) if chosen.all else _some(chosen.folder))
    begun = time.perf_counter()
    tiles = list(_tiles(files, chosen.folder))
    _write_page(tiles, chosen.into)
    _write_sheets(tiles, chosen.into)
    broken = [tile for tile in tiles if tile.trouble.startswith("BUG")]
    shown = sum(bool(tile.picture) for tile in tiles)
    seconds = time.perf_counter() - begun
    print(f"{len(tiles)} files, {shown} with pictures, {len(broken)} broke the program, {seconds:.0f} s")
    for tile in broken:
        print(tile.path, tile.trouble)
    return 1 if broken else 0


def _files(folder: Path) -> Iterator[Path]:
    return (
        path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".tsv", ".md", ".json", ".txt"}
    )


def _some(folder: Path) -> Iterator[Path]:
    """All files but those of long series, of which some stand for the others."""
    for _, group in itertools.groupby(sorted(_files(folder)), key=lambda path: path.parent):
        members = list(group)
        is_series = "series" in members[0].parts or "studies" in members[0].parts or "fuzz" in members[0].parts
        step = max(len(members) // PER_SERIES, 1) if is_series else 1
        yield from members[::step]


def _tiles(files: list[Path], folder: Path) -> Iterator[Tile]:
    """Each file is stored, looked at and removed, so that files of one name do not meet."""
    with tempfile.TemporaryDirectory() as scratch, Workers() as workers:
        maker = Maker(workers=workers)
        with ThreadPoolExecutor(4) as pool:
            yield from pool.map(
                lambda one: _look(maker, one[1], str(one[1].relative_to(folder)), Path(scratch) / str(one[0])),
                enumerate(files),
            )


def _look(maker: Maker, path: Path, name: str, data: Path) -> Tile:
    try:
        with assembly.open_archive(data, config.Settings()) as archive:
            target = _store(archive, path)
            if target is None:
                return Tile(name, trouble="not stored")
            with archive.origin.retrieve.retrieve(target) as found:
                return _show(maker, next(found), name)
    except errors.Fault as fault:
        return Tile(name, trouble=f"{type(fault).__name__}: {fault.message}")
    except Exception as error:  # noqa: BLE001 - what breaks is what is looked for
        return Tile(name, trouble=f"BUG {type(error).__name__}: {error}")


def _store(archive: Archive, path: Path) -> Target | None:
    arrival = archive.spool.arrival()
    arrival.write(path.read_bytes())
    assert archive.origin.store is not None
    outcome = archive.origin.store.accept(arrival)
    return outcome.target if isinstance(outcome, Stored) else None


def _show(maker: Maker, instance: Instance, name: str) -> Tile:
    small = thumbnails.of_instance(maker, instance, Viewport(TILE // 2, TILE // 2), "image/jpeg")
    try:
        frame = thumbnails.middle_frame(instance.facts)
        large = pictures.render(maker, instance, frame, Presentation(viewport=Viewport(TILE, TILE)))
        return Tile(name, large.content, small.content)
    except errors.Fault as fault:
        return Tile(name, thumbnail=small.content, trouble=f"{type(fault).__name__}: {fault.message}")


def _write_page(tiles: list[Tile], into: Path) -> None:
    cells = "".join(_cell(tile) for tile in tiles)
    style = "body{background:#222;color:#ccc;font:11px sans-serif}figure{display:inline-block;width:170px}"
    (into / "index.html").write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{cells}", "utf-8")
    listed = {tile.path: tile.trouble for tile in tiles if tile.trouble}
    (into / "troubles.json").write_text(json.dumps(listed, indent=1), "utf-8")


def _cell(tile: Tile) -> str:
    drawn = "".join(
        f'<img src="data:image/jpeg;base64,{b64encode(one).decode()}">' for one in (tile.picture, tile.thumbnail) if one
    )
    return f"<figure>{drawn}<figcaption>{html.escape(tile.path)}<br>{html.escape(tile.trouble)}</figcaption></figure>"


def _write_sheets(tiles: list[Tile], into: Path) -> None:
    """The same as pictures of a size that can be looked at."""
    page = COLUMNS * ROWS
    for number, first in enumerate(range(0, len(tiles), page)):
        sheet = Image.new("RGB", (COLUMNS * TILE, ROWS * (TILE + 30)), (30, 30, 30))
        for place, tile in enumerate(tiles[first : first + page]):
            _put(sheet, tile, place % COLUMNS * TILE, place // COLUMNS * (TILE + 30))
        sheet.save(into / f"sheet-{number:02d}.png")


def _put(sheet: Image.Image, tile: Tile, left: int, top: int) -> None:
    pencil = ImageDraw.Draw(sheet)
    for content, place in ((tile.picture, (left, top)), (tile.thumbnail, (left + TILE // 2, top + TILE // 2))):
        if content and (content is tile.picture or not tile.picture):
            sheet.paste(Image.open(io.BytesIO(content)).convert("RGB"), place)
    font = load_default(10)
    words = Path(tile.path).parts
    pencil.text((left + 2, top + TILE), "/".join(words[-3:-1])[-28:], (200, 200, 120), font)
    pencil.text((left + 2, top + TILE + 10), words[-1][-28:], (220, 220, 220), font)
    for line, at in enumerate(range(0, min(len(tile.trouble), 96), 28)):
        pencil.text((left + 2, top + 2 + line * 11), tile.trouble[at : at + 28], (255, 140, 120), font)


if __name__ == "__main__":
    sys.exit(main())
